"""What one event of Stripe means for a payment, a dispute or a payout."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.contracts.gateway_payouts import PayoutCreated, PayoutFailed, PayoutPaid
from libs.common.ids import new_id
from services.gateway.processors.port import (
    ActionRequiredNotice,
    AuthorizedNotice,
    CapturedNotice,
    DeclinedNotice,
    DeclineReason,
    DisputeNotice,
    DisputeState,
    ExpiredNotice,
    Notice,
    RefundFailedNotice,
    RefundSucceededNotice,
    VoidedNotice,
)
from services.gateway.processors.stripe.events import UnknownStatus, notice, read, without_secrets

TENANT, INTENT, REFUND = "tenant-a", new_id(), new_id()
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPENED, DUE = 1_763_800_000, 1_764_400_000


def notice_of(kind: str, found: dict[str, Any]) -> Notice | None:
    meaning = read(json.dumps({"data": {"object": found}}), kind, tenant_id=TENANT)
    result = notice(kind, meaning, tenant_id=TENANT, payment_intent_id=INTENT, processor="stripe:eu", happened_at=AT)
    if result is not None:
        named = (result.tenant_id, result.payment_intent_id, result.processor, result.gateway_ref, result.happened_at)
        assert named == (TENANT, INTENT, "stripe:eu", "pi_1", AT)
    return result


def intent(**changes: Any) -> dict[str, Any]:
    return {"id": "pi_1", "amount_received": 0, "currency": "brl", "metadata": {}} | changes


def refund(**changes: Any) -> dict[str, Any]:
    metadata = {"refund_id": str(REFUND)}
    return {"id": "re_1", "payment_intent": "pi_1", "currency": "brl", "metadata": metadata} | changes


def dispute(**changes: Any) -> dict[str, Any]:
    return {
        "id": "dp_1",
        "payment_intent": "pi_1",
        "amount": 900,
        "currency": "brl",
        "created": OPENED,
        "status": "needs_response",
    } | changes


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (intent(status="requires_capture"), AuthorizedNotice),
        (intent(status="canceled", cancellation_reason="automatic"), ExpiredNotice),
        (intent(status="canceled", cancellation_reason="expired"), ExpiredNotice),
        (intent(status="canceled", cancellation_reason="requested_by_customer"), VoidedNotice),
        (intent(status="canceled"), VoidedNotice),
        (intent(status="processing"), None),
    ],
)
def test_state_of_an_intent_is_read_whatever_the_event_is_called(
    found: dict[str, Any], kind: type[Notice] | None
) -> None:
    result = notice_of("payment_intent.canceled", found)
    assert result is None if kind is None else type(result) is kind


def test_amount_that_was_captured_is_what_stripe_received() -> None:
    result = notice_of("payment_intent.succeeded", intent(status="succeeded", amount=1_000, amount_received=700))
    assert isinstance(result, CapturedNotice)
    assert result.amount_minor == 700
    charge = {"payment_intent": "pi_1", "amount": 1_000, "amount_captured": 600, "currency": "brl"}
    result = notice_of("charge.captured", charge)
    assert isinstance(result, CapturedNotice)
    assert result.amount_minor == 600
    assert type(notice_of("charge.expired", charge)) is ExpiredNotice
    assert notice_of("charge.updated", charge) is None


def test_charge_that_holds_funds_says_until_when() -> None:
    charge = {"payment_intent": "pi_1", "currency": "brl", "captured": False, "status": "succeeded"}
    until = {"payment_method_details": {"card": {"capture_before": DUE}}}
    result = notice_of("charge.succeeded", charge | until)
    assert isinstance(result, AuthorizedNotice)
    assert result.expires_at == datetime.fromtimestamp(DUE, UTC)
    assert notice_of("charge.succeeded", charge) is None
    assert notice_of("charge.succeeded", charge | until | {"captured": True}) is None


@pytest.mark.parametrize("written", ['"client_secret":"pi_1_secret_x"', '"client_secret" : "a\\"b"'])
def test_client_secret_is_left_out_of_what_is_kept(written: str) -> None:
    kept = without_secrets('{"data":{"object":{"id":"pi_1",' + written + ',"amount":7}}}')
    assert json.loads(kept) == {"data": {"object": {"id": "pi_1", "client_secret": None, "amount": 7}}}


SECRET = "pi_1_secret_Xy9"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            f"https://hooks.stripe.com/3d_secure_2/hosted?merchant=acct_1&payment_intent_client_secret={SECRET}&key=pk_1",
            "https://hooks.stripe.com/3d_secure_2/hosted?merchant=acct_1&key=pk_1",
        ),
        (f"https://hooks.stripe.com/a?client_secret={SECRET}#b", "https://hooks.stripe.com/a"),
        (f"https://hooks.stripe.com/a?token={SECRET}&x=1", "https://hooks.stripe.com/a?x=1"),
        (f"https://hooks.stripe.com/a?client_SECRET={SECRET}&x=1", "https://hooks.stripe.com/a?x=1"),
        (f"https://hooks.stripe.com/a#client_secret={SECRET}", "https://hooks.stripe.com/a"),
        (f"https://hooks.stripe.com/a/{SECRET}?x=1", ""),
        ("https://bank.example/3ds?x=%2F&y#z", "https://bank.example/3ds?x=%2F&y#z"),
    ],
)
def test_address_is_passed_on_without_its_secret(url: str, kept: str) -> None:
    shown = intent(status="requires_action", next_action={"redirect_to_url": {"url": url}}, client_secret=SECRET)
    result = notice_of("payment_intent.requires_action", shown)
    assert isinstance(result, ActionRequiredNotice)
    assert result.action_url == kept


@pytest.mark.parametrize("separator", ["&", "\\u0026", "%26"])
def test_address_in_a_kept_event_has_no_secret(separator: str) -> None:
    url = f"https://hooks.stripe.com/a?payment_intent_client_secret={SECRET}{separator}x=1"
    for name in ("url", "stripe_js"):
        action = f'"next_action":{{"{name}":"{url}"}}'
        kept = without_secrets('{"data":{"object":{' + action + f',"client_secret":"{SECRET}"' + "}}}")
        assert SECRET.partition("_secret_")[2] not in kept
        assert json.loads(kept)["data"]["object"]["next_action"][name].startswith("https://hooks.stripe.com/a?")


def test_decline_says_why() -> None:
    error = {
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "Not enough",
        "network_decline_code": "51",
    }
    result = notice_of(
        "payment_intent.payment_failed", intent(status="requires_payment_method", last_payment_error=error)
    )
    assert isinstance(result, DeclinedNotice)
    assert (result.reason, result.detail) == (DeclineReason.INSUFFICIENT_FUNDS, "Not enough.")
    assert result.codes == DeclineCodes(decline_code="insufficient_funds", network_decline_code="51")


@pytest.mark.parametrize(
    ("next_action", "url"),
    [
        ({"redirect_to_url": {"url": "https://bank.example/3ds"}}, "https://bank.example/3ds"),
        ({"redirect_to_url": {"url": None}}, ""),
        ({"use_stripe_sdk": {}}, ""),
        (None, ""),
    ],
)
def test_customer_is_sent_where_the_bank_wants_them(next_action: dict[str, Any] | None, url: str) -> None:
    result = notice_of("payment_intent.requires_action", intent(status="requires_action", next_action=next_action))
    assert isinstance(result, ActionRequiredNotice)
    assert result.action_url == url


def test_refund_is_read_with_our_id_and_the_reason_of_its_failure() -> None:
    result = notice_of("refund.updated", refund(status="succeeded"))
    assert isinstance(result, RefundSucceededNotice)
    assert (result.refund_id, result.refund_ref) == (REFUND, "re_1")
    result = notice_of("refund.failed", refund(status="failed", failure_reason="lost_or_stolen_card"))
    assert isinstance(result, RefundFailedNotice)
    assert (result.refund_id, result.refund_ref, result.reason) == (REFUND, "re_1", DeclineReason.PROCESSOR_REFUSED)
    assert result.detail == "The refund did not reach the customer: lost or stolen card."
    result = notice_of("charge.refund.updated", refund(status="canceled"))
    assert isinstance(result, RefundFailedNotice)
    assert result.detail == "The refund did not reach the customer: unknown."


@pytest.mark.parametrize(
    "found", [refund(status="pending"), refund(status="succeeded", metadata={}), refund(status="failed", metadata=None)]
)
def test_refund_that_is_pending_or_not_of_ours_is_no_notice(found: dict[str, Any]) -> None:
    assert notice_of("refund.updated", found) is None


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("won", DisputeState.WON),
        ("lost", DisputeState.LOST),
        ("needs_response", DisputeState.OPEN),
        ("under_review", DisputeState.OPEN),
        ("warning_needs_response", DisputeState.INQUIRY),
        ("warning_under_review", DisputeState.INQUIRY),
        ("warning_closed", DisputeState.INQUIRY_CLOSED),
        ("prevented", DisputeState.LOST),
        ("appeal_needs_response", DisputeState.LOST),
        ("appeal_under_review", DisputeState.LOST),
    ],
)
def test_dispute_names_its_state_its_reason_and_its_dates(status: str, state: DisputeState) -> None:
    found = dispute(status=status, reason="product_not_received", evidence_details={"due_by": DUE})
    result = notice_of("charge.dispute.closed", found)
    assert isinstance(result, DisputeNotice)
    assert (result.state, result.reason, result.amount_minor, result.dispute_ref) == (
        state,
        "product_not_received",
        900,
        "dp_1",
    )
    assert (result.opened_at, result.evidence_due_at) == (
        datetime.fromtimestamp(OPENED, UTC),
        datetime.fromtimestamp(DUE, UTC),
    )


def test_dispute_may_lack_a_reason_and_a_date_for_evidence() -> None:
    result = notice_of("charge.dispute.created", dispute(evidence_details=None))
    assert isinstance(result, DisputeNotice)
    assert (result.reason, result.evidence_due_at) == ("general", None)


def test_status_that_means_nothing_to_us_is_no_open_dispute() -> None:
    with pytest.raises(UnknownStatus, match="arbitrated"):
        notice_of("charge.dispute.updated", dispute(status="arbitrated"))


@pytest.mark.parametrize(
    ("kind", "contract", "at"),
    [
        ("payout.created", PayoutCreated, OPENED),
        ("payout.paid", PayoutPaid, DUE),
        ("payout.failed", PayoutFailed, DUE),
    ],
)
def test_payout_happens_when_it_is_made_or_when_it_arrives(kind: str, contract: type, at: int) -> None:
    found = {"id": "po_1", "amount": 5_000, "currency": "brl", "created": OPENED, "arrival_date": DUE}
    payout = read(json.dumps({"data": {"object": found}}), kind, tenant_id=TENANT).payout
    assert type(payout) is contract
    assert payout is not None
    assert (payout.amount_minor, payout.currency, payout.gateway_ref) == (5_000, "BRL", "po_1")
    assert payout.happened_at == datetime.fromtimestamp(at, UTC)
    undated = read(json.dumps({"data": {"object": found | {"arrival_date": None}}}), kind, tenant_id=TENANT).payout
    assert undated is not None
    assert undated.happened_at == datetime.fromtimestamp(OPENED, UTC)
    assert undated.payout_id == payout.payout_id


@pytest.mark.parametrize("amount", [0, -300])
def test_debit_of_the_bank_is_no_payout(amount: int) -> None:
    found = {"id": "po_1", "amount": amount, "currency": "brl", "created": OPENED}
    assert read(json.dumps({"data": {"object": found}}), "payout.created", tenant_id=TENANT).payout is None


def test_dispute_shows_what_moved_and_other_events_name_it() -> None:
    transactions = [{"id": "txn_1"}, {"id": "txn_2"}]
    found = read(
        json.dumps({"data": {"object": dispute(balance_transactions=transactions)}}),
        "charge.dispute.closed",
        tenant_id=TENANT,
    )
    assert (found.movements, found.movement_refs) == (tuple(transactions), ())
    unpaid = read(
        json.dumps({"data": {"object": dispute(balance_transactions=None)}}), "charge.dispute.closed", tenant_id=TENANT
    )
    assert unpaid.movements == ()
    failed = refund(balance_transaction="txn_1", failure_balance_transaction={"id": "txn_2"})
    for kind in ("refund.failed", "payout.failed"):
        given = failed | {"amount": 5, "created": OPENED}
        assert read(json.dumps({"data": {"object": given}}), kind, tenant_id=TENANT).movement_refs == ("txn_1", "txn_2")
    assert (
        read(
            json.dumps({"data": {"object": refund(balance_transaction=None)}}), "refund.created", tenant_id=TENANT
        ).movement_refs
        == ()
    )
