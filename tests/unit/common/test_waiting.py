"""Where something is short: who goes first, and nobody's turn is lost."""

import asyncio
from collections.abc import Callable

import pytest

from libs.common.db.slots import Slots
from libs.common.precedence import Precedence, precedence
from libs.common.single_flight import SingleFlight

ACCEPTED, BEGUN, NEW = Precedence


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class TestSlots:
    async def test_what_was_begun_goes_before_what_is_new(self) -> None:
        slots, order = Slots(1), []
        await slots.take(NEW)

        async def wait(name: str, rank: Precedence) -> None:
            await slots.take(rank)
            order.append(name)
            slots.give()

        async with asyncio.TaskGroup() as group:
            for name, rank in (("new 1", NEW), ("begun", BEGUN), ("new 2", NEW), ("relay", ACCEPTED)):
                group.create_task(wait(name, rank))
                await turns()
            assert slots.is_short
            slots.give()
        assert order == ["relay", "begun", "new 1", "new 2"]
        assert not slots.is_short

    async def test_nobody_is_passed_over_for_ever(self) -> None:
        slots, order = Slots(1), []
        await slots.take(NEW)

        async def wait(rank: Precedence) -> None:
            await slots.take(rank)
            order.append(rank)
            slots.give()

        async with asyncio.TaskGroup() as group:
            for rank in (NEW, NEW, BEGUN, *[ACCEPTED] * 30):
                group.create_task(wait(rank))
            await turns()
            slots.give()
        assert [order.index(NEW), order.index(BEGUN)] == [7, 23]
        assert len(order) == 33

    async def test_no_more_work_at_once_than_there_are_slots(self) -> None:
        slots, at_once, most = Slots(3), 0, 0

        async def work() -> None:
            nonlocal at_once, most
            await slots.take(NEW)
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1
            slots.give()

        await asyncio.gather(*(work() for _ in range(50)))
        assert (most, at_once) == (3, 0)

    @pytest.mark.parametrize("is_given_first", [False, True])
    async def test_turn_of_one_who_leaves_goes_to_the_next(self, is_given_first: bool) -> None:
        slots = Slots(1)
        await slots.take(NEW)
        leaves, stays = (asyncio.create_task(slots.take(NEW)) for _ in range(2))
        await turns()
        if is_given_first:
            slots.give()
        leaves.cancel()
        await asyncio.wait([leaves])
        if not is_given_first:
            slots.give()
        async with asyncio.timeout(5):
            await stays
        slots.give()
        async with asyncio.timeout(5):
            await slots.take(NEW)


class TestSingleFlight:
    async def test_work_is_done_once_and_all_go_on_in_the_same_turn(self) -> None:
        shared, begun, may_end, turn, ended = SingleFlight[int](rank=ACCEPTED), 0, asyncio.Event(), 0, []

        async def work() -> int:
            nonlocal begun
            begun += 1
            assert precedence.get() is ACCEPTED
            await may_end.wait()
            return 42

        async def ask() -> None:
            precedence.set(NEW)
            assert await shared.do("key", work) == 42
            assert precedence.get() is NEW
            ended.append(turn)

        asking = [asyncio.create_task(ask()) for _ in range(100)]
        await turns()
        may_end.set()
        while not all(task.done() for task in asking):
            turn += 1
            await asyncio.sleep(0)
        await asyncio.gather(*asking)
        assert begun == 1
        assert len(set(ended)) == 1

    async def test_work_without_a_rank_goes_on_as_part_of_the_request_that_began_it(self) -> None:
        shared = SingleFlight[Precedence]()

        async def work() -> Precedence:
            await asyncio.sleep(0)
            assert shared.is_running(1)
            return precedence.get()

        precedence.set(NEW)
        assert await shared.do(1, work) is NEW
        assert not shared.is_running(1)

    async def test_keys_are_apart_and_each_call_begins_anew(self) -> None:
        shared, done = SingleFlight[str](), []

        def of(name: str) -> Callable[[], "asyncio.Future[str]"]:
            async def work() -> str:
                done.append(name)
                await asyncio.sleep(0)
                return name

            return lambda: asyncio.ensure_future(work())

        both = await asyncio.gather(shared.do("a", of("a")), shared.do("b", of("b")))
        assert list(both) == ["a", "b"]
        assert await shared.do("a", of("again")) == "again"
        assert done == ["a", "b", "again"]

    async def test_failure_is_everybodys_and_is_not_remembered(self) -> None:
        shared = SingleFlight[int]()

        async def fail() -> int:
            await asyncio.sleep(0)
            raise ValueError("no")

        async def succeed() -> int:
            return 1

        results = await asyncio.gather(*(shared.do(1, fail) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [ValueError] * 3
        assert await shared.do(1, succeed) == 1

    async def test_one_who_leaves_takes_nothing_from_the_others(self) -> None:
        shared, may_end = SingleFlight[int](), asyncio.Event()

        async def work() -> int:
            await may_end.wait()
            return 1

        leaves, stays = (asyncio.create_task(shared.do(1, work)) for _ in range(2))
        await turns()
        leaves.cancel()
        await asyncio.wait([leaves])
        may_end.set()
        assert await stays == 1
