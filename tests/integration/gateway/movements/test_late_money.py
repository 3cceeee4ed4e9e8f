"""Money that nobody has reported, since its events were lost or there is no endpoint, is found in the statement."""

import json
import random
from uuid import UUID

import msgspec
import pytest

from deploy.fake_stripe import refunds
from libs.common.contracts.gateway import RefundFailed, RefundSucceeded
from libs.common.ids import derived_id, parse_id
from services.gateway import metrics
from services.gateway.movements.domain import adopted_id
from tests.integration.gateway.movements.test_adopting import lose
from tests.support.statement import Merchant, processor_accounts


async def found(merchant: Merchant) -> list[str]:
    """Read some rounds; returns which outcomes that brought, once the books are Stripe's."""
    outcomes: list[str] = []
    for minutes in (1, 10, 10):
        merchant.advance(minutes=minutes)
        await merchant.read()
        published = await merchant.published()
        await merchant.handle(published, random.Random(3))
        outcomes += [e.body.contract.name for e in published if e.body.contract.name.startswith("payment.")]
    standing = await merchant.standing()
    assert processor_accounts(standing) == merchant.at_stripe()
    # What was captured is booked, so that what the statement has of it clears.
    assert {"CASH BRL", "SUSPENSE BRL"} & standing.keys() == set()
    return outcomes


@pytest.mark.parametrize("is_expiry_known", [True, False], ids=["expired", "its expiry was lost too"])
async def test_pix_that_was_paid_late_is_adopted_without_its_event(merchant: Merchant, is_expiry_known: bool) -> None:
    _, reference = await merchant.show(15_050)
    merchant.advance(hours=25)
    if is_expiry_known:
        await merchant.deliver()
        assert [e.body.contract.name for e in await merchant.published()][-1].endswith("expired")
    lose(merchant)
    merchant.control(f"payment_intents/{reference}/pay")
    lose(merchant)
    counted = metrics.STATEMENT_ADOPTED.labels("charges")._value
    before = counted.get()
    assert await found(merchant) == ["payment.authorized", "payment.captured"]
    assert (await merchant.standing())["REVENUE BRL"] == -15_050
    assert counted.get() == before + 1


async def test_unreported_capture_is_adopted_once_though_its_event_is_late(
    merchant: Merchant,
) -> None:
    await merchant.pay(15_050, captured=9_000)
    events = list(merchant.books.events.values())
    lose(merchant)
    assert await found(merchant) == ["payment.authorized", "payment.captured"]
    merchant._delivered -= len(events)
    await merchant.deliver()
    assert await found(merchant) == []
    assert (await merchant.standing())["REVENUE BRL"] == -9_000


async def test_voided_pix_that_was_paid_is_for_a_person_once(merchant: Merchant) -> None:
    """What was refused by us and paid all the same is the same as where its event comes: it is kept, and counted."""
    _, reference = await merchant.show(15_050)
    await merchant.charging.write("UPDATE attempts SET status = 'DECLINED', reason = 'canceled' RETURNING 1")
    merchant.control(f"payment_intents/{reference}/pay")
    lose(merchant)
    for _ in range(3):
        merchant.advance(minutes=10)
        await merchant.read()
    events = await merchant.charging.fetch("SELECT status FROM stripe_events")
    assert [row["status"] for row in events] == ["CONTRADICTED"]


async def test_charge_of_a_hold_that_ended_is_no_capture(merchant: Merchant) -> None:
    intent, reference = await merchant.pay(15_050, captured=0)
    await merchant.pay(1_000)
    account = await merchant.account()
    (moved,) = (await merchant.reader.movements(since=account.known_at)).items
    held = next(each for each in merchant.books.charges.values() if each["payment_intent"] == reference)
    shown = msgspec.structs.replace(moved, payment_intent_id=intent)
    merchant.advance(hours=1)
    for captured, events in ((False, 0), (True, 1)):
        held["captured"] = captured
        shown = msgspec.structs.replace(shown, raw=json.dumps({"source": held}))
        await merchant.reading._adopt.captures(account, [shown], at=merchant.clock.now())
        kept = await merchant.charging.fetch("SELECT 1 FROM stripe_events WHERE id LIKE 'read_%'")
        assert len(kept) == events


async def test_refund_of_lost_time_keeps_the_id_that_stripe_has(merchant: Merchant) -> None:
    intent, reference = await merchant.pay(15_050)
    other, elsewhere = await merchant.pay(9_000)
    await merchant.deliver()
    await merchant.book()
    given = await merchant.give_back(other, elsewhere, 1_000)
    lost, taken = derived_id(intent, "lost"), parse_id(merchant.books.refunds[given]["metadata"]["refund_id"])
    made = {}
    # Only the first one is the one that was lost: the others are of another payment, of somebody else's ids, and copies.
    for amount, refund_id in (
        (5_000, lost),
        (700, taken),
        (200, UUID("ffffffff-ffff-4fff-8fff-ffffffffffff")),
        (300, lost),
    ):
        merchant.advance(seconds=1)
        made[amount] = give_back_at_stripe(merchant, reference, intent, refund_id, amount)
    await merchant.read()
    made[400] = give_back_at_stripe(merchant, reference, intent, lost, 400)
    merchant.advance(hours=1)
    published = await merchant.published()
    await merchant.read()
    published += await merchant.published()
    adopted = {e.body.amount_minor: e.body.refund_id for e in published if is_adopted(e.body)}
    assert adopted == {
        amount: lost if amount == 5_000 else adopted_id(merchant.tenant_id, intent, refund)
        for amount, refund in made.items()
    }
    await merchant.handle(published)

    # Each comes back under the id under which it was given, also where its metadata has been changed.
    merchant.books.refunds[made[5_000]]["metadata"] = {}
    for amount in (5_000, 400):
        merchant.control(f"refunds/{made[amount]}/failed")
    merchant.advance(hours=7)
    await merchant.read()
    published = await merchant.published()
    failed = {e.body.amount_minor: e.body.refund_id for e in published if isinstance(e.body, RefundFailed)}
    assert failed == {amount: adopted[amount] for amount in (5_000, 400)}
    await merchant.handle(published)
    assert processor_accounts(await merchant.standing()) == merchant.at_stripe()


def give_back_at_stripe(merchant: Merchant, reference: str, intent: UUID, refund_id: UUID | None, amount: int) -> str:
    """Refund a payment at Stripe with ids in the metadata; returns its reference."""
    metadata = {"payment_intent_id": str(intent), "refund_id": str(refund_id)}
    params = {"payment_intent": reference, "amount": str(amount), "metadata": metadata}
    return str(refunds.create_refund(merchant.books, params)["id"])


def is_adopted(body: object) -> bool:
    """Whether it reports a refund that nobody is known to have requested."""
    return isinstance(body, RefundSucceeded) and body.is_adopted
