"""Events that came too early circulate beside the fresh ones: they take their turns, and nobody waits behind them."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import batched

import aio_pika
import msgspec

from libs.common.contracts import Kind, Message, gateway, handled_by, ledger
from libs.common.db import Connection
from libs.common.errors import TooEarly
from libs.common.messaging import Bus, Publication, Received
from libs.common.messaging.envelope import PackedEvent, encode_pack
from libs.common.messaging.redelivery import RETRIES_MAX
from libs.common.messaging.topology import dead_queue, declare, delay_exchange, postponed_queue, topology
from tests.integration.messaging.conftest import Pair, captured, record
from tests.support.waiting import until

QUEUE = "ledger.payment.captured"
ORPHANS = 2_000
FRESH = 50
PACK = 10


def packed(publication: Publication, *, attempt: int = 0) -> PackedEvent:
    """An event as it travels."""
    return PackedEvent(
        id=publication.event_id,
        occurred_at=publication.occurred_at,
        tenant_id=publication.correlation.tenant_id,
        correlation_id=publication.correlation.correlation_id,
        attempt=attempt,
        body=msgspec.Raw(publication.message.encode()),
    )


async def put(url: str, queue: str, events: Sequence[PackedEvent], *, pack: int = PACK) -> None:
    """Put events into a queue, in packs."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await declare(channel, topology("ledger"))
        bodies = [encode_pack("payment.captured", some) for some in batched(events, pack)]
        await asyncio.gather(
            *(channel.default_exchange.publish(aio_pika.Message(body), routing_key=queue) for body in bodies)
        )


async def waiting(url: str, queue: str) -> int:
    """Count the messages that wait in a queue."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def first(url: str, queue: str) -> aio_pika.abc.AbstractIncomingMessage:
    """Read the first message of a queue and leave it there."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        message = await (await channel.get_queue(queue)).get()
        assert message is not None
        return message


async def _ignore(_: Connection, __: Sequence[Received[Message]]) -> None:
    return


async def _no_accounts(_: Message) -> ledger.AccountList:
    return ledger.AccountList(accounts=[])


def others(bus: Bus) -> None:
    """Handle all that the ledger receives apart from captures."""
    for kind in handled_by("ledger"):
        if kind.contract.kind is Kind.REQUEST:
            bus.answer(kind, _no_accounts)
        elif kind is not gateway.PaymentCaptured:
            bus.handle(kind, _ignore)


def orphans(count: int, *, attempt: int = 0) -> Iterator[PackedEvent]:
    """Events whose cause has not arrived."""
    return (packed(captured(amount_minor=404), attempt=attempt) for _ in range(count))


async def test_fresh_events_get_every_other_transaction_whatever_is_too_early(pair: Pair) -> None:
    database = await pair.database("ledger")
    bus = await pair.bus("ledger", database, consumer_batch_max=PACK)
    others(bus)
    sets: list[bool] = []
    has_cause = False
    hopeless = packed(captured(amount_minor=405), attempt=RETRIES_MAX)

    async def on_captured(transaction: Connection, events: Sequence[Received[gateway.PaymentCaptured]]) -> None:
        nonlocal has_cause
        is_fresh = events[0].body.amount_minor == 100
        sets.append(is_fresh)
        early = {e.id for e in events if e.id == hopeless.id or (e.body.amount_minor == 404 and not has_cause)}
        if early:
            raise TooEarly("the authorization has not arrived", event_ids=frozenset(early))
        await record(transaction, list(events))
        has_cause = has_cause or sets.count(True) == FRESH // PACK

    bus.handle(gateway.PaymentCaptured, on_captured)
    await put(pair.vhost_url, postponed_queue(QUEUE), [*orphans(ORPHANS), hopeless])
    await put(pair.vhost_url, QUEUE, [packed(captured()) for _ in range(FRESH)])
    async with pair.running(bus):

        async def settled() -> bool:
            row = await database.fetchrow("SELECT count(*) AS n FROM effects")
            return bool(row and row["n"] == ORPHANS + FRESH) and await waiting(pair.vhost_url, dead_queue(QUEUE)) == 1

        await until(settled)
    begin = sets.index(True)
    end = len(sets) - 1 - sets[::-1].index(True)
    assert sets.count(True) == FRESH // PACK
    # One waiting for its turn when the first fresh set came, then turn by turn.
    assert sets[begin:end].count(False) <= FRESH // PACK
    assert end < ORPHANS // PACK // 2
    letter = await first(pair.vhost_url, dead_queue(QUEUE))
    assert letter.headers["x-reason"] == "too_early_for_too_long"
    assert str(hopeless.id) in letter.body.decode()


async def test_a_set_that_is_too_early_is_postponed_as_one_message(pair: Pair) -> None:
    database = await pair.database("ledger")
    bus = await pair.bus("ledger", database)
    others(bus)

    async def on_captured(_: Connection, events: Sequence[Received[gateway.PaymentCaptured]]) -> None:
        raise TooEarly("the authorization has not arrived", event_ids=frozenset(e.id for e in events))

    bus.handle(gateway.PaymentCaptured, on_captured)
    # Beyond the third retry all wait equally long, and so together.
    events = [*orphans(PACK, attempt=5), *orphans(PACK, attempt=6)]
    await put(pair.vhost_url, QUEUE, [*events, *events[:PACK]], pack=100)
    async with pair.running(bus):
        delayed = delay_exchange("ledger", 300)

        async def postponed() -> bool:
            return await waiting(pair.vhost_url, delayed) > 0

        await until(postponed)
    assert await waiting(pair.vhost_url, delayed) == 1
    message = await first(pair.vhost_url, delayed)
    assert message.headers["x-events"] == 2 * PACK
    assert message.routing_key == postponed_queue(QUEUE)


async def test_slow_postponed_events_leave_the_slots_of_fresh_ones_alone(pair: Pair) -> None:
    database = await pair.database("ledger")
    bus = await pair.bus("ledger", database)
    others(bus)
    released = asyncio.Event()
    handled: list[int] = []
    at_once = 0

    async def on_captured(event: Received[gateway.PaymentCaptured]) -> None:
        nonlocal at_once
        if event.body.amount_minor == 404:
            at_once += 1
            await released.wait()
        handled.append(event.body.amount_minor)

    bus.handle_each(gateway.PaymentCaptured, on_captured, concurrency=10)
    await put(pair.vhost_url, postponed_queue(QUEUE), list(orphans(100)))
    await put(pair.vhost_url, QUEUE, [packed(captured()) for _ in range(FRESH)])
    async with pair.running(bus):

        async def fresh_are_handled() -> bool:
            return handled.count(100) == FRESH and at_once > 0

        await until(fresh_are_handled)
        assert at_once == 2
        released.set()

        async def all_are_handled() -> bool:
            return handled.count(404) == 100

        await until(all_are_handled)
