"""Payment intents and their charges: created, confirmed, proven by the customer, captured, cancelled, lapsed."""

from typing import Any

from deploy.fake_stripe.balance import charge_fee, move
from deploy.fake_stripe.books import Books, Object, new_id, now
from deploy.fake_stripe.cards import CARDS, Card
from deploy.fake_stripe.forms import only, positive
from deploy.fake_stripe.refusals import Refusal, invalid
from deploy.fake_stripe.returns import open_dispute

_AMOUNT_MAX = 99_999_999
"""Stripe takes eight digits (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""
_THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_WHOLE_IN_HUNDREDTHS = frozenset({"isk", "ugx"})
_HOLD_SECONDS = 7 * 86_400


def _check_amount(amount: int, currency: str) -> None:
    if len(currency) != 3 or not currency.isalpha() or not currency.islower():
        raise invalid(f"Invalid currency: {currency}.", param="currency")
    if amount > _AMOUNT_MAX:
        raise invalid("Amount must be no more than $999,999.99", param="amount", code="amount_too_large")
    step = 10 if currency in _THREE_DECIMALS else 100 if currency in _WHOLE_IN_HUNDREDTHS else 1
    if amount % step:
        raise invalid(f"Amounts in {currency} must be evenly divisible by {step}.", param="amount")


def create(books: Books, params: dict[str, Any]) -> Object:
    """Create a payment intent, and confirm it when requested.

    Raises:
        Refusal: for wrong parameters, and for a card that is declined.
    """
    only(
        params, "amount", "currency", "capture_method", "confirm", "payment_method", "payment_method_types",
        "metadata", "description", "return_url", "off_session", "receipt_email", "automatic_payment_methods",
    )  # fmt: skip
    amount, currency = positive(params, "amount"), str(params.get("currency", ""))
    _check_amount(amount, currency)
    capture_method = params.get("capture_method", "automatic")
    if capture_method not in {"automatic", "automatic_async", "manual"}:
        raise invalid(f"Invalid capture_method: {capture_method}", param="capture_method")
    method = params.get("payment_method")
    if params.get("confirm") == "true":
        _card(method)
    intent: Object = {
        "id": new_id("pi"),
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": capture_method,
        "client_secret": new_id("secret"),
        "confirmation_method": "automatic",
        "created": now(),
        "currency": currency,
        "description": params.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": dict(params.get("metadata") or {}),
        "next_action": None,
        "payment_method": method,
        "payment_method_types": params.get("payment_method_types") or ["card"],
        "status": "requires_confirmation" if method else "requires_payment_method",
    }
    books.payment_intents[intent["id"]] = intent
    books.record("payment_intent.created", intent)
    return confirm(books, intent, params) if params.get("confirm") == "true" else intent


def _card(method: Any) -> Card:
    if method is None:
        raise invalid("You cannot confirm this PaymentIntent: it has no payment method.", param="payment_method")
    if method not in CARDS:
        raise Refusal(
            400,
            f"No such PaymentMethod: '{method}'",
            param="payment_method",
            code="resource_missing",
            is_executed=False,
        )
    return CARDS[method]


def confirm(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    """Charge the payment method, or ask the customer for proof first.

    Raises:
        Refusal: for a card that is declined, or an intent that is past this.
    """
    if intent["status"] not in {"requires_confirmation", "requires_payment_method", "requires_action"}:
        raise _unexpected(intent, "confirm")
    intent["payment_method"] = params.get("payment_method") or intent["payment_method"]
    card = _card(intent["payment_method"])
    if card.is_3ds:
        url = f"https://hooks.stripe.com/redirect/authenticate/{intent['id']}"
        return_url = params.get("return_url")
        intent["status"] = "requires_action"
        intent["next_action"] = (
            {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": return_url}}
            if return_url
            else {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        )
        books.record("payment_intent.requires_action", intent)
        return intent
    return _charge(books, intent, card)


def _charge(books: Books, intent: Object, card: Card) -> Object:
    intent["next_action"] = None
    charge: Object = {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "captured": False,
        "created": now(),
        "currency": intent["currency"],
        "disputed": False,
        "failure_code": card.code or None,
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": {"type": "card", "card": {"last4": card.last4, "capture_before": None}},
        "refunded": False,
        "status": "failed" if card.code else "succeeded",
    }
    books.charges[charge["id"]] = charge
    intent["latest_charge"] = charge["id"]
    if card.code:
        decline(books, intent, card.code, card.decline_code, card.message)
        error = intent["last_payment_error"]
        raise Refusal(
            402, error["message"], kind="card_error", code=card.code, decline_code=card.decline_code,
            extra={"charge": charge["id"], "payment_intent": dict(intent)},
        )  # fmt: skip
    if intent["capture_method"] == "manual":
        charge["payment_method_details"]["card"]["capture_before"] = now() + _HOLD_SECONDS
        intent["status"], intent["amount_capturable"] = "requires_capture", intent["amount"]
        books.record("charge.succeeded", charge)
        books.record("payment_intent.amount_capturable_updated", intent)
        return intent
    books.record("charge.succeeded", charge)
    return _take(books, intent, charge, intent["amount"])


def decline(books: Books, intent: Object, code: str, decline_code: str, message: str) -> None:
    """Note that the issuer refused."""
    intent["status"], intent["next_action"] = "requires_payment_method", None
    intent["last_payment_error"] = {
        "type": "card_error", "code": code, "decline_code": decline_code, "message": message,
    }  # fmt: skip
    if intent["latest_charge"]:
        books.record("charge.failed", books.charges[intent["latest_charge"]])
    books.record("payment_intent.payment_failed", intent)


def prove(books: Books, intent: Object, *, is_proven: bool) -> Object:
    """Let the customer prove who they are, or fail to.

    Raises:
        Refusal: when none was required.
    """
    if intent["status"] != "requires_action":
        raise _unexpected(intent, "authenticate")
    if is_proven:
        return _charge(books, intent, Card(last4=CARDS[intent["payment_method"]].last4))
    decline(
        books,
        intent,
        "payment_intent_authentication_failure",
        "",
        "The provided PaymentMethod has failed authentication.",
    )
    return intent


def capture(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    """Take held funds; what is not taken is released.

    Raises:
        Refusal: when nothing is held, or less than is requested.
    """
    only(params, "amount_to_capture", "metadata")
    amount = positive(params, "amount_to_capture", default=intent["amount_capturable"] or intent["amount"])
    _check_amount(amount, intent["currency"])
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "capture")
    if amount > intent["amount_capturable"]:
        raise Refusal(
            400, "The amount is more than can be captured.", param="amount_to_capture", code="amount_too_large"
        )
    if CARDS[intent["payment_method"]].is_capture_refused:
        raise Refusal(400, "This charge has expired and can no longer be captured.", code="charge_expired_for_capture")
    return _take(books, intent, books.charges[intent["latest_charge"]], amount)


def _take(books: Books, intent: Object, charge: Object, amount: int) -> Object:
    transaction = move(
        books, "charge", charge["id"], amount=amount, fee=charge_fee(amount), currency=intent["currency"]
    )
    charge |= {"captured": True, "amount_captured": amount, "balance_transaction": transaction["id"]}
    intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    books.record("charge.captured", charge)
    books.record("payment_intent.succeeded", intent)
    if CARDS[intent["payment_method"]].is_disputed:
        open_dispute(books, charge, amount)
    return intent


def cancel(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    """Let go of the funds.

    Raises:
        Refusal: when there is nothing to let go of.
    """
    only(params, "cancellation_reason")
    return end(books, intent, str(params.get("cancellation_reason") or "") or None)


def end(books: Books, intent: Object, reason: str | None) -> Object:
    """End an intent before its capture; the reason `automatic` is a hold that lapsed by itself.

    Raises:
        Refusal: when it is past that.
    """
    if intent["status"] in {"succeeded", "canceled"}:
        raise _unexpected(intent, "cancel")
    intent |= {
        "status": "canceled", "amount_capturable": 0, "canceled_at": now(), "cancellation_reason": reason,
        "next_action": None,
    }  # fmt: skip
    if intent["latest_charge"]:
        charge = books.charges[intent["latest_charge"]]
        charge["refunded"] = True
        books.record("charge.expired" if reason == "automatic" else "charge.refunded", charge)
    books.record("payment_intent.canceled", intent)
    return intent


def _unexpected(intent: Object, verb: str) -> Refusal:
    return Refusal(
        400,
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        extra={"payment_intent": dict(intent)},
    )
