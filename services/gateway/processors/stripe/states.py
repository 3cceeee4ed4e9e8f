"""What the states of Stripe's objects mean for an operation of ours: pure.

`Absent` is the state in which the operation was not carried out; only after an error, or once no call can arrive any more, does
that decide anything.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from libs.common.contracts.gateway_actions import BoletoDisplayDetails, NextAction, PixDisplayQrCode
from services.gateway.processors.port import (
    Absent,
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    Pending,
    Refund,
    RequiresAction,
    Taken,
    Void,
)
from services.gateway.processors.stripe.amounts import from_stripe, to_stripe
from services.gateway.processors.stripe.failures import decline_codes, decline_reason, sentence

EXPIRED = frozenset({"automatic", "expired"})
"""The cancellation reasons of a hold that has ended by itself: `expired` since 2025-03-31.basil, `automatic` before
(https://docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow)."""

_SENSITIVE = "secret"
"""What the parameters of an address that carry a secret have in their name, `payment_intent_client_secret`, or in their
value, `pi_1_secret_2`."""
_UNPAID = frozenset({"payment_intent_payment_attempt_expired"})
"""The error codes of a code or a slip that nobody paid in time."""

type StripeObject = dict[str, Any]
"""An object as Stripe's API has it."""


def instant(seconds: int | None) -> datetime | None:
    """Read Stripe's time: whole seconds since 1970."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def held(request: Authorize, intent: StripeObject) -> Answer | None:
    """Read whether funds are held. None where the state shows neither."""
    reference = str(intent["id"])
    if intent["amount"] != to_stripe(request.amount_minor, request.currency):
        return _OTHER_MONEY
    match intent["status"]:
        case "requires_capture" | "succeeded":
            charge = _expanded(intent.get("latest_charge"))
            card = (charge.get("payment_method_details") or {}).get("card") or {}
            return Approved(
                gateway_ref=reference,
                approved_at=instant(charge.get("created") or intent.get("created")) or request.requested_at,
                expires_at=instant(card.get("capture_before")),
            )
        case "requires_action":
            url, action = next_action(intent)
            return RequiresAction(gateway_ref=reference, action_url=url, next_action=action)
        case "processing":
            return Pending(gateway_ref=reference)
        case "requires_payment_method":
            return declined(intent)
        case "canceled" if request.payment_method_type.is_asynchronous and intent.get("cancellation_reason") in EXPIRED:
            return _NEVER_PAID
        case "canceled":
            return ended(intent)
        case _:
            return None


def taken(request: Capture, intent: StripeObject) -> Answer | Absent | None:
    """Read whether held funds were taken, and how much. None where the state shows neither."""
    match intent["status"]:
        case "succeeded":
            # Somebody may have captured another amount at the processor: what was taken is the truth.
            received = intent.get("amount_received")
            taken = request.amount_minor if received is None else from_stripe(received, request.currency)
            movement = _expanded(_expanded(intent.get("latest_charge")).get("balance_transaction"))
            return Approved(
                gateway_ref=str(intent["id"]),
                approved_at=instant(movement.get("created")) or request.requested_at,
                amount_minor=None if taken == request.amount_minor else taken,
            )
        case "processing":
            return Pending(gateway_ref=str(intent["id"]))
        case "requires_capture":
            return Absent(is_still_held=True)
        case "canceled":
            return ended(intent)
        case "requires_payment_method" | "requires_confirmation" | "requires_action":
            return Absent()
        case _:
            return None


def released(request: Void, intent: StripeObject) -> Answer | Absent | None:
    """Read whether held funds were released. None where the state shows neither."""
    match intent["status"]:
        case "canceled":
            return Approved(
                gateway_ref=str(intent["id"]),
                approved_at=instant(intent.get("canceled_at")) or request.requested_at,
            )
        case "succeeded":
            return Declined(
                reason=DeclineReason.ALREADY_CAPTURED,
                detail="The payment has been captured.",
                taken=_taken_instead(request, intent),
            )
        case "requires_capture":
            return Absent(is_still_held=True)
        case "requires_payment_method" | "requires_confirmation" | "requires_action" | "processing":
            return Absent()
        case _:
            return None


def _taken_instead(request: Void, intent: StripeObject) -> Taken:
    received, charge = intent.get("amount_received"), _expanded(intent.get("latest_charge"))
    moved = (
        _expanded(charge.get("balance_transaction")).get("created") or charge.get("created") or intent.get("created")
    )
    return Taken(
        amount_minor=request.amount_minor if received is None else from_stripe(received, request.currency),
        at=instant(moved) or request.requested_at,
    )


def returned(request: Refund, refund: StripeObject) -> Answer | None:
    """Read whether funds were given back. None where the state shows neither."""
    if refund["amount"] != to_stripe(request.amount_minor, request.currency):
        return _OTHER_MONEY
    match refund["status"]:
        case "succeeded":
            return Approved(
                gateway_ref=str(refund["id"]), approved_at=instant(refund.get("created")) or request.requested_at
            )
        case "pending" | "requires_action":
            return Pending(gateway_ref=str(refund["id"]))
        case "failed" | "canceled":
            why = str(refund.get("failure_reason") or "unknown").replace("_", " ")
            return Declined(
                reason=decline_reason(refund.get("failure_reason"), otherwise=DeclineReason.PROCESSOR_REFUSED),
                detail=f"The refund did not reach the customer: {why}.",
                gateway_ref=str(refund["id"]),
            )
        case _:
            return None


_NEVER_PAID = Declined(reason=DeclineReason.PAYMENT_EXPIRED, detail="The customer did not pay in time.")
"""The answer where nobody paid a code or a slip, whether Stripe keeps the payment or has cancelled it since."""
_OTHER_MONEY = Declined(
    reason=DeclineReason.PROCESSOR_REFUSED, detail="The processor was called for other money under this key."
)
"""The answer where the key led to something else: what is requested now has certainly not been done."""


def next_action(intent: StripeObject) -> tuple[str, NextAction | None]:
    """Read what the customer has to do: where, and with what."""
    action = intent.get("next_action") or {}
    if pix := action.get("pix_display_qr_code"):
        url = pix.get("hosted_instructions_url") or ""
        return url, PixDisplayQrCode(
            data=pix.get("data") or "",
            image_url_png=pix.get("image_url_png") or "",
            hosted_instructions_url=url,
            expires_at=instant(pix.get("expires_at")),
        )
    if boleto := action.get("boleto_display_details"):
        url = boleto.get("hosted_voucher_url") or ""
        return url, BoletoDisplayDetails(
            number=boleto.get("number") or "",
            pdf=boleto.get("pdf") or "",
            hosted_voucher_url=url,
            expires_at=instant(boleto.get("expires_at")),
        )
    return public_address(redirect_address(intent)), None


def redirect_address(intent: StripeObject) -> str:
    """Read where the customer of a payment intent is sent, with the secret that the address may carry; empty where nowhere."""
    return str(((intent.get("next_action") or {}).get("redirect_to_url") or {}).get("url") or "")


def public_address(url: str) -> str:
    """Leave the client secret out of an address of Stripe's: whoever has it can act for the customer.

    What is left names the page and does not open it; empty where its path has a secret.
    """
    if _SENSITIVE not in url.lower():
        return url
    parts = urlsplit(url)
    if _SENSITIVE in parts.path.lower():
        return ""
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if _SENSITIVE not in f"{name}={value}".lower()
    ]
    return parts._replace(query=urlencode(kept), fragment="").geturl()


def declined(intent: StripeObject) -> Declined:
    """Return why a payment intent was not charged."""
    error = intent.get("last_payment_error") or {}
    if error.get("code") in _UNPAID:
        return msgspec.structs.replace(_NEVER_PAID, gateway_ref=str(intent["id"]))
    return Declined(
        reason=decline_reason(error.get("decline_code"), error.get("code"), otherwise=DeclineReason.CARD_DECLINED),
        detail=sentence(error.get("message")),
        codes=decline_codes(error),
        gateway_ref=str(intent["id"]),
    )


def ended(intent: StripeObject) -> Declined:
    """Return why a payment intent that was cancelled can neither be held nor taken."""
    if intent.get("cancellation_reason") in EXPIRED:
        return Declined(reason=DeclineReason.AUTHORIZATION_EXPIRED, detail="The authorization has expired.")
    return Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="The payment was cancelled at the processor.")


def _expanded(value: Any) -> StripeObject:
    return value if isinstance(value, dict) else {}
