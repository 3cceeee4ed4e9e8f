"""Where a page ended, as the text that a client returns for the next one. What the bytes are is for each list to say."""

import base64
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def cursor_text(place: bytes) -> str:
    """Write a place as URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def cursor_bytes(text: str, *, length: int | None = None) -> bytes:
    """Read what `cursor_text` wrote; padding that is right does no harm.

    Raises:
        ValueError: when it is anything else, or has not `length` bytes.
    """
    try:
        place = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as fault:
        raise ValueError("a cursor is URL-safe base64") from fault
    if length is not None and len(place) != length:
        raise ValueError(f"this cursor has {length} bytes")
    return place


def instant_bytes(instant: datetime) -> bytes:
    """Write an instant as microseconds since 1970, 8 bytes, signed and big-endian."""
    return ((instant - _EPOCH) // _MICROSECOND).to_bytes(8, signed=True)


def instant_from(place: bytes) -> datetime:
    """Read what `instant_bytes` wrote.

    Raises:
        ValueError: when there is no such instant in the years 1 to 9999.
    """
    try:
        return _EPOCH + int.from_bytes(place, signed=True) * _MICROSECOND
    except OverflowError as fault:
        raise ValueError("a cursor's instant lies in the years 1 to 9999") from fault
