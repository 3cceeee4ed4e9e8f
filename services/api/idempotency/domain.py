"""What an idempotency key is: which request holds it, what that was, and what it was answered."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

_KEY = re.compile(r"[!-~]{1,255}\Z")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"\Z')
_DECIMAL = re.compile(r"(0|[1-9]\d{0,400})(\.\d{1,400})?\Z", re.ASCII)
_VERSION = b"\x02"
"""How a fingerprint is made; the first version had no such byte, so that the two never meet."""
_INTEGER_DIGITS_MAX = 30
"""The greatest power of ten with which a number is written out as a whole one."""


class Answer(msgspec.Struct, frozen=True):
    """What the client receives: a status and a JSON body, kept exactly."""

    status: int
    body: bytes


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is to be the one that takes effect under a key."""

    tenant_id: str
    """Whose key."""
    operation: str
    """What is requested: `create`, or `confirm:<intent id>`."""
    key: str
    """The client's key, normalised."""
    fingerprint: bytes
    """A digest of what the client sent."""
    fingerprint_earlier: bytes
    """The same as version 0.1 made it, which may still stand in a row."""
    claimed_at: datetime
    """Now."""
    lease_until: datetime
    """Until then the first request is taken to be in progress."""
    expires_at: datetime
    """From then on the key is free again."""


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer for whoever waits under a key about something: an intent, or a refund."""

    tenant_id: str
    """Whose key."""
    subject_id: UUID
    """What it is about."""
    answer: Answer
    """What is answered."""
    version: int
    """The version of the payment that it shows."""

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.answer.status

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return self.answer.body


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered under a key."""

    fingerprint: bytes
    """SHA-256 of the request that came first."""
    answer: Answer | None
    """What it was answered; None while it is in progress."""
    lease_until: datetime
    """Until then the first request is taken to be in progress."""
    expires_at: datetime
    """From then on the key counts as never used."""


class Given(msgspec.Struct, frozen=True):
    """An answer, and whether it is a repetition."""

    answer: Answer
    replayed: bool


def normalise_key(header: str | None) -> str | None:
    """Read an `Idempotency-Key`: bare, or quoted as the IETF draft writes it; both name the same key.

    None when it is missing or not 1 to 255 visible ASCII characters.
    """
    if header is None:
        return None
    text = header.strip()
    quoted = _QUOTED.match(text)
    if quoted:
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    return text if _KEY.match(text) else None


def fingerprint(operation: str, body: bytes) -> bytes:
    """Digest what the client sent: a version and the SHA-256 of the operation with its path, and of the canonical body.

    Made of the members that were sent, not of what we read them into: a member that a later version of ours reads too
    does not change the fingerprint of a request that is repeated. An absent body is as an empty object.
    """
    return _VERSION + hashlib.sha256(operation.encode() + b"\n" + canonical(body)).digest()


def canonical(body: bytes) -> bytes:
    """Write a JSON body in one form: members sorted, strings unescaped, numbers exact; what is not JSON stays as it is.

    An `amount` may be sent as a number or as a numeric string; both are the same.
    """
    text = body.strip()
    if not text:
        return b"{}"
    try:
        read = _decoder.decode(text)
        if isinstance(read, dict) and isinstance(amount := read.get("amount"), str) and _DECIMAL.match(amount):
            read["amount"] = _exact(amount)
        return _encoder.encode(read)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ArithmeticError, ValueError):
        # Where the body is read, this was refused before; elsewhere nobody reads it.
        return text


def _exact(text: str) -> int | Decimal:
    # 1e2, 100.0 and 100 are one number. Never by arithmetic, which would round what is long.
    if _DECIMAL.match(text):
        number = text.rstrip("0") if "." in text else text
        number = number.removesuffix(".")
        return Decimal(number) if "." in number or len(number) > _INTEGER_DIGITS_MAX else int(number)
    sign, digits, power = Decimal(text).as_tuple()
    assert isinstance(power, int), "JSON has no infinity"
    while len(digits) > 1 and digits[-1] == 0:
        digits, power = digits[:-1], power + 1
    exact = Decimal((sign, digits, power))
    return int(exact) if 0 <= power <= _INTEGER_DIGITS_MAX else exact


_decoder = msgspec.json.Decoder(float_hook=_exact)
_encoder = msgspec.json.Encoder(order="sorted", decimal_format="number")


def earlier_fingerprint(operation: str, meaning: Mapping[str, object] | msgspec.Struct | None) -> bytes:
    """Digest a request as version 0.1 did: for keys that it has stored, until they expire."""
    return hashlib.sha256(operation.encode() + b"\n" + msgspec.json.encode(meaning, order="sorted")).digest()
