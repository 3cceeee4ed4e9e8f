"""Amounts and currencies of files, exactly: text to minor units, or a reason."""

import re
from functools import lru_cache

from libs.common.money import AMOUNT_MINOR_MAX, currency, is_known_currency
from services.gateway.reconciliation.imports.domain import Wrong

_SPACES = str.maketrans(dict.fromkeys("\u0020\u00a0\u202f\u2009\u2007", None))
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-", "\u2019": "'"})
_DIGITS_MAX = 40


@lru_cache(maxsize=16)
def _form(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = r"[0-9]+" if not thousands else rf"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+"
    return re.compile(rf"({whole})?(?:{re.escape(decimal)}([0-9]*))?(?!\n)$", re.ASCII)


def read_currency(text: str, *, column: str = "") -> str:
    """Read an ISO 4217 code, in whichever case it is written.

    Raises:
        Wrong: it is none.
    """
    code = text.strip().upper()
    if not is_known_currency(code):
        raise Wrong(f"unknown currency {text[:10]!r}", column=column)
    return code


@lru_cache(maxsize=512)
def _exponent(code: str) -> int:
    return currency(code).exponent


def read_amount(text: str, code: str, *, decimal: str = ".", thousands: str = "", column: str = "") -> int:
    """Read an amount as minor units: below zero with a minus before or behind it, or in parentheses.

    Raises:
        Wrong: it is no amount, has more decimals than the currency or is larger than any amount.
    """
    rest, sign = text.strip().translate(_MINUS), 1
    if rest[:1] == "(" and rest[-1:] == ")":
        rest, sign = rest[1:-1].strip(), -1
    elif rest[:1] == "-":
        rest, sign = rest[1:].strip(), -1
    elif rest[:1] == "+":
        rest = rest[1:].strip()
    elif rest[-1:] == "-":
        rest, sign = rest[:-1].strip(), -1
    elif rest[-1:] == "+":
        rest = rest[:-1].strip()
    if thousands == " ":
        rest, thousands = rest.translate(_SPACES), ""
    if len(rest) > _DIGITS_MAX or not rest or rest == decimal:
        raise Wrong(f"{text[:30]!r} is no amount", column=column)
    match = _form(decimal, thousands).match(rest)
    if match is None:
        raise Wrong(f"{text[:30]!r} is no amount written with {decimal!r} before its decimals", column=column)
    whole, decimals = match[1] or "0", (match[2] or "").rstrip("0")
    if thousands:
        whole = whole.replace(thousands, "")
    exponent = _exponent(code)
    if len(decimals) > exponent:
        raise Wrong(f"{text[:30]!r} has more than the {exponent} decimals of {code}", column=column)
    amount = int(whole + decimals.ljust(exponent, "0"))
    if amount > AMOUNT_MINOR_MAX:
        raise Wrong(f"{text[:30]!r} is larger than any amount may be", column=column)
    return sign * amount
