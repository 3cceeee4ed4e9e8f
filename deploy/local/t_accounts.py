"""The book as T-accounts: debits on the left, credits on the right, one T per account and currency."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import batched, groupby, zip_longest

import msgspec

SIDE_WIDTH = 24
"""Characters of one side of a T; two Ts and the gap fit into 102 columns."""

GAP = "    "
ACCOUNTS_PER_ROW = 2
ROWS_MAX = 8
"""Postings shown per side; earlier ones are summed up in one line."""

REFERENCE_LENGTH = 8
"""The last characters of a payment's id; the first ones of a UUIDv7 are a clock and look alike."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One posting as the api shows it."""

    side: str
    account: str
    amount: str
    currency: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One journal entry as the api shows it."""

    id: str
    payment_intent_id: str | None = None
    posted_at: str = ""
    lines: list[Line] = []


class _Account(msgspec.Struct, kw_only=True):
    """The two sides of one account in one currency, oldest posting first."""

    name: str
    currency: str
    debits: list[tuple[str, Decimal]] = []
    credits: list[tuple[str, Decimal]] = []


def t_accounts(entries: Sequence[Entry], *, rows_max: int = ROWS_MAX) -> str:
    """Draw the accounts that the entries touch, by currency and name, two side by side, each with its totals.

    Args:
        entries: journal entries in any order; they are drawn in the order of their posting.
        rows_max: postings shown per side, the latest ones.
    """
    accounts = _accounts(entries)
    if not accounts:
        return "(the book is empty)\n"
    rows = []
    # Two currencies never stand in one row: their Ts do not add up to anything.
    for _, same_currency in groupby(accounts, key=lambda account: account.currency):
        for beside in batched(same_currency, ACCOUNTS_PER_ROW):
            drawings = [_draw(account, rows_max=rows_max) for account in beside]
            lines = zip_longest(*drawings, fillvalue="")
            width = 2 * SIDE_WIDTH + 1
            rows.append("\n".join(GAP.join(part.ljust(width) for part in line).rstrip() for line in lines))
    return "\n\n".join(rows) + "\n"


def totals(entries: Sequence[Entry]) -> dict[str, tuple[Decimal, Decimal]]:
    """Return all debits and all credits per currency; equal in a sound book."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for line in (line for entry in entries for line in entry.lines):
        debit, credit = sums.get(line.currency, (Decimal(0), Decimal(0)))
        amount = Decimal(line.amount)
        is_debit = line.side == "DEBIT"
        sums[line.currency] = (debit + amount, credit) if is_debit else (debit, credit + amount)
    return sums


def _accounts(entries: Sequence[Entry]) -> list[_Account]:
    found: dict[tuple[str, str], _Account] = {}
    for entry in sorted(entries, key=lambda entry: (entry.posted_at, entry.id)):
        reference = (entry.payment_intent_id or entry.id)[-REFERENCE_LENGTH:]
        for line in entry.lines:
            key = (line.currency, line.account)
            account = found.setdefault(key, _Account(name=line.account, currency=line.currency))
            side = account.debits if line.side == "DEBIT" else account.credits
            side.append((reference, Decimal(line.amount)))
    return [found[key] for key in sorted(found)]


def _draw(account: _Account, *, rows_max: int) -> list[str]:
    title = f"{account.name} ({account.currency})"
    rule = "-" * SIDE_WIDTH + "+" + "-" * SIDE_WIDTH
    left = _side(account.debits, rows_max=rows_max)
    right = _side(account.credits, rows_max=rows_max)
    debit, credit = _sum(account.debits), _sum(account.credits)
    return [
        title.center(2 * SIDE_WIDTH + 1).rstrip(),
        f"{'Debit'.ljust(SIDE_WIDTH)}|{'Credit'.rjust(SIDE_WIDTH)}",
        rule,
        *(f"{one}|{other}" for one, other in zip_longest(left, right, fillvalue=" " * SIDE_WIDTH)),
        rule,
        f"{_cell('total', debit)}|{_cell('total', credit)}",
    ]


def _side(postings: list[tuple[str, Decimal]], *, rows_max: int) -> list[str]:
    earlier, shown = postings[:-rows_max], postings[-rows_max:]
    cells = [_cell(reference, amount) for reference, amount in shown]
    return [_cell(f"{len(earlier)} earlier", _sum(earlier)), *cells] if earlier else cells


def _sum(postings: list[tuple[str, Decimal]]) -> Decimal:
    return sum((amount for _, amount in postings), Decimal(0))


def _cell(label: str, amount: Decimal) -> str:
    number = f"{amount:,}" if amount else "-"
    room = SIDE_WIDTH - len(number) - 3
    return f" {label[:room].ljust(room)} {number} "
