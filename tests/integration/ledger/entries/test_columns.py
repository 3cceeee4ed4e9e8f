"""What reconciliation reads of the books as lists is what it reads entry by entry, and of plain payments alone."""

from typing import Any
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts import gateway
from libs.common.contracts.gateway_movements import (
    Direction,
    MovementAvailable,
    MovementFee,
    MovementKind,
    MovementRecorded,
)
from libs.common.contracts.ledger import AccountType, EntryKind, OpenAccount
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_facts import EntryColumns
from libs.common.contracts.ledger_roles import AssignAccountRole, Role
from libs.common.ids import derived_id, new_id
from libs.common.messaging import Received
from services.ledger.entries.sql import facts
from tests.integration.ledger.conftest import Ledger, captured
from tests.integration.ledger.entries.test_facts import ask, paid, refunded

AMOUNT, FEES = 15050, {"processor": 300, "tax": 20, "platform": 7}
NET = AMOUNT - sum(FEES.values())
_LISTS = (
    *("payment_intent_ids", "currencies", "captured_minor", "movement_entry_ids"),
    *("pending_minor", "processor_fees_minor", "tax_minor", "platform_fees_minor"),
)


async def moved(ledger: Ledger, tenant_id: str, payment: UUID) -> UUID:
    """Post what moved for a payment, and that it can be paid out; returns its id."""
    like = captured(tenant_id, at=ledger.clock.now())
    fields: dict[str, Any] = {
        "movement_id": new_id(),
        "gateway_ref": "txn_1",
        "direction": Direction.IN,
        "currency": "BRL",
        "happened_at": like.occurred_at,
    }
    recorded = MovementRecorded(
        **fields,
        amount_minor=AMOUNT,
        kind=MovementKind.CHARGE,
        source_ref="ch_1",
        payment_intent_id=payment,
        fees=tuple(
            MovementFee(kind=kind, direction=Direction.OUT, amount_minor=part)  # type: ignore[arg-type]
            for kind, part in FEES.items()
        ),
    )
    for body, handler in (
        (recorded, ledger.payments.on_movement_recorded),
        (MovementAvailable(**fields, amount_minor=NET), ledger.payments.on_movement_available),
    ):
        arrived = Received(
            id=new_id(), body=body, occurred_at=like.occurred_at, correlation=like.correlation, attempt=0
        )
        await ledger.handle(handler, [arrived])  # type: ignore[arg-type]
    movement_id: UUID = fields["movement_id"]
    return movement_id


def rows(columns: EntryColumns, *names: str) -> list[tuple[str, ...]]:
    lists = [getattr(columns, name) for name in names]
    return sorted(zip(*(each.split(",") if each else [] for each in lists), strict=True))


async def columns_of(ledger: Ledger, tenant_id: str, **of: object) -> EntryColumns:
    page = await ask(ledger, tenant_id, in_columns=True, **of)
    assert page.columns is not None
    assert page.items == ()
    return page.columns


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 5_000])
async def test_plain_payments_are_listed_as_their_entries_are(ledger: Ledger, tenant_id: str, limit: int) -> None:
    one, alone, returned, two, taken_back = await paid(ledger, tenant_id, payments=5)
    movements = {each: await moved(ledger, tenant_id, each) for each in (one, returned, two, taken_back)}
    await ledger.handle(
        ledger.payments.handler(gateway.RefundSucceeded),
        [refunded(tenant_id, returned, like=captured(tenant_id, at=ledger.clock.now()))],
    )
    await ledger.entries._commands.reverse(tenant_id, derived_id(taken_back, EntryKind.CAPTURE))
    await paid(ledger, f"{tenant_id}-b")
    found: list[tuple[str, ...]] = []
    others: list[str] = []
    after: UUID | None = None
    while True:
        page = await ask(ledger, tenant_id, in_columns=True, after=after, until=taken_back, limit=limit)
        assert page.columns is not None
        found += rows(page.columns, *_LISTS)
        others += page.columns.others.split(",") if page.columns.others else []
        if page.next_after is None:
            break
        after = page.next_after
    # One that has more entries than a page is left to be read by itself.
    plain = [one, two] if limit > 1 else []
    assert found == [
        (
            *(str(payment), "BRL", str(AMOUNT), str(derived_id(movements[payment], EntryKind.MOVEMENT))),
            *(str(part) for part in (NET, *FEES.values())),
        )
        for payment in plain
    ]
    assert {*others} == {str(each) for each in (one, alone, returned, two, taken_back) if each not in plain}
    assert len(others) == len({*others})
    entries = {item.entry_id: item for item in (await ask(ledger, tenant_id, payment_intent_ids=(*plain,))).items}
    for row in found:
        item = entries[UUID(row[3])]
        named = ("PROCESSOR_PENDING", "PROCESSOR_FEES", "TAX_RECOVERABLE", "PLATFORM_FEES")
        assert tuple(str(item.amounts.get(name, 0)) for name in named) == row[4:]


