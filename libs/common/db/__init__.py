"""PostgreSQL: the pool, transactions that wake the relay, and group commit."""

from libs.common.db.database import Connection, Database, DatabaseUnavailable
from libs.common.db.group import GroupCommit
from libs.common.db.rows import Rows

__all__ = ["Connection", "Database", "DatabaseUnavailable", "GroupCommit", "Rows"]
