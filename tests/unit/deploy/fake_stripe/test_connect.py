"""Connected accounts: a platform acts for them, takes its fee, and gets their events at one endpoint."""

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.support.fake_stripe import KEY, PAYMENT, Caller

SHOP = "sk_test_shop"


async def connected(caller: Caller, key: str = SHOP) -> str:
    return str((await caller.made("/_control/keys", {"connect": key}))["account"])


async def test_platform_acts_for_connected_accounts_alone(caller: Caller) -> None:
    shop = await connected(caller)
    assert (await caller.found("/v1/account", Stripe_Account=shop))["id"] == shop
    paid = await caller.made("/v1/payment_intents", PAYMENT, Stripe_Account=shop)
    assert list(caller.fake.account(SHOP).payment_intents) == [paid["id"]]
    assert (await caller.get(f"/v1/payment_intents/{paid['id']}")).status == 404
    stranger = caller.fake.account("sk_test_stranger").account_id
    for account in (stranger, "acct_none"):
        refused = await caller.get("/v1/account", Stripe_Account=account)
        assert refused.code == (403, "account_invalid")
    caller.fake.add_key("sk_live_rules", of=KEY)
    live = await caller.found("/v1/payment_intents", api_key="sk_live_rules", Stripe_Account=shop)
    assert live["data"] == []


async def test_application_fee_leaves_the_account_and_reaches_the_platform(caller: Caller) -> None:
    shop = await connected(caller)
    held = await caller.made(
        "/v1/payment_intents",
        PAYMENT | {"capture_method": "manual", "application_fee_amount": "120"},
        Stripe_Account=shop,
    )
    await caller.made(f"/v1/payment_intents/{held['id']}/capture", {"amount_to_capture": "100"}, Stripe_Account=shop)
    (moved,) = (await caller.found("/v1/balance_transactions", Stripe_Account=shop))["data"]
    parts = {each["type"]: each["amount"] for each in moved["fee_details"]}
    # Capped at what was captured.
    assert parts["application_fee"] == 100
    (earned,) = await caller.movements()
    assert (earned["type"], earned["amount"], earned["reporting_category"]) == (
        "application_fee", 100, "platform_earning"
    )  # fmt: skip
    refused = await caller.post("/v1/payment_intents", PAYMENT | {"application_fee_amount": "120"})
    assert refused.status == 400


async def test_platform_gives_back_the_part_of_its_fee_that_was_refunded(caller: Caller) -> None:
    shop = await connected(caller)
    paid = await caller.made("/v1/payment_intents", PAYMENT | {"application_fee_amount": "101"}, Stripe_Account=shop)
    given = {"payment_intent": paid["id"], "refund_application_fee": "true"}
    for amount in ("333", "333", "334"):
        await caller.made("/v1/refunds", given | {"amount": amount}, Stripe_Account=shop)
    back = [
        (each["amount"], each["reporting_category"], each["source"]["object"])
        for each in (await caller.found("/v1/balance_transactions", {"expand[]": "data.source"}))["data"]
    ]
    # The last one gives back whatever is left.
    assert back == [
        (-33, "platform_earning_refund", "fee_refund"),
        (-34, "platform_earning_refund", "fee_refund"),
        (-34, "platform_earning_refund", "fee_refund"),
        (101, "platform_earning", "application_fee"),
    ]
    (fee,) = (await caller.found("/v1/application_fees"))["data"]
    assert (fee["amount_refunded"], fee["refunded"], fee["account"]) == (101, True, shop)
    moved = (await caller.found("/v1/balance_transactions", Stripe_Account=shop))["data"]
    arrived = [each["amount"] for each in moved if (each["type"], each["reporting_category"]) == ("adjustment", "fee")]
    assert arrived == [33, 34, 34]


async def test_fee_that_was_never_taken_cannot_be_given_back(caller: Caller) -> None:
    shop = await connected(caller)
    paid = await caller.made("/v1/payment_intents", PAYMENT, Stripe_Account=shop)
    given = {"payment_intent": paid["id"], "refund_application_fee": "true"}
    assert (await caller.post("/v1/refunds", given, Stripe_Account=shop)).status == 400
    assert not caller.fake.account(SHOP).refunds


async def test_one_endpoint_gets_events_of_every_connected_account(caller: Caller) -> None:
    received: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        received.append(json.loads(await request.read()))
        return web.Response()

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        accounts = [await connected(caller, f"sk_test_shop{number}") for number in range(2)]
        events = {"url": url, "enabled_events[]": "payment_intent.succeeded"}
        await caller.made("/v1/webhook_endpoints", events | {"connect": "true"})
        for account in accounts:
            await caller.made("/v1/payment_intents", PAYMENT, Stripe_Account=account)
        await caller.paid()
        async with asyncio.timeout(5):
            while caller.fake.sender.waiting:
                await asyncio.sleep(0.01)
    finally:
        await runner.cleanup()
    assert sorted(each["account"] for each in received) == sorted(accounts)
