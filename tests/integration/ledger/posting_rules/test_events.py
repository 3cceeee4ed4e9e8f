"""Every event of the gateway about money becomes one entry: received once, twice, early, malformed, and by a new chart."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import gateway, gateway_movements, gateway_payouts
from libs.common.contracts.gateway_base import PaymentMessage
from libs.common.contracts.ledger import AccountType, EntryKind, ListAccounts, OpenAccount
from libs.common.contracts.ledger_errors import AccountUnknown, EntryConflict, RoleConflict, RoleUnfit
from libs.common.contracts.ledger_journal import Outcome
from libs.common.contracts.ledger_roles import AssignAccountRole, GetAccountRole, ListAccountRoles, Role
from libs.common.errors import Invalid, Rejected, Unavailable
from libs.common.ids import derived_id, new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from services.ledger.accounts import default_account_id, open_accounts
from services.ledger.core import Account
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.conftest import Ledger, audit, captured

EVENTS: Sequence[tuple[type[PaymentMessage | gateway_payouts.PayoutMessage], str, EntryKind, str, str]] = (
    (gateway.RefundSucceeded, "refund_id", EntryKind.REFUND, "REFUND_EXPENSE", "CASH"),
    (gateway.RefundFailed, "refund_id", EntryKind.REFUND_FAILURE, "CASH", "REFUND_EXPENSE"),
    (gateway.DisputeOpened, "dispute_id", EntryKind.DISPUTE_OPENED, "DISPUTE_CLEARING", "CASH"),
    (gateway.DisputeWon, "dispute_id", EntryKind.DISPUTE_WON, "CASH", "DISPUTE_CLEARING"),
    (gateway.DisputeLost, "dispute_id", EntryKind.DISPUTE_LOST, "DISPUTE_LOSSES", "DISPUTE_CLEARING"),
    (gateway.ProcessorFeeCharged, "fee_id", EntryKind.PROCESSOR_FEE, "PROCESSOR_FEES", "CASH"),
    (gateway_payouts.PayoutCreated, "payout_id", EntryKind.PAYOUT_CREATED, "GATEWAY_CLEARING", "CASH"),
    (gateway_payouts.PayoutPaid, "payout_id", EntryKind.PAYOUT_PAID, "BANK", "GATEWAY_CLEARING"),
    (gateway_payouts.PayoutFailed, "payout_id", EntryKind.PAYOUT_FAILED, "CASH", "GATEWAY_CLEARING"),
    (gateway_movements.PayoutDebited, "payout_id", EntryKind.PAYOUT_DEBITED, "GATEWAY_CLEARING", "BANK"),
)
KINDS = [kind for _, _, kind, _, _ in EVENTS]
WORDS = {
    "gateway_ref": "ref_1",
    "reason": "requested_by_customer",
    "detail": "The account of the customer is closed.",
    "after_success": True,
}


def shown(
    event: type[PaymentMessage | gateway_payouts.PayoutMessage],
    tenant_id: str,
    *,
    at: datetime,
    subject: tuple[str, UUID],
    payment_intent_id: UUID | None = None,
    **changes: Any,
) -> Received[Any]:
    """Make an event as it arrives, under a new event id; its subject's id is set by name."""
    given: dict[str, Any] = {
        **WORDS,
        subject[0]: subject[1],
        "payment_intent_id": payment_intent_id or new_id(),
        "amount_minor": 700,
        "currency": "BRL",
        **dict.fromkeys(("refunded_at", "failed_at", "happened_at", "charged_at"), at),
        **changes,
    }
    body = event(**{name: value for name, value in given.items() if name in event.__struct_fields__})
    correlation = Correlation(correlation_id="corr-1", tenant_id=tenant_id)
    return Received(id=new_id(), body=body, occurred_at=at, correlation=correlation, attempt=0)


async def handle(ledger: Ledger, *received: Received[Any]) -> None:
    """Let the ledger's own consumer of these events handle them in one transaction."""
    await ledger.handle(ledger.payments.handler(type(received[0].body)), received)


