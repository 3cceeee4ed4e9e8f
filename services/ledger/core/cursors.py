"""Cursors of lists that are ordered by an instant and an id. Pure."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from libs.common.contracts.ledger_errors import QueryInvalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MICROSECOND = timedelta(microseconds=1)


def write_cursor(posted_at: datetime, entry_id: UUID) -> str:
    """Write where a page ended: microseconds since 1970 and the entry's id, 24 bytes in URL-safe base64."""
    microseconds = (posted_at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(microseconds.to_bytes(8, signed=True) + entry_id.bytes).decode()


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Read where the page before ended.

    Raises:
        QueryInvalid: when the cursor is not one of ours.
    """
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        if len(raw) != 24:
            raise ValueError("a cursor has 24 bytes")
        return _EPOCH + int.from_bytes(raw[:8], signed=True) * _MICROSECOND, UUID(bytes=raw[8:])
    except (ValueError, OverflowError, binascii.Error) as fault:
        sentence = "cursor must be the next_cursor of an earlier page"
        raise QueryInvalid(sentence, errors=(("/cursor", sentence),)) from fault
