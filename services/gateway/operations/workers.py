"""What runs on a clock for operations: find out lost outcomes, release holds that end, forget what is old, count."""

from datetime import timedelta

from libs.common.service import Worker
from services.gateway import metrics
from services.gateway.operations.commands import Commands
from services.gateway.operations.sql import AttemptStore
from services.gateway.settings import ResolutionSettings

_COUNT_EVERY_SECONDS = 10.0
"""How fresh the gauges of open outcomes are; alerts on them wait for minutes anyway."""
_FORGET_EVERY_SECONDS = 3_600.0
"""How often old attempts are looked for."""
_FORGET_MAX = 5_000
"""Attempts that one round of forgetting removes at most, so that it never holds locks for long."""
_RENEWALS_PER_LEASE = 3
"""How often a lease is renewed before it would end."""


def operation_workers(operations: Commands, store: AttemptStore, *, settings: ResolutionSettings) -> list[Worker]:
    """List what is done on our own clock."""
    batch_max = settings.resolve_batch_max

    async def resolve() -> None:
        while await operations.resolve_due(limit=batch_max) == batch_max:
            pass

    async def expire() -> None:
        while await operations.release_expired(limit=batch_max) == batch_max:
            pass

    async def forget() -> None:
        kept_for = timedelta(days=settings.attempt_retention_days)
        while await operations.forget(older_than=kept_for, limit=_FORGET_MAX) == _FORGET_MAX:
            pass

    async def count() -> None:
        outcomes = await store.count_open()
        metrics.UNKNOWN_OUTCOMES.set(outcomes.unknown)
        metrics.UNKNOWN_OLDEST.set(max(0.0, outcomes.oldest_seconds))
        metrics.OVERDUE_OUTCOMES.set(outcomes.overdue)

    return [
        Worker(name="resolve outcomes", every_seconds=settings.resolve_every_seconds, run=resolve),
        Worker(
            name="hold attempts",
            every_seconds=settings.attempt_lease_seconds / _RENEWALS_PER_LEASE,
            run=operations.hold_leases,
        ),
        Worker(name="release expired holds", every_seconds=settings.expire_every_seconds, run=expire),
        Worker(name="forget attempts", every_seconds=_FORGET_EVERY_SECONDS, run=forget),
        Worker(name="count open outcomes", every_seconds=_COUNT_EVERY_SECONDS, run=count),
    ]
