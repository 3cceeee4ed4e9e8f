"""What the gateway does about calls that a restored database does not know."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from libs.common.clock import ManualClock, iso
from libs.common.contracts.gateway import AuthorizePayment, RefundPayment
from libs.common.errors import Invalid
from libs.common.ids import new_id
from libs.common.messaging import Received
from services.gateway.operations import AttemptStatus, restored
from services.gateway.processors.port import Unknown, UnknownReason
from tests.support.counting import CountingProcessor
from tests.support.databases import TestDatabase
from tests.support.gateway_process import PATIENCE, Fixed, Gateway, authorized

LATER = PATIENCE.key_lifetime + timedelta(hours=1)


@pytest.fixture
async def administrator(gateway_database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Loses rows, as a restore does, and what a test has written down for all."""
    connection = await asyncpg.connect(gateway_database.admin_url)
    try:
        yield connection
    finally:
        await connection.execute("DELETE FROM gateway.operator_actions")
        await connection.close()


async def lose(administrator: asyncpg.Connection, gateway: Gateway) -> None:
    await administrator.execute("DELETE FROM gateway.attempts WHERE tenant_id = $1", gateway.tenant_id)


async def restart(gateway: Gateway, *, restored_to: str = "") -> None:
    """Go on as a new process, which knows of the restore."""
    if restored_to:
        await restored(gateway.database, ["--to", restored_to], now=gateway.clock.now())
    gateway.set_bulkhead(gateway.bulkhead)


def command_of(gateway: Gateway, amount_minor: int) -> Received[AuthorizePayment]:
    """A command about a payment that was made now by the gateway's clock."""
    return gateway.authorize_command(amount_minor, intent=new_id(gateway.clock.now()))


async def test_a_charge_of_lost_time_is_found_and_not_made_again(
    gateway: Gateway, book: CountingProcessor, administrator: asyncpg.Connection
) -> None:
    command = command_of(gateway, 15_050)
    since = iso(gateway.clock.now())
    await gateway.commands.authorize(command)
    await lose(administrator, gateway)
    gateway.clock.advance(LATER)
    await restart(gateway, restored_to=since)
    await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert attempt.status is AttemptStatus.APPROVED
    assert book.calls == {attempt.idempotency_key: 1}


async def test_what_was_never_called_is_called_after_reading(
    gateway: Gateway, book: CountingProcessor, administrator: asyncpg.Connection
) -> None:
    command = command_of(gateway, 15_050)
    since = iso(gateway.clock.now())
    gateway.clock.advance(LATER)
    await restart(gateway, restored_to=since)
    await gateway.commands.authorize(command)
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert attempt.status is AttemptStatus.APPROVED
    assert book.calls == {attempt.idempotency_key: 1}


async def test_a_refund_of_lost_time_is_found_and_not_made_again(
    gateway: Gateway, book: CountingProcessor, administrator: asyncpg.Connection
) -> None:
    intent = new_id(gateway.clock.now())
    ref = await authorized(gateway, 15_050, intent)
    await gateway.commands.capture(gateway.capture_command(15_050, intent=intent, gateway_ref=ref))
    refund = gateway._received(
        RefundPayment(
            payment_intent_id=intent,
            refund_id=new_id(gateway.clock.now()),
            amount_minor=5_000,
            currency="BRL",
            gateway_ref=ref,
        )
    )
    since = iso(gateway.clock.now())
    await gateway.commands.refund(refund)
    await administrator.execute("DELETE FROM gateway.attempts WHERE refund_id = $1", refund.body.refund_id)
    gateway.clock.advance(LATER)
    await restart(gateway, restored_to=since)
    await gateway.commands.refund(refund)
    [attempt] = [a for a in await gateway.attempts(intent) if a.refund_id == refund.body.refund_id]
    assert attempt.status is AttemptStatus.APPROVED
    assert book.calls[attempt.idempotency_key] == 1


async def test_while_the_records_cannot_be_read_nothing_is_called(
    gateway: Gateway, book: CountingProcessor, administrator: asyncpg.Connection
) -> None:
    command = command_of(gateway, 15_050)
    since = iso(gateway.clock.now())
    gateway.clock.advance(LATER)
    fixed = Fixed(book)
    fixed.answers["look_up"] = Unknown(reason=UnknownReason.TIMEOUT)
    gateway.processor = fixed
    await restart(gateway, restored_to=since)
    await gateway.commands.authorize(command)
    assert await gateway.resolve_after(timedelta(minutes=1)) == 1
    assert book.calls == {}
    fixed.answers.clear()
    assert await gateway.resolve_after(timedelta(minutes=1)) == 1
    [attempt] = await gateway.attempts(command.body.payment_intent_id)
    assert attempt.status is AttemptStatus.APPROVED
    assert list(book.calls.values()) == [1]


async def test_payments_made_after_a_restore_are_called_at_once(
    gateway: Gateway, book: CountingProcessor, administrator: asyncpg.Connection
) -> None:
    since = iso(gateway.clock.now())
    gateway.clock.advance(LATER)
    fixed = Fixed(book)
    fixed.answers["look_up"] = Unknown(reason=UnknownReason.TIMEOUT)
    gateway.processor = fixed
    await restart(gateway, restored_to=since)
    gateway.clock.advance(timedelta(seconds=1))
    command = command_of(gateway, 15_050)
    await gateway.commands.authorize(command)
    assert list(book.calls.values()) == [1]


@pytest.mark.parametrize("moment", ["yesterday", "2999-01-01T00:00:00Z"])
async def test_a_moment_that_cannot_be_is_refused(gateway: Gateway, clock: ManualClock, moment: str) -> None:
    with pytest.raises(Invalid):
        await restored(gateway.database, ["--to", moment], now=clock.now())
