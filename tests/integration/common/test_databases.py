"""Templates of databases with seeds: the newest are kept, and one that could not be seeded leaves nothing behind."""

from uuid import uuid4

import asyncpg
import pytest

from deploy.local.servers import Servers
from tests.support import databases
from tests.support.databases import TestDatabase, fresh_database


async def test_seeded_templates_do_not_pile_up(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    # Under a word of its own, so that those that other tests use stay.
    word, building = f"seeded{uuid4().hex[:6]}", ""
    monkeypatch.setattr(databases, "_SEEDED", word)
    monkeypatch.setattr(databases, "_SEEDED_KEPT", 1)

    async def seeds(_: TestDatabase) -> None:
        return

    async def fails(database: TestDatabase) -> None:
        nonlocal building
        building = database.name
        raise ValueError(building)

    admin = await asyncpg.connect(servers.postgres_url, timeout=15)

    async def kept() -> list[str]:
        rows = await admin.fetch("SELECT datname FROM pg_database WHERE datname ~ $1 ORDER BY oid", f"_{word}_")
        return [row["datname"].rpartition("_")[2] for row in rows]

    try:
        for change in ("one", "two"):
            monkeypatch.setattr(databases, "_seeds_fingerprint", lambda change=change: change)
            for _ in range(2):
                async with fresh_database(servers, ("api",), seeding=seeds):
                    assert await kept() == [change]
        monkeypatch.setattr(databases, "_seeds_fingerprint", lambda: "three")
        with pytest.raises(ValueError, match="building_"):
            async with fresh_database(servers, ("api",), seeding=fails):
                pass
        assert await kept() == ["two"]
        assert not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", building)
    finally:
        for row in await admin.fetch("SELECT datname FROM pg_database WHERE datname ~ $1", f"_{word}_"):
            await admin.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}"')
        await admin.close()
