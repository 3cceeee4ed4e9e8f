"""Exchange rates: exact decimals that hold from an instant on, and what an amount is worth in another currency. Pure.

A quote is found in this order, and the first that exists is taken:

1. the same currency: 1;
2. the rate of the pair that took effect last, in either direction (read the other way round, it is inverted; of two of
   the same instant the direct one counts);
3. over one of the base currencies, USD before EUR: from the first currency to the base, and from there to the second.

Rates are multiplied and inverted as fractions, so nothing is lost on the way: an amount is rounded once, at the end, half to
even, to the minor unit of its currency.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Context, Decimal
from fractions import Fraction
from uuid import UUID

import msgspec

from libs.common.contracts.ledger_errors import ConversionTooLarge, ConversionTooSmall, RateInvalid, RateUnknown
from libs.common.money import AMOUNT_MINOR_MAX, currency, is_currency

BASES = ("USD", "EUR")
"""Currencies over which two others may be exchanged, in the order in which they are tried."""

RATE_DECIMALS_MAX = 18
"""Decimals that a rate may have."""

RATE_MAX = Decimal(10**12)
"""No rate may be higher: the dearest unit is worth some hundred thousand of the cheapest."""

SOURCE_LENGTH_MAX = 64
"""Characters that the name of a source may have."""

_SHOWN = Context(prec=18)
"""How exactly the product or inverse of rates is shown; what is computed with is the fraction."""

NOT_CONTENT = {
    "id": "a pair has one rate of an instant, whoever names it",
    "recorded_at": "each attempt has its own instant",
    "recorded_by": "whoever records it again records the same",
}
"""Fields that may differ when a rate is recorded again for its pair and instant, each with the reason."""

type Pair = tuple[str, str]
"""From one currency to another."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How many units of one currency a unit of another is worth, from an instant on. It never changes once recorded."""

    tenant_id: str
    """Who goes by it."""
    id: UUID
    """Identifies it within the tenant."""
    from_currency: str
    """ISO 4217 code: what one unit of is worth `rate`."""
    to_currency: str
    """ISO 4217 code: what `rate` counts."""
    rate: Decimal
    """Units of `to_currency`, not minor ones: USD to JPY is 150.37."""
    effective_at: datetime
    """From when it holds, until the next one of its pair does."""
    source: str
    """Where it comes from: `ECB`, `treasury`."""
    recorded_at: datetime
    """When it was recorded."""
    recorded_by: str
    """Who recorded it."""

    def has_same_content(self, other: "Rate") -> bool:
        """Return whether recording the other rate is recording this one again: all is equal but `NOT_CONTENT`."""
        return all(
            getattr(self, name) == getattr(other, name) for name in Rate.__struct_fields__ if name not in NOT_CONTENT
        )


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded rate of which a quote is made."""

    rate: Rate
    """As it was recorded."""
    is_inverse: bool
    """Whether it is read from `to_currency` to `from_currency`."""

    @property
    def factor(self) -> Fraction:
        """What a unit is multiplied with."""
        exact = Fraction(self.rate.rate)
        return 1 / exact if self.is_inverse else exact


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit of a currency is worth in another one, and by which rates."""

    from_currency: str
    """ISO 4217 code."""
    to_currency: str
    """ISO 4217 code."""
    legs: tuple[Leg, ...]
    """The recorded rates, in the order in which they are applied; none for a currency in itself."""

    @property
    def exact(self) -> Fraction:
        """Units of `to_currency` for one of `from_currency`, with nothing rounded."""
        product = Fraction(1)
        for leg in self.legs:
            product *= leg.factor
        return product

    @property
    def shown(self) -> Decimal:
        """The rate for people, to 18 significant digits, rounded half to even."""
        exact = self.exact
        return _SHOWN.divide(Decimal(exact.numerator), Decimal(exact.denominator))

    def worth(self, amount_minor: int) -> Fraction:
        """Return the exact worth of an amount, in minor units of `to_currency`; it may be negative as the amount may."""
        return amount_minor * self.exact * _minor(self.to_currency) / _minor(self.from_currency)


def _minor(code: str) -> Fraction:
    return Fraction(10 ** currency(code).exponent)


def half_even(exact: Fraction) -> int:
    """Round to a whole number of minor units, half to even."""
    return round(exact)


