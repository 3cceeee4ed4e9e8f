"""The gateway's commands on a real database: commands in, messages and attempts out, and money moved once."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.ids import new_id
from services.gateway import metrics
from services.gateway.errors import AttemptConflict, Unstorable
from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import Operation
from services.gateway.resilience import Bulkhead
from tests.support.counting import CountingProcessor
from tests.support.gateway_process import (
    PATIENCE,
    Gateway,
    again,
    authorized,
)


async def test_an_authorization_is_held_and_published_once(gateway: Gateway, book: CountingProcessor) -> None:
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [(contract, body)] = await gateway.published(intent)
    assert contract == "event:gateway:payment.authorized"
    assert body["amount_minor"] == 15_050
    assert body["gateway_ref"].startswith("sandbox_")
    [attempt] = await gateway.attempts(intent)
    assert attempt.status is AttemptStatus.APPROVED
    assert attempt.gateway_ref == body["gateway_ref"]
    assert (attempt.asks, attempt.next_ask_at, attempt.decided_at) == (1, None, gateway.clock.now())
    assert attempt.correlation_id == f"corr-{intent}"
    assert book.charges == {f"authorize {intent}": 1}


async def test_an_authorization_sent_twice_is_one_charge_and_one_event(
    gateway: Gateway, book: CountingProcessor
) -> None:
    command = gateway.authorize_command(15_050)
    await gateway.commands.authorize(command)
    await gateway.commands.authorize(gateway.authorize_command(15_050, intent=command.body.payment_intent_id))
    assert len(await gateway.published(command.body.payment_intent_id)) == 1
    assert sum(book.calls.values()) == 1


async def test_twenty_copies_at_once_in_two_processes_are_one_charge(
    gateway: Gateway, database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    other = Gateway(database, clock, tenant_id, book)
    commands = [gateway.authorize_command(15_050) for _ in range(10)]
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            for command in commands:
                group.create_task(gateway.commands.authorize(command))
                group.create_task(other.commands.authorize(command))
    for command in commands:
        intent = command.body.payment_intent_id
        assert len(await gateway.published(intent)) == 1
        assert len(await gateway.attempts(intent)) == 1
        assert book.charges[f"authorize {intent}"] == 1


async def test_many_commands_at_once_share_few_commits(gateway: Gateway, database: Database) -> None:
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    ended = database.after_commit(count)
    await asyncio.gather(*(gateway.commands.authorize(gateway.authorize_command(amount)) for amount in range(100, 300)))
    ended()
    assert commits <= 20


async def test_load_waits_in_line_and_nothing_is_postponed(gateway: Gateway, book: CountingProcessor) -> None:
    gateway.set_bulkhead(Bulkhead(places=8, wait_seconds=30, waiting_max=512))
    commands = [gateway.authorize_command(amount) for amount in range(15_000, 15_300)]
    await asyncio.gather(*(gateway.commands.authorize(command) for command in commands))
    outcomes = [await gateway.published(command.body.payment_intent_id) for command in commands]
    assert [[contract for contract, _ in published] for published in outcomes] == [
        ["event:gateway:payment.authorized"]
    ] * 300
    assert set(book.calls.values()) == {1}


async def test_beyond_the_line_a_command_waits_in_the_table_for_its_turn(
    gateway: Gateway, book: CountingProcessor
) -> None:
    gateway.set_bulkhead(Bulkhead(places=8, wait_seconds=30, waiting_max=8))
    commands = [gateway.authorize_command(amount) for amount in range(15_000, 15_100)]
    await asyncio.gather(*(gateway.commands.authorize(command) for command in commands))
    intents = [command.body.payment_intent_id for command in commands]
    parked = [attempt for intent in intents for attempt in await gateway.attempts(intent) if not attempt.is_decided]
    assert len(parked) > 50
    assert {(a.asked_at, a.asks, a.next_ask_at) for a in parked} == {(None, 0, gateway.clock.now())}
    gateway.set_bulkhead(Bulkhead(places=100, wait_seconds=30))
    assert await gateway.commands.resolve_due(limit=1_000) == len(parked)
    for intent in intents:
        assert len(await gateway.published(intent)) == 1
    assert set(book.calls.values()) == {1}


async def test_a_repetition_with_other_money_is_refused(gateway: Gateway) -> None:
    command = gateway.authorize_command(15_050)
    await gateway.commands.authorize(command)
    with pytest.raises(AttemptConflict):
        await gateway.commands.authorize(gateway.authorize_command(15_051, intent=command.body.payment_intent_id))


async def test_second_capture_of_another_currency_is_refused(gateway: Gateway, book: CountingProcessor) -> None:
    intent = new_id()
    ref = await authorized(gateway, 15_050, intent)
    command = gateway.capture_command(15_050, intent=intent, gateway_ref=ref)
    await gateway.commands.capture(command)
    other = msgspec.structs.replace(command, id=new_id(), body=msgspec.structs.replace(command.body, currency="USD"))
    with pytest.raises(AttemptConflict, match="in another currency before"):
        await gateway.commands.capture(other)
    assert book.charges[f"capture {intent}"] == 1


async def test_second_capture_of_another_amount_is_seen_and_changes_nothing(gateway: Gateway) -> None:
    intent = new_id()
    ref = await authorized(gateway, 15_050, intent)
    captures = [gateway.capture_command(amount, intent=intent, gateway_ref=ref) for amount in (15_050, 15_050, 10_000)]
    was = metrics.CAPTURES_OF_ANOTHER_AMOUNT._value.get()
    with capture_logs() as logged:
        for capture in captures:
            await gateway.commands.capture(capture)
    [seen] = [entry for entry in logged if entry["event"] == "capture.of_another_amount"]
    assert (seen["status"], seen["amount_minor"], seen["requested_minor"]) == ("APPROVED", 15_050, 10_000)
    assert metrics.CAPTURES_OF_ANOTHER_AMOUNT._value.get() == was + 1
    captured = (await gateway.attempts(intent))[-1]
    assert (captured.status, captured.amount_minor) == (AttemptStatus.APPROVED, 15_050)
    assert [name.rpartition(":")[2] for name, _ in await gateway.published(intent)].count("payment.captured") == 1


@pytest.mark.parametrize(
    ("amount_minor", "currency"), [(0, "BRL"), (-1, "BRL"), (10**15 + 1, "BRL"), (2**70, "BRL"), (100, "XYZ")]
)
async def test_money_that_nobody_can_charge_is_refused(
    gateway: Gateway, book: CountingProcessor, amount_minor: int, currency: str
) -> None:
    command = gateway.authorize_command(100)
    body = msgspec.structs.replace(command.body, amount_minor=amount_minor, currency=currency)
    with pytest.raises(Invalid):
        await gateway.commands.authorize(msgspec.structs.replace(command, body=body))
    assert await gateway.attempts(command.body.payment_intent_id) == []
    assert not book.calls


async def test_command_that_cannot_be_stored_fails_alone(gateway: Gateway) -> None:
    commands = [gateway.authorize_command(15_050) for _ in range(100)]
    commands[40] = msgspec.structs.replace(
        commands[40], body=msgspec.structs.replace(commands[40].body, customer_ref="a\x00b")
    )
    results = await asyncio.gather(
        *(gateway.commands.authorize(command) for command in commands), return_exceptions=True
    )
    assert [number for number, result in enumerate(results) if result is not None] == [40]
    assert isinstance(results[40], Unstorable)
    # On a busy machine a call may take longer than its second; its outcome is found out then.
    await gateway.resolve_after(PATIENCE.ages[0])
    assert len(await gateway.published(commands[99].body.payment_intent_id)) == 1


async def test_the_same_intent_of_another_tenant_is_another_attempt(
    gateway: Gateway, database: Database, clock: ManualClock, book: CountingProcessor
) -> None:
    other = Gateway(database, clock, "another", book)
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    await other.commands.authorize(other.authorize_command(99, intent=intent))
    assert [a.amount_minor for a in await gateway.attempts(intent)] == [15_050]
    assert [a.amount_minor for a in await other.attempts(intent)] == [99]


async def test_a_decline_is_published_with_its_reason(gateway: Gateway) -> None:
    command = gateway.authorize_command(9_001)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [(contract, body)] = await gateway.published(intent)
    assert contract == "event:gateway:payment.declined"
    assert body["reason"] == "insufficient_funds"
    [attempt] = [a for a in await gateway.attempts(intent) if a.operation is Operation.AUTHORIZE]
    assert (attempt.status, attempt.reason) == (AttemptStatus.DECLINED, "insufficient_funds")


async def test_a_capture_follows_its_authorization(gateway: Gateway, book: CountingProcessor) -> None:
    ref = await authorized(gateway, 15_050, intent := new_id())
    command = gateway.capture_command(15_050, intent=intent, gateway_ref=ref)
    await gateway.commands.capture(command)
    await gateway.commands.capture(command)
    published = await gateway.published(intent)
    assert [contract for contract, _ in published] == [
        "event:gateway:payment.authorized",
        "event:gateway:payment.captured",
    ]
    assert published[1][1]["gateway_ref"] == ref
    assert [a.operation for a in await gateway.attempts(intent)] == [Operation.AUTHORIZE, Operation.CAPTURE]
    assert book.charges == {f"authorize {intent}": 1, f"capture {intent}": 1}


async def test_a_refused_capture_is_published_with_its_reason(gateway: Gateway) -> None:
    ref = await authorized(gateway, 9_031, intent := new_id())
    await gateway.commands.capture(gateway.capture_command(9_031, intent=intent, gateway_ref=ref))
    contract, body = (await gateway.published(intent))[-1]
    assert (contract, body["reason"]) == ("event:gateway:payment.capture_failed", "authorization_expired")


async def test_the_outcome_event_has_the_same_id_whoever_publishes_it(gateway: Gateway, database: Database) -> None:
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    rows = "SELECT event_id FROM outbox WHERE body::jsonb ->> 'payment_intent_id' = $1"
    [first] = await database.fetch(rows, str(intent))
    # As if the attempt's outcome had been lost with a restored backup, and was found out anew.
    lost = "UPDATE attempts SET status = 'PENDING', next_ask_at = $2 WHERE payment_intent_id = $1"
    await database.write(lost, intent, gateway.clock.now())
    await gateway.commands.authorize(command)
    assert [row["event_id"] for row in await database.fetch(rows, str(intent))] == [first["event_id"]] * 2


async def test_lost_outcome_is_published_again_without_another_call(gateway: Gateway, book: CountingProcessor) -> None:
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [first] = await gateway.published(intent)
    asks = sum(book.calls.values())
    repeated = metrics.OUTCOMES_REPEATED.labels(Operation.AUTHORIZE)._value
    before = repeated.get()
    await gateway.commands.authorize(again(command))
    assert await gateway.published(intent) == [first, first]
    assert (sum(book.calls.values()), repeated.get()) == (asks, before + 1)


async def test_command_of_which_only_the_repetition_arrives_is_carried_out(
    gateway: Gateway, book: CountingProcessor
) -> None:
    intent = new_id()
    await gateway.commands.authorize(again(gateway.authorize_command(15_050, intent=intent)))
    [attempt] = await gateway.attempts(intent)
    capture = gateway.capture_command(15_050, intent=intent, gateway_ref=attempt.gateway_ref)
    await gateway.commands.capture(again(capture))
    # What is known of the payment is published again before.
    contracts = [contract.rpartition(".")[2] for contract, _ in await gateway.published(intent)]
    assert contracts == ["authorized", "authorized", "captured"]
    assert book.charges == {f"authorize {intent}": 1, f"capture {intent}": 1}


async def test_repetition_of_what_has_no_outcome_yet_is_left_to_the_schedule(
    gateway: Gateway, book: CountingProcessor
) -> None:
    command = gateway.authorize_command(9_013)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    asks = sum(book.calls.values())
    await gateway.commands.authorize(again(command))
    assert (await gateway.published(intent), sum(book.calls.values())) == ([], asks)
    assert await gateway.resolve_after(timedelta(seconds=5)) == 1
    assert len(await gateway.published(intent)) == 1
