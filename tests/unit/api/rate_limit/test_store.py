"""What counts as an outage of Redis, and what does not: only an outage lets callers pass uncounted."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MaxConnectionsError, ResponseError

from libs.common.errors import Unavailable
from services.api.errors import StoreUnavailable
from services.api.rate_limit.store import Store
from services.api.settings import RedisSettings


async def failing(fault: Exception) -> Any:
    raise fault


async def outcome(store: Store, question: Awaitable[object]) -> str:
    """The code of what a question fails with, or the name of an error that is ours."""
    try:
        await store.call(question)
    except Unavailable as fault:
        return fault.reason
    except Exception as fault:  # noqa: BLE001 - whatever it is, its name is compared
        return type(fault).__name__
    return ""


@pytest.mark.parametrize(
    ("fault", "code", "state"),
    [
        (RedisConnectionError("gone"), "store_unavailable", "away"),
        (OSError("gone"), "store_unavailable", "away"),
        (TimeoutError(), "store_unavailable", "away"),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), "store_unavailable", "away"),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), "store_unavailable", "away"),
        (ResponseError("BUSY Redis is busy running a script."), "store_unavailable", "away"),
        (MaxConnectionsError("Too many connections"), "overloaded", "ok"),
        (ResponseError("ERR user_script:3: attempt to perform arithmetic on a nil value"), "ResponseError", "ok"),
        (ResponseError("WRONGTYPE Operation against a key"), "ResponseError", "ok"),
        (KeyError("x"), "KeyError", "ok"),
    ],
)
async def test_only_outages_count_as_away(fault: Exception, code: str, state: str) -> None:
    store = Store(RedisSettings())
    assert await outcome(store, failing(fault)) == code
    assert store.state == state
    await store.close()


async def test_wait_for_a_turn_ends_without_opening_the_limits() -> None:
    store = Store(RedisSettings(redis_wait_seconds=0.1))
    answered = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        busy = [group.create_task(outcome(store, answered.wait())) for _ in range(64)]
        late = group.create_task(outcome(store, answered.wait()))
        assert await late == "overloaded"
        assert store.state == "ok"
        answered.set()
    assert [task.result() for task in busy] == [""] * 64
    assert await outcome(store, answered.wait()) == ""
    await store.close()


def test_away_is_an_outage_for_callers() -> None:
    assert issubclass(StoreUnavailable, Unavailable)
