"""What runs on a clock for the log of requests: writing it, and forgetting days of it."""

from libs.common.db import PartitionedTable
from libs.common.service import Worker
from services.api.request_log.commands import RequestLog

_WRITE_EVERY_SECONDS = 0.5
"""How long a line waits at most, so that who has just sent a request finds it."""

_DAYS_AHEAD = 3
"""Days for which partitions exist ahead of time."""


def request_partitions(*, kept_days: int) -> PartitionedTable:
    """Describe the table to whoever makes and drops partitions."""
    return PartitionedTable(name="logged_requests", ahead=_DAYS_AHEAD, kept_days=kept_days)


def request_log_workers(requests: RequestLog) -> list[Worker]:
    """List what is done about the log of requests on our own clock."""
    return [Worker(name="write the log of requests", every_seconds=_WRITE_EVERY_SECONDS, run=requests.write)]
