"""Whoever logs in with a password changes it by the old one, and nobody else's by theirs."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from deploy.local.servers import Servers
from libs.common.db import DatabaseUnavailable
from libs.common.errors import Overloaded
from services.api.access import own_password
from services.api.access.passwords import Passwords
from services.api.access.sql import identity
from services.api.http.callers import PLATFORM_TENANT
from services.api.settings import RateSettings
from tests.integration.api.access.test_access import log_in
from tests.integration.api.access.test_denials import as_superuser
from tests.integration.api.access.test_features import operator
from tests.integration.api.administration.test_administration import PASSWORD, added, admin, code
from tests.integration.api.conftest import Api, serving, settings_for
from tests.integration.api.http.test_edge import redis_of
from tests.support.databases import TestDatabase
from tests.support.platform import Answer, Client
from tests.support.waiting import until

NEW = PASSWORD[::-1]


async def change(client: Client, old: str = PASSWORD, new: str = NEW, **more: Any) -> Answer:
    return await client.call("POST", "/v1/auth/password", {"password": old, "new_password": new, **more})


async def logged_in(api: Api, email: str, password: str = PASSWORD) -> Client:
    answer = await log_in(api, email, password)
    assert answer.status == 200, answer.raw
    return Client(api.http, api.base, token=answer.json["access_token"])


async def audited(api: Api, email: str) -> list[tuple[str, str, str]]:
    rows = await api.database.fetch(
        "SELECT tenant_id, action, outcome FROM audit_log WHERE actor = $1 AND action LIKE 'auth.password%' ORDER BY id",
        email,
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("is_operator", [False, True])
async def test_own_password_is_changed_and_tokens_of_before_end(
    api: Api, api_database: TestDatabase, tenant_id: str, is_operator: bool
) -> None:
    root = operator(api, PLATFORM_TENANT) if is_operator else admin(api, tenant_id)
    user = await added(root, "admin" if is_operator else "sales")
    if is_operator:
        await as_superuser(api_database, "UPDATE api.users SET tenant_id = NULL WHERE id = $1", UUID(user["id"]))
    one, other = await logged_in(api, user["email"]), await logged_in(api, user["email"])
    # A token in other hands does not suffice.
    assert code(await change(one, "guessed", NEW)) == (403, "wrong_password")
    assert code(await change(one)) == (204, "")
    for client in (one, other):
        assert code(await client.call("GET", "/v1/me")) == (401, "token_expired")
        assert code(await change(client, NEW, PASSWORD)) == (401, "token_expired")
    assert code(await log_in(api, user["email"], PASSWORD)) == (401, "invalid_credentials")
    again = await logged_in(api, user["email"], NEW)
    assert code(await again.call("GET", "/v1/me")) == (200, "")
    tenant = "" if is_operator else tenant_id
    assert await audited(api, user["email"]) == [
        (tenant, "auth.password.failed", "failed"),
        (tenant, "auth.password.success", "success"),
    ]


async def test_who_has_no_password_here_changes_none(api: Api, tenant_id: str) -> None:
    root = admin(api, tenant_id)
    user = await added(root, "sales")
    made = await root.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["payments:read"]})
    key = Client(api.http, api.base, token=made.json["secret"])
    # Nor does a subject of an identity provider who is called like a user of another tenant, or who is no user.
    alike, unknown = (
        api.client(f"{tenant_id}-other", sub=user["email"]),
        api.client(tenant_id, sub=f"{tenant_id}@idp.example"),
    )
    for client in (key, alike, unknown):
        assert code(await change(client)) == (403, "no_own_password")
    assert code(await change(api.stranger())) == (401, "missing_token")
    assert (await log_in(api, user["email"], PASSWORD)).status == 200


async def test_impossible_new_password_is_refused(api: Api, tenant_id: str) -> None:
    user = await logged_in(api, (await added(admin(api, tenant_id), "sales"))["email"])
    for new in ("short", PASSWORD, "\0" * 12, "x" * 1025):
        assert code(await change(user, new=new)) == (422, "invalid_request"), new
    assert (await change(user, user="somebody-else")).status == 422
    assert (await user.call("GET", "/v1/me")).status == 200


async def test_wrong_passwords_count_together_with_failed_logins(
    api_database: TestDatabase, servers: Servers, tenant_id: str
) -> None:
    rates = RateSettings(rate_limit_login_per_min=1, rate_limit_login_address_per_min=0)
    settings = settings_for(api_database, rates=rates, redis=redis_of(servers))
    async with serving(api_database, settings) as api:
        user = await added(admin(api, tenant_id), "sales")
        client = await logged_in(api, user["email"])
        assert code(await change(client, "guessed")) == (403, "wrong_password")
        # The right one is not tried any more, neither here nor at a login.
        throttled = await change(client)
        assert code(throttled) == (429, "rate_limited")
        assert int(throttled.headers["Retry-After"]) > 0
        assert (await log_in(api, user["email"], PASSWORD)).status == 429
        assert (tenant_id, "auth.password.throttled", "denied") in await audited(api, user["email"])


async def test_what_fails_on_our_side_counts_as_no_wrong_password(
    api_database: TestDatabase, servers: Servers, tenant_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = RateSettings(rate_limit_login_per_min=2, rate_limit_login_address_per_min=0)
    settings = settings_for(api_database, rates=rates, redis=redis_of(servers))

    async def fails(fault: Exception) -> None:
        raise fault

    async with serving(api_database, settings) as api:
        user = await added(admin(api, tenant_id), "sales")
        client = await logged_in(api, user["email"])
        for place, name, fault in (
            (Passwords, "matches", Overloaded()),
            (Passwords, "hashed", Overloaded()),
            (identity, "lock_password", DatabaseUnavailable()),
            (identity, "account_to_log_in", DatabaseUnavailable()),
        ):
            with monkeypatch.context() as patched:
                patched.setattr(place, name, lambda *_, fault=fault, **__: fails(fault))
                for attempt in range(3):
                    assert (await change(client)).status == 503, (name, attempt)
                    if name in ("matches", "account_to_log_in"):
                        assert (await log_in(api, user["email"], PASSWORD)).status == 503, (name, attempt)
        # A wrong one counts all the same, though the database is away when that is written down.
        monkeypatch.setattr(own_password, "write_line", lambda *_: fails(DatabaseUnavailable()))
        for _ in range(2):
            assert (await change(client, "guessed")).status == 503
        monkeypatch.undo()
        assert code(await change(client)) == (429, "rate_limited")


async def test_of_two_changes_at_once_one_counts(api: Api, tenant_id: str) -> None:
    user = await added(admin(api, tenant_id), "sales")
    one, two = await logged_in(api, user["email"]), await logged_in(api, user["email"])
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1"
    async with api.database.transaction() as tx:
        await tx.execute("SELECT 1 FROM users WHERE id = $1 FOR SHARE", UUID(user["id"]))
        changes = [asyncio.create_task(change(client, new=f"{NEW}-{i}")) for i, client in enumerate((one, two))]

        async def both_wait() -> bool:
            return len(await api.database.fetch(waits, "%password_hash%FOR UPDATE%")) == 2

        await until(both_wait)
    answers = [await each for each in changes]
    assert sorted(code(each) for each in answers) == [(204, ""), (403, "wrong_password")]
    winner = [each.status for each in answers].index(204)
    assert (await log_in(api, user["email"], f"{NEW}-{winner}")).status == 200
