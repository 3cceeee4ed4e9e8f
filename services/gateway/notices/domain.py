"""What is always true of a dispute, and which refunds it leaves no money for."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.gateway.operations import Attempt, AttemptStatus, attempt_id, is_left_open, released
from services.gateway.processors.port import DisputeState, Operation


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute, as we remember it."""

    tenant_id: str
    """Whose payment it is."""
    id: UUID
    """Derived from the processor's reference: the same dispute, reported again, is the same."""
    payment_intent_id: UUID
    """The payment."""
    processor: str
    """Who reported it."""
    gateway_ref: str
    """The processor's reference of it."""
    state: DisputeState
    """How far it is."""
    amount_minor: int
    """The disputed amount, in minor units."""
    currency: str
    """ISO 4217 code, upper case."""
    reason: str
    """The bank's reason, as a word."""
    opened_at: datetime
    """When, in the processor's words."""
    evidence_due_at: datetime | None
    """Until when the merchant may answer, where the processor names it."""
    decided_at: datetime | None
    """When it was won or lost, by the last decision, or its inquiry was closed."""
    reversals: int = 0
    """How often the bank has reversed its decision."""

    @property
    def decisions(self) -> list[DisputeState]:
        """All decisions of the bank, in their order: each is the opposite of the one before."""
        if self.state is DisputeState.OPEN or self.state.is_inquiry:
            return []
        other = DisputeState.LOST if self.state is DisputeState.WON else DisputeState.WON
        return [self.state if (self.reversals - n) % 2 == 0 else other for n in range(self.reversals + 1)]


def authorization_of(attempts: Iterable[Attempt], *, gateway_ref: str, attempt_id: UUID | None) -> Attempt | None:
    """Return which authorization of a payment a notice is about: by its reference, else by our id of it, else the last that was sent."""
    found = sorted((a for a in attempts if a.operation is Operation.AUTHORIZE), key=lambda a: a.number)
    named = [a for a in found if gateway_ref and gateway_ref in (a.result_ref, a.gateway_ref)]
    named = named or [a for a in found if a.id == attempt_id]
    sent = [a for a in found if a.number == 0 or not a.is_certainly_unsent]
    return next(reversed(named or sent or found), None)


def is_another_one_open(authorization: Attempt, attempts: Iterable[Attempt]) -> bool:
    """Return whether another authorization of the payment holds funds, or may: of two, one never holds or takes money beside the other."""
    known = list(attempts)
    over = released(known)
    return any(
        a.operation is Operation.AUTHORIZE
        and a.id != authorization.id
        and a.status is not AttemptStatus.DECLINED
        and not (a.status is AttemptStatus.APPROVED and a.number in over)
        and not a.is_certainly_unsent
        for a in known
    )


def is_of_another_payment(authorization: Attempt, gateway_ref: str) -> bool:
    """Return whether a reference is of another payment at the processor than the one that was authorized, or declined, for us.

    Somebody has copied our metadata, or has made a second payment of it: what becomes of that one is nothing about ours.
    """
    known = authorization.result_ref or authorization.gateway_ref
    return bool(known and gateway_ref) and known != gateway_ref


def unasked(authorization: Attempt, operation: Operation, *, at: datetime) -> Attempt:
    """Return an operation on the payment that somebody else has requested from the processor: a capture, or the end of a hold."""
    return msgspec.structs.replace(
        authorization,
        id=attempt_id(
            tenant_id=authorization.tenant_id,
            subject_id=authorization.payment_intent_id,
            operation=operation,
            number=0 if operation is Operation.CAPTURE else authorization.number,
        ),
        operation=operation,
        asks=0,
        asked_at=None,
        next_ask_at=None,
        created_at=at,
    )


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is to cancel a declined payment, so that nobody pays it after all."""

    is_requested: bool = False
    """Whether it was ever to be cancelled."""
    is_known: bool = False
    """Whether it is, or was, to be cancelled, and no person has to do it: a hold of it is released."""
    is_done: bool = False
    """Whether the processor has cancelled it."""


def closing_of(attempts: Iterable[Attempt], gateway_ref: str) -> Closing:
    """Return how far it is to cancel the payment of a reference."""
    closings = [a for a in attempts if a.operation is Operation.CLOSE and a.gateway_ref == gateway_ref]
    return Closing(
        is_requested=bool(closings),
        is_known=not all(is_left_open(attempt) for attempt in closings),
        is_done=any(attempt.status is AttemptStatus.APPROVED for attempt in closings),
    )


def refunds_without_money(attempts: Sequence[Attempt], disputes: Iterable[Dispute]) -> list[Attempt]:
    """Return the refunds that certainly were not sent, and of which the bank has taken the money back; the oldest go first.

    What may have been sent cannot be stopped: a card's refund cannot be cancelled at the processor.
    """
    captured = [
        a.amount_minor for a in attempts if a.operation is Operation.CAPTURE and a.status is AttemptStatus.APPROVED
    ]
    if not captured:
        return []
    given = [
        attempt
        for attempt in attempts
        if attempt.operation is Operation.REFUND
        and attempt.status not in (AttemptStatus.DECLINED, AttemptStatus.REVERSED)
    ]
    unsent = [attempt for attempt in given if attempt.status is AttemptStatus.PENDING and attempt.in_doubt == 0]
    left = captured[0] - sum(d.amount_minor for d in disputes if d.state in (DisputeState.OPEN, DisputeState.LOST))
    left -= sum(attempt.amount_minor for attempt in given if attempt not in unsent)
    stopped = []
    for attempt in sorted(unsent, key=lambda a: (a.created_at, a.id)):
        if attempt.amount_minor <= left:
            left -= attempt.amount_minor
        else:
            stopped.append(attempt)
    return stopped
