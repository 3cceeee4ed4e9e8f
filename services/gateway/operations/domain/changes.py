"""What an attempt becomes: by an answer of its processor, or at the end of a hold. Pure."""

from datetime import datetime

import msgspec

from services.gateway.errors import AttemptConflict
from services.gateway.operations.domain.attempts import Attempt, AttemptStatus, attempt_id
from services.gateway.processors.port import Approved, Declined, Operation


def conflict(attempt: Attempt) -> AttemptConflict:
    """Make the refusal of a command that names other money than the first one did."""
    subject = f"payment {attempt.payment_intent_id}" if attempt.refund_id is None else f"refund {attempt.refund_id}"
    return AttemptConflict(f"{subject} was to {attempt.operation} another amount before")


def release(held: Attempt, *, now: datetime) -> Attempt:
    """Make the attempt that releases a hold whose time is over."""
    return msgspec.structs.replace(
        held,
        id=attempt_id(tenant_id=held.tenant_id, subject_id=held.payment_intent_id, operation=Operation.EXPIRE),
        operation=Operation.EXPIRE,
        status=AttemptStatus.PENDING,
        result_ref="",
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
        gateway_ref=attempt.gateway_ref if of_refund else answer.gateway_ref,
        result_ref=answer.gateway_ref,
        expires_at=answer.expires_at if watched else None,
        reason="",
        detail="",
        asks=attempt.asks + answer.calls,
        next_ask_at=None,
        decided_at=answer.approved_at,
    )


def declined(attempt: Attempt, answer: Declined, *, now: datetime) -> Attempt:
    """Return an attempt as the processor's no makes it."""
    return msgspec.structs.replace(
        attempt,
        status=AttemptStatus.DECLINED,
        reason=answer.reason,
        detail=answer.detail,
        asks=attempt.asks + answer.calls,
        next_ask_at=None,
        decided_at=now,
    )
