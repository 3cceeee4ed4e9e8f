"""From the outbox of one service to the effects of another, through a real broker."""

import asyncio
from collections.abc import Callable, Sequence

import aio_pika
import msgspec
import pytest

from libs.common.contracts import api, gateway, handled_by
from libs.common.db import Connection
from libs.common.errors import BrokenInvariant, NotFound, TooEarly, Unavailable
from libs.common.messaging import Bus, Received
from libs.common.messaging.redrive import redrive
from libs.common.messaging.topology import DELAYS_SECONDS, TopologyConflict
from libs.common.observability import metrics
from libs.common.observability.correlation import Correlation
from tests.integration.messaging.buses import complete_api, complete_gateway, complete_ledger
from tests.integration.messaging.conftest import Pair, captured, publish_together, record
from tests.support.waiting import until

pytestmark = pytest.mark.long

type Captures = Sequence[Received[gateway.PaymentCaptured]]


async def _dead_letters(url: str, queue: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        source = await channel.get_queue(f"{queue}.dead")
        found = []
        while (message := await source.get(fail=False)) is not None:
            found.append(message)
        for message in found:
            await message.nack(requeue=True)
        return found


def counting(queue: str) -> Callable[[str], float]:
    """Count from now on what becomes of the events of a queue; `taken` are all that were in a transaction."""

    def count(outcome: str) -> float:
        if outcome == "taken":
            return float(metrics.MESSAGE_BATCH.labels(queue)._sum.get())
        return float(metrics.MESSAGES.labels(queue, outcome)._value.get())

    before = {outcome: count(outcome) for outcome in ("handled", "repeated", "retried", "dead", "taken")}
    return lambda outcome: count(outcome) - before[outcome]


async def test_a_thousand_events_take_effect_once_each_in_few_packs(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)
    batches: list[int] = []
    counted = counting("ledger.payment.captured")

    async def on_captured(transaction: Connection, events: Captures) -> None:
        batches.append(len(events))
        await record(transaction, list(events))

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    publications = [captured() for _ in range(1000)]
    async with pair.running(publisher, subscriber):
        await publish_together(source, publications)
        # Published again, as a sender that crashed after its commit would: the inbox knows every one of them.
        await publish_together(source, publications)

        async def all_there() -> bool:
            row = await target.fetchrow("SELECT count(*) AS n, count(DISTINCT event_id) AS d FROM effects")
            left = await source.fetchrow("SELECT count(*) AS n FROM outbox")
            assert row is not None
            assert left is not None
            assert row["n"] == row["d"]
            return bool(row["n"] == 1000 and left["n"] == 0 and counted("repeated") == 1000)

        await until(all_there)
    assert sum(batches) == 1000
    assert len(batches) < 100
    assert counted("handled") == 1000
    assert counted("taken") == 2000


async def test_events_of_two_tenants_with_one_id_are_applied_and_postponed_apart(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)
    first = captured()
    same = [
        msgspec.structs.replace(first, correlation=Correlation(correlation_id="corr", tenant_id=name))
        for name in ("t2", "t3", "")
    ]
    early = True

    async def on_captured(transaction: Connection, events: Captures) -> None:
        nonlocal early
        await transaction.executemany(
            "INSERT INTO effects VALUES ($1, NULL, $2)", [(event.id, event.tenant_id) for event in events]
        )
        if early:
            raise TooEarly("not yet", event_ids=frozenset(event.id for event in events))

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    async with pair.running(publisher, subscriber):
        await publish_together(source, [first, *same, first])

        async def postponed() -> bool:
            return not await source.fetch("SELECT FROM outbox")

        await until(postponed)
        early = False

        async def there() -> bool:
            return len(await target.fetch("SELECT FROM effects")) == 4

        await until(there)
        await publish_together(source, [first, *same])
        await until(postponed)
    rows = await target.fetch("SELECT note FROM effects ORDER BY note")
    assert [row["note"] for row in rows] == ["", "t1", "t2", "t3"]


async def test_one_bad_event_in_a_pack_dies_alone_with_its_reason(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)

    async def on_captured(transaction: Connection, events: Captures) -> None:
        await record(transaction, list(events))
        if any(event.body.amount_minor == 666 for event in events):
            raise BrokenInvariant("debits and credits differ")

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    good = [captured() for _ in range(50)]
    bad = captured(amount_minor=666)
    async with pair.running(publisher, subscriber):
        await publish_together(source, [*good[:25], bad, *good[25:]])

        async def settled() -> bool:
            row = await target.fetchrow("SELECT count(*) AS n FROM effects")
            return (
                bool(row and row["n"] == 50)
                and len(await _dead_letters(pair.vhost_url, "ledger.payment.captured")) == 1
            )

        await until(settled)
        (dead,) = await _dead_letters(pair.vhost_url, "ledger.payment.captured")
        assert dead.headers["x-reason"] == "internal_error"
        assert dead.headers["x-detail"] == "debits and credits differ"
        assert dead.headers["x-failed-at"]
        assert str(bad.event_id) in dead.body.decode()


async def test_dead_letter_is_redriven_and_takes_effect(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)
    cured = False

    async def on_captured(transaction: Connection, events: Captures) -> None:
        if not cured:
            raise NotFound("no such account")
        await record(transaction, list(events))

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    queue = "ledger.payment.captured"
    async with pair.running(publisher, subscriber):
        await publish_together(source, [captured()])

        async def died() -> bool:
            return await target.fetch("SELECT 1") != [] and bool(
                await _queue_exists(pair.vhost_url, queue) and await _dead_letters(pair.vhost_url, queue)
            )

        await until(died)
        cured = True
        assert (await redrive(pair.vhost_url, queue)).moved == 1

        async def effective() -> bool:
            return bool(await target.fetch("SELECT 1 FROM effects"))

        await until(effective)
        assert await _dead_letters(pair.vhost_url, queue) == []


async def _queue_exists(url: str, queue: str) -> bool:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        try:
            for name in (f"{queue}.dead", queue):
                await channel.get_queue(name)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        return True


async def test_event_that_came_too_early_comes_again_later(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)
    attempts: list[int] = []
    counted = counting("ledger.payment.captured")

    async def on_captured(transaction: Connection, events: Captures) -> None:
        attempts.extend(event.attempt for event in events)
        if events[0].attempt == 0:
            raise TooEarly("the authorization has not been handled yet")
        await record(transaction, list(events))

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    async with pair.running(publisher, subscriber):
        await publish_together(source, [captured()])

        async def effective() -> bool:
            return bool(await target.fetch("SELECT 1 FROM effects"))

        await until(effective)
    assert attempts == [0, 1]
    assert (counted("retried"), counted("handled")) == (1, 1)
    assert DELAYS_SECONDS[0] == 1


@pytest.mark.sampled(each=2)
@pytest.mark.parametrize(
    "garbage", [b"", b"not json", b"[]", b'{"type":"x"}', b'{"type":"x","events":[{"id":1}]}', b"\xff\xfe"]
)
async def test_undecodable_message_goes_to_the_dead_letters_and_blocks_nobody(pair: Pair, garbage: bytes) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)

    async def on_captured(transaction: Connection, events: Captures) -> None:
        await record(transaction, list(events))

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    queue = "ledger.payment.captured"
    async with pair.running(publisher, subscriber):

        async def exists() -> bool:
            return await _queue_exists(pair.vhost_url, queue)

        # Until its own queue is there too, what is published to it would be dropped without a word.
        await until(exists)
        before = len(await _dead_letters(pair.vhost_url, queue))
        connection = await aio_pika.connect(pair.vhost_url)
        async with connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(garbage), routing_key=queue)
        await publish_together(source, [captured()])

        async def settled() -> bool:
            received = await target.fetch("SELECT 1 FROM effects")
            return len(received) == 1 and len(await _dead_letters(pair.vhost_url, queue)) == before + 1

        await until(settled)
        dead = (await _dead_letters(pair.vhost_url, queue))[-1]
        assert dead.headers["x-reason"] == "undecodable_message"