@pytest.mark.parametrize(("event", "subject", "kind", "debit", "credit"), EVENTS, ids=KINDS)
class TestEveryEvent:
    async def test_event_once_twice_and_at_once_is_booked_once_and_published_alike(
        self,
        ledger: Ledger,
        clock: ManualClock,
        tenant_id: str,
        event: type[PaymentMessage | gateway_payouts.PayoutMessage],
        subject: str,
        kind: EntryKind,
        debit: str,
        credit: str,
    ) -> None:
        other, subject_id, intent = Ledger(ledger.database, clock), new_id(), new_id()

        def again() -> Received[Any]:
            return shown(event, tenant_id, at=clock.now(), subject=(subject, subject_id), payment_intent_id=intent)

        await asyncio.gather(handle(ledger, again(), again()), handle(other, again()))
        await handle(ledger, again())
        assert await ledger.book(tenant_id) == [(debit, "DEBIT", 700, "BRL"), (credit, "CREDIT", 700, "BRL")]
        # A repeated event is answered by the same publication: the first one may have been lost.
        posted, *repeated = await ledger.published(tenant_id)
        assert all(other == posted for other in repeated)
        of_intent = None if issubclass(event, gateway_payouts.PayoutMessage) else intent
        assert (posted.kind, posted.payment_intent_id, posted.subject_id) == (kind, of_intent, subject_id)
        assert posted.entry_id == derived_id(subject_id, kind.value)
        assert await audit(ledger.database) == []

    async def test_malformed_or_contradictory_it_is_refused_and_leaves_nothing(
        self,
        ledger: Ledger,
        clock: ManualClock,
        tenant_id: str,
        event: type[PaymentMessage | gateway_payouts.PayoutMessage],
        subject: str,
        kind: EntryKind,
        debit: str,
        credit: str,
    ) -> None:
        named = (subject, new_id())
        for wrong in ({"amount_minor": 0}, {"amount_minor": 10**19}, {"currency": "XYZ"}):
            with pytest.raises(Invalid):
                await handle(ledger, shown(event, tenant_id, at=clock.now(), subject=named, **wrong))
        intent = new_id()
        right = shown(event, tenant_id, at=clock.now(), subject=named, payment_intent_id=intent)
        await handle(ledger, right)
        with pytest.raises(EntryConflict):
            await handle(
                ledger,
                shown(event, tenant_id, at=clock.now(), subject=named, payment_intent_id=intent, amount_minor=701),
            )
        assert len(await ledger.book(tenant_id)) == 2


async def standing(ledger: Ledger, tenant_id: str) -> dict[str, int]:
    """What stands on each account that is not empty: debits less credits."""
    rows = await ledger.database.fetch(
        "SELECT a.code, b.debits_minor - b.credits_minor AS net FROM balances AS b JOIN accounts AS a "
        "ON a.tenant_id = b.tenant_id AND a.id = b.account_id "
        "WHERE b.tenant_id = $1 AND b.debits_minor <> b.credits_minor",
        tenant_id,
    )
    return {row["code"]: row["net"] for row in rows}


async def test_in_whatever_order_a_story_is_received_the_books_are_the_same(
    ledger: Ledger, clock: ManualClock, tenant_id: str
) -> None:
    intent, subjects = new_id(), {kind: new_id() for kind in ("refund_id", "dispute_id", "fee_id", "payout_id")}
    story: list[tuple[type[PaymentMessage | gateway_payouts.PayoutMessage], str, int]] = [
        (gateway.RefundSucceeded, "refund_id", 100),
        (gateway.RefundFailed, "refund_id", 100),
        (gateway.DisputeOpened, "dispute_id", 300),
        (gateway.DisputeLost, "dispute_id", 300),
        (gateway.ProcessorFeeCharged, "fee_id", 40),
        (gateway_payouts.PayoutCreated, "payout_id", 500),
        (gateway_payouts.PayoutPaid, "payout_id", 500),
    ]
    for tenant, order in ((tenant_id, story), (f"{tenant_id}-b", story[::-1])):
        for event, subject, amount in order:
            received = shown(
                event,
                tenant,
                at=clock.now(),
                subject=(subject, subjects[subject]),
                payment_intent_id=intent,
                amount_minor=amount,
            )
            await handle(ledger, received)
        await ledger.handle_captures(captured(tenant, at=clock.now(), payment_intent_id=intent, amount_minor=1000))
        assert await standing(ledger, tenant) == {
            "CASH": 160,
            "REVENUE": -1000,
            "DISPUTE_LOSSES": 300,
            "PROCESSOR_FEES": 40,
            "BANK": 500,
        }


