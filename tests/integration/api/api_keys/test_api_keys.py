"""API keys: who makes them, what they may do, and that one that ends is refused by every process at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.web.errors import InvalidToken, RateLimited
from services.api.api_keys import Bearers, KeyMode, KeyVerifier
from services.api.api_keys.domain import digest_of, is_secret, mode_of, new_secret
from services.api.http.callers import PLATFORM_TENANT, Principal
from tests.integration.api.access.test_access import problem
from tests.integration.api.access.test_features import pair
from tests.integration.api.conftest import Api
from tests.support.databases import TestDatabase
from tests.support.platform import Answer, Client

__all__ = ["pair"]

KEYS = "/v1/api-keys"
SCOPES = ["payments:read", "payments:write"]
ALL = [*SCOPES, "ledger:read", "ledger:approve", "admin:write", "profile:read"]


def admin(api: Api, tenant: str, **changes: Any) -> Client:
    return api.client(tenant, **{"sub": "root@t", "roles": ["admin"], "perms": ALL, "plan": "enterprise", **changes})


async def made(client: Client, **body: Any) -> dict[str, Any]:
    answer = await client.call("POST", KEYS, {"name": "shop", "scopes": SCOPES, **body})
    assert answer.status == 201, answer.raw
    assert answer.headers["cache-control"] == "no-store"
    key: dict[str, Any] = answer.json
    return key


def bearer(api: Api, secret: str, tenant: str) -> Client:
    return Client(api.http, api.base, token=secret, tenant=tenant)


async def refusal(client: Client, path: str = "/v1/payment-intents") -> tuple[int, str]:
    answer = await client.call("GET", path)
    return answer.status, "" if answer.status < 400 else problem(answer)["code"]


def test_secret_says_its_mode_and_proves_its_own_form() -> None:
    for mode in KeyMode:
        secret = new_secret(mode)
        assert secret.startswith(f"payk_{mode}_")
        assert len(secret) == len(new_secret(mode))
        assert (is_secret(secret), mode_of(secret)) == (True, mode)
        other = "live" if mode is KeyMode.TEST else "test"
        for bad in (secret[:-1], secret + "0", secret.replace(mode, other), secret.swapcase(), "payk_", f"{secret}é"):
            assert mode_of(bad) is None, bad
    assert not is_secret("eyJhbGciOiJIUzI1NiJ9.e30.x")


async def test_key_does_what_its_scopes_say_for_its_tenant_alone(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    key = await made(root)
    assert (key["mode"], key["hint"], key["is_active"]) == ("test", key["secret"][-4:], True)
    shop = bearer(api, key["secret"], tenant_id)
    me = (await shop.call("GET", "/v1/me")).json
    assert (me["sub"], me["tid"], me["roles"], me["perms"]) == (f"key:{key['id']}", tenant_id, [], SCOPES)
    created = await shop.create()
    assert (await shop.call("GET", f"/v1/payment-intents/{created['id']}")).status == 200
    assert await refusal(shop, "/v1/accounts") == (403, "missing_permission")
    assert await refusal(shop, KEYS) == (403, "missing_permission")
    assert await refusal(bearer(api, key["secret"], f"{tenant_id}-other")) == (403, "tenant_mismatch")
    assert await refusal(bearer(api, key["secret"], PLATFORM_TENANT)) == (403, "tenant_mismatch")
    lines = (await root.call("GET", f"/v1/audit?actor=key:{key['id']}")).json["data"]
    assert {"payment_intent.create", "authz.denied"} <= {line["action"] for line in lines}
    line = (await root.call("GET", "/v1/audit?action=api_key.create")).json["data"][0]
    assert (line["actor"], line["target"], line["detail"]) == ("root@t", key["id"], {"scopes": " ".join(SCOPES)})


async def test_secret_is_shown_once_and_never_kept(api: Api, tenant_id: str) -> None:
    key = await made(admin(api, tenant_id))
    shown = [(await admin(api, tenant_id).call("GET", path)).raw for path in (KEYS, f"{KEYS}/{key['id']}")]
    rows = await api.database.fetch("SELECT k::text FROM api_keys AS k WHERE tenant_id = $1", tenant_id)
    rows += await api.database.fetch("SELECT a::text FROM audit_log AS a WHERE tenant_id = $1", tenant_id)
    held = "".join(row[0] for row in rows)
    assert key["secret"] not in "".join([held, *(raw.decode() for raw in shown)])
    assert digest_of(key["secret"]).hex() in held


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"scopes": []}, 422, "invalid_request"),
        ({"scopes": ["payments:steal"]}, 422, "invalid_request"),
        ({"scopes": ["ledger:approve"]}, 422, "invalid_request"),
        ({"scopes": ["ledger:write"]}, 403, "scope_exceeds_caller"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "invalid_request"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, 422, "invalid_request"),
        ({"expires_at": "2027-01-01T00:00:00"}, 422, "invalid_request"),
        ({"name": "two\nlines"}, 422, "invalid_request"),
        ({"mode": "live"}, 422, "unknown_fields"),
        ({"tenant_id": "other"}, 422, "unknown_fields"),
    ],
)
async def test_key_that_would_be_too_much_is_refused(
    api: Api, tenant_id: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await admin(api, tenant_id).call("POST", KEYS, {"name": "shop", "scopes": SCOPES, **body})
    assert (answer.status, problem(answer)["code"]) == (status, code)
    assert (await admin(api, tenant_id).call("GET", KEYS)).json["data"] == []


async def test_key_makes_and_rotates_no_key_that_may_do_more(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    strong, weak = await made(root, scopes=["admin:write", "ledger:read"]), await made(root, scopes=["admin:write"])
    program = bearer(api, weak["secret"], tenant_id)
    for path, body in ((KEYS, {"name": "x", "scopes": ["ledger:read"]}), (f"{KEYS}/{strong['id']}/rotate", {})):
        answer = await program.call("POST", path, body)
        assert (answer.status, problem(answer)["code"]) == (403, "scope_exceeds_caller")
    child = await made(program, scopes=["admin:write"])
    assert child["created_by"] == f"key:{weak['id']}"
    # Nor is a key an operator of the platform, whoever made it.
    operator = api.client(PLATFORM_TENANT, sub="root@platform", tid="*", roles=["admin"], perms=[])
    key = await made(operator, scopes=["admin:write"])
    await api.database.write("UPDATE tenants SET plan = 'enterprise' WHERE id = $1 RETURNING 1", PLATFORM_TENANT)
    flags = await bearer(api, key["secret"], PLATFORM_TENANT).call(
        "PUT", "/v1/feature-flags/audit_export", {"is_enabled": True}
    )
    assert (flags.status, problem(flags)["code"]) == (403, "operator_required")


async def test_key_makes_none_that_ends_after_itself(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    end = datetime.now(UTC) + timedelta(days=10)
    own = await made(root, scopes=["admin:write"], expires_at=end.isoformat())
    endless = await made(root, scopes=["admin:write"])
    program = bearer(api, own["secret"], tenant_id)
    later = {"expires_at": (end + timedelta(seconds=1)).isoformat()}
    for path, body in (
        (KEYS, {"name": "x", "scopes": ["admin:write"], **later}),
        (f"{KEYS}/{own['id']}/rotate", later),
        (f"{KEYS}/{endless['id']}/rotate", later),
    ):
        answer = await program.call("POST", path, body)
        assert (answer.status, problem(answer)["code"]) == (403, "scope_exceeds_caller"), path
    ended = [await made(program, scopes=["admin:write"])]
    ended += [
        (await program.call("POST", f"{KEYS}/{key['id']}/rotate", {"overlap_seconds": 60})).json
        for key in (endless, own)
    ]
    assert {(key["expires_at"], key["responsible"]) for key in ended} == {(own["expires_at"], "root@t")}
    # Nor does one that is rotated, and valid for a minute, make one that is valid for longer than that.
    shown = (await root.call("GET", f"{KEYS}/{own['id']}")).json
    assert (await made(program, scopes=["admin:write"]))["expires_at"] == shown["expires_at"] < own["expires_at"]
    # A person may set a later end, whoever made the key; who has the new secret is responsible.
    other = admin(api, tenant_id, sub="other@t")
    renewed = (await other.call("POST", f"{KEYS}/{ended[-1]['id']}/rotate", later)).json
    assert (renewed["expires_at"] > own["expires_at"], renewed["responsible"]) == (True, "other@t")


async def test_key_of_before_has_its_person_through_the_keys_before(api: Api, tenant_id: str) -> None:
    key = await made(admin(api, tenant_id), scopes=["admin:write"])
    chain = [key]
    for _ in range(2):
        chain.append(await made(bearer(api, chain[-1]["secret"], tenant_id), scopes=["admin:write"]))
    await api.database.write(
        "UPDATE api_keys SET responsible = NULL, scopes = scopes WHERE tenant_id = $1 RETURNING 1", tenant_id
    )
    child = await made(bearer(api, chain[-1]["secret"], tenant_id), scopes=["admin:write"])
    shown = (await admin(api, tenant_id).call("GET", KEYS)).json["data"]
    assert [each["responsible"] for each in [child, *shown]] == ["root@t"] * 5


async def test_keys_of_another_tenant_are_not_found(api: Api, tenant_id: str) -> None:
    key = await made(admin(api, tenant_id))
    other = admin(api, f"{tenant_id}-other")
    assert (await other.call("GET", KEYS)).json["data"] == []
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        answer = await other.call(method, f"{KEYS}/{key['id']}{path}")
        assert (answer.status, problem(answer)["code"]) == (404, "api_key_not_found")
    assert await refusal(bearer(api, key["secret"], tenant_id)) == (200, "")


async def test_list_turns_pages_newest_first(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    ids = [(await made(root, name=str(n)))["id"] for n in range(3)]
    first = (await root.call("GET", f"{KEYS}?limit=2")).json
    rest = (await root.call("GET", f"{KEYS}?limit=2&cursor={first['next_cursor']}")).json
    assert [key["id"] for key in first["data"] + rest["data"]] == ids[::-1]
    assert rest["next_cursor"] is None


async def test_rotated_key_overlaps_and_the_new_one_lives_on(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    end = datetime.now(UTC) + timedelta(days=10)
    old = await made(root, expires_at=end.isoformat())
    answer = await root.call("POST", f"{KEYS}/{old['id']}/rotate", {"overlap_seconds": 3600})
    assert answer.status == 201
    new = answer.json
    assert (new["name"], new["scopes"], new["secret"] != old["secret"]) == (old["name"], old["scopes"], True)
    for secret in (old["secret"], new["secret"]):
        assert await refusal(bearer(api, secret, tenant_id)) == (200, "")
    shown = (await root.call("GET", f"{KEYS}/{old['id']}")).json
    ends = datetime.fromisoformat(shown["expires_at"])
    assert (shown["rotated_to"], ends < datetime.now(UTC) + timedelta(hours=1)) == (new["id"], True)
    assert new["expires_at"] == old["expires_at"]
    again = await root.call("POST", f"{KEYS}/{old['id']}/rotate")
    assert (again.status, problem(again)["code"]) == (409, "api_key_not_active")
    # Without an overlap the one before is refused at once, also where it was just remembered.
    last = (await root.call("POST", f"{KEYS}/{new['id']}/rotate", {"overlap_seconds": 0})).json
    assert await refusal(bearer(api, new["secret"], tenant_id)) == (401, "api_key_expired")
    assert await refusal(bearer(api, last["secret"], tenant_id)) == (200, "")


async def test_two_rotations_at_once_make_one_key(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    key = await made(root)
    answers = await asyncio.gather(*(root.call("POST", f"{KEYS}/{key['id']}/rotate") for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409]
    assert len((await root.call("GET", KEYS)).json["data"]) == 2


async def test_revoked_key_is_refused_and_its_refusal_is_written_down(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    key = await made(root)
    assert await refusal(bearer(api, key["secret"], tenant_id)) == (200, "")
    for _ in range(2):
        assert (await root.call("DELETE", f"{KEYS}/{key['id']}")).status == 204
    for _ in range(3):
        assert await refusal(bearer(api, key["secret"], tenant_id)) == (401, "api_key_revoked")
    # Once a minute, however often it is sent.
    lines = (await root.call("GET", "/v1/audit?outcome=denied")).json["data"]
    assert [(line["action"], line["actor"]) for line in lines] == [("authn.denied", f"key:{key['id']}")]
    revoked = (await root.call("GET", "/v1/audit?action=api_key.revoke")).json["data"]
    assert len(revoked) == 1


async def test_tenant_has_a_bounded_number_of_active_keys(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    key = await made(root)
    await api.database.write(
        "INSERT INTO api_keys SELECT (jsonb_populate_record(k, jsonb_build_object('id', gen_random_uuid(), "
        "'secret_hash', '\\x' || md5(n::text)))).* FROM api_keys AS k, generate_series(1, 99) AS n WHERE k.id = $1 "
        "RETURNING 1",
        key["id"],
    )
    body = {"name": "one more", "scopes": SCOPES}

    async def is_full(path: str = KEYS, sent: dict[str, Any] = body) -> bool:
        answer = await root.call("POST", path, sent)
        assert answer.status == 201 or problem(answer)["code"] == "too_many_api_keys", answer.raw
        return answer.status != 201

    assert await is_full()
    # Who rotates one has one in its place.
    assert not await is_full(f"{KEYS}/{key['id']}/rotate", {})
    assert await is_full()
    newest = (await root.call("GET", f"{KEYS}?limit=1")).json["data"][0]["id"]
    assert (await root.call("DELETE", f"{KEYS}/{newest}")).status == 204
    assert not await is_full()
    # Rotated ones that are still valid are bounded too; one that ends at once leaves its place.
    await api.database.write(
        "INSERT INTO api_keys SELECT (jsonb_populate_record(k, jsonb_build_object('id', gen_random_uuid(), "
        "'secret_hash', '\\x' || md5(('r' || n)::text)))).* FROM api_keys AS k, generate_series(1, 99) AS n WHERE k.id = $1 "
        "RETURNING 1",
        key["id"],
    )
    newest = (await root.call("GET", f"{KEYS}?limit=1")).json["data"][0]["id"]
    assert await is_full(f"{KEYS}/{newest}/rotate", {})
    assert not await is_full(f"{KEYS}/{newest}/rotate", {"overlap_seconds": 0})


async def test_revoked_key_is_refused_by_every_process_at_once(pair: tuple[Api, Api], tenant_id: str) -> None:
    key = await made(admin(pair[0], tenant_id))
    for api in pair:
        assert await refusal(bearer(api, key["secret"], tenant_id)) == (200, "")
    assert (await admin(pair[0], tenant_id).call("DELETE", f"{KEYS}/{key['id']}")).status == 204
    assert await refusal(bearer(pair[0], key["secret"], tenant_id)) == (401, "api_key_revoked")
    async with asyncio.timeout(10):
        while await refusal(bearer(pair[1], key["secret"], tenant_id)) != (401, "api_key_revoked"):
            await asyncio.sleep(0.02)


class Tokens:
    """Stands for the verifier of tokens: no bearer of these tests is one."""

    async def verify(self, authorization: str | None) -> Principal:
        raise AssertionError(authorization)


class Counting(Database):
    """Counts what is read."""

    reads = 0

    async def fetchrow(self, *arguments: Any) -> Any:
        self.reads += 1
        return await super().fetchrow(*arguments)


@pytest.fixture
async def database(api_database: TestDatabase) -> AsyncIterator[Counting]:
    found = Counting(api_database.settings("api"), schema="api", application_name="keys")
    await found.open()
    yield found
    await found.close()


async def test_key_is_looked_up_once_and_its_use_written_once_a_minute(
    api: Api, tenant_id: str, database: Counting
) -> None:
    key = await made(admin(api, tenant_id), expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    clock = ManualClock(datetime.now(UTC))
    keys = KeyVerifier(database, clock=clock, mode=KeyMode.TEST, age_max_seconds=2)
    bearers = Bearers(tokens=Tokens(), verifier=keys)

    async def use() -> Principal:
        return await bearers.verify(f"bearer  {key['secret']} ")

    async def last_used() -> Any:
        row = await api.database.fetchrow("SELECT last_used_at FROM api_keys WHERE id = $1", key["id"])
        assert row is not None
        return row[0]

    assert len({(await use()).sub for _ in range(5)}) == 1
    await asyncio.gather(*(use() for _ in range(5)))
    assert database.reads == 1
    assert await last_used() is None
    written = []
    for seconds in (0, 30, 31):
        clock.advance(timedelta(seconds=seconds))
        await use()
        await keys.note_uses()
        written.append(await last_used())
    assert written[0] == written[1] < written[2]
    assert database.reads == 3
    # What is of no use is refused without a look: by its form, or since it is of the other mode.
    for secret in (key["secret"][:-1] + "~", "payk_test_" + "0" * 49, new_secret(KeyMode.LIVE)):
        with pytest.raises(Exception, match=r"Invalid token|only test keys"):
            await bearers.verify(f"Bearer {secret}")
    assert database.reads == 3
    with pytest.raises(Exception, match="Invalid token"):
        await bearers.verify(f"Bearer {new_secret(KeyMode.TEST)}")
    clock.advance(timedelta(hours=1))
    reads = database.reads
    # Refused from memory for as long as a good one is let in.
    for _ in range(3):
        with pytest.raises(Exception, match="API key expired"):
            await use()
    assert database.reads == reads + 1


async def test_only_keys_of_strangers_are_counted_before_they_are_read(
    api: Api, tenant_id: str, database: Counting
) -> None:
    key = await made(admin(api, tenant_id))
    clock = ManualClock(datetime.now(UTC))
    keys = KeyVerifier(database, clock=clock, mode=KeyMode.TEST, age_max_seconds=2)
    counted = 0

    async def count() -> None:
        nonlocal counted
        counted += 1
        if counted > 2:
            raise RateLimited("too many")

    with pytest.raises(InvalidToken):
        await keys.verify(new_secret(KeyMode.TEST), count)
    await keys.verify(key["secret"], count)
    for _ in range(3):
        # Known, remembered or not.
        clock.advance(timedelta(seconds=3))
        await keys.verify(key["secret"], count)
    reads = database.reads
    for changed in (tenant_id, ""):
        # Read anew, though nothing is counted.
        keys.forget(changed)
        await keys.verify(key["secret"], count)
    assert (counted, database.reads) == (2, reads + 2)
    reads = database.reads
    with pytest.raises(RateLimited):
        await keys.verify(new_secret(KeyMode.TEST), count)
    assert database.reads == reads


async def test_no_key_is_refused_as_a_token_is(api: Api) -> None:
    for secret in (new_secret(KeyMode.TEST), f"payk_test_{uuid4().hex}", "payk_"):
        answer: Answer = await bearer(api, secret, "t").call("GET", "/v1/me")
        assert (answer.status, problem(answer)["code"]) == (401, "invalid_token")
        assert answer.headers["www-authenticate"] == "Bearer"
