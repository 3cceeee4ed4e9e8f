"""A policy is changed by one person while it demands nothing, and by two people from then on."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from libs.common.contracts.ledger_errors import (
    AccountUnknown,
    ApprovalRequired,
    PolicyChangeConflict,
    PolicyChangeDecided,
    PolicyChangeNotFound,
    PolicyChangeOutdated,
    PolicyInvalid,
    QueryInvalid,
    SelfApproval,
)
from libs.common.contracts.ledger_journal import SetJournalPolicy
from libs.common.contracts.ledger_policy import (
    RULES_MAX,
    ApprovalPolicy,
    ApprovalRule,
    ApprovePolicyChange,
    GetApprovalPolicy,
    GetPolicyChange,
    ListPolicyChanges,
    PolicyChange,
    PolicyChangeStatus,
    ProposePolicyChange,
    RejectPolicyChange,
    RuleKind,
    Threshold,
)
from libs.common.contracts.ledger_roles import Role
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from tests.integration.ledger.books import PROPOSAL_LIFETIME, Books, moved

MANUAL = ApprovalRule(kind=RuleKind.MANUAL)
FROM_1000 = ApprovalRule(account="CASH", thresholds=[Threshold(currency="BRL", at_least_minor=100_000)])


class Board:
    """Those who decide what nobody may do alone."""

    def __init__(self, books: Books, tenant_id: str) -> None:
        self.books, self.tenant_id = books, tenant_id

    async def propose(
        self, *rules: ApprovalRule, by: str = "ana", responsible: str = "", change_id: UUID | None = None
    ) -> PolicyChange:
        return await self.books.policies.propose(
            ProposePolicyChange(
                tenant_id=self.tenant_id,
                change_id=change_id or new_id(),
                made_by=by,
                responsible=responsible,
                reason="as the board decided",
                rules=list(rules),
            )
        )

    async def approve(self, change: PolicyChange, *, by: str = "bob") -> PolicyChange:
        return await self.books.policies.approve(
            ApprovePolicyChange(tenant_id=self.tenant_id, change_id=change.id, decided_by=by, reason="seen")
        )

    async def reject(self, change: PolicyChange, *, by: str = "bob") -> PolicyChange:
        return await self.books.policies.reject(
            RejectPolicyChange(tenant_id=self.tenant_id, change_id=change.id, decided_by=by)
        )

    async def switch(self, *, two: bool) -> None:
        await self.books.policies.set_for_everything(
            SetJournalPolicy(tenant_id=self.tenant_id, changed_by="ana", manual_entries_need_approval=two)
        )

    async def policy(self) -> ApprovalPolicy:
        return await self.books.policy.policy(GetApprovalPolicy(tenant_id=self.tenant_id))


@pytest.fixture
def board(books: Books, tenant_id: str) -> Board:
    return Board(books, tenant_id)


async def test_first_policy_is_applied_and_the_next_needs_another(board: Board) -> None:
    assert await board.policy() == ApprovalPolicy(revision=0, rules=[])
    first = await board.propose(FROM_1000, MANUAL)
    assert (first.status, first.decided_by) == (PolicyChangeStatus.APPLIED, None)
    policy = await board.policy()
    assert (policy.revision, policy.rules, policy.approved_by) == (1, [FROM_1000, MANUAL], None)
    second = await board.propose()
    assert second.status is PolicyChangeStatus.OPEN
    assert await board.policy() == policy
    for alone in ("ana", "ANA"):
        with pytest.raises(SelfApproval):
            await board.approve(second, by=alone)
    approved = await board.approve(second)
    assert (approved.status, approved.decided_by) == (PolicyChangeStatus.APPLIED, "bob")
    assert await board.approve(second) == approved
    policy = await board.policy()
    assert (policy.revision, policy.rules, policy.changed_by, policy.approved_by) == (2, [], "ana", "bob")
    # Nothing is demanded any more, so one person may demand again.
    assert (await board.propose(MANUAL)).status is PolicyChangeStatus.APPLIED


async def test_switch_is_subject_to_the_policy(board: Board) -> None:
    await board.switch(two=False)
    assert (await board.policy()).revision == 0
    await board.switch(two=True)
    await board.switch(two=True)
    policy = await board.policy()
    assert (policy.revision, policy.rules) == (1, [ApprovalRule()])
    with pytest.raises(ApprovalRequired):
        await board.switch(two=False)
    await board.approve(await board.propose(FROM_1000))
    # It demands something, though not everything: that is no reason to let one person change it.
    with pytest.raises(ApprovalRequired):
        await board.switch(two=True)
    await board.switch(two=False)
    assert (await board.policy()).rules == [FROM_1000]


async def test_nobody_approves_what_a_key_of_theirs_proposed(board: Board) -> None:
    await board.switch(two=True)
    by_key = await board.propose(by="key:1", responsible="bob")
    with pytest.raises(SelfApproval):
        await board.approve(by_key)
    unknown = await board.propose(by="key:2")
    with pytest.raises(SelfApproval):
        await board.approve(unknown)
    assert (await board.reject(unknown)).status is PolicyChangeStatus.REJECTED
    assert (await board.approve(by_key, by="carla")).status is PolicyChangeStatus.APPLIED


async def test_change_is_decided_once_in_time_and_about_what_it_was(board: Board) -> None:
    await board.switch(two=True)
    rejected, outdated, approved = [await board.propose(rule) for rule in (MANUAL, FROM_1000, MANUAL)]
    assert (await board.reject(rejected)).status is PolicyChangeStatus.REJECTED
    assert (await board.reject(rejected)).decided_by == "bob"
    with pytest.raises(PolicyChangeDecided):
        await board.approve(rejected)
    await board.approve(approved)
    with pytest.raises(PolicyChangeOutdated):
        await board.approve(outdated)
    with pytest.raises(PolicyChangeDecided):
        await board.reject(approved)
    assert [(await board.policy()).revision, (await board.policy()).rules] == [2, [MANUAL]]
    late = await board.propose()
    board.books.clock.advance(PROPOSAL_LIFETIME)
    with pytest.raises(PolicyChangeDecided):
        await board.approve(late)
    found = await board.books.policy.change(GetPolicyChange(tenant_id=board.tenant_id, change_id=late.id))
    assert found.status is PolicyChangeStatus.EXPIRED
    with pytest.raises(PolicyChangeNotFound):
        await board.books.policy.change(GetPolicyChange(tenant_id=f"{board.tenant_id}-b", change_id=late.id))


async def test_same_change_again_is_answered_the_same(board: Board) -> None:
    change = await board.propose(MANUAL)
    assert await board.propose(MANUAL, change_id=change.id) == change
    with pytest.raises(PolicyChangeConflict):
        await board.propose(FROM_1000, change_id=change.id)
    assert (await board.policy()).revision == 1


async def test_two_who_approve_at_once_apply_it_once(board: Board) -> None:
    await board.switch(two=True)
    change = await board.propose(MANUAL)
    answers = await asyncio.gather(board.approve(change), board.approve(change, by="carla"))
    assert answers[0] == answers[1]
    assert (await board.policy()).revision == 2


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        ([ApprovalRule(account="CASH", role=Role.BANK)], "/rules/0/role"),
        ([MANUAL] * (RULES_MAX + 1), "/rules"),
        ([ApprovalRule(thresholds=[Threshold(currency="XXQ", at_least_minor=1)])], "/rules/0/thresholds/0/currency"),
        ([ApprovalRule(thresholds=[Threshold(currency="BRL", at_least_minor=0)])], "/rules/0/thresholds/0/amount"),
        (
            [ApprovalRule(thresholds=[Threshold(currency="BRL", at_least_minor=1)] * 2)],
            "/rules/0/thresholds/1/currency",
        ),
    ],
)
async def test_policy_that_cannot_be_is_refused(board: Board, rules: list[ApprovalRule], pointer: str) -> None:
    with pytest.raises(PolicyInvalid) as refusal:
        await board.propose(*rules)
    assert pointer in [where for where, _ in refusal.value.errors]
    assert (await board.policy()).revision == 0


async def test_rule_of_an_unknown_account_leaves_nothing(board: Board) -> None:
    with pytest.raises(AccountUnknown) as refusal:
        await board.propose(MANUAL, ApprovalRule(account="NOWHERE"))
    assert refusal.value.errors[0][0] == "/rules/1/account"
    page = await board.books.policy.changes(ListPolicyChanges(tenant_id=board.tenant_id))
    assert (page.changes, (await board.policy()).revision) == ([], 0)


async def test_changes_are_listed_in_pages_newest_first(board: Board) -> None:
    made = []
    for _ in range(3):
        made.append((await board.propose(MANUAL)).id)
        board.books.clock.advance(timedelta(seconds=1))
    seen: list[UUID] = []
    cursor: str | None = None
    while not seen or cursor is not None:
        page = await board.books.policy.changes(ListPolicyChanges(tenant_id=board.tenant_id, limit=2, cursor=cursor))
        seen, cursor = [*seen, *(change.id for change in page.changes)], page.next_cursor
    assert seen == made[::-1]
    opened = ListPolicyChanges(tenant_id=board.tenant_id, status=PolicyChangeStatus.OPEN)
    assert [change.id for change in (await board.books.policy.changes(opened)).changes] == made[:0:-1]
    with pytest.raises(QueryInvalid):
        await board.books.policy.changes(ListPolicyChanges(tenant_id=board.tenant_id, limit=0))


@pytest.mark.parametrize("table", ["approval_policies", "approval_rules", "policy_changes"])
async def test_policies_are_never_changed_or_removed(board: Board, table: str) -> None:
    await board.propose(MANUAL)
    for statement in (f"UPDATE {table} SET tenant_id = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await board.books.database.fetch(statement)


async def test_change_is_answered_once_groups_of_before_have_ended(board: Board) -> None:
    books = board.books
    async with books.database.transaction() as tx:
        # As `lock_group` holds it for whoever posts.
        await tx.execute("SELECT pg_advisory_xact_lock_shared(x'636c6f7365'::int8)")
        with pytest.raises(Unavailable):
            await board.switch(two=True)
        # Whoever begins now is refused already, and the change stands.
        with pytest.raises(ApprovalRequired):
            await books.post(board.tenant_id, moved("CASH", "REVENUE"))
    await board.switch(two=True)
    assert (await board.policy()).revision == 1
