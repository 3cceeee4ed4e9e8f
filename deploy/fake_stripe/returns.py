"""Money that goes back: refunds by the merchant, disputes by the customer's bank."""

from typing import Any

from deploy.fake_stripe.balance import DISPUTE_FEE, move
from deploy.fake_stripe.books import Books, Object, new_id, now
from deploy.fake_stripe.cards import CARDS, RefundCourse
from deploy.fake_stripe.forms import only, positive
from deploy.fake_stripe.refusals import Refusal, invalid

_EVIDENCE_SECONDS = 9 * 86_400


def _charge_of(books: Books, params: dict[str, Any]) -> Object:
    if identifier := params.get("charge"):
        return books.find("charge", identifier)
    if not (identifier := params.get("payment_intent")):
        raise invalid("One of charge, payment_intent is required.", param="payment_intent", code="parameter_missing")
    intent = books.find("payment_intent", identifier)
    if intent["latest_charge"] is None or intent["status"] != "succeeded":
        raise Refusal(
            400, f"This PaymentIntent ({identifier}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )  # fmt: skip
    return books.charges[intent["latest_charge"]]


def create_refund(books: Books, params: dict[str, Any]) -> Object:
    """Give captured funds back, all that is left or a part.

    Raises:
        Refusal: when so much is not left, or the charge is disputed.
    """
    only(params, "amount", "charge", "payment_intent", "metadata", "reason")
    charge = _charge_of(books, params)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["disputed"]:
        raise Refusal(400, "The charge has been charged back and cannot be refunded.", code="charge_disputed")
    if left <= 0:
        raise Refusal(400, "Charge has already been refunded.", code="charge_already_refunded")
    amount = positive(params, "amount", default=left)
    if amount > left:
        raise Refusal(
            400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount"
        )
    course = CARDS[charge["payment_method"]].refunds
    refund: Object = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": now(),
        "currency": charge["currency"],
        "failure_reason": None,
        "metadata": dict(params.get("metadata") or {}),
        "payment_intent": charge["payment_intent"],
        "reason": params.get("reason"),
        "status": "pending" if course is RefundCourse.LATER else "succeeded",
    }
    refund["balance_transaction"] = move(
        books, "refund", refund["id"], amount=-amount, fee=0, currency=charge["currency"]
    )["id"]
    books.refunds[refund["id"]] = refund
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    books.record("refund.created", refund)
    books.record("charge.refunded", charge)
    return refund


def finish_refund(books: Books, refund: Object, outcome: str) -> Object:
    """Let a refund reach the customer (`succeeded`), or come back (`failed`).

    Raises:
        Refusal: when it has failed already.
    """
    if refund["status"] in {"failed", "canceled"}:
        raise Refusal(400, "This refund has ended.", code="refund_ended")
    refund["status"] = outcome
    if outcome == "failed":
        refund["failure_reason"] = "lost_or_stolen_card"
        charge = books.charges[refund["charge"]]
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        move(books, "refund_failure", refund["id"], amount=refund["amount"], fee=0, currency=refund["currency"])
        books.record("refund.failed", refund)
    books.record("refund.updated", refund)
    books.record("charge.refund.updated", refund)
    return refund


def open_dispute(books: Books, charge: Object, amount: int) -> Object:
    """Let the customer's bank take money back until it is decided.

    Raises:
        Refusal: when the charge is disputed already.
    """
    if charge["disputed"]:
        raise Refusal(400, "This charge is disputed already.", code="charge_disputed")
    charge["disputed"] = True
    dispute: Object = {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now(),
        "currency": charge["currency"],
        "evidence_details": {"due_by": now() + _EVIDENCE_SECONDS, "has_evidence": False},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": "needs_response",
    }
    books.disputes[dispute["id"]] = dispute
    books.record("charge.dispute.created", dispute)
    dispute["balance_transactions"].append(
        move(books, "adjustment", dispute["id"], amount=-amount, fee=DISPUTE_FEE, currency=charge["currency"])
    )
    books.record("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close_dispute(books: Books, dispute: Object, outcome: str) -> Object:
    """Decide a dispute: `won` gives the money back, `lost` does not.

    Raises:
        Refusal: when it is decided already.
    """
    if dispute["status"] in {"won", "lost"}:
        raise Refusal(400, "This dispute is closed.", code="dispute_closed")
    dispute["status"] = outcome
    books.record("charge.dispute.closed", dispute)
    if outcome == "won":
        books.charges[dispute["charge"]]["disputed"] = False
        dispute["balance_transactions"].append(
            move(books, "adjustment", dispute["id"], amount=dispute["amount"], fee=0, currency=dispute["currency"])
        )
        books.record("charge.dispute.funds_reinstated", dispute)
    return dispute
