"""Counting requests by GCRA, the generic cell rate algorithm (ITU-T I.371): one instant per caller, no buckets to fill.

A caller with a limit of n a minute may make n requests at once and then one every minute/n. The instant at which its next
request would be due in an even stream is all that is kept. One Lua script reads, decides and writes, on Redis's own clock:
however many processes ask, the limit is exact.

Redis is a round trip away, which is much where a caller makes hundreds of requests a second. So a thousandth of a large
limit, what it regains in 60 ms, is counted at once as a *lease* and spent in this process, as long as the caller is far from
its limit: more than the limit is never counted, and near it each request is counted by itself.
"""

import asyncio
import hashlib
import json
from math import ceil
from time import monotonic
from typing import Any

import msgspec

from libs.common.errors import Unavailable
from services.api import metrics
from services.api.errors import StoreUnavailable
from services.api.rate_limit.store import Store

_PERIOD_SECONDS = 60
_MICROSECONDS = 1_000_000
_LEASES_PER_LIMIT = 1_000
"""A lease is one part of so many of the limit, so limits below twice as many a minute are never leased."""
_LEASE_MAX = 64
"""Requests of one lease at most."""
_LEASE_SECONDS = 0.25
"""How long a lease can be spent; what is left of it then is forgotten, and the caller has long regained it."""
_LEASES_MAX = 10_000
"""Callers whose leases are kept at most."""
_ROUNDING_SECONDS = 1e-6
"""Sums of fractions of a minute are not exact."""
_LOCAL_MAX = 10_000
"""Callers that are counted in this process at most while Redis is away; the one counted longest ago is forgotten first."""

_GCRA = """
local emission, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due = tonumber(redis.call('GET', KEYS[1]) or now)
if due < now then due = now end
if cost > 1 and due + emission * cost - now > emission * burst / 2 then cost = 1 end
local next_due = due + emission * cost
if next_due < now then next_due = now end
local tolerance = emission * burst
if cost > 0 and next_due - now > tolerance then
  return {0, 0, next_due - now - tolerance, due - now, 0}
end
if next_due > now then
  redis.call('SET', KEYS[1], string.format('%.0f', next_due), 'PX', math.ceil((next_due - now) / 1000))
else
  redis.call('DEL', KEYS[1])
end
return {1, math.floor((tolerance - (next_due - now)) / emission), 0, next_due - now, cost}
"""
"""Answers whether it is allowed, how many remain, when to ask again, when all are back, and how many were counted.

More than one is counted only while half of the limit is left."""


class Limit(msgspec.Struct, frozen=True):
    """How many requests of one kind a caller may make."""

    name: str
    """What is counted: `read`, `write`, `login`."""
    per_minute: int
    """How many in a minute, and at once; 0 means any number."""
    guards_secrets: bool = False
    """Whether it keeps passwords from being guessed: then each process counts by itself while Redis is away."""


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


class _Lease:
    """Requests of one caller that Redis has counted and that have not been made yet."""

    __slots__ = ("answered", "count", "is_far", "left", "until", "waiting")

    def __init__(self) -> None:
        self.is_far = True
        self.left = 0
        self.until = 0.0
        self.count: Count | None = None
        self.answered: asyncio.Future[None] | None = None
        """Done once the question to Redis has its answer."""
        self.waiting = 0
        """Requests that wait for it."""

    def spend(self, now: float) -> Count | None:
        """Take one request out of the lease; None when it is spent or its time is over."""
        if self.left == 0 or self.count is None or now >= self.until:
            return None
        self.left -= 1
        return msgspec.structs.replace(self.count, remaining=self.count.remaining + self.left)

    async def wait(self) -> None:
        """Wait for the answer to the question of another request.

        All who wait go on at once: a lock would wake them one by one, a turn of the loop each, and in a busy process 250
        requests then wait for two seconds.

        Raises:
            Unavailable: when there was no room for the question: asking one after another, each would wait as long.
        """
        assert self.answered is not None
        self.waiting += 1
        try:
            await asyncio.shield(self.answered)
        finally:
            self.waiting -= 1

    def renew(self, count: Count, *, left: int, now: float) -> None:
        """Begin anew with what Redis has counted just now."""
        self.count, self.left, self.until = count, left, now + _LEASE_SECONDS


