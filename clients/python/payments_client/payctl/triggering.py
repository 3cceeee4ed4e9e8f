"""Send an event of the catalogue to a receiver, signed as the platform signs."""

import base64
import copy
import hashlib
import hmac
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
import httpx
import msgspec

from payments_client.generated.examples import EVENTS
from payments_client.webhooks import secret_bytes

_SECONDS = 30.0
"""For which the receiver's answer is waited for."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a receiver has taken."""

    id: str
    type: str
    status: int
    """What the receiver answered."""
    data: dict[str, Any]


def triggered(event_type: str, *, url: str, secret: str, members: Mapping[str, str]) -> Sent:
    """Send the catalogue's example of an event, with an id and an instant of its own, and return what was sent.

    Args:
        event_type: which one.
        url: where the receiver is.
        secret: the `whsec_` with which it verifies.
        members: of the event's data, instead of the example's.

    Raises:
        click.ClickException: the event has no such member, or the receiver could not be reached or did not answer 2xx.
        ValueError: of another secret.
    """
    now, event_id = datetime.now(UTC), str(uuid.uuid4())
    event = copy.deepcopy(EVENTS[event_type])
    data: dict[str, Any] = event["data"]
    unknown = sorted(members.keys() - data.keys())
    if unknown:
        raise click.ClickException(f"{event_type} has no {', '.join(unknown)}; it has {', '.join(sorted(data))}.")
    data |= {name: _read(name, text, data[name]) for name, text in members.items()}
    event |= {"id": event_id, "timestamp": now.isoformat().replace("+00:00", "Z"), "tenant_id": data["tenant_id"]}
    data |= {"event_id": event["id"], "occurred_at": event["timestamp"]}
    body = msgspec.json.encode(event)
    headers = {"Content-Type": "application/json", **_signed(body, event_id, secret=secret)}
    headers |= {"X-Webhook-Event": event_type, "X-Webhook-Delivery-Id": str(uuid.uuid4())}
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=_SECONDS)
    except httpx.HTTPError as failed:
        raise click.ClickException(f"{url}: {failed or type(failed).__name__}") from None
    if not answer.is_success:
        raise click.ClickException(f"{url} answered {answer.status_code}.")
    return Sent(id=event_id, type=event_type, status=answer.status_code, data=data)


def _read(name: str, text: str, example: object) -> object:
    """Read a member of data as the kind of value that the example has."""
    if example is None or isinstance(example, str):
        return text
    try:
        return msgspec.convert(text, type(example), strict=False)
    except msgspec.ValidationError as wrong:
        raise click.ClickException(f"{name}: {wrong}") from None


def _signed(body: bytes, event_id: str, *, secret: str) -> dict[str, str]:
    sent_at = str(int(time.time()))
    made = hmac.digest(secret_bytes(secret), f"{event_id}.{sent_at}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
        "X-Webhook-Signature": f"sha256={hmac.digest(secret.encode(), body, hashlib.sha256).hex()}",
    }
