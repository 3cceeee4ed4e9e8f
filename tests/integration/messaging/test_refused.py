"""What a destination refuses is listed, tried again on demand, or abandoned with a record that stays."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import aio_pika
import asyncpg
import pytest

from libs.common.contracts import api
from libs.common.errors import Invalid, NotFound
from libs.common.messaging import Publication
from libs.common.messaging.refused import command, list_refused
from libs.common.observability import metrics
from libs.common.observability.correlation import Correlation
from tests.integration.messaging.conftest import Pair, publish_together
from tests.integration.messaging.relays import Side, running_side
from tests.support.waiting import until

PUBLIC = "payments.x"


async def _fill(side: Side) -> aio_pika.abc.AbstractQueue:
    """Bind a queue of another team that takes nothing."""
    queue = await side.channel.declare_queue(
        "another.team", arguments={"x-max-length": 0, "x-overflow": "reject-publish"}
    )
    await queue.bind(PUBLIC, routing_key="#")
    return queue


async def test_refused_messages_are_listed_retried_and_abandoned(pair: Pair) -> None:
    now = datetime.now(UTC)
    event = Publication.of(
        api.PaymentFailed(**api.PaymentFailed.example),
        occurred_at=now,
        correlation=Correlation(correlation_id="c", tenant_id="t1"),
    )
    async with running_side(pair, "api") as side:
        queue = await _fill(side)
        await publish_together(side.database, [event])
        assert await side.relay.round() == 1
        [refused] = await list_refused(side.database)
        assert (refused.destination, refused.count, refused.attempts) == (PUBLIC, 1, 1)
        await side.relay.measure_once()
        assert metrics.OUTBOX_REFUSED.labels(PUBLIC)._value.get() == 1
        assert metrics.OUTBOX_REFUSED_OLDEST.labels(PUBLIC)._value.get() > 0
        assert metrics.OUTBOX_LAG._value.get() == 0
        listed = await command("api", side.database, ["list"], now=now)
        assert listed.startswith(f"1 messages of the api refused by {PUBLIC}")

        await command("api", side.database, ["retry", PUBLIC], now=now)
        await side.relay.retry_refused()
        [refused] = await list_refused(side.database)
        assert refused.attempts == 2

        yesterday = (now - timedelta(days=1)).isoformat()
        end = ["give-up", PUBLIC, "--reason", "the team has left"]
        with pytest.raises(NotFound):
            await command("api", side.database, [*end, "--before", yesterday], now=now)
        later = now + timedelta(minutes=5)
        assert (await command("api", side.database, end, now=later)).startswith("1 messages of the api")
        assert await list_refused(side.database) == []
        await side.relay.measure_once()
        assert metrics.OUTBOX_REFUSED_OLDEST.labels(PUBLIC)._value.get() == 0
        with pytest.raises(NotFound):
            await command("api", side.database, end, now=later)
        with pytest.raises(Invalid):
            await command("api", side.database, [*end, "--before", "yesterday"], now=now)
        lines = await side.database.fetch("SELECT actor, action, subject, detail FROM operator_actions ORDER BY id")
        assert [(line["action"], line["subject"]) for line in lines] == [
            ("refused.retried", PUBLIC),
            ("refused.given_up", PUBLIC),
        ]
        assert all(line["actor"] for line in lines)
        assert json.loads(lines[1]["detail"]) == {
            "reason": "the team has left",
            "count": 1,
            "event_ids": [str(event.event_id)],
        }
        await queue.delete(if_unused=False, if_empty=False)


_MANY = 1_500
_WAIT = f"""
INSERT INTO outbox_refused (destination, event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body,
                            attempts, available_at)
SELECT 'a.queue', gen_random_uuid(), 'c', 't1', 'c', '', now(), '{{}}', 1, now() + interval '1 hour'
  FROM generate_series(1, {_MANY})
"""
_TRY = """
WITH tried AS (DELETE FROM outbox_refused WHERE seq <= 10 RETURNING *)
INSERT INTO outbox_refused (destination, event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body,
                            attempts, available_at)
SELECT destination, event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body, 2, available_at FROM tried
"""


async def test_all_are_abandoned_and_named_while_some_are_tried(pair: Pair) -> None:
    database = await pair.database("api")
    await database.write(_WAIT)
    ids = {str(row["event_id"]) for row in await database.fetch("SELECT event_id FROM outbox_refused")}
    now = datetime.now(UTC) + timedelta(minutes=5)
    relay = await asyncpg.connect(pair.admin_url, server_settings={"search_path": "api"})
    async with relay.transaction():
        # As the relay does, where the destination refuses once more.
        await relay.execute(_TRY)
        giving = asyncio.create_task(
            command("api", database, ["give-up", "a.queue", "--reason", "nobody reads it"], now=now)
        )

        async def waits() -> bool:
            blocked = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            return bool((await database.fetch(blocked))[0][0])

        await until(waits)
    await relay.close()
    assert (await giving).startswith(f"{_MANY} messages of the api")
    lines = await database.fetch("SELECT detail FROM operator_actions")
    named = [name for line in lines for name in json.loads(line["detail"])["event_ids"]]
    assert len(named) == _MANY
    assert set(named) == ids


async def test_what_is_due_already_is_not_missing(pair: Pair) -> None:
    database = await pair.database("api")
    now = datetime.now(UTC)
    await database.write(_WAIT)
    assert (await command("api", database, ["retry", "a.queue"], now=now)).startswith(f"{_MANY} messages of the api")
    assert "already" in await command("api", database, ["retry", "a.queue"], now=now)
    with pytest.raises(NotFound):
        await command("api", database, ["retry", "another.queue"], now=now)
