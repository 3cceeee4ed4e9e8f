"""How the gateway is wired: the only file that knows every other room."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import Any
from uuid import UUID

import msgspec

from libs.common.clock import Clock, SystemClock
from libs.common.db import Database
from libs.common.messaging import Bus, inbox_partitions, published_partitions
from libs.common.messaging.letters import dead_letters
from libs.common.messaging.refused import list_refused
from libs.common.messaging.resend import TIMEOUT_SECONDS, Window
from libs.common.service import Service
from services.gateway.accounts import (
    AccountConsumers,
    Configs,
    ConnectedAccounts,
    KeyRing,
    ProcessorKind,
    StripeAccounts,
    account_guards,
    account_workers,
    move_account,
    place_processors,
)
from services.gateway.customers import CustomerConsumers, Saving, chargeable, customer_workers
from services.gateway.movements import (
    AccountOpening,
    BalanceComparing,
    StatementAccount,
    StatementReading,
    StatementRecording,
    statement_workers,
)
from services.gateway.movements import resend as publish_movements_again
from services.gateway.notices import (
    Adoption,
    EventStore,
    NoticeConsumers,
    Notices,
    Opening,
    StripeInbox,
    WaitingEvents,
    event_workers,
    report_workers,
    webhook_routes,
)
from services.gateway.notices import resend as publish_again
from services.gateway.operations import (
    AttemptStore,
    Commands,
    OpenOutcomes,
    OperationConsumers,
    Patience,
    Resolving,
    Restoring,
    operation_workers,
)
from services.gateway.operations import restored as write_restored
from services.gateway.processors.port.saving import Vault
from services.gateway.processors.sandbox import SandboxProcessor, SandboxStore, SandboxVault, StoredBook, sandbox_page
from services.gateway.processors.stripe import StripeAccount, StripeConnections
from services.gateway.reconciliation.wiring import Consumers, reconciliation
from services.gateway.settings import PROVIDERS, ResolutionSettings, Settings

MEASURED = (
    *("attempts", "stripe_events", "processor_movements", "sandbox_payments", "outbox"),
    *("statement_lines", "import_rows", "import_pieces", "discrepancies", "reconciliation_matches", "line_matches"),
    *("carried_balances", "reconciliation_posted"),
)
"""Tables without partitions whose size is measured."""
_STUCK_MAX = 200
"""Payments, and dead letters of each queue, that an operator is shown at a time."""
_REMEDY = " (just stuck names each; just gateway resolve ATTEMPT --as ... decides it)"
_STATUS_SECONDS = 5.0
"""How long a running gateway may take to report its state."""


def build(settings: Settings, clock: Clock | None = None) -> Service:
    """Wire the service; nothing connects before it is started."""
    clock = clock or SystemClock()
    database = Database(settings.database, schema="gateway", application_name="gateway")
    bus = Bus(service="gateway", settings=settings.broker, database=database, clock=clock)
    store = AttemptStore(database)
    sandbox = _sandbox(settings, database, clock)
    stripe = settings.stripe
    keyring = _keyring(settings)
    connections = StripeConnections(api_base=stripe.stripe_api_base)
    events = EventStore(database)
    accounts = _accounts(settings, connections, database, clock)
    platform = _platform_account(settings)
    connected = (
        None
        if platform is None
        else ConnectedAccounts(
            connections=connections,
            platform=platform,
            webhook_secrets=stripe.stripe_connect_webhook_secrets,
            database=database,
        )
    )
    processors, resolvers, circuits = place_processors(
        sandbox=sandbox,
        accounts=accounts,
        settings=settings.processor,
        default=PROVIDERS[settings.processor.provider],
        clock=clock,
    )
    notices = Notices(database=database, clock=clock)
    commands = Commands(
        store=store,
        processors=processors,
        resolvers=resolvers,
        patience=patience(settings.resolution),
        deadline_seconds=settings.processor.processor_deadline_seconds,
        parked_after_retries=settings.resolution.parked_after_retries,
        chargeable=partial(chargeable, database),
        adopt=notices.apply,
        restoring=Restoring(database, patience=patience(settings.resolution), clock=clock),
        clock=clock,
    )
    sandbox_vault = SandboxVault()

    async def vault_of(name: str) -> Vault:
        return sandbox_vault if name == ProcessorKind.SANDBOX else await accounts.vault(name)

    saving = Saving(database, accounts=processors, vault_of=vault_of, clock=clock)
    recording = StatementRecording(database, clock=clock)
    inbox = StripeInbox(
        database=database,
        store=events,
        notices=notices,
        recording=recording,
        fetch=accounts.movement,
        saving=saving.notice,
        opening=Opening(database=database, read=accounts.object, is_live=accounts.is_live),
        clock=clock,
    )

    async def keep_event(account: StatementAccount, body: str) -> None:
        await inbox.keep(body, tenant_id=account.tenant_id, processor=account.processor)

    async def keep_shown(body: str, tenant_id: str, processor: str) -> None:
        await inbox.keep(body, tenant_id=tenant_id, processor=processor)

    reading = StatementReading(
        database,
        recording,
        opening=AccountOpening(database, recording, clock=clock),
        comparing=BalanceComparing(database, clock=clock),
        reader_of=accounts.reader,
        keep_event=keep_event,
        adopt=Adoption(database, keep=keep_shown),
        every=timedelta(seconds=stripe.stripe_statement_every_seconds),
        clock=clock,
    )
    deciding = Configs(
        database=database,
        keyring=keyring,
        clock=clock,
        identify=accounts.identify,
        knows=accounts.knows,
        mode_of=None if connected is None else connected.mode_of,
    )
    reconciling, reconciliation_workers = reconciliation(database, bus, settings, clock)
    every: list[Consumers] = [
        OperationConsumers(
            commands,
            database=database,
            store=store,
            fetch_way=accounts.customer_way,
            concurrency=settings.processor.consumer_concurrency,
            clock=clock,
        ),
        AccountConsumers(deciding, database=database, changed=accounts.forget, clock=clock),
        CustomerConsumers(saving, database=database, clock=clock),
        NoticeConsumers(events, database=database),
        *reconciling,
    ]
    for consumers in every:
        consumers.register(bus)
    return Service(
        name="gateway",
        place=settings.place,
        http=settings.http,
        traces=settings.tracing,
        database=database,
        bus=bus,
        clock=clock,
        tables=[inbox_partitions(settings.broker), published_partitions(settings.broker)],
        measured=MEASURED,
        routes=webhook_routes(
            accounts,
            inbox,
            connected=connected,
            body_bytes_max=stripe.stripe_webhook_bytes_max,
            tolerance_seconds=stripe.stripe_webhook_tolerance_seconds,
        ),
        opens=[connections.open],
        details=circuits.details,
        workers=[
            *operation_workers(commands, store, settings=settings.resolution),
            *account_workers(deciding, circuits, database=database, clock=clock, settings=stripe),
            *customer_workers(saving),
            *event_workers(inbox, events, settings=stripe, clock=clock),
            *statement_workers(reading),
            *reconciliation_workers,
            *report_workers("report what happens in the sandbox", sandbox.report, notices.apply),
        ],
    )


def patience(settings: ResolutionSettings) -> Patience:
    """When to call again, in the domain's words."""
    return Patience(
        ages=tuple(timedelta(seconds=age) for age in settings.unknown_schedule_seconds),
        key_lifetime=timedelta(seconds=settings.idempotency_key_lifetime_seconds),
        lease=timedelta(seconds=settings.attempt_lease_seconds),
        pause=timedelta(seconds=settings.not_taken_pause_seconds),
        authorization_wait=timedelta(seconds=settings.authorization_wait_seconds),
        look_up_ages=tuple(timedelta(seconds=age) for age in settings.look_up_schedule_seconds),
        reading_ages=tuple(timedelta(seconds=age) for age in settings.reading_schedule_seconds),
    )


