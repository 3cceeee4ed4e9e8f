"""Webhooks: verify what came before anything of it is trusted."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from payments_client.problems import PaymentsError

_SECRET = "whsec_"  # noqa: S105 - the beginning of one
_PUBLIC = "whpk_"
TOLERANCE_SECONDS = 300.0
"""How far the time of a webhook may be from ours."""


class WebhookRejected(PaymentsError):
    """What came is not signed by the platform, is too old, or is no event: answer 400, and do nothing."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event, as it is delivered."""

    id: str
    """The same in every delivery of the event: keep it, so that none counts twice."""
    type: str
    timestamp: str
    version: int
    tenant_id: str
    data: dict[str, Any]


def read_data[T](event: Event, kind: type[T]) -> T:
    """Return the data of an event as one of `payments_client.models`.

    Raises:
        WebhookRejected: when it is something else.
    """
    try:
        return msgspec.convert(event.data, kind)
    except msgspec.ValidationError as error:
        raise WebhookRejected(f"the data of {event.type} is no {kind.__name__}: {error}") from error


class Webhook:
    """Verifies the webhooks of one endpoint."""

    def __init__(
        self,
        keys: str | Iterable[str],
        *,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take what verifies: the `whsec_` secret, or the `whpk_` key; several while a secret rotates.

        Raises:
            ValueError: of anything else.
        """
        self._keys = [_key(each) for each in ([keys] if isinstance(keys, str) else keys)]
        if not self._keys:
            raise ValueError("no key")
        self._tolerance = tolerance_seconds
        self._now = now

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Return the event of a request whose signature holds; `body` are its raw bytes.

        Raises:
            WebhookRejected: otherwise.
        """
        named = {name.lower(): value for name, value in headers.items()}
        try:
            event_id, sent_at, signed = (named[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        except KeyError as missing:
            raise WebhookRejected(f"the header {missing} is missing") from missing
        if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) < 16):
            raise WebhookRejected("webhook-timestamp is no instant")
        if abs(self._now() - int(sent_at)) > self._tolerance:
            raise WebhookRejected("it was signed too long ago, or the clocks differ")
        content = f"{event_id}.{sent_at}.".encode() + body
        if not any(verifies(content, signature) for signature in signed.split(" ") for verifies in self._keys):
            raise WebhookRejected("no signature holds")
        try:
            event = msgspec.json.decode(body, type=Event)
        except msgspec.MsgspecError as error:
            raise WebhookRejected(f"the body is no event: {error}") from error
        if event.id != event_id:
            raise WebhookRejected("webhook-id is not that of the body")
        return event


def secret_bytes(secret: str) -> bytes:
    """Return what a `whsec_` secret signs with.

    Raises:
        ValueError: of anything else.
    """
    try:
        raw = base64.b64decode(secret.removeprefix(_SECRET), validate=True)
    except binascii.Error as error:
        raise ValueError("a secret is whsec_ and base64") from error
    if not secret.startswith(_SECRET) or not raw:
        raise ValueError("a secret is whsec_ and base64")
    return raw


def _key(key: str) -> Callable[[bytes, str], bool]:
    """Return what says whether a signature of some bytes is made with a key."""
    prefix = next((each for each in (_SECRET, _PUBLIC) if key.startswith(each)), "")
    try:
        raw = base64.b64decode(key.removeprefix(prefix), validate=True)
    except binascii.Error as error:
        raise ValueError("a key is whsec_ or whpk_ and base64") from error
    if prefix == _SECRET and raw:
        return lambda content, signature: hmac.compare_digest(
            signature.encode(errors="replace"), b"v1," + base64.b64encode(hmac.digest(raw, content, hashlib.sha256))
        )
    if prefix == _PUBLIC:
        return _ed25519(raw)
    raise ValueError("a key is whsec_ or whpk_ and base64")


def _ed25519(raw: bytes) -> Callable[[bytes, str], bool]:
    # Only whoever verifies by a public key needs this library: `payments-client[ed25519]`.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = Ed25519PublicKey.from_public_bytes(raw)

    def verifies(content: bytes, signature: str) -> bool:
        scheme, _, made = signature.partition(",")
        if scheme != "v1a":
            return False
        try:
            public.verify(base64.b64decode(made), content)
        except (InvalidSignature, ValueError):
            return False
        return True

    return verifies
