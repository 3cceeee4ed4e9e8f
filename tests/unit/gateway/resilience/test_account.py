"""What is one account's own fault stops that account, and nobody else."""

from datetime import timedelta

import pytest

from libs.common.clock import ManualClock
from services.gateway.processors.port import Answer, NotTaken, NotTakenReason, Unknown, UnknownReason
from services.gateway.resilience import AccountGuard, AccountGuards, Circuit, CircuitState, ResilientProcessor, Retries
from tests.unit.gateway.processors.processor_suite import an_authorization
from tests.unit.gateway.resilience.test_calling import APPROVED, Scripted, Time
from tests.unit.gateway.resilience.test_circuit import make_circuit

REFUSED = NotTaken(reason=NotTakenReason.CREDENTIALS_REFUSED, retry_after_seconds=30)


def guard(clock: ManualClock, *, per_second: float = 1_000) -> AccountGuard:
    return AccountGuard("stripe:a", per_second=per_second, failures_max=3, open_seconds=30, clock=clock)


def calling(processor: Scripted, account: AccountGuard, circuit: Circuit) -> ResilientProcessor:
    retries = Retries(max_retries=0, base_delay_seconds=0.1, max_delay_seconds=1, call_timeout_seconds=5)
    return ResilientProcessor(processor, circuit=circuit, account=account, retries=retries, sleep=Time().sleep)


async def ask(processor: Scripted, account: AccountGuard, circuit: Circuit, times: int) -> list[Answer]:
    through = calling(processor, account, circuit)
    return [await through.authorize(an_authorization(1_000)) for _ in range(times)]


async def test_a_refused_key_stops_its_account_alone(clock: ManualClock) -> None:
    broken, healthy, circuit = Scripted(REFUSED), Scripted(APPROVED), make_circuit(clock, failures_max=3)
    account, neighbour = guard(clock), guard(clock)
    answers = await ask(broken, account, circuit, 6)
    assert len(broken.received) == 3
    assert answers[-1] == NotTaken(
        reason=NotTakenReason.CREDENTIALS_REFUSED, calls=0, retry_after_seconds=30, is_worth_repeating=False
    )
    assert circuit.state is CircuitState.CLOSED
    assert await ask(healthy, neighbour, circuit, 1) == [APPROVED]


async def test_a_new_key_is_tried_at_once(clock: ManualClock) -> None:
    guards = AccountGuards(lambda _name, _is_live: guard(clock))
    account, other = (guards.of(name, is_live=False) for name in ("stripe:a", "stripe:b"))
    circuit = make_circuit(clock)
    for each in (account, other):
        await ask(Scripted(REFUSED), each, circuit, 3)
    for name in ("stripe:a", "stripe:unknown"):
        guards.forget(name)
    assert await ask(Scripted(APPROVED), account, circuit, 1) == [APPROVED]
    # The key of the other one is what it was.
    (refused,) = await ask(Scripted(), other, circuit, 1)
    assert isinstance(refused, NotTaken)
    assert (refused.reason, refused.calls) == (REFUSED.reason, 0)


async def test_an_account_probes_by_itself_after_a_while(clock: ManualClock) -> None:
    account, circuit = guard(clock), make_circuit(clock)
    await ask(Scripted(REFUSED), account, circuit, 3)
    clock.advance(timedelta(seconds=31))
    assert await ask(Scripted(APPROVED), account, circuit, 2) == [APPROVED, APPROVED]


@pytest.mark.parametrize("is_of_object", [False, True])
async def test_a_limit_pauses_the_account_unless_it_is_of_one_object(clock: ManualClock, is_of_object: bool) -> None:
    limited = NotTaken(reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=60, is_of_object=is_of_object)
    processor, account, circuit = Scripted(limited, APPROVED), guard(clock), make_circuit(clock)
    first, second = await ask(processor, account, circuit, 2)
    assert first == limited
    if is_of_object:
        assert second == APPROVED
        return
    assert isinstance(second, NotTaken)
    assert (second.reason, second.calls) == (NotTakenReason.RATE_LIMITED, 0)
    assert second.retry_after_seconds == pytest.approx(60, abs=1)


async def test_what_the_processor_does_wrong_is_not_the_accounts(clock: ManualClock) -> None:
    silence = Unknown(reason=UnknownReason.TIMEOUT)
    account, circuit = guard(clock), make_circuit(clock, failures_max=3)
    await ask(Scripted(silence), account, circuit, 3)
    assert circuit.state is CircuitState.OPEN
    (answer,) = await ask(Scripted(APPROVED), account, circuit, 1)
    assert answer == NotTaken(reason=NotTakenReason.CIRCUIT_OPEN, calls=0)
    assert await ask(Scripted(APPROVED), account, make_circuit(clock), 1) == [APPROVED]


async def test_accounts_beyond_the_room_make_room_for_others(clock: ManualClock) -> None:
    made: list[str] = []

    def make(name: str, _is_live: bool) -> AccountGuard:
        made.append(name)
        return guard(clock)

    guards = AccountGuards(make, size_max=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        guards.of(name, is_live=True)
    assert made == ["a", "b", "c", "b"]