def _sandbox(settings: Settings, database: Database, clock: Clock) -> SandboxProcessor:
    return SandboxProcessor(
        book=StoredBook(SandboxStore(database)),
        clock=clock,
        latency_seconds=settings.sandbox.sandbox_latency_seconds,
        slow_seconds=settings.sandbox.sandbox_slow_seconds,
        later_seconds=settings.sandbox.sandbox_later_seconds,
    )


def _keyring(settings: Settings) -> KeyRing:
    return KeyRing(settings.sealing_key, settings.stripe.encryption_keys_previous)


def _accounts(settings: Settings, connections: StripeConnections, database: Database, clock: Clock) -> StripeAccounts:
    stripe = settings.stripe
    return StripeAccounts(
        connections=connections,
        platform=_platform_account(settings),
        platform_webhook_secrets=stripe.stripe_webhook_secrets,
        database=database,
        keyring=_keyring(settings),
        cache_seconds=stripe.gateway_config_cache_seconds,
        guards=account_guards(settings.processor, stripe, clock),
    )


def _platform_account(settings: Settings) -> StripeAccount | None:
    stripe = settings.stripe
    if not stripe.stripe_secret_key:
        return None
    return StripeAccount(
        name=ProcessorKind.STRIPE,
        secret_key=stripe.stripe_secret_key,
        payment_method=stripe.stripe_payment_method,
        return_url=stripe.stripe_return_url,
    )


