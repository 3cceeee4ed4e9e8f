"""Every database has the permissions that routes need: a new one without seeds, and one that was seeded before they were new."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from deploy.local.servers import Servers
from libs.common.db.migrate import statements
from services.api.api_keys.domain import FOR_PEOPLE
from services.api.cli import administer
from services.api.http.callers import PLATFORM_TENANT
from services.api.http.controllers import routes_of
from services.api.routing import resources
from tests.integration.api.access.test_access import log_in
from tests.integration.api.conftest import serving, settings_for
from tests.support.databases import TestDatabase, fresh_database
from tests.support.platform import Client

PASSWORD = "a-long-password-of-one-person"
_FIRST = {
    "payments:write": ("ops", "pro"),
    "payments:read": ("sales", "free"),
    "ledger:read": ("ops", "pro"),
    "admin:write": ("admin", "enterprise"),
    "profile:read": ("sales", "free"),
}
"""What the seeds of the first release had, but that an operator has taken `admin` away from all others."""
_READ = """
SELECT p.name, o.allowed_plans, o.allowed_regions, array_agg(r.role ORDER BY r.role) AS roles
  FROM permissions AS p JOIN policies AS o ON o.permission = p.name JOIN role_permissions AS r ON r.permission = p.name
 WHERE o.effect = 'allow' GROUP BY 1, 2, 3
"""


@pytest.fixture
async def unseeded(servers: Servers) -> AsyncIterator[TestDatabase]:
    async with fresh_database(servers, ("api",)) as database:
        yield database


def needed() -> set[str]:
    """Every permission that a route needs, or that an API key never has."""
    declared = {route.opt["declaration"].permission for route in routes_of(resources(is_local=True))}
    return {*(permission for permission in declared if permission), *FOR_PEOPLE}


async def test_first_administrator_needs_no_seeds(unseeded: TestDatabase) -> None:
    settings = settings_for(unseeded)
    user = ("user", "root@example.com", "--tenant", PLATFORM_TENANT, "--role", "admin", "--password")
    await administer(settings, user, read_password=lambda: PASSWORD)
    async with serving(unseeded, settings) as api:
        rows = {row["name"]: row for row in await api.database.fetch(_READ)}
        assert rows.keys() == needed()
        assert [name for name, row in rows.items() if "admin" not in row["roles"]] == []
        # Nobody is informed of what was always there.
        assert await api.database.fetch("SELECT FROM outbox WHERE contract = 'event:api:access.changed'") == []
        token = (await log_in(api, "root@example.com", PASSWORD)).json["access_token"]
        answer = await Client(api.http, api.base, token=token, tenant=PLATFORM_TENANT).call("GET", "/v1/policies")
        assert {policy["permission"] for policy in answer.json} == needed()


async def test_database_of_the_first_seeds_gets_what_is_new_and_keeps_the_rest(unseeded: TestDatabase) -> None:
    owner = await asyncpg.connect(unseeded.url("api_owner"), server_settings={"search_path": "api"})
    try:
        await owner.execute("TRUNCATE policies, role_permissions, permissions")
        for name, (role, plan) in _FIRST.items():
            await owner.execute("INSERT INTO permissions VALUES ($1, 'As it was.')", name)
            await owner.execute("INSERT INTO role_permissions VALUES ($1, $2)", role, name)
            await owner.execute("INSERT INTO policies VALUES ($1, 'allow', ARRAY[$2], '{region-a}')", name, plan)
        before = await owner.fetch(_READ)
        await owner.execute("UPDATE alembic_version SET version_num = '0033'")
        await owner.execute(statements(service="api", revisions="0033:0034"))
        after = {row["name"]: row for row in await owner.fetch(_READ)}
        assert {row["name"]: row for row in before}.items() <= after.items()
        assert {name: after[name]["roles"] for name in after.keys() - _FIRST.keys()} == {
            "ledger:write": ["admin", "ops"],
            "ledger:approve": ["admin"],
        }
        # Changes are published again.
        await owner.execute("DELETE FROM outbox")
        await owner.execute("UPDATE policies SET effect = 'deny' WHERE permission = 'ledger:approve'")
        assert await owner.fetchval("SELECT count(*) FROM outbox WHERE contract = 'event:api:access.changed'") == 1
    finally:
        await owner.close()
