"""Setup intents: a customer's payment method is proven and saved, and nothing is charged (https://docs.stripe.com/api/setup_intents)."""

from typing import Any
from urllib.parse import urlencode

from deploy.fake_stripe import customers, forms, methods
from deploy.fake_stripe.books import Books, Object, new_id
from deploy.fake_stripe.cards import CARDS, Card
from deploy.fake_stripe.refusals import Refusal, invalid

_EARLY = {"requires_confirmation", "requires_payment_method", "requires_action"}
_USAGES = ("off_session", "on_session")
_CANCELLATION_REASONS = ("abandoned", "duplicate", "requested_by_customer")


def create(books: Books, params: dict[str, Any]) -> Object:
    """Create a setup intent, and confirm it when requested.

    Raises:
        Refusal: for wrong parameters, and for a card that is declined.
    """
    is_confirmed = forms.boolean(params, "confirm")
    if "return_url" in params and not is_confirmed:
        raise invalid("return_url can only be used with confirm=true.", param="return_url")
    customer = None if "customer" not in params else customers.living(books, params["customer"])["id"]
    identifier = new_id("seti")
    intent: Object = {
        "id": identifier,
        "object": "setup_intent",
        "application": books.settings.application if books.platform is not None else None,
        "cancellation_reason": None,
        "client_secret": f"{identifier}_{new_id('secret')}",
        "created": books.now(),
        "customer": customer,
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": books.livemode,
        "mandate": None,
        "metadata": forms.metadata(params),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": forms.chosen(params, "usage", _USAGES, default="off_session"),
        "_return_url": params.get("return_url"),
    } | methods.allowed_types(books, params)
    if "payment_method" in params:
        _use(books, intent, params["payment_method"])
    elif is_confirmed:
        raise _no_method()
    if is_confirmed:
        methods.check_redirect(intent)
    books.setup_intents[identifier] = intent
    books.record("setup_intent.created", intent)
    return _confirm(books, intent) if is_confirmed else intent


def confirm(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    """Check the payment method with its issuer, or ask the customer for proof first.

    Raises:
        Refusal: for a card that is declined, or an intent that is past this.
    """
    if intent["status"] not in _EARLY:
        raise _unexpected(intent, "confirm")
    if "payment_method" in params:
        _use(books, intent, params["payment_method"])
    elif intent["payment_method"] is None:
        raise _no_method()
    intent["_return_url"] = params.get("return_url") or intent["_return_url"]
    methods.check_redirect(intent)
    return _confirm(books, intent)


def cancel(books: Books, intent: Object, params: dict[str, Any]) -> Object:
    """Give a setup up.

    Raises:
        Refusal: when it is past that.
    """
    reason = forms.chosen(params, "cancellation_reason", _CANCELLATION_REASONS)
    if intent["status"] not in _EARLY:
        raise _unexpected(intent, "cancel")
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    books.record("setup_intent.canceled", intent)
    return intent


def prove(books: Books, intent: Object, *, is_proven: bool) -> Object:
    """Let the customer prove who they are, or fail to.

    Raises:
        Refusal: when none was required.
    """
    if intent["status"] != "requires_action":
        raise _unexpected(intent, "authenticate")
    if is_proven:
        return _saved(books, intent)
    card = CARDS[books.payment_methods[intent["payment_method"]]["_card"]]
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    )
    _fail(books, intent, Card(last4=card.last4, code="setup_intent_authentication_failure", message=message))
    return intent


def _use(books: Books, intent: Object, given: Any) -> None:
    method = methods.found(books, given)
    if method["customer"] is None:
        methods.require_unused(method)
    elif method["customer"] != intent["customer"]:
        raise methods.of_another_customer(method)
    if method["type"] not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this SetupIntent.",
            param="payment_method",
        )
    intent |= {"payment_method": method["id"], "status": "requires_confirmation"}


def _confirm(books: Books, intent: Object) -> Object:
    card = CARDS[books.payment_methods[intent["payment_method"]]["_card"]]
    if card.is_3ds:
        named = {"setup_intent": intent["id"], "setup_intent_client_secret": intent["client_secret"]}
        url = f"{books.pages}/redirect/authenticate/{intent['id']}?{urlencode(named)}"
        intent["status"] = "requires_action"
        intent["next_action"] = (
            {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": intent["_return_url"]}}
            if intent["_return_url"]
            else {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url}}
        )
        books.record("setup_intent.requires_action", intent)
        return intent
    if card.code and not card.is_saved_all_the_same:
        _fail(books, intent, card)
        error = intent["last_setup_error"]
        raise Refusal(
            402,
            card.message,
            kind="card_error",
            code=card.code,
            decline_code=card.decline_code,
            extra={name: each for name, each in error.items() if name == "payment_method"} | {"setup_intent": intent},
        )
    return _saved(books, intent)


def _saved(books: Books, intent: Object) -> Object:
    method = books.payment_methods[intent["payment_method"]]
    method["_is_set_up"] = True
    intent |= {"status": "succeeded", "next_action": None, "last_setup_error": None}
    if intent["customer"] is not None:
        customers.attached(books, method, intent["customer"])
    else:
        method["_is_used"] = True
    books.record("setup_intent.succeeded", intent)
    return intent


def _fail(books: Books, intent: Object, card: Card) -> None:
    method = books.payment_methods[intent["payment_method"]]
    error: Object = {
        "type": "card_error" if card.decline_code else "invalid_request_error",
        "code": card.code,
        "doc_url": f"https://stripe.com/docs/error-codes/{card.code.replace('_', '-')}",
        "message": card.message,
        "payment_method": method,
    }
    if card.decline_code:
        error["decline_code"] = card.decline_code
    method["_is_used"] = True
    intent |= {
        "status": "requires_payment_method",
        "next_action": None,
        "payment_method": None,
        "last_setup_error": error,
    }
    books.record("setup_intent.setup_failed", intent)


def _no_method() -> Refusal:
    return invalid("You cannot confirm this SetupIntent because it's missing a payment method.", param="payment_method")


def _unexpected(intent: Object, verb: str) -> Refusal:
    return Refusal(
        400,
        f"You cannot {verb} this SetupIntent because it has a status of {intent['status']}.",
        code="setup_intent_unexpected_state",
        extra={"setup_intent": intent},
    )
