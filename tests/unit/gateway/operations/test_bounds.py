"""Where the rules of an attempt end: the last amount, the last moment of a key, what makes a command another one."""

from datetime import datetime, timedelta

import msgspec
import pytest

from libs.common.errors import Invalid
from libs.common.money import AMOUNT_MINOR_MAX
from services.gateway.operations import UNHEARD, AttemptStatus, Patience
from services.gateway.operations.domain.attempts import DECIDED, UNDECIDED, check_amount
from services.gateway.processors.port import Operation
from tests.unit.gateway.operations.test_domain import an_attempt
from tests.unit.gateway.processors.processor_suite import REQUESTED_AT

SECOND = timedelta(seconds=1)
PATIENCE = Patience(
    ages=(3 * SECOND, 50 * SECOND),
    key_lifetime=100 * SECOND,
    lease=7 * SECOND,
    pause=2 * SECOND,
    authorization_wait=20 * SECOND,
    look_up_ages=(5 * SECOND, 60 * SECOND),
    reading_ages=(11 * SECOND, 900 * SECOND),
)


@pytest.mark.parametrize("amount_minor", [1, 2, AMOUNT_MINOR_MAX])
def test_an_amount_within_bounds_can_be_charged(amount_minor: int) -> None:
    check_amount(amount_minor, "BRL", Operation.AUTHORIZE)


@pytest.mark.parametrize("amount_minor", [-1, 0, AMOUNT_MINOR_MAX + 1])
def test_an_amount_beyond_them_cannot(amount_minor: int) -> None:
    with pytest.raises(Invalid) as refused:
        check_amount(amount_minor, "BRL", Operation.AUTHORIZE)
    assert refused.value.reason == "invalid_amount"


@pytest.mark.parametrize("currency", ["", "brl", "XYZ", "BR"])
@pytest.mark.parametrize("operation", Operation)
def test_a_currency_that_nobody_has_cannot_be_charged(currency: str, operation: Operation) -> None:
    with pytest.raises(Invalid) as refused:
        check_amount(1, currency, operation)
    assert refused.value.reason == "unsupported_currency"


@pytest.mark.parametrize("currency", ["BGN", "HRK"])
def test_withdrawn_currency_is_refused_for_new_payments_only(currency: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_amount(1, currency, Operation.AUTHORIZE)
    assert refused.value.reason == "unsupported_currency"
    for operation in set(Operation) - {Operation.AUTHORIZE}:
        check_amount(1, currency, operation)


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"customer_ref": "another"}, True),
        ({"amount_minor": 101}, False),
        ({"currency": "USD"}, False),
        ({"amount_minor": 101, "currency": "USD"}, False),
    ],
)
def test_a_command_is_the_same_operation_only_with_the_same_money(changes: dict[str, object], is_same: bool) -> None:
    first = an_attempt(age=None)
    other = msgspec.structs.replace(first, **changes)
    assert first.is_same_operation(other) is other.is_same_operation(first) is is_same


@pytest.mark.parametrize(("age", "may"), [(0, True), (99.999999, True), (100, False), (100.000001, False)])
def test_a_key_is_used_before_its_lifetime_ends_and_not_at_its_end(age: float, may: bool) -> None:
    attempt = an_attempt(age=timedelta(seconds=age))
    assert PATIENCE.may_call(attempt, now=REQUESTED_AT) is may
    # One whose reference is known is read by that, at any age; one that is decided has none to read.
    read = msgspec.structs.replace(attempt, result_ref="pi_1")
    assert PATIENCE.may_call(read, now=REQUESTED_AT)
    decided = msgspec.structs.replace(read, status=AttemptStatus.APPROVED)
    assert PATIENCE.may_call(decided, now=REQUESTED_AT) is may


@pytest.mark.parametrize(
    ("seconds", "requested", "following"),
    [(2, 0, 3), (3, 0, 50), (2, 1, 50), (49, 0, 50), (50, 0, 105), (0, 50, 105), (105, 0, 160), (160, 0, None)],
)
def test_silence_is_followed_by_the_next_age_that_is_still_to_come(
    seconds: int, requested: int, following: int | None
) -> None:
    found = PATIENCE.after_silence(
        asked_at=REQUESTED_AT, now=REQUESTED_AT + seconds * SECOND, pause=timedelta(seconds=requested)
    )
    assert found == at(following)


@pytest.mark.parametrize(("seconds", "following"), [(10, 11), (11, 900), (899, 900), (900, None)])
def test_what_was_taken_on_is_read_at_the_next_age(seconds: int, following: int | None) -> None:
    now = REQUESTED_AT + seconds * SECOND
    assert PATIENCE.after_acceptance(asked_at=REQUESTED_AT, now=now) == at(following)


@pytest.mark.parametrize(
    ("seconds", "requested", "following"),
    [(0, 0, 2), (0, 1, 2), (0, 5, 5), (97, 0, 99), (98, 0, 105), (97, 3, 105), (160, 0, None)],
)
def test_call_that_was_not_taken_is_repeated_within_the_keys_lifetime(
    seconds: int, requested: int, following: int | None
) -> None:
    found = PATIENCE.after_refusal(
        asked_at=REQUESTED_AT,
        now=REQUESTED_AT + seconds * SECOND,
        is_in_doubt=True,
        pause=timedelta(seconds=requested),
    )
    assert found == at(following)


def at(seconds: int | None) -> datetime | None:
    return None if seconds is None else REQUESTED_AT + seconds * SECOND


def test_each_status_has_an_outcome_or_none() -> None:
    assert {AttemptStatus.APPROVED, AttemptStatus.DECLINED, AttemptStatus.REVERSED} == DECIDED
    assert {
        AttemptStatus.PENDING,
        AttemptStatus.UNKNOWN,
        AttemptStatus.ACCEPTED,
        AttemptStatus.ACTION_REQUIRED,
    } == UNDECIDED
    assert {AttemptStatus.PENDING, AttemptStatus.UNKNOWN} == UNHEARD
    for status in AttemptStatus:
        attempt = msgspec.structs.replace(an_attempt(age=None), status=status, result_ref="pi_1")
        assert attempt.is_decided is (status in DECIDED)
        assert attempt.known_ref == ("" if status in DECIDED else "pi_1")
    assert attempt.idempotency_key == str(attempt.id)
