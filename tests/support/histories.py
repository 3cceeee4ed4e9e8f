"""True histories: payments, refunds, disputes and payouts on which the api, the processor and the books agree."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.api_facts import DisputeFact, PaymentFact, RefundFact
from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.ids import derived_id, first_id
from services.gateway.reconciliation.runs.domain import (
    Compared,
    MovementFact,
    Patience,
    PaymentGroup,
    PayoutFact,
    agreeing,
    compare_entries,
    compare_movement,
    compare_payment,
    compare_payout,
    entry_of,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PATIENCE = Patience(now=NOW, quiet=timedelta(minutes=15), timing=timedelta(hours=6))
OF_MOVEMENTS = (EntryKind.MOVEMENT, EntryKind.MOVEMENT_EXCHANGED, EntryKind.AVAILABLE)
OF_PAYOUTS = (EntryKind.PAYOUT_PAID, EntryKind.PAYOUT_DEBITED)
_FEE_ROLES = {"processor": "PROCESSOR_FEES", "tax": "TAX_RECOVERABLE", "platform": "PLATFORM_FEES"}
_RATES = {"BRL": 1, "EUR": 5, "JPY": 3}


class History(msgspec.Struct):
    """What each side has of everything that happened; it may be damaged."""

    payments: dict[UUID, PaymentFact] = {}
    movements: list[MovementFact] = []
    payouts: list[PayoutFact] = []
    entries: dict[UUID, EntryFact] = {}
    agreed: int = 0
    """Payments of which it was seen at a glance, since it was made, that all agree."""

    def compare(self, patience: Patience = PATIENCE) -> list[Compared]:
        """Compare all of it, in the order of the ids."""
        moved_of: dict[UUID, list[MovementFact]] = {}
        entries_of: dict[UUID, dict[UUID, EntryFact]] = {}
        for moved in self.movements:
            if moved.payment_intent_id is not None:
                moved_of.setdefault(moved.payment_intent_id, []).append(moved)
        for key, entry in self.entries.items():
            if entry.payment_intent_id is not None:
                entries_of.setdefault(entry.payment_intent_id, {})[key] = entry
        found = []
        for intent in sorted({*self.payments, *moved_of, *entries_of}):
            group = PaymentGroup(
                payment_intent_id=intent,
                payment=self.payments.get(intent),
                movements=tuple(moved_of.get(intent, ())),
                entries=entries_of.get(intent, {}),
                statement_until=NOW,
            )
            found.append(compare_payment(group, patience))
            self.agreed += _holds_agreeing_to(group, found[-1])
        found += [compare_movement(m, self.entries, patience) for m in self.movements if m.payment_intent_id is None]
        found += [compare_payout(payout, self.entries, patience) for payout in self.payouts]
        known = {entry_of(m.movement_id, kind) for m in self.movements for kind in OF_MOVEMENTS}
        known |= {entry_of(payout.payout_id, kind) for payout in self.payouts for kind in OF_PAYOUTS}
        alone = [e for key, e in self.entries.items() if e.payment_intent_id is None and key not in known]
        return [*found, compare_entries(alone, patience)]

    def change_payment(self, intent: UUID, **fields: Any) -> None:
        """Change what the api has of a payment."""
        self.payments[intent] = msgspec.structs.replace(self.payments[intent], **fields)

    def change_entry(self, entry_id: UUID, **fields: Any) -> None:
        """Change what the books have."""
        self.entries[entry_id] = msgspec.structs.replace(self.entries[entry_id], **fields)

    def change_movement(self, ref: str, **fields: Any) -> None:
        """Change what the processor has, and nothing else."""
        self.movements = [msgspec.structs.replace(m, **fields) if m.id == ref else m for m in self.movements]

    def remove_movement(self, ref: str) -> None:
        """Forget a movement, and what the books have of it."""
        (gone,) = [m for m in self.movements if m.id == ref]
        self.movements.remove(gone)
        for kind in OF_MOVEMENTS:
            self.entries.pop(entry_of(gone.movement_id, kind), None)


def _holds_agreeing_to(group: PaymentGroup, thorough: Compared) -> bool:
    """Look at a payment as most are looked at in a run: it finds what a thorough comparison finds, or nothing."""
    ids = [entry_of(moved.movement_id, EntryKind.AVAILABLE) for moved in group.movements]
    others = [each for key, each in group.entries.items() if key not in ids]
    available = next((group.entries[key] for key in ids if key in group.entries), None)
    match = agreeing(group.payment, group.movements, others, available)
    assert match is None or thorough == Compared(matches=(match,))
    return match is not None


class Writer:
    """Writes a true history."""

    def __init__(self, seed: int, *, is_available: bool | None = None) -> None:
        self.history = History()
        self._random = Random(seed)
        self._is_available = is_available
        self._numbers = count(1)

    def at(self, *, days_max: int = 20) -> datetime:
        """Draw a time that is long enough ago."""
        return NOW - timedelta(days=self._random.randint(1, days_max), seconds=self._random.randint(0, 80_000))

    def book(
        self, kind: EntryKind, subject: UUID, intent: UUID | None, amounts: dict[str, int], currency: str, at: datetime
    ) -> None:
        """Post an entry."""
        self.history.entries[entry_of(subject, kind)] = EntryFact(
            entry_id=entry_of(subject, kind),
            kind=kind,
            payment_intent_id=intent,
            currency=currency,
            amount_minor=sum(amount for amount in amounts.values() if amount > 0),
            amounts=amounts,
            occurred_at=at,
            posted_at=at,
            is_reversed=False,
        )

    def move(
        self,
        kind: MovementKind,
        amount: int,
        currency: str,
        *,
        intent: UUID | None = None,
        refund: UUID | None = None,
        source: str = "",
        fees: Sequence[tuple[str, int]] = (),
        rate: int = 1,
        at: datetime,
    ) -> MovementFact:
        """Move money at the processor, and post that; `rate` exchanges it into BRL."""
        number = next(self._numbers)
        settles = "BRL" if rate != 1 else currency
        gross = amount * rate
        net = gross - sum(fee for _, fee in fees)
        moved = MovementFact(
            id=f"txn_{number}",
            movement_id=derived_id(first_id(at), f"movement {number}"),
            is_booked=True,
            kind=kind,
            source_ref=source or f"src_{number}",
            payment_intent_id=intent,
            refund_id=refund,
            amount_minor=gross,
            net_minor=net,
            fees=tuple(fees),
            currency=settles,
            source_amount_minor=amount if rate != 1 else None,
            source_currency=currency if rate != 1 else "",
            created_at=at,
            seen_at=at,
            updated_at=at,
            is_available=self._random.random() < 0.5 if self._is_available is None else self._is_available,
        )
        self.history.movements.append(moved)
        kept: dict[str, int] = {}
        for name, fee in fees:
            kept[_FEE_ROLES[name]] = kept.get(_FEE_ROLES[name], 0) + fee
        self.book(
            EntryKind.MOVEMENT,
            moved.movement_id,
            intent,
            {"PROCESSOR_PENDING": net, **kept, "CASH": -gross},
            settles,
            at,
        )
        if rate != 1:
            self.book(
                EntryKind.MOVEMENT_EXCHANGED,
                moved.movement_id,
                intent,
                {"FX_POSITION": amount, "CASH": -amount},
                currency,
                at,
            )
        if moved.is_available and net:
            amounts = {"PROCESSOR_AVAILABLE": net, "PROCESSOR_PENDING": -net}
            self.book(EntryKind.AVAILABLE, moved.movement_id, intent, amounts, settles, at)
        return moved

    def pay(
        self, *, captured: int | None = None, status: str = "SETTLED", currency: str = ""
    ) -> tuple[UUID, int, str, int]:
        """Make a payment, captured in part or as a whole: returns it, what was captured, the currency and its rate."""
        at, amount = self.at(), self._random.randint(100, 90_000)
        currency = currency or self._random.choice([*_RATES])
        intent = derived_id(first_id(at), f"payment {next(self._numbers)}")
        taken = amount if captured is None else captured
        rate = _RATES[currency]
        self.history.payments[intent] = PaymentFact(
            payment_intent_id=intent,
            status=status,
            amount_minor=amount,
            captured_minor=taken,
            currency=currency,
            gateway_ref=f"pi_{intent.hex[-8:]}",
            payment_method_type="card",
            created_at=at,
            updated_at=at + timedelta(minutes=1),
        )
        if taken:
            fees = (("processor", 30), ("tax", 2), ("processor", 5))
            self.move(
                MovementKind.CHARGE,
                amount,
                currency,
                intent=intent,
                source=f"ch_{intent.hex[-8:]}",
                fees=fees,
                rate=rate,
                at=at,
            )
            if taken < amount:
                self.move(
                    MovementKind.RELEASE,
                    taken - amount,
                    currency,
                    intent=intent,
                    source=f"ch_{intent.hex[-8:]}",
                    rate=rate,
                    at=at,
                )
            self.book(EntryKind.CAPTURE, intent, intent, {"CASH": taken, "REVENUE": -taken}, currency, at)
        return intent, taken, currency, rate

    def refund(self, status: str, *, came_back: bool = False, currency: str = "") -> tuple[UUID, UUID]:
        """Make a payment and refund a part of it; returns both."""
        intent, taken, currency, rate = self.pay(currency=currency)
        at, amount = self.at(days_max=3), taken // 2
        refund = derived_id(first_id(at), f"refund {next(self._numbers)}")
        fact = RefundFact(refund_id=refund, amount_minor=amount, status=status, gateway_ref=f"re_{refund.hex[-8:]}")
        self.history.change_payment(intent, refunds=(fact,))
        self.move(
            MovementKind.REFUND,
            -amount,
            currency,
            intent=intent,
            refund=refund,
            source=fact.gateway_ref,
            rate=rate,
            at=at,
        )
        if status == "COMPLETED" or came_back:
            self.book(EntryKind.REFUND, refund, intent, {"REFUND_EXPENSE": amount, "CASH": -amount}, currency, at)
        if status == "FAILED":
            self.move(
                MovementKind.REFUND_FAILURE,
                amount,
                currency,
                intent=intent,
                refund=refund,
                source=fact.gateway_ref,
                rate=rate,
                at=at,
            )
            if came_back:
                self.book(
                    EntryKind.REFUND_FAILURE, refund, intent, {"CASH": amount, "REFUND_EXPENSE": -amount}, currency, at
                )
        return intent, refund

    def dispute(self, status: str, *, currency: str = "") -> tuple[UUID, UUID, str]:
        """Make a payment and dispute it; returns it, the dispute and the processor's reference."""
        intent, taken, currency, rate = self.pay(currency=currency)
        at = self.at(days_max=3)
        dispute = derived_id(first_id(at), f"dispute {next(self._numbers)}")
        ref = f"dp_{dispute.hex[-8:]}"
        self.history.change_payment(
            intent, disputes=(DisputeFact(dispute_id=dispute, amount_minor=taken, status=status, gateway_ref=ref),)
        )
        if status in ("OPEN", "WON", "LOST"):
            self.move(
                MovementKind.DISPUTE,
                -taken,
                currency,
                intent=intent,
                source=ref,
                fees=(("processor", 15),),
                rate=rate,
                at=at,
            )
        if status == "WON":
            self.move(MovementKind.DISPUTE_REVERSAL, taken, currency, intent=intent, source=ref, rate=rate, at=at)
        if status == "LOST":
            amounts = {"DISPUTE_LOSSES": taken, "DISPUTE_CLEARING": -taken}
            self.book(EntryKind.DISPUTE_LOST, dispute, intent, amounts, currency, at)
        return intent, dispute, ref

    def payout(self, status: str, *, amount: int = 5_000) -> PayoutFact:
        """Pay out; returns the payout."""
        at = self.at()
        ref = f"po_{next(self._numbers)}"
        taken = self.move(MovementKind.PAYOUT, -amount, "BRL", source=ref, at=at)
        if status == "failed":
            self.move(MovementKind.PAYOUT_RETURN, amount, "BRL", source=ref, at=at)
        payout = PayoutFact(
            id=ref,
            payout_id=derived_id(first_id(at), ref),
            amount_minor=amount,
            currency="BRL",
            status=status,
            bank={"paid": "arrived", "failed": "returned"}.get(status, "nothing"),
            is_booked=True,
            is_itemised=status == "paid",
            parts_minor=amount if status == "paid" else 0,
            taken_minor=0 if status == "failed" else taken.amount_minor,
            has_movement=True,
            created_at=at,
            arrives_at=at,
            updated_at=at,
        )
        self.history.payouts.append(payout)
        for each in [m for m in self.history.movements if m.source_ref == ref]:
            self.history.change_movement(each.id, payout_currency="BRL", is_of_payout=True)
        if status == "paid":
            kind = EntryKind.PAYOUT_PAID if amount > 0 else EntryKind.PAYOUT_DEBITED
            self.book(kind, payout.payout_id, None, {"BANK": abs(amount), "GATEWAY_CLEARING": -abs(amount)}, "BRL", at)
        return payout

    def account(self, kind: MovementKind, amount: int) -> MovementFact:
        """Move something that belongs to no payment."""
        return self.move(kind, amount, "BRL", at=self.at())


