"""The same assembly four times: settings, logs, database, bus, workers, HTTP, and a shutdown that loses nothing."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any, Protocol

import asyncpg
import msgspec
import uvicorn
from litestar import Litestar, Response, get
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ASGIApp, Guard

from libs.common import VERSION, operating, outages, setting_names
from libs.common.background import Background, Loop, Worker
from libs.common.clock import Clock
from libs.common.db import Database, PartitionedTable, PartitionKeeper
from libs.common.errors import PlatformError
from libs.common.messaging import Bus, asyncapi, asyncapi_page
from libs.common.messaging.resend import Window
from libs.common.observability import logging, tracing
from libs.common.observability.logging import get_logger
from libs.common.observability.stalls import StallMeter, leave_out_of_collections
from libs.common.setting_values import read_pairs
from libs.common.settings import (
    BrokerSettings,
    DatabaseSettings,
    HttpSettings,
    PlaceSettings,
    SettingsError,
    TracingSettings,
    load,
)
from libs.common.tasks import end_all
from libs.common.web import problems
from libs.common.web.connections import allow_open_files
from libs.common.web.correlation import correlate
from libs.common.web.head import answer_head
from libs.common.web.health import Check, health_routes
from libs.common.web.load import limit_in_flight
from libs.common.web.operations import operators_only
from libs.common.web.protocol import bounded_protocol

log = get_logger("service")

_PARTITIONS_EVERY_SECONDS = 300.0
"""How often partitions are made, dropped and measured; the first time when the process starts."""
_LETTERS_EVERY_SECONDS = 60.0
"""How often dead letters are counted."""
_LAST_SPANS_SECONDS = 2.0
"""How long a process that stops waits for a collector to take its last spans."""


class CommonSettings(Protocol):
    """The groups that the settings of every service have as fields."""

    @property
    def place(self) -> PlaceSettings:
        """Which place this is."""

    @property
    def http(self) -> HttpSettings:
        """Where the service is reached."""

    @property
    def database(self) -> DatabaseSettings:
        """Where it remembers."""

    @property
    def tracing(self) -> TracingSettings:
        """Where spans of traces go."""

    @property
    def broker(self) -> BrokerSettings:
        """How it exchanges messages."""


class MigrationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a migration reads: it runs with the secret of the schema's owner, and needs no other."""

    place: PlaceSettings = PlaceSettings()
    database: DatabaseSettings = DatabaseSettings()