async def test_public_event_stands_alone_and_flat_on_payments_x(pair: Pair) -> None:
    source = await pair.database("api")
    publisher = await pair.bus("api", source)
    complete_api(publisher)
    notifier_in = await pair.database("notifier")
    received: list[str] = []
    listener = await pair.bus("notifier", notifier_in)
    _complete_notifier(listener, received)
    async with pair.running(publisher, listener):

        async def connected() -> bool:
            try:
                await publisher.ping()
                await listener.ping()
            except Unavailable:
                return False
            return True

        await until(connected)
        connection = await aio_pika.connect(pair.vhost_url)
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind("payments.x", "payment.#")
            publication = captured()
            body = api.PaymentSettled(**(api.PaymentSettled.example | {"tenant_id": "t1"}))
            await publish_together(
                source,
                [
                    type(publication).of(
                        body,
                        occurred_at=publication.occurred_at,
                        correlation=publication.correlation,
                        event_id=publication.event_id,
                    )
                ],
            )

            async def arrived() -> bool:
                return bool(received)

            await until(arrived)
            message = await queue.get(timeout=5)
            assert message is not None
            assert message.routing_key == "payment.settled"
            assert message.message_id == str(publication.event_id)
            assert message.type == "payment.settled"
            assert message.timestamp is not None
            assert message.delivery_mode == 2
            assert message.headers["X-Tenant-Id"] == "t1"
            assert message.headers["X-Correlation-Id"] == "corr-1"
            assert b'"status":"SETTLED"' in message.body


