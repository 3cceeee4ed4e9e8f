"""The seal of a change, the hashes that chain them, and what is signed of where the chains end. Pure.

Written from `docs/tamper-evidence.md` alone: nothing here is shared with what seals, and whoever verifies an export needs no more.
"""

from datetime import datetime
from hashlib import sha256
from typing import Literal

import msgspec

from libs.common.evidence import ZERO_HASH, Bigint, microseconds, read_statement

CHAIN_FINDINGS_MAX = 100
"""Findings of one chain at most: the first ones show where it was changed."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a row, a link of its tenant's chain."""

    tenant_id: str
    """Whose chain; empty: of what is no tenant's."""
    sequence: int
    """Its place in the chain, from 1, without gaps."""
    subject: str
    """The table."""
    key: str
    """The row's key, as a JSON array."""
    action: str
    """INSERT, UPDATE, DELETE, or STANDING for a row that was there before changes were sealed."""
    content: str
    """The row after it, or before a DELETE, as a JSON object."""
    changed_by: str
    """The role that was logged in to the database."""
    changed_at: datetime
    """When, by the database's clock."""
    seal: bytes
    """As it was written."""
    previous: bytes
    """The hash of the change before it, as it was written."""
    hash: bytes
    """Its own, as it was written."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Where a chain ends."""

    tenant_id: str
    sequence: Bigint
    """How many changes it has."""
    hash: str
    """The hash of its last change, in hexadecimal."""


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed once a minute: where those chains end that have moved since the statement before."""

    what: Literal["api.heads.v1"] = "api.heads.v1"
    number: int
    """From 1, without gaps."""
    at: datetime
    """When, in UTC."""
    previous: str
    """SHA-256 of the statement before it, in hexadecimal; zeros before the first."""
    heads: list[Head]
    """By tenant."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was changed past the services."""

    invariant: str
    """`row_sealed`, `change_sealed`, `change_linked` or `heads_signed`."""
    tenant_id: str
    """Empty: no tenant's."""
    subject: str
    """Of what: a row, a change, a statement."""
    detail: str
    """How, as a sentence."""


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a chain, and how far it was recomputed."""

    tenant_id: str
    sequence: int
    hash: bytes
    verified: int
    verified_hash: bytes


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


def change_seal(change: Change) -> bytes:
    """Return the seal of a change, from its content alone."""
    out = bytearray()
    for text in (change.subject, change.tenant_id, change.key, change.action, change.changed_by):
        out += _text(text)
    out += microseconds(change.changed_at).to_bytes(8, signed=True) + _text(change.content)
    return sha256(out).digest()


def link_hash(*, previous: bytes, sequence: int, seal: bytes) -> bytes:
    """Return the hash of a change, the link of its chain."""
    return sha256(previous + sequence.to_bytes(8, signed=True) + seal).digest()


class Walk:
    """One chain, recomputed change by change."""

    def __init__(self, tenant_id: str, *, sequence: int = 0, last: bytes = ZERO_HASH) -> None:
        """Begin after a change that was recomputed before; without one at the begin of the chain."""
        self.tenant_id = tenant_id
        self.sequence = sequence
        self.hash = last
        self.findings: list[Finding] = []

    def add(self, change: Change) -> None:
        """Recompute the next change."""
        row = f"the change of {change.subject} {change.key}"
        if change.sequence > self.sequence + 1:
            detail = f"the changes from here to {change.sequence - 1} are missing from their chain"
            self._found("change_linked", self.sequence + 1, detail)
        elif change.previous != self.hash:
            self._found("change_linked", change.sequence, f"{row} does not follow from the one before it")
        if change_seal(change) != change.seal:
            self._found("change_sealed", change.sequence, f"{row} is not as it was sealed")
        elif link_hash(previous=change.previous, sequence=change.sequence, seal=change.seal) != change.hash:
            self._found("change_linked", change.sequence, f"{row} was added, moved or rewritten")
        self.sequence, self.hash = change.sequence, change.hash

    def end(self, sequence: int, last: bytes) -> None:
        """Compare the last change with the head of the chain."""
        if (self.sequence, self.hash) != (sequence, last):
            detail = f"the chain ends at change {self.sequence}, its head is at {sequence}"
            self._found("change_linked", "head", detail)

    def _found(self, invariant: str, place: int | str, detail: str) -> None:
        if len(self.findings) < CHAIN_FINDINGS_MAX:
            subject = f"changes {place}"
            self.findings.append(Finding(invariant=invariant, tenant_id=self.tenant_id, subject=subject, detail=detail))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(4) + encoded
