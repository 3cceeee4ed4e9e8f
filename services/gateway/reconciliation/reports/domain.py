"""What is always true of a report: what adds up, what stands beside what, and how old it is. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import msgspec

from libs.common.contracts.gateway_reports import (
    BooksBeside,
    ClearingBalance,
    MatchedTotal,
    MovedLine,
    OpenTotal,
    RunReport,
    StatementSummary,
)
from libs.common.contracts.ledger_roles import Role

AGES: Mapping[str, timedelta] = MappingProxyType(
    {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
)
"""How old something is: younger than the first that fits, else `OLDER`."""
OLDER = "older"
FEE = "fee"
"""The line of all fees: movements of their own, and what was kept of others."""
_SETTLED = timedelta(days=2)
"""So long after the beginning of a day it is settled what was known by its end."""
_MIRRORS = frozenset({Role.PROCESSOR_PENDING, Role.PROCESSOR_AVAILABLE})
"""What mirrors the processor's own two figures."""
_CLEARING = frozenset(
    {
        Role.GATEWAY_CLEARING,
        Role.DISPUTE_CLEARING,
        Role.REFUND_CLEARING,
        Role.SUSPENSE,
        Role.FX_POSITION,
    }
)
"""What is empty once everything is over."""


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What the books have of the accounts that play a role."""

    roles: Mapping[str, Sequence[str]]
    """What each account is for, by its code."""
    closing: Mapping[tuple[str, str], tuple[int, int]]
    """Debits and credits of an account in a currency, at the end of the window."""
    before: Mapping[str, Mapping[tuple[str, str], tuple[int, int]]]
    """The same at each age before the end."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What moved on an account in one currency, for one reason."""

    account_id: str
    is_live: bool
    currency: str
    kind: str
    before_minor: int
    """What it came to before the window, after fees."""
    number: int
    in_minor: int
    out_minor: int
    fees: int
    """How many bear a fee."""
    kept_minor: int
    given_back_minor: int
    until_minor: int
    """What it came to at the end of the window, after fees."""


class Off(msgspec.Struct, frozen=True, kw_only=True):
    """How far the processor's own balance is from what is known of an account."""

    account_id: str
    is_live: bool
    currency: str
    total_off_minor: int
    compared_at: datetime


def carried_day(since: datetime, *, now: datetime) -> datetime:
    """Return the latest beginning of a day, in UTC, to which balances can be carried for a window that begins then.

    What is carried is what was known by the end of that day: one more day later no movement of then is still being written.
    """
    return min(since, now - _SETTLED).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def report(
    *,
    window: tuple[datetime, datetime],
    made_at: datetime,
    moved: Iterable[Moved],
    off: Iterable[Off],
    books: Books,
    matched: Sequence[MatchedTotal],
    unsettled: Sequence[OpenTotal],
) -> RunReport:
    """Put a report together."""
    statements = summaries(moved, off)
    return RunReport(
        window_from=window[0],
        window_until=window[1],
        made_at=made_at,
        statements=statements,
        books=_beside(statements, books),
        matched=[*matched],
        unsettled=[*unsettled],
        clearing=clearing(books, has_statement=bool(statements)),
    )


def summaries(moved: Iterable[Moved], off: Iterable[Off]) -> list[StatementSummary]:
    """Add up what moved, by account and currency.

    Raises:
        ValueError: when the parts of an account do not add up to what it closes with.
    """
    known = {(each.account_id, each.is_live, each.currency): each for each in off}
    groups: dict[tuple[str, bool, str], list[Moved]] = {}
    for each in moved:
        groups.setdefault((each.account_id, each.is_live, each.currency), []).append(each)
    found = []
    for key in sorted(groups):
        group, beyond = groups[key], known.get(key)
        lines = _lines(group)
        summary = StatementSummary(
            account_id=key[0],
            is_live=key[1],
            currency=key[2],
            opening_minor=sum(each.before_minor for each in group),
            lines=lines,
            in_minor=sum(line.in_minor for line in lines),
            out_minor=sum(line.out_minor for line in lines),
            closing_minor=sum(each.until_minor for each in group),
            off_minor=None if beyond is None else beyond.total_off_minor,
            compared_at=None if beyond is None else beyond.compared_at,
        )
        if summary.opening_minor + summary.in_minor - summary.out_minor != summary.closing_minor:
            raise ValueError(f"what moved on {key[0]} in {key[2]} does not add up to what it closes with")
        found.append(summary)
    return found


def clearing(books: Books, *, has_statement: bool) -> list[ClearingBalance]:
    """Name the accounts that should be empty and are not; where a statement is read, what it does not have yet is one of them."""
    wished = {role.value for role in _CLEARING} | ({Role.CASH.value} if has_statement else set())
    found = []
    for (account, currency), (debited, credited) in sorted(books.closing.items()):
        roles = sorted(wished & {*books.roles.get(account, ())})
        if roles and debited != credited:
            earlier = {age: held.get((account, currency), (0, 0)) for age, held in books.before.items()}
            found.append(
                ClearingBalance(
                    account=account,
                    roles=roles,
                    currency=currency,
                    balance_minor=debited - credited,
                    ages=ages_of((debited, credited), earlier),
                )
            )
    return found


def ages_of(held: tuple[int, int], before: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Part a balance by how long it has stood there, the oldest cleared first; the parts come to the balance."""
    debited, credited = held
    sign = 1 if debited > credited else -1
    left = abs(debited - credited)
    found = {}
    for age in AGES:
        then_debited, then_credited = before[age]
        # What had come by then, less all that has ever been cleared.
        standing = then_debited - credited if sign > 0 else then_credited - debited
        older = min(max(standing, 0), left)
        found[age] = sign * (left - older)
        left = older
    return found | {OLDER: sign * left}


def age_of(known_since: datetime, now: datetime) -> str:
    """Name how old something is."""
    return next((name for name, age in AGES.items() if now - known_since < age), OLDER)


def _lines(group: Sequence[Moved]) -> list[MovedLine]:
    """One line for each kind that moved in the window, and one for all fees."""
    lines = [
        MovedLine(kind=each.kind, number=each.number, in_minor=each.in_minor, out_minor=each.out_minor)
        for each in sorted(group, key=lambda each: each.kind)
        if each.number and each.kind != FEE
    ]
    own = [each for each in group if each.kind == FEE]
    fees = MovedLine(
        kind=FEE,
        number=sum(each.number for each in own) + sum(each.fees for each in group if each.kind != FEE),
        in_minor=sum(each.in_minor for each in own) + sum(each.given_back_minor for each in group),
        out_minor=sum(each.out_minor for each in own) + sum(each.kept_minor for each in group),
    )
    return [*lines, fees] if fees.number else lines


def _beside(statements: Iterable[StatementSummary], books: Books) -> list[BooksBeside]:
    """Put statements beside the accounts that mirror them, by currency."""
    stated: dict[str, int] = {}
    for each in statements:
        stated[each.currency] = stated.get(each.currency, 0) + each.closing_minor
    mirrored: dict[str, int] = {}
    mirrors = {role.value for role in _MIRRORS}
    for (account, currency), (debited, credited) in books.closing.items():
        if mirrors & {*books.roles.get(account, ())}:
            mirrored[currency] = mirrored.get(currency, 0) + debited - credited
    return [
        BooksBeside(
            currency=currency,
            statement_minor=stated.get(currency, 0),
            books_minor=mirrored.get(currency, 0),
            difference_minor=mirrored.get(currency, 0) - stated.get(currency, 0),
        )
        for currency in sorted({*stated, *(code for code, minor in mirrored.items() if minor)})
    ]
