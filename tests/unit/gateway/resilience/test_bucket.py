"""How many calls a second go out to one account, and who is next."""

import asyncio
import time

import pytest

from services.gateway.resilience import Bucket, NotSentError
from tests.unit.gateway.resilience.test_calling import Time


async def test_calls_beyond_the_rate_wait_for_their_turn() -> None:
    bucket = Bucket(per_second=100)
    began = time.monotonic()
    await asyncio.gather(*(bucket.turn("a", within_seconds=5) for _ in range(30)))
    # Ten tokens are there; twenty more come within 0.2 s.
    assert 0.18 <= time.monotonic() - began < 1


async def test_whoever_cannot_have_a_turn_in_time_has_sent_nothing() -> None:
    bucket = Bucket(per_second=10)
    await bucket.turn("a", within_seconds=0)
    began = time.monotonic()
    with pytest.raises(NotSentError) as caught:
        await bucket.turn("a", within_seconds=0.05)
    assert time.monotonic() - began < 0.04
    assert 0 < caught.value.wait_seconds <= 0.1
    await bucket.turn("a", within_seconds=1)


async def test_a_long_line_of_one_tenant_holds_no_other_up() -> None:
    bucket = Bucket(per_second=50)
    order: list[str] = []

    async def call(line: str) -> None:
        await bucket.turn(line, within_seconds=5)
        order.append(line)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(call("long"))
        await asyncio.sleep(0)
        tasks.create_task(call("short"))
    # Five had a token at once; then the lines take turns.
    assert order.index("short") <= 7


async def test_a_pause_lets_nothing_out_and_ends() -> None:
    time_ = Time()
    bucket = Bucket(per_second=100, monotonic=time_.monotonic)
    bucket.pause(7)
    with pytest.raises(NotSentError) as caught:
        await bucket.turn("a", within_seconds=6.9)
    assert caught.value.wait_seconds == pytest.approx(7)
    time_.seconds += 7
    await bucket.turn("a", within_seconds=0)


async def test_those_that_are_sent_away_come_again_one_after_the_other() -> None:
    time_ = Time()
    bucket = Bucket(per_second=4, monotonic=time_.monotonic)
    await bucket.turn("a", within_seconds=0)

    async def sent_away() -> float:
        with pytest.raises(NotSentError) as caught:
            await bucket.turn("a", within_seconds=0.1)
        return caught.value.wait_seconds

    assert [await sent_away() for _ in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.25])
    time_.seconds += 1.25
    bucket.pause(10)
    assert await sent_away() == pytest.approx(10)
    waits = [await sent_away() for _ in range(1_000)]
    assert waits[-1] == pytest.approx(70), "however many they are, nobody waits a minute longer than the pause"
    time_.seconds += 80
    await bucket.turn("a", within_seconds=0)


async def test_several_calls_of_one_turn_count_one_by_one() -> None:
    time_ = Time()
    bucket = Bucket(per_second=10, monotonic=time_.monotonic)
    await bucket.turn("a", within_seconds=0)
    bucket.give_back()
    for _ in range(4):
        bucket.count()
    with pytest.raises(NotSentError) as caught:
        await bucket.turn("a", within_seconds=0.3)
    assert caught.value.wait_seconds == pytest.approx(0.4)


async def test_a_cancelled_wait_takes_no_token() -> None:
    bucket = Bucket(per_second=20)
    waiting = [asyncio.create_task(bucket.turn("a", within_seconds=5)) for _ in range(6)]
    await asyncio.sleep(0)
    for task in waiting[2:5]:
        task.cancel()
    await asyncio.wait_for(waiting[5], 0.5)
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(each, BaseException) for each in done] == [False, False, True, True, True, False]
