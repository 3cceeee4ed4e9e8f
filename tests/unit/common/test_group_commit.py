"""Group commit: items wait only for the commit in flight, each caller gets its own result."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.common.db import GroupCommit
from libs.common.db.connections import StatementUnfinished
from libs.common.errors import Unavailable
from libs.common.observability.correlation import Correlation, correlated, current


async def test_items_submitted_during_a_commit_form_the_next_group() -> None:
    groups: list[list[int]] = []
    gate = asyncio.Event()

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        groups.append(list(items))
        if len(groups) == 1:
            await gate.wait()
        return [item * 10 for item in items]

    group = GroupCommit(write, group_max=100, waiting_max=1000)
    first = asyncio.create_task(group.submit(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(group.submit(n)) for n in range(2, 12)]
    await asyncio.sleep(0)
    gate.set()
    assert await first == 10
    assert await asyncio.gather(*rest) == [n * 10 for n in range(2, 12)]
    assert groups == [[1], list(range(2, 12))]


async def test_each_caller_gets_its_own_refusal() -> None:
    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        return [ValueError(str(item)) if item % 2 else item for item in items]

    group = GroupCommit(write, group_max=10, waiting_max=10)
    results = await asyncio.gather(*(group.submit(n) for n in range(4)), return_exceptions=True)
    assert [str(result) for result in results] == ["0", "1", "2", "3"]
    assert isinstance(results[1], ValueError)


async def test_failed_group_fails_each_of_its_callers_and_no_other() -> None:
    calls = 0

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("gone")
        return list(items)

    group = GroupCommit(write, group_max=2, waiting_max=10)
    results = await asyncio.gather(*(group.submit(n) for n in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError, ConnectionError, int, int]


async def test_group_and_queue_are_bounded() -> None:
    sizes: list[int] = []
    gate = asyncio.Event()

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(items))
        await gate.wait()
        return list(items)

    group = GroupCommit(write, group_max=3, waiting_max=5)
    tasks = [asyncio.create_task(group.submit(n)) for n in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(group.submit(n)) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await group.submit(99)
    gate.set()
    await asyncio.gather(*tasks)
    assert max(sizes) == 3


async def test_caller_that_goes_away_does_not_cancel_its_item() -> None:
    written: list[int] = []
    gate = asyncio.Event()

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        await gate.wait()
        written.extend(items)
        return list(items)

    group = GroupCommit(write, group_max=3, waiting_max=5)
    task = asyncio.create_task(group.submit(7))
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    await group.flush()
    assert written == [7]


async def test_caller_that_goes_away_before_its_group_may_take_its_item_along() -> None:
    written: list[list[int]] = []
    gate = asyncio.Event()

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        await gate.wait()
        written.append(list(items))
        return list(items)

    group = GroupCommit(write, group_max=2, waiting_max=10, drops_cancelled=True)
    tasks = [asyncio.create_task(group.submit(0))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(group.submit(n)) for n in range(1, 6)]
    await asyncio.sleep(0)
    # The first one's group is being written; of the two whole groups behind it one is dropped.
    for n in (0, 1, 2, 4):
        tasks[n].cancel()
    gate.set()
    await group.flush()
    assert written == [[0], [3], [5]]
    assert [await tasks[3], await tasks[5]] == [3, 5]


async def test_two_writers_are_never_more_than_two_and_both_take_what_waits() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    begun: list[list[int]] = []

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        begun.append(list(items))
        await gates[len(begun) - 1].wait()
        return list(items)

    group = GroupCommit(write, group_max=10, waiting_max=10, writers=2)
    tasks = []
    for n in range(4):
        tasks.append(asyncio.create_task(group.submit(n)))
        # One turn for the caller to hand its item in, one for a writer to take it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert begun == [[0], [1]]
    gates[0].set()
    gates[2].set()
    assert await tasks[0] == 0
    assert await asyncio.gather(*tasks[2:]) == [2, 3]
    assert begun[2:] == [[2, 3]]
    gates[1].set()
    await group.flush()
    assert await tasks[1] == 1


async def test_callers_that_come_back_together_are_shared_among_the_writers() -> None:
    groups: list[int] = []

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        groups.append(len(items))
        await asyncio.sleep(0)
        return list(items)

    group = GroupCommit(write, group_max=500, waiting_max=1000, writers=2)
    await asyncio.gather(*(group.submit(n) for n in range(64)))
    assert groups == [32, 32]
    groups.clear()
    await asyncio.gather(*(group.submit(n) for n in range(10)))
    assert groups == [10]


async def test_callers_that_come_back_end_up_shared_evenly_among_the_writers() -> None:
    sizes: list[int] = []

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(items))
        # A larger group takes longer, so that the two writers are not in step by themselves.
        for _ in range(5 + len(items)):
            await asyncio.sleep(0)
        return list(items)

    group = GroupCommit(write, group_max=100, waiting_max=100, writers=2)

    async def caller(delay: int) -> None:
        for _ in range(delay):
            await asyncio.sleep(0)
        for n in range(30):
            await group.submit(n)

    await asyncio.gather(*(caller(delay) for delay in (0,) * 18 + (3,) * 22 + (6,) * 24))
    assert sizes[:2] == [16, 2]
    middle = sizes[len(sizes) // 3 : -len(sizes) // 3]
    assert set(middle) == {32}


async def test_item_that_the_database_never_finishes_fails_alone() -> None:
    async def write(items: Sequence[int]) -> list[int]:
        if 13 in items:
            raise StatementUnfinished("the database does not answer in time")
        return list(items)

    group: GroupCommit[int, int] = GroupCommit(write, group_max=100, waiting_max=100, isolates=True)
    results = await asyncio.gather(*(group.submit(i) for i in range(16)), return_exceptions=True)
    assert [i for i, result in enumerate(results) if isinstance(result, StatementUnfinished)] == [13]
    assert [result for result in results if isinstance(result, int)] == [i for i in range(16) if i != 13]


async def test_database_that_finishes_nothing_is_not_tried_for_each_item() -> None:
    sizes = []

    async def write(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        raise StatementUnfinished("the database does not answer in time")

    group: GroupCommit[int, int] = GroupCommit(write, group_max=100, waiting_max=100, isolates=True)
    results = await asyncio.gather(*(group.submit(i) for i in range(16)), return_exceptions=True)
    assert all(isinstance(result, StatementUnfinished) for result in results)
    assert sizes == [16, 1, 1, 1]


async def test_group_that_fails_is_split_until_the_bad_one_is_alone() -> None:
    written: list[int] = []
    sizes: list[int] = []

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(items))
        if 5 in items:
            raise ValueError("5 cannot be written")
        written.extend(items)
        return list(items)

    group: GroupCommit[int, int] = GroupCommit(write, group_max=100, waiting_max=100, splits=True)
    results = await asyncio.gather(*(group.submit(n) for n in range(16)), return_exceptions=True)
    assert [n for n, result in enumerate(results) if isinstance(result, ValueError)] == [5]
    assert sorted(written) == [n for n in range(16) if n != 5]
    assert sizes[0] == 16 and len(sizes) == 9


async def test_outage_does_not_split_a_group() -> None:
    sizes: list[int] = []

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(items))
        raise Unavailable("the database does not answer")

    group: GroupCommit[int, int] = GroupCommit(write, group_max=100, waiting_max=100, splits=True)
    results = await asyncio.gather(*(group.submit(n) for n in range(8)), return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert sizes == [8]


async def test_half_that_meets_an_outage_leaves_the_other_half_written() -> None:
    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        if len(items) == 4:
            raise ValueError("one of them cannot be written")
        if 3 in items:
            raise Unavailable("the database does not answer")
        return list(items)

    group: GroupCommit[int, int] = GroupCommit(write, group_max=100, waiting_max=100, splits=True)
    results = await asyncio.gather(*(group.submit(n) for n in range(4)), return_exceptions=True)
    assert results[:2] == [0, 1]
    assert [type(result) for result in results[2:]] == [Unavailable] * 2


async def test_database_that_goes_away_in_between_is_not_tried_for_each_half() -> None:
    sizes: list[int] = []

    async def write(items: Sequence[int]) -> Sequence[int | Exception]:
        sizes.append(len(items))
        if 9 not in items:
            return list(items)
        if len(items) > 4:
            raise ValueError("9 cannot be written")
        raise Unavailable("the database does not answer")

    group: GroupCommit[int, int] = GroupCommit(write, group_max=100, waiting_max=100, splits=True)
    results = await asyncio.gather(*(group.submit(n) for n in range(32)), return_exceptions=True)
    # What was written before stays; of the rest, two halves of four, eight and sixteen items, nothing more is tried.
    assert [result for result in results if isinstance(result, int)] == list(range(8))
    assert all(isinstance(result, Unavailable) for result in results[8:])
    assert sizes == [32, 16, 8, 8, 4]


async def test_group_belongs_to_none_of_its_callers() -> None:
    causes: list[str] = []

    async def write(items: Sequence[str]) -> Sequence[str | Exception]:
        causes.append(current().correlation_id)
        await asyncio.sleep(0)
        return list(items)

    async def submit(cause: str) -> str:
        with correlated(Correlation(correlation_id=cause, tenant_id=cause)):
            answer = await group.submit(cause)
            assert current().correlation_id == cause
            return answer

    group = GroupCommit(write, group_max=1, waiting_max=10)
    callers = ["a", "b", "c"]
    assert await asyncio.gather(*map(submit, callers)) == callers
    assert len(causes) == len(callers)
    assert not set(causes) & set(callers)
