"""What is done about discrepancies: in one transaction with what is written down of it, so that it is done whole or not at all.

Nothing here writes what became of a payment: what the gateway knows is published again, and what the processor has is read again, as an
event that the inbox works on. Whoever knows all of it changes nothing.
"""

from datetime import datetime, timedelta
from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts.gateway_decisions import RepairDiscrepancy
from libs.common.contracts.gateway_errors import DiscrepancyDecided, DiscrepancyNotFound, DiscrepancyNotRepairable
from libs.common.contracts.gateway_reconciliation import (
    SETTLED_STATES,
    Discrepancy,
    DiscrepancyState,
)
from libs.common.contracts.ledger_journal import Proposal, ProposalStatus
from libs.common.db import Database
from libs.common.db.tenancy import across_tenants, lifted
from libs.common.errors import Invalid, NotFound, Unavailable
from libs.common.ids import new_id, time_of_id
from libs.common.messaging import Publication
from libs.common.messaging.published import rebuilt
from libs.common.observability.logging import get_logger
from services.gateway.movements import publications_of_movement, publications_of_payment
from services.gateway.notices import RawEvent, keep_in, publications_of
from services.gateway.processors.port.reading import has_statement
from services.gateway.reconciliation.discrepancies import ADJUSTED, BY_RUN, locked, note_repair
from services.gateway.reconciliation.periods import lock
from services.gateway.reconciliation.repairs import sql
from services.gateway.reconciliation.repairs.domain import DONE, Means, Repair, means_of, reading_event, unfit
from services.gateway.reconciliation.repairs.sources import Proposals

log = get_logger("gateway.reconciliation")

_AGAIN = timedelta(minutes=1)
"""So soon after a repair another one of the same discrepancy would only repeat it."""
_LOOK = timedelta(minutes=1)
"""How often a proposal is looked at."""
_LOOK_AGAIN = timedelta(days=1)
"""How often it is looked whether the entries of an approved proposal still stand."""
_TOGETHER_MAX = 50
"""Repairs of one round."""
_NOTES = {
    Means.PUBLISH: "published again for booking",
    Means.READ: "the processor is read again",
    Means.ENTRY: "waits for the proposal {proposal}",
}


