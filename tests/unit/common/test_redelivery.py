"""What becomes of a message that failed, by kind of failure."""

import asyncpg
import pytest

from libs.common.errors import (
    BrokenInvariant,
    Conflict,
    Invalid,
    NotFound,
    OutcomeUnknown,
    TooEarly,
    Unavailable,
    Undecodable,
)
from libs.common.messaging.redelivery import RETRIES_MAX, UNEXPECTED_RETRIES_MAX, judge
from libs.common.messaging.topology import DELAYS_SECONDS


@pytest.mark.parametrize("fault", [TooEarly("x"), Unavailable("x"), OutcomeUnknown("x")])
def test_what_may_pass_is_postponed_ever_longer_then_dead_lettered(fault: Exception) -> None:
    delays = [judge(fault, attempt=attempt).delay_seconds for attempt in range(RETRIES_MAX)]
    assert delays[:4] == list(DELAYS_SECONDS)
    assert set(delays[4:]) == {DELAYS_SECONDS[-1]}
    last = judge(fault, attempt=RETRIES_MAX)
    assert last.delay_seconds is None
    assert last.reason.endswith("_for_too_long")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Invalid("no", code="invalid_amount"), "invalid_amount"),
        (NotFound("no"), "not_found"),
        (Conflict("no"), "conflict"),
        (BrokenInvariant("no"), "internal_error"),
        (Undecodable("no"), "undecodable_message"),
        (RecursionError("no"), "unexpected_error"),
    ],
)
def test_what_will_not_pass_is_dead_lettered_at_once_with_its_reason(fault: Exception, reason: str) -> None:
    verdict = judge(fault, attempt=0)
    assert verdict.delay_seconds is None
    assert verdict.reason == reason
    assert verdict.detail


def test_unexpected_error_is_retried_a_few_times_and_then_dead_lettered() -> None:
    delays = [judge(KeyError("no"), attempt=attempt).delay_seconds for attempt in range(UNEXPECTED_RETRIES_MAX + 1)]
    assert delays == [*DELAYS_SECONDS[:UNEXPECTED_RETRIES_MAX], None]
    assert judge(KeyError("no"), attempt=UNEXPECTED_RETRIES_MAX).reason == "unexpected_error"


@pytest.mark.parametrize("fault", [TimeoutError(), asyncpg.DeadlockDetectedError("x"), ConnectionResetError()])
def test_untranslated_outage_or_contention_is_postponed_like_any_other(fault: Exception) -> None:
    assert judge(fault, attempt=RETRIES_MAX - 1).delay_seconds == DELAYS_SECONDS[-1]
