"""The context that travels with every request, message and log line: correlation id, tenant and W3C trace context."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from libs.common.cards import has_card_number

_CORRELATION_ID = re.compile(r"[!-~]{1,64}\Z")


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """What ties together everything that one cause sets in motion."""

    correlation_id: str
    """1 to 64 visible ASCII characters; the caller's `X-Correlation-Id` where it is acceptable, else ours."""
    tenant_id: str = ""
    """The tenant on whose behalf this happens; empty where there is none yet."""
    traceparent: str = ""
    """W3C Trace Context level 1 (`00-<trace id>-<span id>-<flags>`); empty where nothing is traced."""

    @property
    def trace_id(self) -> str:
        """The 32 hex digits that all spans of this trace share; empty without a trace."""
        return self.traceparent[3:35]


_current: ContextVar[Correlation | None] = ContextVar("correlation", default=None)


def new_correlation_id() -> str:
    """Mint a correlation id: 32 hex digits."""
    return secrets.token_hex(16)


def accept_correlation_id(candidate: str | None) -> str:
    """Keep a correlation id from outside when it is 1 to 64 visible characters and no card number, else mint one."""
    if candidate and _CORRELATION_ID.match(candidate) and not has_card_number(candidate):
        return candidate
    return new_correlation_id()


def current() -> Correlation:
    """Return the correlation of the current work; work that nobody requested gets a fresh one, without a trace."""
    found = _current.get()
    if found is None:
        found = Correlation(correlation_id=new_correlation_id())
        _current.set(found)
    return found


@contextmanager
def correlated(correlation: Correlation) -> Iterator[Correlation]:
    """Carry `correlation` through everything that happens inside the block."""
    token = _current.set(correlation)
    try:
        yield correlation
    finally:
        _current.reset(token)


def adopt(correlation: Correlation) -> None:
    """Make `correlation` the current one for the rest of this task (a request learns its tenant while it is handled)."""
    _current.set(correlation)


def forget() -> None:
    """Belong to no cause for the rest of this task: it was made by one of those that it works for."""
    _current.set(None)
