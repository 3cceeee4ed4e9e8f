"""Whatever PostgreSQL and RabbitMQ refuse, nothing is dead-lettered, nothing exits, and all goes on by itself."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import msgspec
import pytest

from deploy.local.native.rabbitmq import evaluate
from deploy.local.servers import Servers
from libs.common.db import Database, DatabaseReadOnly
from libs.common.settings import DatabaseSettings
from tests.integration.faults import postgres, rabbitmq
from tests.integration.faults.rig import QUEUE, ROLE, Rig, outages_of
from tests.support.waiting import until

pytestmark = pytest.mark.long


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One way to be sick: how it is provoked, and what the service meets."""

    provoke: Callable[[Rig], AbstractAsyncContextManager[None]]
    causes: tuple[str, ...]
    """SQLSTATEs or classes, any of which the service must meet."""
    reads: bool = False
    """Whether reading goes on."""


FAULTS = {
    "read_only_role": Fault(provoke=postgres.read_only_role, causes=("25006",), reads=True),
    "read_only_server": Fault(provoke=postgres.read_only_server, causes=("25006",), reads=True),
    "no_connections_left": Fault(provoke=postgres.no_connections_left, causes=("53300",)),
    "login_refused": Fault(provoke=postgres.login_refused, causes=("28000",)),
    "database_closed": Fault(provoke=postgres.database_closed, causes=("55000",)),
    "statement_timeout": Fault(provoke=postgres.statement_timeout, causes=("57014",)),
    "lock_timeout": Fault(provoke=postgres.lock_timeout, causes=("55P03",)),
    "cancelled": Fault(provoke=postgres.cancelled, causes=("57014",)),
    "terminated": Fault(provoke=postgres.terminated, causes=("57P01", "08003")),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_work_waits_while_postgresql_is_sick_and_goes_on_by_itself(rig: Rig, name: str) -> None:
    fault = FAULTS[name]
    before, met = rig.counts(), sum(map(outages_of, fault.causes))
    async with fault.provoke(rig):
        handed_in = await rig.publish(20)
        if fault.reads:
            # Whoever administers can write, and a relay is to send it.
            handed_in += await rig.relay(20)

        async def refused() -> bool:
            answer = await rig.http.post("/effects")
            assert answer.status_code in {201, 503}
            if answer.status_code == 503:
                assert int(answer.headers["Retry-After"]) > 0
            return answer.status_code == 503

        await until(refused, sentence="HTTP does not answer 503")
        assert (await rig.http.get("/effects")).status_code == (200 if fault.reads else 503)
        if fault.reads:
            ready = await rig.http.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (503, "fail")
            assert ready.json()["checks"]["database"] == "read_only"
            # The relay cannot take a row out, so it sends none either.
            assert await rig.admin.fetchval("SELECT count(*) FROM gateway.outbox") == 20
        assert await rig.dead_letters() == 0
    assert sum(map(outages_of, fault.causes)) > met
    await rig.all_handled(handed_in)
    await rig.is_well()
    assert await rig.dead_letters() == 0
    assert rig.counts() == before


async def test_full_disk_holds_work_up_until_there_is_room(rig: Rig) -> None:
    before, met = rig.counts(), outages_of("53100")
    async with postgres.disk_full(rig):
        handed_in = await rig.publish(20)

        async def refused() -> bool:
            answer = await rig.http.post("/effects")
            assert answer.status_code in {201, 503}
            return answer.status_code == 503

        await until(refused, sentence="the disk does not get full")
        assert (await rig.http.get("/effects")).status_code == 200
    assert outages_of("53100") > met
    await rig.all_handled(handed_in)
    await rig.is_well()
    assert await rig.dead_letters() == 0
    assert rig.counts() == before


async def test_transaction_that_was_ended_for_its_idleness_is_run_again(rig: Rig) -> None:
    before = rig.counts()
    async with postgres.idle_in_transaction(rig):
        handed_in = await rig.publish(20)
        held = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state = 'idle in transaction'"

        async def taken() -> bool:
            return bool(await rig.admin.fetchval(held, ROLE))

        async def ended() -> bool:
            return not await taken()

        await until(taken, sentence="the consumer began no transaction")
        await until(ended, sentence="PostgreSQL did not end it")
    await rig.all_handled(handed_in)
    await rig.is_well()
    assert await rig.dead_letters() == 0
    assert rig.counts() == before


async def test_crash_and_recovery_of_the_server_repeat_nothing_and_lose_nothing(rig: Rig) -> None:
    before = rig.counts()
    handed_in = await rig.relay(200)
    async with postgres.crashed(rig):
        handed_in += await rig.publish(20)
        assert (await rig.http.post("/effects")).status_code in {201, 503}
    await rig.all_handled(handed_in)
    await rig.is_well()
    assert await rig.dead_letters() == 0
    assert rig.counts() == before


LASTING = {
    "memory_alarm": rabbitmq.memory_alarm,
    "disk_alarm": rabbitmq.disk_alarm,
    "login_refused": rabbitmq.login_refused,
}
MOMENTARY = {"connections_closed": rabbitmq.CLOSE_CONNECTIONS, "channels_killed": rabbitmq.KILL_CHANNELS}


async def test_writes_follow_the_primary_when_a_server_is_demoted(rig: Rig, servers: Servers) -> None:
    shared = servers.postgres_url
    both = re.sub(r"@([^/]+)/", rf"@127.0.0.1:{rig.postgres.port},\1/", shared)
    database = Database(DatabaseSettings(database_url=both), schema="public", application_name="two hosts")
    await database.open()
    here = "SELECT system_identifier FROM pg_control_system()"
    try:
        first = await database.fetch(here)
        async with postgres.read_only_server(rig):
            # A temporary table is a write too, and leaves nothing behind on the other server.
            with pytest.raises(DatabaseReadOnly):
                await database.write("CREATE TEMPORARY TABLE demoted ()")
            assert await database.fetch(here) != first
            await database.write("CREATE TEMPORARY TABLE demoted ()")
    finally:
        await database.close()
    await rig.is_well()


@pytest.mark.parametrize("name", LASTING)
async def test_outbox_fills_while_rabbitmq_takes_nothing_and_is_sent_afterwards(rig: Rig, name: str) -> None:
    provoke: Callable[[Rig], AbstractAsyncContextManager[None]] = LASTING[name]
    before = rig.counts()
    async with provoke(rig):
        handed_in = await rig.relay(20)

        async def refused() -> bool:
            answer = await rig.http.get("/configs")
            assert answer.status_code in {200, 503}
            if answer.status_code == 503:
                assert int(answer.headers["Retry-After"]) > 0
            return answer.status_code == 503

        await until(refused, sentence="a request over the broker is not answered 503")
        assert (await rig.http.post("/effects")).status_code == 201
        assert (await rig.http.get("/effects")).status_code == 200
    await rig.all_handled(handed_in)
    await rig.is_well()
    assert await rig.dead_letters() == 0
    assert rig.counts() == before


@pytest.mark.parametrize("name", MOMENTARY)
async def test_work_goes_on_after_rabbitmq_hung_up(rig: Rig, name: str) -> None:
    before = rig.counts()
    handed_in = await rig.relay(200)
    evaluate(rig.rabbitmq, MOMENTARY[name])
    handed_in += await rig.relay(20)
    assert (await rig.http.post("/effects")).status_code == 201
    assert (await rig.http.get("/configs")).status_code in {200, 503}
    await rig.all_handled(handed_in)
    await rig.is_well()
    assert await rig.dead_letters() == 0
    assert rig.counts() == before


async def test_deleted_queue_is_declared_again_and_gets_what_it_missed(rig: Rig) -> None:
    before = rig.counts()
    async with rig.channel() as channel:
        await channel.queue_delete(QUEUE)
    await rig.all_handled(await rig.relay(20))
    await rig.is_well()
    assert rig.counts() == before


async def test_channel_that_a_deleted_exchange_closed_is_opened_again(rig: Rig) -> None:
    before = rig.counts()
    async with rig.channel() as channel:
        await channel.exchange_delete("gateway.events")
    await rig.all_handled(await rig.relay(20))
    await rig.is_well()
    assert rig.counts() == before
