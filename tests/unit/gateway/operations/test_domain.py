"""What is always true of an attempt."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts import published_by
from libs.common.ids import new_id
from services.gateway.app import patience
from services.gateway.notices import Dispute
from services.gateway.operations import Attempt, AttemptStatus, Patience, attempt_id
from services.gateway.outbox import MESSAGES
from services.gateway.processors.port import DisputeState, NotTaken, NotTakenReason, Operation
from services.gateway.settings import ResolutionSettings
from tests.unit.gateway.processors.processor_suite import REQUESTED_AT

PATIENCE = patience(ResolutionSettings())


def an_attempt(*, age: timedelta | None) -> Attempt:
    return Attempt(
        tenant_id="tenant_demo",
        id=new_id(),
        payment_intent_id=new_id(),
        operation=Operation.AUTHORIZE,
        processor="sandbox",
        status=AttemptStatus.UNKNOWN,
        amount_minor=100,
        currency="BRL",
        customer_ref="",
        gateway_ref="",
        asked_at=None if age is None else REQUESTED_AT - age,
        next_ask_at=None,
        created_at=REQUESTED_AT,
        correlation_id="c",
        traceparent="",
    )


def test_the_same_command_is_the_same_attempt() -> None:
    intent = UUID("0190f3a4-5b6c-7d8e-9f01-23456789abce")
    ids = {
        attempt_id(tenant_id=tenant, subject_id=subject, operation=operation)
        for tenant in ("a", "b")
        for subject in (intent, new_id())
        for operation in Operation
        for _ in range(3)
    }
    assert len(ids) == 4 * len(Operation)
    # Fixed for ever: another derivation would be another key at the processor, and another charge.
    assert (
        str(attempt_id(tenant_id="a", subject_id=intent, operation=Operation.AUTHORIZE))
        == "0190f3a4-5b6c-74a1-85c1-ab00f0ef6397"
    )


@given(age_seconds=st.integers(min_value=0, max_value=200_000))
def test_unknown_outcome_is_read_at_rising_ages_within_the_keys_life(
    age_seconds: int,
) -> None:
    asked_at = REQUESTED_AT
    now = asked_at + timedelta(seconds=age_seconds)
    following = PATIENCE.after_silence(asked_at=asked_at, now=now)
    if age_seconds < 79_200:
        assert following is not None
        assert now < following < asked_at + PATIENCE.key_lifetime
    elif following is not None:
        # From then on the processor's records are read, and nothing is requested.
        assert following > asked_at + PATIENCE.key_lifetime
        assert not PATIENCE.may_call(an_attempt(age=following - asked_at), now=asked_at)


def test_the_schedule_is_walked_to_its_end() -> None:
    now, ages = REQUESTED_AT, []
    while (following := PATIENCE.after_silence(asked_at=REQUESTED_AT, now=now)) is not None:
        ages.append((following - REQUESTED_AT).total_seconds())
        now = following
    repeated = [5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200, 79_200]
    assert ages == [*repeated, *(86_400 + age for age in (900, 3_600, 21_600, 86_400, 259_200))]


def test_a_key_that_may_be_forgotten_is_not_used_again() -> None:
    day = timedelta(days=1)
    assert PATIENCE.may_call(an_attempt(age=None), now=REQUESTED_AT)
    assert PATIENCE.may_call(an_attempt(age=day - timedelta(seconds=1)), now=REQUESTED_AT)
    assert not PATIENCE.may_call(an_attempt(age=day), now=REQUESTED_AT)


def test_call_not_taken_is_made_again_unless_another_is_in_doubt() -> None:
    late, pause = REQUESTED_AT + timedelta(days=1), timedelta(seconds=5)
    for is_in_doubt in (True, False):
        soon = PATIENCE.after_refusal(asked_at=REQUESTED_AT, now=REQUESTED_AT, is_in_doubt=is_in_doubt)
        assert soon == REQUESTED_AT + pause
    assert PATIENCE.after_refusal(asked_at=REQUESTED_AT, now=late, is_in_doubt=False) == late + pause
    looked_up = PATIENCE.after_refusal(asked_at=REQUESTED_AT, now=late, is_in_doubt=True)
    assert looked_up == late + timedelta(seconds=900)


def test_authorization_alone_is_declined_that_its_account_cannot_make() -> None:
    refused = NotTaken(reason=NotTakenReason.CREDENTIALS_REFUSED)
    waiting = msgspec.structs.replace(an_attempt(age=None), created_at=REQUESTED_AT)
    over = REQUESTED_AT + timedelta(seconds=300)
    assert PATIENCE.is_hopeless(waiting, refused, now=over)
    assert not PATIENCE.is_hopeless(waiting, refused, now=over - timedelta(seconds=1))
    for reason in set(NotTakenReason) - {NotTakenReason.CREDENTIALS_REFUSED}:
        assert not PATIENCE.is_hopeless(waiting, NotTaken(reason=reason), now=over)
    for operation in set(Operation) - {Operation.AUTHORIZE}:
        other = msgspec.structs.replace(waiting, operation=operation)
        assert not PATIENCE.is_hopeless(other, refused, now=over)


def test_a_processor_is_left_alone_for_as_long_as_it_wants() -> None:
    pause = timedelta(minutes=3)
    later = PATIENCE.after_refusal(asked_at=REQUESTED_AT, now=REQUESTED_AT, is_in_doubt=True, pause=pause)
    assert later == REQUESTED_AT + pause
    silent = PATIENCE.after_silence(asked_at=REQUESTED_AT, now=REQUESTED_AT, pause=pause)
    assert silent is not None
    assert silent > REQUESTED_AT + pause


def test_the_outbox_allows_exactly_what_the_contracts_do() -> None:
    assert set(MESSAGES) == set(published_by("gateway"))


SCHEDULE = Patience(
    ages=(timedelta(seconds=5), timedelta(seconds=30)),
    key_lifetime=timedelta(hours=1),
    lease=timedelta(seconds=10),
    pause=timedelta(seconds=5),
    authorization_wait=timedelta(minutes=5),
    look_up_ages=(timedelta(minutes=1), timedelta(hours=2)),
    reading_ages=(timedelta(seconds=60), timedelta(seconds=600)),
)


@pytest.mark.parametrize(
    ("passed", "silent", "accepted"),
    [
        (0, 5, 60),
        (4, 5, 60),
        (5, 30, 60),
        (29, 30, 60),
        (30, 3_660, 60),
        (60, 3_660, 600),
        (599, 3_660, 600),
        (600, 3_660, None),
        (3_660, 10_800, None),
        (10_800, None, None),
    ],
)
def test_next_age_is_the_first_that_is_still_to_come(passed: int, silent: int | None, accepted: int | None) -> None:
    now = REQUESTED_AT + timedelta(seconds=passed)
    found = (
        SCHEDULE.after_silence(asked_at=REQUESTED_AT, now=now),
        SCHEDULE.after_acceptance(asked_at=REQUESTED_AT, now=now),
    )
    assert found == tuple(None if s is None else REQUESTED_AT + timedelta(seconds=s) for s in (silent, accepted))


@pytest.mark.parametrize(
    ("passed", "pause", "following"),
    [(10, 0, 15), (10, 20, 30), (10, 90, 60), (100, 0, 110), (590, 0, 600), (600, 0, None)],
)
def test_a_reading_that_failed_is_repeated_before_the_next_age(passed: int, pause: int, following: int | None) -> None:
    now = REQUESTED_AT + timedelta(seconds=passed)
    found = SCHEDULE.after_unread(asked_at=REQUESTED_AT, now=now, pause=timedelta(seconds=pause))
    assert found == (None if following is None else REQUESTED_AT + timedelta(seconds=following))


def test_age_at_which_the_processor_wants_to_be_left_alone_is_passed_over() -> None:
    following = SCHEDULE.after_silence(asked_at=REQUESTED_AT, now=REQUESTED_AT, pause=timedelta(seconds=5))
    assert following == REQUESTED_AT + timedelta(seconds=30)


def test_what_has_a_reference_at_the_processor_may_be_read_for_ever() -> None:
    old = an_attempt(age=timedelta(days=9))
    assert PATIENCE.may_call(msgspec.structs.replace(old, result_ref="ref"), now=REQUESTED_AT)
    decided = msgspec.structs.replace(old, result_ref="ref", status=AttemptStatus.DECLINED)
    assert (decided.known_ref, decided.is_decided) == ("", True)


WON, LOST = DisputeState.WON, DisputeState.LOST


@pytest.mark.parametrize(
    ("state", "reversals", "decisions"),
    [
        (DisputeState.OPEN, 0, []),
        (WON, 0, [WON]),
        (LOST, 0, [LOST]),
        (WON, 1, [LOST, WON]),
        (LOST, 2, [LOST, WON, LOST]),
        (LOST, 3, [WON, LOST, WON, LOST]),
    ],
)
def test_bank_that_reverses_its_decision_has_decided_each_time(
    state: DisputeState, reversals: int, decisions: list[DisputeState]
) -> None:
    dispute = Dispute(
        tenant_id="t",
        id=new_id(),
        payment_intent_id=new_id(),
        processor="sandbox",
        gateway_ref="dp-1",
        state=state,
        amount_minor=100,
        currency="BRL",
        reason="fraudulent",
        opened_at=REQUESTED_AT,
        evidence_due_at=None,
        decided_at=None,
    )
    assert dispute.reversals == 0
    assert msgspec.structs.replace(dispute, reversals=reversals).decisions == decisions
