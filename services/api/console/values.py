"""Amounts, instants and words as people read them, in their language and time zone."""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import msgspec
from babel.dates import format_date, format_datetime
from babel.numbers import format_compact_decimal, format_currency, format_decimal, format_percent

from libs.common.money import currency as known_currency
from services.api.console.visits import Preferences

GOOD = frozenset(
    [
        "SETTLED",
        "CAPTURED",
        "SUCCEEDED",
        "succeeded",
        "active",
        "ACTIVE",
        "delivered",
        "DELIVERED",
        "approved",
        "APPROVED",
        "matched",
        "resolved",
        "RESOLVED",
        "COMPLETED",
        "complete",
        "completed",
        "done",
        "WON",
        "won",
        "ok",
        "success",
        "allow",
        "captured",
        "imported",
        "IMPORTED",
        "ended",
        "enabled",
    ]
)
"""Words of states that need nobody."""
BAD = frozenset(
    [
        "FAILED",
        "failed",
        "DECLINED",
        "declined",
        "dead",
        "DEAD",
        "rejected",
        "REJECTED",
        "suspended",
        "SUSPENDED",
        "deleted",
        "DELETED",
        "LOST",
        "lost",
        "open",
        "OPEN",
        "denied",
        "error",
        "disabled",
        "DISABLED",
        "UNKNOWN",
        "unknown",
        "deny",
        "reopened",
        "REOPENED",
        "cancelled_by_operator",
    ]
)
"""Words of states that somebody should look at."""
WAITING = frozenset(
    [
        "PROCESSING",
        "REQUIRES_ACTION",
        "AUTHORIZED",
        "CAPTURING",
        "VOIDING",
        "PENDING",
        "pending",
        "held",
        "HELD",
        "assigned",
        "ASSIGNED",
        "requested",
        "running",
        "RUNNING",
        "receiving",
        "waiting",
        "degraded",
        "paused",
    ]
)
"""Words of states that change by themselves."""


_DIGITS_MAX = 100
"""Digits of a number with which it is written as people write it; a longer one is shown as it is."""


class Formats:
    """How one reader sees values."""

    def __init__(self, preferences: Preferences) -> None:
        self._locale = preferences.language.locale
        self._zone = preferences.zone

    def money(self, amount: Any, code: Any) -> str:
        """Return an amount of the API, a decimal in a text, with its currency; exactly, whatever its decimals."""
        number = _decimal(amount)
        if number is None:
            return "" if amount is None else str(amount)
        if not code:
            return self.number(number)
        try:
            with localcontext(prec=_DIGITS_MAX):
                return format_currency(
                    number, str(code), locale=self._locale, currency_digits=True, decimal_quantization=False
                )
        except InvalidOperation:
            return f"{amount} {code}"

    def minor(self, amount: int, code: str) -> str:
        """Return an amount in minor units with its currency."""
        return self.money(Decimal(amount).scaleb(-known_currency(code).exponent), code)

    def number(self, value: Any) -> str:
        """Return a number with the reader's separators."""
        number = _decimal(value)
        if number is None or abs(number.adjusted()) > _DIGITS_MAX:
            return str(value)
        return format_decimal(number, locale=self._locale, decimal_quantization=False)

    def short(self, value: Any) -> str:
        """Return a number in few characters, for the axis of a chart."""
        return format_compact_decimal(float(value), locale=self._locale, fraction_digits=1)

    def percent(self, part: Decimal | None) -> str:
        """Return a part of one as a percentage; a dash where there is none."""
        return "–" if part is None else format_percent(part, "#,##0.#%", locale=self._locale)

    def change(self, value: Decimal, unit: str) -> str:
        """Return by how much something has changed, with its sign, in `%` or in percentage points (`pp`)."""
        sign = "+" if value > 0 else "−" if value < 0 else "±"
        return f"{sign}{format_decimal(abs(value), '#,##0.#', locale=self._locale)} {unit}"

    def period(self, start: datetime, pattern: str) -> str:
        """Return where a period begins, as a pattern of the CLDR writes it."""
        return format_datetime(start, pattern, tzinfo=self._zone, locale=self._locale)

    def time(self, value: Any) -> str:
        """Return an instant of the API in the reader's time zone, or a day as it is."""
        instant = _instant(value)
        if isinstance(instant, datetime):
            return format_datetime(instant, "d MMM y, HH:mm:ss", tzinfo=self._zone, locale=self._locale)
        if isinstance(instant, date):
            return format_date(instant, "medium", locale=self._locale)
        return "" if value is None else str(value)

    def clock(self, value: Any) -> str:
        """Return the time of day of an instant, with milliseconds."""
        instant = _instant(value)
        if not isinstance(instant, datetime):
            return ""
        return format_datetime(instant, "HH:mm:ss.SSS", tzinfo=self._zone, locale=self._locale)

    @property
    def zone(self) -> str:
        """The name of the reader's time zone."""
        return self._zone.key


def tone(word: Any) -> str:
    """Return which colour the word of a state has: `good`, `bad`, `waiting` or `plain`."""
    text = str(word)
    return "good" if text in GOOD else "bad" if text in BAD else "waiting" if text in WAITING else "plain"


def as_json(value: Any) -> str:
    """Return a value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _instant(value: Any) -> datetime | date | None:
    if not isinstance(value, str):
        return None
    try:
        if len(value) == len("2026-01-01"):
            return date.fromisoformat(value)
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    # The first and the last day there are have no place in every time zone.
    return instant if _FIRST <= instant <= _LAST else None
