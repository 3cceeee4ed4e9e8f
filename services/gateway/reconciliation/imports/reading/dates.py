"""Days and instants of files: a day is what the file calls it, an instant is in UTC."""

import calendar
import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.gateway.reconciliation.imports.domain import FileRefused, Wrong

_EXCEL_BEGIN = dt.date(1899, 12, 30)
"""Day 0 of spreadsheets, shifted by the 29 February 1900 that they count and that never was."""
_EXCEL = re.compile(r"([0-9]{4,6})(?:[.,]([0-9]{1,15}))?(?!\n)$", re.ASCII)
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)?)?\s?(Z|UTC|[+-][0-9]{2}:?[0-9]{2})?(?!\n)$",
    re.ASCII,
)
_MIDNIGHT = re.compile(r"(.*?)(?<![0-9:])24:00(:00)?(?!\n)$", re.DOTALL)
_YEARS = range(1970, 2200)


@lru_cache(maxsize=64)
def zone(name: str) -> dt.tzinfo:
    """Look up a zone of the IANA database.

    Raises:
        FileRefused: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise FileRefused(f"the source names a time zone that is unknown: {name[:60]}") from unknown


def make_date(year: int, month: int, day: int, *, text: str, column: str = "") -> dt.date:
    """Make a day. The 29th and 30th of February, which banks that count 30 days a month write, are its last one.

    Raises:
        Wrong: there is no such day.
    """
    if month == 2 and day in (29, 30) and year in _YEARS:
        day = calendar.monthrange(year, 2)[1]
    try:
        if year not in _YEARS:
            raise ValueError
        return dt.date(year, month, day)
    except ValueError:
        raise Wrong(f"{text[:30]!r} is no date", column=column) from None


def to_utc(local: dt.datetime, where: dt.tzinfo) -> dt.datetime:
    """Read a local time as an instant; of the hour that exists twice it is the first."""
    return local.replace(tzinfo=where).astimezone(dt.UTC)


@lru_cache(maxsize=4096)
def read_iso(text: str, where: dt.tzinfo, column: str = "") -> tuple[dt.date, dt.datetime | None]:
    """Read `2026-01-31`, with or without a time and an offset: the day as it is written, and the instant if there is one.

    Raises:
        Wrong: it is none.
    """
    match = _ISO.match(text.strip())
    if match is None:
        raise Wrong(f"{text[:30]!r} is no date such as 2026-01-31 or 2026-01-31 14:30:00", column=column)
    day = make_date(int(match[1]), int(match[2]), int(match[3]), text=text, column=column)
    if match[4] is None:
        return day, None
    return day, _instant(
        day, (int(match[4]), int(match[5]), int(match[6] or 0)), _offset(match[7]) or where, text, column
    )


def _offset(text: str | None) -> dt.tzinfo | None:
    if not text:
        return None
    if text in ("Z", "UTC"):
        return dt.UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return dt.timezone(dt.timedelta(minutes=min(minutes, 1439)) * (-1 if text[0] == "-" else 1))


def _instant(day: dt.date, clock: tuple[int, int, int], where: dt.tzinfo, text: str, column: str) -> dt.datetime:
    hour, minute, second = clock
    later = dt.timedelta(0)
    if (hour, minute, second) == (24, 0, 0):
        hour, later = 0, dt.timedelta(days=1)
    if second == 60:  # A leap second, which no clock of ours has.
        second, later = 59, dt.timedelta(seconds=1)
    try:
        return to_utc(dt.datetime.combine(day, dt.time(hour, minute, second)) + later, where)
    except ValueError:
        raise Wrong(f"{text[:30]!r} is no time", column=column) from None


def read_offset_time(day: dt.date, digits: str, offset: dt.tzinfo, *, text: str, column: str = "") -> dt.datetime:
    """Read `hhmm` or `hhmmss` of a day as an instant.

    Raises:
        Wrong: there is no such time.
    """
    padded = digits.ljust(6, "0")
    return _instant(day, (int(padded[:2]), int(padded[2:4]), int(padded[4:6])), offset, text, column)


@lru_cache(maxsize=4096)
def read_formatted(text: str, form: str, where: dt.tzinfo, column: str = "") -> tuple[dt.date, dt.datetime | None]:
    """Read a day, or day and time, in a form of `strptime` or as a spreadsheet's number.

    Raises:
        Wrong: it is none.
    """
    stripped = text.strip()
    if form == "excel":
        return _read_excel(stripped, where, column)
    later = dt.timedelta(0)
    midnight = _MIDNIGHT.match(stripped)
    if midnight is not None:
        stripped, later = f"{midnight[1]}00:00{midnight[2] or ''}", dt.timedelta(days=1)
    try:
        parsed = dt.datetime.strptime(stripped, form)  # noqa: DTZ007 - its zone is the source's, below.
    except ValueError:
        raise Wrong(f"{text[:30]!r} is no date in the form {form}", column=column) from None
    day = make_date(parsed.year, parsed.month, parsed.day, text=text, column=column)
    if "%H" not in form and "%I" not in form:
        return day, None
    return day, (parsed + later).astimezone(dt.UTC) if parsed.tzinfo else to_utc(parsed + later, where)


def _read_excel(text: str, where: dt.tzinfo, column: str) -> tuple[dt.date, dt.datetime | None]:
    match = _EXCEL.match(text)
    if match is None:
        raise Wrong(f"{text[:30]!r} is no day of a spreadsheet, such as 46354", column=column)
    day = _EXCEL_BEGIN + dt.timedelta(days=int(match[1]))
    make_date(day.year, day.month, day.day, text=text, column=column)
    if not match[2]:
        return day, None
    seconds = round(int(match[2]) * 86_400 / 10 ** len(match[2]))
    return day, to_utc(dt.datetime.combine(day, dt.time()) + dt.timedelta(seconds=seconds), where)


def nearest(month: int, day: int, to: dt.date, *, text: str, column: str = "") -> dt.date:
    """Find the year of a day that is written without one: the one in which it is nearest to `to`.

    Raises:
        Wrong: there is no such day in any of them.
    """
    found: list[dt.date] = []
    for year in (to.year - 1, to.year, to.year + 1):
        try:
            found.append(make_date(year, month, day, text=text, column=column))
        except Wrong:
            continue
    if not found:
        raise Wrong(f"{text[:30]!r} is no date", column=column)
    return min(found, key=lambda candidate: abs(candidate - to))
