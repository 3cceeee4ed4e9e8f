"""Payment intents and their charges: created, confirmed, proven by the customer, captured, cancelled, expired."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from deploy.fake_stripe import customers, forms, methods, shapes, values
from deploy.fake_stripe.balance import DAY, charge_fee, earn, move
from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.cards import CARDS, Card
from deploy.fake_stripe.disputes import open_dispute
from deploy.fake_stripe.refunds import release
from deploy.fake_stripe.refusals import Refusal, invalid
from deploy.fake_stripe.settings import converted

_HOLD_SECONDS = 7 * DAY
_EARLY = {"requires_confirmation", "requires_payment_method", "requires_action"}


def _check_amount(books: Books, amount: int, currency: str, *, param: str = "amount") -> None:
    if amount > values.AMOUNT_MAX:
        raise invalid("Amount must be no more than $999,999.99", param=param, code="amount_too_large")
    step = 10 if currency in values.THREE_DECIMALS else 100 if currency in values.WHOLE_IN_HUNDREDTHS else 1
    if amount % step:
        raise invalid(f"Amounts in {currency} must be evenly divisible by {step}.", param=param)
    settled, rate = books.settings.settled(currency)
    for code, units in ((currency, amount), (settled, converted(amount, rate))):
        least = values.AMOUNT_MIN.get(code, 1)
        if units < least:
            raise invalid(
                f"Amount must convert to at least {least} of the smallest unit of {code}.",
                param=param,
                code="amount_too_small",
            )


def create(books: Books, params: dict[str, Any]) -> Object:
    """Create a payment intent, and confirm it when requested.

    Raises:
        Refusal: for wrong parameters, and for a card that is declined.
    """
    currency = forms.currency(params)
    amount = forms.positive(params, "amount")
    _check_amount(books, amount, currency)
    is_confirmed = forms.boolean(params, "confirm")
    if "off_session" in params and not is_confirmed:
        raise invalid("off_session can only be used with confirm=true.", param="off_session")
    types = methods.allowed_types(books, params)
    customer = None if "customer" not in params else customers.living(books, params["customer"])["id"]
    intent = shapes.payment_intent(
        books,
        amount=amount,
        currency=currency,
        application_fee_amount=_application_fee(books, params, amount),
        capture_method=forms.chosen(params, "capture_method", values.CAPTURE_METHODS, default="automatic_async"),
        customer=customer,
        description=params.get("description"),
        metadata=forms.metadata(params),
        receipt_email=params.get("receipt_email"),
        _card=None,
        _return_url=params.get("return_url"),
        _version=books.version,
        _type="card",
        **types,
    )
    given = params.get("payment_method")
    if given is not None or is_confirmed or "payment_method_data" in params:
        methods.use(books, intent, given, params.get("payment_method_data"))
        intent["status"] = "requires_confirmation"
    if is_confirmed:
        methods.check_redirect(intent)
    books.payment_intents[intent["id"]] = intent
    books.record("payment_intent.created", intent)
    return _confirm(books, intent, params) if is_confirmed else intent


def _application_fee(books: Books, params: dict[str, Any], amount: int) -> int | None:
    if "application_fee_amount" not in params:
        return None
    if books.settings.application is None:
        raise invalid(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using an "
            "OAuth key or Stripe-Account header) or destination payment (using `transfer_data[destination]`).",
            param="application_fee_amount",
        )
    fee = forms.positive(params, "application_fee_amount")
    if fee >= amount:
        raise invalid("The application fee must be less than the amount.", param="application_fee_amount")
    return fee


def confirm(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    """Charge the payment method, or ask the customer for proof first.

    Raises:
        Refusal: for a card that is declined, or an intent that is past this.
    """
    if intent["status"] not in _EARLY:
        raise _unexpected(intent, "confirm")
    given, described = params.get("payment_method"), params.get("payment_method_data")
    if given is not None or described is not None or intent["payment_method"] is None:
        methods.use(books, intent, given, described)
    intent["_return_url"] = params.get("return_url") or intent["_return_url"]
    methods.check_redirect(intent)
    if "capture_method" in params:
        intent["capture_method"] = forms.chosen(params, "capture_method", values.CAPTURE_METHODS)
    return _confirm(books, intent, params)


def _confirm(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    if intent["_type"] != "card":
        until, action = methods.slip(books, intent["_type"])
        intent |= {"status": "requires_action", "next_action": action}
        books.record("payment_intent.requires_action", intent)
        books.clock.later(until, partial(_let_lapse, books, intent))
        return intent
    card = CARDS[intent["_card"]]
    is_set_up = books.payment_methods[intent["payment_method"]]["_is_set_up"]
    if not card.is_3ds or (card.is_free_once_set_up and is_set_up):
        return _charge(books, intent, card)
    if params.get("off_session") not in {None, "false"} or forms.boolean(params, "error_on_requires_action"):
        # Nobody is there to prove anything.
        code = "authentication_required"
        message = "Your card was declined. This transaction requires authentication."
        return _charge(books, intent, Card(last4=card.last4, code=code, decline_code=code, message=message))
    named = {"payment_intent": intent["id"], "payment_intent_client_secret": intent["client_secret"]}
    url = f"{books.pages}/redirect/authenticate/{intent['id']}?{urlencode(named)}"
    intent["status"] = "requires_action"
    intent["next_action"] = (
        {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": intent["_return_url"]}}
        if intent["_return_url"]
        else {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url}}
    )
    books.record("payment_intent.requires_action", intent)
    return intent


def _charge(books: Books, intent: Object, card: Card, *, is_authenticated: bool = False) -> Object:
    intent["next_action"] = None
    charge = shapes.charge(books, intent, card, is_authenticated=is_authenticated)
    books.charges[charge["id"]] = charge
    intent["latest_charge"] = charge["id"]
    if card.code:
        decline(books, intent, card)
        error = intent["last_payment_error"]
        raise Refusal(
            402,
            error["message"],
            kind="card_error",
            code=card.code,
            decline_code=card.decline_code,
            extra={"charge": charge["id"], "payment_intent": intent} | _advice(card),
        )
    books.payment_methods[intent["payment_method"]]["_is_used"] = True
    intent["last_payment_error"] = None
    if intent["capture_method"] == "manual":
        until = books.now() + _HOLD_SECONDS
        charge["payment_method_details"]["card"]["capture_before"] = until
        intent["status"], intent["amount_capturable"] = "requires_capture", intent["amount"]
        books.record("charge.succeeded", charge)
        books.record("payment_intent.amount_capturable_updated", intent)
        books.clock.later(until, partial(_let_expire, books, intent))
        return intent
    return _take(books, intent, charge, intent["amount"])


def _advice(card: Card) -> Object:
    """The advice and the network's codes of a decline, as far as there are any."""
    names = ("advice_code", "network_advice_code", "network_decline_code")
    return {name: code for name in names if (code := getattr(card, name))}


