"""Faults: servers away and back, processes killed at any moment. Nothing is lost and nothing happens twice."""

import asyncio
from collections import Counter
from pathlib import Path
from uuid import uuid4

import aio_pika
import aiohttp
import asyncpg
import pytest

from deploy.local import servers as local
from deploy.local.servers import Servers
from tests.support.databases import SERVICES
from tests.support.platform import ADMIN, OPERATOR, Answer, Client, Platform, running_platform
from tests.support.receiver import running_receiver

PAYMENTS = 240
CLIENTS = 8


@pytest.fixture
def native(servers: Servers) -> Servers:
    """Servers that are ours to stop."""
    given = [s for s in ("postgres", "redis", "rabbitmq") if getattr(servers, s).kind == "given"]
    if given:
        pytest.skip(f"the environment gives {', '.join(given)}: not ours to stop")
    return servers


async def test_with_rabbitmq_down_payments_are_accepted_and_complete_when_it_is_back(
    native: Servers, platform: Platform, operator: Client
) -> None:
    await asyncio.to_thread(local.pause, "test", "rabbitmq")
    try:
        down = await platform.ready("api", status=503)
        assert down["checks"]["rabbitmq"] == "fail"
        assert down["checks"]["database"] == "ok"
        intents = [await operator.create("12.00") for _ in range(5)]
        answers = await asyncio.gather(
            *(operator.confirm(intent["id"], headers={"Prefer": "respond-async"}) for intent in intents)
        )
        assert [answer.status for answer in answers] == [202] * 5
        assert {answer.json["status"] for answer in answers} == {"PROCESSING"}
        entries = await operator.call("GET", "/v1/ledger/entries")
        assert entries.status == 503
        assert entries.json["code"] == "unavailable"
        assert "Retry-After" in entries.headers
    finally:
        await asyncio.to_thread(local.resume, "test", "rabbitmq")
    await asyncio.gather(*(operator.settled(intent["id"], seconds=60) for intent in intents))
    for service in SERVICES:
        await platform.ready(service)


async def test_with_redis_down_payments_still_work(native: Servers, operator: Client) -> None:
    await asyncio.to_thread(local.pause, "test", "redis")
    try:
        intent = await operator.create("13.00")
        confirmed = await operator.confirm(intent["id"])
        assert confirmed.status == 200, confirmed.raw
        await operator.settled(intent["id"])
    finally:
        await asyncio.to_thread(local.resume, "test", "redis")


async def test_with_postgresql_down_answers_are_503_and_recovery_needs_no_restart(
    native: Servers, platform: Platform, operator: Client
) -> None:
    before = await operator.create("14.00")
    await asyncio.to_thread(local.pause, "test", "postgres")
    try:
        down = await platform.ready("api", status=503)
        assert down["checks"]["database"] == "fail"
        refused = await operator.call(
            "POST",
            "/v1/payment-intents",
            {"amount": "1.00", "currency": "BRL", "customer_ref": "x"},
            key=str(uuid4()),
        )
        assert refused.status == 503
        assert refused.json["code"] == "unavailable"
    finally:
        await asyncio.to_thread(local.resume, "test", "postgres")
    await platform.ready("api")
    confirmed = await operator.confirm(before["id"])
    assert confirmed.status in {200, 202}
    await operator.settled(before["id"], seconds=40)


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_each_service_ended_under_load_loses_nothing_and_doubles_nothing(
    servers: Servers, tmp_path: Path, end: str
) -> None:
    async with running_platform(servers, tmp_path) as platform, running_receiver() as receiver:
        operator, admin = await platform.login(OPERATOR), await platform.login(ADMIN)
        registered = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.settled"]})
        assert registered.status == 201
        made: list[str] = []
        queue = list(range(PAYMENTS))

        async def client() -> None:
            while queue:
                number = queue.pop()
                made.append(await _pay(operator, f"{10 + number}.00"))
                # Spread over the kills that happen meanwhile.
                await asyncio.sleep(0.2)

        async def killer() -> None:
            for service in ("gateway", "ledger", "notifier", "api"):
                await asyncio.sleep(1.0)
                # As a power cut would (kill -9), or as an orchestrator does: stop taking, finish, flush, close.
                await asyncio.to_thread(platform.kill if end == "kill" else platform.stop, service)
                platform.start(service)
                await platform.ready(service)

        async with asyncio.TaskGroup() as group:
            group.create_task(killer())
            for _ in range(CLIENTS):
                group.create_task(client())
        assert len(made) == len(set(made)) == PAYMENTS
        for intent_id in made:
            # Whatever a killed gateway had asked is asked again when its lease of thirty seconds has ended; on a busy
            # machine that can be once for the authorization and once for the capture.
            await operator.settled(intent_id, seconds=150)
        await _audit(platform, made)
        async with asyncio.timeout(60):
            while len({delivery.headers["webhook-id"] for delivery in receiver.received}) < PAYMENTS:
                await asyncio.sleep(0.1)
        assert len({delivery.headers["webhook-id"] for delivery in receiver.received}) == PAYMENTS


async def _pay(operator: Client, amount: str) -> str:
    """Pay as a careful client does: the same key again after every lost answer."""
    create_key, confirm_key = str(uuid4()), str(uuid4())
    body = {"amount": amount, "currency": "BRL", "customer_ref": "load"}
    intent = (await _insist(operator, "/v1/payment-intents", create_key, body)).json
    await _insist(operator, f"/v1/payment-intents/{intent['id']}/confirm", confirm_key, None)
    return str(intent["id"])


async def _insist(operator: Client, path: str, key: str, body: object) -> Answer:
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await operator.call("POST", path, body, key=key)
            except (OSError, aiohttp.ClientError):
                await asyncio.sleep(0.1)
                continue
            if answer.status in {200, 202}:
                return answer
            assert answer.status in {409, 503}, answer.raw
            await asyncio.sleep(0.1)


async def _audit(platform: Platform, made: list[str]) -> None:
    """Count in the databases themselves: one intent, one authorization, one capture, one entry per payment."""
    books = await asyncpg.connect(platform.database.admin_url)
    try:
        intents = await books.fetch("SELECT id::text FROM api.payment_intents WHERE customer_ref = 'load'")
        assert sorted(row["id"] for row in intents) == sorted(made)
        entries = await books.fetch("SELECT payment_intent_id::text AS id FROM ledger.journal_entries")
        assert Counter(row["id"] for row in entries) == Counter(made)
        attempts = await books.fetch("SELECT payment_intent_id::text AS id, operation, status FROM gateway.attempts")
        assert Counter((row["id"], row["operation"]) for row in attempts) == Counter(
            {(intent_id, operation): 1 for intent_id in made for operation in ("authorize", "capture")}
        )
        assert {row["status"] for row in attempts} == {"APPROVED"}
        difference = await books.fetchval(
            "SELECT sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) FROM ledger.postings"
        )
        assert difference == 0
    finally:
        await books.close()


async def test_service_that_cannot_hear_says_why_and_stops(platform: Platform) -> None:
    await asyncio.to_thread(platform.stop, "notifier")
    connection = await aio_pika.connect(platform.rabbitmq_url)
    async with connection:
        channel = await connection.channel()
        await channel.queue_delete("notifier.payment.failed")
        await channel.declare_queue("notifier.payment.failed", durable=True)
        platform.start("notifier")
        await asyncio.to_thread(platform.ended, "notifier")
        assert "'notifier.payment.failed' exists on the broker with other arguments" in platform.log("notifier")
        await channel.queue_delete("notifier.payment.failed")
    platform.start("notifier")
    await platform.ready("notifier")
