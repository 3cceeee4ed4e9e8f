"""What is always true of a statement: how far a list is read, where a payout stands, and whose a movement is. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.ids import derived_id, first_id, may_be_derived
from services.gateway.processors.port.reading import Held, StatementMovement

OVERLAP = timedelta(hours=1)
"""How far a round reads behind the beginning of the last one: the processor's clock, and what it lists late."""
DEEP_EVERY = timedelta(hours=6)
"""How often a round reads far back."""
DEEP = timedelta(days=3)
"""How far that is at least."""
DEEP_MAX = timedelta(days=45)
"""How far it is at most, for what is still pending: the longest that a processor holds money back by rule is 30 days."""
BEFORE_KNOWN = timedelta(days=1)
"""How far before an account was known its first round reads: payments may have gone through it by then."""


class ListKind(StrEnum):
    """A list of the processor's that is read."""

    MOVEMENTS = "movements"
    """What moved."""
    PAYOUTS = "payouts"
    """What was paid out."""
    EVENTS = "events"
    """Events that reached no webhook endpoint."""
    REFUNDS = "refunds"
    """Refunds, however far they are."""
    DISPUTES = "disputes"
    """Disputes and inquiries of banks."""


FAR_BACK: Mapping[ListKind, timedelta] = {
    # A bank returns a refund within 30 days, which was reported as successful until then.
    ListKind.REFUNDS: timedelta(days=30),
    # Two rounds of evidence and their decisions; there are few of them.
    ListKind.DISPUTES: timedelta(days=180),
}
"""How far back a deep round reads lists that are ordered by when a thing was made, and not by when it changed."""


class StatementAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account at a processor."""

    account_id: str
    """The processor's id of it."""
    is_live: bool
    """Live or test mode."""
    tenant_id: str
    """Who owns it."""
    processor: str
    """The configuration that the owner charges through, as it is named in attempts."""
    known_at: datetime
    """Since when it is known whose it is."""
    booked_from: datetime
    """From when on its statement is booked."""
    opening_due: bool = False
    """Whether what stood on it before is still to be booked."""
    opened_at: datetime | None = None
    """When that was booked; None: not, or by hand."""

    @property
    def has_opening(self) -> bool:
        """Whether what is older than `booked_from` is in an opening balance, and not in events of before."""
        return self.opening_due or self.opened_at is not None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How far a list of an account was read."""

    account_id: str
    is_live: bool
    list: ListKind
    since: datetime | None
    """How far back the round in progress reads; None while none is."""
    cursor: str
    """From where its next page goes on."""
    began_at: datetime | None
    """When the round in progress began."""
    complete_until: datetime | None
    """When the last complete round began."""
    deep_at: datetime | None
    """When the last round began that read far back."""
    next_at: datetime
    """From when on it may be read again."""
    turn: int
    """Who reads it."""
    failures: int
    """Pages in a row that could not be had."""
    is_whole: bool = True
    """Whether all could be understood that was shown since the last round began that read far back."""

    def begun(self, account: StatementAccount, *, now: datetime, oldest_pending: datetime | None) -> "Reading":
        """Return it with a round in progress: the one that is, or a new one."""
        if self.since is not None:
            return self
        first = account.known_at - BEFORE_KNOWN
        is_deep = self.deep_at is None or now - self.deep_at >= DEEP_EVERY
        if self.list is ListKind.MOVEMENTS and account.has_opening:
            # What is pending in the opening balance must be seen to become available.
            first = account.known_at - DEEP_MAX
            is_deep = is_deep or (account.opening_due and oldest_pending is not None)
        if self.complete_until is None or (is_deep and not self.is_whole):
            since = first
        elif is_deep and self.list in FAR_BACK:
            since = min(self.complete_until, now - FAR_BACK[self.list])
        elif is_deep:
            since = min(self.complete_until, now - DEEP, max(oldest_pending or now, now - DEEP_MAX))
        else:
            since = self.complete_until - OVERLAP
        return msgspec.structs.replace(
            self,
            since=max(since, first),
            cursor="",
            began_at=now,
            deep_at=now if is_deep else self.deep_at,
            is_whole=is_deep or self.is_whole,
        )

    def understood(self, *, is_whole: bool) -> "Reading":
        """Return it after a page was shown, which could be understood as a whole or not."""
        return msgspec.structs.replace(self, is_whole=self.is_whole and is_whole)

    def after(self, next_cursor: str, *, now: datetime, every: timedelta) -> "Reading":
        """Return it after a page: with the next one due, or the round complete."""
        if next_cursor:
            return msgspec.structs.replace(self, cursor=next_cursor, next_at=now, failures=0)
        return msgspec.structs.replace(
            self,
            since=None,
            cursor="",
            began_at=None,
            complete_until=self.began_at,
            next_at=now + every,
            failures=0,
        )

    def failed(self, *, now: datetime, every: timedelta, pause_max: timedelta) -> "Reading":
        """Return it after a page that could not be had: the same page is due later, each time twice as long."""
        pause = min(every * 2 ** min(self.failures, 10), pause_max)
        return msgspec.structs.replace(self, next_at=now + pause, failures=self.failures + 1)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the movements that are known come to, for one currency."""

    currency: str
    """ISO 4217 code, upper case."""
    seen: int
    """How many there are."""
    turned: int
    """How many of them can be paid out."""
    unbooked_pending: int
    """How many of the others are older than the books."""
    pending_minor: int
    """What those that are booked have brought and cannot be paid out yet."""
    available_minor: int
    """What can be."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What an account had of one currency that no booked movement has brought."""

    currency: str
    """ISO 4217 code, upper case."""
    movement_id: UUID
    """Under which it is published, as a movement is."""
    pending_minor: int
    """What could not be paid out yet; below zero where it was owed."""
    available_minor: int
    """What could be."""


