"""Databases for tests: one template per set of services and day, migrated once; clones are cheap."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import asyncpg

from deploy.local.bootstrap import bootstrap
from deploy.local.servers import Servers
from libs.common.db import Database
from libs.common.db.migrate import upgrade
from libs.common.settings import DatabaseSettings

ROOT = Path(__file__).parents[2]
SERVICES = ("api", "ledger", "gateway", "notifier")
_TEMPLATES_KEPT = "1 day"
"""A template is made anew each day, so that those of earlier checkouts leave; a process that began before midnight may
still use the earlier one."""
_SEEDED = "seeded"
_SEEDED_KEPT = 3
"""Seeded templates that are kept: there is another one after each change of the api, and each is as large as the schemas."""
_TEMPLATE_LOCK = 0x74656D706C617465  # "template" in ASCII
_OLD_TEMPLATES = f"""
SELECT datname FROM pg_database WHERE datname ~ '^template_[0-9]{{8}}_'
  AND to_date(substr(datname, 10, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC' - interval '{_TEMPLATES_KEPT}')::date
"""
_OLD_SEEDED = """
SELECT datname FROM pg_database WHERE datname ~ ('^template_[0-9]{8}_' || $1 || '_') ORDER BY oid DESC OFFSET $2
"""
"""The highest oid is that of the newest one."""
_RIGHTS = """
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $2::text) AS statement
UNION ALL
SELECT format('GRANT %s ON DATABASE %I TO %s', privilege_type, $2::text, grantee::regrole)
FROM pg_database, aclexplode(datacl) WHERE datname = $1 AND grantee <> datdba
UNION ALL
SELECT format('ALTER ROLE %s IN DATABASE %I SET %I = %L', setrole::regrole, $2::text, option_name, option_value)
FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase, pg_options_to_table(setconfig)
WHERE datname = $1
"""
"""What gives a clone the rights and role settings of its template: they belong to a database's entry, not to its contents."""


class TestDatabase:
    """One database of a test, with the schemas of the services it was made for."""

    __test__ = False

    def __init__(self, servers: Servers, name: str) -> None:
        self._servers = servers
        self.name = name

    def url(self, role: str) -> str:
        """The address for a role: `api_app`, `ledger_owner`."""
        return self._servers.postgres_database_url(self.name, user=role, password=role)

    @property
    def admin_url(self) -> str:
        """The address for the superuser."""
        return self._servers.postgres_database_url(self.name)

    def settings(self, service: str, *, pool_size: int = 10) -> DatabaseSettings:
        """Settings of the runtime role of `service`."""
        return DatabaseSettings(
            database_url=self.url(f"{service}_app"),
            migration_database_url=self.url(f"{service}_owner"),
            database_pool_size=pool_size,
        )

    @asynccontextmanager
    async def open(self, service: str, *, pool_size: int = 10) -> AsyncIterator[Database]:
        """Open the runtime role's pool of `service`."""
        database = Database(
            self.settings(service, pool_size=pool_size), schema=service, application_name=f"test {service}"
        )
        await database.open()
        try:
            yield database
        finally:
            await database.close()


type Seeding = Callable[[TestDatabase], Awaitable[None]]


@cache
def _fingerprint(services: tuple[str, ...]) -> str:
    digest = hashlib.sha256((ROOT / "deploy/postgres/bootstrap.sql").read_bytes())
    for service in services:
        for file in sorted((ROOT / "services" / service / "schema" / "migrations").rglob("*")):
            if file.suffix in {".py", ".sql"}:
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@cache
def _seeds_fingerprint() -> str:
    """What the seeds come from: all code of the api, and what the services share."""
    digest = hashlib.sha256()
    for folder in ("libs", "services/api"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


async def _template(servers: Servers, services: Sequence[str], seeding: Seeding | None) -> str:
    """Make the migrated template for `services` if it is missing; other processes wait and then find it."""
    admin = await asyncpg.connect(servers.postgres_url, timeout=15)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _TEMPLATE_LOCK)
        day = await admin.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')")
        migrated = await _made(servers, admin, day, services)
        return migrated if seeding is None else await _seeded(servers, admin, day, migrated, seeding)
    finally:
        await admin.close()


async def _seeded(
    servers: Servers, admin: "asyncpg.Connection[asyncpg.Record]", day: str, migrated: str, seeding: Seeding
) -> str:
    """Make a template that has the seeds out of one that is migrated, and drop all but the newest ones.

    Another process may know the name of one that is dropped and not have cloned it yet: only where three more were made meanwhile.
    """
    name = f"template_{day}_{_SEEDED}_{migrated.rpartition('_')[2]}_{_seeds_fingerprint()}"
    if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        building = f"building_{uuid4().hex}"
        await _clone(admin, migrated, building)
        try:
            await seeding(TestDatabase(servers, building))
        except BaseException:
            await admin.execute(f'DROP DATABASE "{building}" WITH (FORCE)')
            raise
        await admin.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
        for row in await admin.fetch(_OLD_SEEDED, _SEEDED, _SEEDED_KEPT):
            await admin.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}"')
    return name


async def _made(
    servers: Servers, admin: "asyncpg.Connection[asyncpg.Record]", day: str, services: Sequence[str]
) -> str:
    """Make a template out of that for all services but the last: migrating is the expensive part of it."""
    name = f"template_{day}_{'_'.join(services)}_{_fingerprint(tuple(services))}"
    if await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        return name
    building, last = f"building_{uuid4().hex}", services[-1]
    if services[:-1]:
        await _clone(admin, await _made(servers, admin, day, services[:-1]), building)
    else:
        await bootstrap(servers.postgres_url, building)
    role = f"{last}_owner"
    url = servers.postgres_database_url(building, user=role, password=role)
    await asyncio.to_thread(upgrade, service=last, url=url)
    await admin.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
    for row in await admin.fetch(_OLD_TEMPLATES):
        await admin.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}"')
    return name


async def _clone(admin: "asyncpg.Connection[asyncpg.Record]", template: str, name: str) -> None:
    # Copying files takes half the work of copying pages through the log, where nothing waits for the disk.
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    rights = await admin.fetch(_RIGHTS, template, name)
    await admin.execute(";".join(row["statement"] for row in rights))


@asynccontextmanager
async def fresh_database(
    servers: Servers, services: Sequence[str] = SERVICES, *, seeding: Seeding | None = None
) -> AsyncIterator[TestDatabase]:
    """Clone the migrated template of `services` into a database of its own, and drop it afterwards.

    Args:
        servers: has it.
        services: whose schemas it has.
        seeding: writes the seeds of the api, once for all databases that are to have them.
    """
    # In one order, so that the same services have one template however they are named.
    template = await _template(servers, [service for service in SERVICES if service in services], seeding)
    name = f"test_{os.getpid()}_{uuid4().hex[:12]}"
    async with _administrator(servers) as admin:
        await _clone(admin, template, name)
    try:
        yield TestDatabase(servers, name)
    finally:
        async with _administrator(servers) as admin:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@asynccontextmanager
async def _administrator(servers: Servers) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    # A connection of its own: a test in between may have stopped and started the server.
    admin = await asyncpg.connect(servers.postgres_url, timeout=15)
    try:
        yield admin
    finally:
        await admin.close()
