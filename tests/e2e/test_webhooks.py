"""Webhook endpoints over HTTP, as a merchant's engineer uses them: changed, tested, looked at, rotated, replayed."""

import asyncio
from uuid import uuid4

import pytest

from libs.common.contracts import REGISTRY
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import Client, Platform
from tests.support.receiver import Receiver


async def test_an_endpoint_is_registered_tested_looked_at_and_replayed(platform: Platform, receiver: Receiver) -> None:
    # A tenant of its own: its endpoint must receive no payment that another test has left pending.
    tenant = new_tenant()
    admin = person(platform, tenant, "engineer@example.com", ("admin:write", "payments:read"))
    operator = person(platform, tenant, "cashier@example.com", ("payments:write", "payments:read"))
    made = await admin.call(
        "POST",
        "/v1/webhooks",
        {
            "url": receiver.url,
            "events": ["payment.settled"],
            "description": "books",
            "headers": {"X-Env": "e2e"},
            "is_ordered": True,
            "has_public_key": True,
        },
    )
    assert made.status == 201, made.raw
    where = f"/v1/webhooks/{made.json['id']}"
    assert made.json["public_key"].startswith("whpk_")
    sent = await admin.call("POST", where + "/test")
    assert sent.status == 202, sent.raw
    intent = await operator.create("21.00")
    await operator.confirm(intent["id"])
    await operator.settled(intent["id"])

    async def listed(query: str = "") -> list[dict[str, object]]:
        page = await admin.call("GET", f"{where}/deliveries{query}")
        assert page.status == 200, page.raw
        found: list[dict[str, object]] = page.json["data"]
        return found

    async with asyncio.timeout(60):
        while len(await listed("?status=DELIVERED")) < 2:
            await asyncio.sleep(0.05)
    shown = await admin.call("GET", where)
    assert shown.status == 200, shown.raw
    assert shown.json["health"]["status"] == "healthy"
    assert shown.json["health"]["delivered_recently"] == 2
    assert "secret" not in shown.json
    settled = next(r for r in receiver.received if r.type == "payment.settled")
    assert settled.headers["x-env"] == "e2e"
    assert settled.headers["webhook-signature"].count("v1a,") == 1
    changed = await admin.call("PATCH", where, {"description": "other", "rate_limit_per_second": 100})
    assert (changed.status, changed.json["description"]) == (200, "other"), changed.raw
    rotated = await admin.call("POST", where + "/rotate-secret", {"overlap_seconds": 60})
    assert rotated.status == 200, rotated.raw
    assert rotated.json["secret"] != made.json["secret"]
    everywhere = await admin.call("GET", "/v1/webhook-deliveries?status=DELIVERED&event_type=payment.settled&limit=200")
    assert made.json["id"] in {delivery["endpoint_id"] for delivery in everywhere.json["data"]}
    selection = {"outcomes": ["delivered"], "event_types": ["payment.settled"]}
    dry = await admin.call("POST", where + "/replay", selection | {"dry_run": True})
    assert (dry.status, dry.json["status"], dry.json["total"]) == (202, "DRY_RUN", 1), dry.raw
    unkeyed = await admin.call("POST", where + "/replay", selection)
    assert (unkeyed.status, unkeyed.json["code"]) == (400, "idempotency_key_missing")
    key = str(uuid4())
    begun = await admin.call("POST", where + "/replay", selection, key=key)
    assert begun.status == 202, begun.raw
    again = await admin.call("POST", where + "/replay", selection, key=key)
    assert again.json["id"] == begun.json["id"]
    async with asyncio.timeout(60):
        while (await admin.call("GET", f"/v1/webhook-replays/{begun.json['id']}")).json["status"] != "DONE":
            await asyncio.sleep(0.05)
        while sum(r.type == "payment.settled" for r in receiver.received) < 2:
            await asyncio.sleep(0.05)
    cancel = f"/v1/webhook-replays/{begun.json['id']}/cancel"
    late = await admin.call("POST", cancel)
    assert (late.status, late.json["code"]) == (409, "webhook_replay_done"), late.raw
    unknown = await admin.call("POST", f"/v1/webhook-replays/{uuid4()}/cancel")
    assert (unknown.status, unknown.json["code"]) == (404, "webhook_replay_not_found"), unknown.raw
    assert (await operator.call("POST", cancel)).status == 403
    assert (await admin.call("DELETE", where)).status == 204
    assert (await admin.call("GET", where)).status == 404
    # Its history stays.
    assert len(await listed()) == 2
    remembered = await admin.call("GET", "/v1/webhook-deliveries?limit=200")
    assert made.json["id"] in {delivery["endpoint_id"] for delivery in remembered.json["data"]}


async def test_an_unknown_event_is_422_with_the_list_of_those_known(admin: Client, receiver: Receiver) -> None:
    events = ["payment.settled", "payment.unheard_of", "paymen.*"]
    refused = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": events})
    assert refused.status == 422, refused.raw
    assert [error["pointer"] for error in refused.json["errors"]] == ["/events/1", "/events/2"]
    known = [message.contract.name for message in REGISTRY.values() if message.contract.public]
    for error in refused.json["errors"]:
        assert all(name in error["detail"] for name in known)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://user:secret@merchant.example/", "credentials"),
        ("https://merchant.example/#part", "fragment"),
        ("https://merchant.example:0/", "port"),
        ("https://merchant.example:99999/", "URL"),
        ("https://merchant.example/" + "a" * 2024, "length"),
        ("https://m\u0435rchant.example/", "URL"),
        ("https://merchant\u3002example/", "URL"),
        ("https://\uff11\uff12\uff17.0.0.1/", "URL"),
        ("https://0x7f.1/", "decimal"),
        ("https://[fe80::1%25eth0]/", "IPv6"),
        ("https://merchant.example\\@evil.example/", ""),
        ("ftp://merchant.example/", "http"),
        ("https:///path", "URL"),
    ],
)
async def test_a_url_that_cannot_be_used_is_422_with_the_reason(admin: Client, url: str, reason: str) -> None:
    refused = await admin.call("POST", "/v1/webhooks", {"url": url, "events": ["*"]})
    assert refused.status == 422, refused.raw
    (error,) = refused.json["errors"]
    assert error["pointer"] == "/url"
    assert reason in error["detail"]