def check_rate(rate: Rate) -> Rate:
    """Return the rate when it can be recorded.

    Raises:
        RateInvalid: naming each member that cannot be.
    """
    faults: list[tuple[str, str]] = []
    for field, code in (("from_currency", rate.from_currency), ("to_currency", rate.to_currency)):
        if not is_currency(code):
            faults.append((f"/{field}", "must be an active ISO 4217 code in upper case"))
    if rate.from_currency == rate.to_currency:
        faults.append(("/to_currency", "must be another currency than from_currency"))
    if not rate.rate.is_finite() or not 0 < rate.rate <= RATE_MAX:
        faults.append(("/rate", f"must be above 0 and at most {RATE_MAX}"))
    elif int(rate.rate.as_tuple().exponent) < -RATE_DECIMALS_MAX:
        faults.append(("/rate", f"must have at most {RATE_DECIMALS_MAX} decimals"))
    if not 1 <= len(rate.source) <= SOURCE_LENGTH_MAX or not rate.source.isprintable():
        faults.append(("/source", f"must be 1 to {SOURCE_LENGTH_MAX} printable characters"))
    if faults:
        raise RateInvalid("; ".join(f"{where[1:]} {sentence}" for where, sentence in faults), errors=tuple(faults))
    return rate


def needed_pairs(currencies: Iterable[str], target: str) -> list[Pair]:
    """List the pairs whose rates may be needed to value some currencies in another one."""
    pairs: set[Pair] = set()
    for code in {*currencies, *BASES} - {target}:
        pairs |= {(code, target), (target, code)}
        pairs |= {pair for base in BASES if base != code for pair in ((code, base), (base, code))}
    return sorted(pairs)


def quote(rates: Mapping[Pair, Rate], from_currency: str, to_currency: str) -> Quote:
    """Find what one unit of a currency is worth in another one; `rates` has the last rate of each pair in effect.

    Raises:
        RateUnknown: when no rate, nor two over a base currency, lead from one to the other.
    """
    if from_currency == to_currency:
        return Quote(from_currency=from_currency, to_currency=to_currency, legs=())
    for base in (to_currency, *BASES):
        first = _leg(rates, from_currency, base)
        second = () if base == to_currency else (_leg(rates, base, to_currency),)
        legs = (first, *second)
        if all(legs):
            found = tuple(leg for leg in legs if leg is not None)
            return Quote(from_currency=from_currency, to_currency=to_currency, legs=found)
    raise RateUnknown(f"no exchange rate leads from {from_currency} to {to_currency} at that instant")


def _leg(rates: Mapping[Pair, Rate], from_currency: str, to_currency: str) -> Leg | None:
    direct, inverse = rates.get((from_currency, to_currency)), rates.get((to_currency, from_currency))
    if direct is not None and (inverse is None or direct.effective_at >= inverse.effective_at):
        return Leg(rate=direct, is_inverse=False)
    return None if inverse is None else Leg(rate=inverse, is_inverse=True)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """An amount in one currency against an amount in another, and what the second is worth in the first by the rate."""

    sold_minor: int
    """What is given, in minor units of its currency."""
    bought_minor: int
    """What is received, in minor units of its currency."""
    valued_minor: int
    """What was received, at the rate, in minor units of the currency that was given."""

    @property
    def gain_minor(self) -> int:
        """What the exchange gained, or cost where it is negative, in minor units of the currency that was given.

        The residue of rounding to the coarser of two minor units, and whatever a bank paid off the rate.
        """
        return self.valued_minor - self.sold_minor


def exchange(quoted: Quote, amount_minor: int, *, received_minor: int | None = None) -> Exchange:
    """Exchange an amount at a rate, or for what was really received.

    Raises:
        ConversionTooSmall: when one of the two sides rounds to nothing.
        ConversionTooLarge: when one of them is more than an entry can hold.
    """
    bought = half_even(quoted.worth(amount_minor)) if received_minor is None else received_minor
    if bought < 1:
        raise ConversionTooSmall(f"the amount is worth less than the smallest unit of {quoted.to_currency}")
    back = bought / quoted.exact * _minor(quoted.from_currency) / _minor(quoted.to_currency)
    valued = half_even(back)
    if valued < 1:
        raise ConversionTooSmall(f"what is received is worth less than the smallest unit of {quoted.from_currency}")
    if max(bought, valued) > AMOUNT_MINOR_MAX:
        raise ConversionTooLarge(f"no amount may exceed {AMOUNT_MINOR_MAX} minor units")
    return Exchange(sold_minor=amount_minor, bought_minor=bought, valued_minor=valued)
