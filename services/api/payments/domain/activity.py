"""How a tenant's payments went: what was made in each period and what became of it, and what is not over yet."""

from collections.abc import Iterable
from datetime import datetime

import msgspec


class Span(msgspec.Struct, frozen=True):
    """A period of a report."""

    begins_at: datetime
    """Its first instant."""
    ends_at: datetime
    """The first instant after it."""


class PeriodTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The payments of one currency that were made in one period, and what became of them until now."""

    currency: str
    """ISO 4217 code."""
    payments: int
    """How many were made."""
    amount_minor: int
    """What they are about, in minor units."""
    authorized: int
    """How many of them an issuer has promised."""
    failed: int
    """How many of them have failed."""
    captured_minor: int
    """What was taken of them."""
    refunded_minor: int
    """What was given back of them."""
    disputed_minor: int
    """What banks took back of them and have not returned."""


def sum_of(totals: Iterable[PeriodTotals]) -> list[PeriodTotals]:
    """Add up totals of parts of a period, by currency, in the order of codes."""
    sums: dict[str, PeriodTotals] = {}
    for one in totals:
        before = sums.get(one.currency)
        sums[one.currency] = one if before is None else _added(before, one)
    return [sums[currency] for currency in sorted(sums)]


def _added(one: PeriodTotals, other: PeriodTotals) -> PeriodTotals:
    counted = (name for name in PeriodTotals.__struct_fields__ if name != "currency")
    return msgspec.structs.replace(one, **{name: getattr(one, name) + getattr(other, name) for name in counted})


class InStage(msgspec.Struct, frozen=True, kw_only=True):
    """Payments or refunds of one currency that are in one stage now."""

    stage: str
    """`processing`, `requires_action`, `authorized`, `capturing`, `voiding` or `refunding`."""
    currency: str
    """ISO 4217 code."""
    number: int
    """How many."""
    amount_minor: int
    """What they are about, in minor units."""
    since: datetime
    """Since when the oldest of them is as it is."""
