"""What is one account's own fault stops that account, and nobody else."""

import asyncio
import time
from datetime import timedelta

import msgspec
import pytest

from libs.common.clock import ManualClock
from services.gateway.metrics import CALLS_NOT_SENT
from services.gateway.processors.port import (
    Answer,
    Approved,
    Authorize,
    Finding,
    NotTaken,
    NotTakenReason,
    Unknown,
    UnknownReason,
)
from services.gateway.resilience import (
    AccountGuard,
    AccountGuards,
    Bulkhead,
    Circuit,
    CircuitState,
    NotSentError,
    ResilientProcessor,
    Retries,
)
from tests.unit.gateway.processors.processor_suite import a_capture, an_authorization
from tests.unit.gateway.resilience.test_calling import APPROVED, Scripted, Time
from tests.unit.gateway.resilience.test_circuit import make_circuit

REFUSED = NotTaken(reason=NotTakenReason.CREDENTIALS_REFUSED, retry_after_seconds=30)


def guard(clock: ManualClock, *, of_endpoint: float = 1_000) -> AccountGuard:
    pace = {"per_second": 1_000.0, "per_second_of_endpoint": of_endpoint}
    return AccountGuard("stripe:a", **pace, failures_max=3, open_seconds=30, clock=clock)


def calling(
    processor: Scripted, account: AccountGuard, circuit: Circuit, *, max_retries: int = 0
) -> ResilientProcessor:
    retries = Retries(max_retries=max_retries, base_delay_seconds=0.1, max_delay_seconds=1, call_timeout_seconds=5)
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


async def test_a_limit_of_an_endpoint_stops_that_operation_alone(clock: ManualClock) -> None:
    limited = NotTaken(reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=60, is_of_endpoint=True)
    account, circuit = guard(clock), make_circuit(clock)

    async def call(endpoint: str, answer: Finding) -> Finding:
        async def answered() -> Finding:
            return answer

        return await account.call(answered, endpoint=endpoint, line="a", within_seconds=1)

    # As many as would open the circuit of the account, at endpoints that differ.
    for endpoint in ("refund", "void", "look_up"):
        assert await call(endpoint, limited) == limited
    through = calling(Scripted(limited, APPROVED), account, circuit)
    assert await through.authorize(an_authorization(1_000)) == limited
    paused = await through.authorize(an_authorization(1_000))
    assert isinstance(paused, NotTaken)
    assert paused.calls == 0
    assert paused.retry_after_seconds == pytest.approx(60, abs=1)
    assert await call("capture", APPROVED) == APPROVED
    await account.turn("statement", "statement", within_seconds=0)
    account.limited(limited, endpoint="statement")
    with pytest.raises(NotSentError):
        await account.turn("statement", "statement", within_seconds=1)
    await account.turn("saving", "a", within_seconds=0)


async def test_each_endpoint_has_a_pace_of_its_own(clock: ManualClock) -> None:
    account = guard(clock, of_endpoint=0.1)
    for endpoint in ("authorize", "capture"):
        await account.turn(endpoint, "a", within_seconds=0)
        with pytest.raises(NotSentError):
            await account.turn(endpoint, "b", within_seconds=1)
    # What finds no turn at the account gives that of the endpoint back.
    account.bucket.pause(60)
    for _ in range(2):
        with pytest.raises(NotSentError) as refused:
            await account.turn("refund", "a", within_seconds=1)
        assert refused.value.wait_seconds > 50


async def test_reading_waits_behind_no_request_of_its_operation(clock: ManualClock) -> None:
    account, circuit = guard(clock, of_endpoint=0.1), make_circuit(clock)
    through = calling(Scripted(APPROVED), account, circuit)

    async def capture(known_ref: str) -> Answer:
        request = a_capture(1_000, gateway_ref="pi_1", timeout_seconds=0.2)
        return await through.capture(msgspec.structs.replace(request, known_ref=known_ref))

    assert await capture("") == APPROVED
    paced = await capture("")
    assert isinstance(paced, NotTaken)
    assert (paced.reason, paced.calls, paced.is_worth_repeating) == (NotTakenReason.ENDPOINT_PACE, 0, False)
    assert await capture("pi_1") == APPROVED
    # Readings have a pace of their own, whatever they read.
    assert isinstance(await capture("pi_1"), NotTaken)
    assert isinstance(await through.look_up(a_capture(1_000, gateway_ref="pi_1")), Approved)


async def test_wait_for_an_endpoint_is_short_and_leaves_the_places_to_others(clock: ManualClock) -> None:
    account, places = guard(clock, of_endpoint=4), Bulkhead(places=8, wait_seconds=30)
    through = calling(Scripted(APPROVED), account, make_circuit(clock))
    waited = calls_not_sent("endpoint_pace")

    async def authorize() -> Answer:
        async with places.place("stripe:a"):
            return await through.authorize(an_authorization(1_000, timeout_seconds=12))

    async def capture() -> float:
        async with places.place("stripe:a"):
            assert await through.capture(a_capture(1_000, gateway_ref="pi_1", timeout_seconds=12)) == APPROVED
        return time.monotonic() - began

    began = time.monotonic()
    burst = [asyncio.create_task(authorize()) for _ in range(20)]
    await asyncio.sleep(0)
    assert await capture() < 1.5
    answers = await asyncio.gather(*burst)
    assert time.monotonic() - began < 1.5
    paced = [answer for answer in answers if isinstance(answer, NotTaken)]
    assert 3 <= len(answers) - len(paced) <= 6
    assert {(answer.reason, answer.calls) for answer in paced} == {(NotTakenReason.ENDPOINT_PACE, 0)}
    assert calls_not_sent("endpoint_pace") - waited == len(paced)
    # They come again one after the other, at the rate.
    pauses = sorted(answer.retry_after_seconds or 0 for answer in paced)
    assert pauses[-1] - pauses[0] == pytest.approx((len(paced) - 1) / 4, abs=0.5)


@pytest.mark.parametrize(("is_of_endpoint", "calls"), [(True, 1), (False, 2)])
async def test_place_is_not_kept_for_the_pause_of_an_endpoint(
    clock: ManualClock, is_of_endpoint: bool, calls: int
) -> None:
    limited = NotTaken(reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=0.01, is_of_endpoint=is_of_endpoint)
    processor = Scripted(limited, APPROVED)
    answer = await calling(processor, guard(clock), make_circuit(clock), max_retries=3).authorize(
        an_authorization(1_000)
    )
    assert len(processor.received) == calls
    assert isinstance(answer, NotTaken if is_of_endpoint else Approved)


def calls_not_sent(reason: str) -> float:
    return CALLS_NOT_SENT.labels(reason)._value.get()  # type: ignore[no-any-return] # untyped there


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


async def test_call_is_answered_where_the_process_stood_still_past_its_end(clock: ManualClock) -> None:
    class Silent(Scripted):
        async def authorize(self, request: Authorize) -> Answer:
            # The process stands still until every deadline of the call has passed.
            asyncio.get_running_loop().call_soon(time.sleep, 1.2)
            await asyncio.sleep(60)
            return APPROVED

    retries = Retries(max_retries=0, base_delay_seconds=0.1, max_delay_seconds=1, call_timeout_seconds=0.05)
    through = ResilientProcessor(
        Silent(), circuit=make_circuit(clock), account=guard(clock), retries=retries, sleep=Time().sleep
    )
    answer = await through.authorize(an_authorization(1_000))
    assert isinstance(answer, Unknown)
    assert answer.reason is UnknownReason.TIMEOUT
