"""Which numbered statements of an account have no line in common, by their balances. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from uuid import UUID

import msgspec

type _Point = tuple[str, str, date, int]
"""An account, its currency, a day of it and a balance on that."""
type _Leaf = tuple[str, str, date, str]
"""An account, its currency, a day of it and the number of a statement."""
type _Pages = defaultdict[_Leaf, list[tuple[int, BankStatement]]]
"""Pages by what they are of, each with its number."""
_PAGED = re.compile(r"(.*) page ([0-9]{1,5})(?!\n)$", re.DOTALL | re.ASCII)


class BankStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of an account, as it is remembered."""

    id: UUID
    account: str
    currency: str
    number: str
    """The bank's number of it, never empty, and of its page, as `numbered` writes both."""
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

    @property
    def page(self) -> tuple[str, int]:
        """The number without the page, and the page; 0: the bank has numbered none."""
        paged = _PAGED.match(self.number)
        return (self.number, 0) if paged is None else (paged[1], int(paged[2]))


def numbered(number: str, page: int) -> str:
    """Write the number of a statement and of its page, from 1; 0: it has none."""
    return f"{number} page {page}" if number and page else number


class Statements:
    """Known statements, looked up by where they begin and end: a file has thousands of them, and each is compared."""

    def __init__(self, known: Iterable[BankStatement]) -> None:
        self._begin: defaultdict[_Point, list[BankStatement]] = defaultdict(list)
        self._end: defaultdict[_Point, list[BankStatement]] = defaultdict(list)
        self._pages_from: _Pages = defaultdict(list)
        self._pages_to: _Pages = defaultdict(list)
        cuts: dict[tuple[_Leaf, int], tuple[int, int]] = {}
        self._cut_twice: set[_Leaf] = set()
        """Of which one page is known with other balances: the bank has cut the statement again, and numbers say nothing of the order."""
        for each in known:
            self._begin[each.account, each.currency, each.first_on, each.opening_minor].append(each)
            self._end[each.account, each.currency, each.last_on, each.closing_minor].append(each)
            number, page = each.page
            if page:
                leaf, cut = (
                    (each.account, each.currency, each.first_on, number),
                    (each.opening_minor, each.closing_minor),
                )
                if cuts.setdefault((leaf, page), cut) != cut:
                    self._cut_twice.add(leaf)
                self._pages_from[each.account, each.currency, each.first_on, number].append((page, each))
                self._pages_to[each.account, each.currency, each.last_on, number].append((page, each))

    def apart(self, statement: BankStatement) -> set[UUID]:
        """Return which known statements have lines of the same days, and none that this one has.

        A statement that opens with what another one has closed with, on that one's last day, begins behind it: if it had that
        day's lines too, it would open with what there was before them. So do those behind it, and before it, of one day. Pages of one
        number that are not next to each other are apart though those between them are not known yet.
        """
        return {*_reached(statement, self._behind), *_reached(statement, self._before)}

    def _behind(self, one: BankStatement) -> Sequence[BankStatement]:
        begin = self._begin.get((one.account, one.currency, one.last_on, one.closing_minor), ())
        number, page = one.page
        leaves = self._leaves(self._pages_from, (one.account, one.currency, one.last_on, number)) if page else ()
        later = [each for other, each in leaves if other > page + 1 and _are_elsewhere(one, each)]
        return [*(each for each in begin if _follows(one, each)), *later]

    def _before(self, one: BankStatement) -> Sequence[BankStatement]:
        end = self._end.get((one.account, one.currency, one.first_on, one.opening_minor), ())
        number, page = one.page
        leaves = self._leaves(self._pages_to, (one.account, one.currency, one.first_on, number)) if page else ()
        earlier = [each for other, each in leaves if 0 < other < page - 1 and _are_elsewhere(one, each)]
        return [*(each for each in end if _follows(each, one)), *earlier]

    def _leaves(self, pages: _Pages, leaf: _Leaf) -> Sequence[tuple[int, BankStatement]]:
        return () if leaf in self._cut_twice else pages.get(leaf, ())


def _reached(statement: BankStatement, next_to: Callable[[BankStatement], Sequence[BankStatement]]) -> set[UUID]:
    """Return what is reached from a statement by statements of one day."""
    here, found, key = [statement], {statement.id}, statement.key
    while here:
        for each in next_to(here.pop()):
            if each.id not in found and each.key != key:
                found.add(each.id)
                if each.first_on == each.last_on:
                    here.append(each)
    return found - {statement.id}


def _follows(one: BankStatement, other: BankStatement) -> bool:
    return (
        other.first_on == one.last_on
        and other.opening_minor == one.closing_minor
        and one.last_day_minor != 0
        and other.number != one.number
    )


def _are_elsewhere(one: BankStatement, other: BankStatement) -> bool:
    """Return whether pages can be two parts: one that was numbered and sent again has one of its balances."""
    return one.opening_minor != other.opening_minor and one.closing_minor != other.closing_minor
