"""The log of requests: what it keeps and what it leaves out, whose it is, and that nobody waits for it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from libs.common.clock import ManualClock
from libs.common.db import Database, PartitionKeeper
from services.api.http.callers import Principal
from services.api.http.passages import Passage, passage_of
from services.api.request_log import RequestLog, request_partitions
from tests.integration.api.administration.test_administration import admin
from tests.integration.api.conftest import Api
from tests.support.databases import TestDatabase
from tests.support.platform import Client
from tests.support.waiting import until

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def logged(client: Client, query: str = "", *, count: int) -> list[dict[str, Any]]:
    """The lines of the log, once there are so many."""
    found: list[dict[str, Any]] = []

    async def is_there() -> bool:
        answer = await client.call("GET", f"/v1/requests?{query}")
        assert answer.status == 200, answer.raw
        found[:] = [line for line in answer.json["data"] if line["route"] != "/v1/requests"]
        return len(found) >= count

    await until(is_there)
    assert len(found) == count
    return found


def passage(tenant_id: str, path: str = "/v1/payment-intents") -> Passage:
    return Passage(
        tenant_id=tenant_id,
        actor="somebody",
        method="GET",
        route=path,
        path=path,
        status=200,
        code="",
        duration_ms=1,
        correlation_id=uuid4().hex,
        idempotency_key="",
        address="127.0.0.1",
        user_agent="",
    )


async def lines_of(database: Database, tenant_id: str) -> int:
    return len(await database.fetch("SELECT FROM logged_requests WHERE tenant_id = $1", tenant_id))


def send(log: RequestLog, tenant_id: str) -> None:
    """A request of a tenant, as the edge notes it."""
    if log.has_place(tenant_id):
        log.note(passage(tenant_id))


def unlogged(reason: str) -> float:
    return REGISTRY.get_sample_value("requests_unlogged_total", {"reason": reason}) or 0.0


async def test_requests_are_listed_as_they_were_answered(api: Api, tenant_id: str) -> None:
    client = admin(api, tenant_id)
    created = await client.create("150.50")
    missing = uuid4()
    await client.call("GET", f"/v1/payment-intents/{missing}?")
    await client.call("GET", "/v1/payment-intents?secret=of-a-query")
    await client.call("POST", "/v1/payment-intents", {"amount": "0", "currency": "BRL", "customer_ref": "c"}, key="k-1")

    refused, wrong, unknown, first = await logged(client, count=4)

    assert (first["method"], first["path"], first["status"], first["code"]) == ("POST", "/v1/payment-intents", 200, "")
    assert created["id"] not in str(first)
    assert (unknown["status"], unknown["code"]) == (404, "payment_intent_not_found")
    assert unknown["path"] == f"/v1/payment-intents/{missing}"
    assert unknown["route"].startswith("/v1/payment-intents/{")
    assert (refused["status"], refused["code"], refused["idempotency_key"]) == (422, "invalid_amount", "k-1")
    assert {line["address"] for line in (refused, unknown, first)} == {"127.0.0.1"}
    assert "Bearer" not in str([refused, unknown, first])
    assert (wrong["path"], wrong["status"]) == ("/v1/payment-intents", 422)
    assert "secret" not in str(wrong)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status=4xx", 2),
        ("status=5xx", 0),
        ("method=POST", 2),
        ("path=/v1/payment-intents", 2),
        ("path=/v1/payment-intents/", 1),
        ("code=invalid_amount", 1),
        ("actor=nobody", 0),
        ("to=2020-01-01", 0),
    ],
)
async def test_filters_choose_lines(api: Api, tenant_id: str, query: str, count: int) -> None:
    client = admin(api, tenant_id)
    await client.create("150.50")
    await client.call("GET", f"/v1/payment-intents/{uuid4()}")
    await client.call("POST", "/v1/payment-intents", {"amount": "0", "currency": "BRL", "customer_ref": "c"}, key="k")
    await logged(client, count=3)
    await logged(client, query, count=count)


async def test_pages_follow_one_another(api: Api, tenant_id: str) -> None:
    client = admin(api, tenant_id)
    for _ in range(5):
        await client.call("GET", f"/v1/payment-intents/{uuid4()}")
    await logged(client, count=5)
    paths: list[str] = []
    cursor = ""
    for _ in range(3):
        answer = await client.call("GET", f"/v1/requests?path=/v1/payment-intents/&limit=2{cursor}")
        paths += [line["path"] for line in answer.json["data"]]
        cursor = f"&cursor={answer.json['next_cursor']}"
    assert len(set(paths)) == 5
    assert cursor == "&cursor=None"


async def test_a_tenant_sees_its_own_alone_and_strangers_leave_no_line(api: Api, tenant_id: str) -> None:
    mine, other = admin(api, tenant_id), admin(api, str(uuid4()))
    await other.call("GET", f"/v1/payment-intents/{uuid4()}")
    # The token proves the tenant, whatever the header says.
    await Client(api.http, api.base, token=other.token, tenant=tenant_id).call("GET", "/v1/me")
    await api.stranger().call("GET", f"/v1/payment-intents/{uuid4()}")
    await mine.call("GET", f"/v1/payment-intents/{uuid4()}")

    assert len(await logged(mine, count=1)) == 1
    assert len(await logged(other, count=2)) == 2


async def test_hostile_text_is_kept_as_text_and_not_at_any_length(api: Api, tenant_id: str) -> None:
    client = admin(api, tenant_id)
    async with api.http.get(
        f"{api.base}/v1/payment-intents/4242424242424242%00<script>" + "x" * 600,
        headers={
            "Authorization": f"Bearer {client.token}",
            "User-Agent": "<b>" + "y" * 600,
            "Idempotency-Key": "z" * 600,
        },
    ):
        pass
    (line,) = await logged(client, count=1)
    assert line["path"].startswith("/v1/payment-intents/")
    assert "4242424242424242" not in line["path"]
    assert max(len(line[name]) for name in ("path", "user_agent", "idempotency_key")) <= 256


async def test_no_line_keeps_those_of_others_from_being_written(api_database: TestDatabase) -> None:
    odd, calm = f"{uuid4()}", str(uuid4())
    who = Principal(sub="a\0b\ud800", tid=odd, roles=(), perms=frozenset(), plan="", region="", jti="")
    scope: Any = {"method": "GET", "path": "/v1/\0\udfff", "path_template": ""}
    headers = {"user-agent": "\ud800\0", "idempotency-key": "\0"}
    async with api_database.open("api") as database:
        log = RequestLog(database, clock=ManualClock(NOW), per_second=100)
        log.note(passage(calm))
        log.note(passage_of(scope, headers, who, status=400, body=b"{", began=0.0, address=""))
        await log.write()
        assert (await lines_of(database, odd), await lines_of(database, calm)) == (1, 1)


async def test_card_number_at_the_end_of_what_is_kept_is_masked(api: Api, tenant_id: str) -> None:
    client = admin(api, tenant_id)
    for kept in range(11, 16):
        agent = "y" * (255 - kept) + " 4242424242424242"
        headers = {"Authorization": f"Bearer {client.token}", "User-Agent": agent}
        async with api.http.get(f"{api.base}/v1/payment-intents/{uuid4()}", headers=headers):
            pass
    for line in await logged(client, count=5):
        assert line["user_agent"].endswith(" 424242******4242"[: 256 - line["user_agent"].index(" ")])
        assert len(line["user_agent"]) == 256


async def test_a_busy_tenant_has_so_many_lines_a_second_and_takes_none_of_others(api_database: TestDatabase) -> None:
    clock, busy, calm = ManualClock(NOW), str(uuid4()), str(uuid4())
    before = unlogged("rate")
    async with api_database.open("api") as database:
        log = RequestLog(database, clock=clock, per_second=3)
        for second in range(2):
            for _ in range(10):
                send(log, busy)
            send(log, calm)
            clock.advance(timedelta(seconds=1))
            assert unlogged("rate") == before + 7 * (second + 1)
        await log.write()
        assert (await lines_of(database, busy), await lines_of(database, calm)) == (6, 2)


async def test_what_the_database_does_not_take_is_counted_and_in_nobodys_way(api_database: TestDatabase) -> None:
    tenant, lost, full = str(uuid4()), unlogged("store"), unlogged("full")
    async with api_database.open("api") as database:
        log = RequestLog(database, clock=ManualClock(NOW), per_second=100, waiting_max=5)
        for _ in range(7):
            send(log, tenant)
        assert unlogged("full") == full + 2
        owner = await asyncpg.connect(api_database.admin_url)
        try:
            await owner.execute("ALTER TABLE api.logged_requests RENAME TO away")
            with pytest.raises(asyncpg.UndefinedTableError):
                await log.write()
        finally:
            await owner.execute("ALTER TABLE api.away RENAME TO logged_requests")
            await owner.close()
        assert unlogged("store") == lost + 5
        log.note(passage(tenant))
        await log.write()
        assert await lines_of(database, tenant) == 1


async def test_days_of_it_are_forgotten(api_database: TestDatabase) -> None:
    clock, tenant = ManualClock(NOW), str(uuid4())
    async with api_database.open("api") as database:
        tables = [request_partitions(kept_days=7)]
        log = RequestLog(database, clock=clock, per_second=100)
        for _ in range(10):
            await PartitionKeeper(database, clock=clock, tables=tables).run()
            log.note(passage(tenant))
            await log.write()
            clock.advance(timedelta(days=1))
        await PartitionKeeper(database, clock=clock, tables=tables).run()
        rows = await database.fetch("SELECT answered_at FROM logged_requests WHERE tenant_id = $1", tenant)
    oldest = min(row["answered_at"] for row in rows)
    assert clock.now() - timedelta(days=9) <= oldest <= clock.now() - timedelta(days=6)
