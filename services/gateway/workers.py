"""What we do unasked: find out lost outcomes, look after holds that end, forget what is old, and count what is open."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from libs.common.clock import Clock
from libs.common.errors import PlatformError
from libs.common.observability.logging import get_logger
from libs.common.service import Worker
from services.gateway import metrics
from services.gateway.commands import Commands, Configs
from services.gateway.notices import Applied, Notice
from services.gateway.processors import PLATFORM_TENANT
from services.gateway.queries import Queries
from services.gateway.settings import ResolutionSettings, StripeSettings
from services.gateway.store import EventStore
from services.gateway.stripe_processor import StripeInbox

log = get_logger("gateway.workers")

_COUNT_EVERY_SECONDS = 10.0
"""How fresh the gauges of open outcomes are; alerts on them wait for minutes anyway."""
_FORGET_EVERY_SECONDS = 3_600.0
"""How often old attempts are looked for."""
_RESEAL_EVERY_SECONDS = 600.0
"""How often keys are looked for that an earlier master key sealed."""
_LOOK_UP_EVERY_SECONDS = 600.0
"""How often Stripe is asked for the accounts of configurations where it has not said them yet."""
_FORGET_MAX = 5_000
"""Attempts that one round of forgetting removes at most, so that it never holds locks for long."""
_RENEWALS_PER_LEASE = 3
"""How often a lease is renewed before it would end."""
_TELL_EVERY_SECONDS = 0.5
"""How often a processor that lives in this process is asked what has happened by itself."""
_TELL_MAX = 200
"""Payments that one round looks at."""

MEASURED = ("attempts", "stripe_events", "sandbox_payments", "outbox")
"""Tables without partitions whose size is measured."""


def workers(commands: Commands, queries: Queries, *, settings: ResolutionSettings) -> list[Worker]:
    """List what is done on our own clock."""
    batch_max = settings.resolve_batch_max

    async def resolve() -> None:
        while await commands.resolve_due(limit=batch_max) == batch_max:
            pass

    async def expire() -> None:
        while await commands.release_expired(limit=batch_max) == batch_max:
            pass

    async def forget() -> None:
        kept_for = timedelta(days=settings.attempt_retention_days)
        while await commands.forget(older_than=kept_for, limit=_FORGET_MAX) == _FORGET_MAX:
            pass

    async def count() -> None:
        found = await queries.open_outcomes()
        metrics.UNKNOWN_OUTCOMES.set(found.unknown)
        metrics.OVERDUE_OUTCOMES.set(found.overdue)
        events = await queries.waiting_events()
        metrics.STRIPE_EVENTS_WAITING.set(events.waiting)
        metrics.STRIPE_EVENTS_UNMATCHED.set(events.unmatched)
        metrics.STRIPE_EVENTS_FAILED.set(events.failed + events.contradicted)

    return [
        Worker(name="resolve outcomes", every_seconds=settings.resolve_every_seconds, run=resolve),
        Worker(
            name="hold attempts",
            every_seconds=settings.attempt_lease_seconds / _RENEWALS_PER_LEASE,
            run=commands.hold_leases,
        ),
        Worker(name="release expired holds", every_seconds=settings.expire_every_seconds, run=expire),
        Worker(name="forget attempts", every_seconds=_FORGET_EVERY_SECONDS, run=forget),
        Worker(name="count open outcomes", every_seconds=_COUNT_EVERY_SECONDS, run=count),
    ]


def stripe_workers(
    inbox: StripeInbox, store: EventStore, configs: Configs, *, settings: StripeSettings, clock: Clock
) -> list[Worker]:
    """List what is done about Stripe's events on our own clock."""
    batch_max = settings.stripe_events_batch_max

    async def work() -> None:
        # Until nothing is due: a claim that shares its places out may leave some of them free.
        while await inbox.work(limit=batch_max):
            pass

    async def forget() -> None:
        before = clock.now() - timedelta(days=settings.stripe_event_retention_days)
        while await store.forget(before=before, limit=_FORGET_MAX) == _FORGET_MAX:
            pass

    async def look_up() -> None:
        if settings.stripe_secret_key:
            try:
                await configs.own_platform_account(settings.stripe_secret_key, tenant_id=PLATFORM_TENANT)
            except PlatformError as fault:
                log.warning("stripe.platform_account_unknown", reason=fault.detail)
        await configs.look_up_accounts()

    return [
        Worker(
            name="look up stripe accounts",
            every_seconds=_LOOK_UP_EVERY_SECONDS,
            run=look_up,
            is_due_at_start=True,
        ),
        Worker(name="work on stripe events", every_seconds=settings.stripe_events_every_seconds, run=work),
        Worker(name="seal keys anew", every_seconds=_RESEAL_EVERY_SECONDS, run=configs.reseal),
        Worker(name="forget stripe events", every_seconds=_FORGET_EVERY_SECONDS, run=forget),
    ]


class Telling(Protocol):
    """Something that tells notices: what has happened since it was asked last."""

    async def __call__(self, told: Callable[[Notice], Awaitable[Applied]], *, limit: int) -> int:
        """Tell what has happened at up to `limit` payments; returns at how many it looked."""
        ...


def telling(name: str, tell: Telling, apply: Callable[[Notice], Awaitable[Applied]]) -> Worker:
    """Ask a processor that lives in this process what has happened by itself."""

    async def run() -> None:
        while await tell(apply, limit=_TELL_MAX) == _TELL_MAX:
            pass

    return Worker(name=name, every_seconds=_TELL_EVERY_SECONDS, run=run)
