"""The canonical bytes of what is sealed, the hashes that chain it, and what is signed of where chains end. Pure.

Written from `docs/tamper-evidence.md` alone: nothing here is shared with what seals, and it is all that whoever verifies an
export needs.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, Protocol

import msgspec

from libs.common.evidence import Bigint, Smallint, microseconds, read_statement


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


def _number(value: int) -> bytes:
    return value.to_bytes(8, signed=True)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(4) + encoded


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Where a chain ends."""

    chain: Smallint
    sequence: Bigint
    """How many groups it has."""
    hash: str
    """The hash of its last group, in hexadecimal."""


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed once a minute: where every chain ends."""

    what: Literal["ledger.heads.v1"] = "ledger.heads.v1"
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


_heads = msgspec.json.Decoder(Heads)


def read_heads(statement: str) -> Heads:
    """Read a statement.

    Raises:
        msgspec.DecodeError: when it is none.
    """
    return read_statement(_heads, statement)


def write_heads(heads: Heads) -> str:
    """Write a statement as it is signed."""
    return msgspec.json.encode(heads).decode()
