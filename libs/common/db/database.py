"""The asyncpg pool of one service, in its own schema. Hot statements are plain SQL, one round trip each."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from libs.common.db.rows import take_rows
from libs.common.errors import Unavailable
from libs.common.settings import DatabaseSettings, postgres_dsn

if TYPE_CHECKING:
    type Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    type Borrowed = PoolConnectionProxy[asyncpg.Record]
    _AsyncpgConnection = asyncpg.Connection[asyncpg.Record]
else:
    # asyncpg's classes cannot be subscripted at run time.
    Connection = asyncpg.Connection
    Borrowed = PoolConnectionProxy
    _AsyncpgConnection = asyncpg.Connection

_ACQUIRE_SECONDS = 5.0
"""How long a caller may wait for a free connection before it hears 503."""
_IDLE_MAX = 8
"""Free connections that are kept at hand; the pool has the others, and closes them when nobody wants them for long."""
_CONNECT_SECONDS = 5.0
"""How long one attempt to connect may take."""

OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
"""What asyncpg raises when the server is away, restarting or full: nothing is wrong with the statement."""

_BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises of its own accord when a connection ended under it."""

CONTENTION = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""The transaction lost against another one and may simply be run again."""


class _PooledConnection(_AsyncpgConnection):
    """A connection that goes back to the pool without a round trip of its own.

    asyncpg resets advisory locks, listeners, cursors and settings of every connection that is given back: one more round
    trip per borrow, a quarter of a short transaction (measured). Nothing here uses those outside a transaction, and an
    open transaction is still rolled back.
    """

    def get_reset_query(self) -> str:
        """Reset nothing."""
        return ""


def _is_gone(borrowed: "Borrowed") -> bool:
    try:
        return borrowed.is_closed()
    except asyncpg.InterfaceError:
        # The pool has taken it back already, which it does on its own when the server ends the connection.
        return True


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer: whatever was asked may be asked again, unchanged, once it is back."""


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
        try:
            if isinstance(fault, OUTAGES):
                raise DatabaseUnavailable("the database does not answer") from fault
            if isinstance(fault, asyncpg.InternalClientError):
                # The server was killed while it said goodbye: the driver still waits for the end of that, and nobody
                # may be given this connection again.
                if not _is_gone(borrowed):
                    borrowed.terminate()
                raise DatabaseUnavailable("the database does not answer") from fault
            # Also what asyncpg raises for a wrong argument, which would be wrong again however often it is tried.
            if isinstance(fault, asyncpg.InterfaceError) and _is_gone(borrowed):
                raise DatabaseUnavailable("the database does not answer") from fault
        finally:
            if fault is not None or not self._database._keep(borrowed):
                await self._database._release(borrowed)


class Database:
    """The one way of a service to its schema.

    What is registered with `after_commit` is called after each commit, which wakes the outbox relay in this process.
    """

    def __init__(self, settings: DatabaseSettings, *, schema: str, application_name: str) -> None:
        self._settings = settings
        self._schema = schema
        self._application_name = application_name
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._idle: list[Borrowed] = []
        """Connections that were borrowed and are free again, the last one used at the end."""
        self._waiting = 0
        """How many wait for the pool to give them a connection."""
        self._is_closing = False
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
        """Open the pool without connecting yet, so that a service starts while its database is still on its way."""
        self._is_closing = False
        self._pool = await asyncpg.create_pool(
            postgres_dsn(self._settings.database_url),
            min_size=0,
            max_size=self._settings.database_pool_size,
            command_timeout=self._settings.database_timeout_seconds,
            timeout=_CONNECT_SECONDS,
            max_inactive_connection_lifetime=300,
            connection_class=_PooledConnection,
            init=take_rows,
            server_settings={
                "search_path": self._schema,
                "application_name": self._application_name,
                "timezone": "UTC",
            },
        )

    async def close(self) -> None:
        """Close the pool; connections still in use get a few seconds."""
        self._is_closing = True
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
        if self._pool is None:
            raise DatabaseUnavailable("the database is not open")
        while self._idle:
            borrowed = self._idle.pop()
            if not _is_gone(borrowed):
                return borrowed
            await self._release(borrowed)
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
        except (*OUTAGES, *_BROKEN) as fault:
            raise DatabaseUnavailable("the database does not answer") from fault
        finally:
            self._waiting -= 1

    def _keep(self, borrowed: Borrowed) -> bool:
        """Keep a connection at hand for the next who wants one, if nothing has to be cleaned up; tells whether it was kept.

        The pool's own way of taking one back and giving it out again costs a tenth of what a busy api does (measured):
        a timeout, a task and a timer each time. Whoever waits in the pool because all are out comes first.
        """
        if self._waiting or self._is_closing or len(self._idle) >= _IDLE_MAX:
            return False
        if _is_gone(borrowed) or borrowed.is_in_transaction():
            return False
        self._idle.append(borrowed)
        return True

    async def _release(self, borrowed: Borrowed) -> None:
        assert self._pool is not None
        try:
            await self._pool.release(borrowed, timeout=2)
        except (*OUTAGES, *_BROKEN):
            # The connection is gone and the pool has dropped it; there is nothing left to give back.
            return

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Borrow a connection inside one transaction: what is decided and what is said commit together or not at all.

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
        """Run one writing statement (often a CTE that decides and speaks at once), commit, wake the relay; returns its first row, or None."""
        rows = await self.write_all(sql, *arguments)
        return rows[0] if rows else None

    async def write_all(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one writing statement, commit, wake the relay, and return all its rows."""
        async with self.connection() as borrowed:
            rows = await borrowed.fetch(sql, *arguments)
        self._committed()
        return rows

    async def ping(self) -> None:
        """Ask the server for a sign of life.

        Raises:
            DatabaseUnavailable: when there is none.
        """
        async with asyncio.timeout(2), self.connection() as borrowed:
            await borrowed.fetchval("SELECT 1")
