"""Entries that are proposed by one person and decided by another."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger_errors import (
    ApprovalRequired,
    ProposalDecided,
    ProposalExpired,
    ProposalNotFound,
    SelfApproval,
)
from libs.common.contracts.ledger_journal import (
    ApproveProposal,
    GetJournalPolicy,
    GetProposal,
    ListProposals,
    ManualEntry,
    ProposalAnswer,
    ProposalStatus,
    ProposeEntries,
    RejectProposal,
    SetJournalPolicy,
)
from libs.common.db import Database
from libs.common.errors import IdempotencyKeyReused
from libs.common.ids import new_id
from services.ledger.manual_entries.commands import decide, propose
from tests.integration.ledger.books import PROPOSAL_LIFETIME, Books, moved
from tests.integration.ledger.manual_entries.test_manual_entries import CHECKER, MAKER, outcomes


class Office:
    """Makers and checkers of one tenant."""

    def __init__(self, books: Books, tenant_id: str) -> None:
        self.books = books
        self.tenant_id = tenant_id

    async def propose(
        self, *entries: ManualEntry, key: str | None = None, by: str = MAKER, responsible: str = ""
    ) -> ProposalAnswer:
        return await propose.propose(
            self.books.journal,
            ProposeEntries(
                tenant_id=self.tenant_id,
                made_by=by,
                responsible=responsible,
                key=key or uuid4().hex,
                reason="Bank statement of November",
                entries=list(entries) or [moved("REFUND_EXPENSE", "CASH", "12.50")],
            ),
        )

    async def approve(self, proposed: ProposalAnswer, *, by: str = CHECKER) -> ProposalAnswer:
        assert proposed.proposal is not None
        return await decide.approve(
            self.books.journal,
            ApproveProposal(
                tenant_id=self.tenant_id, proposal_id=proposed.proposal.id, decided_by=by, reason="checked"
            ),
        )

    async def reject(self, proposed: ProposalAnswer, *, by: str = CHECKER) -> ProposalAnswer:
        assert proposed.proposal is not None
        return await decide.reject(
            self.books.journal,
            RejectProposal(tenant_id=self.tenant_id, proposal_id=proposed.proposal.id, decided_by=by, reason="wrong"),
        )

    async def listed(self, status: ProposalStatus | None) -> list[ProposalStatus]:
        page = await self.books.proposals.proposals(ListProposals(tenant_id=self.tenant_id, status=status))
        return [proposal.status for proposal in page.proposals]


@pytest.fixture
def service(books: Books, tenant_id: str) -> Office:
    """The office of a tenant of its own."""
    return Office(books, tenant_id)


class TestProposals:
    async def test_what_one_proposes_another_approves_and_both_are_named(self, service: Office) -> None:
        proposed = await service.propose()
        assert proposed.proposal is not None
        assert proposed.proposal.status is ProposalStatus.OPEN
        assert await service.books.count(service.tenant_id) == (0, 0, 0)
        approved = await service.approve(proposed)
        assert approved.proposal is not None
        assert (approved.proposal.status, approved.proposal.made_by, approved.proposal.decided_by) == (
            ProposalStatus.APPROVED,
            MAKER,
            CHECKER,
        )
        row = await service.books.database.fetchrow(
            "SELECT entry_id, made_by, approved_by, proposal_id FROM manual_entries WHERE tenant_id = $1",
            service.tenant_id,
        )
        assert row is not None
        assert tuple(row) == (proposed.proposal.entries[0].id, MAKER, CHECKER, proposed.proposal.id)

    @pytest.mark.parametrize(
        ("by", "responsible", "who"),
        [
            (MAKER, "", MAKER),
            (MAKER, "", MAKER.upper()),
            ("key:1", MAKER, MAKER),
            ("key:1", MAKER.upper(), MAKER),
            ("key:1", MAKER, "Key:1"),
        ],
    )
    async def test_nobody_decides_about_their_own(self, service: Office, by: str, responsible: str, who: str) -> None:
        proposed = await service.propose(by=by, responsible=responsible)
        with pytest.raises(SelfApproval):
            await service.approve(proposed, by=who)
        with pytest.raises(SelfApproval):
            await service.reject(proposed, by=who)
        assert await service.books.count(service.tenant_id) == (0, 0, 0)
        approved = await service.approve(proposed)
        assert approved.proposal is not None
        assert (approved.proposal.made_by, approved.proposal.decided_by) == (by, CHECKER)

    async def test_nobody_approves_what_a_key_of_nobody_known_proposed(self, service: Office) -> None:
        proposed = await service.propose(by="key:1")
        with pytest.raises(SelfApproval, match="propose it again"):
            await service.approve(proposed)
        assert await service.books.count(service.tenant_id) == (0, 0, 0)
        rejected = await service.reject(proposed)
        assert rejected.proposal is not None
        assert rejected.proposal.status is ProposalStatus.REJECTED

    async def test_approved_by_many_at_once_it_is_posted_once(
        self, service: Office, database: Database, clock: ManualClock
    ) -> None:
        proposed = await service.propose(moved("CASH", "REVENUE"), moved("CASH", "REVENUE", "3.00"))
        services = [Office(Books(database, clock), service.tenant_id) for _ in range(6)]
        answers = await asyncio.gather(
            *(other.approve(proposed, by=f"checker-{n}") for n, other in enumerate(services))
        )
        assert sum(not answer.is_replay for answer in answers) == 1
        assert len({answer.proposal.decided_by for answer in answers if answer.proposal}) == 1
        assert await service.books.count(service.tenant_id) == (2, 4, 2)

    async def test_approved_and_rejected_at_once_it_is_one_of_them(
        self, service: Office, database: Database, clock: ManualClock
    ) -> None:
        for _ in range(5):
            proposed = await service.propose()
            other = Office(Books(database, clock), service.tenant_id)
            answers = await asyncio.gather(service.approve(proposed), other.reject(proposed), return_exceptions=True)
            assert sum(isinstance(answer, ProposalDecided) for answer in answers) == 1
        approved = len(await service.listed(ProposalStatus.APPROVED))
        assert (await service.books.count(service.tenant_id))[0] == approved
        assert approved + len(await service.listed(ProposalStatus.REJECTED)) == 5

    async def test_rejected_it_is_never_posted(self, service: Office) -> None:
        proposed = await service.propose()
        await service.reject(proposed)
        assert (await service.reject(proposed)).is_replay
        with pytest.raises(ProposalDecided):
            await service.approve(proposed)
        assert await service.books.count(service.tenant_id) == (0, 0, 0)

    async def test_its_time_ends(self, service: Office) -> None:
        proposed = await service.propose()
        service.books.clock.advance(PROPOSAL_LIFETIME)
        for decision in (service.approve, service.reject):
            with pytest.raises(ProposalExpired):
                await decision(proposed)
        assert await service.listed(ProposalStatus.EXPIRED) == [ProposalStatus.EXPIRED]
        assert await service.listed(ProposalStatus.OPEN) == []
        assert await service.books.count(service.tenant_id) == (0, 0, 0)

    async def test_what_cannot_be_posted_cannot_be_proposed(self, service: Office) -> None:
        answer = await service.propose(moved("CASH", "REVENUE"), moved("CASH", "NOWHERE"))
        assert answer.proposal is None
        assert outcomes(answer.results) == ["not_posted", "refused"]
        assert answer.results[1].pointer == "/entries/1/lines/1/account"
        assert await service.listed(None) == []

    async def test_what_can_no_longer_be_posted_stays_open(self, service: Office) -> None:
        taken = new_id()
        proposed = await service.propose(moved("CASH", "REVENUE"), moved("CASH", "REVENUE", entry_id=taken))
        await service.books.post(service.tenant_id, moved("CASH", "REVENUE", "2.00", entry_id=taken))
        answer = await service.approve(proposed)
        assert outcomes(answer.results) == ["not_posted", "refused"]
        assert await service.listed(None) == [ProposalStatus.OPEN]
        assert await service.books.count(service.tenant_id) == (1, 2, 1)

    async def test_a_key_received_again_is_the_same_proposal(self, service: Office) -> None:
        first = await service.propose(key="k")
        again = await service.propose(key="k")
        assert again.is_replay
        assert again.proposal == first.proposal
        with pytest.raises(IdempotencyKeyReused):
            await service.propose(moved("CASH", "REVENUE"), key="k")

    async def test_another_tenants_proposal_is_not_there(self, service: Office, tenant_id: str) -> None:
        proposed = await service.propose()
        with pytest.raises(ProposalNotFound):
            await Office(service.books, f"{tenant_id}-b").approve(proposed)
        assert proposed.proposal is not None
        with pytest.raises(ProposalNotFound):
            await service.books.proposals.proposal(
                GetProposal(tenant_id=f"{tenant_id}-b", proposal_id=proposed.proposal.id)
            )

    async def test_proposals_are_listed_newest_first_page_by_page(self, service: Office) -> None:
        made = []
        for _ in range(5):
            answer = await service.propose()
            assert answer.proposal is not None
            made.append(answer.proposal.id)
            service.books.clock.advance(timedelta(seconds=1))
        found: list[UUID] = []
        cursor = None
        while not found or cursor is not None:
            page = await service.books.proposals.proposals(
                ListProposals(tenant_id=service.tenant_id, limit=2, cursor=cursor)
            )
            found, cursor = [*found, *(p.id for p in page.proposals)], page.next_cursor
        assert found == made[::-1]

    async def test_a_tenant_that_requires_approval_refuses_to_post_directly(self, service: Office) -> None:
        books = service.books
        await books.policies.set_for_everything(
            SetJournalPolicy(tenant_id=service.tenant_id, changed_by="cfo", manual_entries_need_approval=True)
        )
        policy = await books.policy.is_for_everything(GetJournalPolicy(tenant_id=service.tenant_id))
        assert policy.manual_entries_need_approval
        with pytest.raises(ApprovalRequired):
            await books.post(service.tenant_id, moved("CASH", "REVENUE"))
        assert outcomes((await books.post(service.tenant_id, moved("CASH", "REVENUE"), is_dry_run=True)).results) == [
            "posted"
        ]
        await service.approve(await service.propose())
        assert (await books.count(service.tenant_id))[0] == 1
