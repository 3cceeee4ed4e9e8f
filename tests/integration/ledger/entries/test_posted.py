"""What reconciliation reads of all that was posted in a time: ids alone, page by page, each once, whatever else is posted."""

from datetime import timedelta
from uuid import UUID

import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.ids import derived_id
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.entries.test_columns import moved
from tests.integration.ledger.entries.test_facts import MINUTE, ask, paid


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_all_that_was_posted_is_listed_once(
    ledger: Ledger, clock: ManualClock, tenant_id: str, limit: int
) -> None:
    [before] = await paid(ledger, tenant_id)
    clock.advance(MINUTE)
    since = clock.now()
    first, second = await paid(ledger, tenant_id, payments=2, refunds=1)
    movement = await moved(ledger, tenant_id, before)
    await paid(ledger, f"{tenant_id}-b")
    window = {"posted_from": since, "posted_until": since + timedelta(hours=1)}
    alone: list[str] = []
    payments: set[str] = set()
    after: UUID | None = None
    for _ in range(20):
        page = (await ask(ledger, tenant_id, after=after, until=first, limit=limit, **window)).posted
        assert page is not None
        alone += page.alone.split(",") if page.alone else []
        payments |= {*page.payment_intent_ids.split(",")} - {""}
        if page.next_from is None:
            break
        window["posted_from"], after = page.next_from, page.next_after
    assert alone == [str(derived_id(movement, EntryKind.AVAILABLE))]
    # One that is beyond the range is not; the older one is, since what moved for it was posted now.
    assert payments == {str(before), str(first)} - {str(second)}
    other = {"posted_from": since + timedelta(hours=2), "posted_until": since + timedelta(hours=3)}
    nothing = (await ask(ledger, tenant_id, **other)).posted
    assert nothing is not None
    assert (nothing.alone, nothing.payment_intent_ids, nothing.next_from) == ("", "", None)


@pytest.mark.parametrize(
    "of",
    [
        {"posted_until": None},
        {"entry_ids": (UUID(int=1),)},
        {"payment_intent_ids": (UUID(int=1),)},
        {"in_columns": True},
        {"limit": 5_001},
        {"limit": 0},
    ],
)
async def test_what_was_posted_is_not_listed_of_anything_else(
    ledger: Ledger, clock: ManualClock, tenant_id: str, of: dict[str, object]
) -> None:
    window = {"posted_from": clock.now(), "posted_until": clock.now()} | of
    with pytest.raises(QueryInvalid):
        await ask(ledger, tenant_id, **window)
