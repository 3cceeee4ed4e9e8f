"""Pages of lists that are ordered by an instant and an id: how long one may be, and where it ended. Pure."""

from datetime import datetime
from uuid import UUID

from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.cursors import cursor_bytes, cursor_text, instant_bytes, instant_from

_BYTES = 24


def checked_limit(limit: int, most: int) -> int:
    """Return how many items a page may have.

    Raises:
        QueryInvalid: when that is not 1 to `most`.
    """
    if not 1 <= limit <= most:
        sentence = f"limit must be 1 to {most}"
        raise QueryInvalid(sentence, errors=(("limit", sentence),))
    return limit


def write_cursor(posted_at: datetime, entry_id: UUID) -> str:
    """Write where a page ended: the instant of record and the entry's id."""
    return cursor_text(instant_bytes(posted_at) + entry_id.bytes)


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Read where the page before ended.

    Raises:
        QueryInvalid: when the cursor is not one of ours.
    """
    try:
        place = cursor_bytes(cursor, length=_BYTES)
        return instant_from(place[:8]), UUID(bytes=place[8:])
    except ValueError as fault:
        sentence = "cursor must be the next_cursor of an earlier page"
        raise QueryInvalid(sentence, errors=(("/cursor", sentence),)) from fault
