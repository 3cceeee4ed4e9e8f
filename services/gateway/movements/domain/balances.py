"""What is always true of a balance that is compared with the books: what counts as a difference, and since when. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from services.gateway.movements.domain.statement import DEEP_EVERY
from services.gateway.processors.port.reading import Held

COMPARED_EVERY = timedelta(minutes=15)
"""How often a balance is compared with the books."""
TOTAL_SETTLES = timedelta(hours=1)
"""How long what moved may take to be read: a difference that stands longer is one."""
AVAILABLE_SETTLES = DEEP_EVERY + timedelta(hours=2)
"""The same of what has become available, which a round that reads far back notices."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """How far the balance of an account at the processor is from what is booked of it, in one currency."""

    currency: str
    """ISO 4217 code, upper case."""
    total_off_minor: int
    """What the processor has beyond the books, available and pending together; below zero it has less. While every
    comparison differs to the same side, the smallest difference: what moves in between differs once, an error always."""
    total_off_since: datetime | None
    """Since when, without a break; None: they agree."""
    available_off_minor: int
    """The same of what can be paid out alone."""
    available_off_since: datetime | None
    """Since when, without a break."""
    compared_at: datetime
    """When they were last compared."""

    def is_off(self) -> bool:
        """Return whether a difference has stood for longer than what moves may take to be read."""
        total = self.total_off_since is not None and self.compared_at - self.total_off_since >= TOTAL_SETTLES
        since = self.available_off_since
        return total or (since is not None and self.compared_at - since >= AVAILABLE_SETTLES)


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What is booked of an account at the processor, for one currency."""

    currency: str
    """ISO 4217 code, upper case."""
    seen: int
    """How many movements are known."""
    turned: int
    """How many of them can be paid out."""
    total_minor: int
    """What they and the opening balance come to."""
    available_minor: int
    """What of that can be paid out."""


def compared(
    held: Mapping[str, Held], booked: Sequence[Booked], before: Sequence[Compared], *, at: datetime
) -> list[Compared]:
    """Compare a balance with what is booked, currency by currency, and with the comparison before."""
    books, known = {each.currency: each for each in booked}, {each.currency: each for each in before}
    found = []
    for currency in sorted({*held, *books, *known}):
        has, book, was = held.get(currency), books.get(currency), known.get(currency)
        available = (has.available_minor if has else 0) - (book.available_minor if book else 0)
        total = (has.available_minor + has.pending_minor if has else 0) - (book.total_minor if book else 0)
        total_off, total_since = _off(
            total, was.total_off_minor if was else 0, was.total_off_since if was else None, at=at
        )
        available_off, available_since = _off(
            available, was.available_off_minor if was else 0, was.available_off_since if was else None, at=at
        )
        found.append(
            Compared(
                currency=currency,
                total_off_minor=total_off,
                total_off_since=total_since,
                available_off_minor=available_off,
                available_off_since=available_since,
                compared_at=at,
            )
        )
    return found


def _off(off: int, was: int, since: datetime | None, *, at: datetime) -> tuple[int, datetime | None]:
    """Return a difference with the one before: the smaller one where both are to the same side."""
    if off == 0:
        return 0, None
    if since is None or (off > 0) != (was > 0):
        return off, at
    return min(off, was, key=abs), since
