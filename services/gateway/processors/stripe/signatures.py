"""Is a webhook Stripe's own? The signature over the raw body, by the SDK, with every secret that is in force."""

import time
from collections.abc import Sequence

import stripe


class NotGenuine(Exception):
    """The webhook was not signed with a secret of ours, or not of now; `reason` is a word for the metric."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def verify(body: bytes, header: str, secrets: Sequence[str], *, tolerance_seconds: int) -> str:
    """Return the body as text when one of the secrets signed it, within the tolerance of now.

    The timestamp is part of what is signed, so an old message cannot be replayed with a new one
    (https://docs.stripe.com/webhooks#verify-manually).

    Raises:
        NotGenuine: `malformed`, `forged` or `stale`.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as fault:
        raise NotGenuine("malformed") from fault
    if not header.isascii() or "t=" not in header or "v1=" not in header:
        raise NotGenuine("malformed")
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, header, secret)
        except stripe.SignatureVerificationError:
            continue
        try:
            stripe.WebhookSignature.verify_header(text, header, secret, tolerance=tolerance_seconds)
        except stripe.SignatureVerificationError as fault:
            raise NotGenuine("stale") from fault
        # The SDK looks for messages that are too old only.
        if _timestamp(header) > time.time() + tolerance_seconds:
            raise NotGenuine("stale")
        return text
    raise NotGenuine("forged")


def _timestamp(header: str) -> int:
    """The time that a verified signature names: the first, as the SDK reads it."""
    return int(next(item[2:] for item in header.split(",") if item.startswith("t=")))