def everything(seed: int, writer: Writer | None = None) -> tuple[Writer, dict[str, Any]]:
    """Write one of each that can happen, in several currencies; returns the writer, and what was made by name."""
    writer = writer or Writer(seed)
    steps: dict[str, Callable[[], Any]] = {
        "sale": writer.pay,
        "abroad": lambda: writer.pay(currency="EUR"),
        "partial": lambda: writer.pay(captured=60),
        "declined": lambda: writer.pay(captured=0, status="FAILED"),
        "voided": lambda: writer.pay(captured=0, status="VOIDED"),
        "refund": lambda: writer.refund("COMPLETED"),
        "refund_failed": lambda: writer.refund("FAILED"),
        "refund_came_back": lambda: writer.refund("FAILED", came_back=True),
        "refund_pending": lambda: writer.refund("PENDING"),
        "dispute": lambda: writer.dispute("OPEN"),
        "dispute_won": lambda: writer.dispute("WON"),
        "dispute_lost": lambda: writer.dispute("LOST"),
        "inquiry": lambda: writer.dispute("INQUIRY"),
        "payout": lambda: writer.payout("paid"),
        "payout_in_transit": lambda: writer.payout("in_transit"),
        "payout_failed": lambda: writer.payout("failed"),
        "bank_debited": lambda: writer.payout("paid", amount=-700),
        "fee": lambda: writer.account(MovementKind.FEE, -200),
        "tax": lambda: writer.account(MovementKind.TAX, -20),
        "reserve": lambda: writer.account(MovementKind.RESERVE, -1_000),
    }
    return writer, {name: make() for name, make in steps.items()}
