"""Months, as the addresses of pages name them."""

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_DECEMBER = 12


def named_month(text: str) -> tuple[str, str] | None:
    """Return the first and the last day of a month such as `2026-11`; None for what is none."""
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= _DECEMBER or int(found[1]) < 1:
        return None
    return f"{text}-01", f"{text}-{monthrange(int(found[1]), int(found[2]))[1]:02}"


def month_around(text: str) -> tuple[str, str]:
    """Return the months before and after one."""
    first = date.fromisoformat(f"{text}-01")
    before, after = first - timedelta(days=1), first + timedelta(days=31)
    return f"{before:%Y-%m}", f"{after:%Y-%m}"


def month_of(instant: datetime, zone: ZoneInfo) -> str:
    """Return the month of an instant in a time zone."""
    return f"{instant.astimezone(zone):%Y-%m}"
