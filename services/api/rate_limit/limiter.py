"""Counting requests by GCRA, the generic cell rate algorithm (ITU-T I.371): one instant per caller, no buckets to fill.

A caller with a limit of n a minute may make n requests at once and then one every minute/n. The instant at which its next
request would be due in an even stream is all that is kept. One Lua script reads, decides and writes, on Redis's own clock:
however many processes ask, the limit is exact.
"""

import hashlib
from math import ceil
from typing import Any

import msgspec

from services.api import metrics
from services.api.rate_limit.store import Away, Store

_PERIOD_SECONDS = 60
_MICROSECONDS = 1_000_000

_GCRA = """
local emission, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due = tonumber(redis.call('GET', KEYS[1]) or now)
if due < now then due = now end
local next_due = due + emission * cost
if next_due < now then next_due = now end
local tolerance = emission * burst
if cost > 0 and next_due - now > tolerance then
  return {0, 0, next_due - now - tolerance, due - now}
end
if next_due > now then
  redis.call('SET', KEYS[1], string.format('%.0f', next_due), 'PX', math.ceil((next_due - now) / 1000))
else
  redis.call('DEL', KEYS[1])
end
return {1, math.floor((tolerance - (next_due - now)) / emission), 0, next_due - now}
"""


class Limit(msgspec.Struct, frozen=True):
    """How many requests of one kind a caller may make."""

    name: str
    """What is counted: `read`, `write`, `login`."""
    per_minute: int
    """How many in a minute, and at once; 0 means any number."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What counting one request came to."""

    limit: Limit
    """Which limit was counted against."""
    allowed: bool
    """Whether the request may go on."""
    remaining: int
    """How many more may follow at once."""
    retry_after_seconds: int
    """When a refused request would be let through."""
    reset_seconds: int
    """When as many as ever may be made again."""

    @property
    def headers(self) -> dict[str, str]:
        """The words of the reference, and the fields of draft-ietf-httpapi-ratelimit-headers."""
        name, most = self.limit.name, self.limit.per_minute
        found = {
            "X-RateLimit-Limit": str(most),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_seconds),
            "RateLimit-Policy": f'"{name}";q={most};w={_PERIOD_SECONDS}',
            "RateLimit": f'"{name}";r={self.remaining};t={self.reset_seconds}',
        }
        return found if self.allowed else found | {"Retry-After": str(self.retry_after_seconds)}


class RateLimiter:
    """Counts requests; when Redis is away, everybody is let through and a metric says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gcra = store.script(_GCRA)

    async def count(self, limit: Limit, *caller: str) -> Count | None:
        """Count one request of `caller`; None when nothing is counted."""
        return await self._ask(limit, caller, cost=1)

    async def give_back(self, limit: Limit, *caller: str) -> Count | None:
        """Take back one counted request: it turned out not to be one."""
        return await self._ask(limit, caller, cost=-1)

    async def _ask(self, limit: Limit, caller: tuple[str, ...], *, cost: int) -> Count | None:
        if limit.per_minute == 0:
            return None
        # Rounded down, so that exactly `per_minute` requests fit at once whatever the division leaves.
        emission = max(1, _PERIOD_SECONDS * _MICROSECONDS // limit.per_minute)
        try:
            answer: Any = await self._store.asked(
                self._gcra(keys=[_key(limit, caller)], args=[emission, limit.per_minute, cost])
            )
        except Away:
            metrics.RATE_LIMIT_UNCOUNTED.inc()
            return None
        allowed, remaining, retry_after, reset = (int(part) for part in answer)
        if not allowed:
            metrics.RATE_LIMITED.labels(limit.name).inc()
        return Count(
            limit=limit,
            allowed=bool(allowed),
            remaining=remaining,
            retry_after_seconds=max(1, ceil(retry_after / _MICROSECONDS)),
            reset_seconds=ceil(reset / _MICROSECONDS),
        )


def _key(limit: Limit, caller: tuple[str, ...]) -> str:
    # A digest: subjects are of any length and may be people's addresses, which Redis need not hold.
    digest = hashlib.sha256("\n".join(caller).encode("utf-8", "replace")).hexdigest()[:32]
    return f"ratelimit:{limit.name}:{digest}"
