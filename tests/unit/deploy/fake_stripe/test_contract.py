"""What the stand-in answers is what the pinned SDK and Stripe's published fixtures say; so are the parameters it knows.

Every answer that any test here receives is compared (`tests/support/fake_stripe.py`); these tests see to it that each object
was there in each of its states, and that the comparison finds what is wrong.
"""

from typing import Any

import pytest
from stripe import params as sdk

from deploy.fake_stripe import parameters
from deploy.fake_stripe.parameters import Parameters
from tests.support.fake_stripe import KEY, Caller
from tests.support.stripe_shapes import FIXTURES, faults_of

DAY = 86_400
_OPTIONS = {
    "api_key", "content_type", "expand", "headers", "idempotency_key", "max_network_retries", "stripe_account",
    "stripe_context", "stripe_version",
}  # fmt: skip
"""What the SDK calls parameters and sends as headers."""


async def everything(caller: Caller, *, version: str) -> None:
    """Lead payments, refunds, disputes and payouts through all their states."""
    settings = caller.fake.settings(KEY)
    settings.settlement_currencies, settings.rates = ("brl",), {"usd:brl": "5.25"}
    settings.tax_bps, settings.application = 500, "ca_platform"
    await caller.paid(application_fee_amount="10", description="A chair", receipt_email="a@example.com")
    await caller.made("/v1/payment_intents", {"amount": "100", "currency": "brl"})
    for card in ("pm_card_chargeDeclined", "pm_card_chargeDeclinedExpiredCard", "pm_card_chargeDeclinedFraudulent"):
        declined = {"payment_method": card, "allowed_payment_method_types[]": "card", "confirm": "true"}
        await caller.post("/v1/payment_intents", {"amount": "100", "currency": "usd"} | declined)
    for return_url in ("", "https://shop.example/"):
        more = {"return_url": return_url} if return_url else {}
        proven = await caller.paid(payment_method="pm_card_threeDSecure2Required", **more)
        await caller.made(f"/_control/payment_intents/{proven['id']}/authenticate/success")
    for params in ({"amount_to_capture": "600"}, {}):
        held = await caller.made(
            "/v1/payment_intents",
            {
                "amount": "1000", "currency": "usd", "capture_method": "manual", "payment_method": "pm_card_mastercard",
                "allowed_payment_method_types[]": "card", "confirm": "true",
            },
            Stripe_Version=version,
        )  # fmt: skip
        await caller.made(f"/v1/payment_intents/{held['id']}/capture", params, Stripe_Version=version)
    for verb in ("cancel", "expire"):
        held = await caller.held(currency="usd")
        base = "/v1" if verb == "cancel" else "/_control"
        await caller.made(f"{base}/payment_intents/{held['id']}/{verb}", Stripe_Version=version)
    for outcome in ("succeeded", "failed", "canceled", "requires_action"):
        paid = await caller.paid(payment_method="pm_card_pendingRefund")
        refund = await caller.made("/v1/refunds", {"payment_intent": paid["id"], "reason": "duplicate"})
        await caller.made(f"/_control/refunds/{refund['id']}/{outcome}")
    for path in (["won"], ["lost", "appeal_needs_response"], ["prevented"], ["under_review"]):
        await caller.paid(payment_method="pm_card_createDispute")
        dispute = list(caller.books.disputes)[-1]
        for status in path:
            await caller.made(f"/_control/disputes/{dispute}/{status}")
    for path in (["warning_under_review"], ["warning_closed"], ["needs_response"]):
        await caller.paid(payment_method="pm_card_createDisputeInquiry")
        dispute = list(caller.books.disputes)[-1]
        for status in path:
            await caller.made(f"/_control/disputes/{dispute}/{status}")
    await caller.paid(amount="50000", payment_method="pm_card_bypassPending")
    for outcome in ("paid", "failed", "canceled"):
        payout = await caller.made("/v1/payouts", {"amount": "500", "currency": "brl"})
        await caller.made(f"/_control/payouts/{payout['id']}/{outcome}")
    await caller.made("/v1/payouts", {"amount": "500", "currency": "brl"})
    await caller.made("/_control/payouts/run")
    await saved_methods(caller)
    await caller.made("/v1/webhook_endpoints", {"url": "http://127.0.0.1:1/", "enabled_events[]": "no.such"})


