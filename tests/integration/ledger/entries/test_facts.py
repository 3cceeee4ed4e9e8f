"""What reconciliation reads of the books: whole payments in the order of their ids, each tenant's alone, roles as they were."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import gateway
from libs.common.contracts.ledger import AccountType, EntryKind, OpenAccount
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_facts import EntryFact, EntryFactPage, ListEntryFacts
from libs.common.contracts.ledger_roles import AssignAccountRole, Role
from libs.common.ids import derived_id, new_id
from libs.common.messaging import Received
from services.ledger.entries.queries import entry_facts
from services.ledger.entries.sql import facts
from tests.integration.ledger.conftest import Ledger, captured

MINUTE = timedelta(minutes=1)


def refunded(
    tenant_id: str, payment: UUID, *, like: Received[gateway.PaymentCaptured]
) -> Received[gateway.RefundSucceeded]:
    return Received(
        id=new_id(),
        body=gateway.RefundSucceeded(
            payment_intent_id=payment,
            refund_id=new_id(),
            amount_minor=100,
            currency="BRL",
            gateway_ref="re_1",
            refunded_at=like.occurred_at,
        ),
        occurred_at=like.occurred_at,
        correlation=like.correlation,
        attempt=0,
    )


async def paid(ledger: Ledger, tenant_id: str, *, payments: int = 1, refunds: int = 0) -> list[UUID]:
    """Post captures of new payments, and refunds of each."""
    made = [new_id() for _ in range(payments)]
    events = [captured(tenant_id, at=ledger.clock.now(), payment_intent_id=payment) for payment in made]
    await ledger.handle_captures(*events)
    returned = [refunded(tenant_id, payment, like=events[0]) for payment in made for _ in range(refunds)]
    await ledger.handle(ledger.payments.handler(gateway.RefundSucceeded), returned)
    return made


async def ask(ledger: Ledger, tenant_id: str, **of: object) -> EntryFactPage:
    return await ledger.entries.on_list_entry_facts(ListEntryFacts(tenant_id=tenant_id, **of))  # type: ignore[arg-type]


def payments_of(items: Iterable[EntryFact]) -> list[UUID | None]:
    return list(dict.fromkeys(item.payment_intent_id for item in items))


@pytest.mark.parametrize("limit", [1, 4, 5, 6, 100])
async def test_pages_join_to_whole_payments_once(ledger: Ledger, tenant_id: str, limit: int) -> None:
    mine: list[UUID] = []
    for _ in range(3):
        mine += await paid(ledger, tenant_id, payments=2, refunds=1)
        await paid(ledger, f"{tenant_id}-b", refunds=2)
    mine += await paid(ledger, tenant_id, refunds=5)
    found: list[EntryFact] = []
    after: UUID | None = None
    while True:
        page = await ask(ledger, tenant_id, after=after, until=mine[-1], limit=limit)
        assert page.is_whole
        assert len(page.items) <= max(limit, 6)
        found += page.items
        # Paid and given back meanwhile: beyond the range, and before where the page ended.
        await paid(ledger, tenant_id)
        if page.next_after is None:
            break
        after = page.next_after
        assert after == page.items[-1].payment_intent_id
    assert payments_of(found) == mine
    assert len({item.entry_id for item in found}) == len(found) == 6 * 2 + 6
    assert [(item.payment_intent_id, item.entry_id) for item in found] == sorted(
        (item.payment_intent_id, item.entry_id) for item in found
    )


async def test_named_payments_and_entries_are_the_tenants_own(ledger: Ledger, tenant_id: str) -> None:
    one, two, _ = await paid(ledger, tenant_id, payments=3, refunds=1)
    [foreign] = await paid(ledger, f"{tenant_id}-b")
    page = await ask(ledger, tenant_id, payment_intent_ids=(two, one, foreign, new_id()), after=two)
    assert (payments_of(page.items), len(page.items), page.next_after) == ([one, two], 4, None)
    # Cut where the first has all it has; those beyond it are requested again.
    cut = await ask(ledger, tenant_id, payment_intent_ids=(two, one), limit=3)
    assert (payments_of(cut.items), cut.next_after) == ([one], one)
    captures = tuple(derived_id(payment, EntryKind.CAPTURE) for payment in (two, foreign, new_id()))
    [entry] = (await ask(ledger, tenant_id, entry_ids=captures)).items
    assert (entry.entry_id, entry.kind, entry.amount_minor, entry.currency) == (captures[0], "capture", 15050, "BRL")
    assert (entry.amounts, entry.is_reversed) == ({"CASH": 15050, "REVENUE": -15050}, False)


async def test_payment_with_too_many_entries_is_marked(ledger: Ledger, tenant_id: str) -> None:
    many, next_one = await paid(ledger, tenant_id, payments=2, refunds=4)
    request = ListEntryFacts(tenant_id=tenant_id, limit=2)
    page = await entry_facts(ledger.database, request, payment_entries_max=4)
    assert (len(page.items), page.next_after, page.is_whole) == (4, many, False)
    page = await entry_facts(
        ledger.database, ListEntryFacts(tenant_id=tenant_id, after=many, limit=2), payment_entries_max=5
    )
    assert (len(page.items), page.next_after, page.is_whole) == (5, next_one, True)


async def test_amounts_stand_under_the_role_of_their_time(ledger: Ledger, clock: ManualClock, tenant_id: str) -> None:
    before, reversed_one = await paid(ledger, tenant_id, payments=2)
    await ledger.accounts.on_open_account(
        OpenAccount(
            tenant_id=tenant_id, account_id=new_id(), code="SALES", label="Sales", account_type=AccountType.REVENUE
        )
    )
    clock.advance(MINUTE)
    await ledger.roles.on_assign_account_role(
        AssignAccountRole(tenant_id=tenant_id, role=Role.REVENUE, account="SALES", actor="ana@example.com")
    )
    clock.advance(MINUTE)
    [later] = await paid(ledger, tenant_id)
    entry_id = derived_id(reversed_one, EntryKind.CAPTURE)
    reversal = await ledger.entries._commands.reverse(tenant_id, entry_id)
    found = {item.entry_id: item for item in (await ask(ledger, tenant_id)).items}
    for payment in (before, later):
        assert found[derived_id(payment, EntryKind.CAPTURE)].amounts == {"CASH": 15050, "REVENUE": -15050}
    assert (found[entry_id].is_reversed, found[reversal.id].reverses) == (True, entry_id)
    # What it takes back stands on the account that has lost the role since.
    assert found[reversal.id].amounts == {"CASH": -15050, "OTHER": 15050}


@pytest.mark.parametrize(
    "of",
    [
        {"limit": 0},
        {"limit": 5001},
        {"payment_intent_ids": (UUID(int=1),) * 501},
        {"entry_ids": (UUID(int=1),) * 1001},
    ],
)
async def test_request_beyond_a_limit_is_refused(ledger: Ledger, tenant_id: str, of: dict[str, object]) -> None:
    with pytest.raises(QueryInvalid):
        await ask(ledger, tenant_id, **of)


async def test_page_is_read_in_the_order_of_an_index(ledger: Ledger) -> None:
    values = facts.IN_RANGE.arguments({"tenant_id": "t", "after": UUID(int=0), "until": UUID(int=9), "limit": 9})
    async with ledger.database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) {facts.IN_RANGE.text}", *values)
    assert "ix_journal_entries_payment" in plan
    assert "pk_postings" in plan
    assert '"Incremental Sort"' not in plan
