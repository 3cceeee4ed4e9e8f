"""What is handled of policies: requests to show, to propose and to decide."""

from libs.common.contracts.ledger_journal import GetJournalPolicy, JournalPolicy, SetJournalPolicy
from libs.common.contracts.ledger_policy import (
    ApprovalPolicy,
    ApprovePolicyChange,
    GetApprovalPolicy,
    GetPolicyChange,
    ListPolicyChanges,
    PolicyChange,
    PolicyChangePage,
    ProposePolicyChange,
    RejectPolicyChange,
)
from libs.common.messaging import Bus
from services.ledger.policies.commands import Policies
from services.ledger.policies.queries import PolicyQueries


class PolicyConsumers:
    """Answers requests about policies."""

    def __init__(self, policies: Policies, queries: PolicyQueries) -> None:
        self._policies = policies
        self._queries = queries

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(GetApprovalPolicy, self.on_get_approval_policy)
        bus.answer(ProposePolicyChange, self.on_propose_policy_change)
        bus.answer(ApprovePolicyChange, self.on_approve_policy_change)
        bus.answer(RejectPolicyChange, self.on_reject_policy_change)
        bus.answer(GetPolicyChange, self.on_get_policy_change)
        bus.answer(ListPolicyChanges, self.on_list_policy_changes)
        bus.answer(GetJournalPolicy, self.on_get_journal_policy)
        bus.answer(SetJournalPolicy, self.on_set_journal_policy)

    async def on_get_approval_policy(self, request: GetApprovalPolicy) -> ApprovalPolicy:
        """Show what a tenant lets nobody do alone."""
        return await self._queries.policy(request)

    async def on_propose_policy_change(self, request: ProposePolicyChange) -> PolicyChange:
        """Propose a policy."""
        return await self._policies.propose(request)

    async def on_approve_policy_change(self, request: ApprovePolicyChange) -> PolicyChange:
        """Let what somebody else proposed become the policy."""
        return await self._policies.approve(request)

    async def on_reject_policy_change(self, request: RejectPolicyChange) -> PolicyChange:
        """Refuse a policy that somebody else proposed."""
        return await self._policies.reject(request)

    async def on_get_policy_change(self, request: GetPolicyChange) -> PolicyChange:
        """Show a change of the policy."""
        return await self._queries.change(request)

    async def on_list_policy_changes(self, request: ListPolicyChanges) -> PolicyChangePage:
        """List changes of the policy."""
        return await self._queries.changes(request)

    async def on_get_journal_policy(self, request: GetJournalPolicy) -> JournalPolicy:
        """Show whether a tenant lets nobody do anything alone."""
        return await self._queries.is_for_everything(request)

    async def on_set_journal_policy(self, request: SetJournalPolicy) -> JournalPolicy:
        """Demand a second person for everything, or for nothing."""
        return await self._policies.set_for_everything(request)
