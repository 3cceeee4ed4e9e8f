"""Lists of payment intents: filters, numbered pages and cursors."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from services.api.payments.sql.intents import FILTERS
from tests.integration.api.conftest import Api
from tests.support.databases import TestDatabase
from tests.support.platform import Answer, Client


@pytest.fixture
async def client(api: Api, tenant_id: str) -> Client:
    """An operator of a tenant with 25 intents, one a day from 2026-04-01, five in each status."""
    client = api.client(tenant_id)
    intents = [
        await client.create(customer_ref=f"c-{n % 2}", currency="USD" if n % 5 == 0 else "BRL") for n in range(25)
    ]
    statuses = ["CREATED", "PROCESSING", "AUTHORIZED", "SETTLED", "FAILED"]
    for n, intent in enumerate(intents):
        await api.database.write(
            "UPDATE payment_intents SET created_at = $2, status = $3 WHERE id = $1",
            intent["id"],
            datetime(2026, 4, 1, 12, tzinfo=UTC) + timedelta(days=n),
            statuses[n // 5],
        )
    return client


async def listed(client: Client, query: str = "") -> Any:
    answer = await client.call("GET", f"/v1/payment-intents{query}")
    assert answer.status == 200, answer.raw
    return answer.json


async def test_an_empty_list_has_the_shape_of_the_front_end(api: Api, tenant_id: str) -> None:
    page = await listed(api.client(tenant_id), "?pageSize=15")
    assert page == {"data": [], "total": 0, "page": 1, "pageSize": 15, "next_cursor": None}


async def test_the_first_page_comes_without_asking(client: Client) -> None:
    page = await listed(client)
    assert (page["total"], page["page"], page["pageSize"], len(page["data"])) == (25, 1, 50, 25)
    created = [intent["created_at"] for intent in page["data"]]
    assert created == sorted(created, reverse=True)


async def test_numbered_pages_reach_everything_once(client: Client) -> None:
    pages = [await listed(client, f"?page={n}&pageSize=10") for n in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [10, 10, 5, 0]
    assert len({intent["id"] for page in pages for intent in page["data"]}) == 25
    assert {page["total"] for page in pages} == {25}


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("status=CREATED", 5),
        ("status=CREATED,FAILED", 10),
        ("status=PENDING", 10),
        ("status=CONFIRMED", 10),
        ("status=PENDING,CREATED", 10),
        ("status=CANCELLED", 0),
        ("status=", 25),
        ("customer_ref=c-1", 12),
        ("customer_ref=c-1&status=FAILED", 2),
        ("customer_ref_prefix=c-", 25),
        ("customer_ref_prefix=C-", 0),
        ("customer_ref_prefix=c-1&status=FAILED", 2),
        ("customer_ref_prefix=c%25", 0),
        ("customer_ref_prefix=", 25),
        ("currency=USD", 5),
        ("from=2026-04-25", 1),
        ("to=2026-04-01", 1),
        ("to=2026-04-01T12:00:00Z", 1),
        ("to=2026-04-01T11:59:59.999999Z", 0),
        ("from=2026-04-02&to=2026-04-03", 2),
        ("from=2026-04-02T12:00:00+00:00&to=2026-04-02T12:00:00%2B00:00", 1),
        ("order_id=o-1", 0),
        ("refund_id=0190f3a4-5b6c-7d8e-9f01-23456789abcd", 0),
        ("amount=150.50&from=2026-04-01&to=2026-04-30", 25),
        ("amount=150.5&currency=USD&from=2026-04-01&to=2026-04-30", 5),
        ("amount=150.51&from=2026-04-01&to=2026-04-30", 0),
        ("amount=15050&from=2026-04-01&to=2026-04-30", 0),
        ("amount=150.50", 0),
    ],
)
async def test_filters(client: Client, query: str, total: int) -> None:
    page = await listed(client, f"?{query}")
    assert (page["total"], len(page["data"])) == (total, total)


async def test_a_list_is_not_counted_where_nobody_needs_it(client: Client) -> None:
    page = await listed(client, "?total=false&pageSize=10")
    assert ("total" in page, page["page"], len(page["data"])) == (False, 1, 10)


async def test_an_amount_is_looked_for_in_a_bounded_time(client: Client) -> None:
    for query, name in (
        ("amount=1&from=2026-01-01", "from"),
        ("amount=1.2345&currency=BRL", "amount"),
        ("amount=0", "amount"),
    ):
        answer = await client.call("GET", f"/v1/payment-intents?{query}")
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, name), answer.raw
    await client.create()
    await client.create()
    # The time without `from` goes on, and a cursor stays that of its list.
    first = await listed(client, "?amount=150.50&pageSize=1")
    assert len((await listed(client, f"?amount=150.50&cursor={first['next_cursor']}"))["data"]) == 1


async def walk(client: Client, query: str, *, between: Any = None) -> list[str]:
    """Follow cursors from the first page to the last."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        follow = f"&cursor={quote(cursor)}" if cursor else ""
        answer: Answer = await client.call("GET", f"/v1/payment-intents?{query}{follow}")
        assert answer.status == 200, answer.raw
        found += [intent["id"] for intent in answer.json["data"]]
        if between is not None:
            await between()
        cursor = answer.json["next_cursor"]
        if cursor is None:
            assert "link" not in answer.headers
            return found
        assert f"cursor={cursor}" in answer.headers["link"]
        assert answer.headers["link"].endswith('; rel="next"')