async def test_expected_entries_are_those_that_stand(ledger: Ledger, tenant_id: str) -> None:
    one, two = await paid(ledger, tenant_id, payments=2)
    ids = [derived_id(await moved(ledger, tenant_id, each), EntryKind.AVAILABLE) for each in (one, two)]
    [foreign] = await paid(ledger, f"{tenant_id}-b")
    expected = ",".join(map(str, (*ids, new_id(), derived_id(foreign, EntryKind.CAPTURE))))
    names = ("expected_ids", "expected_minor", "expected_currencies")
    found = await columns_of(ledger, tenant_id, expected=expected)
    assert rows(found, *names) == sorted((str(each), str(NET), "BRL") for each in ids)
    await ledger.entries._commands.reverse(tenant_id, ids[0])
    assert rows(await columns_of(ledger, tenant_id, expected=expected), *names) == [(str(ids[1]), str(NET), "BRL")]


@pytest.mark.parametrize("role", [Role.TAX_RECOVERABLE, Role.PROCESSOR_PENDING])
async def test_payment_on_an_account_of_several_roles_is_not_plain(
    ledger: Ledger, clock: ManualClock, tenant_id: str, role: Role
) -> None:
    [one] = await paid(ledger, tenant_id)
    await moved(ledger, tenant_id, one)
    assert (await columns_of(ledger, tenant_id)).payment_intent_ids == str(one)
    account = OpenAccount(
        tenant_id=tenant_id, account_id=new_id(), code="OTHERS", label="Others", account_type=AccountType.ASSET
    )
    await ledger.accounts.on_open_account(account)
    await ledger.roles.on_assign_account_role(
        AssignAccountRole(tenant_id=tenant_id, role=role, account="OTHERS", actor="ana@example.com")
    )
    found = await columns_of(ledger, tenant_id)
    assert (found.payment_intent_ids, found.others) == ("", str(one))


@pytest.mark.parametrize(
    "of",
    [
        {"in_columns": True, "limit": 5_001},
        {"in_columns": True, "entry_ids": (UUID(int=1),)},
        {"in_columns": True, "payment_intent_ids": (UUID(int=1),)},
        {"in_columns": True, "expected": "1"},
        {"in_columns": True, "expected": f"{UUID(int=1)}\n"},
        {"in_columns": True, "expected": ",".join([str(UUID(int=1))] * 10_001)},
        {"expected": str(UUID(int=1))},
    ],
)
async def test_request_for_what_columns_lack_is_refused(ledger: Ledger, tenant_id: str, of: dict[str, object]) -> None:
    with pytest.raises(QueryInvalid):
        await ask(ledger, tenant_id, **of)


async def test_lists_are_read_by_indexes(ledger: Ledger) -> None:
    values = facts.COLUMNS.arguments(
        {"tenant_id": "t", "after": UUID(int=0), "until": UUID(int=9), "limit": 9, "accounts": [], "roles": []}
    )
    async with ledger.database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) {facts.COLUMNS.text}", *values)
    for index in ("ix_journal_entries_payment", "pk_postings", "uq_journal_entries_reverses"):
        assert index in plan
