"""Postponed events are handled by tenant: by count, a flood of one tenant moves the event of another by one share at most."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from aio_pika.exceptions import DeliveryError
from pamqp.commands import Basic

from deploy.local.servers import Servers
from libs.common.contracts import gateway
from libs.common.db import Connection, Database
from libs.common.messaging import Bus, Received
from libs.common.messaging.envelope import PackedEvent
from libs.common.messaging.redelivery import Redelivery
from libs.common.messaging.shares import PASSED_PER_PLACE, SHARE_MAX
from libs.common.messaging.topology import dead_queue, postponed_queue
from libs.common.observability import metrics
from tests.integration.messaging.conftest import Pair, captured
from tests.integration.messaging.test_postponed import QUEUE, others, packed, put, waiting
from tests.support.broker import Node
from tests.support.waiting import until

FLOOD = 1_000
PREFETCH = 4
BATCH = 100
PLACES = BATCH // 5
ATTEMPT = 3


def of(tenant_id: str, count: int) -> list[PackedEvent]:
    """Events of one tenant that have been postponed before."""
    return [msgspec.structs.replace(packed(captured(), attempt=ATTEMPT), tenant_id=tenant_id) for _ in range(count)]


def passed_over() -> float:
    """How many events have been passed over so far."""
    return float(metrics.MESSAGES.labels(QUEUE, "passed_over")._value.get())


async def effects(connection: Connection | Database, tenant_id: str) -> int:
    """Count the effects of a tenant's events."""
    row = await connection.fetchrow("SELECT count(*) AS n FROM effects WHERE note = $1", tenant_id)
    assert row is not None
    return int(row["n"])


class Book:
    """Writes down the effect of each event, and how many of the flood's came before that of the other tenant."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.before: list[int] = []
        self.attempts: set[int] = set()

    async def in_sets(self, transaction: Connection, events: Sequence[Received[gateway.PaymentCaptured]]) -> None:
        """Handle a set of events."""
        await transaction.executemany(
            "INSERT INTO effects VALUES ($1, $2, $3)", [(e.id, e.body.payment_intent_id, e.tenant_id) for e in events]
        )
        self.attempts |= {event.attempt for event in events}
        if any(event.tenant_id == "quiet" for event in events):
            self.before.append(await effects(transaction, "rude"))

    async def one(self, event: Received[gateway.PaymentCaptured]) -> None:
        """Handle one event in a transaction of its own."""
        async with self.database.transaction() as transaction:
            await self.in_sets(transaction, [event])

    async def is_complete(self) -> bool:
        """Whether each event has had its effect, once."""
        row = await self.database.fetchrow("SELECT count(*) AS n, count(DISTINCT event_id) AS ids FROM effects")
        assert row is not None
        assert row["n"] == row["ids"]
        return bool(row["n"] == FLOOD + 1)


async def listening(pair: Pair, book: Book, *, each: bool = False, **settings: float) -> Bus:
    """Make a bus that handles captures."""
    bus = await pair.bus(
        "ledger", book.database, **({"consumer_batch_max": BATCH, "consumer_prefetch": PREFETCH} | settings)
    )
    others(bus)
    if each:
        bus.handle_each(gateway.PaymentCaptured, book.one, concurrency=PLACES * 5)
    else:
        bus.handle(gateway.PaymentCaptured, book.in_sets)
    return bus


@pytest.mark.parametrize(("each", "pack"), [(False, 4), (True, 100)], ids=["in sets", "each"])
async def test_a_flood_of_postponed_events_moves_another_tenants_by_one_share(
    pair: Pair, pack: int, *, each: bool
) -> None:
    book = Book(await pair.database("ledger"))
    bus = await listening(pair, book, each=each)
    passed, handled = passed_over(), metrics.MESSAGES.labels(QUEUE, "handled")._value.get()
    await put(pair.vhost_url, postponed_queue(QUEUE), [*of("rude", FLOOD), *of("quiet", 1)], pack=pack)
    async with pair.running(bus):
        await until(book.is_complete)
    assert metrics.MESSAGES.labels(QUEUE, "handled")._value.get() == handled + FLOOD + 1
    assert len(book.before) == 1
    # What the flood earns is a little for all of it that has been passed over.
    assert book.before[0] <= SHARE_MAX + FLOOD // PASSED_PER_PLACE + PLACES
    # Passing over is work too: of the flood, it is done to each event a few times at most; and it is no attempt.
    assert 0 < passed_over() - passed <= FLOOD * 8
    assert book.attempts == {ATTEMPT}


async def test_events_of_one_tenant_that_are_all_received_are_not_passed_over(pair: Pair) -> None:
    book = Book(await pair.database("ledger"))
    bus = await listening(pair, book, consumer_prefetch=FLOOD // 100 + 1)
    passed = passed_over()
    await put(pair.vhost_url, postponed_queue(QUEUE), of("rude", FLOOD + 1), pack=100)
    async with pair.running(bus):
        await until(book.is_complete)
    assert passed_over() == passed


async def test_an_error_of_ours_while_it_passes_over_loses_nothing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(await pair.database("ledger"))
    bus = await listening(pair, book)
    pass_over, failed = Redelivery.pass_over, list[str]()

    async def failing_once(
        self: Redelivery, source: str, name: str, events: Sequence[PackedEvent], *, lap: str
    ) -> None:
        if not failed:
            failed.append(lap)
            raise KeyError("a bug")
        await pass_over(self, source, name, events, lap=lap)

    async def is_complete() -> bool:
        return await effects(book.database, "rude") == 2 * SHARE_MAX

    monkeypatch.setattr(Redelivery, "pass_over", failing_once)
    await put(pair.vhost_url, postponed_queue(QUEUE), of("rude", 2 * SHARE_MAX), pack=10)
    async with pair.running(bus):
        await until(is_complete)
    assert failed


@pytest.mark.parametrize("each", [False, True], ids=["in sets", "each"])
async def test_events_are_handled_while_those_passed_over_find_no_room(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, *, each: bool
) -> None:
    book = Book(await pair.database("ledger"))
    bus = await listening(pair, book, each=each)

    async def refused(*_: object, **__: object) -> None:
        raise DeliveryError(None, Basic.Nack())

    monkeypatch.setattr(Redelivery, "pass_over", refused)
    await put(pair.vhost_url, postponed_queue(QUEUE), [*of("rude", FLOOD), *of("quiet", 1)], pack=50)
    async with pair.running(bus):
        await until(book.is_complete)


async def test_process_that_dies_or_disconnects_while_passing_over_loses_nothing(pair: Pair, servers: Servers) -> None:
    book = Book(await pair.database("ledger"))
    passed = passed_over()

    async def is_passing() -> bool:
        return passed_over() > passed or await book.is_complete()

    await put(pair.vhost_url, postponed_queue(QUEUE), [*of("rude", FLOOD), *of("quiet", 1)], pack=20)
    for _ in range(2):
        passed = passed_over()
        bus = await listening(pair, book)
        running = asyncio.create_task(bus.run())
        await until(is_passing)
        # Without `drain`: nothing is finished, and what was not acknowledged comes again.
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()
    passed = passed_over()
    async with pair.running(await listening(pair, book)):
        await until(is_passing)
        await Node(servers, pair.vhost_url).close_connections()
        await until(book.is_complete)

        async def nothing_is_left() -> bool:
            return not await waiting(pair.vhost_url, postponed_queue(QUEUE))

        await until(nothing_is_left)
    assert await book.is_complete()
    assert book.attempts == {ATTEMPT}
    assert not await waiting(pair.vhost_url, dead_queue(QUEUE))
