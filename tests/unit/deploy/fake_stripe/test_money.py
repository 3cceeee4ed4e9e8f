"""What moves in an account of the stand-in: charges, fees, tax, conversions, captures of a part, and the balance."""

import pytest

from deploy.fake_stripe.balance import charge_fee
from tests.support.fake_stripe import KEY, PAYMENT, Caller

DAY = 86_400


async def test_balance_is_what_was_taken_less_fees_and_what_went_back(caller: Caller) -> None:
    paid = await caller.paid(amount="10000", payment_method="pm_card_bypassPending")
    disputed = await caller.paid(amount="5000", payment_method="pm_card_createDispute")
    await caller.made("/v1/refunds", {"payment_intent": paid["id"], "amount": "3000"})
    (dispute,) = caller.books.disputes.values()
    await caller.made(f"/_control/disputes/{dispute['id']}/won")
    payout = await caller.made("/v1/payouts", {"amount": "1000", "currency": "brl"})
    await caller.made(f"/_control/payouts/{payout['id']}/failed")
    left = 10_000 + 5_000 - charge_fee(10_000) - charge_fee(5_000) - 3_000 - 1_500
    assert sum((await caller.balance())["brl"]) == left
    answer = await caller.post("/v1/payouts", {"amount": "999999", "currency": "brl"})
    assert answer.code == (400, "balance_insufficient")
    assert disputed["status"] == "succeeded"


async def test_money_of_a_charge_is_pending_until_its_day(caller: Caller) -> None:
    await caller.paid(amount="10000")
    net = 10_000 - charge_fee(10_000)
    (movement,) = await caller.movements()
    assert (movement["status"], movement["available_on"] - movement["created"]) == ("pending", 2 * DAY)
    assert await caller.balance() == {"brl": (0, net)}
    refused = await caller.post("/v1/payouts", {"amount": "100", "currency": "brl"})
    assert refused.code == (400, "balance_insufficient")
    caller.fake.clock.advance(2 * DAY - 60)
    assert (await caller.movements())[0]["status"] == "pending"
    caller.fake.clock.advance(60)
    assert (await caller.movements())[0]["status"] == "available"
    assert await caller.balance() == {"brl": (net, 0)}


async def test_each_kind_of_fee_is_a_detail(caller: Caller) -> None:
    settings = caller.fake.settings(KEY)
    settings.tax_bps, settings.application = 1_000, "ca_platform"
    await caller.paid(amount="10000", application_fee_amount="250")
    (movement,) = await caller.movements()
    assert [(each["type"], each["amount"], each["application"]) for each in movement["fee_details"]] == [
        ("application_fee", 250, "ca_platform"),
        ("stripe_fee", 320, None),
        ("tax", 32, None),
    ]
    assert (movement["fee"], movement["net"]) == (602, 9_398)


async def test_payment_is_settled_in_another_currency_at_a_rate(caller: Caller) -> None:
    settings = caller.fake.settings(KEY)
    settings.settlement_currencies, settings.rates = ("brl",), {"usd:brl": "5.25", "jpy:brl": "0.035"}
    paid = await caller.paid(amount="1001", currency="usd", payment_method="pm_card_bypassPending")
    await caller.paid(amount="1000", currency="jpy")
    settings.rates["usd:brl"] = "5.00"
    await caller.made("/v1/refunds", {"payment_intent": paid["id"], "amount": "500"})
    dollars, yen, refund = await caller.movements()
    # 5,255.25 centavos, half a unit rounded away from zero.
    assert (dollars["amount"], dollars["currency"], dollars["exchange_rate"]) == (5_255, "brl", 5.25)
    assert dollars["fee"] == charge_fee(5_255)
    # Minor units times the rate are minor units: 1,000 yen are 35.00.
    assert (yen["amount"], yen["exchange_rate"]) == (3_500, 3.5)
    assert (refund["amount"], refund["exchange_rate"]) == (-2_500, 5.0)
    assert set(await caller.balance()) == {"brl"}
    refused = await caller.post("/v1/payment_intents", PAYMENT | {"currency": "chf"})
    assert (refused.status, refused.error["param"]) == (400, "currency")
    refused = await caller.post("/v1/payouts", {"amount": "1", "currency": "usd"})
    assert (refused.status, refused.error["param"]) == (400, "currency")