async def test_a_refund_that_never_succeeded_has_nothing_to_undo(
    ledger: Ledger, clock: ManualClock, tenant_id: str
) -> None:
    await handle(
        ledger,
        shown(gateway.RefundFailed, tenant_id, at=clock.now(), subject=("refund_id", new_id()), after_success=False),
    )
    assert await ledger.book(tenant_id) == []


async def test_a_chart_of_an_earlier_version_gets_what_it_lacks_on_sight(
    ledger: Ledger, clock: ManualClock, tenant_id: str
) -> None:
    """The tenant has the three accounts of old, and one of its own under a code that the platform came to use."""
    own = new_id()
    old = [
        Account(
            tenant_id=tenant_id,
            id=account_id,
            code=code,
            label=code,
            account_type=account_type,
            is_default=is_default,
        )
        for account_id, code, account_type, is_default in (
            (default_account_id(tenant_id, Role.CASH), "CASH", AccountType.ASSET, True),
            (default_account_id(tenant_id, Role.REVENUE), "REVENUE", AccountType.REVENUE, True),
            (default_account_id(tenant_id, Role.REFUND_EXPENSE), "REFUND_EXPENSE", AccountType.EXPENSE, True),
            (own, "BANK", AccountType.LIABILITY, False),
        )
    ]
    async with ledger.database.transaction() as tx:
        await open_accounts(tx, old, opened_at=clock.now())
    await asyncio.gather(
        *(
            handle(
                process,
                shown(gateway_payouts.PayoutPaid, tenant_id, at=clock.now(), subject=("payout_id", new_id())),
            )
            for process in (ledger, Ledger(ledger.database, clock), Ledger(ledger.database, clock))
        )
    )
    listed = (await ledger.accounts.on_list_accounts(ListAccounts(tenant_id=tenant_id))).accounts
    codes = {account.code: account for account in listed}
    assert len(codes) == len(Role) + 1
    assert codes["BANK"].id == own
    renamed = f"BANK_{default_account_id(tenant_id, Role.BANK).hex[:8].upper()}"
    assert codes[renamed].is_default
    # It was opened as "CASH"; the code stays, and the label says what it is today.
    assert codes["CASH"].label == "Receivable from Processor"
    assert await standing(ledger, tenant_id) == {renamed: 2100, "GATEWAY_CLEARING": -2100}


