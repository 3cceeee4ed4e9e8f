"""What comes of an operation whose answer is lost, or whose process dies around the call."""

import asyncio
from datetime import timedelta

import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway import metrics
from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import Operation
from tests.support.gateway_process import (
    PATIENCE,
    Dying,
    Gateway,
    Killed,
    Pausing,
    authorized,
)
from tests.unit.gateway.processors.processor_suite import CountingProcessor


@pytest.mark.parametrize("amount_minor", [9_011, 9_021, 9_022])
async def test_a_processor_that_fails_once_is_called_again_at_once(
    gateway: Gateway, book: CountingProcessor, amount_minor: int
) -> None:
    command = gateway.authorize_command(amount_minor)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [(contract, _)] = await gateway.published(intent)
    assert contract == "event:gateway:payment.authorized"
    [attempt] = await gateway.attempts(intent)
    assert attempt.asks == 2
    assert book.calls == {attempt.idempotency_key: 2}
    assert book.charges == {f"authorize {intent}": 1}


async def test_a_lost_decline_is_not_taken_for_an_approval(gateway: Gateway) -> None:
    command = gateway.authorize_command(9_012)
    await gateway.commands.authorize(command)
    [(contract, _)] = await gateway.published(command.body.payment_intent_id)
    assert contract == "event:gateway:payment.declined"


async def test_an_unknown_outcome_is_found_out_with_the_same_key(gateway: Gateway, book: CountingProcessor) -> None:
    command = gateway.authorize_command(9_013)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    assert await gateway.published(intent) == []
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.asks, attempt.reason) == (AttemptStatus.UNKNOWN, 4, "timeout")
    assert attempt.next_ask_at == gateway.clock.now() + timedelta(seconds=5)
    assert (await gateway.store.count_open()).unknown >= 1
    resolved = metrics.OUTCOMES_RESOLVED.labels(Operation.AUTHORIZE, AttemptStatus.APPROVED)._value
    before = resolved.get()
    assert await gateway.resolve_after(timedelta(seconds=4)) == 0
    assert await gateway.resolve_after(timedelta(seconds=1)) == 1
    [(contract, _)] = await gateway.published(intent)
    assert contract == "event:gateway:payment.authorized"
    assert book.charges == {f"authorize {intent}": 1}
    assert len(book.calls) == 1
    # What is answered at once was never in doubt.
    await gateway.commands.authorize(gateway.authorize_command(15_050))
    assert resolved.get() == before + 1


async def test_a_lost_capture_is_found_out_with_the_same_key(gateway: Gateway, book: CountingProcessor) -> None:
    ref = await authorized(gateway, 9_034, intent := new_id())
    await gateway.commands.capture(gateway.capture_command(9_034, intent=intent, gateway_ref=ref))
    assert await gateway.resolve_after(timedelta(seconds=5)) == 1
    assert (await gateway.published(intent))[-1][0] == "event:gateway:payment.captured"
    assert book.charges[f"capture {intent}"] == 1


async def test_unknown_outcome_is_left_to_a_person_and_never_guessed(gateway: Gateway, book: CountingProcessor) -> None:
    command = gateway.authorize_command(9_014)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    before = (await gateway.store.count_open()).overdue
    alarms = metrics.OUTCOMES_OVERDUE.labels(Operation.AUTHORIZE)._value
    rung = alarms.get()
    began, calls = gateway.clock.now(), 0
    for age in PATIENCE.ages:
        gateway.clock.advance(began + age - gateway.clock.now())
        calls += await gateway.commands.resolve_due(limit=1_000)
    assert calls == len(PATIENCE.ages)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.UNKNOWN, None)
    assert await gateway.published(intent) == []
    assert (await gateway.store.count_open()).overdue == before + 1
    assert alarms.get() == rung + 1
    # A day later the processor may have forgotten the key, and the same question could be a second charge.
    gateway.clock.advance(timedelta(days=1))
    asks = sum(book.calls.values())
    await gateway.commands.authorize(command)
    assert await gateway.commands.resolve_due(limit=1_000) == 0
    assert sum(book.calls.values()) == asks


async def test_a_service_that_was_down_for_days_does_not_use_old_keys(
    gateway: Gateway, book: CountingProcessor
) -> None:
    command = gateway.authorize_command(9_013)
    await gateway.commands.authorize(command)
    asks = sum(book.calls.values())
    assert await gateway.resolve_after(timedelta(days=3)) == 1
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.UNKNOWN, None)
    assert sum(book.calls.values()) == asks


@pytest.mark.parametrize("before_the_call", [True, False], ids=["before the call", "after the call"])
async def test_a_death_around_the_call_is_healed_by_redelivery(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor, before_the_call: bool
) -> None:
    gateway = Gateway(database, clock, tenant_id, Dying(book, before_the_call=before_the_call))
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    with pytest.raises(Killed):
        await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.asks) == (AttemptStatus.PENDING, 0)
    await gateway.commands.authorize(command)
    assert len(await gateway.published(intent)) == 1
    assert book.charges == {f"authorize {intent}": 1}


@pytest.mark.parametrize("before_the_call", [True, False], ids=["before the call", "after the call"])
async def test_a_death_around_the_call_is_healed_by_the_resolver(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor, before_the_call: bool
) -> None:
    gateway = Gateway(database, clock, tenant_id, Dying(book, before_the_call=before_the_call))
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    with pytest.raises(Killed):
        await gateway.commands.authorize(command)
    assert await gateway.resolve_after(PATIENCE.lease - timedelta(seconds=1)) == 0
    assert await gateway.resolve_after(timedelta(seconds=1)) == 1
    assert len(await gateway.published(intent)) == 1
    assert book.charges == {f"authorize {intent}": 1}


async def test_whoever_still_asks_renews_the_lease_and_nobody_else_asks(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    slow = Pausing(book)
    requester, other = Gateway(database, clock, tenant_id, slow), Gateway(database, clock, tenant_id, book)
    command = requester.authorize_command(15_050)
    asking = asyncio.create_task(requester.commands.authorize(command))
    await slow.called.wait()
    for _ in range(4):
        clock.advance(PATIENCE.lease / 2)
        await requester.commands.hold_leases()
        await other.commands.resolve_due(limit=100)
        assert book.charges == {}
    slow.let_go.set()
    await asking
    assert book.charges == {f"authorize {command.body.payment_intent_id}": 1}
    # Nothing is held any more.
    await requester.commands.hold_leases()
    [attempt] = await requester.attempts(command.body.payment_intent_id)
    assert (attempt.status, attempt.next_ask_at) == (AttemptStatus.APPROVED, None)


async def test_two_resolvers_never_take_the_same_attempt(
    gateway: Gateway, database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    other = Gateway(database, clock, tenant_id, book)
    commands = [gateway.authorize_command(9_013) for _ in range(5)]
    for command in commands:
        await gateway.commands.authorize(command)
    clock.advance(timedelta(seconds=5))
    taken = await asyncio.gather(gateway.commands.resolve_due(limit=100), other.commands.resolve_due(limit=100))
    assert sum(taken) == 5
    for command in commands:
        assert len(await gateway.published(command.body.payment_intent_id)) == 1
