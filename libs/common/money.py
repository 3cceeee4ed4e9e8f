"""Money: integer minor units of an ISO 4217 currency, read from decimals without ever passing through a float.

Which currencies are active comes from the `iso4217` package, which follows the maintenance agency's table; how many decimals each
has is written in `currencies`: JPY 0, BRL 2, KWD 3, CLF 4. A currency that left the table is known for ever: nothing new is agreed in
it, while what is booked in it can be read and undone.
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
    "Currency",
    "allocate",
    "currency",
    "format_minor",
    "is_currency",
    "is_known_currency",
    "json_number",
    "parse_amount",
]

AMOUNT_MINOR_MAX = 10**15
"""No single amount may exceed this many minor units, which keeps a billion of them within a signed 64-bit sum."""

AMOUNT_PATTERN = r"^\d+(\.\d+)?$"
"""An amount as a string, for JSON Schema, whose digits are those of ASCII: no sign, no exponent, no space."""

_NOISE = Decimal("1e-6")
"""Peers sum money in binary floats and send JSON numbers; what lies within a millionth of a minor unit of a whole one is
their noise. A string was written on purpose and has none."""

_EXACT = Decimal(0)
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?\Z", re.ASCII)
_TEXT = re.compile(r"[0-9]{1,40}(\.[0-9]{1,60})?\Z", re.ASCII)
_NEGATIVE = re.compile(r"-[0-9]{1,40}(\.[0-9]{1,60})?\Z", re.ASCII)


class UnsupportedCurrency(Invalid):
    """The currency is not accepted."""

    code = "unsupported_currency"
    status = 400
    remedy = "Send an active ISO 4217 code in upper case."


class InvalidAmount(Invalid):
    """The amount is not one."""

    code = "invalid_amount"
    remedy = FIX


class Currency(msgspec.Struct, frozen=True):
    """An ISO 4217 currency, active or withdrawn: its code of three letters and how many decimals it has (0 to 4)."""

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
    """Tell whether `code` is a currency that is active or once was: books may hold amounts in it."""
    return code in _KNOWN


def currency(code: str) -> Currency:
    """Look up a currency, active or withdrawn, by its upper-case code.

    Raises:
        Invalid: `unsupported_currency` when there is none.
    """
    found = _KNOWN.get(code)
    if found is None:
        raise _unsupported_currency()
    return found


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


def parse_amount(value: Decimal | str | int, code: str, *, withdrawn: bool = False) -> int:
    """Read a positive decimal amount of `code` as minor units: ("150.50", "BRL") is 15050.

    A string is digits with at most one point, as `AMOUNT_PATTERN` says. A number may have an exponent, and float noise of
    a peer (59.97000000000001) is rounded away. A real excess of decimals is refused in both. `withdrawn` takes a currency that
    is not active any more too, for an amount of what exists already.

    Raises:
        Invalid: `unsupported_currency`, or `invalid_amount` for anything not a plain positive number within
            `AMOUNT_MINOR_MAX` minor units.
    """
    if not (withdrawn or is_currency(code)):
        raise _unsupported_currency()
    unit = currency(code)
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
        if scaled > AMOUNT_MINOR_MAX:
            raise _invalid_amount(f"amount must not exceed {format_minor(AMOUNT_MINOR_MAX, code)} {code}")
        whole = scaled.to_integral_value()
        if abs(scaled - whole) > noise:
            raise _invalid_amount(f"amount must have at most {unit.exponent} decimal places for {code}")
    if whole <= 0:
        raise _invalid_amount("amount must be greater than 0")
    return int(whole)


def _unsupported_currency() -> UnsupportedCurrency:
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
