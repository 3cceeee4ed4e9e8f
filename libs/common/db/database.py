"""The asyncpg pool of one service, in its own schema. Hot statements are plain SQL, one round trip each."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from libs.common import outages
from libs.common.db import tenancy
from libs.common.db.connections import (
    Borrowed,
    Connection,
    DatabaseReadOnly,
    DatabaseUnavailable,
    PooledConnection,
    TransactionPooledConnection,
    connect_to_primary,
    driver_of,
    is_gone,
    prepare,
    unavailable,
)
from libs.common.db.lost import LostStatements
from libs.common.db.slots import Slots
from libs.common.errors import PlatformError
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger
from libs.common.precedence import precedence
from libs.common.settings import DatabaseSettings, postgres_dsn
from libs.common.tasks import end_all

log = get_logger("db")

__all__ = ["CONTENTION", "Connection", "Database", "DatabaseReadOnly", "DatabaseUnavailable", "run_again"]

_ACQUIRE_SECONDS = 5.0
"""How long a caller may wait for a free connection before the answer is 503."""
_IDLE_MAX = 8
"""Free connections that are kept at hand; the pool has the others, and closes them when nobody wants them for long."""
_CONNECT_SECONDS = 5.0
"""How long one attempt to connect may take."""
_STATEMENTS_MAX = 100
"""Prepared statements that a connection keeps."""
_PROVE_IDLE_SECONDS = 5.0
"""A connection that was free for longer must answer before it is used: a network drops what is idle without a word."""
_PROVE_SECONDS = 1.0
"""How long that answer may take."""
_CONTENTION_RETRIES_MAX = 5
_SESSION = {
    "timezone": "UTC",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""How the server treats a session whose client is gone without a word: it loses its locks. For how long one may stand still in a
transaction is the operator's, by the role."""
_LEAVE_SECONDS = 1.0
"""How often all connections are replaced because their server takes no writes."""

CONTENTION = (
    asyncpg.TransactionRollbackError,
    asyncpg.OutdatedSchemaCacheError,
    asyncpg.exceptions.InvalidCachedStatementError,
)
"""The transaction lost against another one, or a migration changed what the driver knew of a table: it is run again."""

