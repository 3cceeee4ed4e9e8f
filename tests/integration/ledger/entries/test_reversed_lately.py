"""What reconciliation reads of reversals: those of a window by their own time, however old the entries are that they take back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.ids import derived_id
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.entries.test_columns import moved
from tests.integration.ledger.entries.test_facts import MINUTE, ask, paid, payments_of

FIRST = UUID(int=0)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def reverse(ledger: Ledger, tenant_id: str, subject: UUID, kind: EntryKind) -> UUID:
    entry_id = derived_id(subject, kind)
    await ledger.entries._commands.reverse(tenant_id, entry_id)
    return entry_id


async def test_reversals_of_a_window_come_in_the_order_of_payments(
    ledger: Ledger, clock: ManualClock, tenant_id: str
) -> None:
    one, two, three = await paid(ledger, tenant_id, payments=3, refunds=1)
    movement = await moved(ledger, tenant_id, two)
    [foreign] = await paid(ledger, f"{tenant_id}-b")
    clock.advance(100 * MINUTE)
    since = clock.now()
    captures = [await reverse(ledger, tenant_id, each, EntryKind.CAPTURE) for each in (three, one)]
    of_movement = await reverse(ledger, tenant_id, movement, EntryKind.MOVEMENT)
    available = await reverse(ledger, tenant_id, movement, EntryKind.AVAILABLE)
    await reverse(ledger, f"{tenant_id}-b", foreign, EntryKind.CAPTURE)
    window = {"reversed_from": since, "reversed_until": since + timedelta(hours=1)}
    first = await ask(ledger, tenant_id, after=FIRST, limit=2, **window)
    assert ([each.reverses for each in first.items], first.next_after) == ([captures[1], of_movement], two)
    rest = await ask(ledger, tenant_id, after=first.next_after, limit=2, **window)
    assert ([each.reverses for each in rest.items], rest.next_after) == ([captures[0]], None)
    assert payments_of((await ask(ledger, tenant_id, after=FIRST, until=two, **window)).items) == [one, two]
    # What belongs to no payment comes by itself.
    alone = await ask(ledger, tenant_id, **window)
    assert [(each.reverses, each.payment_intent_id) for each in alone.items] == [(available, None)]
    for start in (LONG_AGO, since + timedelta(hours=1)):
        other = {"reversed_from": start, "reversed_until": start + timedelta(hours=1)}
        assert (await ask(ledger, tenant_id, after=FIRST, **other)).items == ()


@pytest.mark.parametrize(
    "of",
    [
        {"reversed_from": LONG_AGO},
        {"reversed_until": LONG_AGO},
        {"reversed_from": LONG_AGO, "reversed_until": LONG_AGO, "entry_ids": (FIRST,)},
        {"reversed_from": LONG_AGO, "reversed_until": LONG_AGO, "payment_intent_ids": (FIRST,)},
        {"reversed_from": LONG_AGO, "reversed_until": LONG_AGO, "in_columns": True},
    ],
)
async def test_reversals_of_anything_but_a_range_are_refused(
    ledger: Ledger, tenant_id: str, of: dict[str, object]
) -> None:
    with pytest.raises(QueryInvalid):
        await ask(ledger, tenant_id, **of)
