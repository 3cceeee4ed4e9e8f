"""What the relay does when the broker, the database or one destination does not do its part."""

import asyncio
from datetime import timedelta
from typing import Any

import aiormq
import pytest
from faststream.rabbit import RabbitExchange

from libs.common.contracts import gateway
from libs.common.contracts.base import REGISTRY
from libs.common.errors import Unavailable
from libs.common.messaging import Publication
from libs.common.observability import metrics
from tests.integration.messaging.conftest import Pair, captured, publish_together
from tests.integration.messaging.relays import API_QUEUE, LEDGER_QUEUE, Side, running_side

pytestmark = pytest.mark.long


async def _put_there(side: Side, queue: str) -> None:
    """Make a queue that is missing, bound as the topology says."""
    made = await side.channel.declare_queue(queue, durable=True)
    await made.bind("gateway.events", "payment.captured")
    await made.bind("gateway.events", queue)


async def test_event_reaches_each_subscriber_once(side: Side) -> None:
    published = metrics.OUTBOX_PUBLISHED.labels("payment.captured")
    before = published._value.get()
    publications = [captured() for _ in range(250)]
    await publish_together(side.database, publications)
    assert await side.relay.round() == 250
    # Once for each of its two queues.
    assert published._value.get() == before + 2 * 250
    ids = [str(publication.event_id) for publication in publications]
    assert await side.size(API_QUEUE) == await side.size(LEDGER_QUEUE) == 3
    assert await side.events(API_QUEUE) == await side.events(LEDGER_QUEUE) == ids
    assert await side.count("outbox") == await side.count("outbox_refused") == 0


async def test_event_waits_for_a_queue_that_is_missing(side: Side) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    failed = metrics.OUTBOX_FAILED.labels("payment.captured")
    before = failed._value.get()
    publication = captured()
    await publish_together(side.database, [publication])
    await side.relay.round()
    assert await side.events(API_QUEUE) == [str(publication.event_id)]
    assert side.unroutable == 1
    assert failed._value.get() == before + 1
    row = await side.database.fetchrow("SELECT * FROM outbox_refused")
    assert row is not None
    assert (row["destination"], row["attempts"], row["event_id"]) == (LEDGER_QUEUE, 1, publication.event_id)
    await side.make_due()
    await side.relay.retry_refused()
    assert await side.count("outbox_refused") == 1
    await _put_there(side, LEDGER_QUEUE)
    await side.make_due()
    await side.relay.retry_refused()
    assert await side.events(LEDGER_QUEUE) == [str(publication.event_id)]
    assert await side.events(API_QUEUE) == []
    assert await side.count("outbox_refused") == 0
    await side.channel.queue_delete(LEDGER_QUEUE)


async def test_refused_row_keeps_all_of_itself(side: Side) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    publication = captured()
    await publish_together(side.database, [publication])
    before = await side.database.fetchrow("SELECT * FROM outbox")
    await side.relay.round()
    after = await side.database.fetchrow("SELECT *, available_at - now() AS wait FROM outbox_refused")
    assert before is not None
    assert after is not None
    kept = ("event_id", "contract", "tenant_id", "correlation_id", "traceparent", "occurred_at", "body")
    assert [before[name] for name in kept] == [after[name] for name in kept]
    assert timedelta(0) < after["wait"] <= timedelta(seconds=1)
    await side.relay.retry_refused()
    row = await side.database.fetchrow("SELECT attempts FROM outbox_refused")
    assert row is not None
    assert row["attempts"] == 1, "it was not due"


