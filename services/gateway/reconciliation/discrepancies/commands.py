"""What changes discrepancies: a run that has looked at some subjects, and a person who decides."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_errors import DiscrepancyNotFound
from libs.common.contracts.gateway_reconciliation import (
    SETTLED_STATES,
    DecideDiscrepancies,
    Discrepancy,
    DiscrepancyState,
    DiscrepancyType,
    SubjectKind,
)
from libs.common.db import Connection, Database
from libs.common.errors import Invalid
from libs.common.ids import new_id
from services.gateway.reconciliation.discrepancies import sql
from services.gateway.reconciliation.discrepancies.domain import (
    BY_RUN,
    Observation,
    agreed,
    booked_after_all,
    decided,
    first_seen,
    is_adjusted,
    is_booked_twice,
    seen_again,
)
from services.gateway.reconciliation.discrepancies.sql import Change

_TOGETHER_MAX = 100
"""Discrepancies that one decision is about at most."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a step of a run."""

    new: tuple[DiscrepancyType, ...] = ()
    """What no run had seen before, or is open again."""
    agreed: int = 0
    """How many agree now."""


async def note_seen(
    tx: Connection,
    observed: Sequence[Observation],
    *,
    tenant_id: str,
    run_id: UUID,
    early: frozenset[UUID],
    payments: Sequence[UUID],
    subjects: Mapping[SubjectKind, Sequence[str]],
    at: datetime,
) -> Seen:
    """Write down what a run has found; what is unsettled about what it has looked at and was not found agrees now.

    `payments` and `subjects` are what it has looked at; of what is `early` nothing can be stated, so it stays as it is. The caller keeps other runs of the tenant away.
    """
    by_id = {each.id: each for each in observed}
    unsettled = await sql.unsettled_of_payments(tx, tenant_id, payments) if payments else []
    for kind, about in subjects.items():
        unsettled += await sql.unsettled_of_subjects(tx, tenant_id, kind, about) if about else []
    ids = sorted({*by_id, *unsettled})
    if not ids:
        return Seen()
    known = await sql.locked(tx, tenant_id, ids)
    before = {each.id: each for each in known}
    first = [first_seen(each, tenant_id=tenant_id, at=at) for key, each in by_id.items() if key not in before]
    changed = [seen_again(each, by_id[each.id], at=at) for each in known if each.id in by_id]
    gone = [each for each in known if each.id not in by_id and each.id not in early]
    over = [agreed(each, at=at) for each in gone if each.settled_at is None and not is_booked_twice(each)]
    twice = [booked_after_all(each, at=at) for each in gone if each.settled_at is not None and is_adjusted(each)]
    reopened = [each for each in changed if each.state is not before[each.id].state]
    if first:
        await sql.add(tx, sorted(first, key=lambda each: each.id), run_id=run_id)
    if changed:
        await sql.change(tx, changed, run_id=run_id)
    if over:
        await sql.change(tx, over, run_id=None)
    if twice:
        await sql.change(tx, twice, run_id=run_id)
    if steps := [*first, *reopened, *twice, *over]:
        await sql.write_down(tx, tenant_id, [_change(each, BY_RUN, at=at) for each in steps], at=at)
    # What is a matter of time is not new yet; it is when it has become something else.
    fresh = [each for each in first if each.type is not DiscrepancyType.TIMING] + twice
    fresh += [each for each in reopened if each.type is not DiscrepancyType.TIMING]
    fresh += [
        each
        for each in changed
        if before[each.id].type is DiscrepancyType.TIMING
        and each.type is not DiscrepancyType.TIMING
        and each.settled_at is None
        and each not in reopened
    ]
    return Seen(new=tuple(each.type for each in fresh), agreed=len(over))


async def decide(database: Database, request: DecideDiscrepancies, *, clock: Clock) -> list[Discrepancy]:
    """Carry out a person's decision about some discrepancies, all or none of them.

    Raises:
        Invalid: when they are none or too many, or the decision lacks what it needs.
        DiscrepancyNotFound: when the tenant has no such.
        DiscrepancyDecided: when one cannot be decided so any more.
    """
    ids = sorted(set(request.discrepancy_ids))
    if not 1 <= len(ids) <= _TOGETHER_MAX:
        raise Invalid(f"a decision is about 1 to {_TOGETHER_MAX} discrepancies")
    now = clock.now()
    async with database.transaction() as tx:
        known = await sql.locked(tx, request.tenant_id, ids)
        if missing := set(ids) - {each.id for each in known}:
            raise DiscrepancyNotFound(f"there is no discrepancy {min(missing)}")
        result = [
            decided(
                each,
                request.decision,
                assignee=request.assignee,
                reason=request.reason,
                note=request.note,
                at=now,
            )
            for each in known
        ]
        changed = [after for before, after in zip(known, result, strict=True) if after != before]
        if changed:
            await sql.change(tx, changed, run_id=None)
            await sql.write_down(
                tx,
                request.tenant_id,
                [_change(each, request.actor, reason=request.reason, at=now) for each in changed],
                at=now,
            )
    return result


async def note_repair(
    tx: Connection,
    known: Discrepancy,
    state: DiscrepancyState,
    *,
    actor: str,
    note: str,
    at: datetime,
    reason: str = "",
) -> Discrepancy:
    """Write down that something was done about a discrepancy, which the caller has locked; returns it as it is then."""
    after = msgspec.structs.replace(
        known, state=state, reason=reason, note=note, settled_at=at if state in SETTLED_STATES else None
    )
    await sql.change(tx, [after], run_id=None)
    await sql.write_down(tx, known.tenant_id, [_change(after, actor, at=at)], at=at)
    return after


def _change(after: Discrepancy, actor: str, *, reason: str = "", at: datetime) -> Change:
    return Change(
        discrepancy_id=after.id,
        id=new_id(at),
        state=after.state,
        actor=actor,
        reason=after.reason or reason,
        note=after.note,
    )
