"""Which numbered statements of an account have no line in common, by their balances. Pure."""

from collections.abc import Callable, Iterable
from datetime import date
from uuid import UUID

import msgspec


class BankStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of an account, as it is remembered."""

    id: UUID
    account: str
    currency: str
    number: str
    """The bank's number of it, never empty."""
    opening_minor: int
    closing_minor: int
    first_on: date
    """The day of its first line."""
    last_on: date
    last_day_minor: int
    """What its lines of the last day come to."""

    @property
    def key(self) -> tuple[object, ...]:
        """What is the same of it in every file that has it."""
        return tuple(getattr(self, name) for name in BankStatement.__struct_fields__ if name != "id")


def apart(statement: BankStatement, known: Iterable[BankStatement]) -> set[UUID]:
    """Return which known statements have lines of the same days, and none that this one has.

    A statement that opens with what another one has closed with, on that one's last day, begins behind it: if it had that
    day's lines too, it would open with what there was before them. So do those behind it, and before it, of one day.
    """
    others = [
        each
        for each in known
        if (each.account, each.currency) == (statement.account, statement.currency) and each.key != statement.key
    ]
    found: dict[UUID, BankStatement] = {}
    for is_next in (_follows, lambda one, other: _follows(other, one)):
        _walk(statement, others, is_next, found)
    return {*found}


def _walk(
    statement: BankStatement,
    others: Iterable[BankStatement],
    is_next: Callable[[BankStatement, BankStatement], bool],
    found: dict[UUID, BankStatement],
) -> None:
    """Add what is reached from a statement by statements of one day."""
    here, seen = [statement], {statement.id}
    while here:
        at = here.pop()
        for each in others:
            if each.id not in seen and is_next(at, each):
                seen.add(each.id)
                found[each.id] = each
                if each.first_on == each.last_on:
                    here.append(each)


def _follows(one: BankStatement, other: BankStatement) -> bool:
    return (
        other.first_on == one.last_on
        and other.opening_minor == one.closing_minor
        and one.last_day_minor != 0
        and other.number != one.number
    )
