"""Groups that are committed at the same time: of several processes, of several tenants, and with what changes intents meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest

from libs.common.db import Connection, Database
from libs.common.db.connections import StatementUnfinished
from services.api.errors import CannotConfirm
from services.api.idempotency import Given
from services.api.payments.domain import Status, request_void
from services.api.payments.sql import intents
from tests.integration.api.payments.test_groups import TOGETHER, Front, id_of
from tests.support.databases import TestDatabase

AUTHORIZES = """
SELECT body::jsonb->>'payment_intent_id' AS id, count(*) AS messages FROM outbox
 WHERE tenant_id = $1 AND contract = 'command:gateway:payment.authorize' GROUP BY 1
"""


@pytest.fixture
async def two(api_database: TestDatabase, tenant_id: str) -> AsyncIterator[tuple[Front, Front]]:
    """Two processes of one tenant."""
    async with api_database.open("api") as one, api_database.open("api") as other:
        yield Front(one, tenant_id), Front(other, tenant_id)


async def authorizes(front: Front) -> dict[UUID, int]:
    """How often the gateway gets the command to authorize each intent."""
    rows = await front.database.fetch(AUTHORIZES, front.tenant_id)
    return {UUID(row["id"]): row["messages"] for row in rows}


async def test_one_key_of_two_tenants_in_a_group_is_two_keys(two: tuple[Front, Front]) -> None:
    front, _ = two
    neighbour = Front(front.database, f"n-{uuid4().hex}")
    neighbour._commands = front._commands
    given = await asyncio.gather(front.create("same"), neighbour.create("same"), front.create("k"))
    assert [each.replayed for each in given] == [False] * 3
    assert len({id_of(each) for each in given}) == 3
    assert await front.counts() == [2] * 5
    assert await neighbour.counts() == [1] * 5
    again = await asyncio.gather(front.create("same"), neighbour.create("same"))
    assert [(each.replayed, each.answer) for each in again] == [(True, given[0].answer), (True, given[1].answer)]


async def test_same_keys_in_groups_of_two_processes_create_each_intent_once(two: tuple[Front, Front]) -> None:
    one, other = two
    for round_ in range(10):
        keys = [f"{round_}-{n}" for n in range(TOGETHER)]
        creates = asyncio.gather(*(one.create(key) for key in keys))
        mirrored = asyncio.gather(*(other.create(key) for key in reversed(keys)))
        first, second = await creates, [*reversed(await mirrored)]
        assert [each.answer for each in first] == [each.answer for each in second]
        assert [a.replayed != b.replayed for a, b in zip(first, second, strict=True)] == [True] * TOGETHER
    assert await one.counts() == [10 * TOGETHER] * 5


async def test_same_confirms_in_groups_of_two_processes_are_done_once(two: tuple[Front, Front]) -> None:
    one, other = two
    for round_ in range(10):
        given = await asyncio.gather(*(one.create(f"{round_}-{n}") for n in range(TOGETHER)))
        ids = [id_of(each) for each in given]
        first = asyncio.gather(*(one.confirm(each, "k") for each in ids))
        second = asyncio.gather(*(other.confirm(each, "k") for each in reversed(ids)))
        confirmed = {each.answer.status for each in [*await first, *await second]}
        assert confirmed == {202}
    assert set((await authorizes(one)).values()) == {1}
    assert await one.counts() == [10 * TOGETHER] + [20 * TOGETHER] * 4


async def test_expired_keys_are_renewed_once_by_two_processes(two: tuple[Front, Front]) -> None:
    one, other = two
    ids = await one.created()
    await one.database.write(
        "UPDATE idempotency_keys SET expires_at = created_at + interval '1 microsecond' WHERE tenant_id = $1",
        one.tenant_id,
    )
    await asyncio.sleep(0.01)
    first, second = await asyncio.gather(
        asyncio.gather(*(one.create(f"create-{n}") for n in range(TOGETHER))),
        asyncio.gather(*(other.create(f"create-{n}") for n in range(TOGETHER))),
    )
    assert [each.answer for each in first] == [each.answer for each in second]
    assert not set(ids) & {id_of(each) for each in first}
    intents_, keys, *others = await one.counts()
    assert (intents_, keys, others) == (2 * TOGETHER, TOGETHER, [2 * TOGETHER] * 3)


@pytest.mark.parametrize("is_fresh", [True, False], ids=["remembered", "read"])
async def test_void_and_confirm_in_one_instant_leave_one_story(two: tuple[Front, Front], is_fresh: bool) -> None:
    one, other = two
    ids = await one.created(60)
    database, confirming = (other.database, one) if is_fresh else (one.database, other)

    async def void(intent_id: UUID, after: float) -> bool:
        await asyncio.sleep(after)
        async with database.transaction() as tx:
            [intent] = (await intents.lock(tx, [(one.tenant_id, intent_id)])).values()
            if intent.status is not Status.CREATED:
                return False
            now = datetime.now(UTC)
            await intents.save(
                tx, [request_void(intent, at=now).intent], answers=[], publications=[], events=[], at=now
            )
            return True

    async def confirm(intent_id: UUID, after: float) -> Given:
        await asyncio.sleep(after)
        return await confirming.confirm(intent_id, "k")

    # Both orders among them, and many at the same moment.
    voids = asyncio.gather(*(void(each, n % 7 / 500) for n, each in enumerate(ids)))
    confirms = asyncio.gather(*(confirm(each, n % 5 / 400) for n, each in enumerate(ids)), return_exceptions=True)
    voided, confirmed = await voids, await confirms
    sent = await authorizes(one)
    for each, was_voided, answered in zip(ids, voided, confirmed, strict=True):
        expected = (CannotConfirm, 0) if was_voided else (Given, 1)
        assert (type(answered), sent.get(each, 0)) == expected
    assert await one.counts() == [60, 60 + len(sent), 60 + len(sent), 60 + len(sent), 60 + len(sent)]


async def held_key(tx: Connection, front: Front, key: str) -> None:
    """Claim a key in a transaction that stays open, as another process of the api that has come to a halt."""
    await tx.execute(
        "INSERT INTO idempotency_keys SELECT tenant_id, operation, $2, fingerprint, status, payment_intent_id, "
        "response_status, response_body, lease_until, created_at, completed_at, expires_at FROM idempotency_keys "
        "WHERE tenant_id = $1",
        front.tenant_id,
        key,
    )


async def test_create_whose_key_is_held_fails_alone_and_in_time(
    api_database: TestDatabase, two: tuple[Front, Front]
) -> None:
    settings = msgspec.structs.replace(api_database.settings("api"), database_timeout_seconds=0.3)
    database = Database(settings, schema="api", application_name="impatient")
    await database.open()
    try:
        impatient = Front(database, two[0].tenant_id)
        await impatient.create("before")
        async with two[0].database.transaction() as tx:
            await held_key(tx, impatient, "k-7")
            async with asyncio.timeout(5):
                given = await asyncio.gather(
                    *(impatient.create(f"k-{n}") for n in range(TOGETHER)), return_exceptions=True
                )
    finally:
        await database.close()
    assert [n for n, each in enumerate(given) if isinstance(each, BaseException)] == [7]
    assert isinstance(given[7], StatementUnfinished)
    # The key alone is the holder's.
    assert await two[0].counts() == [TOGETHER, TOGETHER + 1, TOGETHER, TOGETHER, TOGETHER]


async def test_request_that_ended_before_its_group_began_has_done_nothing(two: tuple[Front, Front]) -> None:
    front, elsewhere = two
    await front.create("before")
    async with elsewhere.database.transaction() as tx:
        await held_key(tx, front, "held")
        waiting = asyncio.create_task(front.create("held"))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await front.create("late")
        in_time = asyncio.create_task(front.create("in time"))
        await asyncio.sleep(0)
    # Committed: the key that `waiting` waited for is taken, by the same request.
    assert (await waiting).replayed
    assert not (await in_time).replayed
    assert await front.counts() == [2, 3, 2, 2, 2]
    assert not (await front.create("late")).replayed
    assert await front.counts() == [3, 4, 3, 3, 3]
