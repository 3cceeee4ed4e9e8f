"""What clients saw of one payment: histories that may have been, and those that cannot."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.payments.domain.lifecycle import LIFECYCLE, STATUS_OF, Move, Recount, Status
from tests.proof.chaos.history import ABSENT, STEPS, Act, Seen, State, findings, follows, reached_from

pytestmark = pytest.mark.unit

CREATED, PROCESSING, VOIDED, FAILED = (
    State(status) for status in (Status.CREATED, Status.PROCESSING, Status.VOIDED, Status.FAILED)
)
HELD, TAKEN = State(Status.AUTHORIZED), State(Status.AUTHORIZED, 1000)
SETTLED, PART = State(Status.SETTLED, 1000), State(Status.PARTIALLY_REFUNDED, 1000, 300)
REFUNDED = State(Status.REFUNDED, 1000, 1000)
PATHS = (
    (State(ABSENT), CREATED, PROCESSING, HELD, TAKEN, SETTLED, PART, REFUNDED),
    (State(ABSENT), CREATED, PROCESSING, FAILED),
    (State(ABSENT), CREATED, PROCESSING, HELD, VOIDED),
)


def seen(began: float, ended: float, shows: State | None, act: Act = Act.READ, **more: object) -> Seen:
    return Seen(act=act, began=began, ended=ended, shows=shows, **more)  # type: ignore[arg-type]


PAID = [seen(0, 1, CREATED, Act.CREATE), seen(2, 4, HELD, Act.CONFIRM)]


def test_payment_that_goes_on_is_a_history() -> None:
    history = [
        seen(-2, -1, State(ABSENT)),
        *PAID,
        seen(2.5, 3, PROCESSING),
        seen(5, 6, TAKEN),
        seen(7, 8, SETTLED),
        seen(9, 12, None, Act.REFUND, at_least=PART),
        seen(9.5, 10, PART),
        seen(13, 14, PART),
    ]
    assert findings(history) == []


def test_answers_that_overlap_may_be_in_either_order() -> None:
    assert findings([*PAID, seen(5, 9, SETTLED), seen(6, 8, TAKEN), seen(5.5, 7, HELD)]) == []


def test_request_without_an_answer_may_have_taken_effect() -> None:
    history = [seen(0, 1, CREATED, Act.CREATE), Seen(act=Act.CONFIRM, began=2), seen(3, 4, SETTLED)]
    assert findings(history) == []


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        ([*PAID, seen(5, 6, SETTLED), seen(7, 8, TAKEN)], "it went back"),
        ([*PAID, seen(5, 6, PROCESSING)], "it went back"),
        ([seen(0, 1, CREATED, Act.CREATE), seen(2, 3, State(ABSENT))], "it went back"),
        ([*PAID, seen(5, 6, SETTLED), seen(5, 6, FAILED)], "neither can follow the other"),
        ([*PAID, seen(5, 6, VOIDED), seen(7, 8, SETTLED), seen(4, 9, None, Act.VOID)], "neither can follow"),
        ([*PAID, seen(5, 6, SETTLED), seen(7, 8, State(Status.SETTLED, 900))], "it went back"),
        ([*PAID, seen(5, 6, None, Act.REFUND, at_least=PART), seen(7, 8, SETTLED)], "though before it refund"),
        ([*PAID, seen(5, 6, REFUNDED)], "nobody had requested to refund"),
        ([*PAID, seen(5, 6, REFUNDED), seen(7, 8, None, Act.REFUND)], "nobody had requested to refund"),
        ([*PAID, seen(5, 6, VOIDED)], "nobody had requested to void"),
        ([PAID[0], seen(2, 3, PROCESSING)], "nobody had requested to confirm"),
        ([seen(2, 3, CREATED)], "nobody had requested to create"),
        ([*PAID, seen(5, 6, State("REQUIRES_ACTION"))], "unknown status"),
    ],
)
def test_history_that_cannot_have_been_is_found(history: list[Seen], sentence: str) -> None:
    found = findings(history)
    assert found
    assert all(sentence in each for each in found[:1]), found


def test_held_funds_are_not_taken_unasked() -> None:
    assert "nobody had requested to capture" in findings([*PAID, seen(5, 6, TAKEN)], is_manual=True)[0]
    captured = [*PAID, seen(4.5, 6, TAKEN, Act.CAPTURE), seen(5, 5.5, TAKEN)]
    assert findings(captured, is_manual=True) == []


def is_linearizable(history: list[Seen]) -> bool:
    """By the definition: some order that keeps what came before what, and in which the states never go back."""
    for order in permutations(history):
        states = [each.shows for each in order if each.shows is not None]
        is_in_time = all(
            not later.ended < earlier.began for at, earlier in enumerate(order) for later in order[at + 1 :]
        )
        if is_in_time and all(follows(earlier, later) for earlier, later in pairwise(states)):
            return True
    return False


instants = st.integers(0, 12)
reads = st.builds(
    lambda at, lasts, state: seen(at, at + lasts + 0.5, state),
    instants,
    st.integers(0, 6),
    st.sampled_from([HELD, TAKEN, SETTLED, PART, FAILED]),
)
REQUESTED = [Seen(act=act, began=-1.0) for act in Act]


@given(st.lists(reads, max_size=5))
def test_pairs_find_what_the_definition_finds(history: list[Seen]) -> None:
    assert (findings([*REQUESTED, *history]) == []) == is_linearizable(history)


@given(st.sampled_from(PATHS), st.lists(st.tuples(st.floats(0, 0.99), instants, instants), max_size=30))
def test_what_one_payment_shows_is_never_found(path: tuple[State, ...], answers: list[tuple[float, int, int]]) -> None:
    # Each answer shows the payment at an instant between its two ends; the payment goes on as time does.
    history = [seen(at * 100 - before, at * 100 + after, path[int(at * len(path))]) for at, before, after in answers]
    assert findings([*(Seen(act=act, began=-100.0) for act in Act), *history]) == []


def test_steps_are_moves_of_the_lifecycle() -> None:
    moves = {(STATUS_OF[stage], STATUS_OF[row.to]) for (stage, _), row in LIFECYCLE.items() if isinstance(row, Move)}
    by_amounts = {
        status for (stage, _), row in LIFECYCLE.items() if isinstance(row, Recount) for status in [STATUS_OF[stage]]
    }
    for status, nexts in STEPS.items():
        for step in nexts:
            assert status == ABSENT or (status, step) in moves or status in by_amounts, (status, step)


def test_no_status_comes_again() -> None:
    assert all(status not in reached_from(step) for status, steps in STEPS.items() for step in steps)
