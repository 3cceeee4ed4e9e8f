"""Feature flags: what they gate, who sets them, and that every process heeds a change of access at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from libs.common.settings import BrokerSettings
from services.api.access import FEATURES, enabled_of, states_of
from services.api.app import seed
from services.api.http.callers import PLATFORM_TENANT, Feature
from services.api.settings import AuthSettings
from tests.integration.api.access.test_access import problem
from tests.integration.api.conftest import PREVIOUS, SECRET, Api, serving, settings_for
from tests.support.databases import TestDatabase
from tests.support.platform import Client

FLAGS = "/v1/feature-flags"
NEVER = 3600.0
"""Seconds that nothing is looked up again by age: what is noticed meanwhile came by the broker."""


def tenant_admin(api: Api, tenant: str) -> Client:
    return api.client(tenant, roles=["admin"], perms=["admin:write", "profile:read"], plan="enterprise")


def operator(api: Api, tenant: str) -> Client:
    return api.client(tenant, sub="root@platform", tid="*", roles=["admin"], perms=[])


async def switch(api: Api, tenant: str, feature: Feature, *, on: bool) -> dict[str, Any]:
    answer = await operator(api, tenant).call("PUT", f"{FLAGS}/{feature}", {"is_enabled": on})
    assert answer.status == 200, answer.raw
    flag: dict[str, Any] = answer.json
    return flag


@pytest.fixture
async def known(api: Api, tenant_id: str) -> str:
    """A tenant that has been met."""
    await api.client(tenant_id).create()
    return tenant_id


def test_a_tenants_row_wins_over_one_for_all_and_that_over_the_registry() -> None:
    default = FEATURES[Feature.AUDIT_EXPORT].is_enabled
    for rows, source, is_enabled in (
        ({}, "default", default),
        ({("audit_export", ""): not default}, "global", not default),
        ({("audit_export", ""): not default, ("audit_export", "t"): default}, "tenant", default),
        ({("no_longer_known", "t"): True}, "default", default),
    ):
        state = next(one for one in states_of(rows) if one.feature is Feature.AUDIT_EXPORT)
        assert (state.source, state.is_enabled) == (source, is_enabled)
    assert enabled_of({}) == {feature for feature, kind in FEATURES.items() if kind.is_enabled}


async def test_a_tenant_sees_every_feature_and_who_decided(api: Api, known: str) -> None:
    listed = (await tenant_admin(api, known).call("GET", FLAGS)).json
    assert [flag["name"] for flag in listed] == [feature.value for feature in FEATURES]
    assert {flag["source"] for flag in listed} == {"default"}
    assert (await switch(api, known, Feature.AUDIT_EXPORT, on=False))["source"] == "tenant"
    listed = (await tenant_admin(api, known).call("GET", FLAGS)).json
    assert {flag["name"]: flag["source"] for flag in listed}["audit_export"] == "tenant"
    cleared = await operator(api, known).call("DELETE", f"{FLAGS}/audit_export")
    assert (cleared.status, cleared.json["source"], cleared.json["is_enabled"]) == (200, "default", True)
    lines = (await tenant_admin(api, known).call("GET", "/v1/audit?action=feature_flag.")).json["data"]
    assert [(line["action"], line["target"], line["actor"], line["detail"]) for line in lines] == [
        ("feature_flag.clear", "audit_export", "root@platform", {}),
        ("feature_flag.set", "audit_export", "root@platform", {"is_enabled": "false"}),
    ]


async def test_the_default_for_all_is_set_through_the_platforms_tenant(api: Api, known: str) -> None:
    shown = await switch(api, PLATFORM_TENANT, Feature.AUDIT_EXPORT, on=False)
    try:
        assert shown["source"] == "global"
        flags = {flag["name"]: flag for flag in (await tenant_admin(api, known).call("GET", FLAGS)).json}
        assert (flags["audit_export"]["is_enabled"], flags["audit_export"]["source"]) == (False, "global")
        await switch(api, known, Feature.AUDIT_EXPORT, on=True)
        assert (await tenant_admin(api, known).call("GET", "/v1/audit?format=csv")).status == 200
    finally:
        await operator(api, PLATFORM_TENANT).call("DELETE", f"{FLAGS}/audit_export")


async def test_only_an_operator_of_the_platform_switches(api: Api, known: str) -> None:
    refused = await tenant_admin(api, known).call("PUT", f"{FLAGS}/audit_export", {"is_enabled": False})
    assert (refused.status, problem(refused)["code"]) == (403, "operator_required")
    unknown = await operator(api, known).call("PUT", f"{FLAGS}/time_travel", {"is_enabled": True})
    assert (unknown.status, problem(unknown)["code"]) == (404, "feature_unknown")
    bad = await operator(api, known).call("PUT", f"{FLAGS}/audit_export", {"is_enabled": "yes"})
    assert (bad.status, problem(bad)["code"]) == (422, "invalid_request")


async def test_without_the_export_feature_the_audit_log_is_read_but_not_exported(api: Api, known: str) -> None:
    await switch(api, known, Feature.AUDIT_EXPORT, on=False)
    root = tenant_admin(api, known)
    assert (await root.call("GET", "/v1/audit")).status == 200
    refused = await root.call("GET", "/v1/audit?format=csv")
    assert (refused.status, problem(refused)["code"]) == (403, "feature_disabled")
    line = (await root.call("GET", "/v1/audit?outcome=denied")).json["data"][0]
    assert (line["target"], line["detail"]["reason"]) == ("audit_export", "feature_disabled")


async def test_without_the_replay_feature_nothing_is_delivered_again(api: Api, known: str) -> None:
    path, body = f"/v1/webhooks/{uuid4()}/replay", {"dry_run": True}
    before = await tenant_admin(api, known).call("POST", path, body)
    assert before.status != 403
    await switch(api, known, Feature.WEBHOOK_REPLAYS, on=False)
    refused = await tenant_admin(api, known).call("POST", path, body)
    assert (refused.status, problem(refused)["code"]) == (403, "feature_disabled")


async def test_with_strict_bodies_nobody_may_have_unknown_members_ignored(api: Api, known: str) -> None:
    async def refused(**headers: str) -> tuple[int, str]:
        body = {"processor": "sandbox", "colour": "red"}
        answer = await tenant_admin(api, known).call("POST", "/v1/gateway-configs", body, headers=headers)
        return answer.status, problem(answer)["code"]

    unheard = (503, "unavailable")
    assert await refused() == (422, "unknown_fields")
    assert await refused(Prefer="handling=lenient") == unheard
    await switch(api, known, Feature.STRICT_BODIES, on=True)
    assert await refused(Prefer="handling=lenient") == (422, "unknown_fields")


@pytest.fixture(scope="module")
async def pair(api_database: TestDatabase, vhost_url: str) -> AsyncIterator[tuple[Api, Api]]:
    """Two apis on one database and one broker, which look nothing up again by age."""
    settings = settings_for(
        api_database,
        broker=BrokerSettings(rabbitmq_url=vhost_url, outbox_poll_seconds=0.05),
        auth=AuthSettings(jwt_secret=SECRET, jwt_secret_previous=PREVIOUS, access_age_max_seconds=NEVER),
    )
    await seed(settings)
    async with serving(api_database, settings) as one, serving(api_database, settings) as two:
        for api in (one, two):
            async with asyncio.timeout(30):
                while (await api.stranger().call("GET", "/readyz")).status != 200:
                    await asyncio.sleep(0.05)
        yield one, two


async def until(api: Api, tenant: str, path: str, status: int) -> None:
    """Wait until a tenant's administrator is answered with a status; far below the age at which it is looked up."""
    async with asyncio.timeout(10):
        while (await tenant_admin(api, tenant).call("GET", path)).status != status:
            await asyncio.sleep(0.02)


