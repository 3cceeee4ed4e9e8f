"""PostgreSQL: the pool, transactions that wake the relay, and group commit."""

from libs.common.db.clock import DatabaseClock
from libs.common.db.connections import Connection, DatabaseReadOnly, DatabaseUnavailable
from libs.common.db.database import Database, run_again
from libs.common.db.group import GroupCommit
from libs.common.db.partitions import PartitionedTable, PartitionKeeper
from libs.common.db.rows import Rows

__all__ = [
    "Connection",
    "Database",
    "DatabaseClock",
    "DatabaseReadOnly",
    "DatabaseUnavailable",
    "GroupCommit",
    "PartitionKeeper",
    "PartitionedTable",
    "Rows",
    "run_again",
]
