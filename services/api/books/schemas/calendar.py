"""The calendar of the books, as clients write and see it."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger_calendar import Calendar


class SetCalendarBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By which calendar the books are to be kept."""

    zone: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=64,
            description="IANA time zone whose midnights end the tenant's periods.",
            examples=["America/Sao_Paulo"],
        ),
    ]


class CalendarBody(msgspec.Struct, frozen=True, kw_only=True):
    """By which calendar the books are kept."""

    zone: Annotated[str, msgspec.Meta(description="IANA time zone; `UTC` where none was chosen.")]
    changed_at: str | None
    changed_by: str | None


def calendar_body(calendar: Calendar) -> CalendarBody:
    """Show a calendar as clients see it."""
    return CalendarBody(
        zone=calendar.zone,
        changed_at=None if calendar.changed_at is None else iso(calendar.changed_at),
        changed_by=calendar.changed_by,
    )
