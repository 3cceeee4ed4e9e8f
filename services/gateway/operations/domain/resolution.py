"""What an operator may decide about an attempt that even reading could not: never against what the processor shows. Pure."""

import re
from datetime import datetime
from enum import StrEnum
from typing import assert_never

import msgspec

from libs.common.errors import Conflict, Invalid
from services.gateway.operations.domain.attempts import Attempt, AttemptStatus, released
from services.gateway.operations.domain.changes import not_received
from services.gateway.processors.port import (
    Absent,
    Approved,
    Declined,
    DeclineReason,
    Finding,
    NotTaken,
    Operation,
    Pending,
    RequiresAction,
    Unknown,
)


class Word(StrEnum):
    """What an operator says became of an operation."""

    HELD = "held"
    """The funds are held, or were taken at once: of an authorization."""
    TAKEN = "taken"
    """The funds were captured."""
    RELEASED = "released"
    """The hold has ended, or the payment is cancelled: of a void, of a release of our own, of a closing."""
    REFUNDED = "refunded"
    """The funds were given back."""
    DECLINED = "declined"
    """It was not carried out and never will be: of any operation."""


_DONE = {
    Operation.AUTHORIZE: Word.HELD,
    Operation.CAPTURE: Word.TAKEN,
    Operation.VOID: Word.RELEASED,
    Operation.EXPIRE: Word.RELEASED,
    Operation.CLOSE: Word.RELEASED,
    Operation.REFUND: Word.REFUNDED,
}
"""By which word each operation was carried out."""

_EXCLUDED = {
    (Operation.AUTHORIZE, Word.HELD): frozenset({Operation.AUTHORIZE}),
    (Operation.CAPTURE, Word.TAKEN): frozenset({Operation.VOID, Operation.EXPIRE}),
    (Operation.VOID, Word.RELEASED): frozenset({Operation.CAPTURE}),
    (Operation.EXPIRE, Word.RELEASED): frozenset({Operation.CAPTURE}),
    (Operation.CLOSE, Word.RELEASED): frozenset({Operation.CAPTURE}),
    (Operation.AUTHORIZE, Word.DECLINED): frozenset({Operation.CAPTURE, Operation.REFUND}),
    (Operation.CAPTURE, Word.DECLINED): frozenset({Operation.REFUND}),
}
"""What cannot be true beside operations on the same payment that were carried out."""

_STRIPE = "stripe"
_PAYMENT_REFERENCE = re.compile(r"pi_[A-Za-z0-9_]{1,97}(?!\n)$", re.ASCII)
_REFUND_REFERENCE = re.compile(r"(re|pyr)_[A-Za-z0-9_]{1,96}(?!\n)$", re.ASCII)
"""Stripe's ids of payment intents and of refunds, of cards and of others (https://docs.stripe.com/api)."""


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says about an attempt."""

    word: Word
    """What became of it."""
    reference: str = ""
    """The processor's reference of what came of it; empty: the one that is known."""
    happened_at: datetime | None = None
    """When it was carried out at the processor, where that cannot be read; None: now."""
    is_unread: bool = False
    """Whether it counts although the processor could not be read, or shows nothing that decides."""


def known_word(attempt: Attempt) -> Word | None:
    """Return by which word a decided attempt ended; None where it has no outcome, or one that no word is for."""
    match attempt.status:
        case AttemptStatus.APPROVED:
            return _DONE[attempt.operation]
        case AttemptStatus.DECLINED:
            return Word.DECLINED
        case _:
            return None


def check_word(attempt: Attempt, word: Word) -> None:
    """See that a word can be used for an operation.

    Raises:
        Invalid: naming the words that can.
    """
    if word not in (_DONE[attempt.operation], Word.DECLINED):
        raise Invalid(f"--as must be {_DONE[attempt.operation]} or declined: the attempt is to {attempt.operation}")


def check_given(attempt: Attempt, resolution: Resolution, *, now: datetime) -> None:
    """See that the reference and the instant that an operator gives can be those of the attempt.

    Raises:
        Invalid: naming the argument.
    """
    if resolution.reference and attempt.processor.partition(":")[0] == _STRIPE:
        is_refund = attempt.operation is Operation.REFUND
        if not (_REFUND_REFERENCE if is_refund else _PAYMENT_REFERENCE).match(resolution.reference):
            raise Invalid(f"--ref must be Stripe's id of the {'refund, re_...' if is_refund else 'payment, pi_...'}")
    at = resolution.happened_at
    if at is None:
        return
    if resolution.word is Word.DECLINED or not resolution.is_unread:
        raise Invalid("--at is for what was carried out and cannot be read, beside --unread")
    if not attempt.created_at <= at <= now:
        raise Invalid(f"--at must be between the request, {attempt.created_at:%Y-%m-%dT%H:%M:%SZ}, and now")


