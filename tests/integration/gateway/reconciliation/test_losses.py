"""What a report says is apart counts each loss once, in however many aspects the sides differ because of it."""

from typing import Any

import msgspec
import pytest

from libs.common.ids import new_id
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.listing import Listing
from tests.integration.gateway.reconciliation.test_at_once import paid, record
from tests.integration.gateway.reconciliation.test_only_booked import LATELY, SINCE, UNTIL, K, Posting


@pytest.fixture
def sides(office: Office) -> Posting:
    office.sides = found = Posting()
    office.runs = office.another()
    return found


def post(sides: Posting, number: int, *, is_known: bool) -> Any:
    """Post the entries of a payment in the window; returns it."""
    made = paid(number)
    if is_known:
        sides.facts += Listing(made).facts
    sides.booked += [msgspec.structs.replace(entry, posted_at=LATELY) for entry in made.entries]
    return made


async def unsettled(office: Office) -> tuple[int, dict[str, int]]:
    """Compare; return how many discrepancies are unsettled, and by how much the sides are apart, by currency."""
    run = await office.compare(SINCE, UNTIL)
    assert run.state == "complete"
    assert run.report is not None
    amounts: dict[str, int] = {}
    for each in run.report.unsettled:
        amounts[each.currency] = amounts.get(each.currency, 0) + each.amount_minor
    return sum(each.number for each in run.report.unsettled), amounts


async def test_movement_that_is_lost_counts_once(office: Office, sides: Posting) -> None:
    post(sides, 1, is_known=True)
    # The payment, its entry, and the one by which it can be paid out, which names no payment and is less by the fee.
    assert await unsettled(office) == (3, {"BRL": 100})
    post(sides, 2, is_known=True)
    assert await unsettled(office) == (6, {"BRL": 200})


async def test_payment_that_is_lost_counts_once(office: Office, sides: Posting) -> None:
    await record(office, post(sides, 1, is_known=False))
    # The processor and the books have it.
    assert await unsettled(office) == (2, {"BRL": 100})


async def test_each_movement_counts_for_itself(office: Office, sides: Posting) -> None:
    await office.move(100, LATELY, status="available")
    await office.move(30, LATELY, status="available")
    await office.move(7, LATELY, status="available", currency="JPY")
    assert await unsettled(office) == (3, {"BRL": 130, "JPY": 7})


async def test_fee_counts_beside_what_is_lost(office: Office, sides: Posting) -> None:
    made = paid(1)
    sides.facts += Listing(made).facts
    # Two things: the books have another fee, and a refund that we do not have.
    entries = [msgspec.structs.replace(entry, posted_at=LATELY) for entry in made.entries]
    entries[1] = msgspec.structs.replace(entries[1], amounts=entries[1].amounts | {"PROCESSOR_FEES": 24})
    sides.booked += entries
    await record(office, made)
    sides.book(K.REFUND, new_id(LATELY), intent=made.payment["payment_intent_id"])
    assert await unsettled(office) == (2, {"BRL": 100 + 5})
