"""A tenant's identity provider: who sets it, what is kept of it, and what it forgets."""

import base64
import os
from uuid import UUID, uuid4

import pytest

from libs.common.clock import SystemClock
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.api.http.callers import PLATFORM_TENANT, Caller, Principal
from services.api.identity_errors import ConsoleOff
from services.api.identity_providers import IdentityProviders, ProviderSecrets, Resealer
from services.api.settings import LOCAL_CONSOLE_KEY
from tests.integration.api.administration.test_administration import added, admin, code
from tests.integration.api.conftest import Api
from tests.support.platform import Client

PATH = "/v1/identity-provider"
SECRET = "the-secret-of-the-client-there"
STATED = {"issuer": "https://login.example.com/realms/acme", "client_id": "payments", "client_secret": SECRET}


async def sealed(api: Api, tenant: str) -> bytes:
    (row,) = await api.database.fetch("SELECT client_secret FROM identity_providers WHERE tenant_id = $1", tenant)
    found: bytes = row["client_secret"]
    return found


async def bound(api: Api, tenant: str) -> int:
    return len(await api.database.fetch("SELECT FROM user_identities WHERE tenant_id = $1", tenant))


async def lines(client: Client, action: str) -> list[tuple[str, str, str]]:
    found = await client.call("GET", f"/v1/audit?action={action}")
    return [(line["target"], line["outcome"], str(line["detail"])) for line in found.json["data"]]


async def bind(api: Api, tenant: str, user_id: str) -> None:
    statement = "INSERT INTO user_identities (tenant_id, subject, user_id, issuer, bound_at) VALUES ($1, 's', $2, 'i', now()) RETURNING 1"
    await api.database.write(statement, tenant, UUID(user_id))


