"""A true history in which nothing differs is damaged in every way: each damage is found under its name, and nothing else is."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from libs.common.contracts.ledger import EntryKind
from services.gateway.reconciliation.runs.domain import PaymentGroup, compare_payment, entry_of
from tests.support.histories import NOW, PATIENCE, History, Writer, everything

type Found = set[tuple[str, str, str]]
"""Discrepancies, as (type, subject, aspect)."""
type Damage = Callable[[Writer, dict[str, Any]], Found]

T, S = DiscrepancyType, SubjectKind


def found_in(history: History) -> Found:
    compared = history.compare()
    return {(d.type, d.subject, d.aspect) for each in compared for d in each.differences if d.type is not None}


def movement(history: History, intent: UUID, kind: MovementKind) -> Any:
    return next(m for m in history.movements if m.payment_intent_id == intent and m.kind is kind)


def payment_forgotten(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["sale"][0]
    del writer.history.payments[intent]
    return {(T.MISSING_LOCAL, str(intent), "processor"), (T.MISSING_LOCAL, str(intent), "book")}


def refund_forgotten(writer: Writer, made: dict[str, Any]) -> Found:
    intent, refund = made["refund"]
    writer.history.change_payment(intent, refunds=())
    return {(T.MISSING_LOCAL, str(refund), "processor")}


def dispute_forgotten(writer: Writer, made: dict[str, Any]) -> Found:
    intent, _, ref = made["dispute"]
    writer.history.change_payment(intent, disputes=())
    return {(T.MISSING_LOCAL, ref, "processor")}


def charge_lost(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["sale"][0]
    writer.history.remove_movement(movement(writer.history, intent, MovementKind.CHARGE).id)
    return {(T.MISSING_REMOTE, str(intent), "processor")}


def refund_lost(writer: Writer, made: dict[str, Any]) -> Found:
    intent, refund = made["refund"]
    writer.history.remove_movement(movement(writer.history, intent, MovementKind.REFUND).id)
    return {(T.MISSING_REMOTE, str(refund), "processor")}


def dispute_lost(writer: Writer, made: dict[str, Any]) -> Found:
    intent, dispute, _ = made["dispute"]
    writer.history.remove_movement(movement(writer.history, intent, MovementKind.DISPUTE).id)
    return {(T.MISSING_REMOTE, str(dispute), "processor")}


def charged_more(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["partial"][0]
    writer.history.remove_movement(movement(writer.history, intent, MovementKind.RELEASE).id)
    return {(T.AMOUNT_MISMATCH, str(intent), "processor")}


def refunded_less(writer: Writer, made: dict[str, Any]) -> Found:
    intent, refund = made["refund"]
    (fact,) = writer.history.payments[intent].refunds
    less = msgspec.structs.replace(fact, amount_minor=fact.amount_minor + 1)
    writer.history.change_payment(intent, refunds=(less,))
    return {(T.AMOUNT_MISMATCH, str(refund), "processor"), (T.AMOUNT_MISMATCH, str(refund), "book")}


def booked_less(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["sale"][0]
    entry = writer.history.entries[entry_of(intent, EntryKind.CAPTURE)]
    writer.history.change_entry(entry.entry_id, amount_minor=entry.amount_minor - 1)
    return {(T.AMOUNT_MISMATCH, str(intent), "book")}


def movement_booked_less(writer: Writer, made: dict[str, Any]) -> Found:
    moved = made["reserve"]
    writer.history.change_entry(entry_of(moved.movement_id, EntryKind.MOVEMENT), amounts={"PROCESSOR_PENDING": -999})
    return {(T.AMOUNT_MISMATCH, moved.id, "book")}


def charged_what_was_declined(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["declined"][0]
    currency = writer.history.payments[intent].currency
    writer.move(MovementKind.CHARGE, 500, currency, intent=intent, at=writer.at())
    return {(T.STATUS_MISMATCH, str(intent), "processor")}


def refund_failed_here_alone(writer: Writer, made: dict[str, Any]) -> Found:
    intent, refund = made["refund_failed"]
    writer.history.remove_movement(movement(writer.history, intent, MovementKind.REFUND_FAILURE).id)
    return {(T.STATUS_MISMATCH, str(refund), "processor")}


def won_there_alone(writer: Writer, made: dict[str, Any]) -> Found:
    intent, dispute, _ = made["dispute_won"]
    (fact,) = writer.history.payments[intent].disputes
    writer.history.change_payment(intent, disputes=(msgspec.structs.replace(fact, status="LOST"),))
    return {(T.STATUS_MISMATCH, str(dispute), "processor"), (T.NOT_BOOKED, str(dispute), "book")}


def loss_not_booked(writer: Writer, made: dict[str, Any]) -> Found:
    _, dispute, _ = made["dispute_lost"]
    del writer.history.entries[entry_of(dispute, EntryKind.DISPUTE_LOST)]
    return {(T.NOT_BOOKED, str(dispute), "book")}


def loss_booked_twice(writer: Writer, made: dict[str, Any]) -> Found:
    _, dispute, _ = made["dispute_lost"]
    key = entry_of(dispute, EntryKind.DISPUTE_LOST)
    amounts = writer.history.entries[key].amounts
    writer.history.change_entry(key, amounts={role: 2 * minor for role, minor in amounts.items()})
    return {(T.AMOUNT_MISMATCH, str(dispute), "book")}


def booked_and_not_captured(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["voided"][0]
    currency = writer.history.payments[intent].currency
    writer.book(EntryKind.CAPTURE, intent, intent, {"CASH": 5, "REVENUE": -5}, currency, writer.at())
    return {(T.STATUS_MISMATCH, str(intent), "book")}


def in_another_currency(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["sale"][0]
    writer.history.change_payment(intent, currency="CHF")
    return {(T.CURRENCY_MISMATCH, str(intent), "processor"), (T.CURRENCY_MISMATCH, str(intent), "book")}


def booked_in_another_currency(writer: Writer, made: dict[str, Any]) -> Found:
    moved = made["tax"]
    writer.history.change_entry(entry_of(moved.movement_id, EntryKind.MOVEMENT), currency="CHF")
    return {(T.CURRENCY_MISMATCH, moved.id, "book")}


def fee_of_other_parts(writer: Writer, made: dict[str, Any]) -> Found:
    moved = movement(writer.history, made["sale"][0], MovementKind.CHARGE)
    writer.history.change_movement(moved.id, fees=(("processor", 36), ("tax", 2)))
    return {(T.FEE_MISMATCH, moved.id, "fee")}


def fee_booked_elsewhere(writer: Writer, made: dict[str, Any]) -> Found:
    moved = movement(writer.history, made["sale"][0], MovementKind.CHARGE)
    entry = writer.history.entries[entry_of(moved.movement_id, EntryKind.MOVEMENT)]
    amounts = entry.amounts | {"PROCESSOR_FEES": 36, "TAX_RECOVERABLE": 1}
    writer.history.change_entry(entry.entry_id, amounts=amounts)
    return {(T.FEE_MISMATCH, moved.id, "book")}


def charged_twice(writer: Writer, made: dict[str, Any]) -> Found:
    moved = movement(writer.history, made["sale"][0], MovementKind.CHARGE)
    again = writer.move(
        MovementKind.CHARGE,
        moved.value,
        moved.value_currency,
        intent=moved.payment_intent_id,
        source=moved.source_ref,
        at=moved.created_at + timedelta(hours=1),
    )
    return {(T.DUPLICATE, again.id, "processor")}


def refunded_twice(writer: Writer, made: dict[str, Any]) -> Found:
    moved = movement(writer.history, made["refund"][0], MovementKind.REFUND)
    again = writer.move(
        MovementKind.REFUND,
        moved.value,
        moved.value_currency,
        intent=moved.payment_intent_id,
        source=moved.source_ref,
        at=moved.created_at + timedelta(hours=1),
    )
    return {(T.DUPLICATE, again.id, "processor")}


def capture_not_booked(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["sale"][0]
    del writer.history.entries[entry_of(intent, EntryKind.CAPTURE)]
    return {(T.NOT_BOOKED, str(intent), "book")}


def refund_not_booked(writer: Writer, made: dict[str, Any]) -> Found:
    refund = made["refund"][1]
    writer.history.change_entry(entry_of(refund, EntryKind.REFUND), is_reversed=True)
    return {(T.NOT_BOOKED, str(refund), "book")}


def movement_not_booked(writer: Writer, made: dict[str, Any]) -> Found:
    del writer.history.entries[entry_of(made["fee"].movement_id, EntryKind.MOVEMENT)]
    return {(T.NOT_BOOKED, made["fee"].id, "book")}


def payout_not_booked(writer: Writer, made: dict[str, Any]) -> Found:
    payout = made["payout"]
    del writer.history.entries[entry_of(payout.payout_id, EntryKind.PAYOUT_PAID)]
    return {(T.NOT_BOOKED, str(payout.payout_id), "book")}


def foreign(writer: Writer, made: dict[str, Any]) -> Found:
    moved = writer.account(MovementKind.CHARGE, 1_234)
    return {(T.FOREIGN, moved.id, "processor")}


def something_else_of_a_payment(writer: Writer, made: dict[str, Any]) -> Found:
    intent, _, currency, _ = made["sale"]
    moved = writer.move(MovementKind.OTHER, 99, currency, intent=intent, at=writer.at())
    return {(T.FOREIGN, moved.id, "processor")}


def exchange_booked_as_less(writer: Writer, made: dict[str, Any]) -> Found:
    moved = next(m for m in writer.history.movements if m.source_currency and m.payment_intent_id == made["abroad"][0])
    entry = entry_of(moved.movement_id, EntryKind.MOVEMENT_EXCHANGED)
    writer.history.change_entry(entry, amount_minor=writer.history.entries[entry].amount_minor - 1)
    return {(T.AMOUNT_MISMATCH, moved.id, "exchange")}


def returned_payout_not_booked(writer: Writer, made: dict[str, Any]) -> Found:
    payout = writer.payout("failed")
    amounts = {"BANK": payout.amount_minor, "GATEWAY_CLEARING": -payout.amount_minor}
    writer.book(EntryKind.PAYOUT_PAID, payout.payout_id, None, amounts, "BRL", payout.created_at)
    return {(T.NOT_BOOKED, str(payout.payout_id), "returned")}


def payout_of_other_parts(writer: Writer, made: dict[str, Any]) -> Found:
    change_payout(writer, made["payout"], parts_minor=made["payout"].amount_minor - 3)
    return {(T.AMOUNT_MISMATCH, str(made["payout"].payout_id), "parts")}


def payout_without_movement(writer: Writer, made: dict[str, Any]) -> Found:
    change_payout(writer, made["payout_in_transit"], has_movement=False, taken_minor=0)
    return {(T.MISSING_REMOTE, str(made["payout_in_transit"].payout_id), "movement")}


def payout_not_returned(writer: Writer, made: dict[str, Any]) -> Found:
    change_payout(writer, made["payout_failed"], taken_minor=-5_000)
    return {(T.STATUS_MISMATCH, str(made["payout_failed"].payout_id), "movement")}


def captured_a_moment_ago(writer: Writer, made: dict[str, Any]) -> Found:
    intent = made["sale"][0]
    writer.history.change_payment(intent, updated_at=NOW - timedelta(hours=1))
    writer.history.remove_movement(movement(writer.history, intent, MovementKind.CHARGE).id)
    return {(T.TIMING, str(intent), "processor")}


def change_payout(writer: Writer, payout: Any, **fields: Any) -> None:
    payouts = writer.history.payouts
    payouts[payouts.index(payout)] = msgspec.structs.replace(payout, **fields)


DAMAGES: tuple[Damage, ...] = (
    payment_forgotten,
    refund_forgotten,
    dispute_forgotten,
    charge_lost,
    refund_lost,
    dispute_lost,
    loss_not_booked,
    loss_booked_twice,
    charged_more,
    refunded_less,
    booked_less,
    movement_booked_less,
    charged_what_was_declined,
    refund_failed_here_alone,
    won_there_alone,
    booked_and_not_captured,
    in_another_currency,
    booked_in_another_currency,
    fee_of_other_parts,
    fee_booked_elsewhere,
    charged_twice,
    refunded_twice,
    capture_not_booked,
    refund_not_booked,
    movement_not_booked,
    payout_not_booked,
    foreign,
    something_else_of_a_payment,
    exchange_booked_as_less,
    returned_payout_not_booked,
    payout_of_other_parts,
    payout_without_movement,
    payout_not_returned,
    captured_a_moment_ago,
)


@pytest.mark.sampled(each=6)
@pytest.mark.parametrize("seed", range(20))
def test_nothing_differs_in_a_true_history(seed: int) -> None:
    writer, _ = everything(seed)
    compared = writer.history.compare()
    assert found_in(writer.history) == set()
    assert sum(len(one.early) for one in compared) == 0
    assert {m.movement_id for one in compared for m in one.matches} == {m.movement_id for m in writer.history.movements}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damage_is_found_under_its_name_alone(damage: Damage) -> None:
    writer, made = everything(7)
    expected = damage(writer, made)
    assert found_in(writer.history) == expected


@pytest.mark.sampled(each=10)
@pytest.mark.parametrize("first", DAMAGES, ids=lambda damage: damage.__name__)
def test_damages_are_found_in_pairs_too(first: Damage) -> None:
    for number, second in enumerate(DAMAGES[DAMAGES.index(first) % 4 :: 4]):
        writer, made = everything(number)
        _, also_made = everything(number, writer)
        expected = first(writer, made) | second(writer, also_made)
        assert found_in(writer.history) == expected, second.__name__


def test_every_type_has_a_damage() -> None:
    names = set()
    for damage in DAMAGES:
        names |= {kind for kind, _, _ in damage(*everything(3))}
    # What is late is found without the comparison: `test_periods.py`; what is ambiguous are lines of banks alone: `test_matching.py`.
    assert names == set(DiscrepancyType) - {T.LATE, T.AMBIGUOUS}


@pytest.mark.sampled(each=10)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_same_facts_have_the_same_ids_in_every_run(damage: Damage) -> None:
    writer, made = everything(11)
    damage(writer, made)
    later = msgspec.structs.replace(PATIENCE, now=NOW + timedelta(days=1))
    ids = [
        sorted(d.id_of("t") for one in writer.history.compare(patience) for d in one.differences)
        for patience in (PATIENCE, later)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_what_is_a_moment_old_is_not_reported() -> None:
    writer, made = everything(5)
    captured_a_moment_ago(writer, made)
    writer.history.change_payment(made["sale"][0], updated_at=NOW - timedelta(seconds=1))
    assert found_in(writer.history) == set()
    assert sum(len(one.early) for one in writer.history.compare()) == 1


def test_what_a_bank_took_in_part_may_be_rounded_when_it_was_exchanged() -> None:
    writer = Writer(1)
    intent, dispute, _ = writer.dispute("OPEN", currency="EUR")
    (fact,) = writer.history.payments[intent].disputes
    for off, expected in ((1, set()), (2, {(T.AMOUNT_MISMATCH, str(dispute), "processor")})):
        other = msgspec.structs.replace(fact, amount_minor=fact.amount_minor + off)
        writer.history.change_payment(intent, disputes=(other,))
        assert found_in(writer.history) == expected


def test_payment_that_no_statement_has_for_sure_lacks_nothing() -> None:
    writer = Writer(2)
    intent, *_ = writer.pay()
    writer.history.remove_movement(movement(writer.history, intent, MovementKind.CHARGE).id)
    group = PaymentGroup(
        payment_intent_id=intent,
        payment=writer.history.payments[intent],
        entries=writer.history.entries,
        statement_until=None,
    )
    assert compare_payment(group, PATIENCE).differences == ()
    behind = msgspec.structs.replace(group, statement_until=writer.history.payments[intent].updated_at)
    assert len(compare_payment(behind, PATIENCE).early) == 1
