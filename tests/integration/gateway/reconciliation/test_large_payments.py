"""A payment that has more than is read of one is a discrepancy as a whole: nothing of it is compared, and no month closed over it unseen."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.common.contracts.api_facts import PaymentFact, RefundFact
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.ids import new_id
from tests.integration.gateway.reconciliation.conftest import Office

MADE = datetime(2026, 10, 30, tzinfo=UTC)
MOVED = MADE + timedelta(days=2)


@pytest.mark.parametrize("since", [MADE, MOVED], ids=["of the window", "older"])
async def test_a_payment_that_is_too_large_is_found_whole(office: Office, since: datetime) -> None:
    intent = new_id(MADE)
    office.sides.part_of = EntryFact(
        entry_id=new_id(MADE),
        kind=EntryKind.CAPTURE,
        payment_intent_id=intent,
        currency="BRL",
        amount_minor=100,
        amounts={},
        occurred_at=MADE,
        posted_at=MADE,
    )
    await office.move(100, MOVED, payment_intent_id=intent, kind="charge", source_ref="ch_1")

    async def unsettled() -> set[tuple[str, str]]:
        rows = await office.rows("SELECT type, aspect FROM discrepancies WHERE tenant_id = $1 AND settled_at IS NULL")
        return {(row["type"], row["aspect"]) for row in rows}

    for new in (1, 0):
        run = await office.compare(since, MOVED + timedelta(hours=1))
        assert (run.found, run.new) == ({"AMBIGUOUS": 1}, new)
        assert await unsettled() == {("AMBIGUOUS", "size")}
        office.clock.advance(timedelta(minutes=1))
    office.sides.part_of = None
    await office.compare(since, MOVED + timedelta(hours=1))
    found = await unsettled()
    assert found
    assert ("AMBIGUOUS", "size") not in found


async def test_an_old_payment_is_compared_where_it_was_given_back_here_alone(office: Office) -> None:
    """Nothing moved for the refund, so that our statement does not lead to the payment."""
    made, given_back = MADE - timedelta(days=90), MADE + timedelta(hours=1)
    intents = [new_id(made + timedelta(minutes=number)) for number in range(3)]
    office.sides.payments = [
        PaymentFact(
            payment_intent_id=intent,
            status="PARTIALLY_REFUNDED",
            amount_minor=100,
            captured_minor=0,
            currency="BRL",
            gateway_ref="pi_1",
            payment_method_type="card",
            created_at=made,
            updated_at=given_back,
            refunds=(
                RefundFact(refund_id=new_id(given_back), amount_minor=70, status="COMPLETED", gateway_ref="re_1"),
            ),
        )
        for intent in intents
    ]
    run = await office.compare(MADE, MOVED)
    assert run.payments == 3
    rows = await office.rows("SELECT payment_intent_id FROM discrepancies WHERE tenant_id = $1 AND type = 'NOT_BOOKED'")
    assert {row["payment_intent_id"] for row in rows} == {*intents}
