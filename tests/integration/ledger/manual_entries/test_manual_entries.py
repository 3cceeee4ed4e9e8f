"""Entries that people make: in bulk, all or each for itself, once for each key; and never half."""

import asyncio
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_journal import (
    ApproveProposal,
    EntryResult,
    GetJournalPolicy,
    GetProposal,
    ListProposals,
    ManualEntry,
    ManualLine,
    Mode,
    Outcome,
    ProposalAnswer,
    ProposalStatus,
    ProposeEntries,
    RejectProposal,
    SetJournalPolicy,
)
from libs.common.db import Database
from libs.common.ids import new_id
from services.ledger.errors import (
    ApprovalRequired,
    EntryInvalid,
    JournalKeyReused,
    ProposalDecided,
    ProposalExpired,
    ProposalNotFound,
    SelfApproval,
)
from services.ledger.posting.locked import GROUP_MAX
from tests.integration.ledger.books import PROPOSAL_LIFETIME, Books, moved
from tests.integration.ledger.conftest import audit

MAKER, CHECKER = "maker@example.com", "checker@example.com"


@pytest.fixture
def books(database: Database, clock: ManualClock) -> Books:
    """A ledger process that has just started."""
    return Books(database, clock)


def line(account: str, side: Side, amount: str, currency: str = "BRL") -> ManualLine:
    return ManualLine(account=account, side=side, amount=amount, currency=currency)


def entry(*lines: ManualLine, description: str = "By hand") -> ManualEntry:
    return ManualEntry(description=description, lines=list(lines))


BAD: dict[str, tuple[ManualEntry, str, str]] = {
    "unknown account": (moved("CASH", "NOWHERE"), "account_unknown", "/lines/1/account"),
    "unbalanced": (
        entry(line("CASH", Side.DEBIT, "1.00"), line("REVENUE", Side.CREDIT, "1.01")),
        "entry_unbalanced",
        "/lines",
    ),
    "two currencies": (
        entry(line("CASH", Side.DEBIT, "1.00"), line("REVENUE", Side.CREDIT, "1.00", "USD")),
        "entry_currency_mixed",
        "/lines/1/currency",
    ),
    "no such currency": (moved("CASH", "REVENUE", "1.00", "XYZ"), "unsupported_currency", "/lines/0/currency"),
    "too many decimals": (moved("CASH", "REVENUE", "1.005"), "invalid_amount", "/lines/0/amount"),
    "negative": (moved("CASH", "REVENUE", "-1"), "invalid_amount", "/lines/0/amount"),
    "too much": (moved("CASH", "REVENUE", "1e30"), "invalid_amount", "/lines/0/amount"),
    "not a number": (moved("CASH", "REVENUE", "NaN"), "invalid_amount", "/lines/0/amount"),
    "one line": (entry(line("CASH", Side.DEBIT, "1.00")), "entry_invalid", "/lines"),
    "no lines": (entry(), "entry_invalid", "/lines"),
    "no description": (moved("CASH", "REVENUE", description=""), "entry_invalid", "/description"),
    "long description": (moved("CASH", "REVENUE", description="x" * 501), "entry_invalid", "/description"),
    "an account that cannot be": (moved("CASH", "A\0B"), "account_unknown", "/lines/1/account"),
    "beyond time": (
        msgspec.structs.replace(
            moved("CASH", "REVENUE"), occurred_at=datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))
        ),
        "entry_invalid",
        "/occurred_at",
    ),
    "no text": (moved("CASH", "REVENUE", description="a\0b"), "entry_invalid", "/description"),
}


def outcomes(results: list[EntryResult]) -> list[str]:
    return [result.outcome.value for result in results]


