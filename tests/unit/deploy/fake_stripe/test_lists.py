"""Lists of the stand-in: windows, filters, cursors in both directions, expansions, and events of the last 30 days."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from deploy.fake_stripe.webhooks import Mischief, create_endpoint
from tests.support.fake_stripe import KEY, Caller

DAY = 86_400


def ids(page: Any) -> list[str]:
    return [each["id"] for each in page["data"]]


async def test_cursors_lead_through_all_pages_in_both_directions(caller: Caller) -> None:
    for _ in range(7):
        await caller.paid()
    newest_first = list(reversed(caller.books.charges))
    pages: list[list[str]] = []
    after: dict[str, str] = {}
    while True:
        page = await caller.found("/v1/charges", {"limit": "3"} | after)
        pages.append(ids(page))
        if not page["has_more"]:
            break
        after = {"starting_after": pages[-1][-1]}
    assert pages == [newest_first[:3], newest_first[3:6], newest_first[6:]]
    back = await caller.found("/v1/charges", {"limit": "3", "ending_before": newest_first[6]})
    assert (ids(back), back["has_more"]) == (newest_first[3:6], True)
    first = await caller.found("/v1/charges", {"limit": "3", "ending_before": newest_first[3]})
    assert (ids(first), first["has_more"]) == (newest_first[:3], False)
    lost = await caller.get("/v1/charges", {"starting_after": "ch_none"})
    assert (lost.status, lost.error["param"]) == (404, "starting_after")
    both = {"starting_after": newest_first[0], "ending_before": newest_first[1]}
    assert (await caller.get("/v1/charges", both)).status == 400


async def test_window_of_creation_bounds_a_list(caller: Caller) -> None:
    first = await caller.paid()
    caller.fake.clock.advance(DAY)
    second = await caller.paid()
    at = second["created"]
    for bound, expected in (("gte", [second]), ("gt", []), ("lt", [first]), ("lte", [second, first])):
        page = await caller.found("/v1/payment_intents", {f"created[{bound}]": str(at)})
        assert ids(page) == [each["id"] for each in expected], bound
    assert ids(await caller.found("/v1/payment_intents", {"created": str(at)})) == [second["id"]]
    wrong = await caller.get("/v1/payment_intents", {"created[since]": "1"})
    assert wrong.code == (400, "parameter_unknown")


async def test_movements_are_filtered_and_come_with_their_source(caller: Caller) -> None:
    paid = await caller.paid()
    await caller.paid(currency="usd")
    refund = await caller.made("/v1/refunds", {"payment_intent": paid["id"]})
    await caller.made(f"/_control/payment_intents/{paid['id']}/dispute")
    assert [each["source"] for each in await caller.movements(type="refund")] == [refund["id"]]
    assert [each["currency"] for each in await caller.movements(currency="usd")] == ["usd"]
    assert [each["type"] for each in await caller.movements(source=paid["latest_charge"])] == ["charge"]
    found = await caller.movements(**{"expand[]": "data.source"})
    assert [each["source"]["object"] for each in found] == ["charge", "charge", "refund", "dispute"]
    assert found[2]["source"]["payment_intent"] == paid["id"]


async def test_expansions_go_as_deep_as_stripes(caller: Caller) -> None:
    paid = await caller.paid()
    path = f"/v1/payment_intents/{paid['id']}"
    found = await caller.found(path, {"expand[]": "latest_charge.balance_transaction.source"})
    assert found["latest_charge"]["balance_transaction"]["source"]["id"] == found["latest_charge"]["id"]
    charge = await caller.found(f"/v1/charges/{paid['latest_charge']}", {"expand[]": "refunds"})
    assert charge["refunds"]["data"] == []
    for wrong in ("status", "latest_charge.amount", "data.latest_charge", "a.b.c.d.e", ""):
        answer = await caller.get(path, {"expand[]": wrong})
        assert (answer.status, answer.error["param"]) == (400, "expand"), wrong
    assert (await caller.get("/v1/charges", {"expand[]": "balance_transaction"})).status == 400


async def test_refunds_and_disputes_are_listed_by_their_payment(caller: Caller) -> None:
    paid, other = await caller.paid(), await caller.paid()
    refund = await caller.made("/v1/refunds", {"payment_intent": paid["id"], "amount": "100"})
    dispute = await caller.made(f"/_control/payment_intents/{other['id']}/dispute")
    assert ids(await caller.found("/v1/refunds", {"payment_intent": paid["id"]})) == [refund["id"]]
    assert ids(await caller.found("/v1/refunds", {"charge": other["latest_charge"]})) == []
    assert ids(await caller.found("/v1/disputes", {"charge": other["latest_charge"]})) == [dispute["id"]]
    assert ids(await caller.found("/v1/disputes", {"payment_intent": paid["id"]})) == []


@asynccontextmanager
async def listening(*, status: int) -> AsyncIterator[str]:
    """Answer every webhook with a status."""

    async def take(_: web.Request) -> web.Response:
        return web.Response(status=status)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("status", "is_delivered"), [(200, True), (500, False)])
async def test_undelivered_events_are_listed(caller: Caller, status: int, is_delivered: bool) -> None:
    async with listening(status=status) as url:
        create_endpoint(caller.books, {"url": url, "enabled_events": ["payment_intent.succeeded"]})
        await caller.paid()
        if is_delivered:
            async with asyncio.timeout(5):
                while caller.fake.sender.waiting:
                    await caller.found("/v1/balance")
        undelivered = await caller.found("/v1/events", {"delivery_success": "false"})
        assert [each["type"] for each in undelivered["data"]] == ([] if is_delivered else ["payment_intent.succeeded"])
        delivered = await caller.found("/v1/events", {"delivery_success": "true", "type": "payment_intent.*"})
        assert len(delivered["data"]) == (2 if is_delivered else 1)
        assert all(each["pending_webhooks"] == 0 for each in delivered["data"])


async def test_lost_events_are_undelivered(caller: Caller) -> None:
    caller.fake.sender.mischief = Mischief(lost_share=1.0)
    create_endpoint(caller.books, {"url": "http://127.0.0.1:1/", "enabled_events": ["*"]})
    await caller.paid()
    filters = {"delivery_success": "false", "types[0]": "charge.succeeded", "types[1]": "payment_intent.created"}
    found = await caller.found("/v1/events", filters)
    assert {each["type"] for each in found["data"]} == {"charge.succeeded", "payment_intent.created"}
    assert (await caller.get("/v1/events", {"type": "a", "types[]": "b"})).status == 400


async def test_events_name_their_request_and_end_after_thirty_days(caller: Caller) -> None:
    answer = await caller.post("/v1/refunds", {"payment_intent": (await caller.paid())["id"]}, key="once")
    (event,) = (await caller.found("/v1/events", {"type": "refund.created"}))["data"]
    assert event["request"] == {"id": answer.headers["Request-Id"], "idempotency_key": "once"}
    assert (event["data"]["object"]["id"], event["api_version"]) == (answer.json["id"], "2026-10-28.endive")
    caller.fake.clock.advance(30 * DAY + 1)
    assert (await caller.found("/v1/events", {"type": "refund.created"}))["data"] == []
    assert (await caller.get(f"/v1/events/{event['id']}")).status == 404
    assert caller.fake.account(KEY).refunds
