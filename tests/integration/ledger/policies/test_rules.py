"""What each rule of a policy refuses to who is alone, and what it does not; the engine decides, in the transaction that posts."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from asyncpg.pool import PoolConnectionProxy

from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_errors import ApprovalRequired
from libs.common.contracts.ledger_journal import Mode
from libs.common.contracts.ledger_money import PostConversion
from libs.common.contracts.ledger_policy import ApprovalRule, RuleKind, Threshold
from libs.common.contracts.ledger_roles import AssignAccountRole, Role
from libs.common.db.connections import driver_of
from libs.common.ids import new_id
from services.ledger.posting import BalanceCache, PostingService, post_locked
from tests.integration.ledger.bank import Bank, refused
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.exchange.test_money import record
from tests.integration.ledger.manual_entries.test_manual_entries import outcomes
from tests.integration.ledger.manual_entries.test_proposals import Office
from tests.integration.ledger.policies.test_changes import Board


async def refused_ways(bank: Bank, ledger: Ledger, entry_id: UUID) -> set[str]:
    """Try each way by which a person changes the books, by 10.00; returns which of them are refused."""
    conversion = PostConversion(
        tenant_id=bank.tenant_id, conversion_id=new_id(), from_currency="USD", to_currency="BRL", amount_minor=1000
    )
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "manual": lambda: bank.post("VAULT", "WALLET", 1000),
        "reversal": lambda: bank.entries.reverse(bank.tenant_id, entry_id),
        "hold": lambda: bank.hold(1000),
        "conversion": lambda: ledger.exchange.on_post_conversion(conversion),
    }
    refused = set()
    for name, way in ways.items():
        try:
            await way()
        except ApprovalRequired:
            refused.add(name)
    return refused


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        (ApprovalRule(), {"manual", "reversal", "hold", "conversion"}),
        (ApprovalRule(kind=RuleKind.MANUAL), {"manual"}),
        (ApprovalRule(kind=RuleKind.REVERSAL), {"reversal"}),
        (ApprovalRule(kind=RuleKind.HOLD), {"hold"}),
        (ApprovalRule(kind=RuleKind.CONVERSION), {"conversion"}),
        (ApprovalRule(account="WALLET"), {"manual", "reversal", "hold"}),
        (ApprovalRule(account="WALLET", kind=RuleKind.HOLD), {"hold"}),
        (ApprovalRule(role=Role.FX_POSITION), {"conversion"}),
        (ApprovalRule(role=Role.BANK), set()),
        (ApprovalRule(thresholds=[Threshold(currency="BRL", at_least_minor=1000)]), {"manual", "reversal", "hold", "conversion"}),
        (ApprovalRule(thresholds=[Threshold(currency="BRL", at_least_minor=1001)]), {"conversion"}),
        (
            ApprovalRule(thresholds=[Threshold(currency=each, at_least_minor=100_000) for each in ("BRL", "USD")]),
            set(),
        ),
    ],
    # A set is written in another order by each process.
    ids=lambda value: "-".join(sorted(value)) if isinstance(value, set) else str(value),
)  # fmt: skip
async def test_each_rule_refuses_what_it_names(
    bank: Bank, ledger: Ledger, books: Books, tenant_id: str, rule: ApprovalRule, named: set[str]
) -> None:
    await bank.post("VAULT", "WALLET", 100_000)
    entry_id = await bank.post("VAULT", "WALLET", 1000)
    await record(ledger, tenant_id, "USD/BRL", "5.00", at=bank.clock.now() - timedelta(hours=1))
    await Board(books, tenant_id).propose(rule)
    assert await refused_ways(bank, ledger, entry_id) == named


async def test_part_of_a_hold_is_captured_below_the_threshold(bank: Bank, books: Books, tenant_id: str) -> None:
    await bank.post("VAULT", "WALLET", 10_000)
    held, other = await bank.hold(2000), await bank.hold(2000)
    rule = ApprovalRule(kind=RuleKind.HOLD, thresholds=[Threshold(currency="BRL", at_least_minor=1000)])
    await Board(books, tenant_id).propose(rule)
    assert await refused(bank.capture(held)) == "approval_required"
    assert (await bank.capture(other, 999)).captured_minor == 999
    assert await refused(bank.hold(1000)) == "approval_required"


async def test_account_that_gave_its_role_away_stays_protected(
    bank: Bank, books: Books, ledger: Ledger, tenant_id: str
) -> None:
    await bank.open("SAFE", AccountType.ASSET)
    await Board(books, tenant_id).propose(ApprovalRule(role=Role.BANK))
    await ledger.roles.on_assign_account_role(
        AssignAccountRole(tenant_id=tenant_id, role=Role.BANK, account="SAFE", actor="ana")
    )
    before = await books.count(tenant_id)
    for account in ("BANK", "SAFE"):
        answer = await books.post(tenant_id, moved(account, "REVENUE"))
        assert [(result.outcome.value, result.code) for result in answer.results] == [("refused", "approval_required")]
    assert await books.count(tenant_id) == before


@pytest.mark.parametrize("mode", [Mode.ATOMIC, Mode.INDEPENDENT])
async def test_entries_of_a_call_are_refused_one_by_one(books: Books, tenant_id: str, mode: Mode) -> None:
    await Board(books, tenant_id).propose(ApprovalRule(thresholds=[Threshold(currency="BRL", at_least_minor=100_000)]))
    entries = [moved("CASH", "REVENUE", "999.99"), moved("CASH", "REVENUE", "1000.00")]
    answer = await books.post(tenant_id, *entries, mode=mode)
    first = "not_posted" if mode is Mode.ATOMIC else "posted"
    assert [result.outcome.value for result in answer.results] == [first, "refused"]
    assert (answer.results[1].code, answer.results[1].pointer) == ("approval_required", "/entries/1")
    assert (await books.count(tenant_id))[0] == (mode is Mode.INDEPENDENT)
    # What is proposed may be what nobody posts alone.
    office = Office(books, tenant_id)
    assert outcomes((await office.approve(await office.propose(entries[1]))).results) == ["posted"]


async def test_what_is_remembered_of_a_policy_never_outlives_it(bank: Bank, books: Books, tenant_id: str) -> None:
    board = Board(books, tenant_id)
    await bank.post("VAULT", "WALLET", 1000)
    other = PostingService(bank.database, clock=bank.clock)
    for _ in range(3):
        await board.propose(ApprovalRule(account="WALLET"))
        for service in (bank.service, other):
            bank.service = service
            assert await refused(bank.post("VAULT", "WALLET", 1)) == "approval_required"
        await board.approve(await board.propose())
        for service in (bank.service, other):
            bank.service = service
            await bank.post("VAULT", "WALLET", 1)


async def test_rules_are_read_once_and_revisions_once_a_group(bank: Bank, books: Books, tenant_id: str) -> None:
    await Board(books, tenant_id).propose(ApprovalRule(kind=RuleKind.CONVERSION))
    queries: list[str] = []
    cache = BalanceCache()
    async with bank.database.transaction() as tx:
        assert isinstance(tx, PoolConnectionProxy)
        driver_of(tx).add_query_logger(lambda record: queries.append(record.query))
        for _ in range(3):
            bookings = [bank.booking("VAULT", "WALLET", 1) for _ in range(50)]
            await post_locked(tx, bookings, clock=bank.clock, cache=cache)
    assert sum("lock_group(" in query for query in queries) == 3
    assert sum("approval_policies" in query for query in queries) == 3
    assert sum("approval_rules" in query for query in queries) == 1
