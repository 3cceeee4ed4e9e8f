"""The figures of a report tie: what an account opens with and what moved make what it closes with, and ages make the balance."""

from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common.contracts.gateway_reports import BooksBeside, MovedLine
from services.gateway.reconciliation.reports.domain import Books, Moved, Off, ages_of, clearing, report, summaries

AT = datetime(2026, 11, 20, tzinfo=UTC)


def moved(kind: str, came: int = 0, left: int = 0, *, kept: int = 0, before: int = 0, **more: Any) -> Moved:
    fields: dict[str, Any] = {
        "account_id": "acct_1",
        "is_live": True,
        "currency": "BRL",
        "before_minor": before,
        "number": 2,
        "fees": 1 if kept else 0,
        "kept_minor": kept,
        "given_back_minor": 0,
        "until_minor": before + came - left - kept,
    }
    return Moved(kind=kind, in_minor=came, out_minor=left, **(fields | more))


def test_opening_and_what_moved_make_the_closing() -> None:
    (found,) = summaries(
        [
            moved("charge", 10_000, kept=300, before=500),
            moved("refund", 0, 2_000),
            moved("fee", 0, 70),
            moved("payout", 0, 4_000, number=1),
            moved("dispute", before=-40, number=0),
        ],
        [Off(account_id="acct_1", is_live=True, currency="BRL", total_off_minor=-7, compared_at=AT)],
    )
    assert (found.opening_minor, found.in_minor, found.out_minor) == (460, 10_000, 6_370)
    assert found.closing_minor == 460 + 10_000 - 6_370
    assert found.lines == [
        MovedLine(kind="charge", number=2, in_minor=10_000, out_minor=0),
        MovedLine(kind="payout", number=1, in_minor=0, out_minor=4_000),
        MovedLine(kind="refund", number=2, in_minor=0, out_minor=2_000),
        MovedLine(kind="fee", number=3, in_minor=0, out_minor=370),
    ]
    assert (found.off_minor, found.compared_at) == (-7, AT)


def test_a_statement_that_does_not_tie_is_no_report() -> None:
    with pytest.raises(ValueError, match="does not add up"):
        summaries([moved("charge", 10_000, until_minor=9_999)], [])


@pytest.mark.parametrize(
    ("held", "before", "expected"),
    [
        # All of it came within the day.
        ((100, 0), {"day": (0, 0), "week": (0, 0), "month": (0, 0)}, (100, 0, 0, 0)),
        # What was cleared is the oldest.
        ((100, 60), {"day": (90, 60), "week": (70, 0), "month": (50, 0)}, (10, 20, 10, 0)),
        ((100, 30), {"day": (100, 30), "week": (100, 0), "month": (40, 0)}, (0, 0, 60, 10)),
        # The same on the credit side, and one that has turned over.
        ((0, 80), {"day": (0, 80), "week": (0, 20), "month": (0, 0)}, (0, -60, -20, 0)),
        ((50, 80), {"day": (50, 10), "week": (50, 10), "month": (50, 0)}, (-30, 0, 0, 0)),
        ((70, 70), {"day": (0, 0), "week": (0, 0), "month": (0, 0)}, (0, 0, 0, 0)),
    ],
)
def test_a_balance_is_parted_by_age(
    held: tuple[int, int], before: dict[str, tuple[int, int]], expected: tuple[int, ...]
) -> None:
    found = ages_of(held, before)
    assert tuple(found.values()) == expected
    assert sum(found.values()) == held[0] - held[1]


def test_books_stand_beside_statements_and_clearing_accounts_are_named() -> None:
    books = Books(
        roles={
            "PENDING": ["PROCESSOR_PENDING"],
            "READY": ["PROCESSOR_AVAILABLE"],
            "PARKED": ["SUSPENSE", "REFUND_CLEARING"],
            "EMPTY": ["DISPUTE_CLEARING"],
            "TILL": ["CASH"],
        },
        closing={
            ("PENDING", "BRL"): (900, 300),
            ("READY", "BRL"): (300, 0),
            ("READY", "EUR"): (5, 0),
            ("PARKED", "BRL"): (0, 40),
            ("EMPTY", "BRL"): (7, 7),
            ("TILL", "BRL"): (10, 0),
            ("UNPLAYED", "BRL"): (10, 0),
        },
        before={"day": {}, "week": {}, "month": {}},
    )
    found = report(
        window=(AT, AT), made_at=AT, moved=[moved("charge", 1_000)], off=[], books=books, matched=[], unsettled=[]
    )
    assert found.books == [
        BooksBeside(currency="BRL", statement_minor=1_000, books_minor=900, difference_minor=-100),
        BooksBeside(currency="EUR", statement_minor=0, books_minor=5, difference_minor=5),
    ]
    assert [(each.account, each.roles, each.balance_minor) for each in found.clearing] == [
        ("PARKED", ["REFUND_CLEARING", "SUSPENSE"], -40),
        ("TILL", ["CASH"], 10),
    ]
    # Where no statement is read, all that the processor holds stands there.
    assert [each.account for each in clearing(books, has_statement=False)] == ["PARKED"]
