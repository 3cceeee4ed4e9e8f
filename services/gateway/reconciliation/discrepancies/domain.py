"""What is always true of a discrepancy: what becomes of it when a run sees it, sees it no more, or a person decides. Pure."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_errors import DiscrepancyDecided
from libs.common.contracts.gateway_reconciliation import (
    SETTLED_STATES,
    Decision,
    Discrepancy,
    DiscrepancyState,
    DiscrepancyType,
    SubjectKind,
)

BY_RUN = "reconciliation"
"""Who changes a discrepancy where no person does."""
AGREED = "agreed"
"""Why a discrepancy is resolved that a run sees no more."""
ADJUSTED = "adjusted"
"""Why one is resolved whose entry somebody proposed and somebody else approved."""
BY_HAND = "by_hand"
"""Why one is resolved where a person gives no reason."""


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides that do not agree on something, as a run has found them."""

    id: UUID
    """Derived from what it is about."""
    type: DiscrepancyType
    subject_kind: SubjectKind
    subject: str
    aspect: str
    payment_intent_id: UUID | None
    gateway_ref: str
    currency: str
    expected_minor: int | None
    actual_minor: int | None
    expected_status: str
    actual_status: str
    detail: str


_FACTS = ("currency", "expected_minor", "actual_minor", "actual_status")
"""What makes a discrepancy another one than before. Our own status is none: it changes with things that it is not about."""

_OF_BOOKS = frozenset({"book", "exchange", "available", "returned", "entry"})
"""Aspects of the comparison with the books."""

_AFTER: Mapping[Decision, DiscrepancyState] = MappingProxyType(
    {
        Decision.ASSIGN: DiscrepancyState.ASSIGNED,
        Decision.PEND: DiscrepancyState.PENDING,
        Decision.RESOLVE: DiscrepancyState.RESOLVED,
        Decision.IGNORE: DiscrepancyState.IGNORED,
        Decision.REOPEN: DiscrepancyState.REOPENED,
    }
)


def first_seen(observed: Observation, *, tenant_id: str, at: datetime) -> Discrepancy:
    """Make the discrepancy of something that no run has seen before."""
    return Discrepancy(
        **msgspec.structs.asdict(observed),
        tenant_id=tenant_id,
        state=DiscrepancyState.OPEN,
        assignee="",
        reason="",
        note="",
        found_at=at,
        seen_at=at,
        settled_at=None,
    )


def seen_again(known: Discrepancy, observed: Observation, *, at: datetime) -> Discrepancy:
    """Return a discrepancy that a run has seen again.

    What a person has settled stays so while the facts are those that they knew; what had agreed in between, or has
    other facts now, is open again.
    """
    is_same = all(getattr(known, name) == getattr(observed, name) for name in _FACTS)
    facts = msgspec.structs.asdict(observed)
    if observed.type is DiscrepancyType.TIMING:
        # It has a name already: that something else happened to its subject makes it no matter of time again.
        facts["type"] = known.type
    if known.state not in SETTLED_STATES or (is_same and known.reason != AGREED):
        return msgspec.structs.replace(known, **facts, seen_at=max(at, known.seen_at))
    return msgspec.structs.replace(
        known,
        **facts,
        seen_at=max(at, known.seen_at),
        state=DiscrepancyState.REOPENED,
        reason="",
        note="",
        settled_at=None,
    )


def is_adjusted(known: Discrepancy) -> bool:
    """Return whether an entry by hand stands in the books for what the rules had not booked; by itself it lets no sides agree."""
    return known.reason == ADJUSTED and known.aspect in _OF_BOOKS and known.type is not DiscrepancyType.DUPLICATE


def is_booked_twice(known: Discrepancy) -> bool:
    """Return whether the books have it twice: by hand, and by the rules. No run settles that."""
    return known.type is DiscrepancyType.DUPLICATE and known.aspect in _OF_BOOKS


def booked_after_all(known: Discrepancy, *, at: datetime) -> Discrepancy:
    """Return what was adjusted by hand and agrees without that by now, since it was booked later: the books have it twice."""
    sentence = "the sides agree now, and an entry by hand stands in the books for it as well"
    return msgspec.structs.replace(
        known,
        type=DiscrepancyType.DUPLICATE,
        detail=f"{known.detail}; {sentence}",
        state=DiscrepancyState.REOPENED,
        reason="",
        note=sentence,
        seen_at=max(at, known.seen_at),
        settled_at=None,
    )


def agreed(known: Discrepancy, *, at: datetime) -> Discrepancy:
    """Return a discrepancy whose sides agree now."""
    return msgspec.structs.replace(known, state=DiscrepancyState.RESOLVED, reason=AGREED, note="", settled_at=at)


def decided(
    known: Discrepancy, decision: Decision, *, assignee: str, reason: str, note: str, at: datetime
) -> Discrepancy:
    """Return a discrepancy after a person's decision; the same decision again changes nothing.

    Raises:
        DiscrepancyDecided: when it is settled and is not reopened, or is reopened and is not settled.
    """
    state = _AFTER[decision]
    if decision is Decision.RESOLVE:
        reason = reason or BY_HAND
    is_settled = known.state in SETTLED_STATES
    if state is known.state and state is not DiscrepancyState.ASSIGNED:
        return known
    if is_settled is not (decision is Decision.REOPEN):
        raise DiscrepancyDecided(f"the discrepancy {known.id} is {known.state}")
    return msgspec.structs.replace(
        known,
        state=state,
        assignee=assignee if decision is Decision.ASSIGN else known.assignee,
        reason=reason if state in SETTLED_STATES else "",
        note=note,
        settled_at=at if state in SETTLED_STATES else None,
    )
