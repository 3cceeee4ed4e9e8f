"""Reads about entries that people make: proposals."""

from libs.common.clock import Clock
from libs.common.contracts import ledger_journal as contract
from libs.common.contracts.ledger_errors import ProposalNotFound
from libs.common.db import Database
from services.ledger.core import checked_limit, read_cursor, write_cursor
from services.ledger.manual_entries.sql import proposals

PROPOSALS_MAX = 200
"""Proposals on one page at most."""


class JournalQueries:
    """Reads about entries that people make."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def proposal(self, request: contract.GetProposal) -> contract.Proposal:
        """Find a proposal.

        Raises:
            ProposalNotFound: when the tenant has none of this id.
        """
        async with self._database.connection() as connection:
            found = await proposals.proposal(connection, request.tenant_id, request.proposal_id, now=self._clock.now())
        if found is None:
            raise ProposalNotFound("proposal not found")
        return found

    async def proposals(self, request: contract.ListProposals) -> contract.ProposalPage:
        """List proposals, newest first.

        Raises:
            QueryInvalid: for a limit out of range, or a cursor that is not ours.
        """
        limit = checked_limit(request.limit, PROPOSALS_MAX)
        async with self._database.connection() as connection:
            # One more than requested shows whether there is a next page.
            found = await proposals.proposals(
                connection,
                request.tenant_id,
                status=request.status,
                before=None if request.cursor is None else read_cursor(request.cursor),
                now=self._clock.now(),
                limit=limit + 1,
            )
        page = found[:limit]
        return contract.ProposalPage(
            proposals=page,
            next_cursor=write_cursor(page[-1].made_at, page[-1].id) if len(found) > limit else None,
        )
