"""What dashboards read of a circuit: its state as words and as a number."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from libs.common.clock import ManualClock
from libs.common.ids import new_id
from services.gateway.resilience import Circuit
from services.gateway.resilience.circuit import CircuitState
from tests.unit.gateway.resilience.test_circuit import Broken, Gate, fail, succeed


async def test_a_circuits_gauges_follow_its_state(clock: ManualClock) -> None:
    name = str(new_id())
    circuit = Circuit(name=name, failures_max=2, open_seconds=30, clock=clock)

    def shown() -> tuple[float | None, set[str]]:
        ordinal = REGISTRY.get_sample_value("b2b_circuit_breaker_state_ordinal", {"name": name})
        states = {
            state.value
            for state in CircuitState
            if REGISTRY.get_sample_value("b2b_circuit_breaker_state", {"name": name, "state": state.value})
        }
        return ordinal, states

    assert shown() == (0, {"closed"})
    for _ in range(2):
        with pytest.raises(Broken):
            await circuit.call(fail, timeout_seconds=1)
    assert shown() == (2, {"open"})
    clock.advance(timedelta(seconds=30))
    gate = Gate(succeed)
    probe = asyncio.create_task(circuit.call(gate, timeout_seconds=10))
    await gate.entered.wait()
    # A probe that is cancelled decides nothing: the next call probes.
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert shown() == (1, {"half_open"})
    assert await circuit.call(succeed, timeout_seconds=1) == "done"
    assert shown() == (0, {"closed"})
