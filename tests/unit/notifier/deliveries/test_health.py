"""The breaker and the end of an endpoint: what no history of attempts can move."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.notifier.deliveries.domain import Gate, HealthPolicy, Outcome, Verdict, disables_at, judge
from services.notifier.deliveries.domain.health import WARNING_LEAD, WARNING_SHARES
from services.notifier.settings import WebhookSettings

BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = HealthPolicy.of(WebhookSettings())
LEAD = POLICY.disable_after * WARNING_LEAD

# Pause before, failed attempts in a group, successes in it, and how long before its record each attempt had begun.
STEPS = st.lists(
    st.tuples(
        st.timedeltas(timedelta(), timedelta(days=3)),
        st.integers(0, 30),
        st.booleans(),
        st.timedeltas(timedelta(), timedelta(seconds=30)),
    ),
    max_size=60,
)


def outcomes(now: datetime, *, failed: int, took: timedelta, succeeds: bool) -> list[Outcome]:
    found = [Outcome(attempted_at=now - took, error="status_503") for _ in range(failed)]
    return [*found, Outcome(attempted_at=now, error=None)] if succeeds or not found else found


def walk(steps: list[tuple[timedelta, int, bool, timedelta]]) -> list[tuple[datetime, Gate, Verdict, int]]:
    """Live through a history until the end of the endpoint; returns every verdict with what was known before."""
    now, gate, lived = BEGIN, Gate(), []
    for pause, failed, succeeds, took in steps:
        now += pause
        group = outcomes(now, failed=failed, took=took, succeeds=succeeds)
        verdict = judge(POLICY, gate, group, now=now)
        lived.append((now, gate, verdict, 0 if any(o.error is None for o in group) else len(group)))
        if verdict.disables:
            break
        gate = verdict.gate
    return lived


@given(STEPS)
def test_one_success_forgets_everything(steps: list[tuple[timedelta, int, bool, timedelta]]) -> None:
    for _, _, verdict, failed in walk(steps):
        if not failed:
            assert verdict == Verdict(gate=Gate())


@given(STEPS)
def test_failures_add_up_and_their_beginning_never_moves_forward(
    steps: list[tuple[timedelta, int, bool, timedelta]],
) -> None:
    for _, before, verdict, failed in walk(steps):
        if failed:
            assert verdict.gate.failures == before.failures + failed
            assert verdict.gate.failing_since is not None
            assert before.failing_since is None or verdict.gate.failing_since <= before.failing_since
            assert verdict.gate.last_error == "status_503"


@given(STEPS)
def test_a_pause_comes_after_enough_failures_and_stays_within_its_bounds(
    steps: list[tuple[timedelta, int, bool, timedelta]],
) -> None:
    for now, before, verdict, failed in walk(steps):
        gate = verdict.gate
        assert (gate.paused_until is not None) == (gate.failures >= POLICY.failures_to_pause)
        if gate.pauses > before.pauses:
            assert failed
            assert gate.pauses == before.pauses + 1
            assert gate.paused_until is not None
            assert POLICY.pause <= gate.paused_until - now <= POLICY.pause_max
        elif failed:
            assert gate.paused_until == before.paused_until


@given(STEPS)
def test_nobody_is_switched_off_too_soon_or_without_a_warning_long_before(
    steps: list[tuple[timedelta, int, bool, timedelta]],
) -> None:
    warned: list[datetime] = []
    for now, before, verdict, failed in walk(steps):
        if not failed:
            warned.clear()
        if verdict.warns:
            assert verdict.gate.failing_since is not None
            assert now - verdict.gate.failing_since >= POLICY.disable_after * WARNING_SHARES[0]
            assert disables_at(POLICY, verdict.gate, now=now) - now >= LEAD
            assert not verdict.disables
            warned.append(now)
        if verdict.disables:
            assert verdict.gate.failing_since is not None
            assert now - verdict.gate.failing_since >= POLICY.disable_after
            assert verdict.gate.failures >= POLICY.failures_to_disable
            assert warned
            assert now - warned[-1] >= LEAD
            assert before.warnings == verdict.gate.warnings
        assert len(warned) <= len(WARNING_SHARES)


def test_endpoint_tried_once_a_day_is_warned_a_day_before_its_end() -> None:
    now, gate, verdicts = BEGIN, Gate(), []
    for day in range(40):
        now = BEGIN + timedelta(days=day)
        verdict = judge(POLICY, gate, [Outcome(attempted_at=now, error="timeout")], now=now)
        verdicts.append((verdict.warns, verdict.disables))
        if verdict.disables:
            break
        gate = verdict.gate
    # Its twentieth failure comes long after five days: warned then, and switched off at the next.
    assert verdicts.index((True, False)) == POLICY.failures_to_disable - 1
    assert verdicts[-2:] == [(True, False), (False, True)]


def test_stragglers_of_one_outage_lengthen_the_pause_once() -> None:
    gate = Gate()
    for _ in range(POLICY.failures_to_pause):
        gate = judge(POLICY, gate, [Outcome(attempted_at=BEGIN, error="timeout")], now=BEGIN).gate
    assert (gate.pauses, gate.paused_until) == (1, BEGIN + POLICY.pause)
    later = BEGIN + timedelta(seconds=5)
    after = judge(POLICY, gate, [Outcome(attempted_at=BEGIN, error="timeout")] * 20, now=later).gate
    assert (after.pauses, after.paused_until) == (1, BEGIN + POLICY.pause)
    probe = BEGIN + POLICY.pause
    doubled = judge(POLICY, after, [Outcome(attempted_at=probe, error="timeout")], now=probe).gate
    assert (doubled.pauses, doubled.paused_until) == (2, probe + 2 * POLICY.pause)


def failing(gate: Gate, now: datetime, *, failures: int = 1) -> Verdict:
    return judge(POLICY, gate, [Outcome(attempted_at=now, error="timeout")] * failures, now=now)


def test_warnings_and_the_end_come_at_their_instants_and_not_before() -> None:
    begun = failing(Gate(), BEGIN, failures=POLICY.failures_to_disable).gate
    tick = timedelta(microseconds=1)
    half, most, end = (BEGIN + POLICY.disable_after * share for share in (*WARNING_SHARES, 1.0))
    assert not failing(begun, half - tick).warns
    first = failing(begun, half)
    assert (first.warns, first.gate.warnings, first.gate.warned_at) == (True, 1, half)
    # Long after its warning, and yet too soon for its end.
    between = failing(first.gate, most - tick)
    assert (between.warns, between.disables) == (False, False)
    assert disables_at(POLICY, first.gate, now=half) == end
    second = failing(first.gate, most)
    assert (second.warns, second.gate.warnings, second.gate.warned_at) == (True, 2, most)
    assert not failing(second.gate, end - tick).disables
    assert failing(second.gate, end).disables


def test_few_failures_switch_nothing_off_however_old_they_are() -> None:
    late = BEGIN + 2 * POLICY.disable_after
    few = failing(Gate(), BEGIN, failures=POLICY.failures_to_disable - 2).gate
    assert not failing(few, late).warns
    assert failing(few, late, failures=2).warns


def test_pauses_double_up_to_the_longest() -> None:
    gate, now, pauses = failing(Gate(), BEGIN, failures=POLICY.failures_to_pause).gate, BEGIN, []
    for _ in range(8):
        assert gate.paused_until is not None
        pauses.append((gate.paused_until - now).total_seconds())
        now = gate.paused_until
        gate = failing(gate, now).gate
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_an_endpoint_that_has_never_failed_is_healthy() -> None:
    assert judge(POLICY, Gate(), [Outcome(attempted_at=BEGIN, error=None)], now=BEGIN) == Verdict(gate=Gate())
    fresh = Gate()
    assert (fresh.failures, fresh.warnings, fresh.pauses) == (0, 0, 0)
    one = failing(fresh, BEGIN).gate
    assert (one.failures, one.failing_since, one.warnings, one.pauses) == (1, BEGIN, 0, 0)


def test_the_first_failure_of_a_group_is_the_earliest() -> None:
    earlier = BEGIN - timedelta(seconds=9)
    group = [Outcome(attempted_at=BEGIN, error="timeout"), Outcome(attempted_at=earlier, error="status_500")]
    verdict = judge(POLICY, Gate(), group, now=BEGIN)
    assert (verdict.gate.failing_since, verdict.gate.last_error) == (earlier, "status_500")