async def test_a_cursor_skips_nothing_and_repeats_nothing_while_others_insert(client: Client) -> None:
    before = [intent["id"] for intent in (await listed(client))["data"]]

    async def insert() -> None:
        await asyncio.gather(*(client.create() for _ in range(3)))

    assert await walk(client, "pageSize=4", between=insert) == before


async def test_a_cursor_orders_intents_of_the_same_instant_by_id(api: Api, client: Client, tenant_id: str) -> None:
    await api.database.write("UPDATE payment_intents SET created_at = now() WHERE tenant_id = $1", tenant_id)
    found = await walk(client, "pageSize=7")
    assert found == sorted(found, reverse=True)
    assert len(found) == 25


async def test_a_cursor_keeps_its_filters(client: Client) -> None:
    assert len(await walk(client, "status=CONFIRMED&pageSize=3")) == 10


async def test_a_reference_is_found_by_its_beginning_from_an_index(
    client: Client, tenant_id: str, api_database: TestDatabase
) -> None:
    last = "c-1\U0010ffff" + "\U0010ffff" * 124
    await client.create(customer_ref=last)
    assert (await listed(client, f"?customer_ref_prefix={quote(last[:4])}"))["total"] == 1
    where = FILTERS["customer_ref_prefix"].replace(":filters.customer_ref_prefix", "$2::text")
    books = await asyncpg.connect(api_database.admin_url)
    try:
        async with books.transaction():
            # As in a table of millions, with a plan for any beginning; in a copy, which has no statistics of what others wrote.
            await books.execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan")
            await books.execute("CREATE TEMP TABLE intents (LIKE api.payment_intents INCLUDING INDEXES) ON COMMIT DROP")
            plan = await books.fetch(
                f"EXPLAIN SELECT count(*) FROM intents i WHERE tenant_id = $1 AND {where}", tenant_id, "c-"
            )
    finally:
        await books.close()
    conditions = [line[0] for line in plan if "Index Cond" in line[0]]
    assert conditions, plan
    assert all("~>=~" in line and "~<=~" in line for line in conditions)


@pytest.mark.parametrize("name", ["order_id", "orderId"])
async def test_no_order_is_linked_by_whoever_creates_a_payment(api: Api, tenant_id: str, name: str) -> None:
    body = {"amount": 1, "currency": "BRL", "customer_ref": "order:o-2", name: "o-2"}
    linked = await api.client(tenant_id).call("POST", "/v1/payment-intents", body, key="linked")
    assert (linked.status, linked.json["code"]) == (422, "unknown_fields")
    assert "by the order's own charge request only" in linked.json["errors"][0]["detail"]
    assert (await api.client(tenant_id).call("GET", "/v1/payments?orderId=o-2")).json == []


async def test_a_cursor_of_another_list_is_refused(api: Api, client: Client) -> None:
    cursor = (await listed(client, "?pageSize=5"))["next_cursor"]
    for other, query in ((client, "&status=FAILED"), (api.client("tenant-of-another-list"), "")):
        answer = await other.call("GET", f"/v1/payment-intents?cursor={cursor}{query}")
        assert (answer.status, answer.json["code"]) == (422, "invalid_cursor")
