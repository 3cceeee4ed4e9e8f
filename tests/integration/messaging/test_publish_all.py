"""Messages that are written together: each is confirmed or refused by itself, and none is taken for another."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from uuid import uuid4

import aio_pika
import aiormq
import pytest
from aio_pika.exceptions import DeliveryError
from aiormq import spec
from yarl import URL

from deploy.local.servers import Servers
from libs.common import outages
from libs.common.errors import Unavailable
from libs.common.messaging import publisher
from libs.common.messaging.driver import FRAMES_MAX
from libs.common.messaging.frames import PublicMessage, UnwritableMessage
from libs.common.messaging.publisher import AT_ONCE, Publisher, forgiving
from libs.common.messaging.topology import dead_exchange
from tests.support.broker import Node
from tests.support.waiting import until

EXCHANGE = "payments.x"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def message(body: bytes = b"{}", *, key: str = "payment.settled", message_id: str = "") -> PublicMessage:
    return PublicMessage(
        body=body,
        exchange=EXCHANGE,
        routing_key=key,
        type="payment.settled",
        message_id=message_id or uuid4().hex,
        correlation_id="c-1",
        timestamp=NOW,
        headers={"X-Correlation-Id": "c-1", "X-Tenant-Id": "loja-ação", "traceparent": "00-1"},
    )


class Place:
    """A publisher, and a team that subscribes to `payment.settled`."""

    def __init__(
        self, publisher: Publisher, team: aio_pika.abc.AbstractChannel, queue: aio_pika.abc.AbstractQueue
    ) -> None:
        self.publisher, self.team, self.queue = publisher, team, queue

    async def channel(self) -> aiormq.Channel:
        assert self.publisher._channel is not None
        found = await self.publisher._channel.get_underlay_channel()
        assert isinstance(found, aiormq.Channel)
        return found

    async def received(self) -> list[aio_pika.abc.AbstractIncomingMessage]:
        messages = []
        while (found := await self.queue.get(fail=False, no_ack=True)) is not None:
            messages.append(found)
        return messages


@pytest.fixture
async def place(vhost_url: str) -> AsyncIterator[Place]:
    publisher = Publisher(vhost_url, name="api")
    await publisher.start()
    async with await aio_pika.connect(vhost_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue("team.settled")
        await queue.bind(exchange, "payment.settled")
        yield Place(publisher, channel, queue)
    await publisher.stop()


async def test_message_arrives_as_one_that_is_published_alone(place: Place, vhost_url: str) -> None:
    sent = message(b'{"large":"' + b"x" * 300_000 + b'"}')
    await place.publisher.publish(
        sent.body,
        exchange=EXCHANGE,
        routing_key=sent.routing_key,
        mandatory=False,
        message_type=sent.type,
        message_id=sent.message_id,
        correlation_id=sent.correlation_id,
        timestamp=sent.timestamp,
        headers=dict(sent.headers),
        user_id=URL(vhost_url).user,
    )
    assert await place.publisher.publish_all([sent]) == [None]
    alone, together = await place.received()
    assert together.body == alone.body == sent.body
    assert together.info() | {"delivery_tag": 0, "message_count": 0} == alone.info() | {
        "delivery_tag": 0,
        "message_count": 0,
    }


async def test_each_is_confirmed_or_refused_by_itself(place: Place) -> None:
    full = await place.team.declare_queue("team.full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    await full.bind(EXCHANGE, "payment.failed")
    await place.publisher.publish_all([message(key="payment.failed")])
    outcomes = await place.publisher.publish_all(
        [
            message(message_id="a"),
            message(key="payment.failed"),
            message(message_id="x" * 256),
            message(key="nobody.listens"),
            message(message_id="b"),
        ]
    )
    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        DeliveryError,
        UnwritableMessage,
        type(None),
        type(None),
    ]
    assert [found.message_id for found in await place.received()] == ["a", "b"]
    assert await place.publisher.publish_all([message(message_id="x" * 256)] * 2) != [None, None]
    assert await place.publisher.publish_all([]) == []


async def test_many_follow_each_other_in_order_beside_single_ones(place: Place) -> None:
    async def alone(number: int) -> None:
        await place.publisher.publish(
            b"{}", exchange=EXCHANGE, routing_key="payment.settled", message_id=f"alone-{number}"
        )

    slices = [[message(message_id=f"{part}-{number}") for number in range(100)] for part in range(5)]
    singles = [asyncio.create_task(alone(number)) for number in range(20)]
    outcomes = await asyncio.gather(*(place.publisher.publish_all(part) for part in slices))
    await asyncio.gather(*singles)
    assert outcomes == [[None] * 100] * 5
    ids = [found.message_id or "" for found in await place.received()]
    assert [each for each in ids if not each.startswith("alone")] == [
        sent.message_id for part in slices for sent in part
    ]
    assert len(ids) == 520
    assert not (await place.channel()).confirmations


async def _turns_to_read_confirms(place: Place) -> int:
    """Publish 128 messages and count the turns of the loop in which their confirms are read, once they have arrived."""
    channel = await place.channel()
    assert channel.frames.maxsize == FRAMES_MAX
    turns = 0
    async with asyncio.TaskGroup() as group:
        publishing = group.create_task(place.publisher.publish_all([message() for _ in range(128)]))
        while not channel.confirmations or not channel.write_queue.empty():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        # A loop that is busy for as long as the broker takes to confirm all of them.
        time.sleep(0.3)  # noqa: ASYNC251
        while not publishing.done():
            turns += 1
            await asyncio.sleep(0)
    assert publishing.result() == [None] * 128
    return turns


async def test_confirms_that_have_arrived_are_read_in_a_few_turns(place: Place) -> None:
    # The driver alone takes 26. A broker that is slower than the loop was busy makes it more, so not always.
    assert any([await _turns_to_read_confirms(place) < 13 for _ in range(5)])


async def test_lost_connection_is_an_outage_and_the_next_write_gets_through(
    place: Place, vhost_url: str, servers: Servers
) -> None:
    channel = await place.channel()
    # Confirms that never come: what the broker says is not read.
    reading = channel.frames
    channel.frames = asyncio.Queue()
    waiting = asyncio.create_task(place.publisher.publish_all([message(), message()]))
    while not channel.confirmations:
        await asyncio.sleep(0)
    await Node(servers, vhost_url).close_connections()
    results = await asyncio.gather(waiting, return_exceptions=True)
    faults = results[0] if isinstance(results[0], list) else results
    assert faults
    assert all(isinstance(fault, Exception) and outages.is_outage(fault) for fault in faults)
    channel.frames = reading
    async with asyncio.timeout(20):
        while True:
            (outcome,) = await asyncio.gather(place.publisher.publish_all([message()]), return_exceptions=True)
            if outcome == [None]:
                return
            assert isinstance(outcome, list) or outages.is_outage(outcome)
            await asyncio.sleep(0.1)


async def test_silent_connection_that_the_driver_closes_is_an_outage(place: Place) -> None:
    channel = await place.channel()
    # The first one asks for the exchange.
    await place.publisher.publish(b"{}", exchange=EXCHANGE, routing_key="payment.settled")
    channel.frames = asyncio.Queue()
    last = channel.delivery_tag + 3
    together = asyncio.create_task(place.publisher.publish_all([message(), message()]))
    alone = asyncio.create_task(place.publisher.publish(b"{}", exchange=EXCHANGE, routing_key="payment.settled"))
    async with asyncio.timeout(10):
        while channel.delivery_tag < last:
            await asyncio.sleep(0)
    # As the driver does it after three heartbeats that did not come.
    channel.connection._reader_task.cancel()  # type: ignore[attr-defined]
    await asyncio.wait([together, alone])
    faults = [*together.result(), alone.exception()]
    assert len(faults) == 3
    assert all(isinstance(fault, ConnectionError) and outages.is_outage(fault) for fault in faults)


async def test_connection_without_confirms_is_replaced_unless_it_is_blocked(
    place: Place, vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.team.declare_exchange(dead_exchange("api"), aio_pika.ExchangeType.TOPIC, durable=True)
    monkeypatch.setattr(publisher, "_PROBE_EVERY_SECONDS", 0.001)
    monkeypatch.setattr(publisher, "_PROBE_SECONDS", 0.05)
    failures, at_replacing = 0, list[int]()
    probe, replace = Publisher.probe, Publisher._replace

    async def counted_probe(self: Publisher) -> None:
        nonlocal failures
        failures += 1
        await probe(self)
        failures = 0

    async def noted_replace(self: Publisher) -> None:
        at_replacing.append(failures)
        await replace(self)

    monkeypatch.setattr(Publisher, "probe", counted_probe)
    monkeypatch.setattr(Publisher, "_replace", noted_replace)
    watched = Publisher(vhost_url, name="api")
    await watched.start()
    try:
        first, channel = watched._broker, await Place(watched, place.team, place.queue).channel()
        watched._set_blocked("low on memory")
        await until(lambda: _is(lambda: failures > 10))
        assert not at_replacing
        channel.frames = asyncio.Queue()
        watched._set_blocked("")
        failures = 0
        await until(lambda: _is(lambda: watched._broker is not first and failures == 0))
        assert at_replacing[0] == 6
        await watched.publish(b"{}", exchange=EXCHANGE, routing_key="payment.settled")
        assert len(await place.received()) == 1
    finally:
        await watched.stop()


async def test_queue_that_confirms_nothing_is_a_silence_that_no_probe_ends(
    place: Place, vhost_url: str, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.team.declare_exchange(dead_exchange("api"), aio_pika.ExchangeType.DIRECT, durable=True)
    monkeypatch.setattr(publisher, "_PROBE_SECONDS", 60.0)
    async with Node(servers, vhost_url).suspended("team.settled"):
        with monkeypatch.context() as patched:
            patched.setattr(publisher, "_PUBLISH_SECONDS", 3.0)
            outcomes = await place.publisher.publish_all([message(), message(key="nobody.listens")])
        # What was confirmed is not sent again for the sake of the other.
        assert [type(outcome) for outcome in outcomes] == [TimeoutError, type(None)]
        await place.publisher.probe()
        assert (place.publisher.is_open, place.publisher.answers) == (True, False)
    # A new connection has no past.
    place.publisher._on_connected(None)
    assert place.publisher.answers


async def test_probe_does_not_blame_the_broker_for_an_error_of_ours(place: Place) -> None:
    place.publisher._name = "a name longer than AMQP admits" * 10
    with pytest.raises(ValueError, match="Max length exceeded"):
        await place.publisher.probe()


async def test_exchange_that_is_gone_keeps_nothing_from_the_others(place: Place) -> None:
    gone = await place.team.declare_exchange("gone.x", aio_pika.ExchangeType.TOPIC)

    async def publish(exchange: str) -> None:
        await place.publisher.publish(b"{}", exchange=exchange, routing_key="payment.settled", mandatory=False)

    await publish("gone.x")
    await gone.delete()
    # The broker closes the channel for it, and with that all exchanges are looked up again.
    (fault,) = await asyncio.gather(publish("gone.x"), return_exceptions=True)
    assert fault is not None
    assert outages.is_outage(fault)

    async def is_published() -> bool:
        (outcome,) = await asyncio.gather(publish(EXCHANGE), return_exceptions=True)
        assert outcome is None or outages.is_outage(outcome)
        return outcome is None

    await until(is_published)
    assert len(await place.received()) == 1


async def test_write_that_was_cancelled_leaves_no_gap_in_the_numbers(place: Place) -> None:
    channel = await place.channel()
    before = channel.delivery_tag
    full = asyncio.Queue[object](maxsize=1)
    full.put_nowait(object())
    writing, channel.write_queue = channel.write_queue, full
    cancelled = asyncio.create_task(place.publisher.publish_all([message(), message()]))
    while channel.delivery_tag == before:
        await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    channel.write_queue = writing
    assert cancelled.cancelled()
    assert channel.delivery_tag == before
    assert not channel.confirmations
    async with asyncio.timeout(10):
        assert await place.publisher.publish_all([message(message_id="next")]) == [None]
    assert [found.message_id for found in await place.received()] == ["next"]


async def test_nothing_is_written_without_a_connection_or_while_it_is_blocked(place: Place, vhost_url: str) -> None:
    with pytest.raises(Unavailable, match="not connected"):
        await Publisher(vhost_url, name="api").publish_all([message()])
    place.publisher._set_blocked("low on memory")
    with pytest.raises(Unavailable, match="low on memory"):
        await place.publisher.publish_all([message()])
    place.publisher._set_blocked("")


async def test_broker_says_why_it_takes_nothing_and_when_it_does_again(place: Place) -> None:
    channel = await place.channel()
    connection = channel.connection
    blocked = connection._Connection__handle_connection_blocked  # type: ignore[attr-defined]
    for reason, words in [("low on memory", "low on memory"), ("", "without a reason")]:
        await blocked(spec.Connection.Blocked(reason=reason))
        assert place.publisher.blocked == words
        await connection._Connection__handle_connection_unblocked(spec.Connection.Unblocked())  # type: ignore[attr-defined]
        assert place.publisher.blocked == ""
    # A new connection does not know of it.
    place.publisher._set_blocked("low on disk")
    place.publisher._on_connected(None)
    assert place.publisher.blocked == ""


async def test_nothing_is_left_of_a_publisher_that_stopped(vhost_url: str) -> None:
    publisher = Publisher(vhost_url, name="api")
    await publisher.start()
    assert "watch publishing" in {task.get_name() for task in asyncio.all_tasks()}
    await publisher.stop()
    assert "watch publishing" not in {task.get_name() for task in asyncio.all_tasks()}
    await Publisher(vhost_url, name="api").stop()


async def test_only_outages_are_let_pass() -> None:
    async def meet(fault: Exception) -> None:
        async with forgiving():
            raise fault

    await meet(ConnectionResetError())
    with pytest.raises(KeyError):
        await meet(KeyError("a bug"))


def test_the_driver_has_room_for_all_that_is_published_in_one_turn() -> None:
    assert aiormq.Connection.FRAME_BUFFER_SIZE > AT_ONCE


async def _is(fact: Callable[[], bool]) -> bool:
    return fact()
