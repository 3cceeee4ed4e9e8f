"""A login with a password of any characters, at the real servers, whichever way it is given."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import aio_pika
import asyncpg
import pytest
from redis.asyncio import Redis

from deploy.local import vhosts
from deploy.local.servers import Servers
from libs.common.db import Database
from libs.common.db.migrate import upgrade
from libs.common.errors import Unavailable
from libs.common.messaging.publisher import named
from libs.common.settings import BrokerSettings, DatabaseSettings, load
from services.api.settings import RedisSettings
from tests.support.brokers import fresh_vhost
from tests.support.databases import TestDatabase

ANY = f" {uuid4().hex}@b:c/d%41?e#f é$\"'+&\\{{}} "
NAME = f"login_{uuid4().hex[:12]}"
MUST_LOG_IN = "host all +must_log_in all scram-sha-256"
"""Our private PostgreSQL trusts everybody on this machine; members of this role must prove themselves."""

WAYS = pytest.mark.parametrize("way", ["setting", "address"])


def environ(setting: str, url: str, way: str, *, characters: str = ANY) -> dict[str, str]:
    """The settings of one address: its password beside it, or within it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    within = f":{quote(characters, safe='')}" if way == "address" else ""
    found = {f"{setting}_URL": parts._replace(netloc=f"{NAME}{within}@{host}").geturl()}
    return found if way == "address" else found | {f"{setting}_PASSWORD": characters}


@pytest.fixture(scope="module")
async def role(servers: Servers, api_database: TestDatabase) -> AsyncIterator[None]:
    """A role that must log in, and may do what the api and its owner may; the database brought their roles."""
    assert api_database.name
    admin = await asyncpg.connect(servers.postgres_url, timeout=15)
    try:
        async with admin.transaction():
            await admin.execute("SELECT pg_advisory_xact_lock(hashtext($1))", MUST_LOG_IN)
            if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = 'must_log_in'"):
                await admin.execute("CREATE ROLE must_log_in")
            file = await admin.fetchval("SHOW hba_file")
            rules = await admin.fetchval("SELECT pg_read_file($1)", file)
            if MUST_LOG_IN not in rules:
                lines = [MUST_LOG_IN, *(line.replace("\t", " ") for line in rules.splitlines())]
                values = ", ".join("('" + line.replace("'", "''") + "')" for line in lines)
                await admin.execute(f"COPY (VALUES {values}) TO '{file}'")
                await admin.execute("SELECT pg_reload_conf()")
        literal = ANY.replace("'", "''")
        await admin.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD '{literal}' IN ROLE must_log_in, api_app, api_owner")
        yield
        await admin.execute(f"DROP ROLE {NAME}")
    finally:
        await admin.close()


@WAYS
@pytest.mark.usefixtures("role")
async def test_postgresql_takes_it(api_database: TestDatabase, way: str) -> None:
    settings = load(DatabaseSettings, service="api", environ=environ("DATABASE", api_database.admin_url, way))
    database = Database(settings, schema="api", application_name="test login")
    await database.open()
    try:
        await database.state()
    finally:
        await database.close()


@WAYS
@pytest.mark.usefixtures("role")
async def test_a_migration_takes_it(api_database: TestDatabase, way: str) -> None:
    url = api_database.admin_url
    settings = load(DatabaseSettings, service="api", environ=environ("MIGRATION_DATABASE", url, way))
    await asyncio.to_thread(upgrade, service="api", url=settings.migration_database_url)
    wrong = load(
        DatabaseSettings, service="api", environ=environ("MIGRATION_DATABASE", url, way, characters=ANY.strip())
    )
    with pytest.raises(Unavailable, match="refuses the address in API_MIGRATION_DATABASE_URL"):
        await asyncio.to_thread(upgrade, service="api", url=wrong.migration_database_url)


@WAYS
async def test_redis_takes_it(servers: Servers, way: str) -> None:
    admin: Any = Redis.from_url(servers.redis_url)
    await admin.execute_command("ACL", "SETUSER", NAME, "reset", "on", f">{ANY}", "~*", "+@all")
    try:
        settings = load(RedisSettings, service="api", environ=environ("REDIS", servers.redis_url, way))
        client = Redis.from_url(settings.redis_url)
        assert await client.ping()
        await client.aclose()
    finally:
        await admin.execute_command("ACL", "DELUSER", NAME)
        await admin.aclose()


@WAYS
async def test_rabbitmq_takes_it(servers: Servers, way: str) -> None:
    if servers.rabbitmq.kind == "given":
        settings = load(BrokerSettings, service="api", environ={"RABBITMQ_URL": servers.rabbitmq_url})
        await (await aio_pika.connect(named(settings.rabbitmq_url, "test login"))).close()
        return
    user = f'<<"{NAME}">>'
    octets = ",".join(map(str, ANY.encode()))
    with fresh_vhost(servers) as url:
        vhost = urlsplit(url).path.removeprefix("/")
        vhosts.evaluate(
            servers.rabbitmq,
            f'rabbit_auth_backend_internal:add_user({user}, <<{octets}>>, <<"test">>), '
            f"rabbit_auth_backend_internal:set_permissions({user}, "
            f'<<"{vhost}">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>)',
        )
        try:
            settings = load(BrokerSettings, service="api", environ=environ("RABBITMQ", url, way))
            await (await aio_pika.connect(named(settings.rabbitmq_url, "test login"))).close()
        finally:
            vhosts.evaluate(servers.rabbitmq, f'rabbit_auth_backend_internal:delete_user({user}, <<"test">>)')
