"""Redis, which may vanish at any moment: while it is away nobody waits for it.

Only what `libs/common/outages.py` lists as an outage counts as that. An error in a script is a bug of ours and is raised as
one: taken for an outage, it would open the limits for everybody.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from time import monotonic
from typing import Any

import redis.asyncio as redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript

from libs.common import outages
from libs.common.errors import Overloaded, Unavailable
from libs.common.observability.logging import get_logger
from libs.common.outages import FaultClass
from services.api.errors import StoreUnavailable
from services.api.settings import RedisSettings

log = get_logger("api.redis")

_AWAY_SECONDS = 1.0
"""How long Redis is left alone after it did not answer."""
_CONNECTIONS_MAX = 64
"""Connections at most; whoever finds all of them in use waits for one."""
_WRITE_TRIES_MAX = 3


class Store:
    """The one way to Redis: each question has a deadline, and an outage costs one slow question a second."""

    def __init__(self, settings: RedisSettings) -> None:
        self._timeout_seconds = settings.redis_timeout_seconds
        self._sentinel, self._redis = _connect(settings)
        # The driver's pool raises an error where no connection is left, which would look like an outage.
        self._places = asyncio.Semaphore(_CONNECTIONS_MAX)
        self._wait_seconds = settings.redis_wait_seconds
        self._away_until = 0.0
        self._is_away = False

    @property
    def state(self) -> str:
        """`ok`, or `away` from the first question without an answer until one is answered: for an operator's eyes."""
        return "away" if self._is_away else "ok"

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()
        for sentinel in self._sentinel.sentinels if self._sentinel else ():
            await sentinel.aclose()

    def script(self, source: str) -> AsyncScript:
        """Prepare a Lua script."""
        return self._redis.register_script(source)

    async def read(self, key: str) -> bytes | None:
        """Read a value.

        Raises:
            StoreUnavailable: when Redis does not answer.
        """
        found = await self.call(self._redis.get(key))
        return found if isinstance(found, bytes) else None

    async def write(self, key: str, value: bytes, *, seconds: int) -> None:
        """Write a value that vanishes by itself. Somebody waits for it to be kept, so a hiccup of Redis is sat out.

        Raises:
            StoreUnavailable: when Redis does not answer, several times in a row.
        """
        for _ in range(_WRITE_TRIES_MAX - 1):
            with suppress(StoreUnavailable):
                await self.call(self._redis.set(key, value, ex=seconds))
                return
            await asyncio.sleep(max(0.0, self._away_until - monotonic()))
        await self.call(self._redis.set(key, value, ex=seconds))

    async def call[T](self, question: Awaitable[T]) -> T:
        """Await an answer of Redis.

        Raises:
            StoreUnavailable: when Redis does not answer, or did not a moment ago.
            Unavailable: `overloaded`, when so many questions wait that this one had no turn. That is no outage: nobody
                passes uncounted.
        """
        try:
            await self._place()
            try:
                if monotonic() < self._away_until:
                    raise StoreUnavailable("Redis does not answer")
                answer = await question
                self._is_away = False
                return answer
            finally:
                self._places.release()
        except Unavailable:
            raise
        except Exception as fault:
            match outages.classify(fault):
                case FaultClass.OUTAGE:
                    self._away_until, self._is_away = monotonic() + _AWAY_SECONDS, True
                    # What one connection met the others will meet too, each a second after the one before.
                    await self._redis.connection_pool.disconnect(inuse_connections=False)
                    log.warning("redis.away", reason=outages.cause_of(fault))
                    raise StoreUnavailable("Redis does not answer") from fault
                case FaultClass.CONTENTION:
                    raise Overloaded("too many requests at once; try again shortly") from fault
                case _:
                    raise
        finally:
            _discard(question)

    async def _place(self) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError as fault:
            log.warning("redis.crowded", connections=_CONNECTIONS_MAX)
            raise Overloaded("too many requests at once; try again shortly") from fault


def _connect(settings: RedisSettings) -> tuple[Sentinel | None, redis.Redis]:
    """Return the Redis of the settings, and the Sentinels that say where it is, if there are any."""
    deadlines: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout_seconds,
        "socket_connect_timeout": settings.redis_timeout_seconds,
    }
    options = deadlines | {"max_connections": _CONNECTIONS_MAX, "decode_responses": False}
    if not settings.redis_sentinels:
        return None, redis.Redis.from_url(settings.redis_url, **options)
    hosts = [host.rpartition(":") for host in settings.redis_sentinels]
    given = dict(parse_url(settings.redis_url))
    own = {name: value for name, value in given.items() if name in {"username", "password", "db"}}
    is_encrypted = settings.redis_url.startswith("rediss:")
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # of the driver
        [(host.strip("[]"), int(port)) for host, _, port in hosts],
        sentinel_kwargs={
            **deadlines,
            "password": settings.redis_sentinel_password or None,
            "ssl": is_encrypted,
            # Each is tried once: the default goes on for seconds.
            "retry": Retry(NoBackoff(), 0),
        },
        **options,
        **own,
    )
    return sentinel, sentinel.master_for(settings.redis_sentinel_master, ssl=is_encrypted)


def _discard(question: Awaitable[object]) -> None:
    close = getattr(question, "close", None)
    if close is not None:
        close()
