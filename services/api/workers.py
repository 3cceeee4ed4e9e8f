"""What the api does unasked: forgetting expired idempotency keys, looking after payments that wait, keeping history by month."""

from functools import partial

from libs.common.clock import Clock
from libs.common.db import Database, PartitionedTable
from libs.common.service import Worker
from services.api.commands import Sweeper
from services.api.settings import RetentionSettings
from services.api.store import keys

FORGET_KEYS_EVERY_SECONDS = 60.0
"""How often expired keys are looked for."""

MEASURE_EVERY_SECONDS = 10.0
"""How fresh the gauges of waiting payments are."""
FORGET_SWEEPS_EVERY_SECONDS = 3_600.0
"""How often sweeps of payments that have gone on are looked for."""
_MONTHS_AHEAD = 2
"""Months for which partitions exist ahead of time."""
MEASURED = ("idempotency_keys", "payment_intents", "outbox")
"""Tables without partitions whose size is measured."""


def history(settings: RetentionSettings) -> list[PartitionedTable]:
    """List the tables that are kept by month."""
    return [
        PartitionedTable(name="audit_log", ahead=_MONTHS_AHEAD, kept_days=settings.audit_retention_days),
        PartitionedTable(name="payment_intent_events", ahead=_MONTHS_AHEAD, kept_days=settings.timeline_retention_days),
    ]


def workers(database: Database, sweeper: Sweeper, *, clock: Clock, sweep_every_seconds: float) -> list[Worker]:
    """Build the api's workers."""
    return [
        Worker(
            name="forget expired keys",
            every_seconds=FORGET_KEYS_EVERY_SECONDS,
            run=partial(forget_expired_keys, database, clock),
        ),
        Worker(name="sweep waiting payments", every_seconds=sweep_every_seconds, run=sweeper.sweep),
        Worker(name="measure waiting payments", every_seconds=MEASURE_EVERY_SECONDS, run=sweeper.measure),
        Worker(name="forget sweeps", every_seconds=FORGET_SWEEPS_EVERY_SECONDS, run=sweeper.forget),
    ]


async def forget_expired_keys(database: Database, clock: Clock) -> None:
    """Delete keys whose time is over, a few thousand at a time, until none is left."""
    now = clock.now()
    while await keys.prune(database, now=now):
        pass
