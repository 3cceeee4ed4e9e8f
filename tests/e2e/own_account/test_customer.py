"""A customer proves who they are, on the issuer's page or in Stripe's client library, and nobody else learns the secret."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from deploy.fake_stripe import Fault, FaultKind, payments
from deploy.fake_stripe.webhooks import Mischief
from tests.e2e.own_account.shop import Shop
from tests.support.databases import SERVICES, TestDatabase
from tests.support.waiting import until

_TABLES = """
SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
 WHERE table_schema = ANY ($1) AND table_type = 'BASE TABLE'
"""


@pytest.fixture(scope="module", autouse=True)
async def configured(shop: Shop) -> None:
    """The tenant's own account takes its euros."""
    await shop.configure()


async def waiting(shop: Shop, **more: str) -> dict[str, Any]:
    """A confirmed payment that waits for its customer, as the confirmation shows it."""
    body = {
        "amount": "25.00",
        "currency": "EUR",
        "customer_ref": "c",
        "payment_method": "pm_card_threeDSecure2Required",
    }
    made = await shop.operator.call("POST", "/v1/payment-intents", body | more, key=str(uuid4()))
    assert made.status == 200, made.raw
    confirmed = await shop.operator.confirm(made.json["id"])
    assert confirmed.json["status"] == "REQUIRES_ACTION", confirmed.raw
    shown: dict[str, Any] = confirmed.json
    return shown


async def secret_of(shop: Shop, intent_id: str) -> str:
    answer = await shop.operator.call("GET", f"/v1/payment-intents/{intent_id}/next-action")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store"), answer.raw
    assert answer.json.keys() == {"type", "client_secret"}
    assert answer.json["type"] == "use_stripe_sdk"
    return str(answer.json["client_secret"])


async def act(page: str, outcome: str) -> aiohttp.ClientResponse:
    """Open the issuer's page as the customer does, and complete the proof or fail it; returns the way back."""
    async with aiohttp.ClientSession() as browser:
        async with browser.get(page) as shown:
            assert (shown.status, shown.content_type) == (200, "text/html")
        async with browser.post(page, data={"outcome": outcome}, allow_redirects=False) as done:
            return done


async def act_status(page: str) -> int:
    """The status of the issuer's page."""
    async with aiohttp.ClientSession() as browser, browser.get(page) as shown:
        return shown.status


async def kept_nowhere(shop: Shop, made: dict[str, Any]) -> None:
    """See that the client secret of a payment is in no table of any service, outbox and webhooks included, and in no log."""
    for service in SERVICES:
        assert made["client_secret"] not in shop.platform.log(service)
    assert await rows_with(shop.platform.database, made["id"]), "what is sought can be found"
    assert await rows_with(shop.platform.database, made["client_secret"].partition("_secret_")[2]) == []


