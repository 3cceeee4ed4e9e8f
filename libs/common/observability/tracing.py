"""Traces: what caused what across the services, and how long each step took (W3C Trace Context, OpenTelemetry).

Off unless an address for spans is set. Then nothing is kept and nothing is minted: a caller's `traceparent` is passed on as it
came, so that whoever traces on both sides of us still sees one trace.

Where traces are on, every unit of work has a `traceparent` of its own from the moment it is received, which goes out with all that
it causes. Its span is recorded once it is over: nothing has to be kept open meanwhile, and work that is split, repeated or
handed back leaves no span without an end.
"""

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from time import monotonic, time_ns
from types import MappingProxyType
from typing import Protocol

import msgspec

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\Z")
TRACEPARENT_CHARACTERS_MAX = 64
"""A trace context has 55 characters; what is longer is none."""
_NO_ATTRIBUTES: Mapping[str, str | int] = MappingProxyType({})
_ALL = 1 << 64
CALLERS_PER_SECOND = 20
"""Traces a second that one process records because their callers demand it."""
LINKS_MAX = 128
"""Links of one span at most, as many as OpenTelemetry's limit by default."""


class SpanKind(StrEnum):
    """What a span is to the one before it, as OpenTelemetry names it."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a trace that is over."""

    name: str
    """What was done, of a closed set: no ids."""
    kind: SpanKind
    traceparent: str
    """Its own trace context."""
    parent: str
    """That of the step which caused it; empty where it is the first."""
    started_ns: int
    """Nanoseconds since 1970."""
    ended_ns: int
    """Nanoseconds since 1970."""
    attributes: Mapping[str, str | int]
    """What is known about it; no card data, secrets, tokens or idempotency keys."""
    links: Sequence[str]
    """The trace contexts of other steps that caused it too."""
    error: str
    """Why it failed; empty where it did not."""


class Exporter(Protocol):
    """Where spans go."""

    def keep(self, span: Span) -> None:
        """Take a span at once, or drop it: nobody waits."""

    async def close(self, *, seconds: float) -> None:
        """Send what is left, within a deadline."""


class _Allowance:
    """So many a second, and as many at once."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._counted_at = monotonic()

    def take(self) -> bool:
        """Take one, where one is left."""
        now = monotonic()
        self._left = min(self._per_second, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _State:
    """What this process does about traces."""

    exporter: Exporter | None = None
    of_callers: _Allowance = _Allowance(0)
    """The traces of callers that are recorded because they demand it."""
    sampled_below: int = _ALL
    """Of a trace that begins here, the lower half of its id is below this when it is recorded."""


_state = _State()


def is_on() -> bool:
    """Whether spans are recorded."""
    return _state.exporter is not None


def started() -> int:
    """Begin to measure a span: nanoseconds since 1970, or 0 where traces are off."""
    return time_ns() if _state.exporter is not None else 0


def is_sampled(traceparent: str) -> bool:
    """Whether a trace is recorded."""
    return traceparent[-1:] in "13579bdf" and traceparent != ""


def child_traceparent(parent: str | None) -> str:
    """Continue a trace with a span of our own, or begin one where there is none or it is malformed.

    Whether it is recorded was decided where the trace began. One that is not goes on as it came: nobody has a span of ours to
    name. So does each while traces are off, and none begins.
    """
    if not parent or not _is_valid(parent):
        return "" if _state.exporter is None else root_traceparent()
    if _state.exporter is None or not is_sampled(parent):
        return parent
    return f"{parent[:36]}{secrets.token_hex(8)}{parent[52:]}"


def traceparent_for_caller(parent: str | None) -> str:
    """Continue the trace of a caller who may be anybody, as `child_traceparent` does.

    Beyond so many a second the ratio decides whether a trace is recorded that its caller demands: anybody can demand it of each
    request, and what is recorded costs each service that the request reaches.
    """
    child = child_traceparent(parent)
    if _state.exporter is None or not parent or not is_sampled(parent) or child[:35] != parent[:35]:
        return child
    if _state.of_callers.take() or secrets.randbits(64) < _state.sampled_below:
        return child
    # With a span id of our own, as W3C demands of whoever changes the flag.
    return f"{child[:53]}00"


def _is_valid(traceparent: str) -> bool:
    found = _TRACEPARENT.match(traceparent)
    return found is not None and found[1] != "0" * 32 and found[2] != "0" * 16


def root_traceparent(*, is_recorded: bool | None = None) -> str:
    """Begin a trace; `is_recorded` decides whether it is, instead of the ratio."""
    trace_id = secrets.token_hex(16)
    if is_recorded is None:
        # As OpenTelemetry's TraceIdRatioBased does: each process decides alike about the same trace.
        is_recorded = int(trace_id[16:], 16) < _state.sampled_below
    return f"00-{trace_id}-{secrets.token_hex(8)}-{'01' if is_recorded else '00'}"


def record(
    name: str,
    *,
    kind: SpanKind,
    traceparent: str,
    started_ns: int,
    parent: str | None = "",
    ended_ns: int = 0,
    attributes: Mapping[str, str | int] = _NO_ATTRIBUTES,
    links: Sequence[str] = (),
    error: str = "",
) -> None:
    """Record a span that is over, where its trace is recorded; `ended_ns` is now unless it is given."""
    exporter = _state.exporter
    if exporter is None or not is_sampled(traceparent):
        return
    # A parent that was malformed, and so not continued, has another trace id.
    is_continued = parent is not None and parent[3:35] == traceparent[3:35]
    exporter.keep(
        Span(
            name=name,
            kind=kind,
            traceparent=traceparent,
            parent=parent if parent is not None and is_continued else "",
            started_ns=started_ns,
            ended_ns=ended_ns or time_ns(),
            attributes=attributes,
            links=links[:LINKS_MAX],
            error=error,
        )
    )


@asynccontextmanager
async def exporting(
    exporter: Exporter | None, *, ratio: float, seconds: float, callers_per_second: int = CALLERS_PER_SECOND
) -> AsyncIterator[None]:
    """Record spans until the block ends; what is left then is sent within `seconds`. Without an exporter nothing is recorded."""
    if exporter is None:
        yield
        return
    _state.exporter, _state.sampled_below = exporter, round(ratio * _ALL)
    _state.of_callers = _Allowance(callers_per_second)
    try:
        yield
    finally:
        _state.exporter, _state.sampled_below = None, _ALL
        await exporter.close(seconds=seconds)
