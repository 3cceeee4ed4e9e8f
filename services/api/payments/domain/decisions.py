"""A decision: what a command or a happening makes of an intent, by the table of the lifecycle."""

from datetime import datetime
from typing import Any, assert_never

import msgspec

from services.api.errors import CannotCapture, CannotConfirm, CannotRefund, CannotVoid, ContradictoryOutcome, NotYet
from services.api.payments.domain.dispute import Dispute
from services.api.payments.domain.intent import PaymentIntent
from services.api.payments.domain.lifecycle import (
    BY_AMOUNTS,
    LIFECYCLE,
    STATUS_OF,
    Check,
    Fact,
    Happening,
    Move,
    Otherwise,
    Recount,
    Stage,
)
from services.api.payments.domain.refund import Refund

_REFUSALS: dict[Happening, type[CannotConfirm | CannotCapture | CannotVoid | CannotRefund]] = {
    Happening.CONFIRM: CannotConfirm,
    Happening.CONFIRM_WITH_METHOD: CannotConfirm,
    Happening.CAPTURE: CannotCapture,
    Happening.VOID: CannotVoid,
    Happening.REFUND: CannotRefund,
}


class Decision(msgspec.Struct, frozen=True):
    """What a happening makes of an intent, and of the refund or dispute that it is about."""

    intent: PaymentIntent
    facts: tuple[Fact, ...] = ()
    refund: Refund | None = None
    dispute: Dispute | None = None
    changed: bool = False
    """Whether there is anything to save."""


def decide(intent: PaymentIntent, happening: Happening, *, at: datetime, **changes: Any) -> Decision:
    """Decide what `happening` makes of an intent; `changes` are its new values where it moves.

    Raises:
        NotYet: when what it builds on has not arrived.
        ContradictoryOutcome: when it cannot be true together with what is known.
        CannotConfirm, CannotCapture, CannotVoid, CannotRefund: when a command cannot be carried out.
    """
    row = LIFECYCLE[intent.stage, happening]
    match row:
        case Move():
            changes["status"] = STATUS_OF[row.to]
            return changed(intent, row.facts, at=at, changes=changes)
        case Recount():
            counted = msgspec.structs.replace(intent, **changes)
            if intent.stage in BY_AMOUNTS:
                changes["status"] = STATUS_OF[_by_amounts(counted)]
            return changed(intent, row.facts, at=at, changes=changes)
        case Check():
            return changed(intent, row.facts, at=at, changes={})
        case Otherwise.STAYS:
            return Decision(intent)
        case Otherwise.EARLY:
            raise NotYet(f"payment intent {intent.id} is {intent.stage}: {happening} comes too early")
        case Otherwise.CONTRADICTS:
            raise ContradictoryOutcome(f"payment intent {intent.id} is {intent.stage}: {happening} cannot be true")
        case Otherwise.REFUSED:
            raise _REFUSALS[happening](intent.status)
        case _:
            assert_never(row)


def changed(intent: PaymentIntent, facts: tuple[Fact, ...], *, at: datetime, changes: dict[str, Any]) -> Decision:
    """Return the intent with `changes`, as its next version, and the facts to publish."""
    after = msgspec.structs.replace(intent, version=intent.version + 1, updated_at=at, **changes)
    return Decision(after, facts, changed=True)


def _by_amounts(intent: PaymentIntent) -> Stage:
    if intent.refunded_minor == 0:
        return Stage.SETTLED
    return Stage.REFUNDED if intent.refunded_minor >= intent.captured_minor else Stage.PARTIALLY_REFUNDED
