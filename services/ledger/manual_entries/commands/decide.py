"""Deciding about what somebody else proposed: it is posted exactly once, or never."""

import msgspec

from libs.common.contracts import ledger_journal as contract
from libs.common.contracts.ledger_errors import ProposalDecided, ProposalExpired, ProposalNotFound, SelfApproval
from libs.common.contracts.ledger_journal import Outcome, Proposal, ProposalStatus
from libs.common.db import Connection
from services.ledger.manual_entries.commands.journal import Journal, Undone, named_in
from services.ledger.manual_entries.commands.outcomes import all_or_none, count, notes_of
from services.ledger.manual_entries.sql import manual, proposals


async def approve(journal: Journal, request: contract.ApproveProposal) -> contract.ProposalAnswer:
    """Post what somebody else proposed, exactly once; approving it again answers how it stands.

    Raises:
        ProposalNotFound: when the tenant has none of this id.
        SelfApproval: when it is the one who proposed it, or made the API key that did, or that key names no person.
        ProposalDecided: when it was rejected.
        ProposalExpired: when its time is over.
    """

    async def decide(tx: Connection) -> contract.ProposalAnswer:
        existing = await _decidable(journal, tx, request, but=ProposalStatus.APPROVED)
        if existing.status is ProposalStatus.APPROVED:
            return contract.ProposalAnswer(proposal=existing, is_replay=True)
        # Of before the person was kept, or from an api of before: the one who decides may be the one who made the key.
        if existing.made_by.startswith("key:") and not existing.responsible:
            raise SelfApproval("nobody known answers for the key that proposed it: reject it, and propose it again")
        accounts, missing = await named_in(tx, request.tenant_id, existing.entries)
        read = await journal.entries_or_faults(request.tenant_id, existing.entries, accounts, missing)
        results = await journal.post(tx, existing.entries, read, is_approved=True)
        if any(result.outcome is Outcome.REFUSED for result in results):
            raise Undone(all_or_none(results))
        notes = notes_of(
            existing.entries,
            results,
            made_by=existing.made_by,
            approved_by=request.decided_by,
            proposal_id=existing.id,
        )
        await manual.write_notes(tx, request.tenant_id, notes)
        decided = _decided(journal, existing, request, ProposalStatus.APPROVED)
        await proposals.decide_proposal(tx, request.tenant_id, decided)
        return contract.ProposalAnswer(proposal=decided, results=results)

    try:
        answer = await journal.transact(decide)
    except Undone as undone:
        answer = contract.ProposalAnswer(results=undone.results)
    count(answer.results)
    return answer


async def reject(journal: Journal, request: contract.RejectProposal) -> contract.ProposalAnswer:
    """Refuse what somebody else proposed; rejecting it again answers how it stands.

    Raises:
        ProposalNotFound: when the tenant has none of this id.
        SelfApproval: when it is the one who proposed it, or made the API key that did.
        ProposalDecided: when it was approved.
        ProposalExpired: when its time is over.
    """
    async with journal.database.transaction() as tx:
        existing = await _decidable(journal, tx, request, but=ProposalStatus.REJECTED)
        if existing.status is ProposalStatus.REJECTED:
            return contract.ProposalAnswer(proposal=existing, is_replay=True)
        decided = _decided(journal, existing, request, ProposalStatus.REJECTED)
        await proposals.decide_proposal(tx, request.tenant_id, decided)
        return contract.ProposalAnswer(proposal=decided)


async def _decidable(
    journal: Journal,
    tx: Connection,
    request: contract.ApproveProposal | contract.RejectProposal,
    *,
    but: ProposalStatus,
) -> Proposal:
    """Lock a proposal that the one who asks may decide; one that stands as they want it already is returned too."""
    existing = await proposals.lock_proposal(tx, request.tenant_id, request.proposal_id, now=journal.clock.now())
    if existing is None:
        raise ProposalNotFound("proposal not found")
    # A key is not a second person: whoever made it decides about nothing that it proposed.
    if request.decided_by.casefold() in {existing.made_by.casefold(), existing.responsible.casefold()}:
        raise SelfApproval("who proposes, or made the key that proposes, does not decide: ask somebody else")
    if existing.status is ProposalStatus.EXPIRED:
        raise ProposalExpired("the proposal has expired; propose the entries again")
    if existing.status not in {ProposalStatus.OPEN, but}:
        raise ProposalDecided(f"the proposal is {existing.status} already")
    return existing


def _decided(
    journal: Journal,
    existing: Proposal,
    request: contract.ApproveProposal | contract.RejectProposal,
    status: ProposalStatus,
) -> Proposal:
    return msgspec.structs.replace(
        existing,
        status=status,
        decided_by=request.decided_by,
        decided_at=journal.clock.now(),
        decision_reason=request.reason,
    )
