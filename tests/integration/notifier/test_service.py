"""The notifier as a process: packs and requests arrive over RabbitMQ, webhooks leave over HTTP, `kill -9` loses none."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import aiohttp
import asyncpg
import msgspec
import pytest
import svix.webhooks
from standardwebhooks import Webhook

from libs.common.addresses import vhost_of
from libs.common.contracts import Message
from libs.common.contracts.api import IntentEvent, PaymentIntentCreated, PaymentSettled
from libs.common.contracts.notifier import (
    GetReplay,
    ListDeliveries,
    ListEndpoints,
    RegisterEndpoint,
    StartReplay,
    WebhookEndpoint,
)
from libs.common.errors import Invalid
from libs.common.ids import first_id, new_id
from libs.common.messaging.broker import Broker
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.requests import Requester
from libs.common.messaging.topology import topology
from tests.support import forks
from tests.support.databases import TestDatabase
from tests.support.ports import free_port
from tests.support.receiver import Receiver, running_receiver
from tests.support.waiting import until

pytestmark = pytest.mark.long

LATER = datetime(2100, 1, 1, tzinfo=UTC)


class Api:
    """The api's side: says public events in packs, asks for endpoints."""

    def __init__(self, requester: Requester, channel: aio_pika.abc.AbstractChannel, tenant_id: str) -> None:
        self._requester = requester
        self.channel = channel
        self.tenant_id = tenant_id

    async def request(self, message: Message) -> Any:
        """Send the notifier a request."""
        return await self._requester.request(message)

    async def register(self, url: str, *events: str) -> WebhookEndpoint:
        """Register an endpoint."""
        registered: WebhookEndpoint = await self.request(
            RegisterEndpoint(tenant_id=self.tenant_id, endpoint_id=new_id(), url=url, events=list(events))
        )
        return registered

    async def publish(self, *events: IntentEvent, raw: bytes | None = None) -> None:
        """Send events of one type as one pack; `raw` replaces their bodies."""
        contract = events[0].contract
        packed = [
            PackedEvent(
                id=event.event_id,
                occurred_at=event.occurred_at,
                tenant_id=event.tenant_id,
                correlation_id=event.correlation_id,
                body=msgspec.Raw(raw or event.encode()),
            )
            for event in events
        ]
        exchange = await self.channel.get_exchange(contract.exchange)
        await exchange.publish(aio_pika.Message(encode_pack(contract.name, packed)), routing_key=contract.name)

    def event(self, kind: type[IntentEvent] = PaymentSettled) -> IntentEvent:
        """An event that happens now."""
        return kind(
            event_id=new_id(),
            occurred_at=datetime.now(UTC),
            tenant_id=self.tenant_id,
            correlation_id="corr-1",
            payment_intent_id=new_id(),
            amount="150.50",
            currency="BRL",
        )


class Process:
    """`python -m services.notifier serve`, started and killed at will."""

    def __init__(self, database: TestDatabase, own_url: str, log: Path) -> None:
        self.port = free_port()
        self._log = log
        self._environ = os.environ | {
            "APP_ENV": "local",
            "NOTIFIER_DATABASE_URL": database.url("notifier_app"),
            "NOTIFIER_RABBITMQ_URL": own_url,
            "PARTNERS_VHOST": vhost_of(own_url),
            "NOTIFIER_HTTP_PORT": str(self.port),
            "WEBHOOK_RETRY_SCHEDULE": "0s,1s,1s,1s,1s,1s,1s,1s",
            "WEBHOOK_TIMEOUT_SECONDS": "1",
            "WEBHOOK_LEASE_SECONDS": "2",
            "WEBHOOK_DRAIN_SECONDS": "3",
            "WEBHOOK_ENDPOINT_IN_FLIGHT_MAX": "4",
        }
        self._process: forks.Process | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    def log(self) -> str:
        """What it has logged since it was started last."""
        return self._log.read_text()

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self._log.unlink(missing_ok=True)
        self._process = await asyncio.to_thread(forks.start, "notifier", "serve", environ=self._environ, log=self._log)
        await until(self.is_ready)

    async def is_ready(self) -> bool:
        """Whether it says that it is ready."""
        async with aiohttp.ClientSession() as http:
            try:
                async with http.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await forks.ended(self._process, seconds=60)

    async def stop(self) -> int:
        """End it as an orchestrator would; returns its exit code."""
        assert self._process is not None
        if self.runs:
            self._process.terminate()
        return await forks.ended(self._process, seconds=60)


