"""What a balance transaction, a payout and a balance of Stripe mean."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.ids import new_id
from services.gateway.processors.port.reading import Held
from services.gateway.processors.stripe.statement import balance_of, movement_of, payout_of

AT, LATER = 1_763_800_000, 1_763_900_000
INTENT, REFUND = new_id(), new_id()


def charge(**changes: Any) -> dict[str, Any]:
    metadata = {"payment_intent_id": str(INTENT)}
    named = {"object": "charge", "id": "ch_1", "amount": 1_000, "currency": "brl", "payment_intent": "pi_1"}
    return named | {"metadata": metadata} | changes


def refund(**changes: Any) -> dict[str, Any]:
    metadata = {"refund_id": str(REFUND)}
    named = {
        "object": "refund",
        "id": "re_1",
        "amount": 400,
        "currency": "brl",
        "charge": "ch_1",
        "payment_intent": "pi_1",
    }
    return named | {"metadata": metadata} | changes


def transaction(**changes: Any) -> dict[str, Any]:
    return {
        "id": "txn_1",
        "amount": 1_000,
        "available_on": LATER,
        "created": AT,
        "currency": "brl",
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "reporting_category": "charge",
        "source": charge(),
        "status": "pending",
        "type": "charge",
    } | changes


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, MovementKind.CHARGE),
        ({"type": "payment"}, MovementKind.CHARGE),
        ({"type": "refund", "source": refund(), "reporting_category": "refund"}, MovementKind.REFUND),
        (
            {"type": "refund", "source": refund(metadata={}), "reporting_category": "partial_capture_reversal"},
            MovementKind.RELEASE,
        ),
        ({"type": "refund", "source": refund(reason="expired_uncaptured_charge")}, MovementKind.RELEASE),
        ({"type": "refund_failure", "source": refund()}, MovementKind.REFUND_FAILURE),
        ({"type": "payment_failure_refund", "source": refund()}, MovementKind.REFUND_FAILURE),
        ({"type": "adjustment", "source": "dp_1", "reporting_category": "dispute"}, MovementKind.DISPUTE),
        (
            {"type": "adjustment", "source": "dp_1", "reporting_category": "dispute_reversal"},
            MovementKind.DISPUTE_REVERSAL,
        ),
        (
            {"type": "adjustment", "source": {"object": "dispute"}, "reporting_category": "x", "amount": -1},
            MovementKind.DISPUTE,
        ),
        ({"type": "adjustment", "source": None, "reporting_category": "other_adjustment"}, MovementKind.OTHER),
        ({"type": "adjustment", "source": None, "reporting_category": "fee"}, MovementKind.FEE),
        ({"type": "application_fee", "source": {"object": "application_fee"}}, MovementKind.PLATFORM_EARNING),
        (
            {"type": "application_fee_refund", "source": "fr_1", "amount": -67},
            MovementKind.PLATFORM_EARNING_REFUND,
        ),
        ({"type": "application_fee_refund", "source": "fr_1"}, MovementKind.PLATFORM_FEE_REFUND),
        ({"type": "adjustment", "source": "fr_1", "reporting_category": "fee"}, MovementKind.PLATFORM_FEE_REFUND),
        (
            {"type": "adjustment", "source": {"object": "fee_refund", "id": "x"}, "reporting_category": "fee"},
            MovementKind.PLATFORM_FEE_REFUND,
        ),
        ({"type": "payout", "source": "po_1", "reporting_category": "payout"}, MovementKind.PAYOUT),
        ({"type": "payout_cancel", "source": "po_1"}, MovementKind.PAYOUT_RETURN),
        ({"type": "payout_failure", "source": "po_1"}, MovementKind.PAYOUT_RETURN),
        ({"type": "stripe_fee", "source": None}, MovementKind.FEE),
        ({"type": "tax_fee", "source": None}, MovementKind.TAX),
        ({"type": "reserved_funds", "source": None}, MovementKind.RESERVE),
        ({"type": "reserve_transaction", "source": None}, MovementKind.RESERVE),
        ({"type": "payment_network_reserve_hold", "source": None, "amount": -1}, MovementKind.RESERVE),
        ({"type": "payment_network_reserve_release", "source": None}, MovementKind.RESERVE),
        ({"type": "topup", "source": "tu_1"}, MovementKind.OTHER),
        ({"type": "of_next_year", "source": None}, MovementKind.OTHER),
    ],
)
def test_type_category_and_source_say_what_moved(changes: dict[str, Any], kind: MovementKind) -> None:
    assert movement_of(transaction(**changes)).kind is kind


def test_movement_names_its_payment_its_dates_and_all_of_itself() -> None:
    found = transaction()
    moved = movement_of(found)
    assert (moved.payment_intent_id, moved.refund_id, moved.payment_ref) == (INTENT, None, "pi_1")
    assert (moved.source_ref, moved.charge_ref, moved.is_available) == ("ch_1", "ch_1", False)
    assert (moved.created_at, moved.available_at) == (
        datetime.fromtimestamp(AT, UTC),
        datetime.fromtimestamp(LATER, UTC),
    )
    assert json.loads(moved.raw) == found
    returned = movement_of(transaction(amount=-400, type="refund", source=refund(), status="available"))
    assert (returned.refund_id, returned.charge_ref, returned.amount_minor, returned.is_available) == (
        REFUND,
        "ch_1",
        -400,
        True,
    )


def test_source_that_is_not_expanded_is_given_beside_it() -> None:
    dispute = {"object": "dispute", "id": "dp_1", "amount": 500, "currency": "usd", "payment_intent": "pi_1"}
    shown = transaction(
        amount=-2_716, exchange_rate=5.4321, type="adjustment", source="dp_1", reporting_category="dispute"
    )
    moved = movement_of(shown, source=dispute)
    assert (moved.payment_ref, moved.source_ref) == ("pi_1", "dp_1")
    assert (moved.source_amount_minor, moved.source_currency) == (-500, "USD")


def test_fee_is_read_part_by_part_and_what_no_part_names_is_the_processors() -> None:
    details = [
        {"type": "stripe_fee", "amount": 59},
        {"type": "tax", "amount": 6},
        {"type": "application_fee", "amount": 20},
        {"type": "payment_method_passthrough_fee", "amount": 3},
        {"type": "withheld_tax", "amount": 4},
    ]
    moved = movement_of(transaction(fee=94, fee_details=details))
    parts = [
        (FeeKind.PROCESSOR, 59),
        (FeeKind.TAX, 6),
        (FeeKind.PLATFORM, 20),
        (FeeKind.PROCESSOR, 3),
        (FeeKind.TAX, 4),
        (FeeKind.PROCESSOR, 2),
    ]
    assert list(moved.fees) == parts
    assert moved.net_minor == 906
    given_back = movement_of(transaction(fee=-20, fee_details=[{"type": "stripe_fee", "amount": -20}]))
    assert (given_back.fees, given_back.net_minor) == (((FeeKind.PROCESSOR, -20),), 1_020)


@pytest.mark.parametrize(
    ("amount", "rate", "source", "expected"),
    [
        (54_321, 5.4321, charge(amount=10_000, currency="usd"), 10_000),
        # The charge names another amount than moved: then the rate says what it was.
        (27_161, 5.4321, charge(amount=10_000, currency="usd"), 5_000),
        (27_161, 5.4321, charge(amount=10_000, amount_captured=5_000, currency="usd"), 5_000),
        (-2_716, 5.4321, refund(amount=500, currency="usd"), -500),
        # A yen has no hundredths, and a unit of rounding is not another amount.
        (15_051, 0.034_5, charge(amount=436_250, currency="jpy"), 436_250),
    ],
)
def test_amount_in_the_payments_currency_is_the_sources_own(
    amount: int, rate: float, source: dict[str, Any], expected: int
) -> None:
    moved = movement_of(transaction(amount=amount, exchange_rate=rate, source=source))
    assert (moved.source_amount_minor, moved.exchange_rate) == (expected, str(rate))
    assert movement_of(transaction(source=charge())).source_amount_minor is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [({"amount": None}, TypeError), ({"created": "x"}, TypeError)],
)
def test_other_shape_is_no_movement(changes: dict[str, Any], fault: type[Exception]) -> None:
    with pytest.raises(fault):
        movement_of(transaction(**changes))
    with pytest.raises(KeyError):
        movement_of({"id": "txn_1"})


def test_payout_names_what_it_is_part_of() -> None:
    found = {
        "id": "po_1",
        "amount": -500,
        "arrival_date": LATER,
        "automatic": True,
        "balance_transaction": "txn_1",
        "created": AT,
        "currency": "brl",
        "failure_balance_transaction": None,
        "original_payout": "po_0",
        "reconciliation_status": "completed",
        "reversed_by": None,
        "status": "paid",
        "trace_id": {"status": "supported", "value": "0123"},
    }
    payout = payout_of(found)
    assert (payout.amount_minor, payout.currency, payout.status, payout.is_automatic) == (-500, "BRL", "paid", True)
    assert (payout.movement_ref, payout.failure_movement_ref, payout.original_ref) == ("txn_1", "", "po_0")
    assert (payout.trace_id, payout.reconciliation_status) == ("0123", "completed")
    assert payout.arrives_at == datetime.fromtimestamp(LATER, UTC)
    bare = payout_of({"id": "po_1", "amount": 5, "created": AT, "currency": "brl", "status": "pending"})
    assert (bare.arrives_at, bare.trace_id) == (datetime.fromtimestamp(AT, UTC), "")


def test_balance_is_read_by_currency() -> None:
    found = {
        "available": [{"amount": 5, "currency": "brl"}, {"amount": 7, "currency": "usd"}],
        "pending": [{"amount": -2, "currency": "brl"}],
        "connect_reserved": [{"amount": 1, "currency": "usd"}],
    }
    assert balance_of(found) == {
        "BRL": Held(available_minor=5, pending_minor=-2),
        "USD": Held(available_minor=7, pending_minor=0, reserved_minor=1),
    }
