"""How a payment intent may be paid: which types, which one it is, and the code or the slip that a customer pays."""

import secrets
from typing import Any

from deploy.fake_stripe import forms, shapes, values
from deploy.fake_stripe.balance import DAY
from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.cards import CARDS
from deploy.fake_stripe.refusals import Refusal, invalid

_EXPIRES_SECONDS = {"pix": DAY, "boleto": 3 * DAY}
"""How long each can be paid by default (https://docs.stripe.com/payments/pix/accept-a-payment, .../boleto)."""
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_BOLETO_NEEDS = ("line1", "city", "state", "postal_code", "country")
TYPES = ("card", *_EXPIRES_SECONDS)


def allowed_types(books: Books, params: dict[str, Any]) -> Object:
    """Read which types of payment methods there may be: cards, Pix and boleto here.

    Raises:
        Refusal: for a type that is none, or two ways of naming them.
    """
    ways = ("allowed_payment_method_types", "automatic_payment_methods", "payment_method_types")
    given = [name for name in ways if name in params]
    if "payment_method_types" in given and books.version[:10] >= values.PAYMENT_METHOD_TYPES_UNTIL:
        raise invalid(
            "The payment_method_types parameter is no longer supported. Use allowed_payment_method_types instead.",
            param="payment_method_types",
            code="payment_method_types_no_longer_supported",
        )
    if len(given) > 1:
        message = f"You may only specify one of these parameters: {', '.join(given)}."
        raise invalid(message, param=given[0], code="parameters_exclusive")
    for name in given:
        if name == "automatic_payment_methods":
            continue
        types = params[name] if isinstance(params[name], list) else [params[name]]
        for each in types:
            if each not in TYPES:
                raise invalid(f"The payment method type provided: {each} is invalid.", param=name)
            if each != "card" and str(params.get("currency", "")).lower() != "brl":
                raise invalid(
                    f"The payment method type provided: {each} does not support the currency "
                    f"{params.get('currency')}. Supported currencies: brl.",
                    param=name,
                    code="payment_intent_invalid_currency",
                )
        allowed = types if name == ways[0] else None
        return {
            "allowed_payment_method_types": allowed,
            "automatic_payment_methods": None,
            "payment_method_types": list(types),
        }
    automatic = params.get("automatic_payment_methods", {"enabled": "true"})
    if not isinstance(automatic, dict) or not forms.boolean(automatic, "enabled"):
        raise invalid("Missing required param: automatic_payment_methods[enabled].", param="automatic_payment_methods")
    redirects = forms.chosen(automatic, "allow_redirects", ("always", "never"), default="always")
    return {
        "allowed_payment_method_types": None,
        "automatic_payment_methods": {"allow_redirects": redirects, "enabled": True},
    }


def new_payment_method(books: Books, card: str) -> Object:
    """Keep a payment method of an account, as Stripe's client library makes one of what a customer types."""
    method = shapes.payment_method(books, CARDS[card]) | {"_card": card}
    books.payment_methods[method["id"]] = method
    return method


def found(books: Books, given: Any) -> Object:
    """Look a payment method up; a test card makes a new one of it.

    Raises:
        Refusal: for one that there is not.
    """
    method = books.payment_methods.get(str(given))
    if method is not None:
        return method
    if given not in CARDS or books.livemode:
        raise Refusal(
            400,
            f"No such PaymentMethod: '{given}'",
            param="payment_method",
            code="resource_missing",
            is_executed=False,
        )
    return new_payment_method(books, str(given))


def require_unused(method: Object) -> None:
    """Refuse a payment method that was used without a customer, or was detached from one.

    Raises:
        Refusal: when it was.
    """
    if method["_is_used"]:
        raise invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
            "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To "
            "use a PaymentMethod multiple times, you must attach it to a Customer first.",
            param="payment_method",
            code="payment_method_unactivated",
        )


def of_another_customer(method: Object) -> Refusal:
    """Refuse a payment method that is attached to another customer than the intent's, or to one where that has none."""
    return invalid(
        f"The payment method `{method['id']}` belongs to the customer `{method['customer']}`. Please include that customer "
        "in the `customer` parameter.",
        param="payment_method",
    )


def check_redirect(intent: Object) -> None:
    """Refuse a confirmation that might send the customer away, and does not name where they come back to.

    Raises:
        Refusal: when the address is missing.
    """
    automatic = intent["automatic_payment_methods"]
    if automatic is not None and automatic["allow_redirects"] == "always" and not intent["_return_url"]:
        raise invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these "
            "payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't "
            "want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
            param="return_url",
        )


