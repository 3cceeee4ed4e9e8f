"""A command that cannot reach its database says so in one sentence that names the setting."""

import asyncio
import os
import sys

from deploy.local.environment import placeholder_environment
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
    _, said = await asyncio.wait_for(run.communicate(), 30)
    assert run.returncode == 1
    (sentence,) = said.decode().splitlines()
    assert sentence.startswith("gateway: PostgreSQL refuses the address in GATEWAY_DATABASE_URL")
