"""Tenants of the suite: any order, any format, once; and nobody who was deleted comes back."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from libs.common.contracts.foreign import TENANTS
from services.api.http.callers import PLATFORM_TENANT
from tests.integration.api.conftest import Api
from tests.support.partners import SUITE, Partners

pytestmark = pytest.mark.integration
T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
ODD = "Caf\u00e9\u00a0\U0001f469\u200d\U0001f373 Ltda"
"""A name with a space that does not break, and an emoji of joined parts."""


async def tenant(api: Api, tenant_id: str) -> tuple[Any, ...] | None:
    row = await api.database.fetchrow("SELECT name, plan, region, status, origin FROM tenants WHERE id = $1", tenant_id)
    return None if row is None else tuple(row)


async def until(api: Api, tenant_id: str, expected: tuple[Any, ...]) -> None:
    found: Any = None
    try:
        async with asyncio.timeout(30):
            while (found := await tenant(api, tenant_id)) != expected:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{found} is not {expected}") from None


async def provisioned(api: Api, tenant_id: str) -> int:
    where = "WHERE tenant_id = $1 AND contract LIKE '%tenant.provisioned'"
    row = await api.database.fetchrow(
        f"SELECT (SELECT count(*) FROM outbox {where}) + (SELECT count(*) FROM outbox_published {where}) AS n",
        tenant_id,
    )
    assert row is not None
    return int(row["n"])


async def reason_of_the_next_letter(partners: Partners) -> tuple[bytes, str, str]:
    async with asyncio.timeout(30):
        while (letter := await partners.dead_letter(TENANTS.queue)) is None:
            await asyncio.sleep(0.02)
    # The suite sends no time; without one, an old event that is redriven would be the latest.
    assert letter.timestamp is not None
    assert letter.timestamp > T0
    return letter.body, str(letter.headers["x-reason"]), str(letter.headers["x-detail"])


async def test_a_tenant_follows_the_suite_in_either_form(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    suite, flat = str(uuid4()), f"t_{uuid4().hex[:8]}"
    await partners.suite("tenant.created", suite, {"name": ODD, "plan": "pro", "region": "sa-east-1"}, at=T0)
    await partners.flat_tenant("tenant.created", {"tenant_id": flat, "name": "New", "plan": "free", "region": "global"})
    await until(api, suite, (ODD, "pro", "sa-east-1", "ACTIVE", "sync"))
    await until(api, flat, ("New", "free", "global", "ACTIVE", "sync"))
    # Only what is stated changes; a tenant of any region is let in with it.
    await partners.suite("tenant.updated", suite, {"name": "Acme", "plan": "enterprise"}, at=T0 + timedelta(hours=1))
    await partners.flat_tenant("tenant.updated", {"tenantId": flat, "plan": "pro", "name": None})
    await until(api, suite, ("Acme", "enterprise", "sa-east-1", "ACTIVE", "sync"))
    await until(api, flat, ("New", "pro", "global", "ACTIVE", "sync"))
    assert (await provisioned(api, suite), await provisioned(api, flat)) == (1, 1)
    client = api.client(suite, region="sa-east-1")
    assert (await client.call("GET", "/v1/payment-intents")).status == 200
    # Deleted: refused at once, though this process has just had it in memory.
    await partners.suite("tenant.deleted", suite, {"name": "Acme", "plan": "pro"}, at=T0 + timedelta(hours=2))
    await until(api, suite, ("Acme", "pro", "sa-east-1", "DELETED", "sync"))
    async with asyncio.timeout(30):
        while (await client.call("GET", "/v1/payment-intents")).status != 403:
            await asyncio.sleep(0.02)


async def test_events_in_any_order_lead_to_the_same_tenant(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    late, gone, undated = str(uuid4()), str(uuid4()), f"t_{uuid4().hex[:8]}"
    await partners.suite("tenant.updated", late, {"name": "After", "plan": "pro"}, at=T0 + timedelta(hours=1))
    await until(api, late, ("After", "pro", "region-a", "ACTIVE", "sync"))
    await partners.suite("tenant.created", late, {"name": "Before", "plan": "free", "region": "eu-west-1"}, at=T0)
    await until(api, late, ("After", "pro", "eu-west-1", "ACTIVE", "sync"))
    assert await provisioned(api, late) == 1
    # Deleted before it was created: it never gets in, and has no accounts.
    await partners.suite("tenant.deleted", gone, {"name": "Gone"}, at=T0 + timedelta(hours=1))
    await until(api, gone, ("Gone", "pro", "region-a", "DELETED", "sync"))
    for hours in (0, 2):
        at = T0 + timedelta(hours=hours)
        await partners.suite("tenant.created", gone, {"name": f"Gone {hours}", "region": "global"}, at=at)
    await until(api, gone, ("Gone 2", "pro", "global", "DELETED", "sync"))
    assert await provisioned(api, gone) == 0
    # A creation that names no time may be a late copy: it fills in, and overwrites nothing.
    await partners.flat_tenant("tenant.updated", {"tenant_id": undated, "name": "Kept"}, at=T0)
    await until(api, undated, ("Kept", "pro", "region-a", "ACTIVE", "sync"))
    await partners.flat_tenant("tenant.created", {"tenant_id": undated, "name": "Old", "plan": "free"})
    await until(api, undated, ("Kept", "free", "region-a", "ACTIVE", "sync"))


async def test_late_event_undoes_nothing_that_an_operator_states(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    named, now = str(uuid4()), datetime.now(UTC)
    await partners.suite("tenant.created", named, {"name": "A", "status": "ACTIVE"}, at=now - timedelta(hours=2))
    await until(api, named, ("A", "pro", "region-a", "ACTIVE", "sync"))
    root = api.client(PLATFORM_TENANT, sub="root@platform", tid="*", roles=["admin"], perms=[])
    body = {"name": "B", "plan": "free", "region": "global", "status": "SUSPENDED"}
    assert (await root.call("PUT", f"/v1/tenants/{named}", body)).status == 200
    late = {"name": "Late", "plan": "enterprise", "region": "eu-west-1", "status": "ACTIVE"}
    await partners.suite("tenant.updated", named, late, at=now - timedelta(hours=1))
    await partners.suite("tenant.updated", named, {"name": "C"}, at=now + timedelta(hours=1))
    await until(api, named, ("C", "free", "global", "SUSPENDED", "sync"))
    await partners.suite("tenant.reactivated", named, {}, at=now + timedelta(hours=2))
    await until(api, named, ("C", "free", "global", "ACTIVE", "sync"))


GOOD = {
    "aggregateId": "t1",
    "eventType": "tenant.created",
    "payload": {"name": "n"},
    "createdAt": "2026-11-20T12:00:00Z",
}
BAD: dict[str, tuple[str, Any, str]] = {
    "no JSON": ("tenant.created", b"{", "undecodable_message"),
    "no UTF-8": ("tenant.created", b'{"aggregateId": "\xff"}', "undecodable_message"),
    "a list": ("tenant.created", b"[]", "undecodable_message"),
    "nested": ("tenant.created", b'{"payload":' + b"[" * 5000, "undecodable_message"),
    "huge": ("tenant.created", b'{"aggregateId": "' + b"x" * 300_000 + b'"}', "message_too_large"),
    "no tenant": ("tenant.created", GOOD | {"aggregateId": None}, "invalid_request"),
    "any tenant": ("tenant.created", GOOD | {"aggregateId": "*"}, "invalid_request"),
    "a number": ("tenant.created", GOOD | {"aggregateId": 7}, "invalid_request"),
    "a long name": ("tenant.created", GOOD | {"payload": {"name": "n" * 201}}, "invalid_request"),
    "NUL": ("tenant.created", GOOD | {"payload": {"name": "a\0b"}}, "invalid_request"),
    "retyped payload": ("tenant.created", GOOD | {"payload": "name"}, "undecodable_message"),
    "a plan that is an object": ("tenant.created", GOOD | {"payload": {"plan": {}}}, "invalid_request"),
    "a status": ("tenant.updated", GOOD | {"eventType": None, "payload": {"status": "LOST"}}, "invalid_request"),
    "the platform": (
        "tenant.updated",
        {"aggregateId": PLATFORM_TENANT, "payload": {"status": "DELETED"}},
        "invalid_request",
    ),
    "no time": ("tenant.created", GOOD | {"createdAt": "yesterday"}, "invalid_request"),
    "next century": ("tenant.created", GOOD | {"createdAt": "2126-11-20T12:00:00Z"}, "invalid_request"),
    "another event": ("tenant.deleted", GOOD, "invalid_request"),
    "unknown": ("tenant.cloned", GOOD | {"eventType": "tenant.cloned"}, "invalid_request"),
}


async def test_what_cannot_be_taken_is_a_dead_letter_as_it_came(partnered: tuple[Api, Partners]) -> None:
    api, partners = partnered
    for name, (event, body, reason) in BAD.items():
        await partners.publish(SUITE, f"saas.TENANT.{event}", body, content_type="text/plain")
        letter, why, detail = await reason_of_the_next_letter(partners)
        assert why == reason, (name, why, detail)
        assert name == "nested" or letter == (body if isinstance(body, bytes) else letter)
        assert detail
    assert await tenant(api, "t1") is None
    # The queue goes on.
    await partners.suite("tenant.created", "after-the-bad", {"name": "Well"})
    await until(api, "after-the-bad", ("Well", "pro", "region-a", "ACTIVE", "sync"))
