"""Cursors: where a page ended."""

from datetime import datetime, timedelta

from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.cursors import cursor_bytes, cursor_text, instant_bytes, instant_from

_MICROSECOND = timedelta(microseconds=1)

_STATEMENT_BYTES = 24

_TENANT_BYTES_MAX = 256


def write_line(posted_at: datetime, version: int, until: datetime) -> str:
    """Write where a page of a statement ended, and the posting with which the whole statement ends."""
    return cursor_text(instant_bytes(posted_at) + version.to_bytes(8, signed=True) + instant_bytes(until))


def read_line(cursor: str) -> tuple[datetime, int, datetime]:
    """Read what `write_line` wrote: the last line's instant and version, and the first instant beyond the statement.

    Raises:
        QueryInvalid: when the cursor is not one of ours.
    """
    try:
        place = cursor_bytes(cursor, length=_STATEMENT_BYTES)
        version = int.from_bytes(place[8:16], signed=True)
        return instant_from(place[:8]), version, instant_from(place[16:]) + _MICROSECOND
    except (ValueError, OverflowError) as fault:
        raise _not_ours() from fault


def write_text(text: str) -> str:
    """Write a name after which the next page begins."""
    return cursor_text(text.encode())


def read_text(cursor: str) -> str:
    """Read what `write_text` wrote.

    Raises:
        QueryInvalid: when the cursor is not one of ours.
    """
    try:
        text = cursor_bytes(cursor).decode()
    except ValueError as fault:
        raise _not_ours() from fault
    if len(text.encode()) > _TENANT_BYTES_MAX or "\0" in text:
        raise _not_ours()
    return text


def _not_ours() -> QueryInvalid:
    sentence = "cursor must be the next_cursor of an earlier page"
    return QueryInvalid(sentence, errors=(("cursor", sentence),))
