"""Row-level security of the api: with every tenant condition taken out of its statements, no request meets another tenant's rows."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from litestar.handlers import HTTPRouteHandler

from libs.common.contracts import Message
from libs.common.db import GroupCommit, tenancy
from libs.common.db.connections import PooledConnection
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from services.api.app import seed
from services.api.audit import AuditRecord, write_line
from services.api.http.controllers import Declaration, routes_of
from services.api.routing import resources
from services.api.settings import AuthSettings
from tests.integration.api.conftest import SECRET, Api, serving, settings_for
from tests.support.databases import TestDatabase
from tests.support.platform import Client
from tests.support.row_security import policies_off, unprotected, without_tenant

ATTACKER, VICTIM = "tenant-that-looks", "tenant-that-is-looked-for"
MARK = "only-for-its-own-tenant"
"""Stands in each row of the victim that has a text of its own."""
WHO = "SELECT current_user::text AS role, coalesce(current_setting('app.tenant', true), '') AS tenant"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LEAKING = {
    "changeCustomer",
    "changeUser",
    "getApiKey",
    "getCustomer",
    "getIdentityProvider",
    "getPaymentIntent",
    "listApiKeys",
    "listCustomers",
    "listPaymentIntentEvents",
    "listPaymentIntents",
    "listRefunds",
    "listUsers",
}
"""Reads and changes that meet the rows once the policies are gone too, so that this test is seen to look for them."""

TENANTS_TABLES = """
SELECT relname AS name FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = 'tenant_id'
 WHERE relnamespace = 'api'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1
"""


async def _ask(_: Message) -> Any:
    raise Unavailable("no other service is there")


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase) -> AsyncIterator[Api]:
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, ask=_ask) as running:
        yield running


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Take the tenant out of every statement that a tenant's request runs; holds the texts that were changed."""
    changed: set[str] = set()
    run = PooledConnection._execute

    async def forgetful(self: PooledConnection, query: str, *arguments: Any, **options: Any) -> Any:
        if self.is_limited and (without := without_tenant(query, both=(ATTACKER, VICTIM))) != query:
            changed.add(query)
            query = without
        return await run(self, query, *arguments, **options)

    monkeypatch.setattr(PooledConnection, "_execute", forgetful)
    return changed


def _operations() -> list[tuple[HTTPRouteHandler, Declaration]]:
    found = [(handler, handler.opt["declaration"]) for handler in routes_of(resources(is_local=False))]
    return [(handler, declared) for handler, declared in found if declared.permission and not declared.operator_for]


def _owner(api: Api, tenant: str) -> Client:
    perms = sorted({str(declared.permission) for _, declared in _operations()})
    return api.client(tenant, sub=f"owner@{tenant}.example", roles=["admin"], perms=perms, plan="enterprise")


async def _fill(api: Api, client: Client) -> list[str]:
    """Make one of everything that a tenant owns in the api; returns its ids."""
    intent = await client.create(customer_ref=MARK)
    confirming = asyncio.create_task(client.confirm(intent["id"]))
    await api.until_processing(client, intent["id"])
    await api.authorized(client.tenant, intent["id"])
    await confirming
    await api.captured(client.tenant, intent["id"])
    await api.posted(client.tenant, intent["id"])
    body = {"amount": "1.00", "reason": "requested_by_customer"}
    path = f"/v1/payment-intents/{intent['id']}/refund"
    refund = await client.call("POST", path, body, key=str(uuid4()), headers={"Prefer": "respond-async"})
    held = await client.create(customer_ref=MARK)
    customer = await client.call("POST", "/v1/customers", {"reference": MARK}, key=str(uuid4()))
    user = {"email": f"{MARK}@{client.tenant}.example", "password": "a-long-password-of-one-person", "roles": ["ops"]}
    made = await client.call("POST", "/v1/users", user)
    key = await client.call("POST", "/v1/api-keys", {"name": MARK, "scopes": ["payments:read"]})
    provider = {"issuer": "https://login.example.com", "client_id": MARK}
    set_ = await client.call("PUT", "/v1/identity-provider", provider)
    answers = [refund, customer, made, key]
    assert {answer.status for answer in (*answers, set_)} <= {200, 201, 202}, [answer.raw for answer in answers]
    return [str(found["id"]) for found in (intent, held, *(answer.json for answer in answers))]


async def _met(client: Client, ids: Sequence[str], methods: Sequence[str]) -> dict[str, set[str]]:
    """Call each operation about each id, reads first; returns which of them answered with something of the victim."""
    found: dict[str, set[str]] = {}
    for method, (handler, declared) in ((m, o) for m in methods for o in _operations() if m in o[0].http_methods):
        for path in handler.paths:
            parameters = re.findall(r"\{(\w+)(?::\w+)?\}", path)
            for each in ids if parameters else [""]:
                named = re.sub(r"\{\w+(?::\w+)?\}", each, path)
                body = None if declared.body is None else declared.example or {}
                answer = await client.call(method, named, body, key=str(uuid4()) if declared.idempotent else None)
                text = answer.raw.decode().replace(each, "") if each and answer.status >= 400 else answer.raw.decode()
                assert answer.status != 500, (handler.operation_id, answer.raw)
                # What the attacker has tried to read is in their own logs, by its id.
                shown = () if handler.operation_id in {"listAudit", "listRequests"} else ids
                if MARK in text or VICTIM in text or any(other in text for other in shown):
                    found.setdefault(str(handler.operation_id), set()).add(named)
    return found


