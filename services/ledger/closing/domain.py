"""Which entries end a period: figures in, entries out. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import batched
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_errors import EntryInvalid, RateUnknown
from libs.common.contracts.ledger_journal import ManualEntry, ManualLine
from libs.common.money import amount_minor_max, format_minor
from services.ledger.core import ENTRY_MINOR_MAX, Pair, Quote, Rate, half_even, quote

RUNS_MAX = 200
"""Entries of one kind, period and currency: the first, and those for what came later."""
_LINES_MAX = 900
"""Lines of one entry, with room for those of the account on the other side."""

type ClosingKind = Literal["year_end", "revaluation"]


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """What every entry of one run in one currency has in common."""

    kind: ClosingKind
    currency: str
    """In which it is posted."""
    description: str
    occurred_at: datetime
    ids: Iterator[UUID]
    """Those that are still free, in their order."""


def ids_of(tenant_id: str, what: str) -> list[UUID]:
    """List the ids that entries of a tenant for something have, in the order in which they are used: the same for whoever computes them."""
    return [uuid5(NAMESPACE_URL, f"ledger/{tenant_id}/{what}/{number}") for number in range(RUNS_MAX)]


def moving(amounts: Mapping[str, int], counterpart: str, drafted: Drafted) -> list[ManualEntry]:
    """Move amounts from accounts to one other: what an account has more on a side, it gets on the other side.

    Args:
        amounts: debits less credits of each account, in minor units.
        counterpart: the code of the account that gets all of it.
        drafted: what the entries have in common.

    Raises:
        EntryInvalid: when there are too many entries for this already.
    """
    lines = [
        _line(account, -net, part, drafted.currency)
        for account, net in sorted(amounts.items())
        for part in _parts(abs(net), drafted.currency)
    ]
    found = []
    for some in _batches(lines):
        left = sum(minor if line.side is Side.CREDIT else -minor for line, minor in some)
        others = [_line(counterpart, left, part, drafted.currency) for part in _parts(abs(left), drafted.currency)]
        entry_id = next(drafted.ids, None)
        if entry_id is None:
            raise EntryInvalid(f"there are {RUNS_MAX} entries for this already")
        found.append(
            ManualEntry(
                id=entry_id,
                description=drafted.description,
                occurred_at=drafted.occurred_at,
                lines=[line for line, _ in (*some, *others)],
                kind=drafted.kind,
            )
        )
    return found


def turned(entry: ManualEntry, *, entry_id: UUID, occurred_at: datetime) -> ManualEntry:
    """Take an entry back at a later instant."""
    return msgspec.structs.replace(
        entry,
        id=entry_id,
        description=f"Taken back: {entry.description}",
        occurred_at=occurred_at,
        lines=[
            msgspec.structs.replace(line, side=Side.CREDIT if line.side is Side.DEBIT else Side.DEBIT)
            for line in entry.lines
        ],
    )


def _line(account: str, signed: int, part: int, currency: str) -> tuple[ManualLine, int]:
    """Make a line of a part of an amount, which is a debit where the whole is above zero."""
    side = Side.DEBIT if signed > 0 else Side.CREDIT
    return ManualLine(account=account, side=side, amount=format_minor(part, currency), currency=currency), part


def _batches(lines: Sequence[tuple[ManualLine, int]]) -> Iterator[tuple[tuple[ManualLine, int], ...]]:
    """Part lines into those of one entry each.

    Only amounts of own units can be more than one entry holds. Then debits and credits take turns, so that the other account is
    not debited and credited with all of it where they nearly cancel.
    """
    sides = [[each for each in lines if each[0].side is side] for side in (Side.DEBIT, Side.CREDIT)]
    if max(sum(part for _, part in some) for some in sides) <= ENTRY_MINOR_MAX:
        yield from batched(lines, _LINES_MAX)
        return
    batch: list[tuple[ManualLine, int]] = []
    moved = [0, 0]
    left = 0
    waiting = [deque(some) for some in sides]
    while any(waiting):
        side = int(left > 0) if all(waiting) else int(not waiting[0])
        line, part = waiting[side].popleft()
        if moved[side] + part > ENTRY_MINOR_MAX or len(batch) == _LINES_MAX:
            yield tuple(batch)
            batch, moved = [], [0, 0]
        batch.append((line, part))
        moved[side] += part
        left += -part if side else part
    yield tuple(batch)


def _parts(amount_minor: int, currency: str) -> Iterator[int]:
    """Cut an amount into those that an entry can have."""
    while amount_minor:
        part = min(amount_minor, amount_minor_max(currency))
        yield part
        amount_minor -= part


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What counted on one day in one currency, on assets and liabilities together."""

    day: date
    currency: str
    net_minor: int
    """Debits less credits."""


class Valued(msgspec.Struct, frozen=True, kw_only=True):
    """What a currency is worth at the end of a period, and what it was booked at."""

    currency: str
    balance_minor: int
    rate: Decimal
    """What one unit was worth at the end, for people."""
    gain_minor: int
    """In minor units of the currency of the reports; below zero a loss."""


def _quoted(known: Mapping[Pair, Rate], currency: str, target: str, day: date) -> Quote:
    try:
        return quote(known, currency, target)
    except RateUnknown as unknown:
        raise RateUnknown(f"{unknown.detail} on {day}") from unknown


def value(days: Sequence[Day], rates: Iterable[tuple[date, Rate]], target: str, *, last_day: date) -> list[Valued]:
    """Value currencies at the rate at the end, against the rate of the day on which each part of them was booked.

    Args:
        days: oldest first.
        rates: every rate that may lead to the target, with the day on which it takes effect, in their order.
        target: the currency of the reports.
        last_day: the last day of the period.

    Raises:
        RateUnknown: when on one of the days no rate led to the target.
    """
    history = iter(rates)
    upcoming = next(history, None)
    known: dict[Pair, Rate] = {}

    def advance(until: date) -> None:
        nonlocal upcoming
        while upcoming is not None and upcoming[0] <= until:
            rate = upcoming[1]
            known[rate.from_currency, rate.to_currency] = rate
            upcoming = next(history, None)

    balances: dict[str, int] = {}
    booked: dict[str, Fraction] = {}
    for each in days:
        advance(each.day)
        balances[each.currency] = balances.get(each.currency, 0) + each.net_minor
        worth = _quoted(known, each.currency, target, each.day).worth(each.net_minor)
        booked[each.currency] = booked.get(each.currency, Fraction(0)) + worth
    advance(last_day)
    found = []
    for currency, balance_minor in sorted(balances.items()):
        quoted = _quoted(known, currency, target, last_day)
        gain_minor = half_even(quoted.worth(balance_minor) - booked[currency])
        found.append(Valued(currency=currency, balance_minor=balance_minor, rate=quoted.shown, gain_minor=gain_minor))
    return found
