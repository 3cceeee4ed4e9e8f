"""A dispute's changed amount is exact in a currency of which many units are worth one of the settlement's."""

from typing import Any

import pytest

from services.gateway.movements.domain import with_changes
from services.gateway.processors.port.reading import StatementMovement
from services.gateway.processors.stripe.statement import movement_of

FIRST, SECOND, THIRD = 436_250, 300_007, 250_019
RATE = 0.034_5


def moved(ref: str, amount: int, *, shown: int, at: int, rate: float = RATE) -> StatementMovement:
    """A movement of so many yen, settled in reais, read while the dispute is of `shown`."""
    dispute = {"object": "dispute", "id": "dp_1", "amount": shown, "currency": "jpy", "payment_intent": "pi_1"}
    found: dict[str, Any] = {
        "id": ref,
        "amount": round(amount * rate),
        "available_on": at,
        "created": at,
        "currency": "brl",
        "exchange_rate": rate,
        "fee": 0,
        "fee_details": [],
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute,
        "status": "pending",
        "type": "adjustment",
    }
    return movement_of(found)


def amounts(found: list[StatementMovement]) -> dict[str, int | None]:
    return {each.ref: each.source_amount_minor for each in found}


def test_rate_alone_is_some_yen_off() -> None:
    change = moved("txn_2", FIRST - SECOND, shown=SECOND, at=2)
    assert (change.source_amount_minor, change.source_total_minor) == (136_232, SECOND)
    assert FIRST - SECOND == 136_243
    assert moved("txn_1", -FIRST, shown=FIRST, at=1).source_amount_minor == -FIRST


def test_change_is_what_the_disputes_own_amounts_make() -> None:
    opened = {"dp_1": {"txn_1": -FIRST}}
    change = moved("txn_2", FIRST - SECOND, shown=SECOND, at=2)
    assert amounts(with_changes([change], opened)) == {"txn_2": FIRST - SECOND}
    # It is seen again, beside its opening, which is recorded and not changed any more.
    opening = moved("txn_1", -FIRST, shown=SECOND, at=1)
    known = {"dp_1": {"txn_1": -FIRST, "txn_2": FIRST - SECOND}}
    assert amounts(with_changes([change, opening], known))["txn_2"] == FIRST - SECOND
    again = moved("txn_3", SECOND - THIRD, shown=THIRD, at=3)
    assert amounts(with_changes([again], known)) == {"txn_3": SECOND - THIRD}
    raised = moved("txn_3", SECOND - FIRST, shown=FIRST, at=3)
    assert amounts(with_changes([raised], known)) == {"txn_3": SECOND - FIRST}


@pytest.mark.parametrize("half", [218_125, 218_103, 218_115, 218_140])
@pytest.mark.parametrize("turned", [False, True])
def test_change_by_about_half_is_not_taken_for_what_is_left(half: int, turned: bool) -> None:
    """A centavo is 29 yen: what the dispute is of now is within one of what moved, and is another amount."""
    change = moved("txn_2", FIRST - half, shown=half, at=2)
    assert change.source_amount_minor == half
    assert amounts(with_changes([change], {"dp_1": {"txn_1": -FIRST}})) == {"txn_2": FIRST - half}
    late = [moved("txn_1", -FIRST, shown=half, at=1), change]
    found = amounts(with_changes(late[::-1] if turned else late, {}))
    assert sum(each or 0 for each in found.values()) == -half
    # Won, so that what is left comes back: as the dispute names it.
    recorded = {"dp_1": {"txn_1": -FIRST, "txn_2": FIRST - half}}
    assert amounts(with_changes([moved("txn_3", half, shown=half, at=3)], recorded)) == {"txn_3": half}


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_read_late_adds_up_to_the_amount_that_stands(turned: bool) -> None:
    """Opening and changes are read at once, when the dispute shows its last amount alone."""
    late = [
        moved("txn_1", -FIRST, shown=THIRD, at=1),
        moved("txn_2", FIRST - SECOND, shown=THIRD, at=2),
        moved("txn_3", SECOND - THIRD, shown=THIRD, at=3),
    ]
    found = with_changes(late[::-1] if turned else late, {})
    assert sum(each.source_amount_minor or 0 for each in found) == -THIRD
    assert [each.ref for each in found] == [each.ref for each in (late[::-1] if turned else late)]


def test_what_is_not_the_same_at_the_rate_stays_as_the_rate_has_it() -> None:
    change = moved("txn_2", FIRST - SECOND, shown=SECOND, at=2)
    for before in (
        {},
        {"dp_1": {"txn_1": -FIRST, "txn_0": -1_000}},
        {"dp_1": {"txn_1": FIRST}},
        {"dp_2": {"x": -FIRST}},
    ):
        assert with_changes([change], before) == [change]
