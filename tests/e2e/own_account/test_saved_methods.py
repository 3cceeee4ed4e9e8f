"""A customer's card is saved through the whole platform, at the tenant's own account at a fake Stripe and in the sandbox."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.own_account.shop import Shop
from tests.e2e.own_account.test_customer import act, rows_with
from tests.support.databases import SERVICES
from tests.support.platform import Answer


@pytest.fixture(scope="module", autouse=True)
async def configured(shop: Shop) -> None:
    """The tenant's own account takes its euros."""
    await shop.configure()


async def customer(shop: Shop) -> str:
    body = {"reference": f"c-{uuid4().hex[:8]}", "name": "Ana Souza", "email": "ana@example.com"}
    made = await shop.operator.call("POST", "/v1/customers", body, key=str(uuid4()))
    assert made.status == 201, made.raw
    return f"/v1/customers/{made.json['id']}"


async def setup(shop: Shop, owner: str, card: str = "", *, key: str = "", **more: str) -> Answer:
    body = {"currency": "EUR"} | ({"payment_method": card} if card else {}) | more
    return await shop.operator.call("POST", f"{owner}/setup-intents", body, key=key or str(uuid4()))


async def methods(shop: Shop, owner: str) -> list[dict[str, Any]]:
    answer = await shop.operator.call("GET", f"{owner}/payment-methods")
    assert answer.status == 200, answer.raw
    found: list[dict[str, Any]] = answer.json
    return found


async def saved(shop: Shop, owner: str, card: str = "pm_card_visa") -> str:
    made = await setup(shop, owner, card)
    assert (made.status, made.json["status"]) == (201, "SUCCEEDED"), made.raw
    return str(made.json["payment_method"])


async def test_card_is_saved_shown_and_detached(shop: Shop) -> None:
    owner = await customer(shop)
    first = await setup(shop, owner, "pm_card_mastercard", key="one")
    again = await setup(shop, owner, "pm_card_mastercard", key="one")
    assert (again.raw, again.headers["Idempotency-Replayed"]) == (first.raw, "true")
    (method,) = await methods(shop, owner)
    assert {name: method[name] for name in ("type", "brand", "last4", "exp_month", "exp_year")} == {
        "type": "card",
        "brand": "mastercard",
        "last4": "4444",
        "exp_month": 12,
        "exp_year": 2034,
    }
    assert method["id"] == first.json["payment_method"]
    for _ in range(2):
        assert (await shop.operator.call("DELETE", f"{owner}/payment-methods/{method['id']}")).status == 204
    assert await methods(shop, owner) == []
    kept = [each for each in shop.account.payment_methods.values() if each.get("card", {}).get("last4") == "4444"]
    assert [each["customer"] for each in kept] == [None]


async def test_customer_enters_a_card_with_a_secret_that_is_kept_nowhere(shop: Shop) -> None:
    owner = await customer(shop)
    waiting = await setup(shop, owner)
    assert (waiting.status, waiting.json["status"]) == (201, "REQUIRES_PAYMENT_METHOD"), waiting.raw
    where = f"{owner}/setup-intents/{waiting.json['id']}"
    action = await shop.operator.call("GET", f"{where}/next-action")
    assert (action.status, action.headers["cache-control"]) == (200, "no-store"), action.raw
    (intent,) = [
        each for each in shop.account.setup_intents.values() if each["metadata"]["setup_id"] == waiting.json["id"]
    ]
    assert action.json == {"type": "use_stripe_sdk", "client_secret": intent["client_secret"]}
    # What the customer's browser does with it.
    url, auth = f"{shop.fake.url}/v1/setup_intents/{intent['id']}/confirm", {"Authorization": f"Bearer {shop.key}"}
    async with shop.platform.http.post(url, data={"payment_method": "pm_card_visa"}, headers=auth) as done:
        assert done.status == 200, await done.text()
    async with asyncio.timeout(30):
        while not await methods(shop, owner):
            await asyncio.sleep(0.05)
    over = await shop.operator.call("GET", f"{where}/next-action")
    assert (over.status, over.json["code"]) == (409, "no_action_required")
    assert (await shop.operator.call("GET", where)).json["status"] == "SUCCEEDED"
    for service in SERVICES:
        assert intent["client_secret"] not in shop.platform.log(service)
    assert await rows_with(shop.platform.database, intent["id"]), "what is sought can be found"
    assert await rows_with(shop.platform.database, intent["client_secret"]) == []


