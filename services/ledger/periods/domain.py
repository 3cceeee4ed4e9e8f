"""The days of a tenant's calendar. Pure."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from libs.common.contracts.ledger_errors import CalendarInvalid

_LENGTH_MAX = 64


def zone_named(name: str) -> ZoneInfo:
    """Find a time zone by its IANA name.

    Raises:
        CalendarInvalid: when there is none.
    """
    try:
        if not 1 <= len(name) <= _LENGTH_MAX:
            raise ZoneInfoNotFoundError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
        sentence = "zone must be the name of an IANA time zone: America/Sao_Paulo"
        raise CalendarInvalid(sentence, errors=(("/zone", sentence),)) from fault


def beginning_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a day begins, in UTC.

    Where the clocks skip midnight it begins with the change, and where they repeat it, with the first of the two.
    """
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def begins_a_day(instant: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a day begins at an instant; none does where the zone's calendar leaves the years 1 to 9999."""
    try:
        return beginning_of(instant.astimezone(zone).date(), zone) == instant
    except OverflowError:
        return False