class Repairing:
    """Repairs discrepancies."""

    def __init__(self, database: Database, proposals: Proposals, *, is_automatic: bool, clock: Clock) -> None:
        self._database = database
        self._proposals = proposals
        self._is_automatic = is_automatic
        self._clock = clock

    async def repair(self, request: RepairDiscrepancy) -> Discrepancy:
        """Do what is safe about a discrepancy, or wait for a proposal; again, while that goes on, it changes nothing.

        Raises:
            DiscrepancyNotFound: when the tenant has no such.
            DiscrepancyDecided: when it is settled.
            DiscrepancyNotRepairable: when nothing is safe, or the proposal is over.
            Invalid: when there is no such proposal.
        """
        tenant_id, proposal_id = request.tenant_id, request.proposal_id
        async with self._database.connection() as connection:
            known = await locked(connection, tenant_id, [request.discrepancy_id])
        if not known:
            raise DiscrepancyNotFound
        means = _means(known[0]) if proposal_id is None else Means.ENTRY
        proposal = None if proposal_id is None else await self._proposal(tenant_id, proposal_id)
        now = self._clock.now()
        repair = Repair(
            tenant_id=tenant_id,
            discrepancy_id=request.discrepancy_id,
            id=new_id(now),
            means=means,
            actor=request.actor,
            proposal_id=proposal_id,
            made_at=now,
            next_at=now if means is Means.ENTRY else None,
            outcome="" if means is Means.ENTRY else DONE,
        )
        publications, event = await self._prepared(repair, known[0])
        async with self._database.transaction() as tx:
            if proposal is not None:
                # Of two discrepancies at once, for one entry, one is the second.
                await lock(tx, tenant_id)
            (current,) = await locked(tx, tenant_id, [request.discrepancy_id])
            if current.state in SETTLED_STATES:
                raise DiscrepancyDecided(f"the discrepancy {current.id} is {current.state}")
            last = await sql.last(tx, tenant_id, current.id)
            if last is not None and not last.outcome:
                if last.proposal_id == proposal_id or proposal_id is None:
                    return current
                raise DiscrepancyNotRepairable(f"it waits for the proposal {last.proposal_id}")
            if last is not None and means is last.means and now - last.made_at < _AGAIN and means is not Means.ENTRY:
                return current
            if proposal is not None:
                if fault := unfit(current, proposal):
                    raise DiscrepancyNotRepairable(fault)
                if await sql.count_adjusted(tx, repair) >= len(proposal.entries):
                    raise DiscrepancyNotRepairable(
                        f"each entry of the proposal {proposal_id} stands for another one already"
                    )
            await sql.add(tx, repair)
            async with lifted(tx):
                await rebuilt(tx, publications)
                if event is not None:
                    await keep_in(tx, event)
            note = _NOTES[means].format(proposal=proposal_id)
            after = await note_repair(tx, current, DiscrepancyState.PENDING, actor=request.actor, note=note, at=now)
        log.info("reconciliation.repair", tenant_id=tenant_id, discrepancy=str(current.id), means=means)
        return after

    async def repair_all(self) -> None:
        """Do what is safe about discrepancies of which nothing was done yet, where that is by itself."""
        if not self._is_automatic:
            return
        for tenant_id, discrepancy_id in await sql.unrepaired(self._database, limit=_TOGETHER_MAX):
            try:
                await self.repair(RepairDiscrepancy(tenant_id=tenant_id, discrepancy_id=discrepancy_id, actor=BY_RUN))
            except (DiscrepancyDecided, DiscrepancyNotFound, DiscrepancyNotRepairable):
                # It has changed since it was listed.
                continue
            except Exception:
                # The others are repaired all the same.
                log.exception("reconciliation.repair_failed", tenant_id=tenant_id, discrepancy=str(discrepancy_id))

    async def follow(self) -> None:
        """Look at the proposals that are waited for, and at those that stand for discrepancies.

        A discrepancy is resolved once its entry is posted, and open again if it will not be, or was taken back.
        """
        for repair in await sql.claim(self._database, now=self._clock.now(), pause=_LOOK, limit=_TOGETHER_MAX):
            try:
                await self._follow(repair)
            except Unavailable:
                continue
            except Exception:
                # The others are looked at all the same; this one again after the pause.
                log.exception(
                    "reconciliation.proposal_unread", tenant_id=repair.tenant_id, proposal=str(repair.proposal_id)
                )

    async def _follow(self, repair: Repair) -> None:
        assert repair.proposal_id is not None
        proposal = await self._proposals.get(repair.tenant_id, repair.proposal_id)
        if proposal.status is ProposalStatus.OPEN:
            return
        is_approved = proposal.status is ProposalStatus.APPROVED
        if is_approved:
            proposal = await self._proposals.standing(repair.tenant_id, proposal)
        now = self._clock.now()
        async with self._database.transaction() as tx:
            (current,) = await locked(tx, repair.tenant_id, [repair.discrepancy_id])
            is_adjusted = current.state in SETTLED_STATES and current.reason == ADJUSTED
            last = await sql.last(tx, repair.tenant_id, repair.discrepancy_id)
            is_concerned = last is not None and last.id == repair.id and is_adjusted is bool(repair.outcome)
            # While it was waited for, a run may have seen other amounts.
            fault = unfit(current, proposal) if is_approved else ""
            stands = is_concerned and is_approved and not fault
            if not await sql.end(tx, repair, outcome=proposal.status, next_at=now + _LOOK_AGAIN if stands else None):
                return
            if (
                not is_concerned
                or (current.state in SETTLED_STATES and not repair.outcome)
                or (repair.outcome and stands)
            ):
                return
            after = DiscrepancyState.REOPENED if repair.outcome else DiscrepancyState.OPEN
            note = f"the proposal {proposal.id} is {proposal.status}"
            await note_repair(
                tx,
                current,
                DiscrepancyState.RESOLVED if stands else after,
                actor=BY_RUN if repair.outcome else _settled_by(repair, proposal),
                reason=ADJUSTED if stands else "",
                note=f"{note}; {fault}" if fault else note,
                at=now,
            )

    async def _proposal(self, tenant_id: str, proposal_id: UUID) -> Proposal:
        """Read a proposal whose entries are posted, or may be."""
        try:
            proposal = await self._proposals.get(tenant_id, proposal_id)
        except NotFound as fault:
            sentence = "there is no such proposal"
            raise Invalid(sentence, errors=(("/proposal_id", sentence),)) from fault
        if proposal.status not in {ProposalStatus.OPEN, ProposalStatus.APPROVED}:
            raise DiscrepancyNotRepairable(f"the proposal {proposal_id} is {proposal.status}")
        return proposal

    async def _prepared(self, repair: Repair, known: Discrepancy) -> tuple[list[Publication], RawEvent | None]:
        """Read what is to be published, and write the event that lets the processor be read."""
        if repair.means is Means.ENTRY:
            return [], None
        tenant_id, intent = repair.tenant_id, known.payment_intent_id
        if intent is None:
            return await publications_of_movement(
                self._database, tenant_id=tenant_id, ref=known.subject, at=time_of_id(known.id)
            ), None
        publications = await publications_of(
            self._database,
            tenant_id=tenant_id,
            payment_intent_id=intent,
            cause_id=repair.id if repair.means is Means.READ else None,
        )
        publications += await publications_of_payment(self._database, tenant_id=tenant_id, payment_intent_id=intent)
        if repair.means is Means.PUBLISH:
            return publications, None
        return publications, await self._reading(repair, known, intent, at=repair.made_at)

    async def _reading(self, repair: Repair, known: Discrepancy, intent: UUID, *, at: datetime) -> RawEvent | None:
        with across_tenants():
            # Events of the platform's own account are received by the platform.
            way = await sql.way_of(self._database, repair.tenant_id, intent)
        if way is None or not has_statement(way.processor):
            return None
        event = reading_event(repair, known, payment_ref=way.gateway_ref)
        if event is None:
            return None
        return RawEvent(
            tenant_id=way.receiver,
            processor=way.processor,
            id=f"repair_{repair.id}",
            type=event[0],
            body=event[1],
            happened_at=at,
            received_at=at,
        )


def _means(known: Discrepancy) -> Means:
    found = means_of(known)
    if found is None:
        raise DiscrepancyNotRepairable(f"nothing is safe about {known.type} of a {known.subject_kind}")
    return found


def _settled_by(repair: Repair, proposal: Proposal) -> str:
    """Return who has settled a discrepancy: whoever decided about the proposal knowing of it, else who has named a decided one."""
    if proposal.decided_at is not None and proposal.decided_at < repair.made_at:
        return repair.actor
    return proposal.decided_by or BY_RUN