async def test_customer_proves_themselves_on_the_issuers_page(shop: Shop) -> None:
    owner = await customer(shop)
    waiting = await setup(shop, owner, "pm_card_authenticationRequired", return_url="https://shop.example/back")
    assert waiting.json["status"] == "REQUIRES_ACTION", waiting.raw
    where = f"{owner}/setup-intents/{waiting.json['id']}"
    action = (await shop.operator.call("GET", f"{where}/next-action")).json
    assert action["type"] == "redirect"
    assert (await act(action["url"], "success")).status == 303
    async with asyncio.timeout(30):
        while not await methods(shop, owner):
            await asyncio.sleep(0.05)
    assert (await shop.operator.call("GET", where)).json["status"] == "SUCCEEDED"


async def test_what_cannot_be_saved_is_named(shop: Shop) -> None:
    owner = await customer(shop)
    declined = await setup(shop, owner, "pm_card_chargeDeclinedExpiredCard")
    assert (declined.status, declined.json["failure_code"]) == (201, "expired_card"), declined.raw
    unknown = await setup(shop, owner, "pm_of_nobody")
    assert (unknown.status, unknown.json["code"]) == (422, "setup_refused"), unknown.raw
    assert unknown.json["errors"][0]["pointer"] == "/payment_method"
    for member, value in (("currency", "eur"), ("payment_method", "a b"), ("return_url", "back"), ("amount", "1")):
        answer = await setup(shop, owner, **{member: value})
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, f"/{member}"), answer.raw


async def test_what_is_saved_is_for_its_customer_and_permission_alone(shop: Shop) -> None:
    owner, other = await customer(shop), await customer(shop)
    method = await saved(shop, owner)
    gone = await shop.operator.call("DELETE", f"{other}/payment-methods/{method}")
    assert (gone.status, gone.json["code"]) == (404, "saved_payment_method_not_found")
    assert len(await methods(shop, owner)) == 1
    nobody = f"/v1/customers/{uuid4()}"
    for verb, path in (("GET", "payment-methods"), ("POST", "setup-intents"), ("DELETE", f"payment-methods/{method}")):
        answer = await shop.operator.call(verb, f"{nobody}/{path}")
        assert (answer.status, answer.json["code"]) == (404, "customer_not_found")


async def test_deleted_customer_is_forgotten_by_the_processor(shop: Shop) -> None:
    owner = await customer(shop)
    await saved(shop, owner)
    made = list(shop.account.customers.values())[-1]
    assert (await shop.operator.call("DELETE", owner)).status == 204
    async with asyncio.timeout(60):
        while not made["_is_deleted"]:
            await asyncio.sleep(0.1)


async def test_sandbox_saves_a_card_at_once(shop: Shop) -> None:
    owner = await customer(shop)
    made = await shop.operator.call("POST", f"{owner}/setup-intents", {"currency": "USD"})
    assert (made.status, made.json["status"], made.json["processor"]) == (201, "SUCCEEDED", "sandbox"), made.raw
    (method,) = await methods(shop, owner)
    assert (method["brand"], method["last4"]) == ("visa", "4242")


async def charge(shop: Shop, owner: str, method: str, *, key: str = "", **more: Any) -> Answer:
    body = {
        "amount": "25.00",
        "currency": "EUR",
        "customer_ref": "c",
        "customer": owner.rpartition("/")[2],
        "payment_method": method,
        "off_session": True,
    }
    return await shop.operator.call("POST", "/v1/payment-intents", body | more, key=key or str(uuid4()))


async def charged(shop: Shop, owner: str, method: str, **more: Any) -> dict[str, Any]:
    """A payment by what is saved, as its confirmation shows it."""
    made = await charge(shop, owner, method, **more)
    assert made.status == 200, made.raw
    confirmed: dict[str, Any] = (await shop.operator.confirm(made.json["id"])).json
    return confirmed


async def test_saved_card_is_charged_again_and_again_without_its_customer(shop: Shop) -> None:
    owner = await customer(shop)
    method = await saved(shop, owner)
    # Through the account that has it, whatever new payments of the currency go through.
    for currency in ("EUR", "USD"):
        intent = await charged(shop, owner, method, currency=currency)
        shown = {name: intent[name] for name in ("customer", "payment_method", "off_session")}
        assert shown == {"customer": owner.rpartition("/")[2], "payment_method": method, "off_session": True}
        await shop.operator.settled(intent["id"])
        (made,) = shop.made_for(intent["id"], shop.account.payment_intents)
        assert made["customer"] is not None
        assert (await shop.processors(intent["id"]))[0][1].startswith("stripe:")


