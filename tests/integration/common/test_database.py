"""The pool through an outage: what was requested may be requested again, and nothing has to be restarted."""

import asyncio
from collections import UserList, deque
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from libs.common.db import Database, DatabaseUnavailable
from libs.common.db.connections import driver_of
from tests.support.databases import TestDatabase

ARRAYS: dict[str, tuple[Any, Any]] = {
    "list": ([1, None, 2], [1, None, 2]),
    "empty": ([], []),
    "tuple": ((1, 2), [1, 2]),
    "set": ({1}, [1]),
    "keys": ({1: "a", 2: "b"}.keys(), [1, 2]),
    "values": ({"a": 1}.values(), [1]),
    "range": (range(3), [0, 1, 2]),
    "deque": (deque([1, 2]), [1, 2]),
    "nested": ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
}


@pytest.fixture
async def database(ledger_database: TestDatabase) -> AsyncIterator[Database]:
    async with ledger_database.open("ledger", pool_size=3) as opened:
        yield opened


async def _end_connections(ledger_database: TestDatabase) -> None:
    admin = await asyncpg.connect(ledger_database.admin_url)
    try:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'ledger_app'",
            ledger_database.name,
        )
    finally:
        await admin.close()


async def test_connection_lost_in_a_transaction_is_an_outage_and_the_next_works(
    ledger_database: TestDatabase, database: Database
) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as transaction:
            await transaction.execute("SELECT 1")
            await _end_connections(ledger_database)
            await transaction.execute("SELECT 1")
    assert (await database.fetchrow("SELECT 1 AS one")) is not None


async def test_connection_lost_while_a_transaction_does_nothing_is_an_outage(
    ledger_database: TestDatabase, database: Database
) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as transaction:
            await transaction.execute("SELECT 1")
            await _end_connections(ledger_database)
            # The driver notices on its own: the commit then meets a connection that the pool has taken back.
            await asyncio.sleep(0.2)
    await database.state()


async def test_connections_lost_while_idle_are_replaced(ledger_database: TestDatabase, database: Database) -> None:
    await asyncio.gather(*(database.state() for _ in range(3)))
    await _end_connections(ledger_database)
    await asyncio.sleep(0.1)
    await asyncio.gather(*(database.state() for _ in range(3)))


async def test_argument_that_cannot_be_written_is_no_outage(database: Database) -> None:
    with pytest.raises((asyncpg.DataError, asyncpg.InterfaceError)):
        await database.fetch("SELECT $1::int", "not a number")
    with pytest.raises(asyncpg.InterfaceError):
        await database.fetch("SELECT $1::int", 1, 2)


async def test_nothing_of_a_failed_transaction_remains_and_nobody_is_woken(database: Database) -> None:
    woken: list[bool] = []
    ended = database.after_commit(lambda: woken.append(True))
    with pytest.raises(RuntimeError, match="bad luck"):
        async with database.transaction() as transaction:
            await transaction.execute("INSERT INTO inbox (event_id, queue) VALUES (gen_random_uuid(), 'q')")
            raise RuntimeError("bad luck")
    assert woken == []
    assert await database.fetch("SELECT 1 FROM inbox WHERE queue = 'q'") == []
    await database.write("INSERT INTO inbox (event_id, queue) VALUES (gen_random_uuid(), 'r')")
    ended()
    assert woken == [True]


