"""The gateway as a whole: commands arrive over RabbitMQ, outcomes leave over RabbitMQ, health is reported over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aio_pika
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from libs.common.contracts import Message
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, ReportCapture
from libs.common.ids import new_id
from libs.common.messaging.envelope import Pack, PackedEvent, encode_pack
from libs.common.settings import BrokerSettings
from services.gateway import metrics
from services.gateway.app import build
from services.gateway.settings import GatewayHttpSettings, Settings
from tests.support.brokers import administrator
from tests.support.databases import TestDatabase
from tests.support.waiting import until


class Api:
    """The api's side: publishes commands, receives outcomes."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, tenant_id: str) -> None:
        self._channel = channel
        self._tenant_id = tenant_id
        self.received: list[tuple[str, PackedEvent, dict[str, Any]]] = []

    async def send(self, *messages: Message, raw: bytes | None = None) -> None:
        """Send messages of one type as one pack; `raw` replaces their bodies."""
        contract = messages[0].contract
        events = [
            PackedEvent(
                id=new_id(),
                occurred_at=datetime.now(UTC),
                tenant_id=self._tenant_id,
                correlation_id="corr-1",
                body=msgspec.Raw(raw or message.encode()),
            )
            for message in messages
        ]
        exchange = await self._channel.get_exchange(contract.exchange)
        await exchange.publish(aio_pika.Message(encode_pack(contract.name, events)), routing_key=contract.name)

    async def listen(self) -> None:
        """Take every outcome that the gateway publishes from now on."""
        queue = await self._channel.declare_queue(exclusive=True)
        await queue.bind("gateway.events", routing_key="#")

        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            pack = msgspec.json.decode(message.body, type=Pack)
            for event in pack.events:
                self.received.append((pack.type, event, msgspec.json.decode(event.body)))

        await queue.consume(take, no_ack=True)

    async def outcome_of(self, intent: UUID, *names: str) -> tuple[str, PackedEvent, dict[str, Any]]:
        """Wait for one of the named events about an intent."""

        async def found() -> tuple[str, PackedEvent, dict[str, Any]] | None:
            return next((h for h in self.received if h[0] in names and h[2]["payment_intent_id"] == str(intent)), None)

        return await until(found)

    async def dead_letter(self, queue: str) -> aio_pika.abc.AbstractIncomingMessage:
        """Wait for a dead letter of a queue and take it."""
        dead = await self._channel.get_queue(f"{queue}.dead")
        return await until(lambda: dead.get(fail=False, no_ack=True))


class Running:
    """A running gateway and its surroundings."""

    def __init__(self, http: AsyncTestClient[Any], api: Api) -> None:
        self.http = http
        self.api = api


@pytest.fixture
def settings(gateway_database: TestDatabase, own_urls: dict[str, str]) -> Settings:
    return Settings(
        database=gateway_database.settings("gateway"),
        broker=BrokerSettings(rabbitmq_url=own_urls["gateway"], outbox_poll_seconds=0.2),
        http=GatewayHttpSettings(shutdown_timeout_seconds=5),
    )


@asynccontextmanager
async def running(settings: Settings, tenant_id: str) -> AsyncIterator[Running]:
    service = build(settings)
    async with AsyncTestClient(service.app) as http:

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await until(ready)
        connection = await aio_pika.connect(administrator(settings.broker.rabbitmq_url))
        async with connection:
            api = Api(await connection.channel(), tenant_id)
            await api.listen()
            yield Running(http, api)


@pytest.fixture
async def gateway(settings: Settings, tenant_id: str) -> AsyncIterator[Running]:
    async with running(settings, tenant_id) as started:
        yield started


def authorize(amount_minor: int) -> AuthorizePayment:
    return AuthorizePayment(payment_intent_id=new_id(), amount_minor=amount_minor, currency="BRL")


async def test_a_payment_is_authorized_and_captured_over_the_broker(gateway: Running, tenant_id: str) -> None:
    command = authorize(15_050)
    await gateway.api.send(command)
    _, event, body = await gateway.api.outcome_of(command.payment_intent_id, "payment.authorized")
    assert (event.tenant_id, event.correlation_id) == (tenant_id, "corr-1")
    await gateway.api.send(
        CapturePayment(
            payment_intent_id=command.payment_intent_id,
            amount_minor=15_050,
            currency="BRL",
            gateway_ref=body["gateway_ref"],
        )
    )
    _, _, captured = await gateway.api.outcome_of(command.payment_intent_id, "payment.captured")
    assert captured["gateway_ref"] == body["gateway_ref"]


