"""How many intents a list has, exactly, without counting a million rows for every page.

Intents are never deleted, and what they are filtered by never changes, their status apart. So the number of those created
before some past instant stays what it is: it is counted once and remembered, and only later ones are counted anew.

A list of some statuses has no such past. Short ones are exact; the number of a long one is up to five seconds old, which
nobody notices who turns over a hundred pages.
"""

from datetime import datetime, timedelta

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.single_flight import SingleFlight
from services.api.payments.domain import IntentFilter
from services.api.payments.sql import intents

SETTLED_AFTER = timedelta(minutes=5)
"""An intent bears the instant of its request and is committed within seconds: after this, none can appear before it."""
_WORTH_REMEMBERING = 5_000
"""Shorter lists are counted each time, within a few milliseconds."""
MOVING_AGE_MAX = timedelta(seconds=5)
"""How old the number of a long list of some statuses may be."""
_LISTS_MAX = 1_000
"""Lists that are remembered at most."""


class _Known(msgspec.Struct, frozen=True):
    """How many intents of a list were created before an instant."""

    number: int
    before: datetime


class _Counted(msgspec.Struct, frozen=True):
    """How many intents a list of some statuses had, and until when that will do."""

    number: int
    until: datetime


class Totals:
    """Counts lists."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[tuple[str, bytes], _Known] = {}
        self._moving: dict[tuple[str, bytes], _Counted] = {}
        self._counting = SingleFlight[int]()

    async def count(self, tenant_id: str, filters: IntentFilter) -> int:
        """Count a tenant's intents."""
        key = tenant_id, msgspec.json.encode(filters)
        if filters.statuses is not None:
            return await self._count_moving(key, tenant_id, filters)
        known = self._known.get(key)
        since = filters if known is None else _since(filters, known.before)
        later = await intents.count(self._database, tenant_id, since)
        if later >= _WORTH_REMEMBERING:
            await self._advance(key, tenant_id, since, known)
        return later if known is None else known.number + later

    async def _count_moving(self, key: tuple[str, bytes], tenant_id: str, filters: IntentFilter) -> int:
        is_first = not self._counting.is_running(key)
        number = self._remembered(key)
        if number is None:
            number = await self._counting.do(key, lambda: self._read_moving(key, tenant_id, filters))
            if not is_first and self._remembered(key) is None:
                # A short list, and a count that began before this request: it may lack what its caller has just made.
                number = await self._read_moving(key, tenant_id, filters)
        return number

    def _remembered(self, key: tuple[str, bytes]) -> int | None:
        counted = self._moving.get(key)
        return counted.number if counted is not None and self._clock.now() < counted.until else None

    async def _read_moving(self, key: tuple[str, bytes], tenant_id: str, filters: IntentFilter) -> int:
        number = await intents.count(self._database, tenant_id, filters)
        self._moving.pop(key, None)
        if number >= _WORTH_REMEMBERING:
            if len(self._moving) >= _LISTS_MAX:
                self._moving.pop(next(iter(self._moving)))
            self._moving[key] = _Counted(number, self._clock.now() + MOVING_AGE_MAX)
        return number

    async def _advance(self, key: tuple[str, bytes], tenant_id: str, since: IntentFilter, known: _Known | None) -> None:
        before = self._clock.now() - SETTLED_AFTER
        if known is not None and before <= known.before:
            return
        more = await intents.count(self._database, tenant_id, _until(since, before))
        number = more if known is None else known.number + more
        if key not in self._known and len(self._known) >= _LISTS_MAX:
            self._known.pop(next(iter(self._known)))
        self._known[key] = _Known(number, before)


def _since(filters: IntentFilter, instant: datetime) -> IntentFilter:
    begin = instant if filters.created_from is None else max(instant, filters.created_from)
    return msgspec.structs.replace(filters, created_from=begin)


def _until(filters: IntentFilter, instant: datetime) -> IntentFilter:
    end = instant if filters.created_until is None else min(instant, filters.created_until)
    return msgspec.structs.replace(filters, created_until=end)