async def test_setting_of_a_transaction_does_not_stay_with_its_connection(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute("SET LOCAL enable_seqscan = off")
    for _ in range(4):
        row = await database.fetchrow("SHOW enable_seqscan")
        assert row is not None
        assert row[0] == "on"


class HalfDead:
    """A server that says goodbye to its idle connections and is killed before it can hang up."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._clients: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stand between a client and the real server."""
        from_server, to_server = await asyncio.open_connection(self._host, self._port)
        self._clients.append(writer)
        self._pumps = {
            *self._pumps,
            *(asyncio.create_task(_pump(*way)) for way in ((reader, to_server), (from_server, writer))),
        }

    def close_politely(self) -> None:
        """Send what a server sends when it is stopped, and nothing after it."""
        fields = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection because of crash of another server process\0\0"
        for client in self._clients:
            client.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        self._clients.clear()

    async def close(self) -> None:
        """Let go of everything."""
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    finally:
        writer.close()


async def test_connection_ended_by_the_server_but_never_closed_is_not_reused(
    ledger_database: TestDatabase,
) -> None:
    settings = ledger_database.settings("ledger", pool_size=1)
    real = urlsplit(settings.database_url)
    assert real.hostname is not None
    assert real.port is not None
    server = HalfDead(real.hostname, real.port)
    async with await asyncio.start_server(server.met, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        between = settings.database_url.replace(f":{real.port}/", f":{port}/")
        database = Database(
            msgspec.structs.replace(settings, database_url=between), schema="ledger", application_name="between"
        )
        await database.open()
        try:
            await database.state()
            server.close_politely()
            # The driver reads it on its own before the next statement.
            await asyncio.sleep(0.1)
            with pytest.raises(DatabaseUnavailable):
                async with database.transaction() as transaction:
                    await transaction.execute("SELECT 1")
            await database.state()
        finally:
            await database.close()
            await server.close()


async def _backend(database: Database) -> int:
    row = await database.fetchrow("SELECT pg_backend_pid() AS pid")
    assert row is not None
    return int(row["pid"])


async def test_a_free_connection_is_used_again(database: Database) -> None:
    assert len({await _backend(database) for _ in range(5)}) == 1


async def test_a_transaction_that_somebody_left_open_is_over_for_the_next_one(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("BEGIN")
        await connection.execute("SET LOCAL work_mem = '1MB'")
        left = await connection.fetchval("SELECT pg_backend_pid()")
    assert await _backend(database) == left
    first, second = [await database.fetchrow("SELECT current_setting('work_mem') AS size, now()") for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first["size"] != "1MB"
    assert second["now"] > first["now"]


async def test_whoever_waits_for_a_connection_gets_the_next_that_is_free(database: Database) -> None:
    """Three connections, all out: those who wait are served, though the free ones are used again at once."""
    served = 0

    async def ask() -> None:
        nonlocal served
        await database.fetch("SELECT pg_sleep(0.01)")
        served += 1

    async with asyncio.timeout(4):
        await asyncio.gather(*(ask() for _ in range(30)))
    assert served == 30


async def test_a_closed_database_keeps_no_connection(ledger_database: TestDatabase) -> None:
    async with ledger_database.open("ledger", pool_size=3) as opened:
        await asyncio.gather(*(opened.fetch("SELECT pg_sleep(0.05)") for _ in range(3)))
        pids = [
            row["pid"]
            for row in await opened.fetch(
                "SELECT pid FROM pg_stat_activity WHERE usename = 'ledger_app' AND datname = current_database()"
            )
        ]
        assert len(pids) >= 3
    await asyncio.sleep(0.5)
    admin = await asyncpg.connect(ledger_database.admin_url)
    try:
        assert await admin.fetch("SELECT FROM pg_stat_activity WHERE pid = ANY($1)", pids) == []
    finally:
        await admin.close()


def _kept(database: Database) -> set[int]:
    return {borrowed.get_server_pid() for borrowed in database._idle}


async def _several(database: Database) -> set[int]:
    """Use three connections at once, so that three are kept; returns their processes."""
    await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.05)") for _ in range(3)))
    kept = _kept(database)
    assert len(kept) == 3
    return kept


async def test_connection_past_its_age_is_replaced(database: Database) -> None:
    old = await _several(database)
    for borrowed in database._idle:
        driver_of(borrowed).opened_at -= 3600
    assert await _several(database) & old == set()


async def test_connection_that_nobody_used_for_long_is_replaced(database: Database) -> None:
    old = await _several(database)
    for borrowed in database._idle:
        driver_of(borrowed).used_at -= 61
    assert await _several(database) & old == set()


async def test_connection_that_was_idle_is_used_again_when_it_answers(database: Database) -> None:
    old = await _several(database)
    for borrowed in database._idle:
        driver_of(borrowed).used_at -= 30
    assert await _several(database) == old


class Forgetful:
    """A load balancer that forgets the connections it has, without a word to either side."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._pumps: set[asyncio.Task[None]] = set()
        self.forgotten = 0

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stand between a client and the real server."""
        from_server, to_server = await asyncio.open_connection(self._host, self._port)
        state = self.forgotten
        for source, target in ((reader, to_server), (from_server, writer)):
            self._pumps.add(asyncio.create_task(self._pump(source, target, state)))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: int) -> None:
        try:
            while data := await reader.read(65_536):
                if state == self.forgotten:
                    writer.write(data)
        finally:
            writer.close()

    async def close(self) -> None:
        """Let go of everything."""
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


async def test_connections_that_the_network_forgot_cost_one_short_wait_together(ledger_database: TestDatabase) -> None:
    settings = ledger_database.settings("ledger", pool_size=3)
    real = urlsplit(settings.database_url)
    assert real.hostname is not None
    assert real.port is not None
    balancer = Forgetful(real.hostname, real.port)
    async with await asyncio.start_server(balancer.met, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        url = settings.database_url.replace(f":{real.port}/", f":{port}/")
        database = Database(
            msgspec.structs.replace(settings, database_url=url), schema="ledger", application_name="between"
        )
        await database.open()
        try:
            old = await _several(database)
            for borrowed in database._idle:
                driver_of(borrowed).used_at -= 10
            balancer.forgotten += 1
            await database.state()
            # The one that hung was enough: the others are replaced before anybody waits for them.
            assert await _several(database) & old == set()
        finally:
            await database.close()
            await balancer.close()


async def test_every_sequence_is_sent_as_an_array(database: Database) -> None:
    async with database.connection() as connection:
        for name, (sent, expected) in ARRAYS.items():
            assert await connection.fetchval("SELECT $1::int[]", sent) == expected, name
        assert await connection.fetchval("SELECT $1::text[]", ["one", "", None]) == ["one", "", None]


# A `UserList` is iterable and has a length: that it is refused shows that the driver compares with our list of types.
NO_ARRAYS = (5, "12", b"12", {1: 2}, (n for n in (1, 2)), UserList([1, 2]))


@pytest.mark.parametrize("sent", NO_ARRAYS, ids=lambda sent: type(sent).__name__)
async def test_what_is_no_sequence_is_refused_as_an_array(database: Database, sent: Any) -> None:
    async with database.connection() as connection:
        with pytest.raises(asyncpg.DataError, match="sized iterable container"):
            await connection.fetchval("SELECT $1::int[]", sent)
