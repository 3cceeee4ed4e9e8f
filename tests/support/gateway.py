"""The gateway as processes of their own, and the api's side of the broker: commands go out, outcomes come back, timed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import aiohttp
import msgspec

from libs.common.contracts import Message
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment
from libs.common.ids import new_id
from libs.common.messaging.envelope import Pack, PackedEvent, encode_pack
from tests.support import forks
from tests.support.databases import TestDatabase
from tests.support.platform import START_SECONDS, STOP_SECONDS
from tests.support.ports import free_port

_BODY = msgspec.json.Decoder(dict[str, Any])
_PACK = msgspec.json.Decoder(Pack)


class GatewayProcess:
    """One gateway process, to be killed and started again on the same port."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self._environ = {**os.environ, **environ, "HTTP_PORT": str(self.port)}
        self._log = log
        self._process: forks.Process | None = None

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def set(self, **environ: str) -> None:
        """Change its settings before it starts."""
        self._environ |= environ

    async def start(self) -> None:
        """Start it, without waiting for it to be ready."""
        self._process = await asyncio.to_thread(forks.start, "gateway", "serve", environ=self._environ, log=self._log)

    async def ready(self) -> None:
        """Wait until it can work."""
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"{self.base}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    assert self._process is not None
                    assert self._process.returncode is None, self._log.read_text(errors="replace")[-2000:]
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await forks.ended(self._process, seconds=STOP_SECONDS)

    async def stop(self) -> None:
        """End it as an orchestrator would."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await forks.ended(self._process, seconds=STOP_SECONDS)


def gateway_environment(database: TestDatabase, vhost_url: str, **settings: str) -> dict[str, str]:
    """What a gateway process needs to know."""
    return {
        "APP_ENV": "local",
        "LOG_LEVEL": "WARNING",
        "GATEWAY_DATABASE_URL": database.url("gateway_app"),
        "GATEWAY_MIGRATION_DATABASE_URL": database.url("gateway_owner"),
        "RABBITMQ_URL": vhost_url,
    } | settings


class Driver:
    """Plays the api: authorizes, captures what is held, and keeps when it sent and received what."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, *, tenant_id: str, captures: bool = True) -> None:
        self._channel = channel
        self._tenant_id = tenant_id
        self._captures = captures
        self.sent_at: dict[tuple[str, UUID], float] = {}
        """When each command was sent, by its name and payment."""
        self.received_at: dict[tuple[str, UUID], float] = {}
        """When each outcome was first received, by its name and payment."""
        self.events: dict[str, set[UUID]] = {}
        """The ids of the events that were received, by name and payment: more than one is a charge published twice."""
        self._ended = asyncio.Event()
        self.ended: dict[UUID, str] = {}
        """How each payment ended."""

    async def listen(self) -> None:
        """Handle everything that the gateway publishes from now on."""
        queue = await self._channel.declare_queue(exclusive=True)
        await queue.bind("gateway.events", routing_key="#")
        await queue.consume(self._take, no_ack=True)

    async def authorize(self, *commands: AuthorizePayment) -> None:
        """Publish commands, each on its own or all in one pack."""
        await self._publish(commands)

    async def all_ended(self, count: int, *, seconds: float) -> None:
        """Wait until so many payments are captured or refused."""
        async with asyncio.timeout(seconds):
            while len(self.ended) < count:
                self._ended.clear()
                await self._ended.wait()

    async def _publish(self, commands: Sequence[AuthorizePayment] | Sequence[CapturePayment]) -> None:
        contract = commands[0].contract
        now = time.perf_counter()
        for command in commands:
            self.sent_at[contract.name, command.payment_intent_id] = now
        events = [_packed(command, self._tenant_id) for command in commands]
        exchange = await self._channel.get_exchange(contract.exchange, ensure=False)
        body = aio_pika.Message(encode_pack(contract.name, events), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await exchange.publish(body, routing_key=contract.name)

    async def _take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        now = time.perf_counter()
        pack = _PACK.decode(message.body)
        captures = []
        for event in pack.events:
            body = _BODY.decode(event.body)
            if "payment_intent_id" not in body:
                continue
            intent = UUID(body["payment_intent_id"])
            self.events.setdefault(f"{pack.type} {intent}", set()).add(event.id)
            if (pack.type, intent) in self.received_at:
                continue
            self.received_at[pack.type, intent] = now
            if pack.type == "payment.authorized" and self._captures:
                named = {name: body[name] for name in ("amount_minor", "currency", "gateway_ref")}
                captures.append(CapturePayment(payment_intent_id=intent, **named))
            elif pack.type in {"payment.captured", "payment.declined", "payment.capture_failed", "payment.authorized"}:
                self.ended[intent] = pack.type
                self._ended.set()
        if captures:
            await self._publish(captures)


def _packed(message: Message, tenant_id: str) -> PackedEvent:
    return PackedEvent(
        id=new_id(),
        occurred_at=datetime.now(UTC),
        tenant_id=tenant_id,
        correlation_id="driver",
        body=msgspec.Raw(message.encode()),
    )


@asynccontextmanager
async def driving(vhost_url: str, *, tenant_id: str, captures: bool = True) -> AsyncIterator[Driver]:
    """Connect a driver to the broker for the length of the block."""
    connection = await aio_pika.connect(vhost_url)
    async with connection:
        driver = Driver(await connection.channel(), tenant_id=tenant_id, captures=captures)
        await driver.listen()
        yield driver
