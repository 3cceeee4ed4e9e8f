"""What is not sent because of the pace of its endpoint goes out in its turn."""

import asyncio
from datetime import timedelta

from structlog.testing import capture_logs

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import RefundPayment
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import NotTaken, NotTakenReason
from services.gateway.resilience import AccountGuard
from tests.support.counting import CountingProcessor
from tests.support.gateway_process import PATIENCE, Gateway, authorized

LIMITED = NotTaken(reason=NotTakenReason.RATE_LIMITED, is_of_endpoint=True, retry_after_seconds=40)


def paced(database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor, rate: float) -> Gateway:
    guard = AccountGuard(
        "sandbox", per_second=1_000, per_second_of_endpoint=rate, failures_max=9, open_seconds=1, clock=clock
    )
    return Gateway(database, clock, tenant_id, book, guard=guard)


async def test_what_finds_no_turn_goes_out_in_its_turn(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    gateway = paced(database, clock, tenant_id, book, rate=2)
    commands = [gateway.authorize_command(15_050) for _ in range(7)]
    with capture_logs() as logged:
        await asyncio.gather(*(gateway.commands.authorize(command) for command in commands))
    found = [(await gateway.attempts(command.body.payment_intent_id))[0] for command in commands]
    waiting = sorted((each.next_ask_at, each) for each in found if each.next_ask_at is not None)
    assert 3 <= len(waiting) <= 5
    assert {(each.status, each.reason, each.asks, each.in_doubt) for _, each in waiting} == {
        (AttemptStatus.PENDING, "endpoint_pace", 0, 0)
    }
    assert [entry["reason"] for entry in logged if entry["event"] == "attempt.postponed"] == ["endpoint_pace"] * len(
        waiting
    )
    # In their turn, and not after the pause of what the processor has refused.
    due = [next_at for next_at, _ in waiting]
    assert clock.now() < due[0] < clock.now() + PATIENCE.pause
    for _ in range(9):
        await gateway.resolve_after(timedelta(seconds=30))
    for command in commands:
        assert len(await gateway.published(command.body.payment_intent_id)) == 1
    assert set(book.charges.values()) == {1}


async def test_reading_waits_for_no_refunds_and_its_wait_ends_no_schedule(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    gateway = paced(database, clock, tenant_id, book, rate=1_000)
    assert gateway.guard is not None
    intents = [new_id(), new_id()]
    for intent in intents:
        ref = await authorized(gateway, 15_050, intent)
        await gateway.commands.capture(gateway.capture_command(15_050, intent=intent, gateway_ref=ref))
        # Taken on; it succeeds later.
        body = RefundPayment(
            payment_intent_id=intent, amount_minor=9_052, currency="BRL", refund_id=new_id(), gateway_ref=ref
        )
        await gateway.commands.refund(gateway._received(body))
    gateway.guard.limited(LIMITED, endpoint="refund")
    assert await gateway.resolve_after(PATIENCE.reading_ages[0]) == 2
    read = [(await gateway.attempts(intent))[-1] for intent in intents]
    assert {(each.status, each.reason, each.asks) for each in read} == {(AttemptStatus.ACCEPTED, "", 2)}
    gateway.guard.limited(LIMITED, endpoint="reading")
    # After the last age of the schedule a person would have to look.
    assert await gateway.resolve_after(PATIENCE.reading_ages[-1]) == 2
    for intent in intents:
        waiting = (await gateway.attempts(intent))[-1]
        assert (waiting.status, waiting.reason, waiting.asks) == (AttemptStatus.ACCEPTED, "endpoint_pace", 2)
        assert waiting.next_ask_at is not None
        assert timedelta(seconds=30) < waiting.next_ask_at - clock.now() < timedelta(seconds=42)
