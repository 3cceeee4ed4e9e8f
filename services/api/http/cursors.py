"""Cursors: an opaque position in one list, bound to its tenant and filters.

A cursor has 8 bytes of time, 16 bytes of id and 8 bytes of a digest of the tenant and the filters. It names a place between two rows, not a row, so it stays good whatever is inserted meanwhile.
"""

import hashlib
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.cursors import cursor_bytes, cursor_text, instant_bytes, instant_from
from libs.common.errors import InvalidCursor

_BYTES = 32


class Position(msgspec.Struct, frozen=True):
    """Where a page of a list ends: lists are ordered by time and id, newest first."""

    created_at: datetime
    id: UUID


def encode_cursor(position: Position, *, tenant_id: str, filters: msgspec.Struct, purpose: bytes = b"") -> str:
    """Write the place after which the next page begins; `purpose` keeps the cursors of one list out of another."""
    return cursor_text(instant_bytes(position.created_at) + position.id.bytes + _digest(tenant_id, filters, purpose))


def decode_cursor(cursor: str, *, tenant_id: str, filters: msgspec.Struct, purpose: bytes = b"") -> Position:
    """Read a cursor of this very list.

    Raises:
        InvalidCursor: when it is garbage or was made for another tenant or other filters.
    """
    try:
        place = cursor_bytes(cursor, length=_BYTES)
        position = Position(instant_from(place[:8]), UUID(bytes=place[8:24]))
    except ValueError as fault:
        raise _foreign() from fault
    if place[24:] != _digest(tenant_id, filters, purpose):
        raise _foreign()
    return position


def _digest(tenant_id: str, filters: msgspec.Struct, purpose: bytes) -> bytes:
    return hashlib.sha256(purpose + msgspec.json.encode((tenant_id, filters))).digest()[:8]


def _foreign() -> InvalidCursor:
    sentence = "cursor does not belong to this list and its filters"
    return InvalidCursor(sentence, errors=(("cursor", sentence),))
