"""What runs on a clock for deliveries: the courier, and the partitions of their history."""

from functools import partial

from libs.common.db import Database, PartitionedTable
from libs.common.service import Worker
from services.notifier import metrics
from services.notifier.deliveries.sql.queue import count_pending
from services.notifier.deliveries.workers.courier import Courier
from services.notifier.deliveries.workers.slots import Slots

__all__ = ["Courier", "Slots", "delivery_workers", "history_tables"]

_COUNT_EVERY_SECONDS = 15.0
"""How fresh the gauge of what waits for endpoints is."""
_MONTHS_AHEAD = 2
"""Months for which partitions exist ahead of time."""
HISTORY_DAYS_MIN = 30
"""No setting lets history be dropped earlier."""


def history_tables(*, kept_days: int) -> list[PartitionedTable]:
    """List the tables that are kept by month."""
    return [
        PartitionedTable(name=name, ahead=_MONTHS_AHEAD, kept_days=max(kept_days, HISTORY_DAYS_MIN))
        for name in ("messages", "deliveries", "attempts")
    ]


def delivery_workers(database: Database) -> list[Worker]:
    """List what is done about deliveries on our own clock; the courier is a loop of its own."""
    return [
        Worker(name="count deliveries", every_seconds=_COUNT_EVERY_SECONDS, run=partial(_show_pending, database)),
    ]


async def _show_pending(database: Database) -> None:
    """Show how many deliveries are to be attempted."""
    async with database.connection() as connection:
        metrics.PENDING.set(await count_pending(connection))
