"""Following a cursor while payments are being created: nothing that was there is skipped, nothing comes twice."""

import asyncio
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.api.conftest import Api


@given(
    before=st.integers(0, 25),
    size=st.integers(1, 7),
    between=st.lists(st.integers(0, 3), min_size=0, max_size=12),
    query=st.sampled_from(
        ["", "&status=CREATED", "&currency=BRL", "&customer_ref=c-1", "&status=PENDING&currency=BRL"]
    ),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_walk_sees_each_intent_once_whatever_is_created_meanwhile(
    api: Api, before: int, size: int, between: list[int], query: str
) -> None:
    client = api.client(f"tenant-{uuid4().hex[:12]}")
    there = [(await client.create())["id"] for _ in range(before)]
    seen: list[str] = []
    cursor, arriving = "", iter(between)
    while True:
        # Payments are created before and while the page is read.
        creating = [asyncio.create_task(client.create()) for _ in range(next(arriving, 0))]
        answer = await client.call("GET", f"/v1/payment-intents?pageSize={size}{query}{cursor}")
        assert answer.status == 200
        await asyncio.gather(*creating)
        page: dict[str, Any] = answer.json
        seen += [intent["id"] for intent in page["data"]]
        assert len(page["data"]) <= size
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in set(there)] == there[::-1]
