"""What a service answers for its dead letters: they are listed, shown without secrets, and go back once, with its own rights."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import pytest
from prometheus_client import REGISTRY

from libs.common.contracts.dead_letters import (
    DeadLetterNotFound,
    DeadLetterUnreadable,
    GetDeadLetter,
    ListDeadLetters,
    RedriveDeadLetter,
)
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from libs.common.messaging import letter_box, letters
from libs.common.messaging.letter_box import LetterBox
from libs.common.messaging.topology import dead_exchange, declare, topology
from libs.common.observability import metrics
from tests.integration.messaging.conftest import Pair
from tests.integration.messaging.test_letters import QUEUE, body_of

OTHER = "gateway.payment.void"
HEADERS = {"x-reason": "attempt_conflict", "x-detail": "no attempt", "x-failed-at": "2026-11-30T10:00:00Z"}


class Box:
    """The letters of a gateway, on a broker of the test's own."""

    def __init__(self, box: LetterBox, channel: aio_pika.abc.AbstractChannel, pair: Pair) -> None:
        self.box, self.channel, self.pair = box, channel, pair

    async def lose(self, body: bytes, *, queue: str = QUEUE, message_id: str = "m", **headers: Any) -> None:
        """Put a message among the dead letters."""
        letter = aio_pika.Message(body, message_id=message_id, type="payment.capture", headers=HEADERS | headers)
        exchange = await self.channel.get_exchange(dead_exchange("gateway"), ensure=False)
        await exchange.publish(letter, routing_key=queue)

    async def take(self, queue: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
        """Take all messages out of a queue."""
        source = await self.channel.get_queue(queue)
        found = []
        while (message := await source.get(fail=False, no_ack=True)) is not None:
            found.append(message)
        return found

    async def only(self) -> UUID:
        """The id of the only letter."""
        [letter] = (await self.box.list_letters(ListDeadLetters())).letters
        return letter.id

    async def written(self) -> list[tuple[str, str]]:
        """Who did what, as the service has written down."""
        rows = await self.box._database.fetch("SELECT actor, subject FROM operator_actions ORDER BY id")
        return [(row["actor"], row["subject"]) for row in rows]


@pytest.fixture
async def box(pair: Pair, vhost_url: str) -> AsyncIterator[Box]:
    database = await pair.database("gateway")
    async with await aio_pika.connect(vhost_url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await declare(channel, topology("gateway"))
        yield Box(LetterBox(service="gateway", url=vhost_url, database=database), channel, pair)


async def test_queues_that_are_missing_keep_no_other_from_being_counted(box: Box) -> None:
    await box.lose(b"{}")
    names = sorted(queue.name for queue in topology("gateway").queues if queue.name.endswith(".dead"))
    for name in (names[0], names[1], names[-1]):
        await box.channel.queue_delete(name)

    assert [(one.queue, one.count) for one in (await box.box.list_letters(ListDeadLetters())).queues] == [(QUEUE, 1)]
    await box.box.count()
    assert metrics.DEAD_LETTERS.labels(QUEUE)._value.get() == 1


async def test_letters_are_listed_with_what_is_known_of_them(box: Box) -> None:
    event, intent = new_id(), new_id()
    await box.lose(body_of(event, intent=intent), message_id=str(event))
    await box.lose(b"broken", queue=OTHER, message_id="theirs", **{"X-Correlation-Id": "cause"})
    found = await box.box.list_letters(ListDeadLetters())
    assert [(each.queue, each.count) for each in found.queues] == [(QUEUE, 1), (OTHER, 1)]
    ours, theirs = found.letters
    assert (ours.queue, ours.message_id, ours.message_type, ours.event_count) == (
        QUEUE,
        str(event),
        "payment.capture",
        1,
    )
    assert (ours.reason, ours.detail) == ("attempt_conflict", "no attempt")
    assert ours.failed_at is not None
    assert ours.failed_at.isoformat() == "2026-11-30T10:00:00+00:00"
    [one] = ours.events
    assert (one.event_id, one.tenant_id, one.correlation_id) == (str(event), "t", "c")
    assert one.payment_intent_id == str(intent)
    assert (theirs.queue, theirs.event_count, theirs.events[0].correlation_id) == (OTHER, 0, "cause")
    assert [each.queue for each in (await box.box.list_letters(ListDeadLetters(queue=OTHER))).letters] == [OTHER]


async def test_a_list_is_bounded_and_each_queue_has_its_share(box: Box) -> None:
    for number in range(5):
        await box.lose(body_of(new_id()), message_id=f"{number}")
    await box.lose(body_of(new_id()), queue=OTHER)
    found = await box.box.list_letters(ListDeadLetters(limit=3))
    assert [(each.queue, each.count) for each in found.queues] == [(QUEUE, 5), (OTHER, 1)]
    assert [(each.queue, each.message_id) for each in found.letters] == [(QUEUE, "0"), (QUEUE, "1"), (OTHER, "m")]


async def test_letters_that_wait_are_counted(box: Box) -> None:
    def count() -> dict[str, float | None]:
        return {queue: REGISTRY.get_sample_value("dead_letters_waiting", {"queue": queue}) for queue in (QUEUE, OTHER)}

    await box.lose(body_of(new_id()), message_id="1")
    await box.lose(body_of(new_id()), message_id="2")
    await box.box.count()
    assert count() == {QUEUE: 2, OTHER: 0}
    await box.take(f"{QUEUE}.dead")
    await box.box.count()
    assert count() == {QUEUE: 0, OTHER: 0}


async def test_an_id_stays_however_often_it_is_looked_at(box: Box) -> None:
    await box.lose(body_of(new_id()))
    first = await box.only()
    # More often than RabbitMQ 4 delivers a message of a quorum queue before it drops it.
    for _ in range(25):
        assert (await box.box.show(GetDeadLetter(letter_id=first))).letter.id == first
    assert len(await box.take(f"{QUEUE}.dead")) == 1


async def test_content_is_shown_without_what_is_secret(box: Box) -> None:
    content = json.dumps({"client_secret": "x1", "email": "ana@example.com", "note": "paid with 4111111111111111"})
    await box.lose(json.dumps({"type": "x", "content": content, "items": [{"token": "x2"}, 4111111111111111]}).encode())
    shown = await box.box.show(GetDeadLetter(letter_id=await box.only()))
    assert shown.body is not None
    assert json.loads(shown.body) == {
        "type": "x",
        "content": '{"client_secret":"[hidden]","email":"[hidden]","note":"paid with 411111******1111"}',
        "items": [{"token": "[hidden]"}, "411111******1111"],
    }


@pytest.mark.parametrize(
    ("body", "omitted"), [(b"\xff", "not_json"), (b'"' + b"a" * letter_box.BODY_BYTES_MAX + b'"', "too_large")]
)
async def test_what_cannot_be_shown_says_why(box: Box, body: bytes, omitted: str) -> None:
    await box.lose(body)
    shown = await box.box.show(GetDeadLetter(letter_id=await box.only()))
    assert (shown.body, shown.omitted, shown.letter.size_bytes) == (None, omitted, len(body))


async def test_a_letter_goes_back_once_and_who_did_it_is_known(box: Box) -> None:
    event = new_id()
    await box.lose(body_of(event), message_id=str(event), traceparent="trace")
    await box.lose(body_of(new_id()), message_id="another")
    [letter, _] = (await box.box.list_letters(ListDeadLetters())).letters
    request = RedriveDeadLetter(letter_id=letter.id, actor="ana@platform")
    done = await box.box.redrive(request)
    assert (done.letter_id, done.queue, done.is_repeated) == (letter.id, QUEUE, False)
    again = await box.box.redrive(request)
    assert (again.letter_id, again.is_repeated) == (letter.id, True)
    [back] = await box.take(f"{QUEUE}.postponed")
    assert (json.loads(back.body)["events"][0]["id"], back.message_id, back.type) == (
        str(event),
        str(event),
        "payment.capture",
    )
    assert back.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert back.headers == {"traceparent": "trace", "x-redriven": True, "x-delivery-count": 0}
    assert [each.message_id for each in await box.take(f"{QUEUE}.dead")] == ["another"]
    assert await box.written() == [("ana@platform", str(letter.id))]


async def test_a_letter_that_is_not_there_is_refused(box: Box) -> None:
    with pytest.raises(DeadLetterNotFound):
        await box.box.show(GetDeadLetter(letter_id=new_id()))
    with pytest.raises(DeadLetterNotFound):
        await box.box.redrive(RedriveDeadLetter(letter_id=new_id(), actor="a"))


async def test_a_letter_that_another_process_looks_at_is_found(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    await box.lose(body_of(new_id()))
    request = RedriveDeadLetter(letter_id=await box.only(), actor="a")
    held = await (await box.channel.get_queue(f"{QUEUE}.dead")).get()
    given_back: list[asyncio.Task[None]] = []

    def pauses() -> Iterator[float]:
        yield 0.0
        # It was missed, and is given back before the next look.
        given_back.append(asyncio.create_task(held.nack(requeue=True)))
        yield 0.5

    monkeypatch.setattr(letter_box, "_PAUSES_SECONDS", pauses())
    assert (await box.box.redrive(request)).queue == QUEUE
    await asyncio.gather(*given_back)
    assert len(given_back) == 1


async def test_a_letter_stays_where_its_queue_takes_no_more(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "_LOOKS_MAX", 2)
    await box.lose(body_of(new_id()))
    request = RedriveDeadLetter(letter_id=await box.only(), actor="a")
    await box.channel.queue_delete(f"{QUEUE}.postponed")
    # As often as would make a broker drop it whose letters are not renewed.
    for _ in range(4):
        with pytest.raises(Unavailable, match="missing or full"):
            await box.box.redrive(request)
    assert await box.only() == request.letter_id


async def test_a_letter_stays_where_nobody_can_be_written_down(box: Box) -> None:
    await box.lose(body_of(new_id()))
    request = RedriveDeadLetter(letter_id=await box.only(), actor="a")
    connection = await asyncpg.connect(box.pair.admin_url)
    await connection.execute("ALTER TABLE gateway.operator_actions RENAME TO away")
    try:
        with pytest.raises(asyncpg.UndefinedTableError):
            await box.box.redrive(request)
    finally:
        await connection.execute("ALTER TABLE gateway.away RENAME TO operator_actions")
        await connection.close()
    assert await box.take(f"{QUEUE}.postponed") == []
    assert await box.only() == request.letter_id


async def test_a_broker_that_is_away_is_unavailable(pair: Pair) -> None:
    away = LetterBox(service="gateway", url="amqp://guest:guest@127.0.0.1:1/", database=await pair.database("gateway"))
    with pytest.raises(Unavailable, match="RabbitMQ does not answer"):
        await away.list_letters(ListDeadLetters())
    await away.count()


def test_unreadable_is_a_refusal_that_says_what_to_do() -> None:
    assert DeadLetterUnreadable.status == 409
    assert "publish it again" in DeadLetterUnreadable.remedy