def decline(books: Books, intent: Object, card: Card) -> None:
    """Note that the issuer refused."""
    intent["status"], intent["next_action"] = "requires_payment_method", None
    intent["last_payment_error"] = {
        "type": "card_error",
        "code": card.code,
        "doc_url": f"https://stripe.com/docs/error-codes/{card.code.replace('_', '-')}",
        "message": card.message,
    } | ({"charge": intent["latest_charge"]} if intent["latest_charge"] else {})
    if card.decline_code:
        intent["last_payment_error"]["decline_code"] = card.decline_code
    intent["last_payment_error"] |= _advice(card)
    if intent["latest_charge"]:
        books.record("charge.failed", books.charges[intent["latest_charge"]])
    # The payment method of a refused payment has to be given anew.
    intent["payment_method"], intent["_card"] = None, None
    books.record("payment_intent.payment_failed", intent)


def prove(books: Books, intent: Object, *, is_proven: bool) -> Object:
    """Let the customer prove who they are, or fail to.

    Raises:
        Refusal: when none was required.
    """
    if intent["status"] != "requires_action" or intent["_type"] != "card":
        raise _unexpected(intent, "authenticate")
    card = CARDS[intent["_card"]]
    if is_proven:
        return _charge(books, intent, Card(last4=card.last4, brand=card.brand), is_authenticated=True)
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    )
    decline(books, intent, Card(last4=card.last4, code="payment_intent_authentication_failure", message=message))
    return intent


def pay(books: Books, intent: Object) -> Object:
    """Let the customer pay a code or a slip, also when it has just expired.

    Raises:
        Refusal: when there is none, or it was paid or cancelled.
    """
    if intent["_type"] == "card" or intent["status"] not in {"requires_action", "requires_payment_method"}:
        raise _unexpected(intent, "pay")
    intent |= {"next_action": None, "last_payment_error": None, "payment_method": intent["_slip"]}
    method = books.payment_methods[intent["_slip"]]
    charge = shapes.charge(books, intent, CARDS[intent["_card"]], is_authenticated=False)
    charge |= {
        "billing_details": method["_billing_details"],
        "outcome": None,
        "payment_method_details": {intent["_type"]: method["_details"], "type": intent["_type"]},
    }
    books.charges[charge["id"]] = charge
    intent["latest_charge"] = charge["id"]
    method["_is_used"] = True
    return _take(books, intent, charge, intent["amount"])


def lapse(books: Books, intent: Object) -> Object:
    """Let a code or a slip expire that nobody has paid.

    Raises:
        Refusal: when there is none to pay.
    """
    if intent["_type"] == "card" or intent["status"] != "requires_action":
        raise _unexpected(intent, "expire")
    intent |= {
        "status": "requires_payment_method",
        "next_action": None,
        "payment_method": None,
        "last_payment_error": dict(methods.EXPIRED_ERROR),
    }
    books.record("payment_intent.payment_failed", intent)
    return intent