def _complete_notifier(bus: Bus, received: list[str]) -> None:
    from libs.common.contracts import notifier
    from libs.common.contracts.base import Kind

    async def note(_: Connection, events: Sequence[Received[api.IntentEvent]]) -> None:
        received.extend(event.body.contract.name for event in events)

    async def nothing(_: notifier.ListEndpoints) -> notifier.EndpointList:
        return notifier.EndpointList(endpoints=[])

    for kind in handled_by("notifier"):
        if kind.contract.kind is Kind.REQUEST:
            bus.answer(kind, nothing)  # type: ignore[arg-type]  # never called here
        else:
            bus.handle(kind, note)  # type: ignore[arg-type]  # all of them are intent events


async def test_queue_declared_with_other_arguments_is_named_in_one_sentence(pair: Pair) -> None:
    connection = await aio_pika.connect(pair.vhost_url)
    async with connection:
        channel = await connection.channel()
        await channel.queue_delete("notifier.payment.failed")
        await channel.declare_queue("notifier.payment.failed", durable=True)
        bus = await pair.bus("notifier", await pair.database("notifier"))
        _complete_notifier(bus, [])
        try:
            with pytest.raises(TopologyConflict, match=r"'notifier\.payment\.failed' exists.*RABBITMQ_URL"):
                await asyncio.wait_for(bus.run(), 20)
        finally:
            await bus.close()
            channel = await connection.channel()
            await channel.queue_delete("notifier.payment.failed")


async def test_early_events_of_a_pack_cost_the_others_one_more_transaction(pair: Pair) -> None:
    source, target = await pair.database("gateway"), await pair.database("ledger")
    publisher, subscriber = await pair.bus("gateway", source), await pair.bus("ledger", target)
    complete_gateway(publisher)
    complete_ledger(subscriber)
    sets: list[int] = []
    counted = counting("ledger.payment.captured")

    async def on_captured(transaction: Connection, events: Captures) -> None:
        fresh = [event for event in events if event.body.amount_minor == 1]
        if fresh:
            sets.append(len(events))
        if early := frozenset(event.id for event in events if event.body.amount_minor == 2 and event.attempt == 0):
            raise TooEarly("not yet", event_ids=early)
        await record(transaction, list(events))

    subscriber.handle(gateway.PaymentCaptured, on_captured)
    async with pair.running(publisher, subscriber):
        await publish_together(source, [captured(amount_minor=1 + i % 2) for i in range(100)])

        async def all_there() -> bool:
            return len(await target.fetch("SELECT 1 FROM effects")) == 100

        await until(all_there)
    assert sets == [100, 50]
    assert [counted(outcome) for outcome in ("handled", "retried", "taken")] == [100, 50, 100]
