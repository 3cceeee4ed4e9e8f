"""Requests that arrive together are committed together, and each is answered as if it had come alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import SystemClock
from libs.common.db import Database, DatabaseUnavailable
from libs.common.errors import IdempotencyKeyReused
from libs.common.observability.correlation import Correlation
from services.api.idempotency import Claim, Given, Idempotency
from services.api.payments.commands import Answers, NewIntent, PaymentCommands
from services.api.payments.schemas import render_intent
from services.api.payments.sql import intents
from tests.integration.api.conftest import CONFIRM_TIMEOUT_SECONDS
from tests.support.databases import TestDatabase

TOGETHER = 20
NEW = NewIntent(amount_minor=15050, currency="BRL", customer_ref="c", description=None, metadata={"a": "1"})
COUNTS = """
SELECT (SELECT count(*) FROM payment_intents WHERE tenant_id = $1),
       (SELECT count(*) FROM idempotency_keys WHERE tenant_id = $1),
       (SELECT count(*) FROM payment_intent_events WHERE tenant_id = $1),
       (SELECT count(*) FROM audit_log WHERE tenant_id = $1),
       (SELECT count(*) FROM outbox WHERE tenant_id = $1)
"""
READY = b"Z\x00\x00\x00\x05I"
"""What PostgreSQL sends when a statement is committed and it waits for the next one."""


class Front:
    """The commands of one api process for one tenant, without HTTP."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.commits = 0
        self._correlation = Correlation(correlation_id="c-1", tenant_id=tenant_id)
        clock = SystemClock()
        self._idempotency = Idempotency(database, clock=clock, ttl_seconds=600, request_timeout_seconds=30)
        answers = Answers(database, clock=clock, timeout_seconds=CONFIRM_TIMEOUT_SECONDS)
        self._commands = PaymentCommands(database, clock=clock, render=render_intent, answers=answers)
        database.after_commit(self._count)

    def _count(self) -> None:
        self.commits += 1

    def _claim(self, operation: str, key: str, body: bytes) -> Claim:
        return self._idempotency.claim(
            tenant_id=self.tenant_id, operation=operation, key=key, body=body, meaning={"body": {}}
        )

    async def create(self, key: str, new: NewIntent = NEW) -> Given:
        """Create an intent under a key."""
        claim = self._claim("create", key, msgspec.json.encode({"amount": str(new.amount_minor)}))

        async def first() -> object:
            return await self._commands.create(
                new, action="payment_intent.create", claim=claim, actor="ops", correlation=self._correlation
            )

        return await self._idempotency.run(claim, first)  # type: ignore[arg-type]

    async def confirm(self, intent_id: UUID, key: str) -> Given:
        """Confirm an intent under a key, without waiting for the issuer."""
        claim = self._claim(f"confirm:{intent_id}", key, b"")

        async def first() -> object:
            return await self._commands.confirm(
                intent_id,
                action="payment_intent.confirm",
                claim=claim,
                actor="ops",
                correlation=self._correlation,
                respond_async=True,
            )

        return await self._idempotency.run(claim, first)  # type: ignore[arg-type]

    async def created(self, number: int = TOGETHER) -> list[UUID]:
        """Create intents together; returns their ids."""
        given = await asyncio.gather(*(self.create(f"create-{n}") for n in range(number)))
        return [id_of(each) for each in given]

    async def counts(self, database: Database | None = None) -> list[int]:
        """How many intents, keys, lines of timelines, lines of the audit log and messages the tenant has."""
        row = await (database or self.database).fetchrow(COUNTS, self.tenant_id)
        assert row is not None
        return list(row)


def id_of(given: Given) -> UUID:
    return UUID(msgspec.json.decode(given.answer.body)["id"])


@pytest.fixture
async def front(api_database: TestDatabase, tenant_id: str) -> AsyncIterator[Front]:
    async with api_database.open("api") as opened:
        yield Front(opened, tenant_id)


async def test_creates_that_arrive_together_are_one_commit(front: Front) -> None:
    ids = await front.created()
    assert front.commits == 1
    assert await front.counts() == [TOGETHER] * 5
    stored = [await intents.get(front.database, front.tenant_id, each) for each in ids]
    assert [each is not None and (each.amount_minor, each.metadata) for each in stored] == [(15050, {"a": "1"})] * 20
    published = await front.database.fetch(
        "SELECT body::jsonb->>'payment_intent_id' AS id FROM outbox WHERE tenant_id = $1 ORDER BY seq", front.tenant_id
    )
    assert [UUID(row["id"]) for row in published] == ids


