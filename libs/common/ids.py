"""Identifiers: UUIDv7, minted before the write by whoever starts the work (RFC 9562, section 5.7)."""

import hashlib
from uuid import UUID

from uuid_utils.compat import uuid7

__all__ = ["derived_id", "new_id", "parse_id"]


def new_id() -> UUID:
    """Mint a UUIDv7: unique, and ordered by its time of minting, so that indexes stay compact."""
    return uuid7()


def derived_id(source: UUID, purpose: str) -> UUID:
    """Derive the one identifier that `source` always yields for `purpose`.

    Used where the same cause must lead to the same effect however often it is heard: the journal entry of a capture, the
    webhook message of an event. The time part of `source` is kept, the rest is a hash (SHA-256), so the derived
    identifiers sort like their sources.
    """
    digest = hashlib.sha256(source.bytes + purpose.encode()).digest()
    raw = bytearray(source.bytes[:6] + digest[:10])
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return UUID(bytes=bytes(raw))


def parse_id(text: str) -> UUID | None:
    """Read a UUID in its usual form of 36 characters; anything else is None."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
