"""The stand-in for Stripe keeps Stripe's protocol: idempotency keys, errors, versions, signatures, what is refused."""

from typing import Any

import pytest

from deploy.fake_stripe import Fault, FaultKind
from deploy.fake_stripe.values import AMOUNT_MIN
from deploy.fake_stripe.webhooks import create_endpoint, roll_secret, signature
from services.gateway.processors.stripe import NotGenuine, verify
from tests.support.fake_stripe import KEY, PAYMENT, Caller

DAY = 86_400


async def test_key_keeps_its_answer_and_refuses_other_parameters(caller: Caller) -> None:
    first = await caller.post("/v1/payment_intents", PAYMENT, key="k")
    assert (first.status, "Idempotent-Replayed" in first.headers) == (200, False)
    again = await caller.post("/v1/payment_intents", PAYMENT, key="k")
    assert (again.status, again.json, again.headers["Idempotent-Replayed"]) == (200, first.json, "true")
    other = await caller.post("/v1/payment_intents", PAYMENT | {"amount": "2"}, key="k")
    assert (other.status, other.error["type"]) == (400, "idempotency_error")
    elsewhere = await caller.post("/v1/payment_intents", PAYMENT, key="k", api_key="sk_test_other")
    assert elsewhere.json["id"] != first.json["id"]


async def test_key_is_of_the_account_and_forgotten_after_a_day(caller: Caller) -> None:
    first = await caller.made("/v1/payment_intents", PAYMENT, key="k")
    caller.fake.add_key("rk_test_new", of=KEY)
    assert (await caller.made("/v1/payment_intents", PAYMENT, key="k", api_key="rk_test_new")) == first
    caller.fake.clock.advance(DAY)
    assert (await caller.made("/v1/payment_intents", PAYMENT, key="k"))["id"] != first["id"]


async def test_key_keeps_declines_and_errors_but_not_what_never_ran(caller: Caller) -> None:
    declined = PAYMENT | {"payment_method": "pm_card_chargeDeclined"}
    for _ in range(2):
        answer = await caller.post("/v1/payment_intents", declined, key="declined")
        assert (answer.status, answer.error["decline_code"]) == (402, "generic_decline")
    assert len(caller.books.payment_intents) == 1
    caller.fake.faults.add(Fault(kind=FaultKind.ERROR_AFTER, times=1))
    for _ in range(2):
        answer = await caller.post("/v1/payment_intents", PAYMENT, key="error")
        assert (answer.status, answer.headers["Stripe-Should-Retry"]) == (500, "false")
    assert len(caller.books.payment_intents) == 2
    assert (await caller.post("/v1/payment_intents", PAYMENT | {"amount": "x"}, key="wrong")).status == 400
    assert (await caller.post("/v1/payment_intents", PAYMENT, key="wrong")).status == 200


async def test_errors_have_the_shape_of_stripes(caller: Caller) -> None:
    answer = await caller.post("/v1/payment_intents", PAYMENT | {"colour": "red"})
    assert (*answer.code, answer.error["param"]) == (400, "parameter_unknown", "colour")
    assert answer.error["doc_url"].endswith("parameter-unknown")
    assert (await caller.post("/v1/payment_intents/pi_none/capture")).code == (404, "resource_missing")
    answer = await caller.post("/v1/payment_intents", PAYMENT, api_key="pk_test_public")
    assert (answer.status, answer.error["type"]) == (401, "invalid_request_error")
    assert (await caller.post("/v1/nothing")).status == 404
    assert (await caller.get("/v1/balance", Stripe_Version="yesterday")).status == 400


REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"currency": "xxx"}, "currency", ""),
    ({"currency": "lyd"}, "currency", ""),
    ({"amount": "49", "currency": "usd"}, "amount", "amount_too_small"),
    ({"amount": "49", "currency": "jpy"}, "amount", "amount_too_small"),
    ({"amount": "100000000"}, "amount", "amount_too_large"),
    ({"amount": "0"}, "amount", "parameter_invalid_integer"),
    ({"amount": "1.5"}, "amount", "parameter_invalid_integer"),
    ({"amount": "10004", "currency": "kwd"}, "amount", ""),
    ({"capture_method": "later"}, "capture_method", ""),
    ({"confirm": "yes"}, "confirm", ""),
    ({"expand[]": "latest_charge.colour"}, "expand", ""),
    ({"expand[]": "amount"}, "expand", ""),
    ({"automatic_payment_methods[enabled]": "true"}, "allowed_payment_method_types", "parameters_exclusive"),
    ({"allowed_payment_method_types[]": "gold"}, "allowed_payment_method_types", ""),
    ({"payment_method_types[]": "card"}, "payment_method_types", "payment_method_types_no_longer_supported"),
    ({"payment_method": "pm_card_unknown"}, "payment_method", "resource_missing"),
    ({"metadata[order]": "x" * 501}, "metadata[order]", ""),
    ({f"metadata[{'k' * 41}]": "x"}, "metadata", ""),
    ({f"metadata[k{number}]": "x" for number in range(51)}, "metadata", ""),
    ({"application_fee_amount": "10"}, "application_fee_amount", ""),
]


@pytest.mark.parametrize(("changes", "param", "code"), REFUSED, ids=lambda value: str(value)[:40])
async def test_wrong_parameter_is_refused_and_makes_nothing(
    caller: Caller, changes: dict[str, str], param: str, code: str
) -> None:
    answer = await caller.post("/v1/payment_intents", PAYMENT | changes)
    assert (*answer.code, answer.error["param"]) == (400, code, param)
    assert not caller.books.payment_intents


