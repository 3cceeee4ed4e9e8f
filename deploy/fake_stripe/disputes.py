"""Disputes: the customer's bank inquires, takes money back, changes how much, and decides."""

from functools import partial
from typing import Any

from deploy.fake_stripe import forms
from deploy.fake_stripe.balance import DAY, move
from deploy.fake_stripe.books import Books, Object, new_id
from deploy.fake_stripe.refusals import Refusal, invalid

_EVIDENCE_SECONDS = 9 * DAY

_EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip

_NEXT: dict[str, tuple[str, ...]] = {
    "warning_needs_response": ("warning_under_review", "warning_closed", "needs_response", "prevented"),
    "warning_under_review": ("warning_closed", "needs_response", "prevented"),
    "warning_closed": ("needs_response",),
    "needs_response": ("under_review", "won", "lost", "prevented"),
    "under_review": ("won", "lost"),
    "lost": ("appeal_needs_response",),
    "appeal_needs_response": ("appeal_under_review", "won", "lost"),
    "appeal_under_review": ("won", "lost"),
    "won": (),
    "prevented": (),
}
"""Each status, and what may follow it; an inquiry that goes on to `needs_response` becomes a chargeback."""
_CLOSED = {"warning_closed", "won", "lost", "prevented"}


def open_dispute(
    books: Books, charge: Object, amount: int, *, status: str = "needs_response", reason: str = "fraudulent"
) -> Object:
    """Let the customer's bank dispute a charge: an inquiry takes nothing, everything else takes money back.

    Raises:
        Refusal: when the charge is not captured, or disputed already.
    """
    if status not in {"warning_needs_response", "needs_response", "prevented"}:
        raise invalid("A dispute begins as warning_needs_response, needs_response or prevented.", param="status")
    if not charge["captured"]:
        raise Refusal(400, "There is nothing captured to dispute.", code="charge_not_captured")
    if any(each["charge"] == charge["id"] and each["status"] not in _CLOSED for each in books.disputes.values()):
        raise Refusal(400, "This charge is disputed already.", code="charge_disputed")
    charge["disputed"] = True
    due_by = books.now() + _EVIDENCE_SECONDS
    is_inquiry = status.startswith("warning_")
    brand = charge["payment_method_details"]["card"]["brand"]
    dispute: Object = {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": books.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": is_inquiry,
        "livemode": books.livemode,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": brand,
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network": brand,
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": status,
        "_taken": 0,
    }
    books.disputes[dispute["id"]] = dispute
    books.record("charge.dispute.created", dispute)
    if not is_inquiry:
        _take(books, dispute, fee=0 if status == "prevented" else books.settings.dispute_fee)
    if status == "prevented":
        books.record("charge.dispute.closed", dispute)
    else:
        books.clock.later(due_by, partial(_let_lapse, books, dispute))
    return dispute


def _take(books: Books, dispute: Object, *, fee: int) -> None:
    """Withdraw what the dispute is about, or the part of it that is not withdrawn yet."""
    _move(books, dispute, dispute["amount"] - dispute["_taken"], fee=fee)
    books.record("charge.dispute.funds_withdrawn", dispute)


def _move(books: Books, dispute: Object, amount: int, *, fee: int = 0) -> None:
    """Move money between the account (above zero: away from it) and the bank of the customer."""
    dispute["_taken"] += amount
    dispute["balance_transactions"].append(
        move(
            books,
            "adjustment",
            dispute["id"],
            amount=-amount,
            currency=dispute["currency"],
            fee=fee,
            category="dispute" if amount > 0 else "dispute_reversal",
        )
    )


def _let_lapse(books: Books, dispute: Object) -> None:
    """Without evidence in time the bank decides against the merchant; an inquiry is closed."""
    if dispute["status"] in {"needs_response", "warning_needs_response"}:
        dispute["evidence_details"]["past_due"] = True
        change_dispute(books, dispute, "lost" if dispute["status"] == "needs_response" else "warning_closed")


def change_dispute(books: Books, dispute: Object, status: str) -> Object:
    """Lead a dispute on: `won` gives the money back, `lost` and `prevented` do not.

    Raises:
        Refusal: when the status does not follow.
    """
    before = dispute["status"]
    if status not in _NEXT[before]:
        raise Refusal(400, f"A dispute that is {before} does not become {status}.", code="dispute_status")
    dispute["status"] = status
    case = dispute["payment_method_details"]["card"]
    if case["case_type"] == "inquiry" and status in {"needs_response", "prevented"}:
        case["case_type"] = "chargeback"
        dispute["is_charge_refundable"] = False
        books.record("charge.dispute.updated", dispute, previous={"status": before})
        _take(books, dispute, fee=books.settings.dispute_fee if status == "needs_response" else 0)
    elif status not in _CLOSED:
        books.record("charge.dispute.updated", dispute, previous={"status": before})
    if status in _CLOSED:
        books.record("charge.dispute.closed", dispute)
    if status == "won":
        dispute["is_charge_refundable"] = True
        _move(books, dispute, -dispute["_taken"])
        books.record("charge.dispute.funds_reinstated", dispute)
    return dispute


def change_amount(books: Books, dispute: Object, amount: int) -> Object:
    """Let the bank change how much it disputes; what it has taken follows.

    Raises:
        Refusal: when the dispute is closed.
    """
    if dispute["status"] in _CLOSED:
        raise Refusal(400, "This dispute is closed.", code="dispute_closed")
    before, dispute["amount"] = dispute["amount"], amount
    books.record("charge.dispute.updated", dispute, previous={"amount": before})
    change = amount - dispute["_taken"]
    if change and dispute["balance_transactions"]:
        _move(books, dispute, change)
        books.record(f"charge.dispute.funds_{'withdrawn' if change > 0 else 'reinstated'}", dispute)
    return dispute


def update_dispute(books: Books, dispute: Object, params: dict[str, Any]) -> Object:
    """Take evidence for a dispute, and pass it on to the bank where it is submitted.

    Raises:
        Refusal: for evidence of another kind, or too late.
    """
    evidence = params.get("evidence") or {}
    if not isinstance(evidence, dict):
        raise invalid("Invalid object", param="evidence")
    for name in evidence:
        if name not in _EVIDENCE:
            raise invalid(
                f"Received unknown parameter: evidence[{name}]", param=f"evidence[{name}]", code="parameter_unknown"
            )
    if dispute["status"] not in {"needs_response", "warning_needs_response", "appeal_needs_response"}:
        raise Refusal(400, "This dispute is already closed, or under review.", param="dispute")
    details = dispute["evidence_details"]
    dispute["evidence"] |= evidence
    dispute["metadata"] = forms.metadata(params, before=dispute["metadata"])
    details["has_evidence"] = any(value for name, value in dispute["evidence"].items() if name != "enhanced_evidence")
    if not forms.boolean(params, "submit", default=True):
        books.record("charge.dispute.updated", dispute)
        return dispute
    details["submission_count"] += 1
    details["submission_method"] = "manual"
    return change_dispute(books, dispute, dispute["status"].replace("needs_response", "under_review"))


def close_dispute(books: Books, dispute: Object, _: dict[str, Any]) -> Object:
    """Accept a dispute: it is lost.

    Raises:
        Refusal: when it is closed.
    """
    if dispute["status"] in _CLOSED:
        raise Refusal(400, "This dispute is already closed.", param="dispute")
    return change_dispute(books, dispute, "warning_closed" if dispute["status"].startswith("warning_") else "lost")
