"""The canonical bytes of what is sealed, the hashes that chain it, and the statements that are signed of where chains end. Pure.

Written from `docs/tamper-evidence.md` alone: nothing here is shared with what seals, and it is all that whoever verifies an
export needs.
"""

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

ZERO_HASH = bytes(32)
"""What the first group of a chain follows."""

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class Row(Protocol):
    """A row by the names of its columns, from the database or from an export."""

    def __getitem__(self, name: str, /) -> Any: ...


def entry_seal(entry: Row, lines: Sequence[Row]) -> bytes:
    """Return the seal of an entry and its postings, from the rows alone."""
    out = bytearray()
    for word in (entry["tenant_id"].encode(), entry["id"], entry["kind"].encode()):
        if isinstance(word, bytes):
            out += len(word).to_bytes(2) + word
        else:
            out += word.bytes
    for link in (entry["payment_intent_id"], entry["source_event_id"], entry["reverses"]):
        out += b"\x00" if link is None else b"\x01" + link.bytes
    for instant in (entry["occurred_at"], entry["effective_at"], entry["posted_at"]):
        out += _number(microseconds(instant))
    out += entry["digest"] + entry["line_count"].to_bytes(2)
    for line in lines:
        out += line["account_id"].bytes + line["currency"].encode() + line["side"].encode()[:1]
        for name in ("amount_minor", "version", "debits_after_minor", "credits_after_minor"):
            out += _number(line[name])
        # Where a line repeats what its entry has, a difference is a change as well.
        if line["posted_at"] != entry["posted_at"] or line["effective_at"] != entry["effective_at"]:
            out += b"not as its entry has it"
    return sha256(out).digest()


def change_seal(change: Row) -> bytes:
    """Return the seal of a change of a row."""
    out = bytearray()
    for name in ("subject", "tenant_id", "key"):
        out += _text(change[name])
    out += change["action"].encode() + _number(microseconds(change["changed_at"])) + _text(change["content"])
    return sha256(out).digest()


def group_hash(*, previous: bytes, chain: int, sequence: int, count: int, seals: Sequence[bytes]) -> bytes:
    """Return the hash of a group of entries or of changes, the link of its chain."""
    return sha256(
        previous
        + chain.to_bytes(2, signed=True)
        + sequence.to_bytes(8, signed=True)
        + count.to_bytes(4, signed=True)
        + b"".join(seals)
    ).digest()


def microseconds(instant: datetime) -> int:
    """Count the microseconds since 1970."""
    passed = instant - _ZERO
    return passed.days * 86_400_000_000 + passed.seconds * 1_000_000 + passed.microseconds


def _number(value: int) -> bytes:
    return value.to_bytes(8, signed=True)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(4) + encoded


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Where a chain ends."""

    chain: int
    sequence: int
    """How many groups it has."""
    hash: str
    """The hash of its last group, in hexadecimal."""


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed once a minute: where every chain ends."""

    what: str = "ledger.heads.v1"
    number: int
    """From 1, without gaps."""
    at: datetime
    """When, in UTC."""
    previous: str
    """SHA-256 of the statement before it, in hexadecimal; zeros before the first."""
    entries: list[Head]
    """The chains of entries."""
    changes: list[Head]
    """The chains of what else changes."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A statement and its signatures: a line of the file, and of an export."""

    number: int
    statement: str
    """`Heads` as JSON, byte by byte as it was signed."""
    signatures: dict[str, str]
    """The Ed25519 signature by each key, in base64, by the key's id."""

    @property
    def sha256(self) -> str:
        """What the next statement names as its previous one."""
        return sha256(self.statement.encode()).hexdigest()


_heads = msgspec.json.Decoder(Heads)


def read_heads(statement: str) -> Heads:
    """Read a statement."""
    return _heads.decode(statement)


def write_heads(heads: Heads) -> str:
    """Write a statement as it is signed."""
    return msgspec.json.encode(heads).decode()


class SignedChain:
    """Statements one after the other: each has to follow from the one before it, and to be signed by a key that is known."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = keys
        self._previous = ZERO_HASH.hex()
        self._number = 0
        self.trusted = 0
        """The number of the last statement that a known key has signed; it vouches for all before it."""

    def faults(self, signed: Signed) -> list[str]:
        """Return what is wrong with the next statement; one sentence each."""
        found = []
        try:
            heads = read_heads(signed.statement)
        except msgspec.DecodeError:
            return ["the statement cannot be read"]
        if (heads.number, signed.number) != (self._number + 1, self._number + 1):
            found.append(f"a statement is missing or was added: it follows number {self._number}")
        if heads.previous != self._previous:
            found.append("the statement does not follow from the one before it")
        for key_id, signature in signed.signatures.items():
            key = self._keys.get(key_id)
            if key is None:
                continue
            try:
                key.verify(b64decode(signature, validate=True), signed.statement.encode())
            except (InvalidSignature, ValueError):
                found.append(f"the signature by the key {key_id} is invalid")
            else:
                self.trusted = signed.number
        self._number, self._previous = signed.number, signed.sha256
        return found

    @property
    def is_trusted(self) -> bool:
        """Whether a known key has signed the last statement; without keys nothing is."""
        return self._number == self.trusted


def key_id(key: Ed25519PublicKey) -> str:
    """Name a key by the first 16 digits of the SHA-256 of its 32 bytes."""
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def read_public_keys(pem: str) -> dict[str, Ed25519PublicKey]:
    """Read public keys in PEM, one after another.

    Raises:
        ValueError: when one is no Ed25519 key.
    """
    found = {}
    for block in _PEM.findall(pem):
        try:
            key = load_pem_public_key(block.encode())
        except ValueError as fault:
            raise ValueError("must be PEM of Ed25519 public keys") from fault
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("must be PEM of Ed25519 public keys")
        found[key_id(key)] = key
    if pem.strip() and not found:
        raise ValueError("must be PEM of Ed25519 public keys")
    return found
