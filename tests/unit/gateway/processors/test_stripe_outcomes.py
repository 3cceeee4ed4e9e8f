"""The table of what Stripe's answers mean: complete, without two meanings, and never final from no knowledge."""

from collections import Counter

import pytest

from tests.support.stripe_answers import Pair, pairs
from tests.support.stripe_outcomes import DOCUMENT, NEXT, ROWS, Done, Outcome, Reading, Row, expanded, page

pytestmark = pytest.mark.unit

KNOWN = {
    Outcome.DONE: {Done.YES},
    Outcome.DECLINED: {Done.NO},
    Outcome.STILL_HELD: {Done.NO},
    Outcome.STILL_OPEN: {Done.NO},
    Outcome.ADOPTED: {Done.NO},
    Outcome.PENDING: {Done.LATER},
    Outcome.ACTION: {Done.LATER},
    Outcome.UNKNOWN: {Done.UNKNOWN},
    Outcome.NOT_TAKEN: {Done.NO},
    Outcome.WAITS: {Done.NO},
    Outcome.READ_AGAIN: {Done.UNKNOWN},
}
"""What must be known for each outcome."""


def test_each_pair_has_exactly_one_row() -> None:
    counted = Counter(pair for row in ROWS for pair in expanded(row))
    assert [str(pair) for pair, count in counted.items() if count > 1] == []
    assert [str(pair) for pair in counted.keys() - set(pairs())] == []
    assert [str(pair) for pair in set(pairs()) - counted.keys()] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.operations[0]}-{row.replies[0]}-{row.states[0]}")
def test_no_outcome_says_more_than_is_known(row: Row) -> None:
    assert row.done in KNOWN[row.outcome]
    assert (row.reading is Reading.LATER) == (row.done is Done.UNKNOWN or row.outcome is Outcome.UNKNOWN)
    if not row.sent:
        assert row.outcome in {Outcome.NOT_TAKEN, Outcome.UNKNOWN, Outcome.READ_AGAIN}


def test_each_outcome_has_a_next_step() -> None:
    assert set(NEXT) == set(Outcome)


def test_page_shows_the_table() -> None:
    assert DOCUMENT.read_text() == page(), "run `just docs`"


def test_pairs_are_named_apart() -> None:
    every: list[Pair] = list(pairs())
    assert len({str(pair) for pair in every}) == len(every)