async def saved_methods(caller: Caller) -> None:
    """Lead customers and setup intents through all their states."""
    customer = await caller.made("/v1/customers", {"name": "Ana", "email": "a@example.com", "metadata[k]": "v"})
    setup = {"customer": customer["id"], "allowed_payment_method_types[]": "card"}
    confirmed = {"confirm": "true", "payment_method": "pm_card_visa"}
    saved = await caller.made("/v1/setup_intents", setup | confirmed)
    await caller.made("/v1/setup_intents", setup)
    canceled = await caller.made("/v1/setup_intents", setup | {"payment_method": "pm_card_visa"})
    await caller.made(f"/v1/setup_intents/{canceled['id']}/cancel", {"cancellation_reason": "abandoned"})
    await caller.post("/v1/setup_intents", setup | confirmed | {"payment_method": "pm_card_chargeDeclined"})
    for outcome in ("success", "failure", ""):
        proven = await caller.made(
            "/v1/setup_intents", setup | confirmed | {"payment_method": "pm_card_authenticationRequiredOnSetup"}
        )
        if outcome:
            await caller.made(f"/_control/setup_intents/{proven['id']}/authenticate/{outcome}")
    await caller.paid(customer=customer["id"], payment_method=saved["payment_method"], off_session="true")
    seen = [await caller.found(f"/v1/setup_intents/{each}") for each in caller.books.setup_intents]
    assert {each["status"] for each in seen} == {"canceled", "requires_action", "requires_payment_method", "succeeded"}
    methods = await caller.found("/v1/payment_methods", {"customer": customer["id"], "type": "card"})
    assert [each["customer"] for each in methods["data"]] == [customer["id"]] * 2
    await caller.made(f"/v1/payment_methods/{saved['payment_method']}/detach")
    gone = await caller.made("/v1/customers", {})
    assert (await caller.call("DELETE", f"/v1/customers/{gone['id']}")).json["deleted"]


OF_PLATFORMS = {"application_fee", "fee_refund"}
"""What the accounts of platforms alone have: `test_connect.py` compares them."""
SHOWN_IN_EVENTS = {"customer", "payment_method", "setup_intent"}
"""Objects without a list of all of them."""
EXPANSIONS = {
    "balance_transactions": "data.source",
    "charges": "data.balance_transaction",
    "disputes": "data.charge.payment_intent",
    "payment_intents": "data.latest_charge.refunds",
    "payouts": "data.balance_transaction",
    "refunds": "data.charge.balance_transaction",
}


@pytest.mark.parametrize("version", ["2026-10-28.endive", "2025-02-24.acacia"])
async def test_each_object_in_each_state_is_as_the_sdk_declares_it(caller: Caller, version: str) -> None:
    await everything(caller, version=version)
    seen: dict[str, set[str]] = {}
    for path in (*EXPANSIONS, "events", "webhook_endpoints"):
        params, after = {"limit": "100"}, ""
        if path in EXPANSIONS:
            params["expand[]"] = EXPANSIONS[path]
        while True:
            page = await caller.found(f"/v1/{path}", params | ({"starting_after": after} if after else {}))
            for each in page["data"]:
                if each["object"] == "event" and (about := each["data"]["object"]["object"]) in SHOWN_IN_EVENTS:
                    seen.setdefault(about, set()).add(each["type"])
                state = each.get("status") or each["type"]
                seen.setdefault(each["object"], set()).add(state)
            if not page["has_more"]:
                break
            after = page["data"][-1]["id"]
    await caller.found("/v1/balance")
    await caller.found("/v1/account")
    assert set(seen) | {"balance", "account"} | OF_PLATFORMS == set(FIXTURES)
    assert seen["dispute"] >= {"won", "prevented", "under_review", "appeal_needs_response", "needs_response"}
    assert seen["dispute"] >= {"warning_under_review", "warning_closed"}
    assert seen["payout"] == {"paid", "failed", "canceled", "pending", "in_transit"}
    assert seen["refund"] == {"succeeded", "failed", "canceled", "requires_action"}
    assert seen["payment_intent"] == {"succeeded", "canceled", "requires_payment_method"}


