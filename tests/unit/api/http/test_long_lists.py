"""Lists that take long are worked on one at a time for each tenant, and wait for their turn in bounded time."""

import asyncio

import pytest

from libs.common.errors import Overloaded
from services.api.http.bodies import LongLists

pytestmark = pytest.mark.unit

LONG, SHORT = b" " * 65_537, b" " * 65_536


async def test_lists_of_one_tenant_take_turns_and_leave_one_for_another() -> None:
    lists, begun, let = LongLists(), list[str](), asyncio.Event()

    async def work(tenant_id: str, raw: bytes) -> None:
        async with lists.turn(tenant_id, raw):
            begun.append(tenant_id)
            await let.wait()

    async with asyncio.TaskGroup() as group:
        for tenant_id, raw in (("rude", LONG), ("rude", LONG), ("rude", SHORT), ("quiet", LONG), ("third", LONG)):
            group.create_task(work(tenant_id, raw))
        while len(begun) < 3:
            await asyncio.sleep(0)
        assert begun == ["rude", "rude", "quiet"], "the second is the short one"
        let.set()
    assert sorted(begun[3:]) == ["rude", "third"]


async def test_list_whose_turn_does_not_come_is_refused_and_takes_no_place() -> None:
    lists, let = LongLists(wait_seconds=0.01), asyncio.Event()

    async def hold() -> None:
        async with lists.turn("rude", LONG):
            await let.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(hold())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            async with lists.turn("rude", LONG):
                pytest.fail("two at a time")
        assert (refused.value.status, refused.value.code) == (503, "overloaded")
        let.set()
    async with lists.turn("rude", LONG):
        pass
