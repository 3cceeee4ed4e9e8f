"""What each side has of one subject: the facts that are compared. Pure.

A run makes many of them, and none can be part of a circle, so the collector of garbage need not look at them (`gc=False`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.api_facts import PaymentFact
from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.ids import derived_id, first_id

CHARGES = (MovementKind.CHARGE, MovementKind.RELEASE)
"""What a payment brought."""
REFUNDS = (MovementKind.REFUND, MovementKind.REFUND_FAILURE)
"""What we gave back of it."""
DISPUTES = (MovementKind.DISPUTE, MovementKind.DISPUTE_REVERSAL)
"""What a bank took back of it."""
OF_PAYMENTS = frozenset((*CHARGES, *REFUNDS, *DISPUTES))
"""What belongs to a payment."""
RULES = {
    MovementKind.CHARGE: "charge_of_payment",
    MovementKind.RELEASE: "charge_of_payment",
    MovementKind.REFUND: "refund_by_reference",
    MovementKind.REFUND_FAILURE: "refund_by_reference",
    MovementKind.DISPUTE: "dispute_by_reference",
    MovementKind.DISPUTE_REVERSAL: "dispute_by_reference",
}
"""By which rule a movement belongs to its subject."""


class MovementFact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A movement on an account at the processor, as it was recorded; amounts below zero left it."""

    id: str
    """The processor's reference."""
    movement_id: UUID
    """Our id of it."""
    is_booked: bool
    """Whether it was published for the books."""
    kind: MovementKind
    """What moved."""
    source_ref: str
    """What moved it, in the processor's words."""
    payment_intent_id: UUID | None
    """The payment of ours that it belongs to."""
    refund_id: UUID | None
    """The refund, where it is one of a payment of ours."""
    amount_minor: int
    """Before fees."""
    net_minor: int
    """After fees."""
    fees: tuple[tuple[str, int], ...]
    """What was kept, part by part, as (kind, amount)."""
    currency: str
    """What the account settles in."""
    source_amount_minor: int | None
    """The amount in the payment's currency, where that is another one."""
    source_currency: str
    """That currency, or empty."""
    created_at: datetime
    """When the processor booked it."""
    seen_at: datetime
    """When it became known here."""
    updated_at: datetime
    """When something of it last changed here, that it can be paid out above all."""
    is_available: bool
    """Whether it can be paid out."""
    matched_at: datetime | None = None
    """When it was written down that it agrees; None: it is not."""
    payout_currency: str | None = None
    """The currency of the payout that moved it; None: there is none, or it is not known."""
    is_of_payout: bool = False
    """Whether that payout names it as what took it, or brought it back, or does not name any yet."""

    @property
    def value(self) -> int:
        """The amount in the payment's currency."""
        return self.amount_minor if self.source_amount_minor is None else self.source_amount_minor

    @property
    def value_currency(self) -> str:
        """The payment's currency."""
        return self.source_currency or self.currency


class PayoutFact(msgspec.Struct, frozen=True, kw_only=True):
    """A payout, with what is known of its parts."""

    id: str
    """The processor's reference."""
    payout_id: UUID
    """Our id of it."""
    amount_minor: int
    """Below zero the bank was debited."""
    currency: str
    """ISO 4217 code."""
    status: str
    """In the processor's words."""
    bank: str
    """What was published of the bank: nothing, arrived, returned."""
    is_booked: bool
    """Whether its arrival is booked: not where it is older than the books."""
    is_itemised: bool
    """Whether all its parts are known."""
    parts_minor: int
    """What its parts come to, after fees and without itself."""
    taken_minor: int
    """What the movements of the payout itself come to: below zero it left, 0 where it came back or none is known."""
    has_movement: bool
    """Whether the movement that took it is known."""
    created_at: datetime
    """When it was made."""
    arrives_at: datetime
    """When it arrives, or should."""
    updated_at: datetime
    """When something of it last changed here."""

    @property
    def changed_at(self) -> datetime:
        """When something of it last changed, two days after its arrival at the latest: reading its parts is no change."""
        return min(self.updated_at, max(self.created_at, self.arrives_at) + timedelta(days=2))


