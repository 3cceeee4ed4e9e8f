"""How the api is wired: the only file that knows every other room."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import msgspec

from libs.common.clock import Clock, SystemClock
from libs.common.db import Database, PartitionedTable
from libs.common.egress import EVERYWHERE, LOCAL_NETWORKS, EgressGuard
from libs.common.messaging import Bus, inbox_partitions, published_partitions
from libs.common.messaging.letters import dead_letters
from libs.common.messaging.refused import list_refused
from libs.common.service import Loop, Service
from libs.common.settings import SettingsError
from services.api import settings as rules
from services.api.access import (
    READ_EVERY_SECONDS,
    Access,
    AccessConsumers,
    Directory,
    KeySet,
    Login,
    OwnPassword,
    Passwords,
    Tokens,
    access_workers,
    unsafe_seeds,
    unusable_keys,
    write_seeds,
)
from services.api.administration import Administration
from services.api.api_keys import ApiKeys, Bearers, KeyMode, KeyVerifier, api_key_workers
from services.api.audit import AuditConsumers
from services.api.console import Attempts, Changes, Ended, Inside, Sessions
from services.api.customers import Customers
from services.api.customers.schemas import render_customer
from services.api.http.chaos import Chaos
from services.api.http.edge import Edge
from services.api.http.problems import reference
from services.api.http.requests import Ask
from services.api.idempotency import Idempotency, idempotency_workers
from services.api.identity_providers import (
    IdentityProviders,
    Provider,
    ProviderLogin,
    ProviderSecrets,
    identity_provider_workers,
)
from services.api.integrity import integrity_workers, keys_of
from services.api.orders import OrderConsumers, Orders, order_workers
from services.api.outside import Outside
from services.api.payments import (
    Abandoner,
    Activity,
    Answers,
    FactConsumers,
    Operations,
    Outcomes,
    PaymentCommands,
    PaymentConsumers,
    Sweeper,
    Totals,
    payment_workers,
    references,
    stuck,
    versions,
)
from services.api.payments.schemas import render_intent, render_refund
from services.api.rate_limit import RateLimiter, Store
from services.api.reconciliation import ReconciliationConsumers
from services.api.request_log import RequestLog, request_log_workers, request_partitions
from services.api.routing import ConsoleParts, document, resources, routes
from services.api.settings import AuthSettings, RetentionSettings, Settings
from services.api.tenants import TenantConsumers

_MEASURED = ("idempotency_keys", "payment_intents", "outbox")
"""Tables without partitions whose size is measured."""
_MONTHS_AHEAD = 2
"""Months for which partitions exist ahead of time."""
_STUCK_MAX = 200
"""Payments, and dead letters of each queue, that an operator is shown at a time."""


def build(
    settings: Settings,
    clock: Clock | None = None,
    *,
    ask: Ask | None = None,
    read_keys: Callable[[], AuthSettings] | None = None,
    read_keys_every_seconds: float = READ_EVERY_SECONDS,
) -> Service:
    """Wire the api for a place; nothing is connected until it is served.

    Args:
        settings: what differs by place.
        clock: the time.
        ask: replaces requests over the broker.
        read_keys: reads the settings of keys again, for those that change while the process runs.
        read_keys_every_seconds: how often.
    """
    clock = clock or SystemClock()
    database = Database(settings.database, schema="api", application_name="payments-api")
    bus = Bus(
        service="api",
        settings=settings.broker,
        database=database,
        clock=clock,
        partners_vhost=settings.partners.partners_vhost,
    )

    answers = Answers(
        database,
        clock=clock,
        timeout_seconds=settings.payments.confirm_timeout_seconds,
        waiting_max=settings.payments.confirm_waiting_max,
    )
    payments = PaymentCommands(database, clock=clock, render=render_intent, answers=answers)
    operations = Operations(database, clock=clock, render=render_intent, render_refund=render_refund, answers=answers)
    outcomes = Outcomes(clock=clock, render=render_intent, render_refund=render_refund, answers=answers)
    PaymentConsumers(outcomes).register(bus)
    FactConsumers(database).register(bus)
    AuditConsumers().register(bus)
    ReconciliationConsumers().register(bus)

    orders = Orders(
        database,
        clock=clock,
        policy=settings.orders.orders_cancel_policy,
        auto_provision=settings.auth.tenant_auto_provision,
    )
    OrderConsumers(orders, settings.orders, currencies=frozenset(settings.payments.supported_currencies)).register(bus)
    # Its address is of whoever runs the platform, and may be within their network.
    own_provider = Outside(EgressGuard(allowed=EVERYWHERE))
    tokens = Tokens(settings.auth, clock, key_set=_key_set(settings.auth, clock, own_provider))
    directory = Directory(
        database,
        clock,
        age_max_seconds=settings.auth.access_age_max_seconds,
        token_expires_seconds=settings.auth.token_expires_seconds,
    )
    mode = KeyMode(settings.auth.api_key_mode or ("test" if settings.place.is_local else "live"))
    keys = KeyVerifier(database, clock=clock, mode=mode, age_max_seconds=settings.auth.access_age_max_seconds)
    bearers = Bearers(tokens=tokens, verifier=keys)
    AccessConsumers(directory.forget, keys.forget).register(bus)
    TenantConsumers(settings.tenants, clock=clock).register(bus)
    passwords = Passwords()
    store = Store(settings.redis)
    limiter = RateLimiter(store)
    chaos = Chaos(store, settings.chaos) if settings.place.is_local else None
    requests = RequestLog(database, clock=clock, per_second=settings.edge.request_log_per_second)
    edge = Edge(
        bearers=bearers,
        limiter=limiter,
        chaos=chaos,
        settings=settings.edge,
        rates=settings.rates,
        http=settings.http,
        is_local=settings.place.is_local,
        log=requests if settings.edge.request_log_per_second else None,
    )
    access = Access(
        database,
        bearers=bearers,
        directory=directory,
        clock=clock,
        auto_provision=settings.auth.tenant_auto_provision,
    )
    login = Login(
        database,
        passwords=passwords,
        tokens=tokens,
        directory=directory,
        clock=clock,
        token_expires_seconds=settings.auth.token_expires_seconds,
        limiter=limiter,
        failures_per_minute=settings.rates.rate_limit_login_per_min,
    )
    own_password = OwnPassword(
        database, passwords=passwords, directory=directory, clock=clock, limiter=limiter, failures=login.failures
    )
    idempotency = Idempotency(
        database,
        clock=clock,
        ttl_seconds=settings.payments.idempotency_ttl_seconds,
        request_timeout_seconds=settings.payments.confirm_timeout_seconds,
    )

    sweeper = Sweeper(
        database,
        clock=clock,
        stuck_after=timedelta(seconds=settings.sweep.stuck_after_seconds),
        pause_max=timedelta(seconds=settings.sweep.stuck_pause_max_seconds),
        ends_after=timedelta(days=settings.sweep.stuck_give_up_days),
        batch_max=settings.sweep.sweep_batch_max,
    )

    abandoner = Abandoner(
        database,
        clock=clock,
        after=timedelta(seconds=settings.sweep.abandon_after_seconds),
        batch_max=settings.sweep.sweep_batch_max,
    )

    client_secrets = (
        ProviderSecrets(settings.console_key, settings.console.console_keys_previous) if settings.console_key else None
    )
    unasked = [
        *idempotency_workers(database, clock=clock),
        *api_key_workers(keys),
        *access_workers(tokens, read_keys, every_seconds=read_keys_every_seconds),
        *request_log_workers(requests),
        *identity_provider_workers(database, client_secrets),
        *integrity_workers(settings.proof, database, clock=clock),
        *order_workers(orders, kept_days=settings.retention.orders_retention_days),
        *payment_workers(sweeper, abandoner, sweep_every_seconds=settings.sweep.sweep_every_seconds),
    ]
    inside, changes = (
        Inside(),
        Changes(partial(versions, database), streams_max=_streams_max(settings.http.http_in_flight_max)),
    )
    providers = Outside(_provider_guard(settings))
    console = None
    if client_secrets is not None:
        key, previous = settings.console_key, settings.console.console_keys_previous
        console = ConsoleParts(
            inside=inside,
            changes=changes,
            sessions=Sessions(key, previous),
            ended=Ended(store),
            logins=ProviderLogin(
                database,
                provider=Provider(providers, clock, is_local=settings.place.is_local),
                secrets=client_secrets,
                login=login,
                limiter=limiter,
                logins_per_minute=settings.rates.rate_limit_login_address_per_min,
                clock=clock,
            ),
            attempts=Attempts(key, previous),
            clock=clock,
        )

    @asynccontextmanager
    async def closing() -> AsyncIterator[None]:
        try:
            yield
        finally:
            passwords.close()
            await own_provider.close()
            await providers.close()
            await store.close()

    return Service(
        name="api",
        place=settings.place,
        http=settings.http,
        traces=settings.tracing,
        database=database,
        bus=bus,
        clock=clock,
        tables=[
            inbox_partitions(settings.broker),
            published_partitions(settings.broker),
            *history_tables(settings.retention),
            request_partitions(kept_days=settings.edge.request_log_retention_days),
        ],
        measured=_MEASURED,
        routes=routes(
            access=access,
            tokens=tokens,
            idempotency=idempotency,
            ask=ask or bus.request,
            cards=settings.payments.card_numbers,
            is_local=settings.place.is_local,
            console=console,
            parts={
                "login": login,
                "own_password": own_password,
                "administration": Administration(database, clock=clock, passwords=passwords, directory=directory),
                "identity_providers": IdentityProviders(
                    database, clock=clock, secrets=client_secrets, is_local=settings.place.is_local
                ),
                "api_keys": ApiKeys(database, clock=clock, mode=mode, verifier=keys),
                "payments": payments,
                "operations": operations,
                "customers": Customers(database, clock=clock, render=render_customer),
                "database": database,
                "currencies": frozenset(settings.payments.supported_currencies),
                "totals": Totals(database, clock),
                "activity": Activity(database, clock),
                "payments_of": lambda tenant_id, ids: references(database, tenant_id, ids),
                "chaos": chaos,
                "directory": directory,
                "clock": clock,
            },
        ),
        workers=unasked,
        loops=[
            Loop(name="hand out answers", run=answers.run),
            *([Loop(name="look for changes", run=changes.run)] if console else []),
        ],
        opens=[closing],
        shells=[edge.wrap, inside.enclose],
        # Its latency is what clients see; what this brings is in docs/performance.md.
        eager_tasks=True,
        details={"redis": lambda: store.state, "partners": lambda: bus.partners_trouble},
        reads_alone=True,
    )


def _key_set(settings: AuthSettings, clock: Clock, outside: Outside) -> KeySet | None:
    return KeySet(settings.jwks_uri, clock, fetch=outside.read) if settings.jwks_uri else None


def _provider_guard(settings: Settings) -> EgressGuard:
    """Return which addresses tenants' identity providers may have: on a developer's machine, private ones too."""
    local = LOCAL_NETWORKS if settings.place.is_local else ()
    return EgressGuard(allowed=(*settings.console.identity_provider_allowed_networks, *local))


def _streams_max(in_flight_max: int) -> int:
    """How many pages of the console may look for changes: each is a request in flight, and clients come first."""
    return max(1, in_flight_max // 10)


def check_settings(settings: Settings) -> list[str]:
    """Find settings that contradict each other or are unsafe in this place; one sentence each."""
    return [
        *rules.check_settings(settings),
        *unusable_keys(settings.auth),
        *keys_of(settings.proof).faults(prefix="API"),
    ]


def history_tables(settings: RetentionSettings) -> list[PartitionedTable]:
    """List the tables that are kept by month."""
    return [
        PartitionedTable(name="audit_log", ahead=_MONTHS_AHEAD, kept_days=settings.audit_retention_days),
        PartitionedTable(name="payment_intent_events", ahead=_MONTHS_AHEAD, kept_days=settings.timeline_retention_days),
    ]


async def seed(settings: Settings) -> None:
    """Add the seeded tenants and users that are missing.

    Raises:
        SettingsError: outside local, when a seeded password is one that everybody knows.
    """
    if not settings.place.is_local and (faults := unsafe_seeds(settings.seeds)):
        raise SettingsError(faults)
    database = Database(settings.database, schema="api", application_name="payments-api-seed")
    passwords = Passwords()
    await database.open()
    try:
        await write_seeds(database, clock=SystemClock(), passwords=passwords, seeds=settings.seeds)
    finally:
        passwords.close()
        await database.close()


async def print_stuck(settings: Settings) -> None:
    """Print the payments that wait too long and the api's dead letters, as JSON for `just stuck`."""
    database = Database(settings.database, schema="api", application_name="payments-api-stuck")
    await database.open()
    try:
        before = SystemClock().now() - timedelta(seconds=settings.sweep.stuck_after_seconds)
        found = await stuck(database, before=before, limit=_STUCK_MAX)
        refused = await list_refused(database)
    finally:
        await database.close()
    dead = await dead_letters(settings.broker.rabbitmq_url, "api", limit=_STUCK_MAX, more=partner_queues(settings))
    print(msgspec.json.encode({"payments": found, "dead": dead, "refused": refused}).decode())  # noqa: T201 - its output


def partner_queues(settings: Settings) -> list[str]:
    """Return the queues of other teams' messages that are read."""
    tenants, orders = settings.tenants, settings.orders
    names = [tenants.saas_queue] if tenants.saas_integration_enabled else []
    return names + ([orders.orders_queue] if orders.orders_integration_enabled else [])


async def print_errors(_: Settings) -> None:
    """Print the reference of every problem, `docs/errors.md`."""
    print(reference(), end="")  # noqa: T201 - its output


async def print_openapi(settings: Settings) -> None:
    """Print the OpenAPI document."""
    spec = document(resources(is_local=settings.place.is_local))
    print(msgspec.json.format(msgspec.json.encode(spec), indent=2).decode())  # noqa: T201 - its output