async def test_part_of_a_hold_is_one_movement_in_the_pinned_version(caller: Caller) -> None:
    held = await caller.held(amount="10000")
    await caller.made(f"/v1/payment_intents/{held['id']}/capture", {"amount_to_capture": "7000"})
    (movement,) = await caller.movements()
    assert (movement["amount"], movement["fee"]) == (7_000, charge_fee(7_000))
    charge = await caller.found(f"/v1/charges/{held['latest_charge']}")
    assert (charge["amount"], charge["amount_captured"], charge["amount_refunded"]) == (10_000, 7_000, 0)
    assert (charge["refunded"], caller.books.refunds) == (False, {})


async def test_part_of_a_hold_is_two_movements_in_an_older_version(caller: Caller) -> None:
    held = await caller.held(amount="10000")
    path, old = f"/v1/payment_intents/{held['id']}/capture", "2025-02-24.acacia"
    await caller.made(path, {"amount_to_capture": "7000"}, Stripe_Version=old)
    whole, reversal = await caller.movements()
    assert (whole["type"], whole["reporting_category"], whole["amount"]) == ("charge", "charge", 10_000)
    assert (reversal["type"], reversal["reporting_category"]) == ("refund", "partial_capture_reversal")
    assert (reversal["amount"], reversal["fee"]) == (-3_000, charge_fee(7_000) - charge_fee(10_000))
    assert whole["net"] + reversal["net"] == 7_000 - charge_fee(7_000)
    charge = await caller.found(f"/v1/charges/{held['latest_charge']}")
    assert (charge["amount_captured"], charge["amount_refunded"], charge["refunded"]) == (7_000, 3_000, False)
    await caller.made("/v1/refunds", {"payment_intent": held["id"], "amount": "7000"})
    again = await caller.post("/v1/refunds", {"payment_intent": held["id"]})
    assert again.code == (400, "charge_already_refunded")
    charge = await caller.found(f"/v1/charges/{held['latest_charge']}")
    assert (charge["amount_refunded"], charge["refunded"]) == (10_000, True)


@pytest.mark.parametrize(
    ("version", "refunded", "reason"),
    [("2026-10-28.endive", (0, False), "expired"), ("2025-02-24.acacia", (1_000, True), "automatic")],
)
async def test_hold_expires_by_the_clock(caller: Caller, version: str, refunded: tuple[int, bool], reason: str) -> None:
    held = await caller.made("/v1/payment_intents", PAYMENT | {"capture_method": "manual"}, Stripe_Version=version)
    charge = await caller.found(f"/v1/charges/{held['latest_charge']}")
    assert charge["payment_method_details"]["card"]["capture_before"] - charge["created"] == 7 * DAY
    caller.fake.clock.advance(7 * DAY - 60)
    assert (await caller.found(f"/v1/payment_intents/{held['id']}"))["status"] == "requires_capture"
    caller.fake.clock.advance(60)
    ended = await caller.found(f"/v1/payment_intents/{held['id']}")
    assert (ended["status"], ended["cancellation_reason"]) == ("canceled", reason)
    charge = await caller.found(f"/v1/charges/{held['latest_charge']}")
    assert (charge["amount_refunded"], charge["refunded"], charge["captured"]) == (*refunded, False)
    # In the old form the whole and its reversal; in neither form does money move.
    assert [each["amount"] for each in await caller.movements()] == ([1_000, -1_000] if refunded[1] else [])
    reasons = [refund["reason"] for refund in caller.books.refunds.values()]
    assert reasons == (["expired_uncaptured_charge"] if refunded[1] else [])
    kinds = {event["type"] for event in caller.books.events.values()}
    assert {"charge.expired", "payment_intent.canceled"} <= kinds


