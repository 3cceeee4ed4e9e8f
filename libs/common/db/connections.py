"""One connection to PostgreSQL: how it is made, how long it may be used, and what its failures mean."""

import random
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.protocol import protocol

from libs.common import outages
from libs.common.db.rows import take_rows
from libs.common.errors import RETRY, Unavailable
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger

log = get_logger("db")

if TYPE_CHECKING:
    type Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    type Borrowed = PoolConnectionProxy[asyncpg.Record]
    _AsyncpgConnection = asyncpg.Connection[asyncpg.Record]
else:
    # asyncpg's classes cannot be subscripted at run time.
    Connection = asyncpg.Connection
    Borrowed = PoolConnectionProxy
    _AsyncpgConnection = asyncpg.Connection

_UNACKNOWLEDGED_MS = 5000
"""How long sent bytes may stay without an acknowledgement of the peer's kernel before the connection counts as lost."""
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": _UNACKNOWLEDGED_MS}
_REPORT_SECONDS = 1.0
"""How often the same cause is logged: during an outage every statement fails, and one line says it."""
_AGE_SPREAD = 0.2
"""Connections that were opened together end up to this part of their age apart."""

_reported_at: dict[str, float] = {}

ARRAYS: tuple[type, ...] = (list, tuple, set, frozenset, deque, type({}.keys()), type({}.values()), range)
"""What may be given as an array. The driver takes anything that is iterable and has a length, and to find out whether an
element is an array too it looks at each element of every array twice by an abstract class, in Python: a thousand times for a
payment (a third of the time that it takes to write rows of 38 columns, measured). Of these types that is known at once."""

vars(protocol).update(IterableABC=ARRAYS, SizedABC=ARRAYS)


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer: whatever was requested may be requested again, unchanged, once it is back."""


class DatabaseReadOnly(DatabaseUnavailable):
    """Nothing can be changed at the moment; reading works.

    PostgreSQL answers, and takes no writes: a standby, or a primary that was demoted.
    """

    code = "database_read_only"
    remedy = RETRY


class StatementUnfinished(DatabaseUnavailable):
    """PostgreSQL took a statement and gave it up: it is out of time, memory or locks, or this statement always will be."""


def unavailable(fault: BaseException, *, in_statement: bool = False) -> DatabaseUnavailable:
    """Make an outage out of the driver's error; its cause is counted, and logged once in a while.

    `in_statement` says that a connection was there, and what failed is what was done with it.
    """
    if isinstance(fault, asyncpg.InterfaceError) and isinstance(fault.__context__, asyncpg.PostgresError):
        # "The connection is closed", says the end of a transaction; what closed it stands before.
        fault = fault.__context__
    cause = getattr(fault, "sqlstate", None) or type(fault).__name__
    metrics.DATABASE_OUTAGES.labels(cause).inc()
    now = monotonic()
    if now - _reported_at.get(cause, -_REPORT_SECONDS) >= _REPORT_SECONDS:
        _reported_at[cause] = now
        log.warning("database.unavailable", cause=outages.cause_of(fault))
    if cause == outages.READ_ONLY_SQLSTATE:
        return DatabaseReadOnly("the database takes no writes at the moment")
    if in_statement and outages.is_unfinished(fault):
        return StatementUnfinished("the database does not answer in time")
    return DatabaseUnavailable("the database does not answer")


class PooledConnection(_AsyncpgConnection):
    """A connection that knows its age and whom it serves, and goes back to the pool without a round trip of its own.

    asyncpg resets advisory locks, listeners, cursors and settings of every connection that is given back: one more round
    trip per borrow, a quarter of a short transaction (measured). Nothing here uses those outside a transaction, and an
    open transaction is still rolled back.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.opened_at = self.used_at = monotonic()
        self.age_factor = 1.0 - _AGE_SPREAD * random.random()  # noqa: S311 - not a secret
        self.opening = ""
        """What limits each transaction to a tenant, sent with its BEGIN; empty while it serves all tenants."""
        self.is_limited = False
        """Whether it served one tenant last; a statement is planned anew where it did not run for the same role before."""
        self.waits_since = 0.0
        """Since when a statement waits for its answer, on the monotonic clock; 0 while none does."""

    async def execute(self, query: str, *arguments: Any, **options: Any) -> str:
        """Run a statement; the one by which the driver begins a transaction says for whom."""
        if self.opening and not arguments and not self.is_in_transaction():
            if not query.startswith("BEGIN"):
                async with self.transaction():
                    return await self.execute(query, **options)
            query += self.opening
        self.waits_since = monotonic()
        try:
            return await super().execute(query, *arguments, **options)
        finally:
            self.waits_since = 0.0

    async def _execute(self, *arguments: Any, **options: Any) -> Any:
        if self._needs_transaction():
            async with self.transaction():
                return await self._execute(*arguments, **options)
        self.waits_since = monotonic()
        try:
            return await super()._execute(*arguments, **options)  # type: ignore[misc]  # not in the driver's stubs
        finally:
            self.waits_since = 0.0

    async def _executemany(self, *arguments: Any, **options: Any) -> Any:
        if self._needs_transaction():
            async with self.transaction():
                return await self._executemany(*arguments, **options)
        self.waits_since = monotonic()
        try:
            return await super()._executemany(*arguments, **options)  # type: ignore[misc]
        finally:
            self.waits_since = 0.0

    def _needs_transaction(self) -> bool:
        """Whether a statement has to be put into a transaction: what limits it to a tenant holds for one."""
        return bool(self.opening) and not self.is_in_transaction()

    def get_reset_query(self) -> str:
        """Reset nothing."""
        return ""


class TransactionPooledConnection(PooledConnection):
    """A connection through a pooler that may give each transaction to another server process (PgBouncer's `transaction`).

    A prepared statement lives in one server process, so a statement is prepared and executed inside one transaction.
    """

    def _needs_transaction(self) -> bool:
        return not self.is_in_transaction()


def driver_of(borrowed: Borrowed) -> PooledConnection:
    """Return the connection behind a borrowed one."""
    return cast(PooledConnection, borrowed._con)  # type: ignore[attr-defined]  # not in the driver's stubs


def is_gone(borrowed: Borrowed) -> bool:
    """Whether the connection has ended."""
    try:
        return borrowed.is_closed()
    except asyncpg.InterfaceError:
        # The pool has taken it back already, which it does on its own when the server ends the connection.
        return True


async def prepare(connection: Any) -> None:
    """Make a new connection ready: a lost peer is noticed within seconds, and rows of composite types can be sent."""
    found = connection._transport.get_extra_info("socket")
    if found is not None and found.family in {socket.AF_INET, socket.AF_INET6}:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            # Linux has all of them, other systems some.
            if hasattr(socket, name):
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    await take_rows(connection)


async def connect_to_primary(*arguments: Any, **options: Any) -> Any:
    """Connect to the host that takes writes; to any of them while there is none, so that reads go on."""
    connect: Callable[..., Awaitable[Any]] = asyncpg.connect
    try:
        return await connect(*arguments, target_session_attrs="read-write", **options)
    except asyncpg.TargetServerAttributeNotMatched:
        return await connect(*arguments, **options)