async def rows_with(database: TestDatabase, text: str) -> list[str]:
    """The tables of all services that have a text in some row, as it is or as bytes."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        tables = [row[0] for row in await connection.fetch(_TABLES, list(SERVICES))]
        assert len(tables) > 30
        sought = [f"%{text}%", f"%{text.encode().hex()}%"]
        return [
            table
            for table in tables
            if await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table} t WHERE t::text LIKE ANY ($1))", sought)
        ]
    finally:
        await connection.close()


@pytest.mark.parametrize(("outcome", "status"), [("success", "SETTLED"), ("failure", "FAILED")])
async def test_customer_comes_back_from_the_issuers_page(shop: Shop, outcome: str, status: str) -> None:
    intent = await waiting(shop, return_url="https://shop.example/back?order=7")
    action = intent["next_action"]
    assert action == {"type": "redirect", "url": intent["action_url"]}
    answer = await shop.operator.call("GET", f"/v1/payment-intents/{intent['id']}/next-action")
    assert (answer.status, answer.json) == (200, action)
    (made,) = shop.made_for(intent["id"], shop.account.payment_intents)
    assert made["client_secret"] in action["url"]
    # Whoever only looks gets the address without what opens it.
    looked = (await shop.operator.call("GET", f"/v1/payment-intents/{intent['id']}")).json
    assert looked["action_url"] == looked["next_action"]["url"] != action["url"]
    assert action["url"].startswith(looked["action_url"].partition("?")[0])
    assert (await act_status(looked["action_url"])) == 403
    done = await act(action["url"], outcome)
    assert done.status == 303
    assert done.headers["Location"].startswith("https://shop.example/back?order=7&payment_intent=pi_")
    async with asyncio.timeout(30):
        while await shop.operator.status(intent["id"]) != status:
            await asyncio.sleep(0.05)
    assert made["status"] in ({"succeeded"} if outcome == "success" else {"requires_payment_method", "canceled"})
    await kept_nowhere(shop, made)


async def test_secret_is_for_the_owner_alone_and_kept_nowhere(shop: Shop) -> None:
    intent = await waiting(shop)
    assert intent["next_action"] == {"type": "use_stripe_sdk"}
    secret = await secret_of(shop, intent["id"])
    (made,) = shop.made_for(intent["id"], shop.account.payment_intents)
    assert secret == made["client_secret"]
    await act(made["next_action"]["use_stripe_sdk"]["stripe_js"], "success")
    await shop.operator.settled(intent["id"])
    answer = await shop.operator.call("GET", f"/v1/payment-intents/{intent['id']}/next-action")
    assert (answer.status, answer.json["code"]) == (409, "no_action_required")
    await kept_nowhere(shop, made)


@pytest.mark.parametrize("proves", [False, True], ids=["left", "proven in that moment"])
async def test_customer_pays_with_another_card_instead(shop: Shop, proves: bool) -> None:
    intent = await waiting(shop)
    account = shop.account
    (first,) = shop.made_for(intent["id"], account.payment_intents)
    if proves:
        # Its event comes late, as those do.
        with late_events(shop):
            payments.prove(account, first, is_proven=True)
    where = f"/v1/payment-intents/{intent['id']}/confirm"
    answer = await shop.operator.call("POST", where, {"payment_method": "pm_card_visa"}, key=str(uuid4()))
    assert answer.status in {200, 202}, answer.raw
    await shop.operator.settled(intent["id"])
    made = shop.made_for(intent["id"], account.payment_intents)
    assert [each["status"] for each in made] == ["canceled", "succeeded"]
    taken = [each["amount_captured"] for each in shop.made_for(intent["id"], account.charges)]
    assert sum(taken) == 2_500


@contextmanager
def late_events(shop: Shop) -> Iterator[None]:
    """Let Stripe lose the webhooks of what happens meanwhile."""
    before, shop.fake.sender.mischief = shop.fake.sender.mischief, Mischief(lost_share=1.0)
    try:
        yield
    finally:
        shop.fake.sender.mischief = before


async def becomes(shop: Shop, intent_id: str, status: str) -> None:
    """Wait until a payment has a status, whatever it has before."""

    async def has_it() -> bool:
        return await shop.operator.status(intent_id) == status

    await until(has_it, seconds=60)


@pytest.mark.parametrize("was", ["declined", "not captured"])
async def test_payment_that_failed_and_was_taken_settles(shop: Shop, was: str) -> None:
    """By another card with the client secret before the decline is cancelled; or captured by a person before its release."""
    account, faults = shop.account, shop.fake.faults
    faults.add(Fault(kind=FaultKind.KEY_IN_USE, path="/cancel"))
    if was == "not captured":
        faults.add(Fault(kind=FaultKind.CARD_ERROR, path="/capture", times=1))
    card = "pm_card_chargeDeclined" if was == "declined" else "pm_card_visa"
    try:
        body = {"amount": "25.00", "currency": "EUR", "customer_ref": "c", "payment_method": card}
        made = (await shop.operator.call("POST", "/v1/payment-intents", body, key=str(uuid4()))).json["id"]
        await shop.operator.confirm(made)
        await becomes(shop, made, "FAILED")
        (found,) = shop.made_for(made, account.payment_intents)
        if was == "declined":
            payments.confirm(account, found, {"payment_method": "pm_card_visa"})
        payments.capture(account, found, {})
        await becomes(shop, made, "SETTLED")
    finally:
        faults.clear()
    # It is the merchant's, to deliver or to give back.
    refund = await shop.operator.call("POST", f"/v1/payment-intents/{made}/refund", key=str(uuid4()))
    assert refund.status == 200, refund.raw
    await becomes(shop, made, "REFUNDED")
    assert [
        (c["amount_captured"], c["amount_refunded"]) for c in shop.made_for(made, account.charges) if c["captured"]
    ] == [(2_500, 2_500)]

    async def booked() -> bool:
        entries = (await shop.operator.call("GET", f"/v1/ledger/entries?payment_intent_id={made}")).json
        return sorted(each["kind"] for each in entries if each["kind"] in {"capture", "refund"}) == [
            "capture",
            "refund",
        ]

    await until(booked)
    timeline = (await shop.operator.call("GET", f"/v1/payment-intents/{made}/events")).json
    types = [event["type"] for event in timeline]
    assert types.index("payment.failed") < types.index("payment.captured") < types.index("payment.settled")
