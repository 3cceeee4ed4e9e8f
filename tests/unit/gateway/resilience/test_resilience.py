"""Retries, the circuit and the bulkhead: with aiobreaker's five faults, one test or more each."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta

import aiobreaker
import pytest
from prometheus_client import REGISTRY

from libs.common.clock import ManualClock
from libs.common.ids import new_id
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port import (
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
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
    Bulkhead,
    BulkheadFullError,
    Circuit,
    CircuitOpenError,
    ResilientProcessor,
    Retries,
)
from services.gateway.resilience.circuit import CircuitState
from tests.unit.gateway.processors.processor_suite import REQUESTED_AT, Cue, ProcessorSuite, an_authorization
from tests.unit.gateway.processors.test_sandbox import SANDBOX_AMOUNTS

APPROVED = Approved(gateway_ref="ref", approved_at=REQUESTED_AT)
SILENCE = Unknown(reason=UnknownReason.TIMEOUT)
BUSY = NotTaken(reason=NotTakenReason.RATE_LIMITED)


class Broken(Exception):
    """What a processor's client might raise."""


async def fail() -> str:
    raise Broken("the original")


async def succeed() -> str:
    return "done"


def make_circuit(clock: ManualClock, *, failures_max: int = 3) -> Circuit:
    return Circuit(name=str(new_id()), failures_max=failures_max, open_seconds=30, clock=clock)


def state_of(circuit: Circuit) -> CircuitState:
    return circuit.state


async def trip(circuit: Circuit, *, failures: int = 3) -> None:
    for _ in range(failures):
        with pytest.raises(Broken):
            await circuit.call(fail, timeout_seconds=1)


class Gate:
    """Calls that hang until they are let go."""

    def __init__(self, end: Callable[[], Awaitable[str]]) -> None:
        self._end = end
        self._open = asyncio.Event()
        self.entered = asyncio.Event()
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        self.entered.set()
        await self._open.wait()
        return await self._end()

    def let_go(self) -> None:
        self._open.set()