_CLOSING = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection that has ended may raise when it is used or given back."""


class _Borrowing:
    """A connection for the time of a block; a class, since a generator costs several times as much per statement."""

    __slots__ = ("_borrowed", "_database")

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._borrowed: Borrowed | None = None

    async def __aenter__(self) -> Connection:
        self._borrowed = await self._database._borrow()
        return self._borrowed

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> None:
        borrowed = self._borrowed
        assert borrowed is not None
        if not is_gone(borrowed):
            driver = driver_of(borrowed)
            driver.used_at, driver.opening = monotonic(), ""
        try:
            # A wrong argument is an InterfaceError too, and would be wrong again however often it is tried.
            if isinstance(fault, asyncpg.InterfaceError) and is_gone(borrowed):
                raise unavailable(fault) from fault
            if isinstance(fault, Exception) and not isinstance(fault, PlatformError) and outages.is_outage(fault):
                if isinstance(fault, asyncpg.InternalClientError) and not is_gone(borrowed):
                    # The server was killed while it closed the connection: the driver still waits for the end of that, and
                    # nobody may be given this connection again.
                    borrowed.terminate()
                if isinstance(fault, asyncpg.ReadOnlySQLTransactionError):
                    self._database._leave_read_only_server()
                raise unavailable(fault, in_statement=True) from fault
        finally:
            await self._database._give_back(borrowed, is_sound=fault is None)


class Database:
    """The one way of a service to its schema.

    What is registered with `after_commit` is called after each commit, which wakes the outbox relay in this process.
    """

    def __init__(self, settings: DatabaseSettings, *, schema: str, application_name: str) -> None:
        self._settings = settings
        self._schema = schema
        self._application_name = application_name
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._idle: list[Borrowed] = []
        """Connections that were borrowed and are free again, the last one used at the end."""
        self._slots = Slots(settings.database_pool_size)
        """One for each connection that the pool may have."""
        self._is_closing = False
        self._not_before = 0.0
        """Connections opened before this instant of the monotonic clock are not used again."""
        self._after_commit: list[Callable[[], None]] = []

    def after_commit(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` after each commit in this process: it wakes whoever works on what was committed.

        Returns a function that ends it.
        """
        self._after_commit.append(call)
        return lambda: self._after_commit.remove(call)

    def _committed(self) -> None:
        for call in self._after_commit:
            call()

    async def open(self) -> None:
        """Open the pool without connecting yet, so that a service starts while its database is still starting."""
        self._is_closing = False
        self._show()
        dsn = postgres_dsn(self._settings.database_url)
        is_pooled = self._settings.database_transaction_pooling
        connect: Any = connect_to_primary if _names_several_hosts(dsn) else asyncpg.connect
        # A pooler refuses what it cannot set again in another server process; the role has its search path as its default.
        session = {"timezone": "UTC"} if is_pooled else {"search_path": self._schema} | _SESSION
        session["application_name"] = self._application_name
        if not is_pooled:
            # A pooler does not tell which session of the server a statement is in.
            self._watch = asyncio.create_task(self._lost(connect, dsn).run(), name="watch statements")
        self._pool = await asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=self._settings.database_pool_size,
            command_timeout=self._settings.database_timeout_seconds,
            timeout=_CONNECT_SECONDS,
            max_inactive_connection_lifetime=self._settings.database_connection_idle_seconds,
            connection_class=TransactionPooledConnection if is_pooled else PooledConnection,
            connect=connect,
            init=prepare,
            server_settings=session,
            statement_cache_size=0 if is_pooled else _STATEMENTS_MAX,
        )

    def _lost(self, connect: Any, dsn: str) -> LostStatements:
        return LostStatements(
            lambda: [held._con for held in self._pool._holders if held._con] if self._pool else (),  # type: ignore[attr-defined]
            lambda: connect(
                dsn, timeout=_CONNECT_SECONDS, server_settings={"application_name": self._application_name}
            ),
            on_lost=self._replace_all,
        )

    def _replace_all(self) -> None:
        """Use none of the present connections again; those in use end with their users."""
        self._not_before = monotonic()

    def _show(self) -> None:
        """Have the metrics read the slots; of several databases in one process the one that was opened last is shown."""
        size = self._settings.database_pool_size
        metrics.POOL_CONNECTIONS.labels("in_use").set_function(lambda: size - self._slots.free)
        metrics.POOL_CONNECTIONS.labels("free").set_function(lambda: self._slots.free)
        metrics.POOL_WAITING.set_function(lambda: self._slots.waiting)

    async def close(self) -> None:
        """Close the pool; connections still in use get a few seconds."""
        self._is_closing = True
        if self._watch is not None:
            await end_all([self._watch])
        if self._pool is not None:
            while self._idle:
                await self._release(self._idle.pop())
            try:
                await asyncio.wait_for(self._pool.close(), timeout=5)
            except TimeoutError:
                self._pool.terminate()

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Borrow a connection; each statement is its own transaction.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        return _Borrowing(self)

    async def _borrow(self) -> "Borrowed":
        try:
            async with asyncio.timeout(_ACQUIRE_SECONDS):
                await self._slots.take(precedence.get())
                try:
                    return await self._connect()
                except BaseException:
                    self._slots.give()
                    raise
        except (OSError, asyncpg.InterfaceError) as fault:
            # While connecting, a missing socket file is a server that does not run.
            raise unavailable(fault) from fault
        except (asyncpg.PostgresError, asyncpg.InternalClientError) as fault:
            if not outages.is_outage(fault):
                raise
            raise unavailable(fault) from fault

    async def _connect(self) -> "Borrowed":
        """Return a free connection that works, or a new one; there is one for each slot."""
        if self._pool is None:
            raise DatabaseUnavailable("the database is not open")
        tenant_id = tenancy.limit_of_task()
        is_limited = tenant_id is not None
        while True:
            borrowed = self._pop_idle(is_limited=is_limited) if self._idle else await self._pool.acquire()
            if await self._try_out(borrowed):
                driver = driver_of(borrowed)
                driver.is_limited = is_limited
                driver.opening = "" if tenant_id is None else tenancy.opening(self._schema, tenant_id)
                return borrowed

    def _pop_idle(self, *, is_limited: bool) -> Borrowed:
        """Take the connection that was used last of those that ran as the same role, or of all where none did."""
        idle = self._idle
        for place in range(len(idle) - 1, -1, -1):
            if not is_gone(idle[place]) and driver_of(idle[place]).is_limited is is_limited:
                return idle.pop(place)
        return idle.pop()

    async def _give_back(self, borrowed: "Borrowed", *, is_sound: bool) -> None:
        try:
            if not (is_sound and self._keep(borrowed)):
                await self._release(borrowed)
        finally:
            self._slots.give()

    async def _try_out(self, borrowed: "Borrowed") -> bool:
        """Tell whether a connection may be used; the pool takes back one that may not, or whose user left meanwhile."""
        is_fit = False
        try:
            is_fit = await self._is_fit(borrowed)
        finally:
            if not is_fit:
                await self._release(borrowed)
        return is_fit

    async def _is_fit(self, borrowed: "Borrowed") -> bool:
        """Tell whether a connection may be used; one that may not is closed.

        One is enough to notice that a network lost them all: those that are as old are then replaced unasked.
        """
        if is_gone(borrowed):
            return False
        driver, now = driver_of(borrowed), monotonic()
        idle = now - driver.used_at
        is_old = now - driver.opened_at > self._settings.database_connection_age_seconds * driver.age_factor
        if is_old or driver.opened_at < self._not_before or idle > self._settings.database_connection_idle_seconds:
            # Without a goodbye, for which a network that lost the connection would let us wait.
            borrowed.terminate()
            return False
        if idle <= _PROVE_IDLE_SECONDS:
            return True
        try:
            await borrowed.execute("SELECT 1", timeout=_PROVE_SECONDS)
        except _CLOSING as fault:
            log.info("database.connection_lost", cause=outages.cause_of(fault), idle_seconds=round(idle))
            self._not_before = monotonic()
            if not is_gone(borrowed):
                borrowed.terminate()
            return False
        return True

    def _leave_read_only_server(self) -> None:
        """Replace every connection before it is used again, so that the next ones find the new primary.

        At most once in a while: where there is no other server, reads go on and need their connections.
        """
        now = monotonic()
        if now - self._not_before >= _LEAVE_SECONDS:
            self._not_before = now
            log.warning("database.read_only", action="connections are replaced")

    def _keep(self, borrowed: Borrowed) -> bool:
        """Keep a connection at hand for the next who wants one, if nothing has to be cleaned up; tells whether it was kept.

        The pool's own way of taking one back and giving it out again costs a tenth of what a busy api does (measured):
        a timeout, a task and a timer each time.
        """
        if self._is_closing or (len(self._idle) >= _IDLE_MAX and not self._slots.is_short):
            return False
        if is_gone(borrowed) or borrowed.is_in_transaction():
            return False
        self._idle.append(borrowed)
        return True

    async def _release(self, borrowed: Borrowed) -> None:
        assert self._pool is not None
        try:
            await self._pool.release(borrowed, timeout=2)
        except _CLOSING:
            # The connection is gone and the pool has dropped it; there is nothing left to give back.
            return

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Borrow a connection inside one transaction: what is decided and what is published commit together or not at all.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        async with self.connection() as borrowed:
            async with borrowed.transaction():
                yield borrowed
            self._committed()

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Connection]:
        """Borrow a connection for one writing statement that is its own transaction: one round trip instead of three.

        Raises:
            DatabaseUnavailable: when the database does not answer.
        """
        async with self.connection() as borrowed:
            yield borrowed
        self._committed()

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one statement and return its rows."""
        async with self.connection() as borrowed:
            return await borrowed.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> asyncpg.Record | None:
        """Run one statement and return its first row, or None."""
        async with self.connection() as borrowed:
            return await borrowed.fetchrow(sql, *arguments)

    async def write(self, sql: str, *arguments: Any) -> asyncpg.Record | None:
        """Run one writing statement (often a CTE that decides and publishes at once), commit, wake the relay; returns its first row, or None."""
        rows = await self.write_all(sql, *arguments)
        return rows[0] if rows else None

    async def write_all(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one writing statement, commit, wake the relay, and return all its rows."""
        async with self.connection() as borrowed:
            rows = await borrowed.fetch(sql, *arguments)
        self._committed()
        return rows

    async def state(self) -> str:
        """Ask the server for a sign of life; returns `read_only` while it takes no writes, else nothing.

        Raises:
            DatabaseUnavailable: when there is none.
        """
        async with asyncio.timeout(2), self.connection() as borrowed:
            # On in a standby too, whatever its settings say.
            is_read_only = await borrowed.fetchval("SELECT current_setting('transaction_read_only')::boolean")
        return "read_only" if is_read_only else ""


async def run_again[T](work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`, which is a whole transaction, and do it again, a few times, when it lost against another one.

    Raises:
        asyncpg.PostgresError: one of `CONTENTION`, when it lost every time.
    """
    for _ in range(_CONTENTION_RETRIES_MAX):
        with contextlib.suppress(*CONTENTION):
            return await work()
    return await work()


def _names_several_hosts(dsn: str) -> bool:
    """Whether an address lists hosts to choose the primary from, and leaves the choice to us."""
    return "," in urlsplit(dsn).netloc.rpartition("@")[2] and "target_session_attrs" not in dsn
