"""Money: integer minor units of an ISO 4217 currency, read from decimals without ever passing through a float.

Which currencies are active comes from the `iso4217` package, which follows the maintenance agency's table; how many decimals each
has is written in `currencies`: JPY 0, BRL 2, KWD 3, CLF 4. A currency that left the table is known for ever: nothing new is agreed in
it, while what is booked in it can be read and undone.

A tenant's own units (points, miles) are for its books alone, and no currency of ISO 4217 looks like one: two capital letters and a
digit, whose place says how many decimals there are. At the end it is their number (`PT2` has 2), in the middle ten more (`E8T` has 18).
"""

import re
from decimal import Context, Decimal, localcontext
from functools import lru_cache

import msgspec
from iso4217 import Currency as IsoCurrency

from libs.common.currencies import EXPONENTS
from libs.common.errors import FIX, Invalid

__all__ = [
    "AMOUNT_MINOR_MAX",
    "AMOUNT_PATTERN",
    "BOOKED_PATTERN",
    "OWN_UNIT_MINOR_MAX",
    "OWN_UNIT_PATTERN",
    "Currency",
    "allocate",
    "amount_minor_max",
    "currency",
    "format_minor",
    "is_booked",
    "is_currency",
    "is_known_currency",
    "is_own_unit",
    "json_number",
    "parse_amount",
]

AMOUNT_MINOR_MAX = 10**15
"""No single amount of a currency may exceed this many minor units, which keeps 9,223 of them within a signed 64-bit sum."""

OWN_UNIT_MINOR_MAX = 10**18
"""No single amount of an own unit may exceed this many minor units: one whole unit of 18 decimals, of which 9 are within such a sum."""

OWN_UNIT_PATTERN = r"^[A-Z]([A-Z][0-9]|[0-8][A-Z])$"
"""The code of an own unit, for JSON Schema."""

BOOKED_PATTERN = r"^[A-Z]([A-Z]{2}|[A-Z][0-9]|[0-8][A-Z])$"
"""The code of what books hold amounts in, a currency or an own unit, for JSON Schema."""

AMOUNT_PATTERN = r"^\d+(\.\d+)?$"
"""An amount as a string, for JSON Schema, whose digits are those of ASCII: no sign, no exponent, no space."""

_NOISE = Decimal("1e-6")
"""Peers sum money in binary floats and send JSON numbers; what lies within a millionth of a minor unit of a whole one is
their noise. A string was written on purpose and has none."""

_EXACT = Decimal(0)
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?\Z", re.ASCII)
_TEXT = re.compile(r"[0-9]{1,40}(\.[0-9]{1,60})?\Z", re.ASCII)
_OWN_UNIT = re.compile(r"[A-Z](?:[A-Z][0-9]|[0-8][A-Z])", re.ASCII)
_NEGATIVE = re.compile(r"-[0-9]{1,40}(\.[0-9]{1,60})?\Z", re.ASCII)


class UnsupportedCurrency(Invalid):
    """The currency is not accepted."""

    code = "unsupported_currency"
    status = 400
    remedy = "Send an active ISO 4217 code in upper case; in the books also an own unit that the tenant has."


class InvalidAmount(Invalid):
    """The amount is not one."""

    code = "invalid_amount"
    remedy = FIX


class Currency(msgspec.Struct, frozen=True):
    """What amounts are in: a currency of ISO 4217 (0 to 4 decimals), active or withdrawn, or an own unit (0 to 18)."""

    code: str
    exponent: int


_KNOWN = {code: Currency(code, exponent) for code, exponent in EXPONENTS.items()}

_ACTIVE = _KNOWN.keys() & {one.code for one in IsoCurrency}
"""What new amounts may be in. A code that is new in the package is none of them before its decimals are written down, and a test
names it."""


def is_currency(code: str) -> bool:
    """Tell whether `code` is an active ISO 4217 code in upper case that has a minor unit."""
    return code in _ACTIVE


def is_known_currency(code: str) -> bool:
    """Tell whether `code` is a currency of ISO 4217 that is active or once was: books may hold amounts in it."""
    return code in _KNOWN


def is_own_unit(code: str) -> bool:
    """Tell whether `code` has the form of a tenant's own unit; whether a tenant has it is in its books."""
    return _OWN_UNIT.fullmatch(code) is not None


def is_booked(code: str) -> bool:
    """Tell whether books may hold amounts in `code`: in a currency, active or withdrawn, or in an own unit."""
    return code in _KNOWN or is_own_unit(code)


