"""What is always true of a balance that is compared with the books: what counts as a difference, and since when. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from services.gateway.movements.domain.statement import DEEP_EVERY
from services.gateway.processors.port.reading import Held

COMPARED_EVERY = timedelta(minutes=15)
"""How often a balance is compared with the books; and for how long a difference stands before it counts, so that two
comparisons have it."""
TOTAL_OPEN_MAX = timedelta(hours=1)
"""For how long it may stay open whether a balance agrees, since something moved at each instant at which it was read."""
AVAILABLE_OPEN_MAX = DEEP_EVERY + timedelta(hours=2)
"""The same of what can be paid out; for as long what should have become available may wait for a round that reads far back."""
OTHER_CLOCKS = timedelta(seconds=2)
"""How far the clocks of our own processes and the processor's may be apart."""
LISTED_LATE = timedelta(minutes=1)
"""What was made longer ago than this was in the balance, however late it was listed."""
LATELY_MAX = 2_000
"""Movements of one kind that may have been in a balance or not; where there are more, it stays open."""
_TOGETHER_MAX = 6
"""Movements of one second that are tried in every order; of more it stays open which of them were in a balance."""
_SUMS_MAX = 20_000
"""Sums that a balance is held against."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """How far the balance of an account at the processor is from what is booked of it, in one currency."""

    currency: str
    """ISO 4217 code, upper case."""
    total_off_minor: int
    """What the processor has beyond the books, available and pending together; below zero it has less. While every
    comparison differs, the smallest difference."""
    total_off_since: datetime | None
    """Since when, without a break; None: they agree."""
    compared_at: datetime
    """When it was last certain whether they agree."""
    available_off_minor: int
    """The same of what can be paid out alone."""
    available_off_since: datetime | None
    """Since when, without a break."""
    available_compared_at: datetime
    """When that was last certain."""

    def is_off(self) -> bool:
        """Return whether a difference has stood for longer than one comparison."""
        return _stands(self.total_off_since, self.compared_at) or _stands(
            self.available_off_since, self.available_compared_at
        )


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What is booked of an account at the processor, for one currency."""

    currency: str
    """ISO 4217 code, upper case."""
    total_minor: int
    """What its booked movements and its opening balance come to."""
    available_minor: int
    """What of that can be paid out."""


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account had at an instant between two."""

    held: Mapping[str, Held]
    """By currency."""
    asked_at: datetime
    """The one before the call."""
    answered_at: datetime
    """The one after it."""


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """A movement that may have been in a balance or not."""

    currency: str
    """ISO 4217 code, upper case."""
    part: str
    """`moved`: recorded since; `turned`: known since as one that can be paid out; `due`: one that should be by now, and is not known
    to be."""
    at: datetime
    """When it was made, or became available."""
    net_minor: int
    """What it brought."""


def compared(
    balance: Balance, booked: Sequence[Booked], lately: Sequence[Lately], before: Sequence[Compared]
) -> list[Compared]:
    """Compare a balance with what is booked by now, when all is known that was in it, currency by currency.

    What was recorded since it was read was in it up to some instant; so a difference is one where no such instant makes them agree.
    """
    books, known = {each.currency: each for each in booked}, {each.currency: each for each in before}
    found = []
    counts = Counter(each.part for each in lately)
    for currency in sorted({*balance.held, *books, *known}):
        has, book, was = balance.held.get(currency), books.get(currency), known.get(currency)
        moved, turned, due = (
            [each for each in lately if each.currency == currency and each.part == part]
            for part in ("moved", "turned", "due")
        )
        total = (has.available_minor + has.pending_minor if has else 0) - (book.total_minor if book else 0)
        available = (has.available_minor if has else 0) - (book.available_minor if book else 0)
        # What is booked has all that moved and turned; what is due is in no sum yet.
        total += sum(each.net_minor for each in moved)
        available += sum(each.net_minor for each in turned)
        at = balance.asked_at
        total_off, total_since, total_at = _next(
            None if counts["moved"] > LATELY_MAX else difference(total, moved, until=balance.answered_at),
            (was.total_off_minor, was.total_off_since, was.compared_at) if was else None,
            at=at,
            open_max=TOTAL_OPEN_MAX,
        )
        available_off, available_since, available_at = _next(
            None
            if max(counts["turned"], counts["due"]) > LATELY_MAX
            else difference(available, turned, due, until=balance.answered_at),
            (was.available_off_minor, was.available_off_since, was.available_compared_at) if was else None,
            at=at,
            open_max=AVAILABLE_OPEN_MAX,
        )
        found.append(
            Compared(
                currency=currency,
                total_off_minor=total_off,
                total_off_since=total_since,
                compared_at=total_at,
                available_off_minor=available_off,
                available_off_since=available_since,
                available_compared_at=available_at,
            )
        )
    return found


def difference(off: int, *lately: Sequence[Lately], until: datetime) -> int | None:
    """Return how far a balance is at least from what is booked, where each sequence was in it up to some instant.

    `off` is how far it is without any of them. 0: they agree; None: it is open, since they agree for some of those instants, or
    too much moved to know.
    """
    sums, lowest, highest, is_sure = {0}, 0, 0, True
    for each in lately:
        in_question = [one for one in each if one.at <= until + OTHER_CLOCKS]
        lowest += sum(min(0, one.net_minor) for one in in_question)
        highest += sum(max(0, one.net_minor) for one in in_question)
        came, is_known = _sums(in_question)
        is_sure = is_sure and is_known
        sums = {one + other for one in sums for other in came} if len(sums) * len(came) <= _SUMS_MAX else set()
    if off in sums:
        return 0 if len(sums) == 1 else None
    if not sums or (not is_sure and lowest <= off <= highest):
        return None
    return min((off - one for one in sums), key=abs)


def _sums(lately: Sequence[Lately]) -> tuple[set[int], bool]:
    """Return what some movements have come to while they came one by one, and whether that is all that may have been."""
    so_far, found, is_known = 0, {0}, True
    for _, same in groupby(sorted(lately, key=lambda each: each.at), key=lambda each: each.at):
        amounts = [each.net_minor for each in same]
        if len(amounts) <= _TOGETHER_MAX:
            together = {0}
            for amount in amounts:
                together |= {one + amount for one in together}
            found |= {so_far + one for one in together}
        else:
            is_known = False
        so_far += sum(amounts)
        found.add(so_far)
    return found, is_known


def _next(
    off: int | None, was: tuple[int, datetime | None, datetime] | None, *, at: datetime, open_max: timedelta
) -> tuple[int, datetime | None, datetime]:
    """Return a difference, since when it stands, and when that was last certain, with how it was before."""
    if off is None and was is not None and at - was[2] < open_max:
        return was
    if not off:
        return 0, None, at
    if was is None or was[1] is None:
        return off, at, at
    return min(off, was[0], key=abs), was[1], at


def _stands(since: datetime | None, compared_at: datetime) -> bool:
    return since is not None and compared_at - since >= COMPARED_EVERY
