"""Waiting in tests: a question that hangs is put again, and what never came true is named with its last answer."""

import asyncio

import pytest

from tests.support import waiting
from tests.support.waiting import until


async def test_question_that_hangs_is_put_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_QUESTION_SECONDS", 0.01)
    count = 0

    async def second_time() -> str | None:
        nonlocal count
        count += 1
        if count == 1:
            await asyncio.Event().wait()
        return "there"

    assert await until(second_time) == "there"
    assert count == 2


async def test_fact_that_never_comes_true_is_named_with_its_last_answer() -> None:
    async def settled() -> int:
        return 0

    with pytest.raises(AssertionError, match=r"settled: not after 0.05 s; last answer: 0"):
        await until(settled, seconds=0.05)


async def test_timeout_of_the_question_itself_is_not_swallowed() -> None:
    async def broken() -> bool:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await until(broken)
