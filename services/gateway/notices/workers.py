"""What runs on a clock for notices: Stripe's events, and what happens in a processor that lives in this process."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from libs.common.clock import Clock
from libs.common.service import Worker
from services.gateway import metrics
from services.gateway.notices.commands import StripeInbox
from services.gateway.notices.sql import EventStore
from services.gateway.processors.port import Applied, Notice
from services.gateway.settings import StripeSettings

_COUNT_EVERY_SECONDS = 10.0
"""How fresh the gauges of waiting events are; alerts on them wait for minutes anyway."""
_FORGET_EVERY_SECONDS = 3_600.0
"""How often old events are looked for."""
_FORGET_MAX = 5_000
"""Events that one round of forgetting removes at most, so that it never holds locks for long."""
_REPORT_EVERY_SECONDS = 0.5
"""How often a processor that lives in this process reports what has happened by itself."""
_REPORT_MAX = 200
"""Payments that one round looks at."""


def event_workers(inbox: StripeInbox, store: EventStore, *, settings: StripeSettings, clock: Clock) -> list[Worker]:
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

    async def count() -> None:
        events = await store.count()
        metrics.STRIPE_EVENTS_WAITING.set(events.waiting)
        metrics.STRIPE_EVENTS_UNMATCHED.set(events.unmatched)
        metrics.STRIPE_EVENTS_FAILED.set(events.failed + events.contradicted)

    return [
        Worker(name="work on stripe events", every_seconds=settings.stripe_events_every_seconds, run=work),
        Worker(name="forget stripe events", every_seconds=_FORGET_EVERY_SECONDS, run=forget),
        Worker(name="count stripe events", every_seconds=_COUNT_EVERY_SECONDS, run=count),
    ]


class Reporting(Protocol):
    """Reports notices: what has happened since the last call."""

    async def __call__(self, apply: Callable[[Notice], Awaitable[Applied]], *, limit: int) -> int:
        """Report what has happened at up to `limit` payments; returns at how many it looked."""
        ...


def report_workers(name: str, report: Reporting, apply: Callable[[Notice], Awaitable[Applied]]) -> list[Worker]:
    """List the call of a processor that lives in this process for what has happened by itself."""

    async def run() -> None:
        while await report(apply, limit=_REPORT_MAX) == _REPORT_MAX:
            pass

    return [Worker(name=name, every_seconds=_REPORT_EVERY_SECONDS, run=run)]
