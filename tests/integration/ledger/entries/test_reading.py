"""What the ledger answers: the chart, the journal page by page, balances now and in a period."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import (
    AccountBalance,
    AccountType,
    JournalEntry,
    ListAccounts,
    ListBalances,
    ListEntries,
    OpenAccount,
    Side,
)
from libs.common.contracts.ledger_errors import AccountCodeTaken, AccountIdTaken, AccountInvalid, QueryInvalid
from libs.common.contracts.ledger_roles import Role
from libs.common.errors import Conflict
from libs.common.ids import new_id
from tests.integration.ledger.conftest import Ledger, captured

MINUTE = timedelta(minutes=1)


def opening(
    tenant_id: str,
    code: str = "FEES",
    *,
    account_id: UUID | None = None,
    label: str = "Processor fees",
    account_type: AccountType = AccountType.EXPENSE,
) -> OpenAccount:
    return OpenAccount(
        tenant_id=tenant_id, account_id=account_id or new_id(), code=code, label=label, account_type=account_type
    )


class TestOpenAccount:
    async def test_it_stands_beside_the_default_accounts(self, ledger: Ledger, tenant_id: str) -> None:
        opened = await ledger.accounts.on_open_account(opening(tenant_id))
        assert (opened.code, opened.label, opened.is_default) == ("FEES", "Processor fees", False)
        listed = (await ledger.accounts.on_list_accounts(ListAccounts(tenant_id=tenant_id))).accounts
        assert [account.code for account in listed] == sorted(["FEES", *Role])

    async def test_the_same_again_is_success(self, ledger: Ledger, tenant_id: str) -> None:
        request = opening(tenant_id)
        assert await ledger.accounts.on_open_account(request) == await ledger.accounts.on_open_account(request)

    async def test_a_taken_code_is_a_conflict_also_that_of_a_default_account(
        self, ledger: Ledger, tenant_id: str
    ) -> None:
        await ledger.accounts.on_open_account(opening(tenant_id))
        for code in ("FEES", "CASH"):
            with pytest.raises(AccountCodeTaken, match=f"account code {code} already exists for tenant"):
                await ledger.accounts.on_open_account(opening(tenant_id, code))

    async def test_a_taken_id_with_other_content_is_a_conflict(self, ledger: Ledger, tenant_id: str) -> None:
        request = opening(tenant_id)
        await ledger.accounts.on_open_account(request)
        for other in (
            opening(tenant_id, "OTHER", account_id=request.account_id),
            opening(tenant_id, account_id=request.account_id, label="Other"),
            opening(tenant_id, account_id=request.account_id, account_type=AccountType.ASSET),
        ):
            with pytest.raises(AccountIdTaken):
                await ledger.accounts.on_open_account(other)

    async def test_one_code_requested_by_many_at_once_is_opened_once(self, ledger: Ledger, tenant_id: str) -> None:
        answers = await asyncio.gather(
            *(ledger.accounts.on_open_account(opening(tenant_id)) for _ in range(6)), return_exceptions=True
        )
        assert sum(isinstance(answer, Conflict) for answer in answers) == 5

    async def test_the_same_code_and_id_belong_to_each_tenant_alone(self, ledger: Ledger, tenant_id: str) -> None:
        account_id = new_id()
        for tenant in (tenant_id, f"{tenant_id}-b"):
            assert (await ledger.accounts.on_open_account(opening(tenant, account_id=account_id))).id == account_id

    async def test_an_unusable_code_is_refused(self, ledger: Ledger, tenant_id: str) -> None:
        with pytest.raises(AccountInvalid):
            await ledger.accounts.on_open_account(opening(tenant_id, "a\0b"))


async def some_history(ledger: Ledger, clock: ManualClock, tenant_id: str) -> list[JournalEntry]:
    """Post twelve captures, three a minute apart for each of four minutes, and return them newest first."""
    for minute in range(4):
        await ledger.handle_captures(
            *(
                captured(tenant_id, at=clock.now(), amount_minor=minute * 10 + i, currency=currency)
                for i, currency in ((1, "BRL"), (2, "USD"), (3, "BRL"))
            )
        )
        clock.advance(MINUTE)
    return (await ledger.entries.on_list_entries(ListEntries(tenant_id=tenant_id))).entries


def amounts(entries: list[JournalEntry]) -> list[int]:
    return [entry.lines[0].amount_minor for entry in entries]


class TestListEntries:
    async def test_newest_first_debits_first(self, ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
        entries = await some_history(ledger, clock, tenant_id)
        assert amounts(entries) == [33, 32, 31, 23, 22, 21, 13, 12, 11, 3, 2, 1]
        assert [(line.side, line.account) for line in entries[0].lines] == [
            (Side.DEBIT, "CASH"),
            (Side.CREDIT, "REVENUE"),
        ]

    @pytest.mark.parametrize("account", [None, "CASH"])
    @pytest.mark.parametrize("currency", [None, "BRL"])
    async def test_pages_by_cursor_and_by_offset_are_the_list_in_pieces(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str, account: str | None, currency: str | None
    ) -> None:
        whole = await some_history(ledger, clock, tenant_id)
        if currency:
            whole = [entry for entry in whole if entry.lines[0].currency == currency]
        cursor, pieces = None, list[JournalEntry]()
        while True:
            page = await ledger.entries.on_list_entries(
                ListEntries(tenant_id=tenant_id, limit=5, cursor=cursor, account=account, currency=currency)
            )
            pieces += page.entries
            if (cursor := page.next_cursor) is None:
                break
            # What is posted meanwhile is newer, and disturbs no page.
            await ledger.handle_captures(captured(tenant_id, at=clock.now()))
        assert pieces == whole
        newer = await ledger.entries.on_list_entries(
            ListEntries(tenant_id=tenant_id, limit=500, account=account, currency=currency)
        )
        for offset in (0, 3, 7, 100):
            page = await ledger.entries.on_list_entries(
                ListEntries(tenant_id=tenant_id, limit=4, offset=offset, account=account, currency=currency)
            )
            assert page.entries == newer.entries[offset : offset + 4]

    async def test_filters_narrow_and_combine(self, ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
        start = clock.now()
        entries = await some_history(ledger, clock, tenant_id)
        intent = entries[3].payment_intent_id

        async def ask(**filters: object) -> list[int]:
            request = ListEntries(tenant_id=tenant_id, **filters)  # type: ignore[arg-type]
            return amounts((await ledger.entries.on_list_entries(request)).entries)

        assert await ask(currency="USD") == [32, 22, 12, 2]
        assert await ask(currency="JPY") == []
        assert await ask(account="REVENUE", currency="USD") == [32, 22, 12, 2]
        assert await ask(account="REFUND_EXPENSE") == []
        assert await ask(account="NOBODY") == []
        assert await ask(posted_from=start + MINUTE, posted_until=start + 2 * MINUTE) == [13, 12, 11]
        assert await ask(posted_from=start + MINUTE, posted_until=start + 2 * MINUTE, account="CASH") == [13, 12, 11]
        assert await ask(payment_intent_id=intent) == [23]
        assert await ask(payment_intent_id=intent, currency="BRL", account="CASH") == [23]
        assert await ask(payment_intent_id=intent, currency="USD") == []
        assert await ask(payment_intent_id=new_id()) == []

    async def test_another_tenants_entries_are_not_seen(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        received = captured(tenant_id, at=clock.now())
        await ledger.handle_captures(received)
        intent = received.body.payment_intent_id
        for request in (
            ListEntries(tenant_id="another"),
            ListEntries(tenant_id="another", payment_intent_id=intent),
            ListEntries(tenant_id="another", account="CASH"),
        ):
            assert (await ledger.entries.on_list_entries(request)).entries == []

    @pytest.mark.parametrize("filters", [{"limit": 0}, {"offset": -1}, {"offset": 10_001}, {"cursor": "nonsense"}])
    async def test_what_cannot_be_answered_is_refused(
        self, ledger: Ledger, tenant_id: str, filters: dict[str, object]
    ) -> None:
        with pytest.raises(QueryInvalid) as fault:
            await ledger.entries.on_list_entries(ListEntries(tenant_id=tenant_id, **filters))  # type: ignore[arg-type]
        assert fault.value.errors

    async def test_a_limit_above_five_hundred_counts_as_five_hundred(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        await ledger.handle_captures(*(captured(tenant_id, at=clock.now()) for _ in range(501)))
        page = await ledger.entries.on_list_entries(ListEntries(tenant_id=tenant_id, limit=100_000))
        assert len(page.entries) == 500
        assert page.next_cursor is not None


class TestListBalances:
    async def ask(self, ledger: Ledger, request: ListBalances) -> list[AccountBalance]:
        return (await ledger.balances.on_list_balances(request)).balances

    async def test_the_standing_balances(self, ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
        assert await self.ask(ledger, ListBalances(tenant_id=tenant_id)) == []
        await some_history(ledger, clock, tenant_id)
        found = await self.ask(ledger, ListBalances(tenant_id=tenant_id))
        assert [(b.account, b.account_type, b.currency, b.debits_minor, b.credits_minor) for b in found] == [
            ("CASH", "ASSET", "BRL", 136, 0),
            ("CASH", "ASSET", "USD", 68, 0),
            ("REVENUE", "REVENUE", "BRL", 0, 136),
            ("REVENUE", "REVENUE", "USD", 0, 68),
        ]
        assert [b.currency for b in await self.ask(ledger, ListBalances(tenant_id=tenant_id, currency="USD"))] == [
            "USD",
            "USD",
        ]

    async def test_a_period_is_what_was_posted_in_it(self, ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
        start = clock.now()
        entries = await some_history(ledger, clock, tenant_id)
        instants = [None, *(start + minute * MINUTE for minute in range(-1, 6)), entries[4].posted_at]
        for posted_from in instants:
            for posted_until in instants:
                for currency in (None, "BRL"):
                    found = await self.ask(
                        ledger,
                        ListBalances(
                            tenant_id=tenant_id, posted_from=posted_from, posted_until=posted_until, currency=currency
                        ),
                    )
                    summed: dict[tuple[str, str], list[int]] = {}
                    for entry in entries:
                        if (posted_from and entry.posted_at < posted_from) or (
                            posted_until and entry.posted_at >= posted_until
                        ):
                            continue
                        for line in entry.lines:
                            if currency in (None, line.currency):
                                total = summed.setdefault((line.account, line.currency), [0, 0])
                                total[line.side is Side.CREDIT] += line.amount_minor
                    assert {(b.account, b.currency): [b.debits_minor, b.credits_minor] for b in found} == summed
