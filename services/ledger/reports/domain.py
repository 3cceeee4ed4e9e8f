"""Cursors: where a page ended, as opaque text of URL-safe base64."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

from libs.common.contracts.ledger_errors import QueryInvalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MICROSECOND = timedelta(microseconds=1)

_STATEMENT_BYTES = 24

_TENANT_BYTES_MAX = 256


def write_line(posted_at: datetime, version: int, until: datetime) -> str:
    """Write where a page of a statement ended, and the posting with which the whole statement ends."""
    numbers = ((posted_at - _EPOCH) // _MICROSECOND, version, (until - _EPOCH) // _MICROSECOND)
    return _written(b"".join(number.to_bytes(8, signed=True) for number in numbers))


def read_line(cursor: str) -> tuple[datetime, int, datetime]:
    """Read what `write_line` wrote: the last line's instant and version, and the first instant beyond the statement.

    Raises:
        QueryInvalid: when the cursor is not one of ours.
    """
    raw = _read(cursor)
    if len(raw) != _STATEMENT_BYTES:
        raise _not_ours()
    at, version, until = (int.from_bytes(raw[i : i + 8], signed=True) for i in (0, 8, 16))
    try:
        return _EPOCH + at * _MICROSECOND, version, _EPOCH + (until + 1) * _MICROSECOND
    except OverflowError as fault:
        raise _not_ours() from fault


def write_text(text: str) -> str:
    """Write a name after which the next page begins."""
    return _written(text.encode())


def read_text(cursor: str) -> str:
    """Read what `write_text` wrote.

    Raises:
        QueryInvalid: when the cursor is not one of ours.
    """
    raw = _read(cursor)
    try:
        if len(raw) > _TENANT_BYTES_MAX or b"\0" in raw:
            raise _not_ours()
        return raw.decode()
    except UnicodeDecodeError as fault:
        raise _not_ours() from fault


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _read(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as fault:
        raise _not_ours() from fault


def _not_ours() -> QueryInvalid:
    sentence = "cursor must be the next_cursor of an earlier page"
    return QueryInvalid(sentence, errors=(("cursor", sentence),))