class TestRoles:
    async def open(self, ledger: Ledger, tenant_id: str, code: str, account_type: AccountType) -> None:
        await ledger.accounts.on_open_account(
            OpenAccount(tenant_id=tenant_id, account_id=new_id(), code=code, label=code, account_type=account_type)
        )

    async def test_other_processes_post_by_a_change_once_it_is_acknowledged(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        """Two processes post without pause, a third one changes: nothing that began after it stands on the old account."""
        posters = [ledger, Ledger(ledger.database, clock)]
        changer = Ledger(ledger.database, clock)
        codes = [f"CASH_{i}" for i in range(6)]
        for code in codes:
            await self.open(changer, tenant_id, code, AccountType.ASSET)
        acknowledged = ["CASH"]
        stop = asyncio.Event()
        wrong: list[tuple[str, str]] = []

        async def poster(process: Ledger) -> None:
            while not stop.is_set():
                before, received = len(acknowledged), captured(tenant_id, at=clock.now())
                await process.handle_captures(received)
                row = await ledger.database.fetchrow(
                    "SELECT a.code FROM postings AS p JOIN accounts AS a ON a.tenant_id = p.tenant_id "
                    "AND a.id = p.account_id WHERE p.entry_id = $1 AND p.tenant_id = $2 AND p.side = 'DEBIT'",
                    derived_id(received.body.payment_intent_id, "capture"),
                    tenant_id,
                )
                assert row is not None
                # A change that is in progress when the posting begins may or may not be seen; an earlier one never again.
                if row["code"] in acknowledged[: before - 1]:
                    wrong.append((row["code"], acknowledged[before - 1]))

        async def change() -> None:
            for code in codes:
                shown = await changer.roles.on_assign_account_role(
                    AssignAccountRole(tenant_id=tenant_id, role=Role.CASH, account=code, actor="admin@example.com")
                )
                assert shown.account == code
                acknowledged.append(code)
                await posters[0].handle_captures(captured(tenant_id, at=clock.now()))
            stop.set()

        async with asyncio.TaskGroup() as group:
            for process in posters:
                group.create_task(poster(process))
            group.create_task(change())
        assert wrong == []
        assert await audit(ledger.database) == []
        # Of each account in turn, the last posting is older than the first one of the account after it.
        rows = await ledger.database.fetch(
            "SELECT a.code, min(p.posted_at) AS first, max(p.posted_at) AS last FROM postings AS p "
            "JOIN accounts AS a ON a.tenant_id = p.tenant_id AND a.id = p.account_id "
            "WHERE p.tenant_id = $1 AND p.side = 'DEBIT' GROUP BY a.code ORDER BY 2",
            tenant_id,
        )
        assert [row["code"] for row in rows if row["code"] != "CASH"] == codes
        assert all(one["last"] < two["first"] for one, two in itertools.pairwise(rows))

    async def test_every_role_shows_who_plays_it(self, ledger: Ledger, tenant_id: str) -> None:
        roles = (await ledger.roles.on_list_account_roles(ListAccountRoles(tenant_id=tenant_id))).roles
        assert [(role.role, role.account) for role in roles] == [(role, role.value) for role in Role]
        assert all(role.is_default and role.changed_by is None for role in roles)
        assert all(role.account_type in role.account_types for role in roles)

    async def test_a_change_is_remembered_with_who_and_when_and_made_once(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        await self.open(ledger, tenant_id, "SALES", AccountType.REVENUE)
        requested = AssignAccountRole(tenant_id=tenant_id, role=Role.REVENUE, account="SALES", actor="ana@example.com")
        first = await ledger.roles.on_assign_account_role(requested)
        assert (first.account, first.is_default, first.changed_at, first.changed_by) == (
            "SALES",
            False,
            clock.now(),
            "ana@example.com",
        )
        clock.advance(timedelta(hours=1))
        later = msgspec.structs.replace(requested, actor="bob@example.com")
        assert await ledger.roles.on_assign_account_role(later) == first
        await ledger.roles.on_assign_account_role(msgspec.structs.replace(later, account="REVENUE"))
        shown = await ledger.roles.on_get_account_role(GetAccountRole(tenant_id=tenant_id, role=Role.REVENUE))
        assert [(c.revision, c.account, c.changed_by) for c in shown.changes] == [
            (2, "REVENUE", "bob@example.com"),
            (1, "SALES", "ana@example.com"),
        ]
        assert shown.changes[0].changed_at - shown.changes[1].changed_at == timedelta(hours=1)
        assert shown.role.account == "REVENUE"

    async def test_revenue_is_recognised_later_where_the_tenant_chooses_so(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        await ledger.handle_captures(captured(tenant_id, at=clock.now(), amount_minor=100))
        deferred = AssignAccountRole(
            tenant_id=tenant_id, role=Role.REVENUE, account="DEFERRED_REVENUE", actor="ana@example.com"
        )
        assert (await ledger.roles.on_assign_account_role(deferred)).account_type is AccountType.LIABILITY
        await ledger.handle_captures(captured(tenant_id, at=clock.now(), amount_minor=700))
        assert await standing(ledger, tenant_id) == {"CASH": 800, "REVENUE": -100, "DEFERRED_REVENUE": -700}
        # Recognised in parts, by entries by hand; the last one empties it.
        books = Books(ledger.database, clock)
        for amount, left in (("2.50", {"DEFERRED_REVENUE": -450}), ("4.50", {})):
            clock.advance(timedelta(days=30))
            posted = await books.post(tenant_id, moved("DEFERRED_REVENUE", "REVENUE", amount))
            assert [each.outcome for each in posted.results] == [Outcome.POSTED]
            revenue = -800 - left.get("DEFERRED_REVENUE", 0)
            assert await standing(ledger, tenant_id) == {"CASH": 800, "REVENUE": revenue} | left
        await ledger.roles.on_assign_account_role(msgspec.structs.replace(deferred, account="REVENUE"))
        await ledger.handle_captures(captured(tenant_id, at=clock.now(), amount_minor=5))
        assert await standing(ledger, tenant_id) == {"CASH": 805, "REVENUE": -805}

    async def test_changes_at_once_are_numbered_one_after_the_other(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        codes = [f"BANK_{i}" for i in range(5)]
        for code in codes:
            await self.open(ledger, tenant_id, code, AccountType.ASSET)
        await asyncio.gather(
            *(
                Ledger(ledger.database, clock).roles.on_assign_account_role(
                    AssignAccountRole(tenant_id=tenant_id, role=Role.BANK, account=code, actor="a")
                )
                for code in codes
            )
        )
        shown = await ledger.roles.on_get_account_role(GetAccountRole(tenant_id=tenant_id, role=Role.BANK))
        assert [change.revision for change in shown.changes] == [5, 4, 3, 2, 1]
        assert sorted(change.account for change in shown.changes) == codes

    @pytest.mark.parametrize(
        ("role", "account", "fault"),
        [
            (Role.CASH, "NOBODY", AccountUnknown),
            (Role.CASH, "REVENUE", RoleUnfit),
            (Role.GATEWAY_CLEARING, "CASH", RoleConflict),
            (Role.REFUND_EXPENSE, "BANK", RoleUnfit),
        ],
    )
    async def test_a_configuration_that_cannot_be_right_is_not_saved(
        self, ledger: Ledger, tenant_id: str, role: Role, account: str, fault: type[Rejected]
    ) -> None:
        requested = AssignAccountRole(tenant_id=tenant_id, role=role, account=account, actor="a")
        with pytest.raises(fault):
            await ledger.roles.on_assign_account_role(requested)
        shown = await ledger.roles.on_get_account_role(GetAccountRole(tenant_id=tenant_id, role=role))
        assert (shown.role.account, shown.changes) == (role.value, [])

    async def test_another_tenants_account_is_unknown(self, ledger: Ledger, tenant_id: str) -> None:
        await self.open(ledger, f"{tenant_id}-b", "THEIRS", AccountType.ASSET)
        with pytest.raises(AccountUnknown):
            await ledger.roles.on_assign_account_role(
                AssignAccountRole(tenant_id=tenant_id, role=Role.CASH, account="THEIRS", actor="a")
            )

    async def test_a_posting_that_takes_too_long_makes_a_change_wait_only_so_long(
        self, ledger: Ledger, clock: ManualClock, tenant_id: str
    ) -> None:
        await self.open(ledger, tenant_id, "CASH_2", AccountType.ASSET)
        async with ledger.database.transaction() as tx:
            await ledger.payments.handler(gateway.PaymentCaptured)(tx, [captured(tenant_id, at=clock.now())])
            with pytest.raises(Unavailable):
                await ledger.roles.on_assign_account_role(
                    AssignAccountRole(tenant_id=tenant_id, role=Role.CASH, account="CASH_2", actor="a")
                )
