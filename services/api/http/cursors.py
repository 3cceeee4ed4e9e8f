"""Cursors: an opaque position in one list, bound to its tenant and filters.

A cursor is URL-safe base64 of 8 bytes of time (microseconds since 1970), 16 bytes of id and 8 bytes of a digest of the
tenant and the filters. It names a place between two rows, not a row, so it stays good whatever is inserted meanwhile.
"""

import base64
import binascii
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.errors import InvalidCursor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTH = 32
_MICROSECONDS_MAX = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""


class Position(msgspec.Struct, frozen=True):
    """Where a page of a list ends: lists are ordered by time and id, newest first."""

    created_at: datetime
    id: UUID


def encode_cursor(position: Position, *, tenant_id: str, filters: msgspec.Struct, purpose: bytes = b"") -> str:
    """Write the place after which the next page begins; `purpose` keeps the cursors of one list out of another."""
    micros = (position.created_at - _EPOCH) // timedelta(microseconds=1)
    raw = micros.to_bytes(8, "big") + position.id.bytes + _digest(tenant_id, filters, purpose)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(cursor: str, *, tenant_id: str, filters: msgspec.Struct, purpose: bytes = b"") -> Position:
    """Read a cursor of this very list.

    Raises:
        InvalidCursor: when it is garbage or was made for another tenant or other filters.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as fault:
        raise _foreign() from fault
    micros = int.from_bytes(raw[:8], "big")
    if len(raw) != _LENGTH or raw[24:] != _digest(tenant_id, filters, purpose) or micros > _MICROSECONDS_MAX:
        raise _foreign()
    return Position(_EPOCH + timedelta(microseconds=micros), UUID(bytes=raw[8:24]))


def _digest(tenant_id: str, filters: msgspec.Struct, purpose: bytes) -> bytes:
    return hashlib.sha256(purpose + msgspec.json.encode((tenant_id, filters))).digest()[:8]


def _foreign() -> InvalidCursor:
    sentence = "cursor does not belong to this list and its filters"
    return InvalidCursor(sentence, errors=(("cursor", sentence),))
