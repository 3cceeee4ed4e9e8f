"""The circuit breaker: when calls stop, and when one of them probes."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta

import aiobreaker
import pytest
from prometheus_client import REGISTRY

from libs.common.clock import ManualClock
from libs.common.ids import new_id
from services.gateway.resilience import (
    Circuit,
    CircuitOpenError,
)
from services.gateway.resilience.circuit import CircuitState


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