def openings(
    account: StatementAccount, held: Mapping[str, Held], standing: Sequence[Standing], *, at: datetime
) -> list[Opening]:
    """Return what the balance has beyond the movements that are booked, currency by currency; nothing where they are all."""
    mode = "live" if account.is_live else "test"
    booked = {each.currency: each for each in standing}
    found = []
    for currency in sorted({*held, *booked}):
        has, brought = held.get(currency, Held(available_minor=0, pending_minor=0)), booked.get(currency)
        pending = has.pending_minor - (brought.pending_minor if brought else 0)
        available = has.available_minor - (brought.available_minor if brought else 0)
        if pending or available:
            found.append(
                Opening(
                    currency=currency,
                    movement_id=derived_id(first_id(at), f"opening:{account.account_id}:{mode}:{currency}"),
                    pending_minor=pending,
                    available_minor=available,
                )
            )
    return found


class Bank(StrEnum):
    """What was published of a payout's other side, the bank's."""

    NOTHING = "nothing"
    """It has not arrived."""
    ARRIVED = "arrived"
    """It has."""
    RETURNED = "returned"
    """It is back, or never arrives."""


class BankChange(StrEnum):
    """What has to be published of the bank."""

    CREDITED = "credited"
    """Money has arrived there."""
    DEBITED = "debited"
    """Money was taken from there."""


_STAGES: Mapping[str, int] = {"pending": 0, "in_transit": 1, "paid": 2, "failed": 3, "canceled": 3}
"""A payout only goes on: what is reported of an earlier stage is older."""


def is_known_status(status: str) -> bool:
    """Return whether a payout's status means anything to us."""
    return status in _STAGES


def later_status(known: str, reported: str) -> str:
    """Return which of two statuses of a payout is the later one; one that means nothing to us changes nothing."""
    return reported if _STAGES.get(reported, -1) > _STAGES.get(known, -1) else known


def at_the_bank(bank: Bank, status: str, *, amount_minor: int) -> tuple[Bank, BankChange | None]:
    """Return where a payout stands at the bank by its status, and what has to be published of it.

    One below zero takes from the bank where another one brings to it.
    """
    is_debit = amount_minor < 0
    match bank, _STAGES.get(status):
        case Bank.NOTHING, 2:
            return Bank.ARRIVED, BankChange.DEBITED if is_debit else BankChange.CREDITED
        case Bank.NOTHING, 3:
            return Bank.RETURNED, None
        case Bank.ARRIVED, 3:
            return Bank.RETURNED, BankChange.CREDITED if is_debit else BankChange.DEBITED
        case _:
            return bank, None