async def print_sandbox_page(_: Settings) -> None:
    """Print `docs/sandbox.md`."""
    print(sandbox_page(), end="")  # noqa: T201 - its output


async def print_stuck(settings: Settings) -> None:
    """Print the attempts of the payments named on standard input, and the gateway's dead letters, as JSON for `just stuck`."""
    payments = msgspec.json.decode(sys.stdin.buffer.read(), type=list[tuple[str, UUID]])
    database = Database(settings.database, schema="gateway", application_name="gateway-stuck")
    await database.open()
    try:
        store = AttemptStore(database)
        attempts = [
            attempt
            for tenant_id, intent in payments[:_STUCK_MAX]
            for attempt in await store.of_intent(tenant_id=tenant_id, payment_intent_id=intent)
        ]
        refused = await list_refused(database)
    finally:
        await database.close()
    dead = await dead_letters(settings.broker.rabbitmq_url, "gateway", limit=_STUCK_MAX)
    print(msgspec.json.encode({"attempts": attempts, "dead": dead, "refused": refused}).decode())  # noqa: T201 - its output


async def print_status(settings: Settings) -> None:
    """Print what an operator looks at first: circuits, unknown outcomes, events that match nothing."""
    async with _opened(settings, "status") as database:
        page = status_page(
            readiness=await asyncio.to_thread(_readiness, settings),
            outcomes=await AttemptStore(database).count_open(),
            events=await EventStore(database).count(),
        )
    print(page, end="")  # noqa: T201 - its output


async def move(settings: Settings, arguments: Sequence[str]) -> str:
    """Move a Stripe account by an operator's command; returns what to print."""
    async with _opened(settings, "move-account") as database:
        return await move_account(database, arguments, now=SystemClock().now())


async def restored(settings: Settings, arguments: Sequence[str]) -> str:
    """Write down which time a restored database has lost; returns what to print."""
    async with _opened(settings, "restored") as database:
        return await write_restored(database, arguments, now=SystemClock().now())


@asynccontextmanager
async def _opened(settings: Settings, command: str) -> AsyncIterator[Database]:
    database = Database(settings.database, schema="gateway", application_name=f"gateway-{command}")
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def resolve(settings: Settings, arguments: Sequence[str]) -> str:
    """Decide about an attempt by an operator's command; returns what to print."""
    clock = SystemClock()
    connections = StripeConnections(api_base=settings.stripe.stripe_api_base)
    async with _opened(settings, "resolve") as database, connections.open():
        _, resolvers, _ = place_processors(
            sandbox=_sandbox(settings, database, clock),
            accounts=_accounts(settings, connections, database, clock),
            settings=settings.processor,
            default=PROVIDERS[settings.processor.provider],
            clock=clock,
        )
        resolving = Resolving(
            database=database,
            processors=resolvers,
            patience=patience(settings.resolution),
            deadline_seconds=settings.processor.processor_deadline_seconds,
            adopt=Notices(database=database, clock=clock).apply,
            clock=clock,
        )
        return await resolving.resolve(arguments)


async def resend(settings: Settings, window: Window) -> int:
    """Publish the outcomes of a window again; returns how many messages that are."""
    patient = msgspec.structs.replace(settings.database, database_timeout_seconds=TIMEOUT_SECONDS)
    async with _opened(msgspec.structs.replace(settings, database=patient), "resend") as database:
        return await publish_again(database, window) + await publish_movements_again(database, window)


def status_page(*, readiness: dict[str, Any] | None, outcomes: OpenOutcomes, events: WaitingEvents) -> str:
    """Write the operators' page; `readiness` is what the process itself reports, None when it does not answer."""
    lines = []
    if readiness is None:
        lines.append("gateway            does not answer")
    else:
        lines.append(f"gateway            {readiness['status']}")
        lines += [f"{name.replace('_', ' '):<19}{state}" for name, state in (readiness.get("details") or {}).items()]
    oldest = f", the oldest of {events.oldest:%Y-%m-%d %H:%M:%S} UTC" if events.oldest else ""
    lines += [
        f"unknown outcomes   {outcomes.unknown}",
        f"left to a person   {outcomes.overdue}{_REMEDY if outcomes.overdue else ''}",
        f"events waiting     {events.waiting}{oldest}",
        f"events unmatched   {events.unmatched}",
        f"events impossible  {events.contradicted}",
        f"events failed      {events.failed}",
    ]
    return "\n".join(lines) + "\n"


def _readiness(settings: Settings) -> dict[str, Any] | None:
    connection = HTTPConnection(settings.http.http_host, settings.http.http_port, timeout=_STATUS_SECONDS)
    try:
        connection.request("GET", "/readyz")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return found
