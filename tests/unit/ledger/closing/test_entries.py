"""Entries that end a period balance, whatever the number of accounts and the size of amounts."""

import random
from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_errors import EntryInvalid
from libs.common.contracts.ledger_journal import ManualEntry
from libs.common.money import AMOUNT_MINOR_MAX, parse_amount
from services.ledger.closing.domain import Drafted, ids_of, moving

pytestmark = pytest.mark.unit

AT = datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def drafted(ids: list[UUID]) -> Drafted:
    return Drafted(kind="year_end", currency="JPY", description="Year end", occurred_at=AT, ids=iter(ids))


def moved(entries: list[ManualEntry]) -> dict[str, int]:
    """Add up debits less credits; every entry balances and has room for its lines."""
    sums: dict[str, int] = {}
    for entry in entries:
        amounts = [parse_amount(line.amount, "JPY") * (1 if line.side is Side.DEBIT else -1) for line in entry.lines]
        assert sum(amounts) == 0
        assert 2 <= len(amounts) <= 1000
        for line, amount in zip(entry.lines, amounts, strict=True):
            sums[line.account] = sums.get(line.account, 0) + amount
    return sums


def test_all_accounts_are_emptied_and_the_other_has_it_all() -> None:
    dice = random.Random(17)
    amounts = {f"A{number}": dice.choice((1, -1)) * dice.randint(1, 10**6) for number in range(2500)}
    amounts |= {"HUGE": 3 * AMOUNT_MINOR_MAX + 1, "HUGER": -7 * AMOUNT_MINOR_MAX}
    entries = moving(amounts, "RETAINED", drafted(ids_of("t", "x")))
    assert len({entry.id for entry in entries}) == len(entries) == 3
    assert moved(entries) == {account: -net for account, net in amounts.items()} | {"RETAINED": sum(amounts.values())}


def test_what_cancels_out_leaves_nothing_for_the_other() -> None:
    [entry] = moving({"A": 5, "B": -5}, "RETAINED", drafted(ids_of("t", "x")))
    assert moved([entry]) == {"A": -5, "B": 5}


def test_entries_for_one_thing_are_bounded() -> None:
    with pytest.raises(EntryInvalid):
        moving({"A": 1}, "RETAINED", drafted([]))
