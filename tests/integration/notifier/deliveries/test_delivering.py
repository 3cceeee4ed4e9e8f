"""Couriers against real receivers: signed, retried, never twice, never delayed by somebody else's silence."""

import asyncio
import json
from datetime import timedelta

import msgspec
import pytest
import svix.webhooks
from aiohttp import web
from standardwebhooks import Webhook

from libs.common.clock import SystemClock
from libs.common.contracts.notifier import ListDeliveries
from libs.common.errors import Unavailable
from services.notifier.deliveries import commands as delivery_commands
from services.notifier.deliveries.domain import Attempt
from services.notifier.deliveries.queries import list_deliveries
from services.notifier.deliveries.workers import Courier
from services.notifier.sending import Answer, EndpointSecrets
from tests.integration.notifier.conftest import SETTINGS, Notifier, Receiver
from tests.support.waiting import until

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


async def test_a_delivery_arrives_signed_and_the_official_libraries_verify_it(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url + "/hooks")
    event = notifier.event(tenant_id)
    await notifier.handle(event)
    async with notifier.delivering(notifier.courier(clock=SystemClock())):
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    (request,), (delivery,) = receiver.received, await notifier.deliveries(tenant_id, endpoint.id)
    assert endpoint.secret is not None
    body = Webhook(endpoint.secret).verify(request.body, request.headers)
    svix.webhooks.Webhook(endpoint.secret).verify(request.body, request.headers)
    with pytest.raises(svix.webhooks.WebhookVerificationError):
        svix.webhooks.Webhook(endpoint.secret).verify(request.body + b" ", request.headers)
    assert body["data"] == json.loads(event.encode())
    assert request.headers["webhook-id"] == str(event.event_id) == body["id"]
    assert request.headers["X-Webhook-Delivery-Id"] == str(delivery.id)
    assert request.headers["X-Webhook-Event"] == "payment.settled"
    assert request.headers["Content-Type"] == "application/json"
    assert (delivery.status, delivery.next_attempt_at) == ("DELIVERED", None)
    assert [(a.number, a.status_code, a.error) for a in delivery.attempts] == [(1, 200, None)]