class TestCircuit:
    async def test_it_opens_after_failures_in_a_row(self, clock: ManualClock) -> None:
        circuit = make_circuit(clock)
        await trip(circuit, failures=2)
        assert state_of(circuit) is CircuitState.CLOSED
        await circuit.call(succeed, timeout_seconds=1)
        await trip(circuit, failures=2)
        assert state_of(circuit) is CircuitState.CLOSED
        await trip(circuit, failures=1)
        assert state_of(circuit) is CircuitState.OPEN
        with pytest.raises(CircuitOpenError):
            await circuit.call(succeed, timeout_seconds=1)

    async def test_it_stays_open_to_the_last_instant_and_one_success_closes_it(self, clock: ManualClock) -> None:
        circuit = make_circuit(clock)
        await trip(circuit)
        clock.advance(timedelta(seconds=30) - timedelta(microseconds=1))
        with pytest.raises(CircuitOpenError):
            circuit.ensure_closed()
        clock.advance(timedelta(microseconds=1))
        circuit.ensure_closed()
        assert await circuit.call(succeed, timeout_seconds=1) == "done"
        assert state_of(circuit) is CircuitState.CLOSED

    async def test_a_failed_probe_opens_it_for_as_long_again(self, clock: ManualClock) -> None:
        circuit = make_circuit(clock)
        await trip(circuit)
        clock.advance(timedelta(seconds=30))
        await trip(circuit, failures=1)
        assert state_of(circuit) is CircuitState.OPEN
        clock.advance(timedelta(seconds=29))
        with pytest.raises(CircuitOpenError):
            circuit.ensure_closed()
        clock.advance(timedelta(seconds=1))
        circuit.ensure_closed()

    async def test_only_one_call_passes_a_half_open_circuit(self, clock: ManualClock) -> None:
        # aiobreaker, fault 1: half open, it lets every concurrent call through.
        circuit, probe = make_circuit(clock), Gate(succeed)
        await trip(circuit)
        clock.advance(timedelta(seconds=30))
        async with asyncio.TaskGroup() as group:
            first = group.create_task(circuit.call(probe, timeout_seconds=5))
            await probe.entered.wait()
            assert state_of(circuit) is CircuitState.HALF_OPEN
            for _ in range(10):
                with pytest.raises(CircuitOpenError):
                    await circuit.call(probe, timeout_seconds=5)
            probe.let_go()
        assert first.result() == "done"
        assert probe.count == 1
        assert state_of(circuit) is CircuitState.CLOSED

    async def test_it_opens_even_where_warnings_are_errors(self, clock: ManualClock) -> None:
        # aiobreaker, fault 2: it calls datetime.utcnow(), and where that warning is an error it never opens.
        circuit = make_circuit(clock)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await trip(circuit)
            assert state_of(circuit) is CircuitState.OPEN
            with pytest.raises(CircuitOpenError):
                await circuit.call(succeed, timeout_seconds=1)
            clock.advance(timedelta(seconds=30))
            await circuit.call(succeed, timeout_seconds=1)

    async def test_the_call_that_trips_it_keeps_its_own_error(self, clock: ManualClock) -> None:
        # aiobreaker, fault 3: that call raises CircuitBreakerError instead; a failed probe does so too.
        circuit = make_circuit(clock, failures_max=1)
        for _ in range(2):
            with pytest.raises(Broken, match="the original") as caught:
                await circuit.call(fail, timeout_seconds=1)
            assert not isinstance(caught.value, aiobreaker.CircuitBreakerError)
            clock.advance(timedelta(seconds=30))

    async def test_timeouts_count_as_failures(self, clock: ManualClock) -> None:
        # aiobreaker, fault 4: a timeout around the breaker cancels the call, and a cancelled call is not counted.
        circuit = make_circuit(clock)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await circuit.call(Gate(succeed), timeout_seconds=0.001)
        assert state_of(circuit) is CircuitState.OPEN

    async def test_a_cancelled_probe_leaves_the_way_free_for_the_next(self, clock: ManualClock) -> None:
        # aiobreaker, fault 4 again: a cancelled probe decides nothing, so it must not block the circuit for ever.
        circuit, probe = make_circuit(clock), Gate(succeed)
        await trip(circuit)
        clock.advance(timedelta(seconds=30))
        cancelled = asyncio.create_task(circuit.call(probe, timeout_seconds=5))
        await probe.entered.wait()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert state_of(circuit) is CircuitState.HALF_OPEN
        assert await circuit.call(succeed, timeout_seconds=1) == "done"
        assert state_of(circuit) is CircuitState.CLOSED

    async def test_it_asks_the_given_clock_only(self, clock: ManualClock) -> None:
        # aiobreaker, fault 5: it compares naive UTC with local time. This clock stands years away from the machine's.
        for years in (-30, 30):
            far = ManualClock(clock.now() + timedelta(days=365 * years))
            circuit = make_circuit(far)
            await trip(circuit)
            with pytest.raises(CircuitOpenError):
                await circuit.call(succeed, timeout_seconds=1)
            far.advance(timedelta(seconds=30))
            assert await circuit.call(succeed, timeout_seconds=1) == "done"

    async def test_stragglers_do_not_prolong_the_opening(self, clock: ManualClock) -> None:
        circuit, slow = make_circuit(clock), Gate(fail)
        straggler = asyncio.create_task(circuit.call(slow, timeout_seconds=5))
        await slow.entered.wait()
        await trip(circuit)
        clock.advance(timedelta(seconds=20))
        slow.let_go()
        with pytest.raises(Broken):
            await straggler
        clock.advance(timedelta(seconds=10))
        assert await circuit.call(succeed, timeout_seconds=1) == "done"

    async def test_its_state_is_a_metric(self, clock: ManualClock) -> None:
        circuit = Circuit(name="watched", failures_max=1, open_seconds=30, clock=clock)

        def shown(state: str) -> float | None:
            return REGISTRY.get_sample_value("b2b_circuit_breaker_state", {"name": "watched", "state": state})

        assert (shown("closed"), shown("open")) == (1, 0)
        await trip(circuit, failures=1)
        assert (shown("closed"), shown("open")) == (0, 1)
        assert REGISTRY.get_sample_value("b2b_circuit_breaker_state_ordinal", {"name": "watched"}) == 2


class Places:
    """Commands at a bulkhead, each of which holds its place until it is let go; `taken` is the order in which they got one."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.bulkhead = bulkhead
        self.taken: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, account: str = "") -> None:
        """Let commands come, in this order, until each has a place or waits."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._hold(name, account))
            await asyncio.sleep(0)

    async def leave(self, *names: str) -> None:
        """Let commands end, and those who wait take their places."""
        for name in names:
            self._ends[name].set()
            await self._tasks[name]
            await asyncio.sleep(0)

    async def cancel(self, *names: str) -> None:
        """Cancel commands, wherever they are."""
        for name in names:
            self._tasks[name].cancel()
        await asyncio.gather(*(self._tasks[name] for name in names), return_exceptions=True)

    async def abandon(self, name: str) -> None:
        """Cancel a command and await its end."""
        self._tasks[name].cancel()
        await self._tasks[name]

    async def _hold(self, name: str, account: str) -> None:
        async with self.bulkhead.place(account):
            self.taken.append(name)
            await self._ends[name].wait()