async def test_a_capture_is_reported_as_the_records_have_it(gateway: Running) -> None:
    unknown = metrics.CAPTURES_UNKNOWN._value.get()
    forged, command = authorize(15_050), authorize(15_050)
    await gateway.api.send(forged, command)
    _, _, body = await gateway.api.outcome_of(command.payment_intent_id, "payment.authorized")
    await gateway.api.outcome_of(forged.payment_intent_id, "payment.authorized")
    await gateway.api.send(
        CapturePayment(
            payment_intent_id=command.payment_intent_id,
            amount_minor=10_000,
            currency="BRL",
            gateway_ref=body["gateway_ref"],
        )
    )
    await gateway.api.outcome_of(command.payment_intent_id, "payment.captured")
    await gateway.api.send(*(ReportCapture(payment_intent_id=c.payment_intent_id) for c in (command, forged)))
    for each, expected in ((command, (10_000, "BRL", body["gateway_ref"])), (forged, (0, "", ""))):
        _, _, report = await gateway.api.outcome_of(each.payment_intent_id, "payment.capture_reported")
        assert (report["amount_minor"], report["currency"], report.get("gateway_ref", "")) == expected

    async def counted() -> bool:
        # After the commit: the report may have been published and received by then.
        return f"gateway_captures_unknown_total {unknown + 1}" in (await gateway.http.get("/metrics")).text

    await until(counted)


async def test_each_of_hundred_commands_sent_twice_has_one_outcome(gateway: Running) -> None:
    commands = [authorize(9_001 if number % 10 == 0 else 15_050) for number in range(100)]
    await gateway.api.send(*commands)
    await gateway.api.send(*commands)
    for number, command in enumerate(commands):
        expected = "payment.declined" if number % 10 == 0 else "payment.authorized"
        assert (await gateway.api.outcome_of(command.payment_intent_id, "payment.authorized", "payment.declined"))[
            0
        ] == expected
    ids = [event.id for _, event, _ in gateway.api.received]
    assert len(ids) == len(set(ids)) == 100


async def test_a_lost_outcome_is_found_out_by_the_resolver_on_its_own(settings: Settings, tenant_id: str) -> None:
    soon = msgspec.structs.replace(
        settings.resolution, unknown_schedule_seconds=(1, 2, 3, 4, 5), resolve_every_seconds=0.1
    )
    hasty = msgspec.structs.replace(settings.processor, retry_base_delay=0.001, retry_max_delay=0.001)
    async with running(msgspec.structs.replace(settings, resolution=soon, processor=hasty), tenant_id) as gateway:
        command = authorize(9_013)
        await gateway.api.send(command)
        await gateway.api.outcome_of(command.payment_intent_id, "payment.authorized")


async def test_a_malformed_command_dies_alone(gateway: Running) -> None:
    good = authorize(15_050)
    await gateway.api.send(authorize(1), raw=b'{"payment_intent_id": "no"}')
    await gateway.api.send(good)
    await gateway.api.outcome_of(good.payment_intent_id, "payment.authorized")
    dead = await gateway.api.dead_letter("gateway.payment.authorize")
    assert dead.headers["x-reason"] == "undecodable_message"


async def test_a_repetition_with_other_money_dies_with_its_reason(gateway: Running) -> None:
    command = authorize(15_050)
    await gateway.api.send(command)
    await gateway.api.outcome_of(command.payment_intent_id, "payment.authorized")
    await gateway.api.send(msgspec.structs.replace(command, amount_minor=1))
    dead = await gateway.api.dead_letter("gateway.payment.authorize")
    assert dead.headers["x-reason"] == "attempt_conflict"


async def test_health_and_metrics_are_reported(gateway: Running) -> None:
    command = authorize(15_050)
    await gateway.api.send(command)
    await gateway.api.outcome_of(command.payment_intent_id, "payment.authorized")
    assert (await gateway.http.get("/healthz")).status_code == 200
    page = (await gateway.http.get("/metrics")).text
    assert 'gateway_requests_total{operation="authorize",status="approved"}' in page
    assert 'b2b_circuit_breaker_state{name="sandbox",state="closed"} 1.0' in page
    assert 'gateway_request_duration_seconds_count{operation="authorize",processor="sandbox"}' in page
