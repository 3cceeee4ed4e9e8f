"""The retry policy: a table of what follows each answer, and the limits that no answer can move."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.clock import ManualClock
from services.notifier.deliveries.domain import (
    Decision,
    Delivered,
    EndReason,
    Failed,
    RetryAt,
    RetryPolicy,
    decide,
    retry_after,
)
from services.notifier.sending import Answer, AttemptError
from services.notifier.settings import WebhookSettings, parse_schedule

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = RetryPolicy.of(WebhookSettings())
MIDDLE = 0.5
"""The chance that moves a pause neither way."""
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def after(answer: Answer, *, attempts: int = 1, chance: float = MIDDLE) -> Decision:
    return decide(POLICY, answer, attempts=attempts, now=NOW, chance=chance)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert after(Answer(status_code=status)) == Delivered()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_later_and_server_errors_retry_at_the_pace_of_the_schedule(status: int) -> None:
    assert after(Answer(status_code=status)) == RetryAt(NOW + 5 * SECOND)


@pytest.mark.parametrize("error", sorted(set(AttemptError) - {AttemptError.EGRESS_BLOCKED}))
def test_network_errors_retry_at_the_pace_of_the_schedule(error: AttemptError) -> None:
    assert after(Answer(error=error)) == RetryAt(NOW + 5 * SECOND)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 304, 400, 401, 403, 404, 405, 413, 422, 451])
def test_redirects_and_refusals_retry_on_the_slow_part(status: int) -> None:
    assert after(Answer(status_code=status)) == RetryAt(NOW + 30 * MINUTE)
    assert after(Answer(status_code=status), attempts=5) == RetryAt(NOW + 2 * HOUR)


def test_a_blocked_address_retries_on_the_slow_part() -> None:
    assert after(Answer(error=AttemptError.EGRESS_BLOCKED)) == RetryAt(NOW + 30 * MINUTE)


def test_a_2xx_that_was_never_finished_is_not_delivered() -> None:
    assert after(Answer(status_code=200, error=AttemptError.TIMEOUT)) == RetryAt(NOW + 5 * SECOND)


def test_410_ends_the_delivery_and_disables_the_endpoint() -> None:
    assert after(Answer(status_code=410)) == Failed(EndReason.ENDPOINT_GONE, disables=True)


def test_the_default_schedule_is_walked_step_by_step_and_then_over() -> None:
    clock, pauses = ManualClock(NOW), []
    for attempts in range(1, 20):
        decision = decide(POLICY, Answer(status_code=500), attempts=attempts, now=clock.now(), chance=MIDDLE)
        if not isinstance(decision, RetryAt):
            assert decision == Failed(EndReason.EXHAUSTED, disables=False)
            break
        pauses.append(decision.at - clock.now())
        clock.advance(pauses[-1])
    assert pauses == [5 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, *(h * HOUR for h in (2, 5, 10, 14, 20, 24))]


@pytest.mark.parametrize(
    ("header", "attempts", "expected"),
    [
        ("120", 1, 2 * MINUTE),  # longer than the pause: honoured
        ("1", 1, 5 * SECOND),  # shorter: the schedule stays
        ("0", 1, 5 * SECOND),
        ("864000", 1, 6 * HOUR),  # bounded by the policy
        ("864000", 9, 40 * HOUR),  # bounded by twice the pause where that is longer
        (format_datetime(NOW + 90 * SECOND, usegmt=True), 1, 90 * SECOND),
        (format_datetime(NOW - HOUR, usegmt=True), 1, 5 * SECOND),
        ("Sunday, 22-Nov-26 12:02:00 GMT", 1, 2 * MINUTE),  # the obsolete form of RFC 850
        ("soon", 1, 5 * SECOND),
        ("-5", 1, 5 * SECOND),
        ("1e3", 1, 5 * SECOND),
        ("٣٠", 1, 5 * SECOND),
        ("9" * 400, 1, 5 * SECOND),
    ],
)
def test_retry_after_is_honoured_within_bounds(header: str, attempts: int, expected: timedelta) -> None:
    answer = Answer(status_code=503, retry_after=header)
    assert after(answer, attempts=attempts) == RetryAt(NOW + expected)


@given(
    status=st.integers(100, 599),
    attempts=st.integers(1, 11),
    chance=st.floats(0, 1),
    header=st.one_of(st.none(), st.text(max_size=40), st.integers(0, 10**12).map(str)),
)
def test_a_retry_is_never_in_the_past_and_never_beyond_the_bounds(
    status: int, attempts: int, chance: float, header: str | None
) -> None:
    decision = after(Answer(status_code=status, retry_after=header), attempts=attempts, chance=chance)
    if isinstance(decision, RetryAt):
        assert attempts < POLICY.attempts_max
        assert NOW + 4 * SECOND <= decision.at <= NOW + 48 * HOUR


@given(st.floats(0, 1))
def test_jitter_stays_within_its_share(chance: float) -> None:
    decision = after(Answer(status_code=500), attempts=5, chance=chance)
    assert isinstance(decision, RetryAt)
    assert 1.6 * HOUR <= decision.at - NOW <= 2.4 * HOUR


def test_a_schedule_without_a_slow_part_uses_its_longest_pause() -> None:
    policy = RetryPolicy(pauses=parse_schedule(("0s", "1s", "9s", "2s")), jitter=0, retry_after_max=HOUR)
    assert decide(policy, Answer(status_code=404), attempts=1, now=NOW, chance=0) == RetryAt(NOW + 9 * SECOND)


@pytest.mark.parametrize(
    "steps", [(), ("0s",), ("0s", "5s"), ("0s", "5s", "soon"), ("0s", "-5s", "1m"), ("1", "2", "3"), ("1.5s",) * 3]
)
def test_a_schedule_of_fewer_than_three_or_unreadable_steps_is_refused(steps: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"steps|write a whole number"):
        parse_schedule(steps)


def test_no_header_asks_for_nothing() -> None:
    assert retry_after(None, now=NOW) is None