class Service:
    """One service, wired and ready to run: `asgi` is its application, `serve` runs it until it is stopped.

    `reads_alone` says that its callers are served while the database takes no writes: it then stays ready, degraded.
    """

    def __init__(
        self,
        *,
        name: str,
        place: PlaceSettings,
        http: HttpSettings,
        traces: TracingSettings | None = None,
        database: Database,
        bus: Bus,
        clock: Clock,
        routes: Sequence[Any] = (),
        workers: Sequence[Worker] = (),
        tables: Sequence[PartitionedTable] = (),
        measured: Sequence[str] = (),
        loops: Sequence[Loop] = (),
        opens: Sequence[Callable[[], AbstractAsyncContextManager[Any]]] = (),
        checks: Mapping[str, Check] | None = None,
        details: Mapping[str, Callable[[], str]] | None = None,
        middleware: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
        shells: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
        openapi: OpenAPIConfig | None = None,
        eager_tasks: bool = False,
        reads_alone: bool = False,
    ) -> None:
        self.name = name
        self.place = place
        self.http = http
        self.traces = traces or TracingSettings()
        self.database = database
        self.bus = bus
        self.clock = clock
        self._workers = [
            _partitions(PartitionKeeper(database, clock=clock, tables=tables, measured=measured)),
            Worker(name="count dead letters", every_seconds=_LETTERS_EVERY_SECONDS, run=bus.count_dead_letters),
            *workers,
        ]
        self._loops = loops
        self._background = Background()
        self._opens = opens
        self._eager_tasks = eager_tasks
        guards = operators_only(http.operations_token)
        all_checks: dict[str, Check] = {"database": database.state, "rabbitmq": bus.ping, **(checks or {})}
        self.app = Litestar(
            route_handlers=[
                *health_routes(
                    all_checks,
                    {
                        "rabbitmq": lambda: bus.trouble,
                        "background": lambda: self._background.trouble,
                        **(details or {}),
                    },
                    works_degraded=reads_alone,
                    guards=guards,
                ),
                *asyncapi_routes(name, guards=guards),
                *routes,
            ],
            middleware=[*middleware],
            exception_handlers={Exception: problems.answer},
            lifespan=[self._lifespan],
            openapi_config=openapi,
            logging_config=None,
            debug=False,
        )
        # Outside of Litestar, whose own middleware does not see a request that no route takes.
        asgi: ASGIApp = answer_head(self.app)
        for shell in shells:
            asgi = shell(asgi)
        self.asgi = correlate(limit_in_flight(asgi, limit=http.http_in_flight_max))

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            # Entered first, so that what is recorded while everything stops is sent too.
            await stack.enter_async_context(self._traces())
            stack.enter_context(StallMeter(warn_seconds=self.http.loop_stall_warn_seconds).running())
            if self._eager_tasks:
                stack.callback(_start_tasks_at_once(asyncio.get_running_loop()))
            await self.database.open()
            stack.push_async_callback(self.database.close)
            for opened in self._opens:
                await stack.enter_async_context(opened())
            measuring = Loop(name="measure outbox", run=self.bus.measure_outbox)
            running = [
                asyncio.create_task(self._run_bus(), name="bus"),
                *self._background.start([measuring, *self._loops], self._workers),
            ]
            log.info("service.started", port=self.http.http_port)
            try:
                yield
            finally:
                log.info("service.stopping")
                await self.bus.drain(timeout_seconds=self.http.shutdown_timeout_seconds)
                await end_all(running, again_seconds=self.http.shutdown_timeout_seconds)
                await self.bus.close()
        log.info("service.stopped")

    def _traces(self) -> AbstractAsyncContextManager[None]:
        settings, exporter = self.traces, None
        if settings.otel_exporter_otlp_endpoint:
            # OpenTelemetry takes a third of a second to import, which a service without traces does without.
            from libs.common.observability.otlp import OtlpExporter

            exporter = OtlpExporter(
                endpoint=settings.otel_exporter_otlp_endpoint,
                headers=read_pairs(settings.otel_exporter_otlp_headers),
                queue_max=settings.otel_bsp_max_queue_size,
                attributes={
                    "service.name": f"payments-{self.name}",
                    "service.version": VERSION,
                    "deployment.environment.name": self.place.app_env,
                },
            )
        return tracing.exporting(
            exporter,
            ratio=settings.otel_traces_sampler_arg,
            seconds=_LAST_SPANS_SECONDS,
            callers_per_second=settings.traces_of_callers_per_second,
        )

    async def _run_bus(self) -> None:
        """Run the bus; if it cannot go on, neither can this process.

        What the bus had not finished is unacknowledged, and only a closed connection makes the broker deliver it again: the
        process stops in good order and its supervisor starts a fresh one.
        """
        try:
            await self.bus.run()
        except PlatformError as fault:
            log.critical("bus.failed", reason=fault.detail)
        except Exception:
            log.critical("bus.failed", exc_info=True)
        else:
            return
        signal.raise_signal(signal.SIGTERM)

    def serve(self) -> None:
        """Serve HTTP, consume and work until SIGTERM or SIGINT, then finish what has begun and stop."""
        allow_open_files(self.http)
        leave_out_of_collections()
        uvicorn.run(
            self.asgi,
            host=self.http.http_host,
            port=self.http.http_port,
            loop="uvloop",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            timeout_graceful_shutdown=int(self.http.shutdown_timeout_seconds),
            backlog=2048,
            **connection_options(self.http),
        )


def connection_options(http: HttpSettings) -> dict[str, Any]:
    """The options of uvicorn about connections: how they are bounded, and whose word about the caller's address counts.

    Of a trusted proxy, the right-most address that is not itself trusted counts. Left to itself uvicorn trusts whatever runs
    on this machine, and the variable FORWARDED_ALLOW_IPS.
    """
    return {
        "proxy_headers": bool(http.trusted_proxies),
        "forwarded_allow_ips": list(http.trusted_proxies),
        "http": bounded_protocol(http),
        "ws": "none",
        # A request that was sent ahead of another's answer is started by that other one, and would have its context.
        "reset_contextvars": True,
    }


