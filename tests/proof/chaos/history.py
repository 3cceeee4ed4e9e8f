"""What clients saw of one payment over HTTP, and whether one payment in one place can have been so.

In the manner of Jepsen: each request has the instants at which it began and was answered, on one monotonic clock. The
payment itself moves on by requests and by what other services report, so that its states have an order rather than one
expected value. A history is linearizable where each answer can be given an instant between its two ends such that the states
at these instants never go back. That is so exactly where each pair of answers agrees: of two where one began after the other
had ended, the later has the same state or a later one, and no two have states of which neither can follow the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import combinations
from math import inf
from types import MappingProxyType

import msgspec

from services.api.payments.domain.lifecycle import Status

ABSENT = "ABSENT"
"""The state of a payment that is answered 404."""

STEPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        ABSENT: (Status.CREATED,),
        Status.CREATED: (Status.PROCESSING, Status.VOIDED),
        Status.PROCESSING: (Status.AUTHORIZED, Status.FAILED, Status.VOIDED),
        Status.AUTHORIZED: (Status.SETTLED, Status.VOIDED),
        Status.SETTLED: (Status.PARTIALLY_REFUNDED, Status.REFUNDED),
        Status.PARTIALLY_REFUNDED: (Status.REFUNDED,),
        Status.FAILED: (),
        Status.VOIDED: (),
        Status.REFUNDED: (),
    }
)
"""Where a payment goes on to that is confirmed once, by a card that needs no proof and whose refunds do not fail."""


class Act(StrEnum):
    """What a client requests."""

    CREATE = "create"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    READ = "read"


class State(msgspec.Struct, frozen=True):
    """What an answer shows of a payment."""

    status: str
    captured_minor: int = 0
    refunded_minor: int = 0

    def __str__(self) -> str:
        """As it stands in a finding."""
        return f"{self.status} ({self.captured_minor} captured, {self.refunded_minor} refunded)"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a client with all its tries under one idempotency key, and the answer."""

    act: Act
    began: float
    """When its first try was sent."""
    ended: float = inf
    """When it was answered; never, where it has no answer."""
    shows: State | None = None
    """The payment as it was at some instant between the two, or None where the answer does not show it."""
    at_least: State | None = None
    """How far the payment is when it is answered, where the answer shows something else, as that of a refund."""
    client: str = ""
    """Who requested it, for people."""

    def __str__(self) -> str:
        """As it stands in a finding."""
        return f"{self.act} of {self.client or 'a client'} from {self.began:.3f} to {self.ended:.3f}: {self.shows or self.at_least}"


def findings(history: Iterable[Seen], *, is_manual: bool = False) -> list[str]:
    """Return what cannot have been so, a sentence each; empty where the history of a payment is linearizable.

    Args:
        history: all requests about one payment, in any order.
        is_manual: whether it is captured by request alone.
    """
    requests = sorted(history, key=lambda seen: seen.began)
    shown = [seen for seen in requests if seen.shows is not None]
    found = [f"unknown status: {seen}" for seen in shown if seen.shows and seen.shows.status not in STEPS]
    if found:
        return found
    found += [sentence for one, other in combinations(shown, 2) if (sentence := _disagree(one, other))]
    for seen in shown:
        found += [
            f"{seen}, though before it {earlier}"
            for earlier in requests
            if earlier.at_least and earlier.ended < seen.began and seen.shows
            if not follows(earlier.at_least, seen.shows)
        ]
        found += [f"{seen}, though nobody had requested to {act}" for act in _unrequested(seen, requests, is_manual)]
    return found


def follows(earlier: State, later: State) -> bool:
    """Tell whether a payment in the earlier state may be in the later one afterwards, or is in it already."""
    return (
        later.status in reached_from(earlier.status)
        and earlier.captured_minor <= later.captured_minor
        and earlier.refunded_minor <= later.refunded_minor
    )


@cache
def reached_from(status: str) -> frozenset[str]:
    """Return a status and all that may come after it."""
    return frozenset({status}).union(*(reached_from(step) for step in STEPS[status]))


def _disagree(one: Seen, other: Seen) -> str:
    """Return why two answers cannot both be true, empty where they can; `one` did not begin later."""
    assert one.shows is not None and other.shows is not None
    forth, back = follows(one.shows, other.shows), follows(other.shows, one.shows)
    if not forth and not back:
        return f"neither can follow the other: {one} | {other}"
    # Those that overlap may have been at instants in either order.
    if one.ended < other.began and not forth:
        return f"it went back: {one} | then {other}"
    return ""


def _unrequested(seen: Seen, requests: Sequence[Seen], is_manual: bool) -> list[Act]:
    """Return what must have been requested for this answer, and nobody had begun to request when it came."""
    assert seen.shows is not None
    needed = {
        Act.CREATE: seen.shows.status != ABSENT,
        Act.CONFIRM: seen.shows.status not in {ABSENT, Status.CREATED, Status.VOIDED},
        Act.VOID: seen.shows.status == Status.VOIDED,
        Act.CAPTURE: is_manual and seen.shows.captured_minor > 0,
        Act.REFUND: seen.shows.refunded_minor > 0,
    }
    begun = {each.act for each in requests if each.began <= seen.ended}
    return [act for act, is_needed in needed.items() if is_needed and act not in begun]
