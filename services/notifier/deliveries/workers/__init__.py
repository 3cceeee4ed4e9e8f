"""What runs on a clock for deliveries: the courier, and the partitions of their history."""

from libs.common.db import Database, PartitionedTable
from services.notifier import metrics
from services.notifier.deliveries.sql.queue import count_pending
from services.notifier.deliveries.workers.courier import Courier
from services.notifier.deliveries.workers.slots import Slots

__all__ = ["Courier", "PendingMeter", "Slots", "history_tables"]

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


class PendingMeter:
    """Shows how many deliveries are to be attempted."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Count once."""
        async with self._database.connection() as connection:
            metrics.PENDING.set(await count_pending(connection))