def use(books: Books, intent: Object, given: Any, described: Any = None) -> None:
    """Take a payment method for an intent; a test card makes a new one of it, and so does a description.

    Raises:
        Refusal: for one that there is not, was used before, or is of a type that the intent does not allow.
    """
    if described is not None:
        if given is not None:
            message = "You may only specify one of these parameters: payment_method, payment_method_data."
            raise invalid(message, param="payment_method_data", code="parameters_exclusive")
        given = from_data(books, intent, described)["id"]
    if given is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method.", param="payment_method"
        )
    method = found(books, given)
    if method["customer"] is None:
        require_unused(method)
    elif method["customer"] != intent["customer"]:
        raise of_another_customer(method)
    kind = method["type"]
    if kind not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({kind}) is not allowed for this PaymentIntent.", param="payment_method"
        )
    intent["payment_method"], intent["_card"], intent["_type"] = method["id"], method["_card"], kind
    intent["_slip"] = method["id"]


def from_data(books: Books, intent: Object, given: Any) -> Object:
    """Make the payment method that `payment_method_data` describes, a code or a slip.

    Raises:
        Refusal: for a type that the intent does not allow or cannot capture so, and for a boleto without its payer.
    """
    param = "payment_method_data"
    if not isinstance(given, dict) or "type" not in given:
        raise invalid("Missing required param: payment_method_data[type].", param=param, code="parameter_missing")
    kind = str(given["type"])
    if kind not in _EXPIRES_SECONDS or kind not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({kind}) is not allowed for this PaymentIntent.", param="payment_method"
        )
    if intent["capture_method"] == "manual":
        raise invalid(
            f"The payment method type {kind} does not support manual capture. "
            "Set `capture_method` to `automatic` or `automatic_async`.",
            param="capture_method",
        )
    details = given.get("billing_details") or {}
    address = details.get("address") or {}
    tax_id = str((given.get("boleto") or {}).get("tax_id") or "")
    if kind == "boleto":
        wanting = [f"billing_details[{name}]" for name in ("name", "email") if not details.get(name)]
        wanting += [f"billing_details[address][{name}]" for name in _BOLETO_NEEDS if not address.get(name)]
        if wanting:
            raise invalid(f"Missing required param: {wanting[0]}.", param=wanting[0], code="parameter_missing")
        if len("".join(c for c in tax_id if c.isdigit())) not in (11, 14):
            raise invalid("Invalid CPF or CNPJ.", param="boleto[tax_id]", code="tax_id_invalid")
    method = shapes.payment_method(books, CARDS["pm_card_visa"], kind=kind, tax_id=tax_id) | {
        "_card": "pm_card_visa",
        "_billing_details": {
            "address": {name: address.get(name) for name in _ADDRESS},
            "email": details.get("email"),
            "name": details.get("name"),
            "phone": None,
            "tax_id": None,
        },
        "_details": {"tax_id": tax_id} if kind == "boleto" else {"bank_transaction_id": None},
    }
    books.payment_methods[method["id"]] = method
    return method


def slip(books: Books, kind: str) -> tuple[int, Object]:
    """Draw a new code or slip: until when it can be paid, and the `next_action` that shows it."""
    until = books.now() + _EXPIRES_SECONDS[kind]
    number = secrets.token_hex(8)
    url = f"https://payments.stripe.com/{kind}/instructions/{number}"
    if kind == "pix":
        return until, {
            "type": "pix_display_qr_code",
            "pix_display_qr_code": {
                "data": f"00020126580014br.gov.bcb.pix0136{number}5204000053039865802BR6304ABCD",
                "expires_at": until,
                "hosted_instructions_url": url,
                "image_url_png": f"https://qr.stripe.com/{number}.png",
                "image_url_svg": f"https://qr.stripe.com/{number}.svg",
            },
        }
    return until, {
        "type": "boleto_display_details",
        "boleto_display_details": {
            "expires_at": until,
            "hosted_voucher_url": f"https://payments.stripe.com/boleto/voucher/{number}",
            "number": f"01010101010101010101010101010101010{int(number, 16) % 10**12:012d}",
            "pdf": f"https://payments.stripe.com/boleto/voucher/{number}/pdf",
        },
    }


EXPIRED_ERROR: Object = {
    "type": "invalid_request_error",
    "code": "payment_intent_payment_attempt_expired",
    "doc_url": "https://stripe.com/docs/error-codes/payment-intent-payment-attempt-expired",
    "message": "The latest payment attempt of this PaymentIntent has expired. You can provide a new payment method to "
    "attempt to fulfill this PaymentIntent again.",
}
"""What stands on an intent whose code or slip nobody paid."""
