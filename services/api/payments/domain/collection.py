"""How a payment is collected: confirmed, authorized, captured and settled, or voided, expired and failed."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_declines import DeclineCodes
from services.api.errors import CannotCapture, CannotVoid, CaptureExceedsAuthorization, NotYet, TooManyAttempts
from services.api.payments.domain.decisions import Decision, changed, decide
from services.api.payments.domain.intent import CaptureMethod, PaymentIntent
from services.api.payments.domain.lifecycle import Fact, Happening, Stage

ATTEMPTS_MAX = 5
"""Authorizations of one payment at most: whoever tries out stolen cards does not do it on one payment."""
REQUESTS_MAX = 50
"""The same with those that were never sent to the processor, which say nothing about a card."""
_UNSENT = "earlier_attempt_open"
"""The gateway's reason of a decline that no processor was called about: an earlier authorization was not over."""

_NO_FAILURE = dict.fromkeys(("failure_code", "failure_message", *DeclineCodes.__struct_fields__))


class ChosenMethod(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment is to be charged to, as a client names it in a confirmation."""

    payment_method: str = ""
    """The processor's token, or empty."""
    saved_method_id: UUID | None = None
    """The saved payment method of the payment's customer; None: `payment_method`."""
    off_session: bool = False
    """Whether the customer is not there to prove anything."""


def confirm(intent: PaymentIntent, *, at: datetime, return_url: str = "") -> Decision:
    """Begin to collect: the gateway gets one command to authorize, with the `return_url` where one is given now.

    Raises:
        CannotConfirm: when it has ended, or was given back.
    """
    return decide(intent, Happening.CONFIRM, at=at, return_url=return_url or intent.return_url)


def confirm_with_method(intent: PaymentIntent, *, method: ChosenMethod, at: datetime, return_url: str = "") -> Decision:
    """Begin to collect from what a client names now; after a decline that is another authorization of the payment.

    So it is where the customer is to prove something and pays otherwise instead; while the same method is named, it stays.

    Raises:
        CannotConfirm: when it has ended otherwise, or was given back.
        TooManyAttempts: when it was authorized `ATTEMPTS_MAX` times, or `REQUESTS_MAX` times with those that were never sent.
    """
    if intent.stage is Stage.REQUIRES_ACTION and not _is_another(intent, method):
        return Decision(intent)
    is_again = intent.stage in (Stage.REQUIRES_ACTION, Stage.DECLINED)
    requested = intent.attempt + 1
    if is_again and (requested - intent.unsent_attempts >= ATTEMPTS_MAX or requested >= REQUESTS_MAX):
        raise TooManyAttempts(f"an authorization of the payment intent was requested {requested} times")
    return decide(
        intent,
        Happening.CONFIRM_WITH_METHOD,
        at=at,
        **msgspec.structs.asdict(method),
        return_url=return_url or intent.return_url,
        attempt=intent.attempt + is_again,
        # What there is at the processor is another payment than the next one.
        gateway_ref=None,
        action_url=None,
        next_action=None,
        **_NO_FAILURE,
    )


def _is_another(intent: PaymentIntent, method: ChosenMethod) -> bool:
    """Return whether a method is named that a payment is not to be charged to already; a code or a slip has none."""
    named = (method.payment_method, method.saved_method_id)
    is_named = named not in (("", None), (intent.payment_method, intent.saved_method_id))
    return is_named and not intent.payment_method_type.is_asynchronous


def request_capture(intent: PaymentIntent, *, amount_minor: int | None, at: datetime) -> Decision:
    """Take held funds, all unless an amount is given; the rest is released.

    Requested again for the same amount, it stays as it is.

    Raises:
        CannotCapture: when no funds are held, or another amount is being or has been taken.
        CaptureExceedsAuthorization: when it is more than is held.
    """
    requested_minor = intent.amount_minor if amount_minor is None else amount_minor
    decision = decide(intent, Happening.CAPTURE, at=at, capturing_minor=requested_minor)
    if decision.changed and requested_minor > intent.amount_minor:
        held, more = intent.money(intent.amount_minor), intent.money(requested_minor)
        raise CaptureExceedsAuthorization(f"capture of {more} would exceed the authorized amount {held}")
    known = intent.captured_minor or intent.capturing_minor or intent.amount_minor
    if not decision.changed and amount_minor is not None and amount_minor != known:
        raise CannotCapture(intent.status)
    return decision


def request_void(intent: PaymentIntent, *, at: datetime) -> Decision:
    """Let go: at once where no money was requested, else the processor gets the request to release it, once it has answered.

    Raises:
        CannotVoid: when there is nothing to let go of, or it is being or has been taken.
    """
    if intent.stage in (Stage.CAPTURING, Stage.CAPTURED):
        # The status alone would not show why: clients do not see these stages.
        raise CannotVoid(intent.status, because="its capture is in progress")
    return decide(intent, Happening.VOID, at=at, is_voiding=intent.stage is not Stage.CREATED)


def require_action(
    intent: PaymentIntent, *, gateway_ref: str, action_url: str, at: datetime, next_action: str = ""
) -> Decision:
    """The customer must prove something to the issuer first, or pay a code or a slip.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
    """
    return decide(
        intent,
        Happening.ACTION_REQUIRED,
        at=at,
        gateway_ref=gateway_ref,
        action_url=action_url or None,
        next_action=next_action or None,
    )


def authorize(intent: PaymentIntent, *, gateway_ref: str, at: datetime, expires_at: datetime | None = None) -> Decision:
    """The issuer promised the funds: they are captured next, unless the merchant captures them.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
    """
    is_manual = intent.capture_method is CaptureMethod.MANUAL
    if intent.stage is Stage.AUTHORIZED and intent.expires_at is None and expires_at is not None:
        # Reported once more, by now with the end of the hold.
        return changed(intent, (), at=at, changes={"expires_at": expires_at})
    decision = decide(
        intent,
        Happening.AUTHORIZED,
        at=at,
        gateway_ref=gateway_ref,
        authorized_at=at,
        action_url=None,
        next_action=None,
        expires_at=expires_at if is_manual else None,
    )
    if decision.intent.stage is Stage.CAPTURING and decision.changed:
        return msgspec.structs.replace(decision, facts=(*decision.facts, Fact.CAPTURE_REQUESTED))
    return decision


def decline(intent: PaymentIntent, *, code: str, message: str, codes: DeclineCodes, at: datetime) -> Decision:
    """The issuer declined, for good.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
        ContradictoryOutcome: when the issuer has authorized already.
    """
    is_voided = intent.stage in (Stage.CANCELLING, Stage.ABANDONING)
    failure = {} if is_voided else _failure(code, message, codes)
    return decide(
        intent,
        Happening.DECLINED,
        at=at,
        action_url=None,
        next_action=None,
        is_voiding=False,
        unsent_attempts=intent.unsent_attempts + (code == _UNSENT),
        **failure,
    )


def lapse(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The customer did not pay a code or a slip in time.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
    """
    return decide(intent, Happening.LAPSED, at=at, action_url=None, next_action=None, is_voiding=False)


def capture(intent: PaymentIntent, *, amount_minor: int, at: datetime) -> Decision:
    """The processor took the funds, all or a part of them.

    A capture that the api did not request, or not with this amount, counts only once the gateway's own records confirm it.

    Raises:
        NotYet: when the authorization is not known yet.
    """
    if intent.stage is Stage.CAPTURING and amount_minor != intent.requested_minor:
        return changed(intent, (Fact.CAPTURE_UNCONFIRMED,), at=at, changes={})
    return decide(intent, Happening.CAPTURED, at=at, captured_minor=amount_minor, expires_at=None, is_voiding=False)


def confirm_capture(intent: PaymentIntent, *, amount_minor: int, at: datetime, gateway_ref: str = "") -> Decision:
    """The gateway's records have the capture, whoever requested it of the processor, and whatever the payment had ended as.

    Its `gateway_ref` is of what was taken, which may be another authorization than the last that was reported.

    Raises:
        NotYet: when another authorization is in progress.
        ContradictoryOutcome: when the intent was never confirmed.
    """
    return decide(
        intent,
        Happening.CAPTURE_CONFIRMED,
        at=at,
        captured_minor=amount_minor,
        gateway_ref=gateway_ref or intent.gateway_ref,
        authorized_at=intent.authorized_at or at,
        expires_at=None,
        is_voiding=False,
        **_NO_FAILURE,
    )


def fail_capture(intent: PaymentIntent, *, code: str, message: str, codes: DeclineCodes, at: datetime) -> Decision:
    """The processor refused to take the held funds, for good; where a person took them after that, nothing changes.

    Raises:
        NotYet: when the authorization is not known yet.
    """
    return decide(intent, Happening.CAPTURE_FAILED, at=at, expires_at=None, **_failure(code, message, codes))


def _failure(code: str, message: str, codes: DeclineCodes) -> dict[str, str | None]:
    named = {name: given or None for name, given in msgspec.structs.asdict(codes).items()}
    return {"failure_code": code, "failure_message": message} | named


def void(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The processor released the funds.

    Raises:
        NotYet: when the authorization is not known yet.
        ContradictoryOutcome: when the funds were already taken.
    """
    return decide(intent, Happening.VOIDED, at=at, is_voiding=False, action_url=None, next_action=None, expires_at=None)


def fail_void(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The processor refused to release the funds: they are held as before.

    Raises:
        NotYet: when nobody has confirmed the intent yet.
    """
    decision = decide(intent, Happening.VOID_FAILED, at=at, is_voiding=False)
    if decision.changed and decision.intent.stage is Stage.CAPTURING:
        # Held funds of an automatic capture are taken at once, which the merchant does not want any more: the release is
        # requested again by the sweeper, until they are released, have expired, or turn out to be taken.
        return Decision(intent)
    return decision


def expire(intent: PaymentIntent, *, at: datetime) -> Decision:
    """The hold ended by itself.

    Raises:
        NotYet: when the authorization is not known yet.
        ContradictoryOutcome: when the funds were already taken.
    """
    return decide(intent, Happening.EXPIRED, at=at, is_voiding=False, expires_at=None)


def settle(intent: PaymentIntent, *, amount_minor: int, at: datetime) -> Decision:
    """The capture stands in the books.

    Raises:
        NotYet: when the authorization is not known yet, or the capture was not requested.
        ContradictoryOutcome: when the intent has ended.
    """
    if intent.stage is Stage.CAPTURING and amount_minor != intent.requested_minor:
        raise NotYet(
            f"the books have a capture of {amount_minor} for payment intent {intent.id}: not the requested one"
        )
    return decide(
        intent,
        Happening.POSTED,
        at=at,
        captured_minor=amount_minor,
        settled_at=at,
        expires_at=None,
        is_voiding=False,
    )
