"""The bulkhead: places at a processor, and the line before them."""

import asyncio

import pytest

from services.gateway.resilience import (
    Bulkhead,
    BulkheadFullError,
)


class Places:
    """Commands at a bulkhead, each of which holds its place until it is let go; `taken` is the order in which they got one."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.bulkhead = bulkhead
        self.taken: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, account: str = "") -> None:
        """Let commands come, in this order, until each has a place or waits."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._hold(name, account))
            await asyncio.sleep(0)

    async def leave(self, *names: str) -> None:
        """Let commands end, and those who wait take their places."""
        for name in names:
            self._ends[name].set()
            await self._tasks[name]
            await asyncio.sleep(0)

    async def cancel(self, *names: str) -> None:
        """Cancel commands, wherever they are."""
        for name in names:
            self._tasks[name].cancel()
        await asyncio.gather(*(self._tasks[name] for name in names), return_exceptions=True)

    async def abandon(self, name: str) -> None:
        """Cancel a command and await its end."""
        self._tasks[name].cancel()
        await self._tasks[name]

    async def _hold(self, name: str, account: str) -> None:
        async with self.bulkhead.place(account):
            self.taken.append(name)
            await self._ends[name].wait()


class TestBulkhead:
    async def test_without_a_place_in_time_it_is_full(self) -> None:
        bulkhead = Bulkhead(places=1, wait_seconds=0.001)
        async with bulkhead.place():
            with pytest.raises(BulkheadFullError):
                async with bulkhead.place():
                    pass
        async with bulkhead.place():
            pass
        assert bulkhead.waiting == 0

    async def test_commands_wait_in_line_and_keep_their_order(self) -> None:
        places = Places(Bulkhead(places=1, wait_seconds=5))
        await places.come("a", "b", "c")
        assert (places.taken, places.bulkhead.waiting) == (["a"], 2)
        await places.leave("a", "b", "c")
        assert (places.taken, places.bulkhead.waiting) == (["a", "b", "c"], 0)

    async def test_a_full_line_refuses_at_once_unless_the_caller_is_bounded(self) -> None:
        places = Places(Bulkhead(places=1, wait_seconds=5, waiting_max=2))
        await places.come("a", "b", "c")
        with pytest.raises(BulkheadFullError):
            async with places.bulkhead.place():
                pass
        async with asyncio.TaskGroup() as group:

            async def bounded() -> None:
                async with places.bulkhead.place("resolver", is_bounded=True):
                    pass

            group.create_task(bounded())
            await asyncio.sleep(0)
            assert places.bulkhead.waiting == 3
            await places.leave("a", "b", "c")
        assert places.bulkhead.waiting == 0

    async def test_accounts_take_turns(self) -> None:
        places = Places(Bulkhead(places=1, wait_seconds=5))
        await places.come("a1", "a2", "a3", account="a")
        await places.come("b1", "b2", account="b")
        await places.leave("a1", "a2", "b1", "a3", "b2")
        assert places.taken == ["a1", "a2", "b1", "a3", "b2"]

    async def test_one_account_leaves_places_and_room_in_line_to_the_others(self) -> None:
        places = Places(Bulkhead(places=8, wait_seconds=5, waiting_max=8))
        await places.come(*(f"a{number}" for number in range(20)), account="a")
        assert len(places.taken) == 7
        assert places.bulkhead.waiting == 7
        await places.come("b1", "b2", account="b")
        assert places.taken[-1] == "b1"
        assert places.bulkhead.waiting == 8
        await places.leave("b1")
        assert places.taken[-1] == "b2"
        await places.cancel(*(f"a{number}" for number in range(20)))

    async def test_one_place_that_becomes_free_is_given_to_one(self) -> None:
        places = Places(Bulkhead(places=2, wait_seconds=5))
        await places.come("a", "b", "c", "d", "e", account="x")
        taken = len(places.taken)
        await places.leave(places.taken[0])
        assert len(places.taken) == taken + 1
        await places.leave(places.taken[1])
        assert len(places.taken) == taken + 2
        await places.cancel("a", "b", "c", "d", "e")

    async def test_account_that_gave_one_place_back_still_holds_the_others(self) -> None:
        places = Places(Bulkhead(places=8, wait_seconds=5))
        await places.come(*(f"a{number}" for number in range(7)), account="a")
        await places.leave("a0")
        await places.come("a7", "a8", account="a")
        assert (places.taken[-1], places.bulkhead.waiting) == ("a7", 1)
        await places.cancel(*(f"a{number}" for number in range(9)))

    async def test_place_freed_as_the_first_in_line_is_cancelled_goes_on(self) -> None:
        places = Places(Bulkhead(places=1, wait_seconds=5))
        await places.come("a", "b", "c", "d")
        left = asyncio.create_task(places.leave("a"))
        # The command ends first; only then does the first in line notice that it is cancelled.
        await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await places.abandon("b")
        await left
        assert (places.taken, places.bulkhead.waiting) == (["a", "c"], 1)
        await places.leave("c", "d")
        assert places.taken == ["a", "c", "d"]

    async def test_who_is_cancelled_leaves_the_line_and_keeps_no_place(self) -> None:
        bulkhead = Bulkhead(places=1, wait_seconds=5)
        places = Places(bulkhead)
        async with bulkhead.place():
            await places.come("a", "b", "c")
            await places.cancel("a")
        # `b` has been given the place and does not know it yet.
        await places.cancel("b")
        await asyncio.sleep(0)
        assert (places.taken, bulkhead.waiting) == (["c"], 0)
        await places.leave("c")
        async with bulkhead.place():
            pass