async def test_it_is_set_shown_without_its_secret_and_deleted(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    assert code(await root.call("GET", PATH)) == (404, "identity_provider_not_found")
    assert code(await root.call("DELETE", PATH)) == (404, "identity_provider_not_found")

    set_ = await root.call("PUT", PATH, STATED)
    assert set_.status == 200, set_.raw
    shown = await root.call("GET", PATH)
    assert shown.json == set_.json
    assert SECRET not in shown.raw.decode() and shown.json["has_client_secret"]
    assert shown.json["redirect_path"].startswith("/console/login/callback/")
    assert SECRET.encode() not in await sealed(api, tenant_id)
    assert ProviderSecrets(LOCAL_CONSOLE_KEY).open_of(tenant_id, await sealed(api, tenant_id)) == SECRET

    public = await root.call("PUT", PATH, {"issuer": STATED["issuer"], "client_id": "public"})
    assert not public.json["has_client_secret"]
    assert public.json["created_at"] == set_.json["created_at"] < public.json["updated_at"]
    # Where browsers come back to stays, so that it need not be registered again.
    assert public.json["redirect_path"] == set_.json["redirect_path"]

    assert (await root.call("DELETE", PATH)).status == 204
    assert code(await root.call("GET", PATH)) == (404, "identity_provider_not_found")
    audited = await lines(root, "identity_provider.put") + await lines(root, "identity_provider.delete")
    assert [(target, outcome) for target, outcome, _ in audited] == [(STATED["issuer"], "success")] * 3
    assert SECRET not in str(audited)


async def test_each_tenant_has_its_own(api: Api, tenant_id: str) -> None:
    other = f"{tenant_id}-other"
    for tenant in (tenant_id, other):
        answer = await admin(api, tenant).call("PUT", PATH, STATED | {"client_id": tenant})
        assert answer.status == 200
    paths = {(await admin(api, tenant).call("GET", PATH)).json["redirect_path"] for tenant in (tenant_id, other)}
    assert len(paths) == 2
    assert (await admin(api, other).call("DELETE", PATH)).status == 204
    assert (await admin(api, tenant_id).call("GET", PATH)).json["client_id"] == tenant_id


async def test_only_who_may_all_that_users_may_decides_who_is_whom(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    await added(root, "ops")
    lesser = admin(api, tenant_id, sub="lesser@t", perms=["admin:write", "profile:read"])

    refused = await lesser.call("PUT", PATH, STATED)

    assert code(refused) == (403, "scope_exceeds_caller")
    assert "ledger:read" in refused.json["detail"]
    assert [line[:2] for line in await lines(root, "authz.denied")] == [("identity provider", "denied")]
    assert (await root.call("PUT", PATH, STATED)).status == 200
    sales = api.client(tenant_id, perms=["payments:read", "payments:write"])
    assert code(await sales.call("GET", PATH)) == (403, "missing_permission")


async def test_operators_alone_set_that_of_the_platform(api: Api) -> None:
    operator = api.client(PLATFORM_TENANT, sub="root@platform", tid="*", roles=["admin"], perms=[])
    other = admin(api, PLATFORM_TENANT, roles=["ops"])
    assert code(await other.call("PUT", PATH, STATED)) == (403, "operator_required")
    assert (await operator.call("PUT", PATH, STATED)).status == 200
    assert code(await other.call("DELETE", PATH)) == (403, "operator_required")
    assert (await operator.call("DELETE", PATH)).status == 204


@pytest.mark.parametrize(
    "issuer",
    [
        "login.example.com",
        "ftp://login.example.com",
        "https://",
        "https://[",
        "https://user:pass@login.example.com",
        "https://login.example.com/?a=b",
        "https://login.example.com/#a",
        "https://login.example.com/a b",
        "https://login.example.com\\evil",
        "https://lógin.example.com",
        "https://login.example.com:99999",
    ],
)
async def test_what_can_be_no_issuer_is_refused(api: Api, tenant_id: str, issuer: str) -> None:
    answer = await admin(api, tenant_id).call("PUT", PATH, STATED | {"issuer": issuer})
    assert code(answer) == (422, "invalid_request")
    assert answer.json["errors"][0]["pointer"] == "/issuer"


async def test_who_was_who_at_another_provider_is_forgotten(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    user = await added(root, "ops")
    assert (await root.call("PUT", PATH, STATED)).status == 200
    await bind(api, tenant_id, user["id"])

    assert (await root.call("PUT", PATH, STATED | {"client_secret": "another"})).status == 200
    assert await bound(api, tenant_id) == 1

    for changed in ({"client_id": "other"}, {"issuer": "https://other.example.com"}):
        assert (await root.call("PUT", PATH, STATED | changed)).status == 200
        assert await bound(api, tenant_id) == 0
        await bind(api, tenant_id, user["id"])
    assert (await root.call("DELETE", PATH)).status == 204
    assert await bound(api, tenant_id) == 0


async def test_secrets_follow_the_key_that_seals_them(api: Api, tenant_id: str) -> None:
    assert (await admin(api, tenant_id).call("PUT", PATH, STATED)).status == 200
    before = await sealed(api, tenant_id)
    key = base64.b64encode(os.urandom(32)).decode()
    rotated = ProviderSecrets(key, (LOCAL_CONSOLE_KEY,))
    assert rotated.open_of(tenant_id, before) == SECRET

    await Resealer(api.database, secrets=rotated).run()

    after = await sealed(api, tenant_id)
    assert ProviderSecrets(key).open_of(tenant_id, after) == SECRET
    # As the api of this module has it, which other tests use.
    await Resealer(api.database, secrets=ProviderSecrets(LOCAL_CONSOLE_KEY, (key,))).run()


async def test_a_secret_that_cannot_be_opened_keeps_no_other_from_its_turn(api: Api, tenant_id: str) -> None:
    tenants = sorted([tenant_id, str(uuid4())])
    for each in tenants:
        assert (await admin(api, each).call("PUT", PATH, STATED)).status == 200
    lost, key = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    async with api.database.transaction() as tx:
        unreadable = ProviderSecrets(lost).seal_of(tenants[0], SECRET)
        await tx.execute(
            "UPDATE identity_providers SET client_secret = $2 WHERE tenant_id = $1", tenants[0], unreadable
        )

    await Resealer(api.database, secrets=ProviderSecrets(key, (LOCAL_CONSOLE_KEY,))).run()

    assert await sealed(api, tenants[0]) == unreadable
    assert ProviderSecrets(key).open_of(tenants[1], await sealed(api, tenants[1])) == SECRET
    # As the api of this module has it, which other tests use.
    await Resealer(api.database, secrets=ProviderSecrets(LOCAL_CONSOLE_KEY, (key, lost))).run()


async def test_without_a_console_none_is_set(api: Api, tenant_id: str) -> None:
    decisions = IdentityProviders(api.database, clock=SystemClock(), secrets=None, is_local=False)
    principal = Principal(
        sub="root@t", tid=tenant_id, roles=("admin",), perms=frozenset(), plan="pro", region="r", jti=""
    )
    correlation = Correlation(correlation_id=new_id().hex, tenant_id=tenant_id)
    caller = Caller(principal=principal, tenant_id=tenant_id, correlation=correlation, features=frozenset())

    with pytest.raises(ConsoleOff):
        await decisions.put(caller, issuer="https://a.example", client_id="a", client_secret="b", action="a")
