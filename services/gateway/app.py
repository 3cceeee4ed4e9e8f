"""How the gateway is wired: the only file that knows every other room."""

from datetime import timedelta

from libs.common.clock import Clock, SystemClock
from libs.common.db import Database
from libs.common.messaging import Bus
from libs.common.service import Service
from services.gateway import consumers, workers
from services.gateway.commands import Commands, Notices
from services.gateway.domain import Patience
from services.gateway.processor import Processors, SoleProcessor
from services.gateway.queries import Queries
from services.gateway.resilience import Bulkhead, Circuit, ResilientProcessor, Retries
from services.gateway.sandbox_processor import SandboxProcessor, StoredBook, sandbox_page
from services.gateway.settings import ResolutionSettings, Settings
from services.gateway.store import AttemptStore, NoticeStore, SandboxStore


def build(settings: Settings, clock: Clock | None = None) -> Service:
    """Wire the service; nothing connects before it is started."""
    clock = clock or SystemClock()
    database = Database(settings.database, schema="gateway", application_name="gateway")
    bus = Bus(service="gateway", settings=settings.broker, database=database, clock=clock)
    store = AttemptStore(database)
    sandbox = SandboxProcessor(
        book=StoredBook(SandboxStore(database)),
        clock=clock,
        latency_seconds=settings.sandbox.sandbox_latency_seconds,
        slow_seconds=settings.sandbox.sandbox_slow_seconds,
        later_seconds=settings.sandbox.sandbox_later_seconds,
    )
    processors, resolvers = _processors(sandbox, settings, clock)
    commands = Commands(
        store=store,
        processors=processors,
        resolvers=resolvers,
        patience=patience(settings.resolution),
        deadline_seconds=settings.processor.processor_deadline_seconds,
        parked_after_retries=settings.resolution.parked_after_retries,
        clock=clock,
    )
    notices = Notices(store=NoticeStore(database), clock=clock)
    consumers.register(bus, commands, concurrency=settings.processor.consumer_concurrency)
    return Service(
        name="gateway",
        place=settings.place,
        http=settings.http,
        database=database,
        bus=bus,
        clock=clock,
        workers=[
            *workers.workers(commands, Queries(store), settings=settings.resolution),
            workers.telling("tell what happens in the sandbox", sandbox.tell, notices.apply),
        ],
    )


def patience(settings: ResolutionSettings) -> Patience:
    """When to ask again, in the domain's words."""
    return Patience(
        ages=tuple(timedelta(seconds=age) for age in settings.unknown_schedule_seconds),
        key_lifetime=timedelta(seconds=settings.idempotency_key_lifetime_seconds),
        lease=timedelta(seconds=settings.attempt_lease_seconds),
        pause=timedelta(seconds=settings.not_taken_pause_seconds),
        reading_ages=tuple(timedelta(seconds=age) for age in settings.reading_schedule_seconds),
    )


def _processors(sandbox: SandboxProcessor, settings: Settings, clock: Clock) -> tuple[Processors, Processors]:
    """The processors as commands and as the resolver ask them: one circuit, one bulkhead, two ways of repeating."""
    values = settings.processor
    circuit = Circuit(
        name=sandbox.name,
        failures_max=values.circuit_breaker_failure_threshold,
        open_seconds=values.circuit_breaker_recovery_timeout,
        clock=clock,
    )
    bulkhead = Bulkhead(places=values.processor_concurrency_max, wait_seconds=values.processor_wait_seconds)

    def asking(*, max_retries: int) -> Processors:
        retries = Retries(
            max_retries=max_retries,
            base_delay_seconds=values.retry_base_delay,
            max_delay_seconds=values.retry_max_delay,
            ask_timeout_seconds=values.processor_timeout_seconds,
        )
        return SoleProcessor(ResilientProcessor(sandbox, circuit=circuit, bulkhead=bulkhead, retries=retries))

    return asking(max_retries=values.max_retries), asking(max_retries=0)


async def print_sandbox_page(_: Settings) -> None:
    """Print `docs/sandbox.md`."""
    print(sandbox_page(), end="")  # noqa: T201 - its output
