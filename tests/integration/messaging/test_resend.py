"""What a subscriber has lost is published again by who knows it, and takes effect once."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika
import msgspec
import pytest

from deploy.local.servers import Servers
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment
from libs.common.errors import Invalid
from libs.common.ids import new_id
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.resend import Window, parse_window
from libs.common.operating import resend
from libs.common.service import Service
from libs.common.settings import load
from services.gateway import app as gateway
from services.gateway.settings import Settings as GatewaySettings
from services.ledger import app as ledger
from services.ledger.settings import Settings as LedgerSettings
from tests.support.databases import fresh_database
from tests.support.platform import service_environment
from tests.support.waiting import until

QUEUE = "ledger.payment.captured"
TENANT = "tenant-resend"


class World:
    """A gateway that runs, and a ledger that starts on command."""

    def __init__(self, stack: AsyncExitStack, environ: dict[str, str], channel: aio_pika.abc.AbstractChannel) -> None:
        self._stack = stack
        self.gateway_settings = load(GatewaySettings, service="gateway", environ=environ)
        self.ledger_settings = load(LedgerSettings, service="ledger", environ=environ)
        self.channel = channel

    async def start(self, service: Service) -> Service:
        """Run a service until the end of the test."""
        await self._stack.enter_async_context(service._lifespan(service.app))

        async def is_ready() -> bool:
            return not service.bus.trouble

        await until(is_ready)
        return service

    async def command(self, message: AuthorizePayment | CapturePayment) -> None:
        """Command the gateway."""
        event = PackedEvent(
            id=new_id(), occurred_at=datetime.now(UTC), tenant_id=TENANT, correlation_id="c", body=_raw(message)
        )
        exchange = await self.channel.get_exchange("gateway.commands")
        body = encode_pack(message.contract.name, [event])
        await exchange.publish(aio_pika.Message(body), routing_key=message.contract.name)


def _raw(message: Any) -> Any:
    return msgspec.Raw(message.encode())


@asynccontextmanager
async def _world(servers: Servers, vhost_url: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(servers, ("gateway", "ledger")))
        connection = await stack.enter_async_context(await aio_pika.connect(vhost_url))
        environ = service_environment(servers, database, vhost_url)
        yield World(stack, environ, await connection.channel())


async def _rows(service: Service, sql: str, *arguments: Any) -> list[Any]:
    return [tuple(row) for row in await service.database.fetch(sql, *arguments)]


async def test_capture_that_was_lost_with_its_queue_is_booked_once(servers: Servers, vhost_url: str) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)
    intent = new_id()
    money: dict[str, Any] = {"payment_intent_id": intent, "amount_minor": 1500, "currency": "BRL"}
    async with _world(servers, vhost_url) as world:
        charging = await world.start(gateway.build(world.gateway_settings))
        await world.command(AuthorizePayment(**money, customer_ref="c"))

        async def has(operation: str) -> bool:
            sql = "SELECT gateway_ref FROM attempts WHERE operation = $1 AND status = 'APPROVED'"
            return bool(await _rows(charging, sql, operation))

        await until(lambda: has("authorize"))
        ((ref,),) = await _rows(charging, "SELECT gateway_ref FROM attempts")
        await world.command(CapturePayment(**money, gateway_ref=ref))

        async def is_queued() -> bool:
            queue = await world.channel.declare_queue(QUEUE, passive=True)
            return queue.declaration_result.message_count == 1

        await until(is_queued)
        await world.channel.queue_delete(QUEUE)
        booking = await world.start(ledger.build(world.ledger_settings))
        entries = "SELECT payment_intent_id FROM journal_entries WHERE kind = 'capture'"
        assert await _rows(booking, entries) == []

        window = Window(since=began, until=datetime.now(UTC), contract="payment.captured", payment_intent_id=intent)
        for _ in range(2):
            assert await gateway.resend(world.gateway_settings, window) == 1

        async def is_done() -> bool:
            waiting = await _rows(charging, "SELECT 1 FROM outbox UNION ALL SELECT 1 FROM outbox_refused")
            queue = await world.channel.declare_queue(QUEUE, passive=True)
            is_empty = not waiting and queue.declaration_result.message_count == 0
            return is_empty and booking.bus._idle() and bool(await _rows(booking, entries))

        await until(is_done)
        assert await _rows(booking, entries) == [(intent,)]

        elsewhere = Window(since=began, until=datetime.now(UTC), payment_intent_id=new_id())
        before = Window(since=began - timedelta(days=1), until=began)
        for nothing in (elsewhere, before):
            assert await gateway.resend(world.gateway_settings, nothing) == 0
            assert await ledger.resend(world.ledger_settings, nothing) == 0
        everything = Window(since=began, until=datetime.now(UTC))
        assert await gateway.resend(world.gateway_settings, everything) == 2
        assert await ledger.resend(world.ledger_settings, everything) == 1
        # What is kept comes exactly as it was, once; what is older is rebuilt, where there is any.
        sentence = await resend("gateway", world.gateway_settings, everything, rebuild=gateway.resend)
        assert sentence.startswith("the gateway publishes 2 messages again, and ")


def test_window_is_read_from_the_command_line() -> None:
    now = datetime.now(UTC)
    intent = new_id()
    given = ["--since", "2026-11-22T10:00:00Z", "--contract", "payment.captured", "--intent", str(intent)]
    window = parse_window("gateway", given, now=now)
    assert window == Window(
        since=datetime(2026, 11, 22, 10, tzinfo=UTC),
        until=now,
        contract="payment.captured",
        payment_intent_id=UUID(str(intent)),
    )
    assert parse_window("ledger", ["--since", "2026-11-22"], now=now).since == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--since", "yesterday"], "'yesterday' is no instant"),
        (["--since", "2026-11-22", "--contract", "no.such"], "the gateway publishes no 'no.such'"),
        (["--since", "2026-11-22", "--intent", "7"], "'7' is no payment intent's id"),
    ],
)
def test_malformed_window_is_one_sentence(given: list[str], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        parse_window("gateway", given, now=datetime.now(UTC))
