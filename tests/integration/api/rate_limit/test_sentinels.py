"""The api behind Sentinels: it finds the master, and the next one after a master was lost."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local import packages
from deploy.local.errors import LocalFailure
from deploy.local.native import redis
from deploy.local.processes import ProcessId, end, spawn
from libs.common.settings import SettingsError, load
from services.api.errors import StoreUnavailable
from services.api.rate_limit import Store
from services.api.settings import RedisSettings
from tests.support.ports import free_port

pytestmark = pytest.mark.integration

FAILOVER_SECONDS = 60
"""It takes two on an idle machine."""


class Pair:
    """A master, its replica, and a Sentinel that watches them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = {"first": free_port(), "second": free_port(), "sentinel": free_port()}
        self._processes: dict[str, ProcessId] = {}

    def start(self, name: str) -> None:
        first = self.ports["first"]
        folder = self._folder / name
        folder.mkdir()
        text = f'port {self.ports[name]}\nbind 127.0.0.1\ndir {folder}\nsave ""\nrepl-diskless-sync-delay 0\n'
        if name == "second":
            text += f"replicaof 127.0.0.1 {first}\n"
        if name == "sentinel":
            text = (
                f"port {self.ports[name]}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor mymaster 127.0.0.1 {first} 1\n"
                "sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n"
            )
        file = folder / "redis.conf"
        file.write_text(text)
        command = [redis.program(), str(file), *(["--sentinel"] if name == "sentinel" else [])]
        self._processes[name] = spawn(command, home=folder, log=folder / "log", cwd=folder)

    async def answers(self, name: str, words: bytes) -> None:
        """Wait until a server says so of itself."""
        async with asyncio.timeout(FAILOVER_SECONDS):
            while words not in await self._info(name):
                await asyncio.sleep(0.05)

    async def _info(self, name: str) -> bytes:
        section = b"sentinel" if name == "sentinel" else b"replication"
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[name])
        except OSError:
            return b""
        writer.write(b"INFO " + section + b"\r\n")
        found = await reader.read(4096)
        writer.close()
        return found

    def kill(self, name: str) -> None:
        end([self._processes[name]], first=signal.SIGKILL, seconds=10, whole_group=False)

    def stop(self) -> None:
        for name in self._processes:
            self.kill(name)

    def settings(self) -> RedisSettings:
        sentinels = (f"127.0.0.1:{free_port()}", f"127.0.0.1:{self.ports['sentinel']}")
        # The first of them is away for good.
        return RedisSettings(redis_url="redis://nowhere.invalid/0", redis_sentinels=sentinels, redis_timeout_seconds=1)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    if not redis.program():
        try:
            packages.install(["redis"], report=print)
        except LocalFailure as failed:
            pytest.skip(str(failed))
    made = Pair(tmp_path)
    try:
        for name in ("first", "second"):
            made.start(name)
        # A Sentinel looks for replicas when it comes to a master, and then every ten seconds.
        await made.answers("second", b"master_link_status:up")
        made.start("sentinel")
        await made.answers("sentinel", b"slaves=1")
        yield made
    finally:
        made.stop()


async def written(store: Store, key: str) -> None:
    """Write until it is kept."""
    async with asyncio.timeout(FAILOVER_SECONDS):
        while True:
            try:
                return await store.write(key, b"kept", seconds=60)
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def test_next_master_is_found_where_the_first_is_lost(pair: Pair) -> None:
    store = Store(pair.settings())
    try:
        await written(store, "before")
        assert await store.read("before") == b"kept"
        pair.kill("first")
        await written(store, "after")
        assert await store.read("after") == b"kept"
        await pair.answers("second", b"role:master")
        assert store.state == "ok"
    finally:
        await store.close()


async def test_sentinels_that_are_all_away_are_an_outage() -> None:
    store = Store(RedisSettings(redis_sentinels=(f"127.0.0.1:{free_port()}",)))
    try:
        with pytest.raises(StoreUnavailable):
            await store.read("key")
        assert store.state == "away"
    finally:
        await store.close()


@pytest.mark.parametrize("wrong", ["10.0.0.1", "redis://10.0.0.1:26379", "10.0.0.1:99999", "me@10.0.0.1:26379"])
def test_wrong_sentinel_is_named_in_one_sentence(wrong: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(RedisSettings, service="api", environ={"REDIS_SENTINELS": f"10.0.0.2:26379,{wrong}"})
    (fault,) = raised.value.faults
    assert fault.startswith(
        "REDIS_SENTINELS must be a comma list, each part a host and a port such as 10.0.0.1:26379, not"
    )


def test_sentinels_are_read_from_a_comma_list() -> None:
    settings = load(RedisSettings, service="api", environ={"REDIS_SENTINELS": "sentinel-1:26379, [::1]:26380"})
    assert settings.redis_sentinels == ("sentinel-1:26379", "[::1]:26380")
