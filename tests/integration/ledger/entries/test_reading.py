"""The journal page by page, as the ledger answers it."""

from datetime import timedelta

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import JournalEntry, ListEntries, Side
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.ids import new_id
from tests.integration.ledger.conftest import Ledger, captured

MINUTE = timedelta(minutes=1)


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