def _let_lapse(books: Books, intent: Object) -> None:
    if intent["status"] == "requires_action":
        lapse(books, intent)


def capture(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    """Take held funds; what is not taken is released.

    Raises:
        Refusal: when nothing is held, or less than is requested.
    """
    amount = forms.positive(params, "amount_to_capture", default=intent["amount_capturable"] or intent["amount"])
    metadata = forms.metadata(params, before=intent["metadata"])
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "capture")
    if amount > intent["amount_capturable"]:
        raise Refusal(
            400,
            "The amount to capture is more than the amount that can be captured.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    card = CARDS[intent["_card"]]
    if card.capture_refusal is not None:
        status, code = card.capture_refusal
        kind = "card_error" if status == 402 else "invalid_request_error"
        message = "This charge has expired and can no longer be captured."
        raise Refusal(status, message, kind=kind, code=code, extra={"payment_intent": intent})
    if "application_fee_amount" in params:
        intent["application_fee_amount"] = _application_fee(books, params, amount)
    intent["metadata"] = metadata
    return _take(books, intent, books.charges[intent["latest_charge"]], amount)


def _take(books: Books, intent: Object, charge: Object, amount: int) -> Object:
    is_later = charge["payment_method_details"].get("card", {}).get("capture_before") is not None
    moves_all = books.version[:10] < values.REFUNDS_ON_RELEASE_UNTIL
    card = CARDS[intent["_card"]]
    moved = charge["amount"] if moves_all else amount
    rate = books.settings.settled(intent["currency"])[1]
    taken = min(intent["application_fee_amount"] or 0, amount)
    fee_of = {part: charge_fee(converted(part, rate), books.settings) for part in (moved, amount)}
    transaction = move(
        books,
        "charge",
        charge["id"],
        amount=moved,
        currency=intent["currency"],
        fee=fee_of[moved],
        application_fee=taken,
        available_on=books.now() + (0 if card.is_available_at_once else books.settings.delay_days * DAY),
    )
    charge |= {"captured": True, "amount_captured": amount, "balance_transaction": transaction["id"]}
    intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    earn(books, charge, taken)
    if moved > amount:
        release(books, charge, amount=moved - amount, fee=fee_of[amount] - fee_of[moved], is_moved=True)
    books.record("charge.captured" if is_later else "charge.succeeded", charge)
    books.record("payment_intent.succeeded", intent)
    if card.disputes:
        status, reason = card.disputes
        open_dispute(books, charge, amount, status=status, reason=reason)
    return intent


def cancel(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    """Let go of the funds.

    Raises:
        Refusal: when there is nothing to let go of.
    """
    return end(books, intent, forms.chosen(params, "cancellation_reason", values.CANCELLATION_REASONS))


def _let_expire(books: Books, intent: Object) -> None:
    if intent["status"] == "requires_capture":
        expire(books, intent)


def expire(books: Books, intent: Object) -> Object:
    """Let a hold come to its end by itself.

    Raises:
        Refusal: when the intent is past that.
    """
    is_old = intent["_version"][:10] < values.REFUNDS_ON_RELEASE_UNTIL
    return end(books, intent, "automatic" if is_old else "expired")


def end(books: Books, intent: Object, reason: str | None) -> Object:
    """End an intent before its capture, by the caller's wish or because its hold has expired.

    Raises:
        Refusal: when it is past that.
    """
    if intent["status"] in {"succeeded", "canceled"}:
        raise _unexpected(intent, "cancel")
    is_expiry = reason in {"automatic", "expired"}
    is_held = intent["status"] == "requires_capture"
    intent |= {
        "status": "canceled",
        "amount_capturable": 0,
        "canceled_at": books.now(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    if is_held:
        charge = books.charges[intent["latest_charge"]]
        version = intent["_version"] if is_expiry else books.version
        if version[:10] < values.REFUNDS_ON_RELEASE_UNTIL:
            if is_expiry:
                move(books, "charge", charge["id"], amount=charge["amount"], currency=charge["currency"])
            reason_of_refund = "expired_uncaptured_charge" if is_expiry else None
            release(books, charge, amount=charge["amount"], fee=0, is_moved=is_expiry, reason=reason_of_refund)
            if not is_expiry:
                books.record("charge.refunded", charge)
        if is_expiry:
            books.record("charge.expired", charge)
    books.record("payment_intent.canceled", intent)
    return intent


def _unexpected(intent: Object, verb: str) -> Refusal:
    return Refusal(
        400,
        f"This PaymentIntent could not be {verb}d because it has a status of {intent['status']}."
        if verb == "capture"
        else f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        extra={"payment_intent": intent},
    )