class TestBulk:
    async def test_one_entry_stands_in_the_books_with_who_made_it(self, books: Books, tenant_id: str) -> None:
        answer = await books.post(tenant_id, moved("CASH", "REVENUE", "12.34"))
        assert outcomes(answer.results) == ["posted"]
        row = await books.database.fetchrow(
            "SELECT e.kind, m.description, m.made_by, m.approved_by FROM journal_entries AS e "
            "JOIN manual_entries AS m ON m.tenant_id = e.tenant_id AND m.entry_id = e.id WHERE e.tenant_id = $1",
            tenant_id,
        )
        assert row is not None
        assert tuple(row) == ("manual", "By hand", "ops@example.com", None)

    @pytest.mark.parametrize("what", BAD)
    async def test_a_bad_entry_is_refused_with_its_code_and_place_and_nothing_is_half_written(
        self, books: Books, tenant_id: str, what: str
    ) -> None:
        bad, code, pointer = BAD[what]
        entries = [*(moved("CASH", "REVENUE", f"{n}.00") for n in range(1, 18)), bad, moved("REVENUE", "CASH")]
        answer = await books.post(tenant_id, *entries)
        refused = answer.results[17]
        assert (refused.outcome, refused.code, refused.pointer) == (Outcome.REFUSED, code, f"/entries/17{pointer}")
        assert refused.detail
        assert {r.outcome for i, r in enumerate(answer.results) if i != 17} == {Outcome.NOT_POSTED}
        assert await books.count(tenant_id) == (0, 0, 0)

        apart = await books.post(tenant_id, *entries, mode=Mode.INDEPENDENT)
        assert outcomes(apart.results) == ["posted"] * 17 + ["refused"] + ["posted"]
        assert (apart.results[17].code, apart.results[17].pointer) == (code, f"/entries/17{pointer}")
        assert await books.count(tenant_id) == (18, 36, 18)

    async def test_what_the_engine_refuses_undoes_all_of_an_atomic_call(self, books: Books, tenant_id: str) -> None:
        taken = new_id()
        await books.post(tenant_id, moved("CASH", "REVENUE", "1.00", entry_id=taken))
        answer = await books.post(
            tenant_id,
            moved("CASH", "REVENUE"),
            moved("CASH", "REVENUE", "2.00", entry_id=taken),
            moved("CASH", "REVENUE"),
        )
        assert outcomes(answer.results) == ["not_posted", "refused", "not_posted"]
        assert (answer.results[1].code, answer.results[1].pointer) == ("entry_conflict", "/entries/1")
        assert await books.count(tenant_id) == (1, 2, 1)

    async def test_an_id_of_ones_own_is_a_replay_when_it_comes_again(self, books: Books, tenant_id: str) -> None:
        one = moved("CASH", "REVENUE", "1.00", entry_id=new_id())
        await books.post(tenant_id, one)
        again = await books.post(tenant_id, one, moved("CASH", "REVENUE"))
        assert outcomes(again.results) == ["replayed", "posted"]
        assert await books.count(tenant_id) == (2, 4, 2)

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_a_key_received_again_is_answered_the_same_and_posts_nothing(
        self, books: Books, tenant_id: str, mode: Mode
    ) -> None:
        entries = [moved("CASH", "REVENUE"), moved("REVENUE", "CASH"), moved("CASH", "REVENUE")]
        first = await books.post(tenant_id, *entries, key="k", mode=mode)
        again = await books.post(tenant_id, *entries, key="k", mode=mode)
        assert again.is_replay
        assert again.results == first.results
        with pytest.raises(JournalKeyReused):
            await books.post(tenant_id, entries[0], key="k", mode=mode)
        assert await books.count(tenant_id) == (3, 6, 3)

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_one_key_used_by_many_at_once_posts_once(
        self, books: Books, database: Database, clock: ManualClock, tenant_id: str, mode: Mode
    ) -> None:
        entries = [moved("CASH", "REVENUE", f"{n}.00") for n in range(1, 30)]
        processes = [Books(database, clock) for _ in range(4)]
        answers = await asyncio.gather(*(p.post(tenant_id, *entries, key="k", mode=mode) for p in processes))
        assert sum(not answer.is_replay for answer in answers) == 1
        assert {tuple(answer.results) for answer in answers} == {tuple(answers[0].results)}
        assert await books.count(tenant_id) == (29, 58, 29)
        assert await audit(database) == []

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_a_refused_call_does_not_use_up_its_key(self, books: Books, tenant_id: str, mode: Mode) -> None:
        refused = await books.post(tenant_id, moved("CASH", "NOWHERE"), key="k", mode=mode)
        assert outcomes(refused.results) == ["refused"]
        better = await books.post(tenant_id, moved("CASH", "REVENUE"), key="k", mode=mode)
        assert outcomes(better.results) == ["posted"]

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_a_dry_run_decides_everything_and_keeps_nothing(
        self, books: Books, tenant_id: str, mode: Mode
    ) -> None:
        good, bad = moved("CASH", "REVENUE"), moved("CASH", "NOWHERE")
        answer = await books.post(tenant_id, good, bad, good, mode=mode, is_dry_run=True)
        expected = "posted" if mode is Mode.INDEPENDENT else "not_posted"
        assert outcomes(answer.results) == [expected, "refused", expected]
        assert {result.posted_at for result in answer.results} == {None}
        answer = await books.post(tenant_id, good, good, mode=mode, is_dry_run=True)
        assert outcomes(answer.results) == ["posted", "posted"]
        assert await books.count(tenant_id) == (0, 0, 0)

    async def test_independent_entries_of_several_groups_are_posted_each_for_itself(
        self, books: Books, tenant_id: str
    ) -> None:
        entries = [moved("CASH", "NOWHERE" if n % 100 == 7 else "REVENUE", f"{n + 1}.00") for n in range(1203)]
        answer = await books.post(tenant_id, *entries, mode=Mode.INDEPENDENT, key="k")
        refused = [n for n, result in enumerate(answer.results) if result.outcome is Outcome.REFUSED]
        assert refused == list(range(7, 1203, 100))
        assert [answer.results[n].pointer for n in refused] == [f"/entries/{n}/lines/1/account" for n in refused]
        assert (await books.count(tenant_id))[0] == 1203 - len(refused)
        assert (await books.post(tenant_id, *entries, mode=Mode.INDEPENDENT, key="k")).is_replay

    async def test_no_entries_and_too_many_are_refused(self, books: Books, tenant_id: str) -> None:
        for entries in ([], [moved("CASH", "REVENUE")] * 10_001):
            with pytest.raises(EntryInvalid, match="entries must be 1 to 10000"):
                await books.post(tenant_id, *entries)
        many = entry(*([line("CASH", Side.DEBIT, "1")] * 60), *([line("REVENUE", Side.CREDIT, "1")] * 60))
        with pytest.raises(EntryInvalid, match="at most 50000 lines"):
            await books.post(tenant_id, *([many] * 417))

    async def test_ten_thousand_at_once_are_all_there(self, books: Books, database: Database, tenant_id: str) -> None:
        entries = [moved("CASH", "REVENUE", f"{n + 1}.00") for n in range(10_000)]
        answer = await books.post(tenant_id, *entries)
        assert set(outcomes(answer.results)) == {"posted"}
        assert await books.count(tenant_id) == (10_000, 20_000, 10_000)
        # In groups, between which the process does other work.
        largest = await database.fetchrow(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM journal_entries WHERE tenant_id = $1 "
            "GROUP BY chain, sequence) AS groups",
            tenant_id,
        )
        assert largest is not None
        assert largest[0] <= GROUP_MAX
        assert await audit(database) == []

    async def test_all_or_none_holds_for_more_than_a_group_takes(
        self, books: Books, database: Database, tenant_id: str
    ) -> None:
        entries = [moved("CASH", "REVENUE", f"{n + 1}.00") for n in range(GROUP_MAX + 100)]
        answer = await books.post(tenant_id, *entries, moved("CASH", "NOWHERE"))
        assert (answer.results[-1].code, set(outcomes(answer.results[:-1]))) == ("account_unknown", {"not_posted"})
        assert await books.count(tenant_id) == (0, 0, 0)
        same = msgspec.structs.replace(entries[0], id=uuid4())
        answer = await books.post(tenant_id, same, *entries[1:], same)
        assert outcomes(answer.results) == ["posted"] * len(entries) + ["replayed"]
        assert await books.count(tenant_id) == (len(entries), 2 * len(entries), len(entries))
        assert await audit(database) == []


