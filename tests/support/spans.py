"""Spans that are kept in memory instead of being sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.observability import tracing
from libs.common.observability.tracing import Span


class Kept:
    """Keeps spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.closed_within = 0.0

    def keep(self, span: Span) -> None:
        """Keep a span."""
        self.spans.append(span)

    async def close(self, *, seconds: float) -> None:
        """Remember that it was closed."""
        self.closed_within = seconds


@asynccontextmanager
async def keeping(*, ratio: float = 1.0, callers_per_second: int = 1000) -> AsyncIterator[Kept]:
    """Keep what this process records inside the block."""
    kept = Kept()
    async with tracing.exporting(kept, ratio=ratio, seconds=1, callers_per_second=callers_per_second):
        yield kept
    assert kept.closed_within == 1
