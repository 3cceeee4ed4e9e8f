"""What is found at a glance about a payment is what the thorough comparison finds: every fact is changed, alone, for both."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.ids import first_id
from services.gateway.reconciliation.runs.domain import (
    Compared,
    MovementFact,
    PaymentGroup,
    agreeing,
    compare_payment,
    entry_of,
)
from tests.support.histories import NOW, PATIENCE, Writer

type Facts = dict[str, Any]

INDIFFERENT = {
    "payment": {"status", "amount_minor", "gateway_ref", "payment_method_type", "created_at", "updated_at", "is_whole"},
    "moved": {
        "id",
        "source_ref",
        "refund_id",
        "payout_currency",
        "is_of_payout",
        "created_at",
        "seen_at",
        "updated_at",
        "is_available",
        "payment_intent_id",
        "matched_at",
    },
    "capture": {"payment_intent_id", "amounts", "shared_roles", "occurred_at", "posted_at", "reverses"},
    "settled": {"payment_intent_id", "amount_minor", "occurred_at", "posted_at", "reverses"},
    "available": {
        "entry_id",
        "kind",
        "payment_intent_id",
        "amounts",
        "shared_roles",
        "occurred_at",
        "posted_at",
        "reverses",
    },
}
"""Facts that decide nothing about a payment on which all others agree."""


def plain(*, fees: tuple[tuple[str, int], ...] = (("processor", 29), ("tax", 3))) -> Facts:
    """Return what the sides have of one payment: captured, charged, booked and available."""
    writer = Writer(1)
    intent, *_ = writer.pay(currency="BRL")
    (moved,) = writer.history.movements
    writer.history.entries = {k: e for k, e in writer.history.entries.items() if e.kind is EntryKind.CAPTURE}
    net = moved.amount_minor - sum(fee for _, fee in fees)
    moved = msgspec.structs.replace(moved, fees=fees, net_minor=net, is_available=True)
    kept = {"PROCESSOR_FEES": dict(fees).get("processor", 0), "TAX_RECOVERABLE": dict(fees).get("tax", 0)}
    settled = {"PROCESSOR_PENDING": net, **kept, "CASH": -moved.amount_minor}
    writer.book(EntryKind.MOVEMENT, moved.movement_id, intent, settled, "BRL", NOW)
    available = {"PROCESSOR_AVAILABLE": net, "PROCESSOR_PENDING": -net}
    writer.book(EntryKind.AVAILABLE, moved.movement_id, None, available, "BRL", NOW)
    capture, settled_entry, available_entry = writer.history.entries.values()
    return {
        "payment": writer.history.payments[intent],
        "moved": moved,
        "capture": capture,
        "settled": settled_entry,
        "available": available_entry,
    }


def compared_twice(facts: Facts) -> tuple[bool, bool]:
    """Return whether they agree at a glance, and whether they do when everything is compared."""
    payment, moved, available = facts["payment"], facts["moved"], facts["available"]
    entries: list[EntryFact] = [facts["settled"], facts["capture"], *facts.get("more", ())]
    ids = {each.entry_id: each for each in entries}
    ids[entry_of(moved.movement_id, EntryKind.AVAILABLE)] = available
    group = PaymentGroup(
        payment_intent_id=payment.payment_intent_id,
        payment=payment,
        movements=(moved,),
        entries=ids,
        statement_until=NOW,
    )
    thorough = compare_payment(group, PATIENCE)
    match = agreeing(payment, (moved,), entries, available)
    assert match is None or thorough == Compared(matches=(match,))
    return match is not None, not thorough.differences


def other(name: str, value: Any) -> list[Any]:
    match value:
        case None if name.endswith("_minor"):
            return [1]
        case bool():
            return [not value]
        case int():
            return [value + 1, -value, 0]
        case Enum():
            return [each for each in type(value) if each is not value]
        case str():
            return [each for each in ("USD", "") if each != value]
        case datetime():
            return [value - timedelta(days=3)]
        case UUID() | None:
            return [first_id(NOW)]
        case dict():
            return (
                [{"PLATFORM_FEES": "PROCESSOR_FEES"}]
                if name == "shared_roles"
                else [{}, {**value, "PROCESSOR_PENDING": 1}]
            )
        case _:
            return []


@pytest.mark.parametrize("side", INDIFFERENT)
def test_a_glance_never_says_more_than_the_comparison(side: str) -> None:
    assert compared_twice(plain()) == (True, True)
    seen = set()
    for name in type(plain()[side]).__struct_fields__:
        for value in other(name, getattr(plain()[side], name)):
            if side == "payment" and name == "payment_intent_id":
                continue  # It is the group's.
            if compared_twice(plain() | {side: msgspec.structs.replace(plain()[side], **{name: value})})[0]:
                seen.add(name)
    assert seen == INDIFFERENT[side]


@pytest.mark.parametrize(
    ("fees", "at_a_glance"),
    [
        ((), True),
        ((("processor", 29),), True),
        ((("processor", 20), ("processor", 9)), False),
        ((("other", 5),), False),
        ((("other", 0),), True),
    ],
)
def test_fees_are_compared_part_by_part(fees: tuple[tuple[str, int], ...], *, at_a_glance: bool) -> None:
    assert compared_twice(plain(fees=fees))[0] is at_a_glance


def test_one_more_movement_or_entry_is_left_to_the_comparison() -> None:
    facts = plain()
    moved: MovementFact = msgspec.structs.replace(facts["moved"], id="txn_2", kind=MovementKind.RELEASE)
    entries = [facts["capture"], facts["settled"]]
    assert agreeing(facts["payment"], (facts["moved"], moved), entries, facts["available"]) is None
    assert agreeing(facts["payment"], (), entries, facts["available"]) is None
    assert agreeing(None, (facts["moved"],), entries, facts["available"]) is None
    more = msgspec.structs.replace(facts["settled"], entry_id=first_id(NOW), kind=EntryKind.DISPUTE_OPENED)
    assert not compared_twice(facts | {"more": [more]})[0]
    assert agreeing(facts["payment"], (facts["moved"],), entries, None) is None
