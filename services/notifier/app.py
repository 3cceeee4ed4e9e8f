"""The wiring of the notifier: the only file that knows every subject."""

from datetime import timedelta

import msgspec

from libs.common.clock import Clock, SystemClock
from libs.common.db import Database
from libs.common.egress import LOCAL_NETWORKS, EgressGuard, Lookup
from libs.common.messaging import Bus, inbox_partitions, published_partitions
from libs.common.messaging.letters import dead_letters
from libs.common.messaging.refused import list_refused
from libs.common.service import Loop, Service
from services.notifier import metrics
from services.notifier.deliveries import (
    Courier,
    DeliveryConsumers,
    HealthPolicy,
    RetryPolicy,
    delivery_workers,
    history_tables,
)
from services.notifier.endpoints import EndpointConsumers, EndpointRules, endpoint_workers
from services.notifier.replays import ReplayConsumers, replay_workers
from services.notifier.sending import EndpointSecrets, Sender
from services.notifier.settings import Settings

MEASURED = ("replays", "outbox")
"""Tables without partitions whose size is measured."""
_STUCK_MAX = 50
"""Dead letters of each queue that an operator is shown at a time."""


def build(settings: Settings, clock: Clock | None = None, *, lookup: Lookup | None = None) -> Service:
    """Wire the notifier; `lookup` replaces the system's name resolution."""
    clock = clock or SystemClock()
    webhooks = settings.webhooks
    database = Database(settings.database, schema="notifier", application_name="notifier")
    bus = Bus(
        service="notifier",
        settings=settings.broker,
        database=database,
        clock=clock,
        partners_vhost=settings.partners.partners_vhost,
    )
    policy = RetryPolicy.of(webhooks)
    secrets = EndpointSecrets(settings.sealing_key, webhooks.encryption_keys_previous)
    guard = egress_guard(settings)
    sender = Sender(webhooks, guard, lookup)
    courier = Courier(database=database, sender=sender, secrets=secrets, policy=policy, settings=webhooks, clock=clock)
    rules = EndpointRules(
        is_local=settings.place.is_local,
        allowed_ports=webhooks.webhook_allowed_ports,
        endpoints_max=webhooks.webhook_endpoints_max,
        admits=guard.admits,
    )
    ordering_wait = timedelta(seconds=webhooks.webhook_ordering_wait_seconds)
    for consumers in (
        DeliveryConsumers(database, policy=policy, ordering_wait=ordering_wait, clock=clock),
        EndpointConsumers(database, rules=rules, secrets=secrets, health=HealthPolicy.of(webhooks), clock=clock),
        ReplayConsumers(database, clock=clock),
    ):
        consumers.register(bus)
    database.after_commit(courier.wake)
    return Service(
        name="notifier",
        place=settings.place,
        http=settings.http,
        traces=settings.tracing,
        database=database,
        bus=bus,
        clock=clock,
        tables=[
            inbox_partitions(settings.broker),
            published_partitions(settings.broker),
            *history_tables(kept_days=webhooks.webhook_retention_days),
        ],
        measured=MEASURED,
        workers=[
            *replay_workers(database, clock=clock, kept_days=webhooks.webhook_retention_days),
            *endpoint_workers(database, secrets=secrets),
            *delivery_workers(database),
        ],
        loops=[Loop(name="courier", run=courier.run)],
        opens=[sender.opened],
        details={"partners": lambda: bus.partners_trouble},
    )


def egress_guard(settings: Settings) -> EgressGuard:
    """The guard of this place: local development may reach loopback and private networks."""
    local = LOCAL_NETWORKS if settings.place.is_local else ()
    return EgressGuard(
        allowed=(*settings.webhooks.webhook_allowed_networks, *local),
        denied=settings.webhooks.webhook_denied_networks,
        on_blocked=metrics.EGRESS_BLOCKED.inc,
    )


async def print_stuck(settings: Settings) -> None:
    """Print the notifier's dead letters and what destinations refuse, as JSON for `just stuck`."""
    database = Database(settings.database, schema="notifier", application_name="notifier-stuck")
    await database.open()
    try:
        refused = await list_refused(database)
    finally:
        await database.close()
    dead = await dead_letters(settings.broker.rabbitmq_url, "notifier", limit=_STUCK_MAX)
    print(msgspec.json.encode({"dead": dead, "refused": refused}).decode())  # noqa: T201 - its output
