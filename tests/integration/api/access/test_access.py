"""Who may do what, in which order it is checked, and how a refusal looks: always a problem document, never a 500."""

import asyncio
import base64
import json
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import jwt
import pytest

from libs.common.db import Database
from services.api.access import Tenant, commands
from services.api.access import admission as access
from services.api.access.sql import identity
from services.api.app import seed
from tests.integration.api.conftest import PREVIOUS, SECRET, Api, payload, serving, settings_for, token_of
from tests.support.databases import TestDatabase
from tests.support.platform import ADMIN, DEMO_TENANT, Answer, Client

BODY = {"amount": 1, "currency": "BRL", "customer_ref": "c"}
SEEDED = [
    ("ops@demo", "ops123", "tenant_demo"),
    ("sales@demo", "sales123", "tenant_demo"),
    ("ops@demo.example.com", "ops123", DEMO_TENANT),
    ("sales@demo.example.com", "sales123", DEMO_TENANT),
    (*ADMIN, "*"),
]


def problem(answer: Answer) -> dict[str, Any]:
    """The body of a refusal, which has all the members that a problem must have."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json
    assert {"type", "title", "status", "detail", "instance", "code", "correlation_id"} <= body.keys()
    assert body["status"] == answer.status
    assert isinstance(body["detail"], str)
    assert body["correlation_id"] == answer.headers["x-correlation-id"]
    return body


def unsigned(tenant: str) -> str:
    """A token that names no signature as its algorithm."""
    parts = [{"alg": "none", "typ": "JWT"}, payload(tenant)]
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."


def eventually() -> AbstractAsyncContextManager[Any]:
    """A deadline for what is cached for a moment."""
    return asyncio.timeout(5)


async def log_in(api: Api, email: str, password: str, **more: str) -> Answer:
    return await api.stranger().call("POST", "/v1/auth/token", {"email": email, "password": password, **more})


@pytest.mark.parametrize(("email", "password", "tenant"), SEEDED)
async def test_every_seeded_user_can_log_in(api: Api, email: str, password: str, tenant: str) -> None:
    answer = await log_in(api, f" {email.upper()} ", password)
    assert answer.status == 200
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 3600)
    stated = jwt.decode(answer.json["access_token"], SECRET, algorithms=["HS256"], issuer="local-auth")
    assert set(stated) == {"iss", "sub", "tid", "roles", "perms", "plan", "region", "iat", "exp", "jti", "ctx"}
    assert (stated["sub"], stated["tid"], stated["ctx"]) == (email, tenant, {"email": email})
    assert stated["perms"] == sorted(stated["perms"])
    me = await Client(api.http, api.base, token=answer.json["access_token"]).call("GET", "/v1/me")
    assert me.json == {name: stated[name] for name in ("sub", "tid", "roles", "perms", "plan", "region", "jti")}


async def test_seeding_again_changes_nothing(api: Api, api_database: TestDatabase) -> None:
    count = "SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM outbox) AS published"
    before = await api.database.fetchrow(count)
    await seed(settings_for(api_database))
    assert await api.database.fetchrow(count) == before


@pytest.mark.parametrize("email", ["ops@demo", "nobody@example.com"])
async def test_a_wrong_password_and_an_unknown_user_look_the_same(api: Api, email: str) -> None:
    answer = await log_in(api, email, "wrong")
    assert (answer.status, problem(answer)["detail"]) == (401, "Invalid credentials")
    row = await api.database.fetchrow(
        "SELECT outcome FROM audit_log WHERE action = 'auth.login.failed' AND actor = $1", email
    )
    assert row is not None


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        (None, "Missing bearer token"),
        ("", "Missing bearer token"),
        ("garbage", "Invalid token"),
        (unsigned("t"), "Invalid token"),
        (jwt.encode(payload("t"), SECRET * 2, algorithm="HS512"), "Invalid token"),
        (token_of("t", secret="another-secret-that-nobody-configured"), "Invalid token"),
        (token_of("t", exp=1), "Token expired"),
        (token_of("t", exp=None), "Invalid token"),
        (token_of("t", exp="soon"), "Invalid token"),
        (token_of("t", exp=float("inf")), "Invalid token"),
        (token_of("t", nbf=32503680000), "Invalid token"),
        (token_of("t", iss="somebody-else"), "Invalid token"),
        (token_of("t", iss=None), "Invalid token"),
        (token_of("t", sub=None), "Invalid token"),
        (token_of("t", tid=None), "Invalid token"),
        (token_of("t", tid=""), "Invalid token"),
        (token_of("t", tid="t" * 65), "Invalid token"),
        (token_of("t", roles="admin"), "Invalid token"),
        (token_of("t", sub="a\0b"), "Invalid token"),
        (token_of("t", plan="\ud800"), "Invalid token"),
        (token_of("t", perms=["x" * 321]), "Invalid token"),
    ],
)
async def test_only_our_tokens_are_accepted(api: Api, token: str | None, detail: str) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = await api.stranger().call("GET", "/v1/me", headers=headers)
    assert (answer.status, problem(answer)["detail"]) == (401, detail)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_previous_secret_still_verifies_and_an_audience_is_ignored(api: Api) -> None:
    for token in (token_of("t", secret=PREVIOUS), token_of("t", aud="account")):
        assert (await Client(api.http, api.base, token=token).call("GET", "/v1/me")).status == 200


async def test_missing_claims_have_the_defaults_of_the_reference(api: Api) -> None:
    token = token_of("t", plan=None, region=None, roles=None, perms=None, jti=None)
    me = (await Client(api.http, api.base, token=token).call("GET", "/v1/me")).json
    assert (me["plan"], me["region"], me["roles"], me["perms"], me["jti"]) == ("free", "region-a", [], [], "")


async def test_checks_are_made_in_their_order(api: Api, tenant_id: str) -> None:
    """Each request repairs what the one before was refused for."""
    path, bad = "/v1/payment-intents", b"{bad"
    token = {"Authorization": f"Bearer {token_of(tenant_id, perms=['payments:read'])}"}
    able = {"Authorization": f"Bearer {token_of(tenant_id)}"}
    tenant = {"X-Tenant-Id": tenant_id}
    steps: list[tuple[dict[str, str], bytes, int, str]] = [
        ({}, bad, 401, "Missing bearer token"),
        (token, bad, 400, "Missing X-Tenant-Id"),
        (token | {"X-Tenant-Id": "other"}, bad, 403, "Tenant mismatch"),
        (token | tenant, bad, 403, "Missing permission: payments:write"),
        (able | tenant, bad, 400, "the request body is not valid JSON in UTF-8"),
        (able | tenant, json.dumps(BODY | {"amount": 0}).encode(), 422, "amount must be greater than 0"),
        (
            able | tenant,
            json.dumps(BODY).encode(),
            400,
            "Missing Idempotency-Key header (required for POST /v1/payment-intents)",
        ),
    ]
    for headers, raw, status, detail in steps:
        answer = await api.stranger().call("POST", path, raw=raw, headers=headers)
        assert (answer.status, problem(answer)["detail"]) == (status, detail)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"perms": []}, "Missing permission: payments:write"),
        ({"plan": "free"}, "Plan 'free' not allowed"),
        ({"plan": "starter"}, "Plan 'starter' not allowed"),
        ({"plan": "gold"}, "Plan 'gold' not allowed"),
        ({"region": "mars-1"}, "Region 'mars-1' not allowed"),
        ({"plan": " Professional "}, None),
        ({"plan": "enterprise"}, None),
        ({"region": "us-east-1"}, None),
        ({"region": ""}, None),
        *(({"region": region}, None) for region in ("us-west-2", "eu-west-1", "sa-east-1", "global")),
    ],
)
async def test_policies_narrow_a_permission(
    api: Api, tenant_id: str, changes: dict[str, Any], detail: str | None
) -> None:
    answer = await api.client(tenant_id, **changes).call("POST", "/v1/payment-intents", BODY, key="k")
    if detail is None:
        assert answer.status == 200
        return
    refusal = problem(answer)
    assert (answer.status, refusal["detail"], refusal["permissionCode"]) == (403, detail, "payments:write")
    row = await api.database.fetchrow(
        "SELECT actor, target, outcome FROM audit_log WHERE tenant_id = $1 AND action = 'authz.denied'", tenant_id
    )
    assert row is not None
    assert tuple(row) == ("ops@example.com", "payments:write", "denied")


async def test_a_tenant_works_in_the_region_that_its_registry_names(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id, region="me-south-1")
    assert (await client.call("GET", "/v1/payment-intents")).status == 403
    await api.database.write("UPDATE tenants SET origin = 'sync', region = 'me-south-1' WHERE id = $1", tenant_id)
    async with eventually():
        while (await client.call("GET", "/v1/payment-intents")).status != 200:
            await asyncio.sleep(0.1)


async def test_a_suspended_tenant_is_refused(api: Api, tenant_id: str) -> None:
    await api.client(tenant_id).create()
    await api.database.write("UPDATE tenants SET status = 'SUSPENDED' WHERE id = $1", tenant_id)
    async with eventually():
        while (answer := await api.client(tenant_id).call("GET", "/v1/payment-intents")).status != 403:
            await asyncio.sleep(0.1)
    assert problem(answer)["code"] == "tenant_suspended"


async def test_a_verified_token_makes_its_tenant_known_once(api: Api, tenant_id: str) -> None:
    answers = await asyncio.gather(*(api.client(tenant_id).call("GET", "/v1/payment-intents") for _ in range(10)))
    assert {a.status for a in answers} == {200}
    published = await api.database.fetch(
        "SELECT body FROM outbox WHERE contract LIKE '%tenant.provisioned' AND tenant_id = $1", tenant_id
    )
    assert [json.loads(row["body"]) for row in published] == [{"tenant_id": tenant_id, "name": tenant_id}]


async def test_a_tenant_just_made_is_not_refused_for_what_was_read_before(
    api: Api, tenant_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second request reads the tenant before the first has made it, and its read ends after the first has its answer."""
    reads = 0
    has_read, may_end = asyncio.Event(), asyncio.Event()
    later: list[asyncio.Task[Answer]] = []
    read_tenant, provision = identity.tenant, commands.provision

    async def read(database: Database, looked_up: str, *, since: datetime) -> tuple[Tenant, dict[str, float]] | None:
        nonlocal reads
        found = await read_tenant(database, looked_up, since=since)
        reads += 1
        if reads == 2:
            has_read.set()
            await may_end.wait()
        return found

    async def make(*args: Any, **options: Any) -> bool:
        if not later:
            later.append(asyncio.create_task(api.client(tenant_id).call("GET", "/v1/payment-intents")))
            await has_read.wait()
        return await provision(*args, **options)

    monkeypatch.setattr(identity, "tenant", read)
    monkeypatch.setattr(access, "provision", make)
    first = asyncio.create_task(api.client(tenant_id).call("GET", "/v1/payment-intents"))
    await asyncio.wait([first], timeout=10)
    may_end.set()
    assert [(await first).status, (await later[0]).status] == [200, 200]
    assert first.done() and reads >= 3


async def test_without_auto_provision_unknown_tenants_are_refused(api_database: TestDatabase, tenant_id: str) -> None:
    async with serving(api_database, settings_for(api_database, auto_provision=False)) as strict:
        answer = await strict.client(tenant_id).call("GET", "/v1/payment-intents")
    assert (answer.status, problem(answer)["code"]) == (403, "tenant_unknown")


async def test_a_global_admin_acts_for_every_known_tenant(api: Api, tenant_id: str) -> None:
    await api.client(tenant_id).create()
    for tid in ("*", "00000000-0000-0000-0000-000000000001"):
        admin = {"tid": tid, "roles": ["admin"], "perms": [], "plan": "free"}
        assert (await api.client(tenant_id, **admin).call("GET", "/v1/payment-intents")).json["total"] == 1
        platform = await api.client("00000000-0000-0000-0000-000000000001", **admin).call("GET", "/v1/payment-intents")
        assert platform.status == 200
        assert (await api.client("never-seen", **admin).call("GET", "/v1/payment-intents")).status == 403
    plain = api.client(tenant_id, tid="*", roles=["ops"])
    assert problem(await plain.call("GET", "/v1/payment-intents"))["detail"] == "Tenant mismatch"