async def test_comparison_finds_what_is_not_as_at_stripe(caller: Caller) -> None:
    paid = await caller.paid()
    charge: dict[str, Any] = await caller.found(
        f"/v1/charges/{paid['latest_charge']}", {"expand[]": "balance_transaction"}
    )
    assert faults_of(charge) == []
    moved = charge["balance_transaction"]
    for wrong, where in (
        (charge | {"colour": "red"}, "charge.colour is unknown"),
        ({name: value for name, value in charge.items() if name != "paid"}, "charge.paid is missing"),
        ({name: value for name, value in charge.items() if name != "review"}, "charge.review of the published"),
        (charge | {"amount": "1000"}, "charge.amount is '1000'"),
        (charge | {"captured": 1}, "charge.captured is 1"),
        (charge | {"status": "done"}, "charge.status is 'done'"),
        (charge | {"balance_transaction": moved | {"type": "gift"}}, "type is 'gift'"),
        (charge | {"balance_transaction": moved | {"reporting_category": "adjustment"}}, "reporting_category is"),
        ({"error": {"type": "invalid_request_error", "code": "refund_ended"}}, "error.code is 'refund_ended'"),
        ({"error": {"type": "error"}}, "error.type is 'error'"),
        ({"object": "gift"}, "gift is no object"),
    ):
        found = faults_of(wrong)
        assert any(where in fault for fault in found), (where, found)


CALLS = {
    "CustomerCreateParams": parameters.CREATE_CUSTOMER,
    "CustomerUpdateParams": parameters.UPDATE_CUSTOMER,
    "CustomerListParams": parameters.LIST_CUSTOMERS,
    "CustomerSearchParams": parameters.SEARCH_CUSTOMERS,
    "CustomerDeleteParams": parameters.NONE,
    "CustomerPaymentMethodListParams": parameters.LIST_PAYMENT_METHODS_OF,
    "PaymentMethodListParams": parameters.LIST_PAYMENT_METHODS,
    "PaymentMethodAttachParams": parameters.ATTACH_PAYMENT_METHOD,
    "PaymentMethodDetachParams": parameters.NONE,
    "SetupIntentCreateParams": parameters.CREATE_SETUP_INTENT,
    "SetupIntentConfirmParams": parameters.CONFIRM_SETUP_INTENT,
    "SetupIntentCancelParams": parameters.CANCEL_SETUP_INTENT,
    "SetupIntentRetrieveParams": parameters.RETRIEVE_SETUP_INTENT,
    "PaymentIntentCreateParams": parameters.CREATE_PAYMENT_INTENT,
    "PaymentIntentConfirmParams": parameters.CONFIRM_PAYMENT_INTENT,
    "PaymentIntentCaptureParams": parameters.CAPTURE_PAYMENT_INTENT,
    "PaymentIntentCancelParams": parameters.CANCEL_PAYMENT_INTENT,
    "PaymentIntentRetrieveParams": parameters.RETRIEVE_PAYMENT_INTENT,
    "PaymentIntentListParams": parameters.LIST_PAYMENT_INTENTS,
    "PaymentIntentSearchParams": parameters.SEARCH_PAYMENT_INTENTS,
    "ChargeListParams": parameters.LIST_CHARGES,
    "RefundCreateParams": parameters.CREATE_REFUND,
    "RefundUpdateParams": parameters.UPDATE_REFUND,
    "RefundListParams": parameters.LIST_REFUNDS,
    "RefundCancelParams": parameters.NONE,
    "ApplicationFeeListParams": parameters.LIST_APPLICATION_FEES,
    "BalanceRetrieveParams": parameters.NONE,
    "BalanceTransactionListParams": parameters.LIST_BALANCE_TRANSACTIONS,
    "DisputeListParams": parameters.LIST_DISPUTES,
    "DisputeUpdateParams": parameters.UPDATE_DISPUTE,
    "DisputeCloseParams": parameters.NONE,
    "PayoutCreateParams": parameters.CREATE_PAYOUT,
    "PayoutListParams": parameters.LIST_PAYOUTS,
    "PayoutCancelParams": parameters.NONE,
    "PayoutReverseParams": parameters.REVERSE_PAYOUT,
    "EventListParams": parameters.LIST_EVENTS,
    "WebhookEndpointCreateParams": parameters.CREATE_WEBHOOK_ENDPOINT,
    "WebhookEndpointListParams": parameters.LIST_WEBHOOK_ENDPOINTS,
}


@pytest.mark.parametrize("name", CALLS)
def test_parameters_are_those_of_the_sdk(name: str) -> None:
    takes: Parameters = CALLS[name]
    assert not takes.served & takes.elsewhere
    # Of versions before the pinned one, in which it is refused.
    older = {"payment_method_types"} if name == "PaymentIntentCreateParams" else set()
    assert takes.served | takes.elsewhere == set(getattr(sdk, name).__annotations__) - _OPTIONS | older
