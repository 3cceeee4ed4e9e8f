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
    code: str = ""
    """Stripe's error code; empty: it is charged."""
    decline_code: str = ""
    """The issuer's reason beside it."""
    message: str = ""
    """What Stripe tells the customer."""
    is_3ds: bool = False
    """Whether the customer must prove who they are first."""
    is_disputed: bool = False
    """Whether a capture is disputed at once."""
    is_capture_refused: bool = False
    """Whether the hold is gone by the time of the capture."""
    refunds: RefundCourse = RefundCourse.AT_ONCE
    """What becomes of refunds."""


def _declined(last4: str, code: str, decline_code: str, message: str) -> Card:
    return Card(last4=last4, code=code, decline_code=decline_code, message=message)


CARDS = {
    "pm_card_visa": Card(last4="4242"),
    "pm_card_mastercard": Card(last4="4444"),
    "pm_card_threeDSecure2Required": Card(last4="3220", is_3ds=True),
    "pm_card_authenticationRequired": Card(last4="3184", is_3ds=True),
    "pm_card_visa_chargeDeclined": _declined("0002", "card_declined", "generic_decline", "Your card was declined."),
    "pm_card_chargeDeclined": _declined("0002", "card_declined", "generic_decline", "Your card was declined."),
    "pm_card_visa_chargeDeclinedInsufficientFunds": _declined(
        "9995", "card_declined", "insufficient_funds", "Your card has insufficient funds."
    ),
    "pm_card_chargeDeclinedInsufficientFunds": _declined(
        "9995", "card_declined", "insufficient_funds", "Your card has insufficient funds."
    ),
    "pm_card_chargeDeclinedFraudulent": _declined("0019", "card_declined", "fraudulent", "Your card was declined."),
    "pm_card_chargeDeclinedExpiredCard": _declined("0069", "expired_card", "expired_card", "Your card has expired."),
    "pm_card_chargeDeclinedProcessingError": _declined(
        "0119", "processing_error", "processing_error", "An error occurred while processing your card."
    ),
    "pm_card_createDispute": Card(last4="0259", is_disputed=True),
    "pm_card_pendingRefund": Card(last4="7726", refunds=RefundCourse.LATER),
    "pm_card_refundFail": Card(last4="5126", refunds=RefundCourse.FAILS_LATER),
    # Not Stripe's: a hold that has lapsed cannot be had from its test mode.
    "pm_card_captureExpired": Card(last4="0997", is_capture_refused=True),
}
"""Each payment method that can be charged."""