async def test_full_queue_of_another_team_repeats_nothing_of_ours(pair: Pair, api_event: Publication) -> None:
    async with running_side(pair, "api") as side:
        full = await side.channel.declare_queue(
            "team.full", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
        await full.bind("payments.x", "payment.failed")
        try:
            await publish_together(side.database, [api_event])
            await side.relay.round()
            again = Publication.of(
                api_event.message, occurred_at=api_event.occurred_at, correlation=api_event.correlation
            )
            await publish_together(side.database, [again])
            await side.relay.round()
            assert await side.events("notifier.payment.failed") == [str(api_event.event_id), str(again.event_id)]
            for attempts in (1, 2, 3):
                row = await side.database.fetchrow("SELECT destination, attempts FROM outbox_refused")
                assert row is not None
                assert tuple(row) == ("payments.x", attempts)
                await side.make_due()
                await side.relay.retry_refused()
            assert await side.size("notifier.payment.failed") == 0
            await full.purge()
            await side.make_due()
            await side.relay.retry_refused()
            assert await side.count("outbox_refused") == 0
            message = await full.get()
            assert message is not None
            assert message.message_id == str(again.event_id)
        finally:
            await full.delete(if_unused=False, if_empty=False)


async def test_public_event_without_a_subscriber_is_no_refusal(pair: Pair, api_event: Publication) -> None:
    async with running_side(pair, "api") as side:
        await publish_together(side.database, [api_event])
        assert await side.relay.round() == 1
        assert await side.count("outbox_refused") == 0


async def test_messages_follow_each_other_without_a_turn_of_the_loop_each(pair: Pair, api_event: Publication) -> None:
    async with running_side(pair, "api") as side:
        publisher = side.broker._publisher._broker
        assert publisher is not None
        channel = await (await publisher.declare_exchange(RabbitExchange())).channel.get_underlay_channel()
        assert isinstance(channel, aiormq.Channel)
        await publish_together(side.database, [api_event])
        assert await side.relay.round() == 1
        await publish_together(side.database, [api_event] * 200)
        sent, turns = channel.delivery_tag, 0
        round_ = asyncio.create_task(side.relay.round())
        while channel.delivery_tag < sent + 200:
            turns += channel.delivery_tag > sent
            await asyncio.sleep(0)
        assert await round_ == 200
        # The driver alone takes three for each message.
        assert turns < 100


async def test_destination_that_refuses_costs_one_pack_a_poll(side: Side) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    await publish_together(side.database, [captured() for _ in range(500)])
    await side.relay.round()
    await side.make_due()
    await side.relay.retry_refused()
    rows = await side.database.fetch("SELECT attempts, count(*) AS n FROM outbox_refused GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [(1, 400), (2, 100)]
    await _put_there(side, LEDGER_QUEUE)
    await side.make_due()
    await side.relay.retry_refused()
    assert await side.count("outbox_refused") == 0
    assert len(await side.events(LEDGER_QUEUE)) == 500
    await side.channel.queue_delete(LEDGER_QUEUE)


async def test_row_of_an_unknown_contract_is_kept(side: Side, unknown_contract: str) -> None:
    await side.database.write(
        "INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body) "
        "VALUES (gen_random_uuid(), $1, '', '', '', now(), $2)",
        unknown_contract,
        captured().message.encode().decode(),
    )
    await side.relay.round()
    row = await side.database.fetchrow("SELECT destination, contract FROM outbox_refused")
    assert row is not None
    assert tuple(row) == ("", unknown_contract)
    REGISTRY[unknown_contract] = gateway.PaymentCaptured
    await side.make_due()
    await side.relay.retry_refused()
    assert await side.count("outbox_refused") == 0
    assert await side.size(LEDGER_QUEUE) == await side.size(API_QUEUE) == 1


@pytest.mark.parametrize("fault", [ConnectionError("gone"), TimeoutError(), Unavailable("gone"), ValueError("a bug")])
async def test_rows_stay_when_a_publish_fails(side: Side, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    sound = side.broker.publish
    published = 0

    async def fail_once(body: bytes, **properties: Any) -> None:
        nonlocal published
        published += 1
        if published == 2:
            raise fault
        await sound(body, **properties)

    await publish_together(side.database, [captured() for _ in range(3)])
    monkeypatch.setattr(side.broker, "publish", fail_once)
    with pytest.raises(ValueError if isinstance(fault, ValueError) else Unavailable):
        await side.relay.round()
    assert published == 2
    assert await side.count("outbox") == 3
    assert await side.count("outbox_refused") == 0
    assert await side.relay.round() == 3
    assert await side.count("outbox") == 0


async def test_refused_rows_stay_when_the_retry_fails(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    await side.channel.queue_delete(LEDGER_QUEUE)
    await publish_together(side.database, [captured()])
    await side.relay.round()
    await side.make_due()

    async def fail(_: bytes, **__: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(side.broker, "publish", fail)
    with pytest.raises(Unavailable):
        await side.relay.retry_refused()
    row = await side.database.fetchrow("SELECT attempts FROM outbox_refused")
    assert row is not None
    assert row["attempts"] == 1


async def test_rows_stay_when_the_process_dies_after_the_publish(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    publication = captured()
    await publish_together(side.database, [publication])
    sound, published, hang = side.broker.publish, asyncio.Event(), asyncio.Event()

    async def publish_and_hang(body: bytes, **properties: Any) -> None:
        await sound(body, **properties)
        published.set()
        await hang.wait()

    monkeypatch.setattr(side.broker, "publish", publish_and_hang)
    dying = asyncio.create_task(side.relay.round())
    await published.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    monkeypatch.undo()
    assert await side.count("outbox") == 1
    assert await side.new_relay().round() == 1
    assert await side.events(LEDGER_QUEUE) == [str(publication.event_id)] * 2, "the inbox of the subscriber knows it"