async def _rows(admin: "asyncpg.Connection[asyncpg.Record]") -> dict[str, str]:
    """A digest of the victim's rows in each table."""
    tables = await admin.fetch(TENANTS_TABLES)
    digest = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM api.{} t WHERE tenant_id = $1"
    # The victim's own requests are written into the log of requests some time after they were answered.
    names = [row["name"] for row in tables if row["name"] != "logged_requests"]
    return {name: await admin.fetchval(digest.format(name), VICTIM) for name in names}


async def _sealed(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Wait until the api has sealed what stood before: that writes into the victim's chain too."""
    async with asyncio.timeout(60):
        while await admin.fetchval("SELECT count(*) FROM api.sealed_tables WHERE completed_at IS NULL"):
            await asyncio.sleep(0.1)


async def test_forgotten_condition_shows_and_changes_nothing_of_another_tenant(
    api: Api, api_database: TestDatabase, forgotten: set[str]
) -> None:
    ids = await _fill(api, _owner(api, VICTIM))
    admin = await asyncpg.connect(api_database.admin_url)
    try:
        await _sealed(admin)
        before = await _rows(admin)
        attacker = _owner(api, ATTACKER)
        assert await _met(attacker, ids, methods=METHODS) == {}
        assert await _rows(admin) == before
        assert len(forgotten) > 15
        # The same without the policies: it is they that keep the rows apart, and the test does look for them.
        async with policies_off(admin, ["api"]):
            assert set(await _met(attacker, ids, methods=("GET", "PATCH"))) >= LEAKING
        assert await _rows(admin) != before
    finally:
        await admin.close()


async def test_each_table_of_a_tenant_has_its_policies(api_database: TestDatabase) -> None:
    assert await unprotected(api_database, "api") == {}


async def test_limit_to_a_tenant_ends_with_its_transaction(api_database: TestDatabase) -> None:
    async with api_database.open("api", pool_size=1) as database:
        for tenant in (ATTACKER, "o'neill\\", ""):
            with tenancy.limited_to(tenant):
                async with database.transaction() as tx:
                    assert tuple((await tx.fetch(WHO))[0]) == ("api_requests", tenant)
                assert tuple((await database.fetch(WHO))[0]) == ("api_requests", tenant)
                async with database.connection() as connection:
                    # Without values it is sent as it is, and so could be many statements.
                    await connection.execute("DO $$ BEGIN ASSERT current_user = 'api_requests'; END $$")
                with tenancy.across_tenants():
                    assert (await database.fetch(WHO))[0]["role"] == "api_app"
            assert tuple((await database.fetch(WHO))[0]) == ("api_app", "")


async def test_request_of_one_tenant_writes_no_row_of_another(api_database: TestDatabase) -> None:
    line = AuditRecord(
        tenant_id=VICTIM,
        id=new_id(),
        actor="a",
        action="a",
        target="a",
        outcome="success",
        detail={},
        correlation_id="c",
        at=datetime.now(UTC),
    )
    async with api_database.open("api") as database:
        with (
            tenancy.limited_to(ATTACKER),
            pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"),
        ):
            await write_line(database, line)


async def test_second_admission_of_a_request_reads_for_all_tenants(
    api: Api, api_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited: list[str] = []
    run = PooledConnection._execute

    async def seen(self: PooledConnection, query: str, *arguments: Any, **options: Any) -> Any:
        limited.extend([query] if self.is_limited else [])
        return await run(self, query, *arguments, **options)

    monkeypatch.setattr(PooledConnection, "_execute", seen)
    # Nothing is remembered, so that each admission reads.
    auth = AuthSettings(jwt_secret=SECRET, tenant_auto_provision=True, access_age_max_seconds=0)
    async with serving(api_database, settings_for(api_database, auth=auth), ask=_ask) as forgetting:
        client = forgetting.client(ATTACKER)
        path = f"/v1/payment-intents/{(await client.create())['id']}?expand=entries"
        assert (await client.call("GET", path)).status == 503
    assert [query for query in limited if "FROM payment_intents" in query]
    assert [query for query in limited if "FROM tenants" in query or "FROM policies" in query] == []


async def test_group_of_many_tenants_is_limited_to_none(api_database: TestDatabase) -> None:
    async with api_database.open("api") as database:

        async def write(items: Sequence[int]) -> list[str]:
            return [str((await database.fetch(WHO))[0]["role"]) for _ in items]

        group = GroupCommit[int, str](write, group_max=8, waiting_max=8)
        with tenancy.limited_to(ATTACKER):
            assert await group.submit(1) == "api_app"


def test_routes_across_tenants_are_those_that_know_no_tenant_yet() -> None:
    every = routes_of(resources(is_local=True))
    across = {handler.operation_id for handler in every if handler.opt["declaration"].across_tenants}
    assert across == {"createToken", "changePassword"}
