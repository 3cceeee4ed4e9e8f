"""The headers by which a merchant verifies a webhook.

Two schemes travel side by side, each over exactly the bytes of the body:

- Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>`, an HMAC-SHA256 over
  `id.timestamp.body` keyed with the bytes behind `whsec_`. A replayed request is recognised by its timestamp. An endpoint
  that has a signing key is also signed `v1a,<base64>`: ed25519 over the same bytes, verified with its public `whpk_` key,
  so that whoever verifies cannot sign.
- `X-Webhook-Signature: sha256=<hex>`, an HMAC-SHA256 over the body alone keyed with the secret as it was shown,
  `whsec_` included, with `X-Webhook-Event` and `X-Webhook-Delivery-Id`.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PREFIX = "whsec_"
_SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""

_PRIVATE_PREFIX = "whsk_"
_PUBLIC_PREFIX = "whpk_"

SIGNED_HEADERS = frozenset(
    {
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "x-webhook-signature",
        "x-webhook-event",
        "x-webhook-delivery-id",
    }
)
"""Every header that signing sets, in lower case; nothing else may set them."""


def new_secret() -> str:
    """Mint a signing secret: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def new_signing_key() -> tuple[str, str]:
    """Mint an ed25519 key pair: the private key behind `whsk_`, the public one behind `whpk_`, in base64."""
    key = Ed25519PrivateKey.generate()
    return (
        _PRIVATE_PREFIX + base64.b64encode(key.private_bytes_raw()).decode(),
        _PUBLIC_PREFIX + base64.b64encode(key.public_key().public_bytes_raw()).decode(),
    )


def signed_headers(
    *,
    signing_secrets: Sequence[str],
    event_id: UUID,
    event_type: str,
    delivery_id: UUID,
    body: bytes,
    sent_at: datetime,
) -> dict[str, str]:
    """Sign one attempt with every valid secret, the newest first; several are valid while a secret rotates.

    Each is a `whsec_` secret, followed by a blank and a `whsk_` key where the endpoint has one.
    `X-Webhook-Signature` holds one signature only, so it is the oldest secret's: while a secret rotates, whoever verifies
    by it goes on with the secret they have, and changes to the new one when the overlap ends.
    """
    timestamp = str(int(sent_at.timestamp()))
    content = f"{event_id}.{timestamp}.".encode() + body
    keys = [key for held in signing_secrets for key in held.split(" ")]
    oldest = signing_secrets[-1].split(" ")[0]
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_sign(key, content) for key in keys),
        "X-Webhook-Signature": "sha256=" + hmac.digest(oldest.encode(), body, hashlib.sha256).hex(),
        "X-Webhook-Event": event_type,
        "X-Webhook-Delivery-Id": str(delivery_id),
    }


def _sign(held: str, content: bytes) -> str:
    if held.startswith(_PRIVATE_PREFIX):
        private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(held.removeprefix(_PRIVATE_PREFIX)))
        return "v1a," + base64.b64encode(private.sign(content)).decode()
    key = base64.b64decode(held.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
