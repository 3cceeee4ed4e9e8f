"""Reports about payments, whose older parts are read again only now and then: a million rows take half a second.

What a payment comes to changes by a capture, a refund or a dispute, and the older it is the more seldom, so a report may show what
is older than an hour as it was a minute ago, and names the instant.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from services.api.payments.domain import InStage, PeriodTotals, Span, sum_of
from services.api.payments.sql import activity

_FRESH = timedelta(hours=1)
"""What was made within so long is read each time; a span that is older in part is cut at the hour before."""
_AGES = (
    (timedelta(days=32), timedelta(hours=1)),
    (timedelta(days=2), timedelta(minutes=5)),
    (_FRESH, timedelta(minutes=1)),
)
"""For how long a span is remembered that ended so long ago; a younger one is read each time."""
_SPANS_PER_STATEMENT = 31
_REMEMBERED_MAX = 20_000
"""Spans that are remembered at most."""


class _Read(msgspec.Struct, frozen=True):
    """A span as it was."""

    totals: Sequence[PeriodTotals]
    read_at: datetime


class Activity:
    """Reads reports about payments."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._remembered: dict[tuple[str, Span], _Read] = {}

    async def totals(self, tenant_id: str, spans: Sequence[Span]) -> tuple[list[Sequence[PeriodTotals]], datetime]:
        """Add up the payments of each period, by currency; and the instant of the oldest sum."""
        now = self._clock.now()
        parts = {span: list(_parts(span, now)) for span in spans}
        needed = [part for each in parts.values() for part in each]
        known = {part: read for part in needed if (read := self._known(tenant_id, part, now)) is not None}
        for some in batched([part for part in needed if part not in known], _SPANS_PER_STATEMENT):
            # Statement by statement: what was read is kept also where a later one takes too long.
            found = await activity.totals(self._database, tenant_id, some)
            for part, rows in zip(some, found, strict=True):
                known[part] = _Read(rows, now)
                self._remember(tenant_id, part, known[part])
        sums: list[Sequence[PeriodTotals]] = [
            sum_of([row for part in parts[span] for row in known[part].totals]) for span in spans
        ]
        return sums, min((read.read_at for read in known.values()), default=now)

    async def in_flight(self, tenant_id: str) -> list[InStage]:
        """Add up what is not over now, by stage and currency."""
        return await activity.in_flight(self._database, tenant_id)

    def _known(self, tenant_id: str, span: Span, now: datetime) -> _Read | None:
        read = self._remembered.get((tenant_id, span))
        if read is None:
            return None
        kept = next((kept for age, kept in _AGES if span.ends_at <= now - age), timedelta())
        return read if read.read_at + kept > now else None

    def _remember(self, tenant_id: str, span: Span, read: _Read) -> None:
        if span.ends_at > read.read_at - _FRESH:
            return
        self._remembered.pop((tenant_id, span), None)
        if len(self._remembered) >= _REMEMBERED_MAX:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[tenant_id, span] = read


def _parts(span: Span, now: datetime) -> Iterator[Span]:
    """Cut a span where what is remembered ends: at an hour, so that it stays the same part for as long."""
    cut = (now - _FRESH).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if span.begins_at < cut < span.ends_at:
        yield Span(span.begins_at, cut)
        yield Span(cut, span.ends_at)
    else:
        yield span