def _start_tasks_at_once(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    before = loop.get_task_factory()
    loop.set_task_factory(_start_at_once)
    return lambda: loop.set_task_factory(before)


def _start_at_once[T](
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
) -> asyncio.Task[T]:
    """Make a task that runs at once up to its first wait, and is never scheduled when it has none.

    A connection that goes back to its pool is a task of asyncpg's that does not wait: one turn of the loop less for each
    statement, which under load is a millisecond. asyncio's own factory does not take what uvloop gives it; this one is set
    after the framework has started, since anyio's task groups know asyncio's only.
    """
    return asyncio.Task(work, loop=loop, **{**options, "eager_start": loop.is_running()})  # type: ignore[arg-type]


def _partitions(keeper: PartitionKeeper) -> Worker:
    return Worker(name="partitions", every_seconds=_PARTITIONS_EVERY_SECONDS, run=keeper.run, is_due_at_start=True)


def asyncapi_routes(service: str, *, guards: Sequence[Guard]) -> list[Any]:
    """Build `/asyncapi` (a page) and `/asyncapi.json`, both of which need no internet; `guards` say who may read them."""

    # In a thread, once somebody asks: to build it takes a fifth of a second.
    @get("/asyncapi", operation_id="asyncapi", include_in_schema=False, guards=[*guards], sync_to_thread=True)
    def as_page() -> Response[bytes]:
        return Response(asyncapi_page.page(_messages_of(service)).encode(), media_type="text/html")

    @get("/asyncapi.json", operation_id="asyncapi_json", include_in_schema=False, guards=[*guards], sync_to_thread=True)
    def as_json() -> Response[bytes]:
        return Response(msgspec.json.encode(_messages_of(service)), media_type="application/json")

    return [as_page, as_json]


@cache
def _messages_of(service: str) -> dict[str, Any]:
    return asyncapi.document(service, version=VERSION)


def main[S: CommonSettings](
    *,
    service: str,
    settings: type[S],
    build: Callable[[S], Service],
    check: Callable[[S], list[str]] | None = None,
    commands: Mapping[str, Callable[[S], Awaitable[None]]] | None = None,
    rebuild: Callable[[S, Window], Awaitable[int]] | None = None,
    operations: Mapping[str, Callable[[S, Sequence[str]], Awaitable[str]]] | None = None,
    partner_queues: Callable[[S], Sequence[str]] | None = None,
) -> None:
    """The command line of one service: `serve`, `migrate`, `asyncapi`, those of `operating`, and its own commands.

    `rebuild` publishes again, from the service's tables, what was published so long ago that it is not kept. `operations` are
    commands of the service's own that take arguments and return what to print. `partner_queues` are those of other teams'
    messages, which settings name.
    """
    own, operated = commands or {}, operations or {}
    shared = ["serve", "migrate", "asyncapi", *operating.COMMANDS.values()]
    usage = f"usage: python -m services.{service} ({' | '.join([*shared, *own, *operated])})"
    arguments = sys.argv[1:]
    if not arguments:
        sys.exit(usage)
    name, rest = arguments[0], arguments[1:]
    if name == "asyncapi":
        print(json.dumps(asyncapi.document(service, version=VERSION), indent=2))  # noqa: T201 - its output
        return
    try:
        if name == "migrate":
            _migrate(service)
            return
        loaded = load(settings, service=service, check=check)  # type: ignore[type-var]  # a struct, and a CommonSettings
        logging.configure(service=service, level=loaded.place.log_level)
        if name == "serve":
            _require(loaded.database.database_url, f"{service.upper()}_DATABASE_URL")
            for sentence in setting_names.unknown(os.environ):
                log.warning("setting.unknown", reason=sentence)
            build(loaded).serve()
        elif name in operating.COMMANDS:
            more = partner_queues(loaded) if partner_queues else ()
            print(  # noqa: T201 - its output
                asyncio.run(operating.operate(name, service, loaded, rest, rebuild=rebuild, more=more))
            )
        elif name in own:
            asyncio.run(_run(own[name], loaded))
        elif name in operated:
            print(asyncio.run(_operate(operated[name], loaded, rest)))  # noqa: T201 - its output
        else:
            sys.exit(usage)
    except SettingsError as fault:
        sys.exit("\n".join(f"{service}: {sentence}" for sentence in fault.faults))
    except PlatformError as fault:
        cause = fault.__cause__
        refusals = (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError)
        if name != "migrate" and isinstance(cause, refusals):
            sys.exit(f"{service}: PostgreSQL refuses the address in {service.upper()}_DATABASE_URL: {cause}")
        reason = f" ({outages.cause_of(cause)})" if cause is not None else ""
        sys.exit(f"{service}: {fault.detail}{reason}")


def _migrate(service: str) -> None:
    # Alembic is needed here only; a service starts faster without it.
    from libs.common.db.migrate import upgrade

    loaded = load(MigrationSettings, service=service)
    logging.configure(service=service, level=loaded.place.log_level)
    url = loaded.database.migration_database_url
    _require(url, f"{service.upper()}_MIGRATION_DATABASE_URL")
    upgrade(service=service, url=url)


async def _run[S](command: Callable[[S], Awaitable[None]], settings: S) -> None:
    await command(settings)


async def _operate[S](
    operation: Callable[[S, Sequence[str]], Awaitable[str]], settings: S, arguments: Sequence[str]
) -> str:
    return await operation(settings, arguments)


def _require(value: str, name: str) -> None:
    if not value:
        raise SettingsError([f"{name} is not set"])


__all__ = ["Loop", "Service", "Worker", "main"]
