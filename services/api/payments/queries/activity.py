"""Reports about payments, whose old periods are read again only now and then: a million rows take a second.

What a payment of an old period comes to changes seldom, by a refund or a dispute, so a report may show an old period as it
was some minutes ago, and names the instant.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import batched

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from services.api.payments.domain import InStage, PeriodTotals, Span
from services.api.payments.sql import activity

_AGES = ((timedelta(days=32), timedelta(hours=1)), (timedelta(days=2), timedelta(minutes=5)))
"""For how long a period is remembered that ended so long ago; a younger one is read each time."""
_SPANS_PER_STATEMENT = 31
_REMEMBERED_MAX = 20_000
"""Periods that are remembered at most."""


class _Read(msgspec.Struct, frozen=True):
    """A period as it was."""

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
        known = {span: read for span in spans if (read := self._known(tenant_id, span, now)) is not None}
        for some in batched([span for span in spans if span not in known], _SPANS_PER_STATEMENT):
            # Statement by statement: what was read is kept also where a later one takes too long.
            found = await activity.totals(self._database, tenant_id, some)
            for span, rows in zip(some, found, strict=True):
                known[span] = _Read(rows, now)
                self._remember(tenant_id, span, known[span])
        return [known[span].totals for span in spans], min((read.read_at for read in known.values()), default=now)

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
        if span.ends_at > read.read_at - _AGES[-1][0]:
            return
        self._remembered.pop((tenant_id, span), None)
        if len(self._remembered) >= _REMEMBERED_MAX:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[tenant_id, span] = read
