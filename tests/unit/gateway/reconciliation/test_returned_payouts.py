"""What the bank did with a payout, beside the books: also where it came back, and where the books have too much."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.ids import new_id
from services.gateway.reconciliation.runs.domain import Patience, PayoutFact, compare_payout, entry_of

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 30, tzinfo=UTC)
MADE = NOW - timedelta(days=9)
PATIENCE = Patience(now=NOW, quiet=timedelta(minutes=10), timing=timedelta(days=1))
PAID, BACK = EntryKind.PAYOUT_PAID, EntryKind.PAYOUT_DEBITED


@pytest.mark.parametrize(
    ("bank", "status", "entries", "expected"),
    [
        ("arrived", "paid", {PAID: 900}, set()),
        ("arrived", "paid", {}, {("NOT_BOOKED", "book")}),
        ("arrived", "paid", {PAID: 901}, {("AMOUNT_MISMATCH", "book")}),
        ("arrived", "paid", {PAID: 900, BACK: 900}, {("STATUS_MISMATCH", "returned")}),
        ("returned", "failed", {}, set()),
        ("returned", "failed", {PAID: 900, BACK: 900}, set()),
        ("returned", "failed", {PAID: 900}, {("NOT_BOOKED", "returned")}),
        ("returned", "failed", {BACK: 900}, {("NOT_BOOKED", "book")}),
        ("returned", "failed", {PAID: 800, BACK: 900}, {("AMOUNT_MISMATCH", "book")}),
        ("returned", "failed", {PAID: 900, BACK: 800}, {("AMOUNT_MISMATCH", "returned")}),
        ("nothing", "in_transit", {}, set()),
        ("nothing", "in_transit", {PAID: 900}, {("STATUS_MISMATCH", "book")}),
        ("nothing", "canceled", {BACK: 900}, {("STATUS_MISMATCH", "returned")}),
    ],
)
@pytest.mark.parametrize("is_debit", [False, True], ids=["credit", "debit"])
def test_the_books_have_of_a_payout_what_the_bank_did(
    bank: str, status: str, entries: dict[EntryKind, int], expected: set[tuple[str, str]], is_debit: bool
) -> None:
    amount = -900 if is_debit else 900
    taken = {"failed": 0, "canceled": 0}.get(status, -amount)
    payout = PayoutFact(
        id="po_1",
        payout_id=new_id(MADE),
        amount_minor=amount,
        currency="BRL",
        status=status,
        bank=bank,
        is_booked=True,
        is_itemised=False,
        parts_minor=0,
        taken_minor=taken,
        has_movement=True,
        created_at=MADE,
        arrives_at=MADE,
        updated_at=MADE,
    )
    turned = {PAID: BACK, BACK: PAID} if is_debit else {PAID: PAID, BACK: BACK}
    facts = [fact(payout, turned[kind], minor) for kind, minor in entries.items()]
    found = compare_payout(payout, {each.entry_id: each for each in facts}, PATIENCE)
    assert {(each.type, each.aspect) for each in found.differences} == expected


def fact(payout: PayoutFact, kind: EntryKind, minor: int) -> EntryFact:
    return EntryFact(
        entry_id=entry_of(payout.payout_id, kind),
        kind=kind,
        currency="BRL",
        amount_minor=minor,
        amounts={},
        occurred_at=MADE,
        posted_at=MADE,
    )