class Match(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A movement that agrees with what it belongs to and with the books."""

    movement_id: UUID
    """The movement."""
    rule: str
    """By which rule."""
    subject_kind: SubjectKind
    """What it belongs to."""
    subject: str
    """Our id of that, or the processor's reference."""
    entry_id: UUID | None
    """Its entry in the books; None where it has none, as it moved before they began or came to nothing."""


class PaymentGroup(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that the sides have of one payment."""

    payment_intent_id: UUID
    """The payment."""
    payment: PaymentFact | None
    """What the api has; None: nothing."""
    movements: tuple[MovementFact, ...] = ()
    """What moved at the processor."""
    entries: Mapping[UUID, EntryFact] = msgspec.field(default_factory=dict)
    """What the books have, by entry."""
    statement_until: datetime | None
    """Until when the statement of its account is known; None: there is none that has it for sure."""
    is_whole: bool = True
    """False where a side has more of it than is read of one payment: then nothing of it is here."""
    agreed: Match | None = None
    """Set where all sides agree on it, as `agreeing` says: then its entries and statement are not here, as nobody needs them."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long one side may be ahead of another one."""

    now: datetime
    """Until when both sides are known."""
    quiet: timedelta
    """For so long nothing is reported: messages are in transit, and statements are read from time to time."""
    timing: timedelta
    """For so long it is a matter of time."""

    def until(self, known_until: datetime) -> "Patience":
        """Return it for a side that is only known until then."""
        return msgspec.structs.replace(self, now=min(self.now, known_until))

    def or_timing(self, kind: DiscrepancyType, *happened_at: datetime) -> DiscrepancyType | None:
        """Return what differs, that its other side may still follow what happened last, or None: it is too early to say."""
        age = self.now - max(happened_at)
        if age < self.quiet:
            return None
        return DiscrepancyType.TIMING if age < self.timing else kind


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides that do not agree on something; nothing else distinguishes it than its subject and aspect."""

    type: DiscrepancyType | None
    """What does not agree: it may be another thing once one side has followed. None: it is too early to say."""
    subject_kind: SubjectKind
    """What it is about."""
    subject: str
    """Our id of that, or the processor's reference."""
    aspect: str
    """Which sides differ."""
    since: datetime
    """When it happened: ids of discrepancies are in this order, so it is a time that does not change."""
    payment_intent_id: UUID | None = None
    """The payment, where it belongs to one."""
    gateway_ref: str = ""
    """The processor's reference."""
    currency: str = ""
    """ISO 4217 code of the amounts."""
    expected_minor: int | None = None
    """What we have."""
    actual_minor: int | None = None
    """What the other side has."""
    expected_status: str = ""
    """What we say it came to."""
    actual_status: str = ""
    """What the other side says it came to."""
    detail: str
    """The same in a sentence."""

    def id_of(self, tenant_id: str) -> UUID:
        """Derive the id of the discrepancy: the same in every run."""
        about = f"discrepancy:{tenant_id}:{self.subject_kind}:{self.subject}:{self.aspect}"
        return derived_id(first_id(self.since), about)


class Compared(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came of a comparison."""

    differences: tuple[Difference, ...] = ()
    """What does not agree."""
    matches: tuple[Match, ...] = ()
    """Movements that do."""
    early: tuple[Difference, ...] = ()
    """What does not agree, though it is too early to report that."""

    def without(self, movements: Collection[UUID]) -> "Compared":
        """Return it where some movements do not agree after all."""
        if all(each.movement_id not in movements for each in self.matches):
            return self
        return msgspec.structs.replace(
            self, matches=tuple(each for each in self.matches if each.movement_id not in movements)
        )


def compared(differences: Sequence[Difference], matches: Iterable[Match] = ()) -> Compared:
    """Return what came of a comparison, without what it is too early to say."""
    named = tuple(each for each in differences if each.type is not None)
    early = tuple(each for each in differences if each.type is None)
    return Compared(differences=named, matches=tuple(matches), early=early)


def entry_of(subject_id: UUID, kind: EntryKind) -> UUID:
    """Derive the id of the entry that the posting rules make of a subject."""
    return derived_id(subject_id, kind)


def entry_id_of(moved: MovementFact) -> UUID | None:
    """Derive the id of the entry of a movement; None where it moved before the books began."""
    return entry_of(moved.movement_id, EntryKind.MOVEMENT) if moved.is_booked else None


def about_payment(kind: DiscrepancyType | None, group: PaymentGroup, detail: str, **fields: Any) -> Difference:
    """Say what differs of a payment; `fields` as `about_part` takes it."""
    return about_part(
        kind, group, SubjectKind.PAYMENT, str(group.payment_intent_id), f"the payment: {detail}", **fields
    )


def about_part(
    kind: DiscrepancyType | None,
    group: PaymentGroup,
    subject_kind: SubjectKind,
    subject: str,
    detail: str,
    *,
    aspect: str = "processor",
    currency: str = "",
    **fields: Any,
) -> Difference:
    """Say what differs of a payment, or of a refund or dispute of it; `fields` are further fields of `Difference`."""
    return Difference(
        type=kind,
        subject_kind=subject_kind,
        subject=subject,
        aspect=aspect,
        payment_intent_id=group.payment_intent_id,
        currency=currency or ("" if group.payment is None else group.payment.currency),
        detail=detail,
        **fields,
    )


def about_movement(
    kind: DiscrepancyType | None, moved: MovementFact, aspect: str, detail: str, **fields: Any
) -> Difference:
    """Say what differs of a movement; `fields` are further fields of `Difference`."""
    return Difference(
        type=kind,
        subject_kind=SubjectKind.MOVEMENT,
        subject=moved.id,
        aspect=aspect,
        since=moved.created_at,
        payment_intent_id=moved.payment_intent_id,
        gateway_ref=moved.id,
        currency=moved.currency,
        detail=detail,
        **fields,
    )
