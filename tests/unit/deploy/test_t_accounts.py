"""The book is drawn the same way every time, with totals that add up."""

from decimal import Decimal
from pathlib import Path

import pytest

from deploy.local.t_accounts import Entry, Line, t_accounts, totals

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parent / "golden" / "t_accounts.txt"


def entry(number: int, *lines: tuple[str, str, str], currency: str = "BRL") -> Entry:
    return Entry(
        id=f"019ab000-0000-7000-8000-00000000e{number:03d}",
        payment_intent_id=f"019ab000-0000-7000-8000-0000000a0{number:03d}",
        posted_at=f"2026-11-22T12:00:{number:02d}+00:00",
        lines=[Line(side=side, account=account, amount=amount, currency=currency) for side, account, amount in lines],
    )


def sale(number: int, amount: str, currency: str = "BRL") -> Entry:
    return entry(number, ("DEBIT", "CASH", amount), ("CREDIT", "REVENUE", amount), currency=currency)


BOOK = [
    *(sale(number, "150.50") for number in range(1, 11)),
    entry(11, ("DEBIT", "REFUND_EXPENSE", "1234567.89"), ("CREDIT", "CASH", "1234567.89")),
    sale(12, "500", "JPY"),
]


def test_the_book_is_drawn_as_it_always_was() -> None:
    assert t_accounts(BOOK) == GOLDEN.read_text()


def test_the_order_in_which_entries_arrive_does_not_matter() -> None:
    assert t_accounts(list(reversed(BOOK))) == t_accounts(BOOK)


def test_an_empty_book_says_so() -> None:
    assert t_accounts([]) == "(the book is empty)\n"


def test_every_line_fits_the_page_and_ends_clean() -> None:
    lines = t_accounts(BOOK).splitlines()
    assert max(map(len, lines)) <= 102
    assert all(line == line.rstrip() for line in lines)


def test_two_currencies_never_meet_in_one_row() -> None:
    titles = [line for line in t_accounts(BOOK).splitlines() if "(" in line]
    assert not [line for line in titles if "(BRL)" in line and "(JPY)" in line]


def test_a_long_account_name_keeps_its_amounts() -> None:
    drawn = t_accounts([entry(1, ("DEBIT", "A" * 64, "1.00"), ("CREDIT", "B" * 64, "1.00"))])
    assert drawn.count("1.00") == 4


def test_totals_are_per_currency_and_exact() -> None:
    assert totals(BOOK) == {
        "BRL": (Decimal("1236072.89"), Decimal("1236072.89")),
        "JPY": (Decimal(500), Decimal(500)),
    }