class PaymentOf(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of ours that went through an account."""

    tenant_id: str
    """Whose it is."""
    payment_intent_id: UUID
    """Our id of it."""
    gateway_ref: str
    """The processor's reference of it; empty while it is not known."""


class RequestedRefund(msgspec.Struct, frozen=True, kw_only=True):
    """What our own records have of a refund that we requested."""

    result_ref: str
    """The processor's reference of it; empty while there is none."""
    is_declined_unreported: bool
    """Whether an operator's word or our own records declined it, and not the processor."""

    def may_be(self, reference: str) -> bool:
        """Return whether a refund at the processor with our id is this one: not where ours is declined, or has another reference."""
        return not self.is_declined_unreported and self.result_ref in ("", reference)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What our own records have of the payments and refunds that some movements name."""

    payments: tuple[PaymentOf, ...] = ()
    """The payments."""
    refunds: Mapping[tuple[str, UUID, UUID], RequestedRefund] = {}
    """Refunds that we requested, by (tenant, payment, refund)."""
    recorded: Mapping[str, UUID] = {}
    """Our ids of the refunds that were recorded before, by the processor's references, in their order."""
    first: Mapping[UUID, str] = {}
    """Which refund at the processor was the first one with an id of ours in its metadata; later ones are copies."""

    def with_references_of(self, movements: Sequence[StatementMovement]) -> "Known":
        """Return it with what some movements show beside our ids: the processor's references, and which refund was the first."""
        refs = {m.payment_intent_id: m.payment_ref for m in movements if m.payment_intent_id and m.payment_ref}
        found = [
            msgspec.structs.replace(payment, gateway_ref=refs[payment.payment_intent_id])
            for payment in self.payments
            if payment.payment_intent_id in refs
        ]
        first: dict[UUID, str] = {}
        for reference, refund_id in self.recorded.items():
            first.setdefault(refund_id, reference)
        for moved in sorted(movements, key=lambda each: each.created_at):
            if moved.refund_id is not None:
                first.setdefault(moved.refund_id, moved.source_ref)
        return msgspec.structs.replace(self, payments=(*self.payments, *found), first=first)

    def payment_of(self, moved: StatementMovement) -> PaymentOf | None:
        """Return the payment that a movement belongs to: by our id, else by the processor's reference; None: none of ours."""
        for payment in self.payments:
            if payment.payment_intent_id == moved.payment_intent_id:
                return payment
        for payment in self.payments:
            if moved.payment_ref and payment.gateway_ref == moved.payment_ref:
                return payment
        return None

    def refund_of(self, moved: StatementMovement, *, tenant_id: str, payment_intent_id: UUID) -> tuple[UUID, bool]:
        """Return our id of a refund of a payment of ours, and whether nobody is known to have requested it from us.

        One that has an id of ours that is unknown was requested before the database was restored: it keeps that id. Ids that
        others have written into the metadata are none: the api derives them from the payment.
        """
        reference = moved.source_ref
        before = self.recorded.get(reference)
        if before is not None:
            # What came back has the id under which it was given, whatever has become known since.
            return before, (tenant_id, payment_intent_id, before) not in self.refunds
        adopted = adopted_id(tenant_id, payment_intent_id, reference)
        refund_id = moved.refund_id
        if refund_id is None:
            return adopted, True
        is_first = self.first.get(refund_id, reference) == reference
        requested = self.refunds.get((tenant_id, payment_intent_id, refund_id))
        if requested is None:
            return (refund_id if is_first and may_be_derived(refund_id, payment_intent_id) else adopted), True
        if requested.may_be(reference) and (is_first or requested.result_ref):
            return refund_id, False
        return adopted, True


class RecordedMovement(msgspec.Struct, frozen=True, kw_only=True):
    """A movement with what our own records know of it."""

    movement_id: UUID
    """Our id of it."""
    tenant_id: str
    """In whose books it is."""
    payment_intent_id: UUID | None
    """The payment of ours that it belongs to."""
    refund_id: UUID | None
    """The refund, where it is one of a payment of ours."""
    is_adopted: bool = False
    """Whether nobody is known to have requested the refund from us."""
    is_booked: bool = True
    """Whether it was published; False: it is part of the opening balance, and only becomes available."""
    moved: StatementMovement
    """As the processor shows it."""


def movement_id(account: StatementAccount, moved: StatementMovement) -> UUID:
    """Derive the id of a movement: of its account and reference, whoever saw it."""
    mode = "live" if account.is_live else "test"
    return derived_id(first_id(moved.created_at), f"movement:{account.account_id}:{mode}:{moved.ref}")


def payout_id(tenant_id: str, reference: str) -> UUID:
    """Derive the id of a payout of a tenant: the one that its events have always had."""
    return derived_id(derived_id(UUID(int=0), f"payouts of {tenant_id}"), f"payout:{reference}")


def adopted_id(tenant_id: str, payment_intent_id: UUID, refund_ref: str) -> UUID:
    """Derive the id of a refund that was made at the processor: of its reference, the same whenever it is seen."""
    return derived_id(payment_intent_id, f"refund:{tenant_id}:{refund_ref}")