class LocalCounts:
    """The same algorithm in the memory of one process: exact for this process, for a bounded number of callers."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def count(self, limit: Limit, key: str, *, cost: int, now: float) -> Count:
        """Count `cost` requests at an instant of a clock that never goes back, in seconds."""
        emission = _PERIOD_SECONDS / limit.per_minute
        due = max(self._due.pop(key, now), now)
        next_due = max(due + emission * cost, now)
        wait = next_due - now - _PERIOD_SECONDS
        is_allowed = cost <= 0 or wait <= _ROUNDING_SECONDS
        kept = next_due if is_allowed else due
        if kept > now:
            if len(self._due) >= _LOCAL_MAX:
                self._due.pop(next(iter(self._due)))
            self._due[key] = kept
        return Count(
            limit=limit,
            allowed=is_allowed,
            remaining=int((_PERIOD_SECONDS - (kept - now) + _ROUNDING_SECONDS) / emission) if is_allowed else 0,
            retry_after_seconds=max(1, ceil(wait)),
            reset_seconds=ceil(kept - now),
        )


class RateLimiter:
    """Counts requests. While Redis is away everybody is let through and a metric counts them; logins are counted here."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._local = LocalCounts()
        self._gcra = store.script(_GCRA)
        self._leases: dict[tuple[str, ...], _Lease] = {}

    async def count(self, limit: Limit, *caller: str) -> Count | None:
        """Count one request of `caller`; None when nothing is counted."""
        size = min(limit.per_minute // _LEASES_PER_LIMIT, _LEASE_MAX)
        if size < 2:
            counted = await self._ask(limit, caller, cost=1)
            return counted and counted[0]
        lease = self._lease(limit, caller)
        while True:
            count = lease.spend(monotonic())
            if count is not None:
                return count
            if not lease.is_far:
                # Near the limit nothing is leased, so nobody need wait for another's question.
                counted = await self._ask(limit, caller, cost=1)
                lease.is_far = counted is not None and counted[0].remaining * 2 > limit.per_minute
                return counted and counted[0]
            if lease.answered is None:
                return await self._renew(lease, limit, caller, size=size)
            await lease.wait()

    async def _renew(self, lease: _Lease, limit: Limit, caller: tuple[str, ...], *, size: int) -> Count | None:
        """Count a lease, for this request and for all that arrive meanwhile; larger where more wait already."""
        answered = lease.answered = asyncio.get_running_loop().create_future()
        try:
            counted = await self._ask(limit, caller, cost=max(size, lease.waiting + 1))
            if counted is None:
                return None
            lease.renew(counted[0], left=max(0, counted[1] - 1), now=monotonic())
            lease.is_far = lease.left > 0
            return msgspec.structs.replace(counted[0], remaining=counted[0].remaining + lease.left)
        except Unavailable as fault:
            answered.set_exception(fault)
            answered.exception()  # Looked at, so that the loop does not report it where nobody waits.
            raise
        finally:
            lease.answered = None
            if not answered.done():
                answered.set_result(None)

    async def give_back(self, limit: Limit, *caller: str) -> Count | None:
        """Take back one counted request: it turned out not to be one."""
        lease = self._leases.get((limit.name, *caller))
        if lease is not None and lease.count is not None and lease.left and monotonic() < lease.until:
            lease.left += 1
            return msgspec.structs.replace(lease.count, remaining=lease.count.remaining + lease.left)
        counted = await self._ask(limit, caller, cost=-1)
        return counted and counted[0]

    def _lease(self, limit: Limit, caller: tuple[str, ...]) -> _Lease:
        key = (limit.name, *caller)
        found = self._leases.get(key)
        if found is None:
            if len(self._leases) >= _LEASES_MAX:
                self._leases.pop(next(iter(self._leases)))
            found = self._leases[key] = _Lease()
        return found

    async def _ask(self, limit: Limit, caller: tuple[str, ...], *, cost: int) -> tuple[Count, int] | None:
        if limit.per_minute == 0:
            return None
        # Rounded down, so that exactly `per_minute` requests fit at once whatever the division leaves.
        emission = max(1, _PERIOD_SECONDS * _MICROSECONDS // limit.per_minute)
        try:
            answer: Any = await self._store.call(
                self._gcra(keys=[_key(limit, caller)], args=[emission, limit.per_minute, cost])
            )
        except StoreUnavailable:
            if limit.guards_secrets:
                here = self._local.count(limit, _key(limit, caller), cost=cost, now=monotonic())
                if not here.allowed:
                    metrics.RATE_LIMITED.labels(limit.name).inc()
                return here, max(cost, 0)
            metrics.RATE_LIMIT_UNCOUNTED.inc()
            return None
        allowed, remaining, retry_after, reset, counted = (int(part) for part in answer)
        if not allowed:
            metrics.RATE_LIMITED.labels(limit.name).inc()
        count = Count(
            limit=limit,
            allowed=bool(allowed),
            remaining=remaining,
            retry_after_seconds=max(1, ceil(retry_after / _MICROSECONDS)),
            reset_seconds=ceil(reset / _MICROSECONDS),
        )
        return count, counted


def _key(limit: Limit, caller: tuple[str, ...]) -> str:
    # A digest: subjects are of any length and may be people's addresses, which Redis need not hold. Of JSON, in which one
    # part cannot end like the beginning of the next: tenants and subjects are what their issuer calls them.
    digest = hashlib.sha256(json.dumps(caller).encode()).hexdigest()[:32]
    return f"ratelimit:{limit.name}:{digest}"
