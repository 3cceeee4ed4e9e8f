"""Whatever moves, and whichever side alone has it, or has it otherwise, it is found under the name that the table says.

Each row is a kind of movement, each column what is wrong with it: only the processor has it, only we have it, only the books have it, the
processor has another amount, another currency, or has it twice.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.ledger import EntryKind
from libs.common.ids import derived_id
from services.gateway.reconciliation.runs.domain import MovementFact, PayoutFact, entry_of
from tests.support.histories import OF_MOVEMENTS, OF_PAYOUTS, History, Writer

K, E = MovementKind, EntryKind
_PARTS = (E.CAPTURE, E.REFUND, E.REFUND_FAILURE, E.DISPUTE_LOST)
_OTHER_AMOUNT, _OTHER_CURRENCY = 7, "CHF"


class Made(msgspec.Struct):
    """Something that moved, and all that there is of it."""

    writer: Writer
    moved: MovementFact
    part: UUID | None = None
    """The payment, refund or dispute that it is of."""
    payout: PayoutFact | None = None

    @property
    def history(self) -> History:
        """All that the sides have."""
        return self.writer.history

    def forget_here(self) -> None:
        """Remove what we have of it."""
        intent = self.moved.payment_intent_id
        if self.payout is not None:
            self.history.payouts.remove(self.payout)
            for each in [m for m in self.history.movements if m.source_ref == self.payout.id]:
                self.history.change_movement(each.id, payout_currency=None, is_of_payout=False)
        elif intent == self.part and intent is not None:
            del self.history.payments[intent]
        elif intent is not None:
            self.history.change_payment(intent, refunds=(), disputes=())

    def forget_there(self) -> None:
        """Remove what the processor has of it: what one thing brought and took by turns goes as a whole."""
        gone = [m for m in self.history.movements if m.source_ref == self.moved.source_ref]
        self.history.movements = [m for m in self.history.movements if m not in gone]
        if self.payout is not None:
            change_payout(self, has_movement=False, taken_minor=0)

    def forget_entries(self) -> None:
        """Remove what the books have of it."""
        of_it = [m for m in self.history.movements if m.source_ref == self.moved.source_ref]
        keys = [entry_of(m.movement_id, kind) for m in (*of_it, self.moved) for kind in OF_MOVEMENTS]
        if self.part is not None:
            keys += [entry_of(self.part, kind) for kind in _PARTS]
        if self.payout is not None:
            keys += [entry_of(self.payout.payout_id, kind) for kind in OF_PAYOUTS]
        for key in keys:
            self.history.entries.pop(key, None)


def change_payout(made: Made, **fields: Any) -> None:
    if made.payout in made.history.payouts:
        made.history.payouts.remove(made.payout)
        made.payout = msgspec.structs.replace(made.payout, **fields)
        made.history.payouts.append(made.payout)


def of_payment(writer: Writer, kind: MovementKind, intent: UUID, part: UUID) -> Made:
    moved = next(m for m in writer.history.movements if m.payment_intent_id == intent and m.kind is kind)
    return Made(writer, moved, part)


def charge(writer: Writer) -> Made:
    intent, *_ = writer.pay(currency="BRL")
    return of_payment(writer, K.CHARGE, intent, intent)


def refund(writer: Writer) -> Made:
    return of_payment(writer, K.REFUND, *writer.refund("COMPLETED", currency="BRL"))


def refund_failure(writer: Writer) -> Made:
    return of_payment(writer, K.REFUND_FAILURE, *writer.refund("FAILED", came_back=True, currency="BRL"))


def dispute(writer: Writer) -> Made:
    return of_payment(writer, K.DISPUTE, *writer.dispute("LOST", currency="BRL")[:2])


def reinstatement(writer: Writer) -> Made:
    return of_payment(writer, K.DISPUTE_REVERSAL, *writer.dispute("WON", currency="BRL")[:2])


def payout(writer: Writer) -> Made:
    made = writer.payout("paid")
    return Made(writer, next(m for m in writer.history.movements if m.source_ref == made.id), payout=made)


def payout_return(writer: Writer) -> Made:
    made = writer.payout("failed")
    moved = next(m for m in writer.history.movements if m.source_ref == made.id and m.kind is K.PAYOUT_RETURN)
    return Made(writer, moved, payout=made)


def of_account(kind: MovementKind) -> Callable[[Writer], Made]:
    return lambda writer: Made(writer, writer.account(kind, -200))


MAKERS: Mapping[str, Callable[[Writer], Made]] = {
    "charge": charge,
    "refund": refund,
    "refund failure": refund_failure,
    "dispute": dispute,
    "dispute reversal": reinstatement,
    "payout": payout,
    "payout return": payout_return,
    "fee": of_account(K.FEE),
    "tax": of_account(K.TAX),
    "reserve": of_account(K.RESERVE),
    "platform earning": of_account(K.PLATFORM_EARNING),
    "platform fee refund": of_account(K.PLATFORM_FEE_REFUND),
    "other": of_account(K.OTHER),
}


def only_processor(made: Made) -> None:
    made.forget_entries()
    made.forget_here()


def only_us(made: Made) -> None:
    made.forget_entries()
    made.forget_there()


def only_books(made: Made) -> None:
    made.forget_there()
    made.forget_here()


def amount(made: Made) -> None:
    moved = made.moved
    made.history.change_movement(
        moved.id, amount_minor=moved.amount_minor + _OTHER_AMOUNT, net_minor=moved.net_minor + _OTHER_AMOUNT
    )
    if made.payout is not None:
        change_payout(made, taken_minor=made.payout.taken_minor + _OTHER_AMOUNT)


def currency(made: Made) -> None:
    made.history.change_movement(made.moved.id, currency=_OTHER_CURRENCY)


def twice(made: Made) -> None:
    moved = made.moved
    made.writer.move(
        moved.kind,
        moved.amount_minor,
        moved.currency,
        intent=moved.payment_intent_id,
        refund=moved.refund_id,
        source=moved.source_ref,
        fees=moved.fees,
        at=moved.created_at + timedelta(hours=1),
    )
    if moved.payout_currency is not None:
        again = made.history.movements[-1]
        made.history.change_movement(again.id, payout_currency=moved.payout_currency)


WAYS: Sequence[Callable[[Made], None]] = (only_processor, only_us, only_books, amount, currency, twice)


def found(name: str, way: Callable[[Made], None]) -> set[str]:
    """Damage what moved in a way, and return what is found: its type, what it is about and its aspect."""
    writer = Writer(7, is_available=True)
    made = MAKERS[name](writer)
    names = {entry.entry_id: f"entry {kind}" for kind, entry in ((e.kind, e) for e in writer.history.entries.values())}
    way(made)
    known = {str(key): value for key, value in names.items()}
    known[made.moved.id] = "moved"
    for subject in (made.part, None if made.payout is None else made.payout.payout_id):
        known[str(subject)] = "itself"
    known[made.moved.source_ref] = "itself"
    return {
        f"{d.type} of {known.get(d.subject, d.subject_kind)}, {d.aspect}"
        for each in made.history.compare()
        for d in each.differences
    }


_BOOKED = ("MISSING_REMOTE of entry available, entry", "MISSING_REMOTE of entry movement, entry")
_OFF = ("AMOUNT_MISMATCH of moved, available", "AMOUNT_MISMATCH of moved, book")
_ABROAD = ("CURRENCY_MISMATCH of moved, available", "CURRENCY_MISMATCH of moved, book")
_NOT_BOOKED = "NOT_BOOKED of moved, book"
_OF_ACCOUNT: Mapping[str, Sequence[str]] = {
    # The books are the only other side of it. Two of an account's own are two: nothing but their references tells them apart.
    "only_processor": [_NOT_BOOKED],
    "only_us": [],
    "only_books": _BOOKED,
    "amount": _OFF,
    "currency": _ABROAD,
    "twice": [],
}
EXPECTED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "charge": {
        "only_processor": ["MISSING_LOCAL of itself, processor", _NOT_BOOKED],
        "only_us": ["MISSING_REMOTE of itself, processor", "NOT_BOOKED of itself, book"],
        "only_books": ["MISSING_LOCAL of itself, book", *_BOOKED],
        "amount": ["AMOUNT_MISMATCH of itself, processor", *_OFF],
        "currency": ["CURRENCY_MISMATCH of itself, processor", *_ABROAD],
        "twice": ["DUPLICATE of movement, processor"],
    },
    "refund": {
        "only_processor": ["MISSING_LOCAL of itself, processor", _NOT_BOOKED],
        "only_us": ["MISSING_REMOTE of itself, processor", "NOT_BOOKED of itself, book"],
        "only_books": ["MISSING_LOCAL of entry refund, entry", *_BOOKED],
        "amount": ["AMOUNT_MISMATCH of itself, processor", *_OFF],
        "currency": ["CURRENCY_MISMATCH of itself, processor", *_ABROAD],
        "twice": ["DUPLICATE of movement, processor"],
    },
    "refund failure": {
        "only_processor": ["MISSING_LOCAL of itself, processor", _NOT_BOOKED, "NOT_BOOKED of movement, book"],
        # A refund that failed and never moved anything came to nothing on all sides. So are the two below.
        "only_us": [],
        "only_books": [
            "MISSING_LOCAL of entry refund, entry",
            "MISSING_LOCAL of entry refund_failure, entry",
            *_BOOKED,
        ],
        "amount": ["AMOUNT_MISMATCH of itself, processor", *_OFF],
        "currency": ["CURRENCY_MISMATCH of itself, processor", *_ABROAD],
        "twice": ["AMOUNT_MISMATCH of itself, processor"],
    },
    "dispute": {
        "only_processor": ["MISSING_LOCAL of itself, processor", _NOT_BOOKED],
        "only_us": ["MISSING_REMOTE of itself, processor", "NOT_BOOKED of itself, book"],
        "only_books": ["MISSING_LOCAL of entry dispute_lost, entry", *_BOOKED],
        "amount": ["AMOUNT_MISMATCH of itself, processor", *_OFF],
        "currency": ["CURRENCY_MISMATCH of itself, processor", *_ABROAD],
        "twice": ["AMOUNT_MISMATCH of itself, processor"],
    },
    "dispute reversal": {
        "only_processor": ["MISSING_LOCAL of itself, processor", _NOT_BOOKED, "NOT_BOOKED of movement, book"],
        "only_us": [],
        "only_books": _BOOKED,
        "amount": ["AMOUNT_MISMATCH of itself, processor", *_OFF],
        "currency": ["CURRENCY_MISMATCH of itself, processor", *_ABROAD],
        "twice": ["AMOUNT_MISMATCH of itself, processor"],
    },
    "payout": {
        "only_processor": ["MISSING_LOCAL of moved, processor", _NOT_BOOKED],
        "only_us": ["MISSING_REMOTE of itself, movement", "NOT_BOOKED of itself, book"],
        "only_books": ["MISSING_REMOTE of entry payout_paid, entry", *_BOOKED],
        "amount": ["AMOUNT_MISMATCH of itself, movement", *_OFF],
        "currency": ["CURRENCY_MISMATCH of moved, processor", *_ABROAD],
        "twice": ["DUPLICATE of movement, processor"],
    },
    "payout return": {
        "only_processor": [
            "MISSING_LOCAL of moved, processor",
            "MISSING_LOCAL of movement, processor",
            _NOT_BOOKED,
            "NOT_BOOKED of movement, book",
        ],
        "only_us": [],
        "only_books": _BOOKED,
        "amount": ["STATUS_MISMATCH of itself, movement", *_OFF],
        "currency": ["CURRENCY_MISMATCH of moved, processor", *_ABROAD],
        "twice": ["DUPLICATE of movement, processor"],
    },
    "fee": _OF_ACCOUNT,
    "tax": _OF_ACCOUNT,
    "reserve": _OF_ACCOUNT,
    "platform earning": _OF_ACCOUNT,
    "platform fee refund": _OF_ACCOUNT,
    "other": {
        "only_processor": ["FOREIGN of moved, processor", _NOT_BOOKED],
        "only_us": [],
        "only_books": _BOOKED,
        "amount": ["FOREIGN of moved, processor", *_OFF],
        "currency": ["FOREIGN of moved, processor", *_ABROAD],
        "twice": ["FOREIGN of moved, processor", "FOREIGN of movement, processor"],
    },
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("name", MAKERS)
def test_whoever_alone_has_it_it_is_found_under_its_name(name: str, way: Callable[[Made], None]) -> None:
    assert found(name, way) == {*EXPECTED[name][way.__name__]}


def test_parts_of_fees_that_the_books_have_elsewhere_or_alone_are_found() -> None:
    writer = Writer(7)
    made = dispute(writer)
    entry = entry_of(made.moved.movement_id, E.MOVEMENT)
    amounts = {**writer.history.entries[entry].amounts, "PROCESSOR_FEES": 14, "TAX_RECOVERABLE": 1}
    writer.history.change_entry(entry, amounts=amounts)
    fee = derived_id(made.moved.movement_id, "of nothing")
    intent = made.moved.payment_intent_id
    writer.book(E.PROCESSOR_FEE, fee, intent, {"PROCESSOR_FEES": 3, "CASH": -3}, "BRL", made.moved.created_at)
    assert {(d.type, d.aspect) for each in writer.history.compare() for d in each.differences} == {
        ("FEE_MISMATCH", "book"),
        ("MISSING_REMOTE", "entry"),
    }


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("refund failure of one that succeeded", ("STATUS_MISMATCH", "book")),
        ("refund failure in another currency", ("CURRENCY_MISMATCH", "book")),
        ("loss in another currency", ("CURRENCY_MISMATCH", "book")),
        ("loss of another dispute", ("MISSING_LOCAL", "entry")),
        ("loss of a reversed decision", None),
        ("second capture", ("MISSING_LOCAL", "entry")),
        ("exchange of what was not exchanged", ("MISSING_REMOTE", "entry")),
        ("what people post", None),
        ("entry that was taken back", None),
    ],
)
def test_further_entries_of_a_payment_are_found(damage: str, expected: tuple[str, str] | None) -> None:
    writer = Writer(3)
    history = writer.history
    made = (refund if "refund" in damage else dispute)(writer)
    intent, part, at = made.moved.payment_intent_id, made.part, made.moved.created_at
    assert intent is not None
    assert part is not None
    lost, other = -made.moved.amount_minor, derived_id(part, "another")
    losses = {"DISPUTE_LOSSES": lost, "DISPUTE_CLEARING": -lost}
    match damage:
        case "refund failure of one that succeeded":
            writer.book(E.REFUND_FAILURE, part, intent, {"CASH": lost, "REFUND_EXPENSE": -lost}, "BRL", at)
        case "refund failure in another currency":
            writer.book(E.REFUND_FAILURE, part, intent, {"CASH": lost, "REFUND_EXPENSE": -lost}, "CHF", at)
        case "loss in another currency":
            history.change_entry(entry_of(part, E.DISPUTE_LOST), currency="CHF")
        case "loss of another dispute":
            writer.book(E.DISPUTE_LOST, other, intent, losses, "BRL", at)
        case "loss of a reversed decision":
            # Lost, won on appeal, and lost again.
            for number, (kind, sign) in enumerate([(E.DISPUTE_WON, -1), (E.DISPUTE_LOST, 1)], start=1):
                key = derived_id(part, f"{kind}:{number}")
                writer.book(kind, part, intent, {role: sign * each for role, each in losses.items()}, "BRL", at)
                entry = history.entries.pop(entry_of(part, kind))
                history.entries[key] = msgspec.structs.replace(entry, entry_id=key)
            writer.book(E.DISPUTE_LOST, part, intent, losses, "BRL", at)
        case "second capture":
            writer.book(E.CAPTURE, other, intent, {"CASH": 5, "REVENUE": -5}, "BRL", at)
        case "exchange of what was not exchanged":
            writer.book(E.MOVEMENT_EXCHANGED, made.moved.movement_id, intent, {"FX_POSITION": 5}, "CHF", at)
        case "what people post":
            writer.book(E.MANUAL, other, intent, {"CASH": 5, "REVENUE": -5}, "BRL", at)
        case "entry that was taken back":
            writer.book(E.CAPTURE, other, intent, {"CASH": 5, "REVENUE": -5}, "BRL", at)
            history.change_entry(entry_of(other, E.CAPTURE), is_reversed=True)
    found_here = {(d.type, d.aspect) for each in history.compare() for d in each.differences}
    assert found_here == (set() if expected is None else {expected})
