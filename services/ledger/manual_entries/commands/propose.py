"""Proposing entries for somebody else to decide about."""

from uuid import NAMESPACE_URL, uuid5

from libs.common.contracts import ledger_journal as contract
from libs.common.contracts.ledger_journal import Outcome, Proposal, ProposalStatus
from libs.common.errors import IdempotencyKeyReused
from services.ledger.manual_entries.commands.journal import Journal, check_size
from services.ledger.manual_entries.domain import fingerprint, identified
from services.ledger.manual_entries.sql import proposals


async def propose(journal: Journal, request: contract.ProposeEntries) -> contract.ProposalAnswer:
    """Keep entries for somebody else to decide about; refused when they could not be posted now.

    Raises:
        EntryInvalid: for no entries, or too many entries or lines.
        IdempotencyKeyReused: when the key belongs to a proposal of something else.
    """
    check_size(request.entries, entries_max=contract.PROPOSAL_ENTRIES_MAX)
    content_fingerprint = await fingerprint(request.reason, request.entries)
    proposal_id = uuid5(NAMESPACE_URL, f"ledger/{request.tenant_id}/proposals/{request.key}")
    entries = await identified(request.entries, source=f"ledger/{request.tenant_id}/proposals/{proposal_id}")
    now = journal.clock.now()
    proposal = Proposal(
        id=proposal_id,
        status=ProposalStatus.OPEN,
        reason=request.reason,
        made_by=request.made_by,
        responsible=request.responsible,
        made_at=now,
        expires_at=now + journal.proposal_lifetime,
        entries=entries,
    )
    async with journal.database.connection() as connection:
        existing = await proposals.fingerprint_of(connection, request.tenant_id, proposal_id)
    if existing is None:
        results = await journal.try_out(request.tenant_id, entries)
        if any(result.outcome is Outcome.REFUSED for result in results):
            return contract.ProposalAnswer(results=results)
        async with journal.database.transaction() as tx:
            if await proposals.write_proposal(tx, request.tenant_id, proposal, fingerprint=content_fingerprint):
                return contract.ProposalAnswer(proposal=proposal, results=results)
            existing = await proposals.fingerprint_of(tx, request.tenant_id, proposal_id)
    if existing != content_fingerprint:
        raise IdempotencyKeyReused("this Idempotency-Key belongs to a proposal of something else")
    async with journal.database.connection() as connection:
        found = await proposals.proposal(connection, request.tenant_id, proposal_id, now=now)
    return contract.ProposalAnswer(proposal=found, is_replay=True)
