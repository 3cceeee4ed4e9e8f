"""Every message is received once, twice, early and malformed."""

import asyncio

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import api, gateway
from libs.common.contracts.ledger import ListAccounts
from libs.common.contracts.ledger_errors import EntryConflict
from libs.common.contracts.ledger_roles import Role
from libs.common.errors import Invalid, Rejected
from libs.common.ids import derived_id, new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from tests.integration.ledger.conftest import Ledger, audit, captured


def provisioned(tenant_id: str, clock: ManualClock) -> Received[api.TenantProvisioned]:
    return Received(
        id=new_id(),
        body=api.TenantProvisioned(tenant_id=tenant_id, name="Demo Corp"),
        occurred_at=clock.now(),
        correlation=Correlation(correlation_id="corr-1", tenant_id=tenant_id),
        attempt=0,
    )


async def codes(ledger: Ledger, tenant_id: str) -> list[str]:
    return [a.code for a in (await ledger.accounts.on_list_accounts(ListAccounts(tenant_id=tenant_id))).accounts]


class TestPaymentCaptured:
    async def test_received_once_it_is_booked_and_published(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        received = captured(tenant_id, at=clock.now())
        await ledger.handle_captures(received)
        assert await ledger.book(tenant_id) == [("CASH", "DEBIT", 15050, "BRL"), ("REVENUE", "CREDIT", 15050, "BRL")]
        (published,) = await ledger.published(tenant_id)
        assert published.entry_id == derived_id(received.body.payment_intent_id, "capture")
        assert (published.payment_intent_id, published.amount_minor, published.currency) == (
            received.body.payment_intent_id,
            15050,
            "BRL",
        )
        row = await ledger.database.fetchrow("SELECT correlation_id FROM outbox WHERE tenant_id = $1", tenant_id)
        assert row is not None
        assert row["correlation_id"] == "corr-1"

    async def test_equal_payments_and_events_of_two_tenants_are_both_booked(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        received = captured(tenant_id, at=clock.now())
        other = msgspec.structs.replace(
            received, correlation=Correlation(correlation_id="corr-2", tenant_id=f"{tenant_id}-other")
        )
        await ledger.handle_captures(received, other)
        for tenant in (tenant_id, f"{tenant_id}-other"):
            assert await ledger.book(tenant) == [("CASH", "DEBIT", 15050, "BRL"), ("REVENUE", "CREDIT", 15050, "BRL")]
            assert len(await ledger.published(tenant)) == 1

    async def test_event_under_another_id_is_booked_once_and_answered_again(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        intent = new_id()
        first, second = (captured(tenant_id, at=clock.now(), payment_intent_id=intent) for _ in range(2))
        await ledger.handle_captures(first, second)
        await ledger.handle_captures(captured(tenant_id, at=clock.now(), payment_intent_id=intent))
        assert len(await ledger.book(tenant_id)) == 2
        published = await ledger.published(tenant_id)
        assert len(published) == 3
        assert len(set(published)) == 1

    async def test_events_under_other_ids_in_two_processes_at_once_are_booked_once(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        other = Ledger(ledger.database, clock)
        intents = [new_id() for _ in range(30)]

        await asyncio.gather(
            *(
                process.handle_captures(*(captured(tenant_id, at=clock.now(), payment_intent_id=i) for i in intents))
                for process in (ledger, other, ledger, other)
            )
        )
        assert len(await ledger.book(tenant_id)) == 60
        published = await ledger.published(tenant_id)
        assert len(published) == 120
        assert len(set(published)) == 30
        assert await audit(ledger.database) == []

    async def test_capture_before_its_tenant_opens_the_default_accounts(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        await ledger.handle_captures(captured(tenant_id, at=clock.now()))
        assert await codes(ledger, tenant_id) == sorted(Role)

    async def test_an_early_capture_that_is_rolled_back_leaves_no_chart_in_memory(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        async def fail_after() -> None:
            async with ledger.database.transaction() as tx:
                await ledger.payments.handler(gateway.PaymentCaptured)(tx, [captured(tenant_id, at=clock.now())])
                raise RuntimeError("the process dies here")

        with pytest.raises(RuntimeError):
            await fail_after()
        assert await codes(ledger, tenant_id) == []
        await ledger.handle_captures(captured(tenant_id, at=clock.now()))
        assert len(await ledger.book(tenant_id)) == 2

    @pytest.mark.parametrize(
        ("amount_minor", "currency", "tenant"),
        [(0, "BRL", None), (-5, "BRL", None), (10**19, "BRL", None), (100, "XYZ", None), (100, "BRL", "")],
    )
    async def test_malformed_it_is_refused_and_leaves_nothing(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str, amount_minor: int, currency: str, tenant: str | None
    ) -> None:
        chosen = tenant_id if tenant is None else tenant
        received = captured(chosen, at=clock.now(), amount_minor=amount_minor, currency=currency)
        with pytest.raises(Invalid):
            await ledger.handle_captures(received)
        assert await ledger.book(chosen) == []
        assert await ledger.published(chosen) == []

    async def test_with_another_amount_under_the_same_intent_it_is_a_conflict(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        intent = new_id()
        await ledger.handle_captures(captured(tenant_id, at=clock.now(), payment_intent_id=intent))
        with pytest.raises(EntryConflict):
            await ledger.handle_captures(
                captured(tenant_id, at=clock.now(), payment_intent_id=intent, amount_minor=15051)
            )
        assert len(await ledger.book(tenant_id)) == 2

    async def test_of_many_tenants_in_one_pack_each_book_is_its_own(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        tenants = [f"{tenant_id}-{i}" for i in range(5)]
        await ledger.handle_captures(
            *(captured(tenant, at=clock.now(), amount_minor=i) for i, tenant in enumerate(tenants * 3, start=1))
        )
        for i, tenant in enumerate(tenants, start=1):
            debits = [amount for _, side, amount, _ in await ledger.book(tenant) if side == "DEBIT"]
            assert debits == [i, i + 5, i + 10]


class TestTenantProvisioned:
    async def test_capture_once_twice_and_at_once_opens_the_default_accounts_once(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        other = Ledger(ledger.database, clock)

        async def handle(process: Ledger) -> None:
            async with process.database.transaction() as tx:
                await process.accounts.on_tenant_provisioned(tx, [provisioned(tenant_id, clock)] * 2)

        await asyncio.gather(handle(ledger), handle(other))
        await handle(ledger)
        listed = (await ledger.accounts.on_list_accounts(ListAccounts(tenant_id=tenant_id))).accounts
        assert [(a.code, a.label, a.account_type) for a in listed] == [
            ("BANK", "Bank", "ASSET"),
            ("CASH", "Receivable from Processor", "ASSET"),
            ("DEFERRED_REVENUE", "Deferred Revenue", "LIABILITY"),
            ("DISPUTE_CLEARING", "Dispute Clearing", "ASSET"),
            ("DISPUTE_LOSSES", "Dispute Losses", "EXPENSE"),
            ("FX_GAIN_LOSS", "Currency Gains and Losses", "EXPENSE"),
            ("FX_POSITION", "Currency Position", "ASSET"),
            ("FX_REVALUATION", "Currency Revaluation", "ASSET"),
            ("FX_UNREALIZED", "Unrealized Currency Gains and Losses", "EXPENSE"),
            ("GATEWAY_CLEARING", "Gateway Clearing", "ASSET"),
            ("OPENING_BALANCE", "Opening Balance", "EQUITY"),
            ("PLATFORM_EARNINGS", "Platform Earnings", "REVENUE"),
            ("PLATFORM_FEES", "Platform Fees", "EXPENSE"),
            ("PROCESSOR_AVAILABLE", "Available at Processor", "ASSET"),
            ("PROCESSOR_FEES", "Processor Fees", "EXPENSE"),
            ("PROCESSOR_PENDING", "Pending at Processor", "ASSET"),
            ("REFUND_CLEARING", "Refund Clearing", "ASSET"),
            ("REFUND_EXPENSE", "Refund Expense", "EXPENSE"),
            ("RESERVES", "Reserves at Processor", "ASSET"),
            ("RETAINED_EARNINGS", "Retained Earnings", "EQUITY"),
            ("REVENUE", "Revenue", "REVENUE"),
            ("SUSPENSE", "Suspense", "ASSET"),
            ("TAX_PAYABLE", "Tax Payable", "LIABILITY"),
            ("TAX_RECOVERABLE", "Recoverable Tax", "ASSET"),
        ]
        assert all(account.is_default for account in listed)

    async def test_received_after_the_first_capture_it_changes_nothing(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        await ledger.handle_captures(captured(tenant_id, at=clock.now()))
        before = await ledger.accounts.on_list_accounts(ListAccounts(tenant_id=tenant_id))
        async with ledger.database.transaction() as tx:
            await ledger.accounts.on_tenant_provisioned(tx, [provisioned(tenant_id, clock)])
        assert await ledger.accounts.on_list_accounts(ListAccounts(tenant_id=tenant_id)) == before

    @pytest.mark.parametrize("tenant", ["", "x" * 65])
    async def test_malformed_it_is_refused(self, ledger: Ledger, clock: ManualClock, tenant: str) -> None:
        async with ledger.database.transaction() as tx:
            with pytest.raises(Rejected):
                await ledger.accounts.on_tenant_provisioned(tx, [provisioned(tenant, clock)])