async def test_a_suspended_tenant_is_refused_by_every_process_at_once(pair: tuple[Api, Api], tenant_id: str) -> None:
    for api in pair:
        await until(api, tenant_id, FLAGS, 200)
    await pair[0].database.fetch("UPDATE tenants SET status = 'SUSPENDED' WHERE id = $1", tenant_id)
    for api in pair:
        await until(api, tenant_id, FLAGS, 403)
    await pair[0].database.fetch("UPDATE tenants SET status = 'ACTIVE' WHERE id = $1", tenant_id)
    for api in pair:
        await until(api, tenant_id, FLAGS, 200)


async def test_a_changed_policy_is_followed_by_every_process_at_once(
    pair: tuple[Api, Api], api_database: TestDatabase, tenant_id: str
) -> None:
    for api in pair:
        await until(api, tenant_id, FLAGS, 200)
    operator_prompt = await asyncpg.connect(api_database.admin_url)
    try:
        await operator_prompt.execute("UPDATE api.policies SET effect = 'deny' WHERE permission = 'profile:read'")
        for api in pair:
            await until(api, tenant_id, FLAGS, 403)
    finally:
        await operator_prompt.execute("UPDATE api.policies SET effect = 'allow' WHERE permission = 'profile:read'")
        await operator_prompt.close()
    for api in pair:
        await until(api, tenant_id, FLAGS, 200)


async def test_a_switched_feature_is_heeded_by_every_process_at_once(pair: tuple[Api, Api], tenant_id: str) -> None:
    for api in pair:
        await until(api, tenant_id, "/v1/audit?format=csv", 200)
    await switch(pair[0], tenant_id, Feature.AUDIT_EXPORT, on=False)
    for api in pair:
        await until(api, tenant_id, "/v1/audit?format=csv", 403)
    await switch(pair[1], PLATFORM_TENANT, Feature.AUDIT_EXPORT, on=True)
    try:
        await operator(pair[1], tenant_id).call("DELETE", f"{FLAGS}/audit_export")
        for api in pair:
            await until(api, tenant_id, "/v1/audit?format=csv", 200)
    finally:
        await operator(pair[1], PLATFORM_TENANT).call("DELETE", f"{FLAGS}/audit_export")