async def test_more_than_a_group_takes_are_several_commits(front: Front) -> None:
    await front.created(70)
    assert front.commits == 3
    assert await front.counts() == [70] * 5


async def test_those_that_arrive_during_a_commit_are_the_next_one(front: Front) -> None:
    alone = asyncio.create_task(front.create("alone"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.gather(alone, *(front.create(f"k-{n}") for n in range(TOGETHER)))
    assert front.commits == 2
    assert await front.counts() == [TOGETHER + 1] * 5


async def test_one_key_many_times_in_a_group_creates_one_intent(front: Front) -> None:
    given = await asyncio.gather(*(front.create("same") for _ in range(5)), *(front.create(f"k-{n}") for n in range(5)))
    # In one statement: a group that failed for its doubled key would have been halved.
    assert front.commits == 1
    assert [each.replayed for each in given] == [False] + [True] * 4 + [False] * 5
    assert len({each.answer for each in given[:5]}) == 1
    assert await front.counts() == [6] * 5


async def test_one_key_with_another_body_in_a_group_is_refused(front: Front) -> None:
    other = msgspec.structs.replace(NEW, amount_minor=1)
    first, second, third = await asyncio.gather(
        front.create("same"), front.create("same", other), front.create("k"), return_exceptions=True
    )
    assert isinstance(second, IdempotencyKeyReused)
    assert isinstance(first, Given) and isinstance(third, Given)
    assert not first.replayed and not third.replayed
    assert await front.counts() == [2] * 5


async def test_key_of_an_earlier_commit_is_replayed_among_new_ones(front: Front) -> None:
    before = await front.create("known")
    given = await asyncio.gather(front.create("k-1"), front.create("known"), front.create("k-2"))
    assert [each.replayed for each in given] == [False, True, False]
    assert given[1].answer == before.answer
    assert await front.counts() == [3] * 5


@pytest.mark.parametrize(
    "bad",
    [{"description": "\x00"}, {"amount_minor": 2**70}, {"amount_minor": 0}],
    ids=["text", "number", "constraint"],
)
async def test_one_bad_create_fails_alone(front: Front, bad: dict[str, object]) -> None:
    creates = [front.create(f"k-{n}", msgspec.structs.replace(NEW, **bad) if n == 7 else NEW) for n in range(TOGETHER)]
    given = await asyncio.gather(*creates, return_exceptions=True)
    assert [n for n, each in enumerate(given) if isinstance(each, BaseException)] == [7]
    assert await front.counts() == [TOGETHER - 1] * 5
    assert all(isinstance(each, Given) and not each.replayed for n, each in enumerate(given) if n != 7)


async def test_a_cancelled_create_is_there_once_under_its_key(front: Front) -> None:
    creates = [asyncio.create_task(front.create(f"k-{n}")) for n in range(TOGETHER)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    creates[3].cancel()
    given = await asyncio.gather(*creates, return_exceptions=True)
    assert [n for n, each in enumerate(given) if isinstance(each, BaseException)] == [3]
    assert await front.counts() == [TOGETHER] * 5
    again = await front.create("k-3")
    assert again.replayed
    assert await front.counts() == [TOGETHER] * 5


async def test_confirms_that_arrive_together_are_one_commit(front: Front) -> None:
    ids = await front.created()
    front.commits = 0
    given = await asyncio.gather(*(front.confirm(each, f"confirm-{each}") for each in ids))
    assert front.commits == 1
    assert {each.answer.status for each in given} == {202}
    rows = await front.database.fetch(
        "SELECT id, status, version, updated_at > created_at AS is_later FROM payment_intents WHERE tenant_id = $1",
        front.tenant_id,
    )
    assert {(row["status"], row["version"], row["is_later"]) for row in rows} == {("PROCESSING", 2, True)}
    published = await front.database.fetch(
        "SELECT body::jsonb->>'payment_intent_id' AS id, contract FROM outbox WHERE tenant_id = $1 ORDER BY seq OFFSET $2",
        front.tenant_id,
        TOGETHER,
    )
    assert [(UUID(row["id"]), row["contract"]) for row in published] == [
        (each, "command:gateway:payment.authorize") for each in ids
    ]


async def test_one_intent_many_times_in_a_group_is_confirmed_once(front: Front) -> None:
    one, other = await front.created(2)
    before = await front.counts()
    given = await asyncio.gather(
        front.confirm(one, "same"), front.confirm(one, "same"), front.confirm(one, "another"), front.confirm(other, "k")
    )
    assert [each.replayed for each in given] == [False, True, False, False]
    assert [each.answer.status for each in given] == [202] * 4
    after = await front.counts()
    # Two confirmations; three keys, of which one was answered by the state that the first has left.
    assert [now - then for now, then in zip(after, before, strict=True)][:2] == [0, 3]
    assert after[3] - before[3] == 2


async def test_locked_intent_does_not_hold_up_the_confirms_beside_it(front: Front) -> None:
    ids = await front.created(3)
    async with front.database.transaction() as tx:
        await intents.lock(tx, [(front.tenant_id, ids[1])])
        confirms = [asyncio.create_task(front.confirm(each, "k")) for each in ids]
        async with asyncio.timeout(5):
            await asyncio.gather(confirms[0], confirms[2])
        assert not confirms[1].done()
    assert (await confirms[1]).answer.status == 202


async def test_intent_that_somebody_else_has_confirmed_is_not_confirmed_again(front: Front) -> None:
    ids = await front.created(3)
    elsewhere = Front(front.database, front.tenant_id)
    await elsewhere.confirm(ids[1], "elsewhere")
    before = await front.counts()
    # This process still remembers it as it was created.
    given = await asyncio.gather(*(front.confirm(each, "k") for each in ids))
    assert [each.answer.status for each in given] == [202] * 3
    after = await front.counts()
    assert after[3] - before[3] == 2
    assert after[1] - before[1] == 3


class Losing:
    """Stands between a client and PostgreSQL, and closes the connection once a statement is committed, on request."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._pumps: set[asyncio.Task[None]] = set()
        self.is_losing = False

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self._host, self._port)
        self._pumps.add(asyncio.create_task(self._pump(reader, to_server, is_reply=False)))
        self._pumps.add(asyncio.create_task(self._pump(from_server, writer, is_reply=True)))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if is_reply and self.is_losing:
                    if data.endswith(READY):
                        return
                    continue
                writer.write(data)
        finally:
            writer.close()

    async def close(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


@asynccontextmanager
async def lossy(api_database: TestDatabase) -> AsyncIterator[tuple[Losing, Database]]:
    """A database behind a connection that can be lost."""
    settings = api_database.settings("api", pool_size=1)
    real = urlsplit(settings.database_url)
    assert real.hostname is not None
    assert real.port is not None
    between = Losing(real.hostname, real.port)
    async with await asyncio.start_server(between.met, "127.0.0.1", 0) as listening:
        url = settings.database_url.replace(f":{real.port}/", f":{listening.sockets[0].getsockname()[1]}/")
        database = Database(msgspec.structs.replace(settings, database_url=url), schema="api", application_name="lossy")
        await database.open()
        try:
            yield between, database
        finally:
            await database.close()
            await between.close()


async def test_connection_lost_at_commit_is_an_outage_and_keys_find_intents(
    api_database: TestDatabase, front: Front
) -> None:
    async with lossy(api_database) as (between, database):
        losing = Front(database, front.tenant_id)
        # So that the statement is prepared, and the next reply is that of its commit.
        await losing.create("before")
        between.is_losing = True
        lost = await asyncio.gather(*(losing.create(f"k-{n}") for n in range(TOGETHER)), return_exceptions=True)
    assert [type(each) for each in lost] == [DatabaseUnavailable] * TOGETHER
    assert await front.counts() == [TOGETHER + 1] * 5
    given = await asyncio.gather(*(front.create(f"k-{n}") for n in range(TOGETHER)))
    assert all(each.replayed for each in given)
    assert len({id_of(each) for each in given}) == TOGETHER
    assert await front.counts() == [TOGETHER + 1] * 5


async def test_confirms_lost_at_commit_are_there_once(api_database: TestDatabase, front: Front) -> None:
    async with lossy(api_database) as (between, database):
        losing = Front(database, front.tenant_id)
        ids = await losing.created()
        await losing.confirm(ids[0], "k")
        between.is_losing = True
        lost = await asyncio.gather(*(losing.confirm(each, "k") for each in ids[1:]), return_exceptions=True)
    assert [type(each) for each in lost] == [DatabaseUnavailable] * (TOGETHER - 1)
    given = await asyncio.gather(*(front.confirm(each, "k") for each in ids))
    assert {(each.replayed, each.answer.status) for each in given} == {(True, 202)}
    assert await front.counts() == [TOGETHER] + [2 * TOGETHER] * 4
