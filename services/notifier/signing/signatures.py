"""The headers by which a merchant verifies a webhook.

Two schemes travel side by side, each over exactly the bytes of the body:

- Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>`, an HMAC-SHA256 over
  `id.timestamp.body` keyed with the bytes behind `whsec_`. A replayed request is recognised by its timestamp.
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

_PREFIX = "whsec_"
_SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""

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

    `X-Webhook-Signature` holds one signature only, so it is the newest secret's.
    """
    timestamp = str(int(sent_at.timestamp()))
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(
            _sign_v1(secret, f"{event_id}.{timestamp}.".encode() + body) for secret in signing_secrets
        ),
        "X-Webhook-Signature": "sha256=" + hmac.digest(signing_secrets[0].encode(), body, hashlib.sha256).hex(),
        "X-Webhook-Event": event_type,
        "X-Webhook-Delivery-Id": str(delivery_id),
    }


def _sign_v1(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
