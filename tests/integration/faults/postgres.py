"""Ways in which PostgreSQL may be sick, each for the time of a block."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from deploy.local.native.postgres import database_user
from tests.integration.faults.rig import DATABASE, ROLE, TABLES, Rig
from tests.support.waiting import until


@asynccontextmanager
async def _role_setting(rig: Rig, setting: str) -> AsyncIterator[None]:
    await rig.admin.execute(f"ALTER ROLE {ROLE} SET {setting}")
    await rig.end_connections()
    try:
        yield
    finally:
        await rig.admin.execute(f"ALTER ROLE {ROLE} RESET ALL")
        await rig.end_connections()


@asynccontextmanager
async def _role(rig: Rig, during: str, afterwards: str) -> AsyncIterator[None]:
    await rig.admin.execute(during)
    await rig.end_connections()
    try:
        yield
    finally:
        await rig.admin.execute(afterwards)


@asynccontextmanager
async def _locked(rig: Rig) -> AsyncIterator[None]:
    other = await asyncpg.connect(rig.address)
    try:
        async with other.transaction():
            await other.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await other.close()


def read_only_role(rig: Rig) -> AbstractAsyncContextManager[None]:
    return _role_setting(rig, "default_transaction_read_only = on")


@asynccontextmanager
async def read_only_server(rig: Rig) -> AsyncIterator[None]:
    await rig.admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await _reload(rig, read_only="on")
    try:
        yield
    finally:
        await rig.admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await _reload(rig, read_only="off")


async def _reload(rig: Rig, *, read_only: str) -> None:
    """Reload the settings and wait until no connection, old or new, takes a statement with the former ones.

    The server signals itself and goes on: a statement sent right afterwards may still meet the settings of before.
    """
    await rig.admin.execute("SELECT pg_reload_conf()")

    async def reloaded() -> bool:
        connection = await asyncpg.connect(rig.address)
        try:
            return bool(await connection.fetchval("SHOW default_transaction_read_only") == read_only)
        finally:
            await connection.close()

    await until(reloaded, sentence="the server did not read its settings again")
    # Who gets a connection now came after the server had passed the signal on to all of those from before.
    assert await reloaded()


def no_connections_left(rig: Rig) -> AbstractAsyncContextManager[None]:
    return _role(rig, f"ALTER ROLE {ROLE} CONNECTION LIMIT 0", f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")


def login_refused(rig: Rig) -> AbstractAsyncContextManager[None]:
    return _role(rig, f"ALTER ROLE {ROLE} NOLOGIN", f"ALTER ROLE {ROLE} LOGIN")


@asynccontextmanager
async def database_closed(rig: Rig) -> AsyncIterator[None]:
    # The database itself may not be altered so from inside.
    other = await asyncpg.connect(rig.postgres.url)
    try:
        async with _role(rig, "SELECT 1", "SELECT 1"):
            await other.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false")
            await rig.end_connections()
            yield
    finally:
        await other.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true")
        await other.close()


@asynccontextmanager
async def statement_timeout(rig: Rig) -> AsyncIterator[None]:
    async with _role_setting(rig, "statement_timeout = '50ms'"), _locked(rig):
        yield


@asynccontextmanager
async def lock_timeout(rig: Rig) -> AsyncIterator[None]:
    async with _role_setting(rig, "lock_timeout = '50ms'"), _locked(rig):
        yield


@asynccontextmanager
async def _again_and_again(rig: Rig, function: str) -> AsyncIterator[None]:
    async with _locked(rig), asyncio.TaskGroup() as group:
        task = group.create_task(_hit(rig, function))
        yield
        task.cancel()


def cancelled(rig: Rig) -> AbstractAsyncContextManager[None]:
    return _again_and_again(rig, "pg_cancel_backend")


def terminated(rig: Rig) -> AbstractAsyncContextManager[None]:
    return _again_and_again(rig, "pg_terminate_backend")


async def _hit(rig: Rig, function: str) -> None:
    other = await asyncpg.connect(rig.postgres.url)
    try:
        while True:
            await other.execute(f"SELECT {function}(pid) FROM pg_stat_activity WHERE usename = $1", ROLE)
            await asyncio.sleep(0.02)
    finally:
        other.terminate()


@asynccontextmanager
async def idle_in_transaction(rig: Rig) -> AsyncIterator[None]:
    async with _role_setting(rig, "idle_in_transaction_session_timeout = '50ms'"):
        rig.hold.clear()
        try:
            yield
        finally:
            rig.hold.set()


@asynccontextmanager
async def disk_full(rig: Rig) -> AsyncIterator[None]:
    """Move what is written to a small disk and fill that; who may not mount one has the server say so by a trigger."""
    place = Path(rig.postgres.data).parent / "full"
    place.mkdir()
    if await _run("mount", "-t", "tmpfs", "-o", "size=6m,mode=0777", "tmpfs", str(place)) != 0:
        place.rmdir()
        async with _pretended_full(rig):
            yield
        return
    try:
        if database_user():
            shutil.chown(place, database_user())
        await rig.admin.execute(f"CREATE TABLESPACE full_disk LOCATION '{place}'")
        await _move(rig, "full_disk")
        with (place / "ballast").open("wb") as ballast, pytest.raises(OSError):
            while True:
                ballast.write(bytes(8192))
                ballast.flush()
        try:
            yield
        finally:
            (place / "ballast").unlink()
            await _move(rig, "pg_default")
            await rig.admin.execute("DROP TABLESPACE full_disk")
    finally:
        await _run("umount", "--lazy", str(place))
        place.rmdir()


async def _move(rig: Rig, tablespace: str) -> None:
    for table in TABLES:
        # Without the room that deleted rows have left: a full disk would be noticed only once that is used up.
        await rig.admin.execute(f"VACUUM FULL {table}")
        await rig.admin.execute(f"ALTER TABLE {table} SET TABLESPACE {tablespace}")


@asynccontextmanager
async def _pretended_full(rig: Rig) -> AsyncIterator[None]:
    print("Nothing may be mounted here: a trigger reports the full disk.")
    await rig.admin.execute(
        "CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    for table in TABLES:
        await rig.admin.execute(
            f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION public.full_disk()"
        )
    try:
        yield
    finally:
        await rig.admin.execute("DROP FUNCTION public.full_disk() CASCADE")


async def _run(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


@asynccontextmanager
async def crashed(rig: Rig) -> AsyncIterator[None]:
    pid = await rig.admin.fetchval("SELECT pid FROM pg_stat_activity WHERE usename = $1 LIMIT 1", ROLE)
    os.kill(pid, signal.SIGKILL)
    try:
        yield
    finally:
        # The server ends all connections a moment after one of its processes has died, this one included.
        async def is_ended() -> bool:
            return rig.admin.is_closed()

        await until(is_ended, sentence="the server has not noticed the death of its process")
        await rig.connect_admin()
