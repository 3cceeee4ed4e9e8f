"""What a report says is apart counts each loss once, in however many aspects the sides differ because of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

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


@pytest.fixture
def patient(office: Office, sides: Posting) -> None:
    """What was posted within a day may be a matter of time."""
    office.runs._schedule = msgspec.structs.replace(office.runs._schedule, timing=timedelta(days=1))


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


async def test_movement_of_no_payment_that_is_lost_counts_once(office: Office, sides: Posting) -> None:
    fee = new_id(LATELY)
    sides.book(K.MOVEMENT, fee)
    sides.book(K.AVAILABLE, fee)
    assert await unsettled(office) == (2, {"BRL": 100})
    # Of another one only that it can be paid out is in the books, in the same second.
    sides.book(K.AVAILABLE, new_id(LATELY))
    assert await unsettled(office) == (3, {"BRL": 200})


async def test_payments_of_one_second_count_each_for_itself(office: Office, sides: Posting) -> None:
    # The processor's times are seconds, and so are those in the ids of its movements.
    for _ in range(3):
        post(sides, 1, is_known=True)
    assert await unsettled(office) == (9, {"BRL": 300})


async def test_payouts_count_each_for_itself_early_and_late(office: Office, sides: Posting, patient: None) -> None:
    # Ids of payouts have no time.
    for number in (7, 8, 9):
        sides.book(K.PAYOUT_PAID, UUID(int=number))
    sides.booked[-1] = msgspec.structs.replace(sides.booked[-1], posted_at=UNTIL - timedelta(hours=1))
    assert await unsettled(office) == (3, {"BRL": 300})


async def test_refund_that_is_lost_counts_once_from_the_first_day_on(
    office: Office, sides: Posting, patient: None
) -> None:
    intent = new_id(LATELY)
    # We lack it, and so does the processor.
    sides.book(K.REFUND, new_id(LATELY), intent=intent)
    sides.book(K.MOVEMENT, new_id(LATELY), intent=intent)
    sides.booked = [msgspec.structs.replace(each, posted_at=UNTIL - timedelta(hours=1)) for each in sides.booked]
    assert await unsettled(office) == (2, {"BRL": 100})
