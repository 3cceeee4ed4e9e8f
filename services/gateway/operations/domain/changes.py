"""What an attempt becomes: by an answer of its processor, or at the end of a hold. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_declines import DeclineCodes
from services.gateway.errors import AttemptConflict
from services.gateway.operations.domain.attempts import Attempt, AttemptStatus, attempt_id
from services.gateway.processors.port import (
    Absent,
    Approved,
    CapturedNotice,
    Declined,
    DeclineReason,
    Finding,
    NotTaken,
    Operation,
)


def check_repeated(attempt: Attempt, proposed: Attempt) -> None:
    """See that a command is about the money that its attempt is about, as it stands.

    A decided one may be about another amount: where the processor did it at somebody else's request, its word counts. So it does
    of a capture, whose command may come after somebody else has captured another amount; never of another currency.

    Raises:
        AttemptConflict: when it names other money.
    """
    if attempt.is_same_operation(proposed):
        return
    is_capture = attempt.operation is Operation.CAPTURE
    if is_capture and attempt.currency != proposed.currency:
        raise _conflict(attempt, "in another currency")
    if not attempt.is_decided or (attempt.asks > 0 and not is_capture):
        raise _conflict(attempt, "another amount")


def _conflict(attempt: Attempt, what: str) -> AttemptConflict:
    subject = f"payment {attempt.payment_intent_id}" if attempt.refund_id is None else f"refund {attempt.refund_id}"
    return AttemptConflict(f"{subject} was to {attempt.operation} {what} before")


RELEASED_AGAIN_AFTER = timedelta(hours=1)
"""How soon a hold is released again that the processor did not release, or a declined payment cancelled again."""
CLOSED_WITHIN = timedelta(days=7)
"""How long it is tried to cancel a declined payment: as long as a hold of it could stand (a card's authorization)."""


NO_CODES: dict[str, Any] = msgspec.structs.asdict(DeclineCodes())
"""The codes of an attempt that is not declined."""


def release(held: Attempt, *, now: datetime) -> Attempt:
    """Make the attempt that releases a hold: its time is over, or it could not be taken, or not be released before.

    The release of an authorization has one id; each later one is named by the attempt that left the funds held. A declined
    payment that could not be cancelled is cancelled again, as of the first time.
    """
    if held.operation is Operation.CLOSE:
        return msgspec.structs.replace(
            _following(held, Operation.CLOSE, subject_id=held.id, now=now), created_at=held.created_at
        )
    is_first = held.operation is Operation.AUTHORIZE
    subject_id = held.payment_intent_id if is_first else held.id
    number = held.number if is_first else 0
    return _following(held, Operation.EXPIRE, subject_id=subject_id, number=number, now=now)


def close(refused: Attempt, *, gateway_ref: str, now: datetime) -> Attempt | None:
    """Make the attempt that cancels a declined payment which the processor keeps open under a reference.

    None where nothing is to be cancelled: there is no such reference, or a code or a slip was not paid in time, which may be
    paid in the last moment all the same.
    """
    is_kept = gateway_ref and refused.reason != DeclineReason.PAYMENT_EXPIRED
    if refused.operation is not Operation.AUTHORIZE or not is_kept:
        return None
    closing = _following(refused, Operation.CLOSE, subject_id=refused.id, now=now)
    return msgspec.structs.replace(closing, gateway_ref=gateway_ref)


def unclosed(attempts: Sequence[Attempt], *, number: int, now: datetime) -> list[Attempt]:
    """Make the attempts that cancel what is before an authorization of a payment: declined under a reference, and never to be
    cancelled, by a gateway that did not do that yet."""
    known = {attempt.number for attempt in attempts if attempt.operation is Operation.CLOSE}
    closings = [
        close(attempt, gateway_ref=attempt.result_ref, now=now)
        for attempt in attempts
        if attempt.number < number and attempt.number not in known and attempt.status is AttemptStatus.DECLINED
    ]
    return [closing for closing in closings if closing is not None]


def replaced(attempt: Attempt, *, now: datetime) -> Attempt:
    """Return an authorization whose end was awaited, as it is declined because its customer pays with another method: it is
    cancelled at the processor before the next one is sent."""
    return declined(
        attempt,
        Declined(
            reason=DeclineReason.REPLACED,
            detail="Another payment method was chosen; the customer's proof is not awaited any more.",
            calls=0,
        ),
        now=now,
    )


def unreleased(attempts: Sequence[Attempt], *, number: int, now: datetime) -> list[Attempt]:
    """Make the attempts that release what is held before an authorization of a payment, and of which nothing was requested: its
    customer has proven who they are after they had chosen another method."""
    busy = {
        attempt.number
        for attempt in attempts
        if attempt.operation not in (Operation.AUTHORIZE, Operation.CLOSE)
        and attempt.status is not AttemptStatus.DECLINED
    }
    return [
        release(attempt, now=now)
        for attempt in attempts
        if attempt.operation is Operation.AUTHORIZE
        and attempt.number < number
        and attempt.status is AttemptStatus.APPROVED
        and attempt.number not in busy
    ]


def _following(before: Attempt, operation: Operation, *, subject_id: UUID, now: datetime, number: int = 0) -> Attempt:
    return msgspec.structs.replace(
        before,
        id=attempt_id(tenant_id=before.tenant_id, subject_id=subject_id, operation=operation, number=number),
        operation=operation,
        expires_at=None,
        reason="",
        detail="",
        **NO_CODES,
        in_doubt=0,
        status=AttemptStatus.PENDING,
        result_ref="",
        action_url="",
        next_action="",
        asks=0,
        asked_at=None,
        next_ask_at=now,
        decided_at=None,
        created_at=now,
    )


def approved(attempt: Attempt, answer: Approved) -> Attempt:
    """Return an attempt as the processor's yes makes it."""
    # A refund has a reference of its own; everything else keeps the payment's.
    of_refund = attempt.operation is Operation.REFUND
    watched = attempt.operation is Operation.AUTHORIZE and attempt.capture_method == "manual"
    return msgspec.structs.replace(
        attempt,
        status=AttemptStatus.APPROVED,
        amount_minor=answer.amount_minor or attempt.amount_minor,
        gateway_ref=attempt.gateway_ref if of_refund else answer.gateway_ref,
        result_ref=answer.gateway_ref,
        expires_at=answer.expires_at if watched else None,
        reason="",
        detail="",
        **NO_CODES,
        asks=attempt.asks + answer.calls,
        next_ask_at=None,
        decided_at=answer.approved_at,
    )


def after_open_one(attempt: Attempt, *, now: datetime) -> Attempt:
    """Return an authorization that was never sent, as it is declined because an earlier one of its payment is not over: paid after
    all, or not to be cancelled."""
    return declined(
        attempt,
        Declined(
            reason=DeclineReason.EARLIER_ATTEMPT_OPEN,
            detail="The attempt before was not cancelled at the processor; nothing was requested.",
            calls=0,
        ),
        now=now,
    )


def not_received(absent: Absent) -> Declined:
    """Return what it means that the processor's records show nothing of an attempt, once no call can still arrive."""
    return Declined(
        reason=DeclineReason.NOT_RECEIVED,
        detail="The processor has no record of it: it was not carried out.",
        is_still_held=absent.is_still_held,
        calls=absent.calls,
    )


def never_sent(answer: NotTaken) -> Declined:
    """Return what it means that an attempt was never taken, and is not to be requested any more."""
    return Declined(
        reason=DeclineReason.PROCESSOR_REFUSED,
        detail="The processor does not accept the account's key; nothing was requested.",
        calls=answer.calls,
    )


def declined(attempt: Attempt, answer: Declined, *, now: datetime) -> Attempt:
    """Return an attempt as the processor's no makes it.

    Funds that could not be taken must not stay held, nor those that are to be released: they are released from then on. A
    void's refusal goes to its merchant, who decides. A declined payment that could not be cancelled is cancelled again, but for
    one that was taken.
    """
    released_at = None
    if answer.is_still_held and attempt.operation is Operation.CAPTURE:
        released_at = now
    elif attempt.operation is Operation.EXPIRE:
        released_at = now + RELEASED_AGAIN_AFTER if answer.is_still_held else None
    elif attempt.operation is Operation.CLOSE:
        is_tried_again = answer.taken is None and now < attempt.created_at + CLOSED_WITHIN
        released_at = now + RELEASED_AGAIN_AFTER if is_tried_again else None
    return msgspec.structs.replace(
        attempt,
        result_ref=answer.gateway_ref or attempt.result_ref,
        expires_at=released_at,
        status=AttemptStatus.DECLINED,
        reason=answer.reason,
        detail=answer.detail,
        **msgspec.structs.asdict(answer.codes),
        asks=attempt.asks + answer.calls,
        next_ask_at=None,
        decided_at=now,
    )


def taken_instead(attempt: Attempt, found: Finding) -> CapturedNotice | None:
    """Return that funds were taken before an attempt released them, as the processor would report it; None where they were not."""
    if not isinstance(found, Declined) or found.taken is None:
        return None
    return CapturedNotice(
        tenant_id=attempt.tenant_id,
        payment_intent_id=attempt.payment_intent_id,
        processor=attempt.processor,
        gateway_ref=attempt.gateway_ref,
        happened_at=found.taken.at,
        amount_minor=found.taken.amount_minor,
    )


def is_left_open(attempt: Attempt) -> bool:
    """Return whether a declined payment is neither cancelled nor taken, and nothing is tried any more: a person must cancel it."""
    return (
        attempt.operation is Operation.CLOSE
        and attempt.status is AttemptStatus.DECLINED
        and attempt.expires_at is None
        and attempt.reason != DeclineReason.ALREADY_CAPTURED
    )