class Office:
    """Makers and checkers of one tenant."""

    def __init__(self, books: Books, tenant_id: str) -> None:
        self.books = books
        self.tenant_id = tenant_id

    async def propose(self, *entries: ManualEntry, key: str | None = None) -> ProposalAnswer:
        return await self.books.journal.propose(
            ProposeEntries(
                tenant_id=self.tenant_id,
                made_by=MAKER,
                key=key or uuid4().hex,
                reason="Bank statement of November",
                entries=list(entries) or [moved("REFUND_EXPENSE", "CASH", "12.50")],
            )
        )

    async def approve(self, proposed: ProposalAnswer, *, by: str = CHECKER) -> ProposalAnswer:
        assert proposed.proposal is not None
        return await self.books.journal.approve(
            ApproveProposal(tenant_id=self.tenant_id, proposal_id=proposed.proposal.id, decided_by=by, reason="checked")
        )

    async def reject(self, proposed: ProposalAnswer, *, by: str = CHECKER) -> ProposalAnswer:
        assert proposed.proposal is not None
        return await self.books.journal.reject(
            RejectProposal(tenant_id=self.tenant_id, proposal_id=proposed.proposal.id, decided_by=by, reason="wrong")
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

    @pytest.mark.parametrize("who", [MAKER, MAKER.upper()])
    async def test_nobody_decides_about_their_own(self, service: Office, who: str) -> None:
        proposed = await service.propose()
        with pytest.raises(SelfApproval):
            await service.approve(proposed, by=who)
        with pytest.raises(SelfApproval):
            await service.reject(proposed, by=who)
        assert await service.books.count(service.tenant_id) == (0, 0, 0)

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
        for decide in (service.approve, service.reject):
            with pytest.raises(ProposalExpired):
                await decide(proposed)
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
        with pytest.raises(JournalKeyReused):
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
        await books.journal.set_policy(
            SetJournalPolicy(tenant_id=service.tenant_id, changed_by="cfo", manual_entries_need_approval=True)
        )
        policy = await books.proposals.policy(GetJournalPolicy(tenant_id=service.tenant_id))
        assert policy.manual_entries_need_approval
        with pytest.raises(ApprovalRequired):
            await books.post(service.tenant_id, moved("CASH", "REVENUE"))
        assert outcomes((await books.post(service.tenant_id, moved("CASH", "REVENUE"), is_dry_run=True)).results) == [
            "posted"
        ]
        await service.approve(await service.propose())
        assert (await books.count(service.tenant_id))[0] == 1
        await books.journal.set_policy(
            SetJournalPolicy(tenant_id=service.tenant_id, changed_by="cfo", manual_entries_need_approval=False)
        )
        assert outcomes((await books.post(service.tenant_id, moved("CASH", "REVENUE"))).results) == ["posted"]
