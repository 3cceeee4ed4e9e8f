"""Faults: servers away and back, processes killed at any moment. Nothing is lost and nothing happens twice."""

import asyncio
from pathlib import Path
from uuid import uuid4

import aio_pika
import pytest

from deploy.local import servers as local
from deploy.local.servers import Servers
from tests.proof.restarts import IN_TURN, SETTLED_SECONDS, Load, audit, backlogs, end_in_turn
from tests.support.databases import SERVICES
from tests.support.platform import ADMIN, OPERATOR, Client, Platform, running_platform
from tests.support.receiver import running_receiver

pytestmark = pytest.mark.outages

PAYMENTS = 80
CLIENTS = 8
BACKLOG = 120


@pytest.fixture
def native(servers: Servers) -> Servers:
    """Servers that are ours to stop."""
    given = [s for s in ("postgres", "redis", "rabbitmq") if getattr(servers, s).kind == "given"]
    if given:
        pytest.skip(f"the environment gives {', '.join(given)}: not ours to stop")
    return servers


async def test_payments_accepted_while_rabbitmq_is_down_complete_afterwards(
    native: Servers, platform: Platform, operator: Client
) -> None:
    await asyncio.to_thread(local.pause, native.profile, "rabbitmq")
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
        await asyncio.to_thread(local.resume, native.profile, "rabbitmq")
    await asyncio.gather(*(operator.settled(intent["id"]) for intent in intents))
    for service in SERVICES:
        await platform.ready(service)


async def test_with_redis_down_payments_still_work(native: Servers, operator: Client) -> None:
    await asyncio.to_thread(local.pause, native.profile, "redis")
    try:
        intent = await operator.create("13.00")
        confirmed = await operator.confirm(intent["id"])
        assert confirmed.status in {200, 202}, confirmed.raw
        await operator.settled(intent["id"])
    finally:
        await asyncio.to_thread(local.resume, native.profile, "redis")


async def test_postgresql_down_is_answered_503_and_recovery_needs_no_restart(
    native: Servers, platform: Platform, operator: Client
) -> None:
    before = await operator.create("14.00")
    await asyncio.to_thread(local.pause, native.profile, "postgres")
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
        await asyncio.to_thread(local.resume, native.profile, "postgres")
    await platform.ready("api")
    confirmed = await operator.confirm(before["id"])
    assert confirmed.status in {200, 202}
    await operator.settled(before["id"])


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_service_ended_under_load_loses_and_doubles_nothing_and_settles(
    servers: Servers, tmp_path: Path, end: str
) -> None:
    """The short form of `just proof-restarts`: the kills under load, then a restart of all services with backlogs."""
    if servers.rabbitmq.kind == "given":
        pytest.skip("the environment gives RabbitMQ: not ours to look into")
    async with (
        running_platform(servers, tmp_path) as platform,
        running_receiver() as receiver,
        backlogs(servers, platform) as made,
    ):
        operator, admin = await platform.login(OPERATOR), await platform.login(ADMIN)
        registered = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.settled"]})
        assert registered.status == 201
        load = Load(platform, operator, payments=PAYMENTS, clients=CLIENTS, pause=0.4)
        async with asyncio.TaskGroup() as group:
            group.create_task(end_in_turn(platform, kills=end == "kill", every_seconds=1.0))
            group.create_task(load.run())
        assert len(load.made) == len(set(load.made)) == PAYMENTS
        seconds, slowest = await load.settled(within=SETTLED_SECONDS)
        print(f"{end}: the slowest of {PAYMENTS} payments settled {seconds:.1f} s after the last restart: {slowest}")
        await audit(platform, load.made)
        async with asyncio.timeout(60):
            while len({delivery.headers["webhook-id"] for delivery in receiver.received}) < PAYMENTS:
                await asyncio.sleep(0.1)
        assert len({delivery.headers["webhook-id"] for delivery in receiver.received}) == PAYMENTS
        for service in IN_TURN:
            await asyncio.to_thread(platform.kill if end == "kill" else platform.stop, service)
        for service in IN_TURN:
            await made.fill(service, BACKLOG)
            platform.start(service)
        for service in IN_TURN:
            await platform.ready(service)
        await made.drained()
        await audit(platform, load.made)


async def test_service_that_cannot_consume_reports_why_and_stops(platform: Platform) -> None:
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