@pytest.mark.parametrize(
    ("card", "code"),
    [("pm_card_authenticationRequired", "authentication_required"), ("pm_card_chargeCustomerFail", "generic_decline")],
)
async def test_saved_card_that_cannot_be_charged_off_session_is_declined(shop: Shop, card: str, code: str) -> None:
    owner = await customer(shop)
    waiting = await setup(shop, owner, card, return_url="https://shop.example/back")
    if waiting.json["status"] == "REQUIRES_ACTION":
        where = f"{owner}/setup-intents/{waiting.json['id']}/next-action"
        await act((await shop.operator.call("GET", where)).json["url"], "success")
    async with asyncio.timeout(30):
        while not (found := await methods(shop, owner)):
            await asyncio.sleep(0.05)
    intent = await charged(shop, owner, found[0]["id"])
    assert (intent["status"], intent["decline_code"]) == ("FAILED", code), intent
    if card == "pm_card_authenticationRequired":
        assert intent["failure_code"] == "authentication_required"
        # The same payment by the same card, with its customer there to prove who they are.
        body = {"payment_method": found[0]["id"], "return_url": "https://shop.example/back"}
        where = f"/v1/payment-intents/{intent['id']}/confirm"
        present = (await shop.operator.call("POST", where, body, key=str(uuid4()))).json
        assert (present["status"], present["off_session"]) == ("REQUIRES_ACTION", False), present
        await act(present["action_url"], "success")
        await shop.operator.settled(intent["id"])


async def test_method_that_is_detached_before_the_confirmation_is_not_charged(shop: Shop) -> None:
    owner = await customer(shop)
    method = await saved(shop, owner)
    made = await charge(shop, owner, method, key="before")
    assert (await shop.operator.call("DELETE", f"{owner}/payment-methods/{method}")).status == 204
    again = await charge(shop, owner, method, key="before")
    assert (again.raw, again.headers["Idempotency-Replayed"]) == (made.raw, "true")
    before = len(shop.account.payment_intents)
    intent = (await shop.operator.confirm(made.json["id"])).json
    assert (intent["status"], intent["failure_code"]) == ("FAILED", "payment_method_detached"), intent
    assert len(shop.account.payment_intents) == before


async def test_what_may_not_be_charged_is_refused_by_name(shop: Shop) -> None:
    owner, other = await customer(shop), await customer(shop)
    method, mine = await saved(shop, owner), owner.rpartition("/")[2]
    for changes, code, member in (
        ({"customer": other.rpartition("/")[2]}, "payment_method_not_of_customer", "payment_method"),
        ({"payment_method": str(uuid4())}, "payment_method_not_of_customer", "payment_method"),
        ({"customer": str(uuid4())}, "customer_unknown", "customer"),
        ({"customer": "nobody"}, "invalid_request", "customer"),
        ({"payment_method": "pm_card_visa", "customer": mine}, "customer_required", "off_session"),
        ({"off_session": "yes"}, "invalid_request", "off_session"),
    ):
        refused = await charge(shop, owner, method, **changes)
        assert (refused.status, refused.json["code"]) == (422, code), refused.raw
        assert refused.json["errors"][0]["pointer"] == f"/{member}", refused.raw
    body = {"amount": "1.00", "currency": "EUR", "customer_ref": "c", "payment_method": method}
    alone = await shop.operator.call("POST", "/v1/payment-intents", body, key=str(uuid4()))
    assert (alone.status, alone.json["code"]) == (422, "customer_required"), alone.raw


async def test_sandbox_charges_what_it_saved(shop: Shop) -> None:
    owner = await customer(shop)
    for card, status in (("pm_card_visa", "SETTLED"), ("pm_card_authenticationRequired", "FAILED")):
        made = await setup(shop, owner, card, currency="USD")
        intent = await charged(shop, owner, made.json["payment_method"], currency="USD")
        async with asyncio.timeout(30):
            while (found := await shop.operator.status(intent["id"])) != status:
                assert found in {"AUTHORIZED", "PROCESSING"}, intent
                await asyncio.sleep(0.05)
