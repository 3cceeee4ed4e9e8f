"""What runs on a clock for deliveries: the courier, and the partitions of their history."""

from libs.common.db import PartitionedTable
from services.notifier.deliveries.workers.courier import Courier
from services.notifier.deliveries.workers.slots import Slots

__all__ = ["Courier", "Slots", "history_tables"]

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
