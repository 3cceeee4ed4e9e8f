"""The payment methods of Stripe's test mode that matter here (https://docs.stripe.com/testing), and a few of our own."""

from enum import StrEnum

import msgspec


class RefundCourse(StrEnum):
    """What becomes of refunds to a card."""

    AT_ONCE = "succeeded at once"
    LATER = "pending, until its end is set"
    FAILS_LATER = "succeeded at once, failed when its end is set"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """How the issuer of one test card behaves."""

    last4: str
    """The end of its number."""
    brand: str = "visa"
    """Its network."""
    code: str = ""
    """Stripe's error code; empty: it is charged."""
    decline_code: str = ""
    """The issuer's reason beside it."""
    advice_code: str | None = None
    """What Stripe advises to do about the decline."""
    network_decline_code: str | None = None
    """The card network's code of the decline."""
    network_advice_code: str | None = None
    """The card network's advice about the decline."""
    message: str = ""
    """What Stripe tells the customer."""
    is_3ds: bool = False
    """Whether the customer must prove who they are first."""
    is_free_once_set_up: bool = False
    """Whether that proof is required no more once it was given for saving the card."""
    is_saved_all_the_same: bool = False
    """Whether a card that is declined when it is charged can be saved."""
    is_available_at_once: bool = False
    """Whether its money skips the pending balance."""
    disputes: tuple[str, ...] = ()
    """The status of the dispute that follows a capture, and its reason; empty: none does."""
    capture_refusal: tuple[int, str] | None = None
    """The status and the code with which a capture is refused; None: it is not."""
    refunds: RefundCourse = RefundCourse.AT_ONCE
    """What becomes of refunds."""


def _declined(last4: str, codes: tuple[str, str], message: str, advice: str, network: tuple[str, str]) -> Card:
    return Card(
        last4=last4,
        code=codes[0],
        decline_code=codes[1],
        message=message,
        advice_code=advice,
        network_decline_code=network[0],
        network_advice_code=network[1],
    )


_GENERIC = _declined(
    "0002", ("card_declined", "generic_decline"), "Your card was declined.", "try_again_later", ("05", "02")
)
_FUNDS = _declined(
    "9995",
    ("card_declined", "insufficient_funds"),
    "Your card has insufficient funds.",
    "try_again_later",
    ("51", "02"),
)

CARDS = {
    "pm_card_visa": Card(last4="4242"),
    "pm_card_mastercard": Card(last4="4444", brand="mastercard"),
    "pm_card_bypassPending": Card(last4="0077", is_available_at_once=True),
    "pm_card_threeDSecure2Required": Card(last4="3220", is_3ds=True),
    "pm_card_authenticationRequired": Card(last4="3184", is_3ds=True),
    "pm_card_authenticationRequiredOnSetup": Card(last4="3155", is_3ds=True, is_free_once_set_up=True),
    "pm_card_chargeCustomerFail": Card(
        last4="0341",
        code=_GENERIC.code,
        decline_code=_GENERIC.decline_code,
        message=_GENERIC.message,
        advice_code=_GENERIC.advice_code,
        network_decline_code=_GENERIC.network_decline_code,
        network_advice_code=_GENERIC.network_advice_code,
        is_saved_all_the_same=True,
    ),
    "pm_card_visa_chargeDeclined": _GENERIC,
    "pm_card_chargeDeclined": _GENERIC,
    "pm_card_visa_chargeDeclinedInsufficientFunds": _FUNDS,
    "pm_card_chargeDeclinedInsufficientFunds": _FUNDS,
    "pm_card_chargeDeclinedFraudulent": _declined(
        "0019", ("card_declined", "fraudulent"), "Your card was declined.", "do_not_try_again", ("59", "03")
    ),
    "pm_card_chargeDeclinedExpiredCard": _declined(
        "0069", ("expired_card", "expired_card"), "Your card has expired.", "confirm_card_data", ("54", "01")
    ),
    "pm_card_chargeDeclinedProcessingError": _declined(
        "0119",
        ("processing_error", "processing_error"),
        "An error occurred while processing your card.",
        "try_again_later",
        ("96", "02"),
    ),
    "pm_card_createDispute": Card(last4="0259", disputes=("needs_response", "fraudulent")),
    "pm_card_createProductNotReceivedDispute": Card(last4="2685", disputes=("needs_response", "product_not_received")),
    "pm_card_createDisputeInquiry": Card(last4="1976", disputes=("warning_needs_response", "fraudulent")),
    "pm_card_pendingRefund": Card(last4="7726", refunds=RefundCourse.LATER),
    "pm_card_refundFail": Card(last4="5126", refunds=RefundCourse.FAILS_LATER),
    # Not Stripe's: a hold that has lapsed, or that the network takes back, cannot be had from its test mode.
    "pm_card_captureExpired": Card(last4="0997", capture_refusal=(400, "charge_expired_for_capture")),
    "pm_card_captureDeclined": Card(last4="0998", capture_refusal=(402, "capture_charge_authorization_expired")),
}
"""Each payment method that can be charged."""
