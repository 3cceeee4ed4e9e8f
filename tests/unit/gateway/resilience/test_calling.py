"""How calls are repeated within the deadline of a command, and counted."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from libs.common.clock import ManualClock
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port import (
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    Finding,
    NotTaken,
    NotTakenReason,
    Pending,
    Processor,
    ProcessorRequest,
    Refund,
    RequiresAction,
    Unknown,
    UnknownReason,
    Void,
)
from services.gateway.processors.sandbox import SandboxProcessor
from services.gateway.resilience import (
    CALLED_SECONDS,
    ResilientProcessor,
    Retries,
)
from tests.unit.gateway.processors.processor_suite import REQUESTED_AT, Cue, ProcessorSuite, an_authorization
from tests.unit.gateway.processors.test_sandbox import SANDBOX_AMOUNTS
from tests.unit.gateway.resilience.test_circuit import make_circuit

APPROVED = Approved(gateway_ref="ref", approved_at=REQUESTED_AT)
SILENCE = Unknown(reason=UnknownReason.TIMEOUT)
BUSY = NotTaken(reason=NotTakenReason.RATE_LIMITED)


class Scripted:
    """A processor that gives the answers it was made with, one per call, the last for ever."""

    name = "scripted"

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self.received: list[ProcessorRequest] = []

    async def look_up(self, request: ProcessorRequest) -> Finding:
        return self._next(request)

    async def authorize(self, request: Authorize) -> Answer:
        return self._next(request)

    async def capture(self, request: Capture) -> Answer:
        return self._next(request)

    async def void(self, request: Void) -> Answer:
        return self._next(request)

    async def refund(self, request: Refund) -> Answer:
        return self._next(request)

    def _next(self, request: ProcessorRequest) -> Answer:
        self.received.append(request)
        return self._answers[min(len(self.received), len(self._answers)) - 1]


class Time:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def monotonic(self) -> float:
        return self.seconds


def make_resilient(
    processor: Processor,
    clock: ManualClock,
    *,
    time: Time | None = None,
    max_retries: int = 3,
    failures_max: int = 100,
    call_timeout_seconds: float = 5.0,
) -> ResilientProcessor:
    time = time or Time()
    return ResilientProcessor(
        processor,
        circuit=make_circuit(clock, failures_max=failures_max),
        retries=Retries(
            max_retries=max_retries,
            base_delay_seconds=0.2,
            max_delay_seconds=2.0,
            call_timeout_seconds=call_timeout_seconds,
        ),
        sleep=time.sleep,
        monotonic=time.monotonic,
    )


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (APPROVED, "approved"),
        (Pending(gateway_ref="ref"), "pending"),
        (RequiresAction(gateway_ref="ref"), "requires_action"),
        (Declined(reason=DeclineReason.CARD_DECLINED, detail="No."), "declined"),
        (SILENCE, "unknown"),
        (BUSY, "not_taken"),
    ],
)
async def test_each_call_is_counted_by_its_answer_and_measured(clock: ManualClock, answer: Answer, status: str) -> None:
    time = Time()

    class Slow(Scripted):
        def _next(self, request: ProcessorRequest) -> Answer:
            time.seconds += 3
            return super()._next(request)

    def measured() -> list[float]:
        labels = {"operation": "authorize"}
        timed = labels | {"processor": "scripted"}
        requests = REGISTRY.get_sample_value("gateway_requests_total", labels | {"status": status})
        return [requests or 0, REGISTRY.get_sample_value("gateway_request_duration_seconds_sum", timed) or 0]

    before, called = measured(), list[float]()
    token = CALLED_SECONDS.set(called)
    try:
        await make_resilient(Slow(answer), clock, time=time, max_retries=0).authorize(an_authorization(100))
    finally:
        CALLED_SECONDS.reset(token)
    assert measured() == [before[0] + 1, before[1] + 3]
    assert called == [3]


class TestResilientSandboxOnce(ProcessorSuite):
    """Around the sandbox, without repeating: it changes nothing."""

    @pytest.fixture(autouse=True)
    def _clock(self, clock: ManualClock) -> None:
        self.clock = clock

    def make(self) -> Processor:
        return make_resilient(SandboxProcessor(slow_seconds=0.001), self.clock, max_retries=0)

    def amount_for(self, cue: Cue) -> int:
        return SANDBOX_AMOUNTS[cue]


class TestResilientSandbox(TestResilientSandboxOnce):
    """Around the sandbox, repeating: what was lost is found out within the first call."""

    def make(self) -> Processor:
        return make_resilient(SandboxProcessor(slow_seconds=0.001), self.clock)

    def truth_is_known_on_call(self) -> int:
        return 1


class TestRetries:
    async def test_a_lost_answer_is_requested_again_with_the_same_key(self, clock: ManualClock) -> None:
        scripted = Scripted(SILENCE, SILENCE, APPROVED)
        request = an_authorization(100)
        answer = await make_resilient(scripted, clock).authorize(request)
        assert answer == Approved(gateway_ref="ref", approved_at=REQUESTED_AT, calls=3)
        assert {received.idempotency_key for received in scripted.received} == {request.idempotency_key}
        assert [received.call for received in scripted.received] == [1, 2, 3]

    @pytest.mark.parametrize("final", [APPROVED, Declined(reason=DeclineReason.CARD_DECLINED, detail="No.")])
    async def test_a_definitive_answer_is_not_repeated(self, clock: ManualClock, final: Answer) -> None:
        scripted, time = Scripted(final), Time()
        assert await make_resilient(scripted, clock, time=time).authorize(an_authorization(100)) == final
        assert len(scripted.received) == 1
        assert time.slept == []

    async def test_it_ends_after_so_many_calls_and_still_knows_nothing(self, clock: ManualClock) -> None:
        scripted = Scripted(SILENCE)
        answer = await make_resilient(scripted, clock).authorize(an_authorization(100))
        assert answer == Unknown(reason=UnknownReason.TIMEOUT, calls=4)
        assert len(scripted.received) == 4

    async def test_pauses_are_random_and_their_bound_doubles(self, clock: ManualClock) -> None:
        pauses: list[list[float]] = []
        for _ in range(100):
            time = Time()
            await make_resilient(Scripted(SILENCE), clock, time=time, max_retries=5, failures_max=10_000).authorize(
                an_authorization(100, timeout_seconds=60)
            )
            pauses.append(time.slept)
        for number, bound in enumerate([0.2, 0.4, 0.8, 1.6, 2.0]):
            drawn = [slept[number] for slept in pauses]
            assert max(drawn) <= bound
            assert min(drawn) < bound / 4
            assert max(drawn) > bound / 2

    async def test_the_deadline_bounds_all_asks_together(self, clock: ManualClock) -> None:
        time = Time()
        scripted = Scripted(SILENCE)
        resilient = make_resilient(scripted, clock, time=time, max_retries=1_000, failures_max=10_000)
        answer = await resilient.authorize(an_authorization(100, timeout_seconds=12))
        assert isinstance(answer, Unknown)
        assert time.seconds < 112
        assert all(received.timeout_seconds <= 5 for received in scripted.received)

    async def test_pause_of_the_processor_is_kept_within_the_deadline(self, clock: ManualClock) -> None:
        limited = NotTaken(reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=3.5)
        time = Time()
        answer = await make_resilient(Scripted(limited, APPROVED), clock, time=time).authorize(an_authorization(100))
        assert isinstance(answer, Approved)
        assert time.slept == [3.5]
        long = NotTaken(reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=60)
        scripted = Scripted(long, APPROVED)
        answer = await make_resilient(scripted, clock).authorize(an_authorization(100))
        assert answer == long
        assert len(scripted.received) == 1

    async def test_once_unknown_a_refusal_to_listen_does_not_make_it_certain(self, clock: ManualClock) -> None:
        answer = await make_resilient(Scripted(SILENCE, BUSY), clock).authorize(an_authorization(100))
        assert isinstance(answer, Unknown)

    async def test_the_circuit_ends_the_retries(self, clock: ManualClock) -> None:
        scripted = Scripted(SILENCE)
        resilient = make_resilient(scripted, clock, failures_max=2, max_retries=5)
        assert isinstance(await resilient.authorize(an_authorization(100)), Unknown)
        assert len(scripted.received) == 2
        with pytest.raises(ProcessorUnavailable):
            resilient.ensure_available()
        answer = await resilient.authorize(an_authorization(100))
        assert answer == NotTaken(reason=NotTakenReason.CIRCUIT_OPEN, calls=0)
        clock.advance(timedelta(seconds=30))
        resilient.ensure_available()

    async def test_declines_do_not_open_the_circuit(self, clock: ManualClock) -> None:
        declined = Declined(reason=DeclineReason.CARD_DECLINED, detail="No.")
        resilient = make_resilient(Scripted(declined), clock, failures_max=2)
        for _ in range(10):
            await resilient.authorize(an_authorization(100))
        resilient.ensure_available()

    async def test_an_adapter_that_hangs_is_unknown(self, clock: ManualClock) -> None:
        class Hanging(Scripted):
            async def authorize(self, request: Authorize) -> Answer:
                await asyncio.Event().wait()
                return APPROVED

        resilient = make_resilient(Hanging(), clock, max_retries=0, call_timeout_seconds=0.001)
        assert await resilient.authorize(an_authorization(100)) == SILENCE

    async def test_what_the_processor_calls_pointless_is_not_repeated(self, clock: ManualClock) -> None:
        pointless = Unknown(reason=UnknownReason.PROCESSOR_ERROR, is_worth_repeating=False)
        scripted, time = Scripted(pointless, APPROVED), Time()
        assert await make_resilient(scripted, clock, time=time).authorize(an_authorization(100)) == pointless
        assert (len(scripted.received), time.slept) == (1, [])

    async def test_a_broken_processor_may_request_a_pause_too(self, clock: ManualClock) -> None:
        broken, time = Unknown(reason=UnknownReason.PROCESSOR_ERROR, retry_after_seconds=4), Time()
        answer = await make_resilient(Scripted(broken, APPROVED), clock, time=time).authorize(an_authorization(100))
        assert isinstance(answer, Approved)
        assert time.slept == [4]

    async def test_rate_limits_do_not_open_the_circuit(self, clock: ManualClock) -> None:
        resilient = make_resilient(Scripted(BUSY), clock, failures_max=2)
        for _ in range(5):
            assert isinstance(await resilient.authorize(an_authorization(100)), NotTaken)
        resilient.ensure_available()
