"""Every way of being denied is written down: who, what, for which tenant, why."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from deploy.local.servers import Servers
from services.api.http.callers import PLATFORM_TENANT
from services.api.settings import RateSettings
from tests.integration.api.access.test_access import BODY, problem
from tests.integration.api.conftest import Api, serving, settings_for
from tests.integration.api.http.test_edge import redis_of
from tests.support.databases import TestDatabase

PASSWORD = "ops123"
_MEET = (
    "INSERT INTO api.tenants (id, name, plan, region, status, origin, created_at, updated_at) "
    "VALUES ($1, 'x', 'pro', 'region-a', $2, 'seed', now(), now())"
)


async def denials(api: Api, tenant: str) -> list[tuple[str, str, str, str]]:
    """Action, actor, target and reason of every denial of a tenant, oldest first."""
    rows = await api.database.fetch(
        "SELECT action, actor, target, detail->>'reason' AS reason FROM audit_log "
        "WHERE tenant_id = $1 AND outcome = 'denied' ORDER BY id",
        tenant,
    )
    return [tuple(row) for row in rows]


async def as_superuser(database: TestDatabase, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute(statement, *values)
    await connection.close()


@pytest.mark.parametrize(
    ("changes", "named", "status", "reason"),
    [
        ({"perms": ["payments:read"]}, None, 403, "missing_permission"),
        ({"plan": "free"}, None, 403, "plan_not_allowed"),
        ({"region": "region-z"}, None, 403, "region_not_allowed"),
        ({}, "somebody-else", 403, "tenant_mismatch"),
        ({"tid": "*"}, None, 403, "tenant_mismatch"),
    ],
)
async def test_what_a_token_does_not_allow(
    api: Api, tenant_id: str, changes: dict[str, Any], named: str | None, status: int, reason: str
) -> None:
    headers = {} if named is None else {"X-Tenant-Id": named}
    answer = await api.client(tenant_id, **changes).call(
        "POST", "/v1/payment-intents", BODY, key=uuid4().hex, headers=headers
    )
    assert (answer.status, problem(answer)["code"]) == (status, reason)
    # Under the tenant that the token proves, whatever the header names.
    assert await denials(api, changes.get("tid", tenant_id)) == [
        ("authz.denied", "ops@example.com", "payments:write", reason)
    ]
    await as_nobody(api)


async def as_nobody(api: Api) -> None:
    """Who is not known at all is refused without a line: nobody fills the log of a tenant that they do not prove."""
    count = "SELECT count(*) AS n FROM audit_log"
    before = await api.database.fetchrow(count)
    for headers in ({}, {"Authorization": "Bearer x"}):
        assert (await api.stranger().call("GET", "/v1/payment-intents", headers=headers)).status == 401
    assert await api.database.fetchrow(count) == before


@pytest.mark.parametrize(("change", "reason"), [("DELETE FROM", "no_policy"), ("UPDATE", "policy_deny")])
async def test_what_a_policy_does_not_allow(
    api_database: TestDatabase, tenant_id: str, change: str, reason: str
) -> None:
    of_reading = "WHERE permission = 'payments:read'"
    statement = "DELETE FROM api.policies" if change != "UPDATE" else "UPDATE api.policies SET effect = 'deny'"
    await as_superuser(api_database, f"CREATE TABLE api.kept AS SELECT * FROM api.policies {of_reading}")
    await as_superuser(api_database, f"{statement} {of_reading}")
    try:
        async with serving(api_database, settings_for(api_database)) as api:
            answer = await api.client(tenant_id).call("GET", "/v1/payment-intents")
            assert (answer.status, problem(answer)["code"]) == (403, reason)
            assert await denials(api, tenant_id) == [("authz.denied", "ops@example.com", "payments:read", reason)]
    finally:
        for back in (
            f"DELETE FROM api.policies {of_reading}",
            "INSERT INTO api.policies SELECT * FROM api.kept",
            "DROP TABLE api.kept",
        ):
            await as_superuser(api_database, back)


@pytest.mark.parametrize("status", ["SUSPENDED", "DELETED"])
async def test_a_tenant_that_may_not(api: Api, api_database: TestDatabase, tenant_id: str, status: str) -> None:
    await as_superuser(api_database, _MEET, tenant_id, status)
    answer = await api.client(tenant_id).call("GET", "/v1/payment-intents")
    reason = f"tenant_{status.lower()}"
    assert (answer.status, problem(answer)["code"]) == (403, reason)
    assert await denials(api, tenant_id) == [("authz.denied", "ops@example.com", "payments:read", reason)]


async def test_an_unknown_tenant(api_database: TestDatabase, tenant_id: str) -> None:
    async with serving(api_database, settings_for(api_database, auto_provision=False)) as api:
        answer = await api.client(tenant_id).call("GET", "/v1/payment-intents")
        assert (answer.status, problem(answer)["code"]) == (403, "tenant_unknown")
        assert await denials(api, tenant_id) == [("authz.denied", "ops@example.com", "payments:read", "tenant_unknown")]
        root = api.client(tenant_id, tid=PLATFORM_TENANT, roles=["admin"])
        assert (await root.call("GET", "/v1/payment-intents")).status == 403
        assert len(await denials(api, tenant_id)) == 2


async def test_a_token_whose_time_is_over_is_known_and_written_down_once(api: Api, tenant_id: str) -> None:
    expired = api.client(tenant_id, exp=int(datetime.now(UTC).timestamp()) - 1)
    for path in ("/v1/payment-intents", "/v1/me"):
        answer = await expired.call("GET", path)
        assert (answer.status, problem(answer)["code"]) == (401, "token_expired")
    assert await denials(api, tenant_id) == [("authn.denied", "ops@example.com", "", "token_expired")]


@pytest.mark.parametrize("status", ["SUSPENDED", "DELETED"])
async def test_a_login_into_a_tenant_that_may_not(
    api: Api, api_database: TestDatabase, tenant_id: str, status: str
) -> None:
    name = f"{tenant_id}@example.com"
    await as_superuser(api_database, _MEET, tenant_id, status)
    await _user_like_ops(api_database, name, tenant_id)
    answer = await api.stranger().call("POST", "/v1/auth/token", {"email": name, "password": PASSWORD})
    reason = f"tenant_{status.lower()}"
    assert (answer.status, problem(answer)["code"]) == (403, reason)
    assert await denials(api, tenant_id) == [("auth.login.denied", name, "/v1/auth/token", reason)]


async def test_a_login_of_a_user_without_a_tenant(api: Api, api_database: TestDatabase, tenant_id: str) -> None:
    name = f"{tenant_id}@example.com"
    await _user_like_ops(api_database, name, None)
    answer = await api.stranger().call("POST", "/v1/auth/token", {"email": name, "password": PASSWORD})
    assert (answer.status, problem(answer)["code"]) == (403, "no_tenant")
    assert ("auth.login.denied", name, "/v1/auth/token", "no_tenant") in await denials(api, "")


async def test_a_login_that_was_tried_too_often(api_database: TestDatabase, servers: Servers, tenant_id: str) -> None:
    rates = RateSettings(rate_limit_login_per_min=1, rate_limit_login_address_per_min=0)
    settings = settings_for(api_database, rates=rates, redis=redis_of(servers))
    name = f"{tenant_id}@example.com"
    async with serving(api_database, settings) as api:
        statuses = [
            (await api.stranger().call("POST", "/v1/auth/token", {"email": name, "password": "x"})).status
            for _ in range(2)
        ]
        assert statuses == [401, 429]
        assert ("auth.login.throttled", name, "/v1/auth/token", "throttled") in await denials(api, "")


async def _user_like_ops(database: TestDatabase, name: str, tenant: str | None) -> None:
    await as_superuser(
        database,
        "INSERT INTO api.users (id, email, password_hash, tenant_id, roles, created_at) "
        "SELECT gen_random_uuid(), $1, password_hash, $2, roles, now() FROM api.users WHERE email = 'ops@demo'",
        name,
        tenant,
    )
