"""What is handled of manual entries: requests to post, to propose and to decide."""

from libs.common.contracts.ledger_journal import (
    ApproveProposal,
    EntriesPosted,
    GetProposal,
    ListProposals,
    PostEntries,
    Proposal,
    ProposalAnswer,
    ProposalPage,
    ProposeEntries,
    RejectProposal,
)
from libs.common.messaging import Bus
from services.ledger.manual_entries.commands import decide, post, propose
from services.ledger.manual_entries.commands.journal import Journal
from services.ledger.manual_entries.queries import JournalQueries


class ManualEntryConsumers:
    """Answers requests about entries that people make."""

    def __init__(self, journal: Journal, queries: JournalQueries) -> None:
        self._journal = journal
        self._queries = queries

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(PostEntries, self.on_post_entries)
        bus.answer(ProposeEntries, self.on_propose_entries)
        bus.answer(ApproveProposal, self.on_approve_proposal)
        bus.answer(RejectProposal, self.on_reject_proposal)
        bus.answer(GetProposal, self.on_get_proposal)
        bus.answer(ListProposals, self.on_list_proposals)

    async def on_post_entries(self, request: PostEntries) -> EntriesPosted:
        """Post entries."""
        return await post.post_entries(self._journal, request)

    async def on_propose_entries(self, request: ProposeEntries) -> ProposalAnswer:
        """Keep entries for somebody else to decide about."""
        return await propose.propose(self._journal, request)

    async def on_approve_proposal(self, request: ApproveProposal) -> ProposalAnswer:
        """Post what somebody else proposed."""
        return await decide.approve(self._journal, request)

    async def on_reject_proposal(self, request: RejectProposal) -> ProposalAnswer:
        """Refuse what somebody else proposed."""
        return await decide.reject(self._journal, request)

    async def on_get_proposal(self, request: GetProposal) -> Proposal:
        """Show a proposal."""
        return await self._queries.proposal(request)

    async def on_list_proposals(self, request: ListProposals) -> ProposalPage:
        """List proposals."""
        return await self._queries.proposals(request)