def currency(code: str) -> Currency:
    """Look up a currency, active or withdrawn, or an own unit, by its upper-case code.

    Raises:
        Invalid: `unsupported_currency` when there is none.
    """
    return _KNOWN.get(code) or _own_unit(code)


@lru_cache(maxsize=1024)
def _own_unit(code: str) -> Currency:
    if not is_own_unit(code):
        raise _unsupported_currency(code)
    return Currency(code, int(code[2]) if code[2].isdigit() else 10 + int(code[1]))


def amount_minor_max(code: str) -> int:
    """Return how many minor units an amount in `code` may have at most."""
    return OWN_UNIT_MINOR_MAX if is_own_unit(code) else AMOUNT_MINOR_MAX


@lru_cache(maxsize=8)
def _exact(precision: int) -> Context:
    return Context(prec=precision)


def json_number(text: str) -> Decimal:
    """Read the text of a JSON number, exactly.

    Raises:
        Invalid: `invalid_amount` when it is none, or longer than any amount.
    """
    if not _NUMBER.match(text):
        raise _invalid_amount("amount must be a decimal number")
    return Decimal(text)


def parse_amount(value: Decimal | str | int, code: str, *, withdrawn: bool = False, own: bool = False) -> int:
    """Read a positive decimal amount of `code` as minor units: ("150.50", "BRL") is 15050.

    A string is digits with at most one point, as `AMOUNT_PATTERN` says. A number may have an exponent, and float noise of
    a peer (59.97000000000001) is rounded away. A real excess of decimals is refused in both. `withdrawn` takes a currency that
    is not active any more too, for an amount of what exists already, and `own` a tenant's own unit, for an amount of its books.

    Raises:
        Invalid: `unsupported_currency`, or `invalid_amount` for anything not a plain positive number within
            `amount_minor_max` minor units.
    """
    if not (is_currency(code) or (withdrawn and is_known_currency(code)) or (own and is_own_unit(code))):
        raise _unsupported_currency(code)
    unit, minor_max = currency(code), amount_minor_max(code)
    text, noise = str(value), _EXACT if isinstance(value, str) else _NOISE
    if isinstance(value, str):
        if _NEGATIVE.match(value):
            raise _invalid_amount("amount must be greater than 0")
        if not _TEXT.match(value):
            raise _invalid_amount("amount must be a decimal number: digits, and a point before the decimals")
    elif not _NUMBER.match(text):
        raise _invalid_amount("amount must be a decimal number")
    with localcontext(_exact(200)):
        scaled = Decimal(text).scaleb(unit.exponent)
        # The order matters: a magnitude such as 1E+400 is refused before it is turned into an integer.
        if scaled <= 0:
            raise _invalid_amount("amount must be greater than 0")
        if scaled > minor_max:
            raise _invalid_amount(f"amount must not exceed {format_minor(minor_max, code)} {code}")
        whole = scaled.to_integral_value()
        if abs(scaled - whole) > noise:
            raise _invalid_amount(f"amount must have at most {unit.exponent} decimal places for {code}")
    if whole <= 0:
        raise _invalid_amount("amount must be greater than 0")
    return int(whole)


def _unsupported_currency(code: str) -> UnsupportedCurrency:
    if is_own_unit(code):
        return UnsupportedCurrency("own units are for the books alone: payments and conversions are in currencies")
    return UnsupportedCurrency("unsupported currency")


def _invalid_amount(sentence: str) -> InvalidAmount:
    return InvalidAmount(sentence, errors=(("/amount", sentence),))


@lru_cache(maxsize=4096)
def format_minor(amount_minor: int, code: str) -> str:
    """Write minor units as a decimal string with exactly the currency's decimals: (15050, "BRL") is "150.50"."""
    exponent = currency(code).exponent
    if exponent == 0:
        return str(amount_minor)
    sign = "-" if amount_minor < 0 else ""
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    return f"{sign}{whole}.{rest:0{exponent}d}"


def allocate(amount_minor: int, weights: tuple[int, ...]) -> tuple[int, ...]:
    """Split an amount by weights without losing a minor unit; the earliest shares take the remainder.

    Raises:
        ValueError: when there is no weight, a negative one, or all are zero.
    """
    total = sum(weights)
    if not weights or total <= 0 or min(weights) < 0:
        raise ValueError("weights must not be negative and must have a positive sum")
    shares = [amount_minor * weight // total for weight in weights]
    positions = [i for i, weight in enumerate(weights) if weight > 0]
    for i in range(amount_minor - sum(shares)):
        shares[positions[i % len(positions)]] += 1
    return tuple(shares)
