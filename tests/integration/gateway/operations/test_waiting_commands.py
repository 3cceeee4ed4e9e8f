"""What comes of a command whose processor takes no calls now."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from services.gateway.errors import ProcessorUnavailable
from services.gateway.operations import AttemptStatus
from services.gateway.operations.sql.recording import Recording
from services.gateway.processors.port import Answer, Authorize, Finding, NotTaken, NotTakenReason
from tests.support.counting import CountingProcessor
from tests.support.gateway_process import Gateway, open_circuit


async def test_while_the_circuit_is_open_a_command_waits_and_nothing_is_written(
    gateway: Gateway, book: CountingProcessor
) -> None:
    await open_circuit(gateway)
    command = gateway.authorize_command(15_050)
    with pytest.raises(ProcessorUnavailable):
        await gateway.commands.authorize(command)
    assert await gateway.attempts(command.body.payment_intent_id) == []
    gateway.clock.advance(timedelta(seconds=30))
    await gateway.commands.authorize(command)
    assert len(await gateway.published(command.body.payment_intent_id)) == 1
    assert sum(book.calls.values()) == 1


async def test_a_command_that_has_waited_long_waits_in_the_table_without_an_end(
    gateway: Gateway, book: CountingProcessor
) -> None:
    await open_circuit(gateway)
    command = gateway.authorize_command(15_050, retries=4)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.asked_at) == (AttemptStatus.PENDING, None)
    assert await gateway.resolve_after(timedelta(seconds=10)) == 0
    assert await gateway.resolve_after(timedelta(days=3)) == 1
    assert len(await gateway.published(intent)) == 1
    assert book.charges == {f"authorize {intent}": 1}


async def test_a_parked_attempt_is_left_to_the_resolver(gateway: Gateway, book: CountingProcessor) -> None:
    await open_circuit(gateway)
    command = gateway.authorize_command(15_050, retries=4)
    await gateway.commands.authorize(command)
    gateway.clock.advance(timedelta(seconds=30))
    await gateway.commands.authorize(command)
    assert sum(book.calls.values()) == 0
    assert await gateway.commands.resolve_due(limit=100) == 1
    assert len(await gateway.published(command.body.payment_intent_id)) == 1


async def test_a_request_that_was_not_taken_is_soon_made_again(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    class Deaf:
        name = "sandbox"
        deaf = True

        async def authorize(self, request: Authorize) -> Answer:
            return NotTaken(reason=NotTakenReason.UNREACHABLE) if self.deaf else await book.authorize(request)

        async def capture(self, request: Any) -> Answer:
            return await book.capture(request)

        async def look_up(self, request: Any) -> Finding:
            return await book.look_up(request)

        async def void(self, request: Any) -> Answer:
            return await book.void(request)

        async def refund(self, request: Any) -> Answer:
            return await book.refund(request)

    deaf = Deaf()
    gateway = Gateway(database, clock, tenant_id, deaf)
    command = gateway.authorize_command(15_050)
    intent = command.body.payment_intent_id
    await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(intent)
    assert (attempt.status, attempt.reason) == (AttemptStatus.PENDING, "unreachable")
    deaf.deaf = False
    assert await gateway.resolve_after(timedelta(seconds=5)) == 1
    assert len(await gateway.published(intent)) == 1


async def test_call_that_was_not_taken_does_not_make_an_outcome_certain(gateway: Gateway) -> None:
    command = gateway.authorize_command(9_014)
    await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    stale = msgspec.structs.replace(attempt, status=AttemptStatus.PENDING, reason="circuit_open")
    await gateway.store.record(Recording(attempt=stale, publication=None, recorded_at=gateway.clock.now()))
    [after] = await gateway.attempts(command.body.payment_intent_id)
    assert after.status is AttemptStatus.UNKNOWN