async def test_redirecting_methods_need_somewhere_to_return_to(caller: Caller) -> None:
    without = {name: value for name, value in PAYMENT.items() if "types" not in name}
    old = {"payment_method_types[]": "card", "automatic_payment_methods[enabled]": "true"}
    both = await caller.post("/v1/payment_intents", without | old, Stripe_Version="2026-08-26.dahlia")
    assert both.code == (400, "parameters_exclusive")
    types = without | {"payment_method_types[]": "card"}
    assert (await caller.post("/v1/payment_intents", types, Stripe_Version="2026-08-26.dahlia")).status == 200
    answer = await caller.post("/v1/payment_intents", without)
    assert (answer.status, answer.error["param"]) == (400, "return_url")
    for more in (
        {"return_url": "https://shop.example/"},
        {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"},
    ):
        assert (await caller.made("/v1/payment_intents", without | more))["status"] == "succeeded"


async def test_each_published_minimum_is_charged_and_one_less_is_not(caller: Caller) -> None:
    assert AMOUNT_MIN["usd"] == 50
    for currency, least in AMOUNT_MIN.items():
        assert (await caller.paid(currency=currency, amount=str(least)))["amount"] == least
        less = PAYMENT | {"currency": currency, "amount": str(least - 1)}
        assert (await caller.post("/v1/payment_intents", less)).code == (400, "amount_too_small")


async def test_reasons_are_of_stripes_closed_sets(caller: Caller) -> None:
    held, paid = await caller.held(), await caller.paid()
    answer = await caller.post(f"/v1/payment_intents/{held['id']}/cancel", {"cancellation_reason": "bored"})
    assert (answer.status, answer.error["param"]) == (400, "cancellation_reason")
    # Stripe alone writes this one.
    answer = await caller.post(f"/v1/payment_intents/{held['id']}/cancel", {"cancellation_reason": "expired"})
    assert answer.status == 400
    done = await caller.made(f"/v1/payment_intents/{held['id']}/cancel", {"cancellation_reason": "abandoned"})
    assert done["cancellation_reason"] == "abandoned"
    for reason, status in (("too_late", 400), ("expired_uncaptured_charge", 400), ("duplicate", 200)):
        assert (await caller.post("/v1/refunds", {"payment_intent": paid["id"], "reason": reason})).status == status


@pytest.mark.parametrize("limit", ["0", "101", "1000", "-1", "ten", ""])
async def test_limit_of_a_page_is_between_one_and_a_hundred(caller: Caller, limit: str) -> None:
    for path in ("payment_intents", "charges", "refunds", "balance_transactions", "disputes", "payouts", "events"):
        answer = await caller.get(f"/v1/{path}", {"limit": limit})
        assert (*answer.code, answer.error["param"]) == (400, "parameter_invalid_integer", "limit")


async def test_what_only_stripe_has_is_not_ignored(caller: Caller) -> None:
    answer = await caller.post("/v1/payment_intents", PAYMENT | {"transfer_group": "x"})
    assert (answer.status, answer.error["type"], answer.error["param"]) == (501, "api_error", "transfer_group")


async def test_payment_method_of_a_paid_intent_is_not_used_again(caller: Caller) -> None:
    paid = await caller.paid()
    assert paid["payment_method"] != "pm_card_visa"
    answer = await caller.post("/v1/payment_intents", PAYMENT | {"payment_method": paid["payment_method"]})
    assert (answer.status, answer.error["param"]) == (400, "payment_method")


async def test_nobody_there_to_authenticate_is_a_decline(caller: Caller) -> None:
    params = PAYMENT | {"payment_method": "pm_card_threeDSecure2Required", "off_session": "true"}
    answer = await caller.post("/v1/payment_intents", params)
    assert answer.code == (402, "authentication_required")
    assert answer.error["payment_intent"]["status"] == "requires_payment_method"


async def test_a_rolled_secret_signs_beside_the_new_one(caller: Caller) -> None:
    endpoint = create_endpoint(caller.books, {"url": "http://127.0.0.1:1/", "enabled_events": ["*"]})
    old = endpoint["secret"]
    roll_secret(endpoint, overlap_seconds=60)
    header = signature(b"{}", endpoint["secret"], old)
    for secret in (old, endpoint["secret"]):
        assert verify(b"{}", header, ["whsec_other", secret], tolerance_seconds=300) == "{}"
    with pytest.raises(NotGenuine, match="forged"):
        verify(b"{}", header, ["whsec_other"], tolerance_seconds=300)
    with pytest.raises(NotGenuine, match="forged"):
        verify(b"{}", header, [], tolerance_seconds=300)


async def test_secret_of_an_endpoint_is_shown_once(caller: Caller) -> None:
    params = {"url": "http://127.0.0.1:1/", "enabled_events[]": "*"}
    made: dict[str, Any] = await caller.made("/v1/webhook_endpoints", params)
    assert made["secret"].startswith("whsec_")
    found = await caller.found(f"/v1/webhook_endpoints/{made['id']}")
    assert found == {name: value for name, value in made.items() if name != "secret"}
    deleted = await caller.call("DELETE", f"/v1/webhook_endpoints/{made['id']}")
    assert deleted.json["deleted"] is True
    assert (await caller.found("/v1/webhook_endpoints"))["data"] == []