@pytest.mark.parametrize(
    ("version", "refunded"), [("2026-10-28.endive", (0, False)), ("2025-02-24.acacia", (1_000, True))]
)
async def test_cancelled_hold_is_a_refund_in_an_older_version_only(
    caller: Caller, version: str, refunded: tuple[int, bool]
) -> None:
    held = await caller.held()
    await caller.made(f"/v1/payment_intents/{held['id']}/cancel", Stripe_Version=version)
    charge = await caller.found(f"/v1/charges/{held['latest_charge']}")
    assert (charge["amount_refunded"], charge["refunded"]) == refunded
    assert [refund["amount"] for refund in caller.books.refunds.values()] == ([1_000] if refunded[1] else [])
    assert await caller.movements() == []


async def test_failed_refund_gives_back_exactly_what_it_took(caller: Caller) -> None:
    settings = caller.fake.settings(KEY)
    settings.settlement_currencies, settings.rates = ("brl",), {"usd:brl": "5.25"}
    paid = await caller.paid(amount="1001", currency="usd")
    before = sum((await caller.balance())["brl"])
    refund = await caller.made("/v1/refunds", {"payment_intent": paid["id"]})
    settings.rates["usd:brl"] = "4.00"
    failed = await caller.made(f"/_control/refunds/{refund['id']}/failed")
    assert failed["failure_reason"] == "lost_or_stolen_card"
    *_, back = await caller.movements()
    assert (back["id"], back["type"]) == (failed["failure_balance_transaction"], "refund_failure")
    assert back["reporting_category"] == "refund_failure"
    assert sum((await caller.balance())["brl"]) == before


async def test_refund_is_cancelled_only_while_it_waits_for_the_customer(caller: Caller) -> None:
    paid = await caller.paid(payment_method="pm_card_pendingRefund")
    refund = await caller.made("/v1/refunds", {"payment_intent": paid["id"]})
    assert (refund["status"], refund["pending_reason"]) == ("pending", "processing")
    assert (await caller.post(f"/v1/refunds/{refund['id']}/cancel")).status == 400
    await caller.made(f"/_control/refunds/{refund['id']}/requires_action")
    canceled = await caller.made(f"/v1/refunds/{refund['id']}/cancel")
    assert canceled["status"] == "canceled"
    assert (await caller.found(f"/v1/charges/{refund['charge']}"))["amount_refunded"] == 0


async def test_movements_of_no_payment_come_and_go(caller: Caller) -> None:
    for kind, category, amount in (
        ("stripe_fee", "fee", -900),
        ("tax_fee", "tax", -90),
        ("reserved_funds", "risk_reserved_funds", -5_000),
        ("reserved_funds", "risk_reserved_funds", 5_000),
        ("adjustment", "other_adjustment", 12),
        ("topup", "topup", 1_000),
    ):
        params = {"type": kind, "amount": str(amount), "currency": "brl"}
        made = await caller.made("/_control/movements", params)
        assert (made["type"], made["reporting_category"], made["net"]) == (kind, category, amount)
    assert await caller.balance() == {"brl": (22, 0)}
    assert len(await caller.movements(**{"expand[]": "data.source"})) == 6
    assert (await caller.post("/_control/movements", {"type": "charge"})).status == 400


async def test_metadata_is_added_to_and_taken_away(caller: Caller) -> None:
    held = await caller.held(**{"metadata[order]": "7", "metadata[shop]": "x"})
    changes = {"metadata[shop]": "", "metadata[floor]": "2"}
    taken = await caller.made(f"/v1/payment_intents/{held['id']}/capture", changes)
    assert taken["metadata"] == {"order": "7", "floor": "2"}
    refund = await caller.made("/v1/refunds", {"payment_intent": held["id"], "metadata[why]": "late"})
    changed = await caller.made(f"/v1/refunds/{refund['id']}", {"metadata[why]": "", "metadata[who]": "Jo"})
    assert changed["metadata"] == {"who": "Jo"}


async def test_money_settled_before_is_paid_out_as_it_stands(caller: Caller) -> None:
    await caller.paid(amount="1000", currency="usd", payment_method="pm_card_bypassPending")
    # The account now settles in another currency; what it has stays what it is.
    caller.fake.settings(KEY).settlement_currencies = ("brl",)
    (payout,) = (await caller.made("/_control/payouts/run"))["data"]
    assert (payout["currency"], payout["amount"]) == ("usd", 1_000 - charge_fee(1_000))
    assert (await caller.balance())["usd"] == (0, 0)
