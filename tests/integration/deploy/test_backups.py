"""A PostgreSQL of its own is backed up, lost, and restored to a moment; `just proof-backup` does it with the whole platform."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from deploy.local import lifecycle, packages
from deploy.local.backups import choose, parse_moment, recovered
from deploy.local.errors import LocalFailure
from deploy.local.layout import Layout
from deploy.local.native import pgbackrest, postgres
from deploy.local.native.pgbackrest import Backup
from deploy.local.processes import end, working_in
from deploy.local.records import Server
from tests.support.ports import free_port


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    """A checkout of its own, whose data lasts, and whose backups lie beside it."""
    if absent := packages.missing(["pgbackrest"]):
        packages.install(absent, report=print)
    with tempfile.TemporaryDirectory(prefix="backups-") as root:
        Path(root).chmod(0o755)
        monkeypatch.setenv("BACKUP_FOLDER", f"{root}/elsewhere")
        yield Layout(root=Path(root), profile="dev")


async def execute(server: Server, statement: str) -> None:
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def written(server: Server) -> list[str]:
    connection = await asyncpg.connect(server.url)
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval("SELECT pg_is_in_recovery()"):
                await asyncio.sleep(0.05)
        return [row["what"] for row in await connection.fetch("SELECT what FROM written ORDER BY what")]
    finally:
        await connection.close()


@pytest.fixture
async def server(place: Layout) -> AsyncIterator[Server]:
    """A cluster that has been backed up, with one row before and one row after."""
    started = postgres.start(place, port=free_port())
    try:
        await execute(started, "CREATE TABLE written (what text); INSERT INTO written VALUES ('1 before the backup')")
        identifier = await identifier_of(started)
        pgbackrest.begin(place, Path(started.data), port=started.port, stanza=pgbackrest.stanza_of(identifier))
        pgbackrest.back_up(Path(started.data), is_full=False)
        await execute(started, "INSERT INTO written VALUES ('2 after it')")
        yield started
    finally:
        end(working_in(postgres.data_folder(place)), first=signal.SIGKILL, seconds=10, whole_group=False)


async def identifier_of(server: Server) -> int:
    connection = await asyncpg.connect(server.url)
    try:
        return int(await connection.fetchval("SELECT system_identifier FROM pg_control_system()"))
    finally:
        await connection.close()


async def archived(server: Server) -> None:
    """Have archived now what would be after a minute."""
    connection = await asyncpg.connect(server.url)
    try:
        file = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        async with asyncio.timeout(60):
            while (await connection.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < file:
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


def lose(place: Layout, server: Server) -> None:
    end(working_in(Path(server.data)), first=signal.SIGKILL, seconds=10, whole_group=False)
    shutil.rmtree(place.local)


def restored(place: Layout, *, until: datetime | None) -> Server:
    port = free_port()
    backup = choose(pgbackrest.backups(place), until)
    pgbackrest.restore(place, postgres.data_folder(place), port=port, backup=backup, until=until)
    return postgres.start(place, port=port)


async def test_a_lost_server_is_restored_to_a_moment_and_again_to_a_later_one(place: Layout, server: Server) -> None:
    moment = datetime.now(UTC)
    await execute(server, "INSERT INTO written VALUES ('3 later')")
    await archived(server)
    lose(place, server)

    first = restored(place, until=moment)
    assert await written(first) == ["1 before the backup", "2 after it"]
    await execute(first, "INSERT INTO written VALUES ('4 since then')")
    await archived(first)
    lose(place, first)

    # What was written after a restore is archived too, and the newest history is the one that counts.
    second = restored(place, until=None)
    assert await written(second) == ["1 before the backup", "2 after it", "4 since then"]


async def test_backup_without_a_log_is_no_moment_after_the_loss(place: Layout, server: Server) -> None:
    lost_at = datetime.now(UTC)
    lose(place, server)
    [backup] = pgbackrest.backups(place)
    # The gateway reads first about all that came after it.
    assert await recovered(restored(place, until=None), backup) < lost_at


async def test_data_that_is_replaced_is_put_aside(place: Layout, server: Server) -> None:
    postgres.stop(server, keep_data=True)
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    aside = postgres.set_aside(place, at=at)
    assert aside is not None
    assert (aside / "PG_VERSION").exists()
    assert aside.name == "data.20261122T100000Z"
    assert postgres.set_aside(place, at=at) is None


BACKUPS = [
    Backup("payments-1", "a", "full", datetime(2026, 11, 1, tzinfo=UTC), 1),
    Backup("payments-1", "b", "incr", datetime(2026, 11, 3, tzinfo=UTC), 1),
    Backup("payments-2", "c", "full", datetime(2026, 11, 5, tzinfo=UTC), 1),
]


@pytest.mark.parametrize(("day", "label"), [(2, "a"), (3, "b"), (4, "b"), (6, "c"), (None, "c")])
def test_the_newest_backup_before_the_moment_is_restored(day: int | None, label: str) -> None:
    assert choose(BACKUPS, None if day is None else datetime(2026, 11, day, tzinfo=UTC)).label == label


def test_nothing_before_the_first_backup_can_be_restored() -> None:
    with pytest.raises(LocalFailure, match="ended at 2026-11-01"):
        choose(BACKUPS, BACKUPS[0].ended_at - timedelta(seconds=1))


def test_nothing_starts_while_a_restore_has_not_ended(tmp_path: Path) -> None:
    place = Layout(root=tmp_path, profile="dev")
    lifecycle.require_no_restore(place)
    mark = lifecycle.restore_mark(place)
    mark.parent.mkdir(parents=True)
    mark.touch()
    with pytest.raises(LocalFailure, match="just restore"):
        lifecycle.require_no_restore(place)


def test_a_moment_without_a_zone_is_of_utc() -> None:
    assert parse_moment("2026-11-22T10:00:00") == parse_moment("2026-11-22T11:00:00+01:00")
    with pytest.raises(LocalFailure, match="is no instant"):
        parse_moment("yesterday")
