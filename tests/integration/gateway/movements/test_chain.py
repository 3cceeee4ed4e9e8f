"""A statement from Stripe into the books: pushed and pulled, page by page, once, whoever reads it and whatever is lost."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from deploy.fake_stripe import Fault, FaultKind, payments, payouts, refunds
from libs.common.contracts.gateway import RefundFailed, RefundSucceeded
from libs.common.contracts.gateway_movements import DisputeAmountChanged
from libs.common.ids import new_id
from libs.common.messaging.resend import Window
from services.gateway import metrics
from services.gateway.movements import resend
from services.gateway.movements.domain import ListKind
from services.gateway.movements.sql import readings
from services.gateway.processors.port.reading import (
    StatementMovement,
    StatementPage,
    StatementPayout,
    StatementReader,
)
from services.gateway.processors.stripe import StripeReader
from tests.support.statement import Merchant, processor_accounts


async def movements(merchant: Merchant) -> list[dict[str, object]]:
    rows = await merchant.charging.fetch("SELECT * FROM processor_movements ORDER BY created_at, id")
    return [dict(row) for row in rows]


async def broken(_: str) -> StatementReader:
    """Stands for a bug in what reads."""
    raise KeyError("no such member")


async def names(merchant: Merchant) -> list[str]:
    return sorted(event.body.contract.name for event in await merchant.published())


async def test_movement_that_is_pushed_and_pulled_is_published_once(merchant: Merchant) -> None:
    await merchant.pay(15_050)
    await merchant.deliver()
    await asyncio.gather(merchant.read(), merchant.another_reading().work())
    assert (await names(merchant)).count("processor_movement.recorded") == 1
    merchant.advance(days=3)
    await asyncio.gather(merchant.read(), merchant.another_reading().work())
    await merchant.read()
    # What was pending can be paid out now, and nothing else has changed.
    assert await names(merchant) == ["processor_movement.available"]
    (kept,) = await movements(merchant)
    assert (kept["status"], kept["amount_minor"], kept["fee_minor"], kept["net_minor"]) == (
        "available",
        15_050,
        466,
        14_584,
    )


async def test_nothing_is_lost_where_every_webhook_is(merchant: Merchant) -> None:
    intent, reference = await merchant.pay(15_050)
    await merchant.give_back(intent, reference, 5_000)
    await merchant.read()
    await merchant.book()
    standing = await merchant.standing()
    assert processor_accounts(standing) == merchant.at_stripe()
    assert standing["REVENUE BRL"] == -15_050
    assert standing["REFUND_EXPENSE BRL"] == 5_000
    assert {"CASH BRL", "REFUND_CLEARING BRL", "SUSPENSE BRL"} & standing.keys() == set()


async def test_list_is_read_page_by_page_and_goes_on_after_a_fault(merchant: Merchant) -> None:
    for _ in range(3):
        await merchant.pay(1_000)
    (first, *_) = merchant.books.balance_transactions.values()
    for number in range(220):
        copy = {**first, "id": f"txn_more_{number}", "source": None, "type": "stripe_fee", "fee": 0, "fee_details": []}
        merchant.books.balance_transactions[copy["id"]] = {**copy, "amount": -1, "net": -1}
    failed = metrics.STATEMENT_PAGES.labels("movements", "failed")._value
    lost = Fault(kind=FaultKind.DROP_BEFORE, method="GET", path="/v1/balance_transactions")
    for pages, kept in ((0, 0), (1, 100), (1, 200)):
        for _ in range(pages):
            await merchant.reading.work()
        assert len(await movements(merchant)) == kept
        before = failed.get()
        merchant.place.fake.faults.add(lost)
        await merchant.read()
        assert failed.get() == before + 1
        merchant.place.fake.faults.clear()
        merchant.advance(hours=1)
    await merchant.read()
    assert len(await movements(merchant)) == 223
    recorded = [event for event in await merchant.published() if event.body.contract.name.endswith("recorded")]
    assert len({event.id for event in recorded}) == len(recorded) == 223


async def test_payment_that_cannot_be_read_does_not_hold_up_the_statement(merchant: Merchant) -> None:
    _, reference = await merchant.pay(1_000)
    await merchant.pay(2_000)
    # Nobody here knows the payment, and Stripe no longer shows it to this key.
    await merchant.charging.write("UPDATE attempts SET gateway_ref = 'lost' WHERE gateway_ref = $1", reference)
    for charge in merchant.books.charges.values():
        charge["metadata"] = {}
    del merchant.books.payment_intents[reference]
    await merchant.read()
    kept = await movements(merchant)
    assert sorted(str(each["amount_minor"]) for each in kept) == ["1000", "2000"]
    row = await merchant.charging.fetchrow("SELECT sum(failures) AS failures FROM processor_readings")
    assert row is not None
    assert row["failures"] == 0


async def test_bug_in_a_page_pauses_its_list_and_is_reported(merchant: Merchant) -> None:
    await merchant.pay(1_000)
    reading = merchant.another_reading(reader_of=broken)
    with pytest.raises(KeyError):
        await reading.work()
    rows = await merchant.charging.fetch("SELECT failures, next_at FROM processor_readings")
    assert [row["failures"] for row in rows] == [1] * len(ListKind)
    assert all(row["next_at"] <= merchant.clock.now() + timedelta(minutes=2) for row in rows)


async def test_payout_that_is_too_large_waits_behind_the_others(merchant: Merchant) -> None:
    account = await merchant.account()
    made = []
    for _ in range(2):
        await merchant.pay(1_000, method="pm_card_bypassPending")
        (payout,) = merchant.control("payouts/run")["data"]
        merchant.control(f"payouts/{payout['id']}/reconciled")
        made.append(payout["id"])
        merchant.advance(hours=25)
    page = await merchant.reader.payouts(since=merchant.clock.now() - timedelta(days=9))
    await merchant.recording.payouts(account, page.items)
    first, second = await merchant.recording.unmatched(account, limit=5)
    merchant.advance(hours=1)
    await merchant.recording.put_last(account, first)
    assert await merchant.recording.unmatched(account, limit=1) == [second]
    assert sorted([first, second]) == sorted(made)


async def test_list_in_the_hands_of_one_process_is_left_alone_by_others(merchant: Merchant) -> None:
    await merchant.pay(1_000)
    merchant.place.fake.latency_seconds = 0.3
    first, second = await asyncio.gather(merchant.reading.work(), merchant.another_reading().work())
    assert sorted((first, second)) == [0, len(ListKind)]


async def test_list_whose_lease_ended_is_read_by_the_other_one_alone(merchant: Merchant) -> None:
    await merchant.pay(1_000, method="pm_card_bypassPending")
    (payout,) = merchant.control("payouts/run")["data"]
    merchant.control(f"payouts/{payout['id']}/reconciled")
    reader, matching = merchant.reader, asyncio.Event()

    class Slow(StripeReader):
        async def payouts(self, **place: Any) -> StatementPage[StatementPayout]:
            page = await reader.payouts(**place)
            # The page took longer than the lease, and another process reads the list by now.
            merchant.advance(seconds=100)
            await readings.claim(merchant.charging, now=merchant.clock.now(), lease=timedelta(seconds=90), limit=9)
            return page

        async def movements_of(self, payout_ref: str, *, cursor: str = "") -> StatementPage[StatementMovement]:
            matching.set()
            return await reader.movements_of(payout_ref, cursor=cursor)

    async def slow(_: str) -> StatementReader:
        return Slow(merchant.place.connections.client(merchant.place.account()))

    left = metrics.STATEMENT_PAGES.labels("payouts", "left")._value
    before = left.get()
    await merchant.another_reading(reader_of=slow).work()
    assert not matching.is_set()
    assert left.get() == before + 1
    row = await merchant.charging.fetchrow("SELECT turn, failures FROM processor_readings WHERE list = 'payouts'")
    assert row is not None
    assert (row["turn"], row["failures"]) == (2, 0)


async def test_what_earlier_events_have_booked_is_kept_and_not_booked_again(merchant: Merchant) -> None:
    await merchant.pay(15_050, method="pm_card_bypassPending")
    payout = payouts.create_payout(merchant.books, {"amount": "5000", "currency": "brl"})
    merchant.control(f"payouts/{payout['id']}/paid")
    until = merchant.clock.now() + timedelta(hours=1)
    await merchant.charging.write("UPDATE stripe_accounts SET booked_from = $1, opening_due = FALSE RETURNING 1", until)
    await merchant.deliver()
    merchant.advance(hours=2)
    await merchant.read()
    old = ["payment.authorized", "payment.captured", "payout.created", "payout.paid", "processor_fee.charged"]
    # That the payout is paid the list of payouts shows too: the same event, which counts once.
    assert sorted(set(await names(merchant))) == old
    assert {movement["is_booked"] for movement in await movements(merchant)} == {False}
    await merchant.pay(1_000)
    await merchant.deliver()
    await merchant.read()
    new = ["payment.authorized", "payment.captured", "processor_movement.recorded"]
    assert await names(merchant) == new


async def test_what_belongs_to_no_payment_waits_in_suspense_of_the_owner(merchant: Merchant) -> None:
    payments.create(
        merchant.books,
        {
            "amount": "8000",
            "currency": "brl",
            "payment_method": "pm_card_visa",
            "confirm": "true",
            "return_url": "https://shop.example",
        },
    )
    await merchant.read()
    await merchant.book()
    assert await merchant.standing() == {
        "PROCESSOR_PENDING BRL": 7_738,
        "PROCESSOR_FEES BRL": 262,
        "SUSPENSE BRL": -8_000,
    }


async def test_refund_by_hand_is_adopted_once_and_no_event_of_it_is_left_over(merchant: Merchant) -> None:
    intent, reference = await merchant.pay(15_050)
    await merchant.deliver()
    await merchant.book()
    made = refunds.create_refund(merchant.books, {"payment_intent": reference, "amount": "5000"})
    returned = refunds.create_refund(merchant.books, {"payment_intent": reference, "amount": "700"})
    merchant.control(f"refunds/{returned['id']}/failed")
    await merchant.read()
    await merchant.deliver()
    events = await merchant.published()
    adopted = {event.body.gateway_ref: event.body for event in events if isinstance(event.body, RefundSucceeded)}
    assert adopted.keys() == {made["id"], returned["id"]}
    assert {(body.payment_intent_id, body.is_adopted, body.by_statement) for body in adopted.values()} == {
        (intent, True, True)
    }
    (failed,) = [event.body for event in events if isinstance(event.body, RefundFailed)]
    assert (failed.refund_id, failed.after_success) == (adopted[returned["id"]].refund_id, True)
    await merchant.handle(events)
    standing = await merchant.standing()
    assert (standing["REFUND_EXPENSE BRL"], standing.get("CASH BRL", 0)) == (5_000, 0)
    assert (
        await merchant.charging.fetch("SELECT 1 FROM stripe_events WHERE status <> 'HANDLED' AND status <> 'IGNORED'")
        == []
    )


async def test_refund_and_dispute_of_the_same_money_are_an_alarm(merchant: Merchant) -> None:
    metric = metrics.GIVEN_BACK_TWICE._value
    before = metric.get()
    intent, reference = await merchant.pay(15_050, method="pm_card_pendingRefund")
    await merchant.give_back(intent, reference, 15_050)
    await merchant.deliver()
    assert metric.get() == before
    merchant.control(f"payment_intents/{reference}/dispute", amount="15050")
    await merchant.deliver()
    assert metric.get() > before


async def test_dispute_that_changes_its_amount_is_published_with_each(merchant: Merchant) -> None:
    _, reference = await merchant.pay(15_050)
    await merchant.deliver()
    dispute = merchant.control(f"payment_intents/{reference}/dispute", amount="5000")
    await merchant.deliver()
    for amount in ("3000", "7000"):
        merchant.advance(hours=1)
        merchant.control(f"disputes/{dispute['id']}/amount", amount=amount)
        await merchant.deliver()
    merchant.advance(hours=1)
    merchant.control(f"disputes/{dispute['id']}/lost")
    await merchant.deliver()
    events = await merchant.published()
    changes = [event.body for event in events if isinstance(event.body, DisputeAmountChanged)]
    assert [(change.was_minor, change.amount_minor) for change in changes] == [(5_000, 3_000), (3_000, 7_000)]
    await merchant.handle(events)
    standing = await merchant.standing()
    assert (standing["DISPUTE_LOSSES BRL"], standing.get("DISPUTE_CLEARING BRL", 0)) == (7_000, 0)


async def test_dispute_of_an_unknown_status_is_kept_and_its_money_booked(merchant: Merchant) -> None:
    _, reference = await merchant.pay(15_050)
    await merchant.deliver()
    dispute = merchant.control(f"payment_intents/{reference}/dispute", amount="5000")
    dispute["status"] = "arbitrated"
    merchant.books.record("charge.dispute.updated", dispute)
    await merchant.deliver()
    rows = await merchant.charging.fetch("SELECT reason FROM stripe_events WHERE status = 'FAILED'")
    assert [row["reason"] for row in rows] == ["unknown_status"]
    await merchant.book()
    standing = await merchant.standing()
    assert standing["DISPUTE_CLEARING BRL"] == 5_000
    assert processor_accounts(standing) == merchant.at_stripe()


@pytest.mark.sampled(by="ends")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("ends", "bank"),
    [(["paid"], 5_000), (["failed"], 0), (["canceled"], 0), (["paid", "failed"], 0), (["paid", "reverse"], 0)],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
async def test_payout_ends_as_the_bank_sees_it(merchant: Merchant, ends: list[str], bank: int, seed: int) -> None:
    await merchant.pay(15_050, method="pm_card_bypassPending")
    payout = payouts.create_payout(merchant.books, {"amount": "5000", "currency": "brl"})
    for end in ends:
        if end == "reverse":
            back = payouts.reverse_payout(merchant.books, payout, {})
            merchant.control(f"payouts/{back['id']}/paid")
        else:
            merchant.control(f"payouts/{payout['id']}/{end}")
    await merchant.deliver(random.Random(seed), share=0.7)
    await merchant.read()
    await merchant.book(random.Random(seed))
    standing = await merchant.standing()
    assert (standing.get("BANK BRL", 0), standing.get("GATEWAY_CLEARING BRL", 0)) == (bank, 0)
    assert processor_accounts(standing) == merchant.at_stripe()


async def test_movements_of_an_automatic_payout_bear_its_reference(merchant: Merchant) -> None:
    for _ in range(3):
        await merchant.pay(1_000, method="pm_card_bypassPending")
    (made,) = merchant.control("payouts/run")["data"]
    await merchant.read()
    assert {movement["payout_ref"] for movement in await movements(merchant)} == {""}
    merchant.control(f"payouts/{made['id']}/reconciled")
    merchant.advance(hours=7)
    await merchant.read()
    assert {movement["payout_ref"] for movement in await movements(merchant)} == {made["id"]}
    row = await merchant.charging.fetchrow("SELECT is_matched, reconciliation_status FROM processor_payouts")
    assert row is not None
    assert (row["is_matched"], row["reconciliation_status"]) == (True, "completed")


async def test_what_moved_is_published_again_with_the_ids_that_it_had(merchant: Merchant) -> None:
    begun = merchant.clock.now()
    intent, reference = await merchant.pay(15_050, method="pm_card_bypassPending")
    await merchant.give_back(intent, reference, 500)
    refunds.create_refund(merchant.books, {"payment_intent": reference, "amount": "700"})
    await merchant.read()
    of_statement = ("processor_movement.recorded", "processor_movement.available", "refund.succeeded")
    first = {event.id: event.body for event in await merchant.published() if event.body.contract.name in of_statement}
    requested = [each for each in first.values() if isinstance(each, RefundSucceeded) and not each.is_adopted]
    window = Window(since=begun, until=begun + timedelta(days=1))
    assert await resend(merchant.charging, window) == len(first) - len(requested) == 7
    again = {event.id: event.body for event in await merchant.published()}
    assert again.items() <= first.items()
    only = msgspec.structs.replace(window, contract="refund.succeeded")
    assert await resend(merchant.charging, only) == 1
    assert await resend(merchant.charging, msgspec.structs.replace(window, payment_intent_id=new_id())) == 0
    assert await resend(merchant.charging, Window(since=begun - timedelta(days=1), until=begun)) == 0


async def test_reader_shows_what_the_account_has(merchant: Merchant) -> None:
    await merchant.pay(1_000)
    intent, reference = await merchant.pay(2_000, method="pm_card_bypassPending")
    await merchant.give_back(intent, reference, 500)
    merchant.control(f"payment_intents/{reference}/dispute", amount="300")
    held = (await merchant.reader.balance())["BRL"]
    at_stripe = merchant.at_stripe()
    assert (held.available_minor, held.pending_minor) == (
        at_stripe.get("PROCESSOR_AVAILABLE BRL", 0),
        at_stripe.get("PROCESSOR_PENDING BRL", 0),
    )
    since = merchant.clock.now() - timedelta(days=1)
    assert [each["amount"] for each in (await merchant.reader.refunds(since=since)).items] == [500]
    assert [each["amount"] for each in (await merchant.reader.disputes(since=since)).items] == [300]
    events = await merchant.reader.undelivered_events(since=since)
    assert len(events.items) == len(merchant.books.events)
