"""Customers, setup intents and saved payment methods of the stand-in: what Stripe lets be done with them, and what it refuses."""

from typing import Any

import pytest

from tests.support.fake_stripe import PAYMENT, Caller

SETUP = {"allowed_payment_method_types[]": "card", "confirm": "true", "payment_method": "pm_card_visa"}


async def customer(caller: Caller, **members: str) -> str:
    return str((await caller.made("/v1/customers", members))["id"])


async def saved(caller: Caller, owner: str, card: str = "pm_card_visa") -> Any:
    return await caller.made("/v1/setup_intents", SETUP | {"customer": owner, "payment_method": card})


def events(caller: Caller) -> list[str]:
    return [each["type"] for each in caller.books.events.values()]


async def test_setup_saves_a_method_that_is_charged_again_and_again(caller: Caller) -> None:
    owner = await customer(caller)
    setup = await saved(caller, owner)
    assert (setup["status"], setup["customer"], setup["usage"]) == ("succeeded", owner, "off_session")
    for _ in range(2):
        paid = await caller.paid(customer=owner, payment_method=setup["payment_method"], off_session="true")
        assert (paid["status"], paid["customer"]) == ("succeeded", owner)
        assert (await caller.found(f"/v1/charges/{paid['latest_charge']}"))["customer"] == owner
    assert events(caller)[:4] == [
        "customer.created",
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]


async def test_method_of_a_customer_is_for_that_customer_alone(caller: Caller) -> None:
    owner, other = await customer(caller), await customer(caller)
    method = (await saved(caller, owner))["payment_method"]
    for changes in ({"payment_method": method}, {"payment_method": method, "customer": other}):
        answer = await caller.post("/v1/payment_intents", PAYMENT | changes)
        assert (answer.status, answer.error["param"]) == (400, "payment_method")
    again = await caller.post("/v1/setup_intents", SETUP | {"payment_method": method, "customer": other})
    assert (again.status, again.error["param"]) == (400, "payment_method")


async def test_detached_method_is_of_no_use_any_more(caller: Caller) -> None:
    owner = await customer(caller)
    method = (await saved(caller, owner))["payment_method"]
    detached = await caller.made(f"/v1/payment_methods/{method}/detach")
    assert detached["customer"] is None
    event = list(caller.books.events.values())[-1]
    assert (event["type"], event["data"]["previous_attributes"]) == ("payment_method.detached", {"customer": owner})
    assert (await caller.post(f"/v1/payment_methods/{method}/detach")).status == 400
    assert (await caller.post(f"/v1/payment_methods/{method}/attach", {"customer": owner})).code == (
        400,
        "payment_method_unactivated",
    )
    charged = await caller.post("/v1/payment_intents", PAYMENT | {"payment_method": method, "customer": owner})
    assert charged.code == (400, "payment_method_unactivated")
    assert (await caller.found("/v1/payment_methods", {"customer": owner}))["data"] == []


async def test_attached_method_is_listed_with_its_customer(caller: Caller) -> None:
    owner = await customer(caller)
    attached = await caller.made("/v1/payment_methods/pm_card_mastercard/attach", {"customer": owner})
    for path, params in ((f"/v1/customers/{owner}/payment_methods", {}), ("/v1/payment_methods", {"customer": owner})):
        (found,) = (await caller.found(path, params))["data"]
        assert found == attached
        assert (found["card"]["brand"], found["card"]["last4"]) == ("mastercard", "4444")
    other = await customer(caller)
    assert (await caller.post(f"/v1/payment_methods/{attached['id']}/attach", {"customer": other})).status == 400


@pytest.mark.parametrize(
    ("card", "outcome"),
    [
        ("pm_card_authenticationRequiredOnSetup", "succeeded"),
        ("pm_card_authenticationRequired", "authentication_required"),
        ("pm_card_chargeCustomerFail", "card_declined"),
    ],
)
async def test_saved_card_is_charged_without_its_customer_or_declined(caller: Caller, card: str, outcome: str) -> None:
    owner = await customer(caller)
    setup = await saved(caller, owner, card)
    if setup["status"] == "requires_action":
        setup = await caller.made(f"/_control/setup_intents/{setup['id']}/authenticate/success")
    assert setup["status"] == "succeeded"
    charged = await caller.post(
        "/v1/payment_intents",
        PAYMENT | {"customer": owner, "payment_method": setup["payment_method"], "off_session": "true"},
    )
    assert (charged.json["status"] if charged.status == 200 else charged.error["code"]) == outcome


async def test_setup_that_is_declined_or_not_proven_saves_nothing(caller: Caller) -> None:
    owner = await customer(caller)
    declined = await caller.post(
        "/v1/setup_intents", SETUP | {"customer": owner, "payment_method": "pm_card_chargeDeclinedExpiredCard"}
    )
    assert declined.code == (402, "expired_card")
    assert declined.error["setup_intent"]["status"] == "requires_payment_method"
    waiting = await saved(caller, owner, "pm_card_authenticationRequired")
    failed = await caller.made(f"/_control/setup_intents/{waiting['id']}/authenticate/failure")
    assert failed["last_setup_error"]["code"] == "setup_intent_authentication_failure"
    again = await caller.made(f"/v1/setup_intents/{failed['id']}/confirm", {"payment_method": "pm_card_visa"})
    assert again["status"] == "succeeded"
    assert (await caller.post(f"/v1/setup_intents/{failed['id']}/cancel")).status == 400
    assert events(caller).count("setup_intent.setup_failed") == 2


async def test_deleted_customer_keeps_nothing(caller: Caller) -> None:
    owner = await customer(caller, **{"metadata[customer_id]": "c-1"})
    method = (await saved(caller, owner))["payment_method"]
    query = {"query": "metadata['customer_id']:'c-1'"}
    assert [each["id"] for each in (await caller.found("/v1/customers/search", query))["data"]] == [owner]
    deleted = {"id": owner, "object": "customer", "deleted": True}
    assert (await caller.call("DELETE", f"/v1/customers/{owner}")).json == deleted
    assert await caller.found(f"/v1/customers/{owner}") == deleted
    assert (await caller.found(f"/v1/payment_methods/{method}"))["customer"] is None
    assert (await caller.call("DELETE", f"/v1/customers/{owner}")).code == (404, "resource_missing")
    assert (await caller.post("/v1/setup_intents", SETUP | {"customer": owner})).code == (400, "resource_missing")
    assert (await caller.found("/v1/customers/search", query))["data"] == []


async def test_customer_proves_on_the_page_that_the_card_is_theirs(caller: Caller) -> None:
    owner = await customer(caller)
    card = {"payment_method": "pm_card_authenticationRequired", "return_url": "https://shop.example/back"}
    setup = await caller.made("/v1/setup_intents", SETUP | {"customer": owner} | card)
    page = setup["next_action"]["redirect_to_url"]["url"]
    async with caller.http.get(page) as shown:
        assert "that your card is saved" in await shown.text()
    async with caller.http.post(page, data={"outcome": "success"}, allow_redirects=False) as back:
        assert back.headers["Location"].startswith(f"https://shop.example/back?setup_intent={setup['id']}&")
    assert (await caller.found(f"/v1/setup_intents/{setup['id']}"))["status"] == "succeeded"
