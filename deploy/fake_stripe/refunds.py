"""Refunds by the merchant, what becomes of them, and what Stripe itself wrote as refunds in older versions of its API."""

from typing import Any

from deploy.fake_stripe import forms, shapes, values
from deploy.fake_stripe.balance import give_fee_back, move, move_back
from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.cards import CARDS, RefundCourse
from deploy.fake_stripe.refusals import Refusal, invalid

_OUTCOMES = ("succeeded", "failed", "canceled", "requires_action")


def _charge_of(books: Books, params: dict[str, Any]) -> Object:
    if identifier := params.get("charge"):
        return books.find("charge", str(identifier), param="charge")
    if not (identifier := params.get("payment_intent")):
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge.",
            param="payment_intent",
            code="parameter_missing",
        )
    intent = books.find("payment_intent", str(identifier), param="payment_intent")
    if intent["latest_charge"] is None or intent["status"] != "succeeded":
        raise Refusal(
            400,
            f"This PaymentIntent ({identifier}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )
    return books.charges[intent["latest_charge"]]


def create_refund(books: Books, params: dict[str, Any]) -> Object:
    """Give captured funds back, all that is left or a part.

    Raises:
        Refusal: when so much is not left, or the charge is disputed.
    """
    reason = forms.chosen(params, "reason", values.REFUND_REASONS)
    metadata = forms.metadata(params)
    given = forms.positive(params, "amount", default=values.AMOUNT_MAX)
    charge = _charge_of(books, params)
    if not charge["captured"]:
        raise Refusal(400, "This charge has not been captured: cancel its PaymentIntent instead.", param="charge")
    left = charge["amount_captured"] + charge["_released"] - charge["amount_refunded"]
    if any(each["charge"] == charge["id"] and not each["is_charge_refundable"] for each in _disputes(books, charge)):
        raise Refusal(
            400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if left <= 0:
        raise Refusal(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = given if "amount" in params else left
    if amount > left:
        raise Refusal(
            400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount"
        )
    if forms.boolean(params, "refund_application_fee"):
        give_fee_back(books, charge, amount)
    refund = shapes.refund(books, charge, amount=amount, reason=reason, metadata=metadata)
    if _course(books, charge) is RefundCourse.LATER:
        refund |= {"status": "pending", "pending_reason": "processing"}
        refund["destination_details"]["card"] = {"type": "pending"}
    moved = move(books, "refund", refund["id"], amount=-amount, currency=charge["currency"])
    refund["balance_transaction"] = moved["id"]
    _keep(books, charge, refund)
    books.record("refund.created", refund)
    books.record("charge.refunded", charge)
    return refund


def _disputes(books: Books, charge: Object) -> list[Object]:
    return list(books.disputes.values()) if charge["disputed"] else []


def _course(books: Books, charge: Object) -> RefundCourse:
    return CARDS[books.payment_methods[charge["payment_method"]]["_card"]].refunds


def _keep(books: Books, charge: Object, refund: Object) -> None:
    books.refunds[refund["id"]] = refund
    charge["amount_refunded"] += refund["amount"]
    charge["refunded"] = charge["amount_refunded"] >= charge["amount_captured"] + charge["_released"]


def release(
    books: Books, charge: Object, *, amount: int, fee: int, is_moved: bool, reason: str | None = None
) -> Object:
    """Write the refund by which versions before `basil` show that a part of a hold, or all of it, was released."""
    refund = shapes.refund(books, charge, amount=amount, reason=reason, metadata={})
    if is_moved:
        category = "partial_capture_reversal"
        moved = move(
            books, "refund", refund["id"], amount=-amount, currency=charge["currency"], fee=fee, category=category
        )
        refund["balance_transaction"] = moved["id"]
    charge["_released"] += amount
    _keep(books, charge, refund)
    books.record("refund.created", refund)
    return refund


def finish_refund(books: Books, refund: Object, outcome: str) -> Object:
    """Let a refund reach the customer (`succeeded`), come back (`failed`, `canceled`) or need something of them.

    Raises:
        Refusal: when it has ended already, or the outcome is none.
    """
    if outcome not in _OUTCOMES:
        raise Refusal(400, f"A refund ends in one of {', '.join(_OUTCOMES)}.", param="outcome")
    if refund["status"] in {"failed", "canceled"}:
        raise Refusal(400, "This refund has ended.", code="refund_ended")
    before = refund["status"]
    refund["status"] = outcome
    refund.pop("pending_reason", None)
    if outcome in {"failed", "canceled"}:
        charge = books.charges[refund["charge"]]
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        if refund["balance_transaction"] is not None:
            made = books.balance_transactions[refund["balance_transaction"]]
            refund["failure_balance_transaction"] = move_back(books, "refund_failure", made)["id"]
    if outcome == "failed":
        refund["failure_reason"] = "lost_or_stolen_card"
        books.record("refund.failed", refund)
    books.record("refund.updated", refund, previous={"status": before})
    books.record("charge.refund.updated", refund, previous={"status": before})
    return refund


def cancel_refund(books: Books, refund: Object, _: dict[str, Any]) -> Object:
    """Cancel a refund that waits for the customer.

    Raises:
        Refusal: for any other.
    """
    if refund["status"] != "requires_action":
        raise Refusal(400, "You can only cancel refunds with a status of requires_action.", param="id")
    return finish_refund(books, refund, "canceled")


def update_refund(books: Books, refund: Object, params: dict[str, Any]) -> Object:
    """Change the metadata of a refund."""
    refund["metadata"] = forms.metadata(params, before=refund["metadata"])
    books.record("refund.updated", refund)
    return refund
