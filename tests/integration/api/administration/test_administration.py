"""Tenants, users, roles and policies: who administers them, and that nobody gives what they do not have."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from services.api.http.callers import PLATFORM_TENANT
from tests.integration.api.access.test_access import log_in, problem
from tests.integration.api.access.test_features import operator, pair, tenant_admin
from tests.integration.api.conftest import SECRET, Api
from tests.support.platform import Answer, Client

__all__ = ["pair"]

PASSWORD = "a-long-password-of-one-person"
ACME = {"name": "Acme", "plan": "enterprise", "region": "me-south-1"}
ALL = [
    "payments:write",
    "payments:read",
    "ledger:read",
    "ledger:write",
    "ledger:approve",
    "admin:write",
    "profile:read",
]


def admin(api: Api, tenant: str, **changes: Any) -> Client:
    return api.client(tenant, **{"sub": "root@t", "roles": ["admin"], "perms": ALL, "plan": "enterprise", **changes})


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, "" if answer.status < 400 else problem(answer)["code"]


async def added(client: Client, *roles: str) -> dict[str, Any]:
    body = {"email": f"{uuid4().hex}@Example.com", "password": PASSWORD, "roles": list(roles)}
    answer = await client.call("POST", "/v1/users", body)
    assert answer.status == 201, answer.raw
    user: dict[str, Any] = answer.json
    return user


async def stated(api: Api, tenant: str, contract: str) -> int:
    """Count what was published about a tenant; where two processes run beside this one, their relays have sent some already."""
    where = "tenant_id = $1 AND contract LIKE $2"
    rows = await api.database.fetch(
        f"SELECT FROM outbox WHERE {where} UNION ALL SELECT FROM outbox_published WHERE {where}", tenant, contract
    )
    return len(rows)


async def test_tenant_is_made_known_with_its_accounts_and_changed(api: Api, tenant_id: str) -> None:
    root, path = operator(api, PLATFORM_TENANT), f"/v1/tenants/{tenant_id}"
    assert code(await root.call("GET", path)) == (404, "tenant_not_found")
    for _ in range(2):
        assert (await root.call("PUT", path, ACME)).json == ACME | {
            "id": tenant_id,
            "status": "ACTIVE",
            "origin": "seed",
        }
    assert await stated(api, tenant_id, "%provisioned%") == 1
    # It works with the region that it carries, which no policy lists.
    member = api.client(tenant_id, region="me-south-1")
    assert (await member.call("GET", "/v1/payment-intents")).status == 200
    assert (await root.call("PUT", path, ACME | {"status": "SUSPENDED"})).status == 200
    assert code(await member.call("GET", "/v1/payment-intents")) == (403, "tenant_suspended")
    assert (await root.call("GET", path)).json["status"] == "SUSPENDED"
    listed = (await root.call("GET", f"/v1/tenants?limit=1&after={tenant_id[:-1]}")).json
    assert [each["id"] for each in listed["data"]] == [tenant_id]
    refused = await root.call("PUT", f"/v1/tenants/{PLATFORM_TENANT}", ACME | {"status": "DELETED"})
    assert code(refused) == (422, "invalid_request")
    for bad in ("*", "a%20b", "x" * 65):
        assert (await root.call("PUT", f"/v1/tenants/{bad}", ACME)).status == 422
    # Whoever changes the plan of one that is suspended or deleted does not let it in again.
    for status in ("SUSPENDED", "DELETED"):
        assert (await root.call("PUT", path, ACME | {"status": status})).json["status"] == status
        assert (await root.call("PUT", path, ACME | {"plan": "pro"})).json["status"] == status
        assert code(await member.call("GET", "/v1/payment-intents")) == (403, f"tenant_{status.lower()}")
    assert (await root.call("PUT", path, ACME | {"status": "ACTIVE"})).status == 200
    assert (await member.call("GET", "/v1/payment-intents")).status == 200
    lines = (await operator(api, tenant_id).call("GET", "/v1/audit?action=tenant.put")).json["data"]
    assert [line["detail"]["status"] for line in lines] == [
        *["ACTIVE", "DELETED", "DELETED"],
        *["SUSPENDED"] * 3,
        *["ACTIVE"] * 2,
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/tenants", None),
        ("PUT", "/v1/tenants/x", ACME),
        ("PUT", "/v1/roles/ops", {"description": "", "permissions": []}),
        ("PUT", "/v1/policies/admin:write", {"effect": "allow", "allowed_plans": [], "allowed_regions": []}),
    ],
)
async def test_what_concerns_every_tenant_is_for_operators(
    api: Api, tenant_id: str, method: str, path: str, body: Any
) -> None:
    assert code(await admin(api, tenant_id).call(method, path, body)) == (403, "operator_required")


async def test_user_is_added_changed_and_disabled(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    assert (await root.call("GET", "/v1/users")).json["data"] == []
    user = await added(root, "sales")
    path = f"/v1/users/{user['id']}"

    async def claims(password: str) -> dict[str, Any]:
        answer = await log_in(api, user["email"], password)
        assert answer.status == 200, answer.raw
        found: dict[str, Any] = jwt.decode(answer.json["access_token"], SECRET, algorithms=["HS256"])
        return found

    assert user["email"] == user["email"].lower()
    assert (await claims(PASSWORD))["tid"] == tenant_id
    assert (await root.call("PATCH", path, {"roles": ["ops"], "password": PASSWORD[::-1]})).json["roles"] == ["ops"]
    assert "payments:write" in (await claims(PASSWORD[::-1]))["perms"]
    assert (await log_in(api, user["email"], PASSWORD)).status == 401
    assert (await root.call("PATCH", path, {"is_disabled": True})).json["disabled_at"] is not None
    assert code(await log_in(api, user["email"], PASSWORD[::-1])) == (401, "invalid_credentials")
    assert (await root.call("PATCH", path, {"is_disabled": False})).json["disabled_at"] is None
    assert (await log_in(api, user["email"], PASSWORD[::-1])).status == 200
    raw = (await root.call("GET", "/v1/users")).raw + (await root.call("GET", "/v1/audit")).raw
    assert b"argon2" not in raw
    assert PASSWORD.encode() not in raw
    assert [line["action"] for line in (await root.call("GET", "/v1/audit?action=user.")).json["data"]] == [
        *["user.change"] * 3,
        "user.create",
    ]


async def test_nobody_gives_or_takes_over_more_than_they_have(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    strong = await added(root, "admin")
    lesser = admin(api, tenant_id, sub="lesser@t", perms=["admin:write", "payments:read", "profile:read"])
    body = {"email": "x@example.com", "password": PASSWORD, "roles": ["ops"]}
    assert code(await lesser.call("POST", "/v1/users", body)) == (403, "scope_exceeds_caller")
    weak = await added(lesser, "sales")
    for user, changes in (
        (weak, {"roles": ["admin"]}),
        (strong, {"password": PASSWORD}),
        (strong, {"is_disabled": True}),
        (strong, {"roles": []}),
    ):
        refused = await lesser.call("PATCH", f"/v1/users/{user['id']}", changes)
        assert code(refused) == (403, "scope_exceeds_caller")
    # Nor through a key, nor of another tenant, nor of the platform.
    made = await root.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["admin:write"]})
    key = Client(api.http, api.base, token=made.json["secret"], tenant=tenant_id)
    assert code(await key.call("POST", "/v1/users", body)) == (403, "scope_exceeds_caller")
    other = admin(api, f"{tenant_id}-other")
    assert code(await other.call("PATCH", f"/v1/users/{weak['id']}", {"roles": []})) == (404, "user_not_found")
    assert (await other.call("GET", "/v1/users")).json["data"] == []
    member = admin(api, PLATFORM_TENANT, roles=["ops"])
    for method, given in (("POST", body), ("GET", None)):
        assert code(await member.call(method, "/v1/users", given)) == (403, "operator_required")
    taken = body | {"email": weak["email"].upper()}
    assert code(await other.call("POST", "/v1/users", taken)) == (409, "login_name_taken")
    lines = (await other.call("GET", "/v1/audit?action=user.")).json["data"]
    assert [(line["target"], line["outcome"], line["detail"]) for line in lines] == [
        (weak["email"], "failed", {"reason": "login_name_taken"})
    ]
    own = admin(api, tenant_id, sub=strong["email"])
    for changes in ({"is_disabled": True}, {"roles": ["admin"]}):
        assert code(await own.call("PATCH", f"/v1/users/{strong['id']}", changes)) == (409, "own_account")
    # A token in other hands must not suffice for the password, nor a key that was made with it.
    made = await own.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["admin:write"]})
    key = Client(api.http, api.base, token=made.json["secret"], tenant=tenant_id)
    for client in (own, key):
        refused = await client.call("PATCH", f"/v1/users/{strong['id']}", {"password": PASSWORD[::-1]})
        assert code(refused) == (409, "present_password_required")
    assert (await log_in(api, strong["email"], PASSWORD)).status == 200
    assert (await own.call("PATCH", f"/v1/users/{weak['id']}", {"password": PASSWORD[::-1]})).status == 200


async def test_who_is_disabled_leaves_no_key_and_no_user_behind(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    user, weak = await added(root, "admin"), await added(root, "sales")
    # An identity provider may issue tokens after the change too; ours are refused as those of before.
    gone = admin(api, tenant_id, sub=user["email"], iat=4_000_000_000)
    key = (await gone.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["payments:read"]})).json
    assert (await root.call("PATCH", f"/v1/users/{user['id']}", {"is_disabled": True})).status == 200
    for method, path, body in (
        ("POST", "/v1/users", {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "roles": []}),
        ("PATCH", f"/v1/users/{weak['id']}", {"password": PASSWORD}),
        ("POST", "/v1/api-keys", {"name": "k", "scopes": ["payments:read"]}),
        ("POST", f"/v1/api-keys/{key['id']}/rotate", None),
    ):
        assert code(await gone.call(method, path, body)) == (403, "scope_exceeds_caller")
    # Nor does it concern somebody of another tenant whom an identity provider calls alike.
    other = admin(api, f"{tenant_id}-other", sub=user["email"])
    assert (await other.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["payments:read"]})).status == 201
    lines = (await root.call("GET", "/v1/audit?action=authz.denied")).json["data"]
    assert [(line["actor"], line["target"], line["detail"]["reason"]) for line in lines] == [
        (user["email"], target, "scope_exceeds_caller") for target in (key["id"], "api_keys", weak["id"], "users")
    ]
    assert len((await root.call("GET", "/v1/api-keys")).json["data"]) == 1


@pytest.mark.parametrize(
    "change", [{"is_disabled": True}, {"password": PASSWORD[::-1]}, {"roles": ["sales"]}, {"roles": ["ops"]}]
)
@pytest.mark.parametrize("is_operator", [False, True])
async def test_tokens_of_before_a_change_are_refused(
    api: Api, tenant_id: str, change: dict[str, Any], is_operator: bool
) -> None:
    root = operator(api, PLATFORM_TENANT) if is_operator else admin(api, tenant_id)
    tenant = PLATFORM_TENANT if is_operator else tenant_id
    user, other = await added(root, "ops"), await added(root, "ops")
    if is_operator:
        await api.database.fetch("UPDATE users SET tenant_id = NULL WHERE id = $1", UUID(user["id"]))

    async def token(email: str, password: str = PASSWORD) -> Client:
        answer = await log_in(api, email, password)
        assert answer.status == 200, answer.raw
        return Client(api.http, api.base, token=answer.json["access_token"], tenant=tenant)

    # Operators without a tenant are known by `tid`; one that is none may not log in, and has a token by hand.
    by_hand = api.client(tenant, sub=user["email"], tid="*", roles=["admin"], perms=["payments:read"])
    before, untouched = by_hand if is_operator else await token(user["email"]), await token(other["email"])
    alike = api.client(f"{tenant_id}-other", sub=user["email"])
    assert code(await before.call("GET", "/v1/payment-intents")) == (200, "")

    async def published() -> int:
        return await stated(api, "" if is_operator else tenant, "event:api:access.changed")

    earlier = await published()
    assert (await root.call("PATCH", f"/v1/users/{user['id']}", change)).status == 200
    is_refused = change != {"roles": ["ops"]}
    for path in ("/v1/payment-intents", "/v1/me"):
        expected = (401, "token_expired") if is_refused else (200, "")
        assert code(await before.call("GET", path)) == expected
    assert code(await untouched.call("GET", "/v1/payment-intents")) == (200, "")
    assert code(await alike.call("GET", "/v1/payment-intents")) == (200, "")
    if not (is_operator or "is_disabled" in change):
        again = await token(user["email"], change.get("password", PASSWORD))
        assert code(await again.call("GET", "/v1/payment-intents")) == (200, "")
    assert (await published() > earlier) is is_refused


async def test_tokens_of_before_are_refused_by_every_process(pair: tuple[Api, Api], tenant_id: str) -> None:
    root = admin(pair[0], tenant_id)
    user = await added(root, "ops")
    token = (await log_in(pair[0], user["email"], PASSWORD)).json["access_token"]
    there = Client(pair[1].http, pair[1].base, token=token, tenant=tenant_id)
    assert code(await there.call("GET", "/v1/payment-intents")) == (200, "")
    assert (await root.call("PATCH", f"/v1/users/{user['id']}", {"is_disabled": True})).status == 200
    async with asyncio.timeout(60):
        while code(await there.call("GET", "/v1/payment-intents")) != (401, "token_expired"):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("is_disabled", [True, False])
async def test_login_waits_for_a_change_that_is_not_committed_yet(api: Api, tenant_id: str, is_disabled: bool) -> None:
    user = await added(admin(api, tenant_id), "ops")
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1"
    async with api.database.transaction() as tx:
        await tx.execute("SELECT 1 FROM users WHERE id = $1 FOR UPDATE", UUID(user["id"]))
        login = asyncio.create_task(log_in(api, user["email"], PASSWORD))
        async with asyncio.timeout(60):
            while not await api.database.fetch(waits, "%FOR SHARE OF users%"):
                await asyncio.sleep(0.01)
        await tx.execute(
            "UPDATE users SET roles = '{sales}', tokens_from = clock_timestamp(), "
            "disabled_at = CASE WHEN $2 THEN now() END WHERE id = $1",
            UUID(user["id"]),
            is_disabled,
        )
    answer = await login
    if is_disabled:
        assert code(answer) == (401, "invalid_credentials")
        return
    claims = jwt.decode(answer.json["access_token"], SECRET, algorithms=["HS256"])
    assert claims["roles"] == ["sales"]
    new = Client(api.http, api.base, token=answer.json["access_token"], tenant=tenant_id)
    assert (await new.call("GET", "/v1/me")).status == 200


@pytest.mark.parametrize("is_operator", [False, True])
async def test_old_token_is_refused_however_long_ago_the_change_was(
    api: Api, tenant_id: str, is_operator: bool
) -> None:
    user, other = await added(admin(api, tenant_id), "ops"), await added(admin(api, tenant_id), "ops")
    await api.database.fetch(
        "UPDATE users SET tokens_from = now() - interval '30 days', tenant_id = CASE WHEN $2 THEN NULL ELSE tenant_id END "
        "WHERE id = $1",
        UUID(user["id"]),
        is_operator,
    )
    changes: dict[str, Any] = {"tid": "*", "roles": ["admin"]} if is_operator else {}
    old, late = (int((datetime.now(UTC) - timedelta(days=days)).timestamp()) for days in (31, 29))
    for who, issued_at, expected in (
        (user, old, (401, "token_expired")),
        (user, None, (401, "token_expired")),
        (user, late, (200, "")),
        (other, old, (200, "")),
    ):
        client = api.client(tenant_id, sub=who["email"], iat=issued_at, **changes)
        for _ in range(2):
            assert code(await client.call("GET", "/v1/payment-intents")) == expected


async def test_operator_adds_another_one(api: Api) -> None:
    root = operator(api, PLATFORM_TENANT)
    assert any(user["is_operator"] for user in (await root.call("GET", "/v1/users")).json["data"])
    user = await added(root, "admin")
    answer = await log_in(api, user["email"], PASSWORD)
    new = Client(api.http, api.base, token=answer.json["access_token"], tenant=PLATFORM_TENANT)
    assert (await new.call("GET", "/v1/tenants")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"email": "no address", "password": PASSWORD, "roles": []},
        {"email": "a@example.com", "password": "short", "roles": []},
        {"email": "a@example.com", "password": PASSWORD, "roles": ["emperor"]},
        {"email": "a@example.com", "password": "\0" * 12, "roles": []},
    ],
)
async def test_impossible_user_is_refused(api: Api, tenant_id: str, body: dict[str, Any]) -> None:
    assert (await admin(api, tenant_id).call("POST", "/v1/users", body)).status == 422


async def test_role_is_made_and_means_what_it_lists(api: Api, tenant_id: str) -> None:
    root, name = operator(api, PLATFORM_TENANT), f"r{uuid4().hex[:8]}"
    for permissions in (["profile:read", "ledger:read"], ["payments:read"]):
        put = await root.call("PUT", f"/v1/roles/{name}", {"description": "d", "permissions": permissions})
        assert put.json["permissions"] == sorted(permissions)
    listed = {role["name"]: role for role in (await admin(api, tenant_id).call("GET", "/v1/roles")).json}
    assert listed[name]["permissions"] == ["payments:read"]
    user = await added(admin(api, tenant_id), name)
    token = (await log_in(api, user["email"], PASSWORD)).json["access_token"]
    assert jwt.decode(token, SECRET, algorithms=["HS256"])["perms"] == ["payments:read"]
    for path, body in (
        (f"/v1/roles/{name}", {"description": "d", "permissions": ["payments:steal"]}),
        ("/v1/roles/Not%20One", {"description": "d", "permissions": []}),
    ):
        assert (await root.call("PUT", path, body)).status == 422


async def test_policy_restricts_also_the_region_of_a_tenant_where_it_says_so(api: Api, tenant_id: str) -> None:
    root, path = operator(api, PLATFORM_TENANT), "/v1/policies/profile:read"
    before = next(
        each for each in (await root.call("GET", "/v1/policies")).json if each["permission"] == "profile:read"
    )
    kept = {name: before[name] for name in ("effect", "allowed_plans", "allowed_regions", "admits_home_region")}
    await root.call("PUT", f"/v1/tenants/{tenant_id}", ACME | {"region": "region-a"})
    narrow = {"effect": "allow", "allowed_plans": [], "allowed_regions": ["eu-west-1"]}
    flags = "/v1/feature-flags"
    try:
        for changes, status in (({}, 200), ({"admits_home_region": False}, 403), ({"allowed_regions": []}, 200)):
            assert (await root.call("PUT", path, narrow | changes)).status == 200
            assert (await tenant_admin(api, tenant_id).call("GET", flags)).status == status
    finally:
        assert (await root.call("PUT", path, kept)).json == before
    lines = (await root.call("GET", "/v1/audit?action=policy.put")).json["data"]
    assert [line["detail"]["admits_home_region"] for line in lines[1:3]] == ["true", "false"]
    unknown = await root.call("PUT", "/v1/policies/payments:steal", kept)
    assert code(unknown) == (404, "permission_unknown")
