"""What a step of matching looks at, what it found, and what of that is in force."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_reconciliation import SubjectKind
from services.gateway.reconciliation.discrepancies import Observation
from services.gateway.reconciliation.matching.domain import (
    Finding,
    Match,
    Patience,
)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a run looks at."""

    tenant_id: str
    run_id: UUID
    is_dry: bool
    window_from: datetime
    window_until: datetime
    patience: Patience

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day of the window."""
        return self.window_from.date(), self.window_until.date()


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a step has found, before it is written."""

    cursor: str | None = None
    """From where the next one goes on; None: there is nothing more."""
    lines: int = 0
    """Lines whose last turn it was."""
    matches: tuple[Match, ...] = ()
    findings: tuple[Finding, ...] = ()
    about: Mapping[SubjectKind, Sequence[UUID]] = {}
    """What was looked at: what is unsettled about it and was not found agrees now."""
    came_back: tuple[UUID, ...] = ()
    """Payouts whose match is taken apart, since they came back and other lines name them."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What of a step is in force."""

    observed: tuple[Observation, ...]
    early: frozenset[UUID]
    """Discrepancies of which nothing can be stated yet."""
    early_at: tuple[datetime, ...]
    """When what they are about happened."""
    subjects: Mapping[SubjectKind, Sequence[str]]
    matched: int
    """Lines that have found their other side."""


def written(look: Look, looked: Looked, findings: Sequence[Finding], lost: set[UUID], matched: int) -> Written:
    """Return what is in force of a step; `lost` are subjects that others took meanwhile."""
    observed = {each.id_of(look.tenant_id): each for each in findings}
    return Written(
        observed=tuple(_observed(key, each) for key, each in observed.items() if each.type is not None),
        early=frozenset(key for key, each in observed.items() if each.type is None),
        early_at=tuple(each.happened_at for each in observed.values() if each.type is None),
        subjects={
            kind: [str(each) for each in dict.fromkeys(ids) if each not in lost] for kind, ids in looked.about.items()
        },
        matched=matched,
    )


def _observed(key: UUID, each: Finding) -> Observation:
    assert each.type is not None
    facts = msgspec.structs.asdict(each)
    del facts["since"], facts["booked_on"]
    return Observation(id=key, payment_intent_id=None, **facts)
