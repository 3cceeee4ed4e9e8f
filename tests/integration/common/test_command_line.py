"""A command that cannot reach its database says so in one sentence that names the setting."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest

from deploy.local.environment import placeholder_environment
from libs.common.db.migrate import upgrade
from libs.common.errors import Unavailable
from tests.support.databases import TestDatabase
from tests.support.platform import ROOT


async def test_a_database_that_is_not_there_is_named_in_one_sentence(gateway_database: TestDatabase) -> None:
    url = gateway_database.url("gateway_app") + "_elsewhere"
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.gateway", "status"),
        cwd=ROOT,
        env=os.environ | placeholder_environment() | {"GATEWAY_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, output = await asyncio.wait_for(run.communicate(), 120)
    assert run.returncode == 1
    (sentence,) = output.decode().splitlines()
    assert sentence.startswith("gateway: PostgreSQL refuses the address in GATEWAY_DATABASE_URL")


async def test_a_migration_that_cannot_run_is_one_sentence(gateway_database: TestDatabase) -> None:
    owner = gateway_database.url("gateway_owner")
    with pytest.raises(Unavailable, match="PostgreSQL refuses the address in GATEWAY_MIGRATION_DATABASE_URL"):
        await asyncio.to_thread(upgrade, service="gateway", url=f"{owner}_elsewhere")
    with pytest.raises(Unavailable, match="the database does not answer"):
        await asyncio.to_thread(upgrade, service="gateway", url="postgresql://gateway_owner@127.0.0.1:1/payments")


async def test_a_schema_that_is_newer_than_the_checkout_is_named(
    make_database: Callable[..., AbstractAsyncContextManager[TestDatabase]],
) -> None:
    async with make_database("gateway") as database:
        owner = await asyncpg.connect(database.admin_url, timeout=15)
        try:
            await owner.execute("UPDATE gateway.alembic_version SET version_num = '9999'")
        finally:
            await owner.close()
        with pytest.raises(Unavailable, match="the schema of gateway has a version that this checkout does not know"):
            await asyncio.to_thread(upgrade, service="gateway", url=database.url("gateway_owner"))