def check_open(attempt: Attempt) -> None:
    """See that an attempt may be resolved by an operator: its outcome is unknown, or it is left to a person.

    Raises:
        Conflict: when the gateway is still at work on it.
    """
    if attempt.status is not AttemptStatus.UNKNOWN and attempt.next_ask_at is not None:
        raise Conflict(
            f"the attempt is {attempt.status} and not left to a person: the gateway goes on at "
            f"{attempt.next_ask_at:%Y-%m-%d %H:%M:%S} UTC"
        )


def decide(
    attempt: Attempt, resolution: Resolution, finding: Finding, *, is_certain: bool, now: datetime
) -> Approved | Declined:
    """Return the outcome of an attempt: what the processor shows where that decides, else what the operator says.

    `is_certain` is whether no call can arrive any more, so that what is absent was never carried out.

    Raises:
        Conflict: when the processor shows something else, or shows that it is not over; or when it shows nothing, and the
            operator does not answer for it, or the gateway still calls.
        Invalid: when a reference is missing, or is not the processor's.
    """
    done = resolution.word is not Word.DECLINED
    match finding:
        case Approved():
            if not done:
                raise Conflict(f"the processor shows that it was carried out: {_DONE[attempt.operation]}")
            _check_reference(resolution, finding.gateway_ref)
            return finding
        case Absent() if not is_certain:
            raise Conflict("the processor does not show it, and the last call could still arrive: repeat this later")
        case Declined() | Absent() if done:
            raise Conflict("the processor shows that it was not carried out: declined")
        case Declined():
            return finding
        case Absent():
            return not_received(finding)
        case Pending() | RequiresAction():
            raise Conflict("the processor shows that it is pending: wait for its end")
        case Unknown() | NotTaken():
            return _unread(attempt, resolution, finding, now=now)
        case _:
            assert_never(finding)


def check_beside(attempt: Attempt, word: Word, others: list[Attempt]) -> None:
    """See that an outcome can be true beside those of the other attempts on the payment.

    Raises:
        Conflict: naming the operation that was carried out.
    """
    excluded = _EXCLUDED.get((attempt.operation, word), frozenset())
    over = released(others)
    for other in others:
        # What became of another authorization of the payment excludes only that this one holds funds beside it.
        is_held = word is Word.HELD and other.number not in over
        is_beside = is_held if other.operation is Operation.AUTHORIZE else other.number == attempt.number
        if is_beside and other.operation in excluded and other.status is AttemptStatus.APPROVED:
            raise Conflict(f"the {other.operation} of the payment was carried out: attempt {other.id}")


def check_taken(attempt: Attempt, outcome: Approved | Declined, others: list[Attempt]) -> None:
    """See that funds that were taken instead of released are known to be.

    Raises:
        Conflict: while they are not.
    """
    if not isinstance(outcome, Declined) or outcome.taken is None:
        return
    captures = [each for each in others if each.operation is Operation.CAPTURE and each.number == attempt.number]
    if not any(each.status is AttemptStatus.APPROVED for each in captures):
        raise Conflict("the processor shows that it was captured, and our records have no capture: repeat this later")


def _unread(
    attempt: Attempt, resolution: Resolution, finding: Unknown | NotTaken, *, now: datetime
) -> Approved | Declined:
    if attempt.next_ask_at is not None:
        raise Conflict(
            f"the processor shows nothing that decides ({finding.reason}), and the gateway still calls: at "
            f"{attempt.next_ask_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    if not resolution.is_unread:
        raise Conflict(
            f"the processor shows nothing that decides ({finding.reason}): look there by other means, and add --unread"
        )
    known = attempt.result_ref
    if not known and attempt.operation not in (Operation.AUTHORIZE, Operation.REFUND):
        known = attempt.gateway_ref
    if known:
        _check_reference(resolution, known)
    reference = known or resolution.reference
    if resolution.word is Word.DECLINED:
        return Declined(
            reason=DeclineReason.NOT_RECEIVED,
            detail="An operator has found that it was not carried out.",
            # Funds that may still be held are released, and a payment that may still be open is cancelled, as after the
            # processor's own no.
            gateway_ref=reference if attempt.operation is Operation.AUTHORIZE else "",
            is_still_held=attempt.operation in (Operation.CAPTURE, Operation.EXPIRE),
            calls=0,
        )
    if not reference:
        raise Invalid("--ref must name what came of it at the processor: later operations and its notices go by that")
    return Approved(gateway_ref=reference, approved_at=resolution.happened_at or now, calls=0)


def _check_reference(resolution: Resolution, known: str) -> None:
    if resolution.reference not in ("", known):
        raise Conflict(f"--ref is another reference than the processor's: {known}")
