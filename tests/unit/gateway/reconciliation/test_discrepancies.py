"""What becomes of a discrepancy when a run sees it again, sees it no more, or a person decides."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.gateway_errors import DiscrepancyDecided
from libs.common.contracts.gateway_reconciliation import (
    Decision,
    Discrepancy,
    DiscrepancyState,
    DiscrepancyType,
    SubjectKind,
)
from services.gateway.reconciliation.discrepancies.domain import (
    AGREED,
    BY_HAND,
    Observation,
    agreed,
    decided,
    first_seen,
    seen_again,
)

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 20, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SEEN = Observation(
    id=UUID(int=1),
    type=DiscrepancyType.AMOUNT_MISMATCH,
    subject_kind=SubjectKind.PAYMENT,
    subject=str(UUID(int=2)),
    aspect="processor",
    payment_intent_id=UUID(int=2),
    gateway_ref="ch_1",
    currency="BRL",
    expected_minor=100,
    actual_minor=90,
    expected_status="SETTLED",
    actual_status="",
    detail="",
)
OTHER_FACTS = msgspec.structs.replace(SEEN, actual_minor=80)
TIMING = msgspec.structs.replace(SEEN, type=DiscrepancyType.TIMING, expected_status="PARTIALLY_REFUNDED")
S, D = DiscrepancyState, Decision
OPEN = first_seen(SEEN, tenant_id="t", at=NOW)
LEGAL = {
    (state, decision) for state in S for decision in D if (state in (S.RESOLVED, S.IGNORED)) is (decision is D.REOPEN)
}
AGAIN = {
    (S.PENDING, D.PEND),
    (S.RESOLVED, D.RESOLVE),
    (S.IGNORED, D.IGNORE),
    (S.REOPENED, D.REOPEN),
}
"""Decisions that were made already, and change nothing."""


def settled(state: DiscrepancyState, reason: str = BY_HAND) -> Discrepancy:
    return msgspec.structs.replace(OPEN, state=state, reason=reason, settled_at=NOW)


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("decision", D)
def test_decisions_are_legal_where_something_is_left_or_is_to_be_taken_up(
    state: DiscrepancyState, decision: Decision
) -> None:
    known = msgspec.structs.replace(OPEN, state=state, settled_at=NOW if state in (S.RESOLVED, S.IGNORED) else None)

    def decide() -> Discrepancy:
        return decided(known, decision, assignee="ana", reason="", note="n", at=LATER)

    if (state, decision) in AGAIN:
        assert decide() == known
    elif (state, decision) not in LEGAL:
        with pytest.raises(DiscrepancyDecided):
            decide()
    else:
        after = decide()
        assert after.note == "n"
        assert (after.settled_at == LATER) is (after.state in (S.RESOLVED, S.IGNORED))
        assert after.assignee == ("ana" if decision is D.ASSIGN else "")


@pytest.mark.parametrize(
    ("known", "observed", "state"),
    [
        (OPEN, OTHER_FACTS, S.OPEN),
        (settled(S.IGNORED), SEEN, S.IGNORED),
        (settled(S.RESOLVED), SEEN, S.RESOLVED),
        (settled(S.IGNORED), TIMING, S.IGNORED),
        (settled(S.IGNORED), OTHER_FACTS, S.REOPENED),
        (settled(S.RESOLVED), OTHER_FACTS, S.REOPENED),
        (settled(S.RESOLVED, AGREED), SEEN, S.REOPENED),
    ],
)
def test_what_a_person_settled_stays_so_while_its_facts_do(
    known: Discrepancy, observed: Observation, state: DiscrepancyState
) -> None:
    after = seen_again(known, observed, at=LATER)
    assert (after.state, after.seen_at, after.found_at) == (state, LATER, NOW)
    assert after.actual_minor == observed.actual_minor
    assert (after.settled_at is None) is (state in (S.OPEN, S.REOPENED))


def test_what_has_a_name_is_no_matter_of_time_again() -> None:
    assert seen_again(OPEN, TIMING, at=LATER).type is DiscrepancyType.AMOUNT_MISMATCH
    waiting = first_seen(TIMING, tenant_id="t", at=NOW)
    assert seen_again(waiting, SEEN, at=LATER).type is DiscrepancyType.AMOUNT_MISMATCH


def test_what_agrees_is_resolved_with_that_reason() -> None:
    after = agreed(OPEN, at=LATER)
    assert (after.state, after.reason, after.settled_at) == (S.RESOLVED, AGREED, LATER)
