"""Ending tasks whose cancellation gets lost."""

import asyncio

import pytest

from libs.common.tasks import end_all, stop_if_cancelled


async def _fails_while_it_is_cancelled(*, looks: bool) -> None:
    while True:
        try:
            try:
                await asyncio.Event().wait()
            finally:
                raise ConnectionError("the channel is gone")
        except ConnectionError:
            if looks:
                stop_if_cancelled()
            # What ends the task at last, where nobody looks.
            if (task := asyncio.current_task()) is not None and task.cancelling() > 2:
                raise


@pytest.mark.parametrize("looks", [True, False])
async def test_a_task_that_loses_its_cancellation_is_ended_all_the_same(looks: bool) -> None:
    tasks = [asyncio.create_task(_fails_while_it_is_cancelled(looks=looks)) for _ in range(3)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end_all(tasks, again_seconds=0.01)
    assert all(task.done() and task.cancelled() is looks for task in tasks)


async def test_a_loop_that_nobody_ends_goes_on() -> None:
    stop_if_cancelled()


async def test_what_has_ended_with_an_error_is_no_error_of_whoever_ends_it() -> None:
    async def fails() -> None:
        raise ValueError("no")

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    await end_all([task])
    await end_all([])