@asynccontextmanager
async def speaking(vhost_url: str, tenant_id: str) -> AsyncIterator[Api]:
    """Publish as the api inside the block."""
    broker = Broker(vhost_url, name="api")
    requester = Requester(broker, service="api", timeout_seconds=5)
    broker.subscribe(requester.reply_queue, requester, prefetch=50, exclusive=True, binding=requester.binding)
    await broker.start(topology("api"))
    async with await aio_pika.connect(vhost_url) as connection:
        try:
            yield Api(requester, await connection.channel(), tenant_id)
        finally:
            await broker.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as found:
        yield found


@pytest.fixture(scope="module")
async def shared_process(
    notifier_database: TestDatabase, own_urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    shared = Process(notifier_database, own_urls["notifier"], tmp_path_factory.mktemp("notifier") / "notifier.log")
    try:
        yield shared
    finally:
        if shared.runs:
            await shared.stop()


@pytest.fixture
async def process(shared_process: Process) -> Process:
    """The process that the tests share, started anew where one of them has ended it."""
    if not shared_process.runs:
        await shared_process.start()
    return shared_process


async def received(receiver: Receiver, count: int) -> None:
    async def fact() -> bool:
        return len({request.headers["webhook-id"] for request in receiver.received}) >= count

    await until(fact)


async def test_what_the_api_says_reaches_the_merchant(
    process: Process, receiver: Receiver, vhost_url: str, tenant_id: str
) -> None:
    async with speaking(vhost_url, tenant_id) as api:
        endpoint = await api.register(receiver.url, "payment.*")
        (listed,) = (await api.request(ListEndpoints(tenant_id=tenant_id))).endpoints
        assert listed == msgspec.structs.replace(endpoint, secret=None)
        created, settled = api.event(PaymentIntentCreated), api.event()
        await api.publish(created)
        await api.publish(settled)
        await received(receiver, 2)
        assert endpoint.secret is not None
        bodies = [Webhook(endpoint.secret).verify(r.body, r.headers) for r in receiver.received]
        for request in receiver.received:
            svix.webhooks.Webhook(endpoint.secret).verify(request.body, request.headers)
        assert {body["type"] for body in bodies} == {"payment.intent.created", "payment.settled"}
        assert {body["id"] for body in bodies} == {str(created.event_id), str(settled.event_id)}

        async def recorded() -> bool:
            page = await api.request(ListDeliveries(tenant_id=tenant_id, endpoint_id=endpoint.id))
            return [d.status for d in page.deliveries] == ["DELIVERED", "DELIVERED"]

        await until(recorded)


async def test_an_event_received_twice_is_delivered_once(
    process: Process, receiver: Receiver, vhost_url: str, tenant_id: str
) -> None:
    async with speaking(vhost_url, tenant_id) as api:
        await api.register(receiver.url, "*")
        event = api.event()
        await api.publish(event)
        await api.publish(event, event)
        last = api.event()
        await api.publish(last)
        await received(receiver, 2)
    bodies = sorted(r.headers["webhook-id"] for r in receiver.received)
    assert bodies == sorted([str(event.event_id), str(last.event_id)])


async def test_a_malformed_event_is_dead_lettered_alone(
    process: Process, receiver: Receiver, vhost_url: str, tenant_id: str
) -> None:
    async with speaking(vhost_url, tenant_id) as api:
        await api.register(receiver.url, "*")
        await api.publish(api.event(), raw=b'{"event_id": 7}')
        fine = api.event()
        await api.publish(fine)
        await received(receiver, 1)
        dead = await api.channel.get_queue("notifier.payment.settled.dead")
        letter = None
        async with asyncio.timeout(60):
            while letter is None:
                letter = await dead.get(fail=False, no_ack=True)
        assert b"event_id" in letter.body
    assert [r.headers["webhook-id"] for r in receiver.received] == [str(fine.event_id)]


async def test_a_refusal_travels_back_with_its_code_and_reasons(
    process: Process, vhost_url: str, tenant_id: str
) -> None:
    async with speaking(vhost_url, tenant_id) as api:
        with pytest.raises(Invalid) as refused:
            await api.register("https://user:password@merchant.example/", "payment.unheard_of")
        assert refused.value.reason == "invalid_webhook_endpoint"
        assert [pointer for pointer, _ in refused.value.errors] == ["/url", "/events/0"]


async def test_killed_repeatedly_every_event_and_attempt_is_recorded_once(
    process: Process, receiver: Receiver, notifier_database: TestDatabase, vhost_url: str, tenant_id: str
) -> None:
    count = 120
    async with speaking(vhost_url, tenant_id) as api:
        endpoint = await api.register(receiver.url, "*")
        # Every seventh request is refused once, so that retries are in progress too.
        receiver.answer = lambda number: 503 if number % 7 == 0 else 200
        for _ in range(3):
            await api.publish(*(api.event() for _ in range(count // 3)))
        for kills in range(1, 4):
            await received(receiver, kills * count // 5)
            await process.kill()
            await process.start()
        await received(receiver, count)
    watcher = await asyncpg.connect(notifier_database.admin_url)
    try:

        async def over() -> bool:
            return bool(
                await watcher.fetchval(
                    "SELECT count(*) = $2 FROM notifier.deliveries WHERE endpoint_id = $1 AND status = 'DELIVERED'",
                    endpoint.id,
                    count,
                )
            )

        await until(over)
        wrong = await watcher.fetch(
            "SELECT d.event_id FROM notifier.deliveries AS d JOIN notifier.attempts AS a "
            "USING (tenant_id, endpoint_id, event_id) WHERE d.endpoint_id = $1 GROUP BY d.event_id, d.attempts "
            "HAVING count(*) <> d.attempts OR count(*) FILTER (WHERE a.status_code = 200) <> 1",
            endpoint.id,
        )
        assert wrong == []
    finally:
        await watcher.close()


async def test_replay_interrupted_by_kill_goes_on_and_finishes_once(
    process: Process, receiver: Receiver, notifier_database: TestDatabase, vhost_url: str, tenant_id: str
) -> None:
    step, count = 500, 800
    receiver.expects_documented = False
    books = await asyncpg.connect(notifier_database.admin_url, server_settings={"search_path": "notifier"})
    async with speaking(vhost_url, tenant_id) as api:
        endpoint = await api.register(receiver.url, "*")
        events = [UUID(int=first_id(datetime.now(UTC)).int + number) for number in range(1, count + 1)]
        await books.execute(
            "INSERT INTO messages (tenant_id, event_id, type, body, occurred_at, created_at) "
            "SELECT $1, id, 'payment.settled', '{}', now(), now() FROM unnest($2::uuid[]) AS e(id)",
            tenant_id,
            events,
        )
        await books.execute(
            "INSERT INTO deliveries (tenant_id, endpoint_id, event_id, id, event_type, status, attempts, fence, "
            "created_at, ended_at, end_reason) SELECT $1, $2, id, id, 'payment.settled', 'FAILED', 0, 0, now(), now(), "
            "'endpoint_disabled' FROM unnest($3::uuid[]) AS e(id)",
            tenant_id,
            endpoint.id,
            events,
        )

        async def progress() -> tuple[str, int]:
            shown = await api.request(GetReplay(tenant_id=tenant_id, replay_id=begun.id))
            return shown.status, shown.scheduled

        async with books.transaction():
            # Somebody holds a delivery of the second step, so the replay stands there when its process is killed.
            await books.execute("SELECT FROM deliveries WHERE event_id = $1 FOR UPDATE", events[step + step // 2])
            begun = await api.request(StartReplay(tenant_id=tenant_id, endpoint_id=endpoint.id, key="k", until=LATER))

            async def stands() -> bool:
                return await progress() == ("RUNNING", step)

            await until(stands)
            await process.kill()
        await process.start()

        async def done() -> bool:
            return await progress() == ("DONE", count)

        await until(done)
        assert begun.total == count
        await received(receiver, count)
    try:
        assert await books.fetchval(
            "SELECT array_agg(DISTINCT replays) FROM deliveries WHERE tenant_id = $1", tenant_id
        ) == [1]
    finally:
        await books.close()


async def test_stopped_it_finishes_before_it_ends(process: Process) -> None:
    # uvicorn hands the signal on to itself once everything is closed, as a shell expects.
    assert await process.stop() in {0, -signal.SIGTERM}
    lines = process.log()
    assert lines.index("courier.stopped") < lines.index("service.stopped")
    assert "Traceback" not in lines