async def test_what_is_sent_is_shown_of_one_event_to_its_tenant_alone(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    event = notifier.event(tenant_id)
    await notifier.handle(event)
    async with notifier.delivering():
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    one = ListDeliveries(tenant_id=tenant_id, event_id=event.event_id)
    (shown,) = (await list_deliveries(notifier.database, one)).deliveries
    (listed,) = (await list_deliveries(notifier.database, ListDeliveries(tenant_id=tenant_id))).deliveries
    others = await list_deliveries(notifier.database, ListDeliveries(tenant_id="another", event_id=event.event_id))
    assert shown.body is not None
    assert shown.body.encode() == receiver.received[0].body
    assert listed.body is None
    assert others.deliveries == []


async def test_failures_are_retried_with_the_same_id_and_body_until_one_is_taken(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    receiver.answers = [web.Response(status=500), web.Response(status=429, headers={"Retry-After": "120"})]
    await notifier.handle(notifier.event(tenant_id))
    async with notifier.delivering():
        for attempt, pause in enumerate([5 * SECOND, 120 * SECOND], start=1):
            await notifier.attempted(tenant_id, endpoint.id, times=attempt)
            (waiting,) = await notifier.deliveries(tenant_id, endpoint.id)
            assert (waiting.status, waiting.next_attempt_at) == ("PENDING", notifier.clock.now() + pause)
            assert len(receiver.received) == attempt
            notifier.clock.advance(pause)
        await notifier.attempted(tenant_id, endpoint.id, times=3)
    (delivery,) = await notifier.deliveries(tenant_id, endpoint.id)
    assert delivery.status == "DELIVERED"
    assert [a.status_code for a in delivery.attempts] == [500, 429, 200]
    assert len({(r.body, r.headers["webhook-id"], r.headers["X-Webhook-Delivery-Id"]) for r in receiver.received}) == 1
    assert len({r.headers["webhook-timestamp"] for r in receiver.received}) == 3


async def test_delivery_fails_after_exactly_the_attempts_of_its_schedule(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    receiver.status = 503
    endpoint = await notifier.register(tenant_id, receiver.url)
    await notifier.handle(notifier.event(tenant_id))
    async with notifier.delivering():
        for attempt in range(1, notifier.policy.attempts_max + 1):
            await notifier.attempted(tenant_id, endpoint.id, times=attempt)
            notifier.clock.advance(24 * HOUR)
        await asyncio.sleep(5 * SETTINGS.webhook_poll_seconds)
    (delivery,) = await notifier.deliveries(tenant_id, endpoint.id)
    assert (delivery.status, len(delivery.attempts), len(receiver.received)) == ("FAILED", 11, 11)


async def test_410_disables_the_endpoint_and_ends_what_waits_for_it(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    receiver.status = 500
    await notifier.handle(notifier.event(tenant_id))
    async with notifier.delivering():
        await notifier.attempted(tenant_id, endpoint.id, times=1)
        receiver.status = 410
        gone = notifier.event(tenant_id)
        await notifier.handle(gone)

        async def over() -> bool:
            return all(d.status == "FAILED" for d in await notifier.deliveries(tenant_id, endpoint.id))

        await until(over)
        await notifier.handle(notifier.event(tenant_id))
    assert len(await notifier.deliveries(tenant_id, endpoint.id)) == 2
    assert len(receiver.received) == 2


async def test_a_redirect_is_not_followed(notifier: Notifier, receiver: Receiver, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url + "/here")
    receiver.answers = [web.Response(status=307, headers={"Location": receiver.url + "/there"})]
    await notifier.handle(notifier.event(tenant_id))
    async with notifier.delivering():
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    assert [request.path for request in receiver.received] == ["/here"]
    (delivery,) = await notifier.deliveries(tenant_id, endpoint.id)
    assert delivery.next_attempt_at == notifier.clock.now() + 30 * MINUTE


async def test_silence_is_a_timeout_and_a_closed_port_a_failed_connection(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    receiver.hanging = {"/hang"}
    silent = await notifier.register(tenant_id, receiver.url + "/hang")
    closed = await notifier.register(tenant_id, "http://127.0.0.1:1/")
    await notifier.handle(notifier.event(tenant_id))
    async with notifier.delivering():
        for endpoint, error in [(silent, "timeout"), (closed, "connection_failed")]:
            await notifier.attempted(tenant_id, endpoint.id, times=1)
            (delivery,) = await notifier.deliveries(tenant_id, endpoint.id)
            assert [(a.status_code, a.error) for a in delivery.attempts] == [(None, error)]


async def test_an_endless_answer_is_cut_and_its_beginning_kept(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    receiver.answers = [web.Response(status=500, body=b"\x00\xff" + b"a" * 5_000_000)]
    await notifier.handle(notifier.event(tenant_id))
    async with notifier.delivering():
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    row = await notifier.database.fetchrow("SELECT response_excerpt FROM attempts")
    assert row is not None
    assert row["response_excerpt"] == "��" + "a" * 1022


async def test_dead_endpoints_do_not_delay_the_others(notifier: Notifier, receiver: Receiver, tenant_id: str) -> None:
    receiver.hanging = {"/hang"}
    for _ in range(10):
        await notifier.register(tenant_id, receiver.url + "/hang")
    alive = await notifier.register(tenant_id, receiver.url + "/ok")
    settings = msgspec.structs.replace(SETTINGS, webhook_timeout_seconds=30, webhook_in_flight_max=24)
    async with notifier.delivering(notifier.courier(settings=settings)):
        for _ in range(3):
            await notifier.handle(*(notifier.event(tenant_id) for _ in range(20)))
        # Before the first of the hanging requests times out.
        async with asyncio.timeout(settings.webhook_timeout_seconds - 5):
            await notifier.attempted(tenant_id, alive.id, times=1)
        receiver.let_go.set()
    assert len(await notifier.deliveries(tenant_id, alive.id)) == 60


async def test_two_couriers_never_make_the_same_attempt_twice(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoints = [await notifier.register(tenant_id, f"{receiver.url}/{number}") for number in range(3)]
    async with notifier.delivering(*(notifier.courier() for _ in range(3))):
        for _ in range(10):
            await notifier.handle(*(notifier.event(tenant_id) for _ in range(20)))
        for endpoint in endpoints:
            await notifier.attempted(tenant_id, endpoint.id, times=1)
    sent = [request.headers["X-Webhook-Delivery-Id"] for request in receiver.received]
    assert len(sent) == len(set(sent))
    # On a busy machine some end by their timeout before they reach the receiver; they are attempts all the same.
    deliveries = [each for endpoint in endpoints for each in await notifier.deliveries(tenant_id, endpoint.id)]
    assert [len(delivery.attempts) for delivery in deliveries] == [1] * 600


async def test_courier_whose_lease_ended_is_replaced_and_can_record_no_more(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await notifier.handle(notifier.event(tenant_id))
    lease = timedelta(seconds=SETTINGS.webhook_lease_seconds)
    (held,) = await delivery_commands.claim(
        notifier.database,
        slots={},
        slots_default=1,
        limit=10,
        in_flight={},
        tenant_max=10,
        lease=lease,
        clock=notifier.clock,
    )
    async with notifier.delivering():
        await asyncio.sleep(5 * SETTINGS.webhook_poll_seconds)
        assert receiver.received == []
        notifier.clock.advance(lease)
        await notifier.attempted(tenant_id, endpoint.id, times=1)
        await asyncio.sleep(5 * SETTINGS.webhook_poll_seconds)
    assert len(receiver.received) == 1
    late = Attempt(
        claimed=held,
        answer=Answer(status_code=500),
        attempted_at=notifier.clock.now(),
        duration_ms=1,
        chance=0.5,
    )
    results = await delivery_commands.record(
        notifier.database, [late], policy=notifier.policy, health=notifier.health, clock=notifier.clock
    )
    assert results == [None]
    (delivery,) = await notifier.deliveries(tenant_id, endpoint.id)
    assert (delivery.status, len(delivery.attempts)) == ("DELIVERED", 1)


async def test_a_stopping_courier_finishes_what_it_can_and_hands_back_the_rest(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    receiver.hanging = {"/hang"}
    silent = await notifier.register(tenant_id, receiver.url + "/hang")
    alive = await notifier.register(tenant_id, receiver.url + "/ok")
    settings = msgspec.structs.replace(SETTINGS, webhook_timeout_seconds=30, webhook_drain_seconds=0.2)
    await notifier.handle(notifier.event(tenant_id))
    async with notifier.delivering(notifier.courier(settings=settings)):
        await notifier.attempted(tenant_id, alive.id, times=1)

        async def reached() -> bool:
            return any(request.path == "/hang" for request in receiver.received)

        await until(reached)
    (waiting,) = await notifier.deliveries(tenant_id, silent.id)
    assert (waiting.status, waiting.next_attempt_at, waiting.attempts) == ("PENDING", notifier.clock.now(), [])
    receiver.hanging = set()
    async with notifier.delivering():
        await notifier.attempted(tenant_id, silent.id, times=1)


async def test_deliveries_of_a_deleted_endpoint_end_without_an_attempt(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await notifier.handle(notifier.event(tenant_id))
    await notifier.delete(tenant_id, endpoint.id)
    # One that was being scheduled while the endpoint was deleted.
    await notifier.database.write(
        "UPDATE deliveries SET status = 'PENDING', next_attempt_at = $1, ended_at = NULL, end_reason = NULL",
        notifier.clock.now(),
    )
    async with notifier.delivering():

        async def over() -> bool:
            return [d.status for d in await notifier.deliveries(tenant_id, endpoint.id)] == ["FAILED"]

        await until(over)
    assert receiver.received == []
    row = await notifier.database.fetchrow("SELECT end_reason, attempts FROM deliveries")
    assert row is not None
    assert (row["end_reason"], row["attempts"]) == ("endpoint_deleted", 0)


async def test_outcome_is_recorded_when_the_database_is_back(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await notifier.handle(notifier.event(tenant_id))
    receiver.hanging = {"/"}
    async with notifier.delivering():

        async def reached() -> bool:
            return bool(receiver.received)

        await until(reached)
        # The pool refuses everybody, as it does while the server is away.
        pool, notifier.database._pool = notifier.database._pool, None
        receiver.let_go.set()
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable):
            await notifier.database.fetch("SELECT 1")
        notifier.database._pool = pool
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    assert len(receiver.received) == 1


async def test_a_secret_whose_key_is_lost_spends_no_attempt(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await notifier.handle(notifier.event(tenant_id))
    other = Courier(
        database=notifier.database,
        sender=notifier.sender,
        secrets=EndpointSecrets("A" * 43 + "="),
        policy=notifier.policy,
        settings=SETTINGS,
        clock=notifier.clock,
    )
    async with notifier.delivering(other):

        async def resting() -> bool:
            (delivery,) = await notifier.deliveries(tenant_id, endpoint.id)
            return delivery.next_attempt_at == notifier.clock.now() + 5 * MINUTE

        await until(resting)
    assert receiver.received == []
    notifier.clock.advance(5 * MINUTE)
    async with notifier.delivering():
        await notifier.attempted(tenant_id, endpoint.id, times=1)