class TestBulkhead:
    async def test_without_a_place_in_time_it_is_full(self) -> None:
        bulkhead = Bulkhead(places=1, wait_seconds=0.001)
        async with bulkhead.place():
            with pytest.raises(BulkheadFullError):
                async with bulkhead.place():
                    pass
        async with bulkhead.place():
            pass
        assert bulkhead.waiting == 0

    async def test_commands_wait_in_line_and_keep_their_order(self) -> None:
        places = Places(Bulkhead(places=1, wait_seconds=5))
        await places.come("a", "b", "c")
        assert (places.taken, places.bulkhead.waiting) == (["a"], 2)
        await places.leave("a", "b", "c")
        assert (places.taken, places.bulkhead.waiting) == (["a", "b", "c"], 0)

    async def test_a_full_line_refuses_at_once_unless_the_caller_is_bounded(self) -> None:
        places = Places(Bulkhead(places=1, wait_seconds=5, waiting_max=2))
        await places.come("a", "b", "c")
        with pytest.raises(BulkheadFullError):
            async with places.bulkhead.place():
                pass
        async with asyncio.TaskGroup() as group:

            async def bounded() -> None:
                async with places.bulkhead.place("resolver", is_bounded=True):
                    pass

            group.create_task(bounded())
            await asyncio.sleep(0)
            assert places.bulkhead.waiting == 3
            await places.leave("a", "b", "c")
        assert places.bulkhead.waiting == 0

    async def test_accounts_take_turns(self) -> None:
        places = Places(Bulkhead(places=1, wait_seconds=5))
        await places.come("a1", "a2", "a3", account="a")
        await places.come("b1", "b2", account="b")
        await places.leave("a1", "a2", "b1", "a3", "b2")
        assert places.taken == ["a1", "a2", "b1", "a3", "b2"]

    async def test_one_account_leaves_places_and_room_in_line_to_the_others(self) -> None:
        places = Places(Bulkhead(places=8, wait_seconds=5, waiting_max=8))
        await places.come(*(f"a{number}" for number in range(20)), account="a")
        assert len(places.taken) == 7
        assert places.bulkhead.waiting == 7
        await places.come("b1", "b2", account="b")
        assert places.taken[-1] == "b1"
        assert places.bulkhead.waiting == 8
        await places.leave("b1")
        assert places.taken[-1] == "b2"
        await places.cancel(*(f"a{number}" for number in range(20)))

    async def test_one_place_that_becomes_free_is_given_to_one(self) -> None:
        places = Places(Bulkhead(places=2, wait_seconds=5))
        await places.come("a", "b", "c", "d", "e", account="x")
        taken = len(places.taken)
        await places.leave(places.taken[0])
        assert len(places.taken) == taken + 1
        await places.leave(places.taken[1])
        assert len(places.taken) == taken + 2
        await places.cancel("a", "b", "c", "d", "e")

    async def test_account_that_gave_one_place_back_still_holds_the_others(self) -> None:
        places = Places(Bulkhead(places=8, wait_seconds=5))
        await places.come(*(f"a{number}" for number in range(7)), account="a")
        await places.leave("a0")
        await places.come("a7", "a8", account="a")
        assert (places.taken[-1], places.bulkhead.waiting) == ("a7", 1)
        await places.cancel(*(f"a{number}" for number in range(9)))

    async def test_place_freed_as_the_first_in_line_is_cancelled_goes_on(self) -> None:
        places = Places(Bulkhead(places=1, wait_seconds=5))
        await places.come("a", "b", "c", "d")
        left = asyncio.create_task(places.leave("a"))
        # The command ends first; only then does the first in line notice that it is cancelled.
        await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await places.abandon("b")
        await left
        assert (places.taken, places.bulkhead.waiting) == (["a", "c"], 1)
        await places.leave("c", "d")
        assert places.taken == ["a", "c", "d"]

    async def test_who_is_cancelled_leaves_the_line_and_keeps_no_place(self) -> None:
        bulkhead = Bulkhead(places=1, wait_seconds=5)
        places = Places(bulkhead)
        async with bulkhead.place():
            await places.come("a", "b", "c")
            await places.cancel("a")
        # `b` has been given the place and does not know it yet.
        await places.cancel("b")
        await asyncio.sleep(0)
        assert (places.taken, bulkhead.waiting) == (["c"], 0)
        await places.leave("c")
        async with bulkhead.place():
            pass


class Scripted:
    """A processor that gives the answers it was made with, one per call, the last for ever."""

    name = "scripted"

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self.received: list[ProcessorRequest] = []

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
        requests = REGISTRY.get_sample_value("gateway_requests_total", labels | {"status": status})
        return [requests or 0, REGISTRY.get_sample_value("gateway_request_duration_seconds_sum", labels) or 0]

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

    async def test_a_pause_that_the_processor_asks_for_is_honoured_within_the_deadline(
        self, clock: ManualClock
    ) -> None:
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
