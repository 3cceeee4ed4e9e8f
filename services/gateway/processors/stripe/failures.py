"""What goes wrong on the way to Stripe, as answers of the port. The table is in Stripe's documentation of its errors
(https://docs.stripe.com/api/errors) and was checked against the SDK, exception by exception."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp
import msgspec
import stripe

from libs.common.contracts.gateway_declines import CODE_LENGTH_MAX, DeclineCodes
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.processors.port import Declined, DeclineReason, NotTaken, NotTakenReason, Unknown, UnknownReason

log = get_logger("gateway.stripe")

_LIMIT = "stripe-rate-limited-reason"
"""The header in which Stripe names the limit that was met: one of the account, of the endpoint, or `resource-specific`
(https://docs.stripe.com/rate-limits)."""
_LIMITS_OF_ENDPOINT = frozenset({"endpoint-rate", "endpoint-concurrency"})
"""Each named operation of the API is an endpoint, which may take fewer calls than the account."""
MISSING = "resource_missing"
"""Stripe's code where the account of the key has no such object."""

CREDENTIALS_PAUSE_SECONDS = 30.0
"""How soon a call is made again whose key was refused: soon after a person has mended it, and seldom until then."""
_RETRY_AFTER_MAX_SECONDS = 3_600.0
"""A longer wish is taken for this one: it is a header from outside."""

_DECLINES = {
    "insufficient_funds": DeclineReason.INSUFFICIENT_FUNDS,
    "expired_card": DeclineReason.EXPIRED_CARD,
    "fraudulent": DeclineReason.FRAUD_SUSPECTED,
    "merchant_blacklist": DeclineReason.FRAUD_SUSPECTED,
    "stolen_card": DeclineReason.FRAUD_SUSPECTED,
    "lost_card": DeclineReason.FRAUD_SUSPECTED,
    "authentication_required": DeclineReason.AUTHENTICATION_REQUIRED,
    "payment_intent_authentication_failure": DeclineReason.AUTHENTICATION_FAILED,
    "charge_expired_for_capture": DeclineReason.AUTHORIZATION_EXPIRED,
    "capture_charge_authorization_expired": DeclineReason.AUTHORIZATION_EXPIRED,
    "charge_already_captured": DeclineReason.ALREADY_CAPTURED,
    "charge_already_refunded": DeclineReason.ALREADY_REFUNDED,
    "charge_disputed": DeclineReason.DISPUTED,
    "card_declined": DeclineReason.CARD_DECLINED,
}
"""Stripe's decline codes and error codes in the port's words; the first that is known counts."""


_AUTHORIZATION_OVER = frozenset(
    code for code, reason in _DECLINES.items() if reason is DeclineReason.AUTHORIZATION_EXPIRED
)
"""The codes of a capture that came too late. The network answers it with a decline, `card_declined` beside it, and is none."""


class MustBeRead(msgspec.Struct, frozen=True, kw_only=True):
    """The error does not show what became of the operation; the payment's state does."""

    otherwise: Declined | Unknown
    """What is answered where the state does not show it either."""


type Failure = Declined | Unknown | NotTaken | MustBeRead
"""What an error comes to."""


def decline_codes(error: Mapping[str, Any]) -> DeclineCodes:
    """Read what an error of Stripe says about a decline; what is no text is as if it were not there."""
    named = {name: error.get(name) for name in DeclineCodes.__struct_fields__}
    return DeclineCodes(**{name: code[:CODE_LENGTH_MAX] for name, code in named.items() if isinstance(code, str)})


def decline_reason(*codes: str | None, otherwise: DeclineReason) -> DeclineReason:
    """Translate Stripe's codes, the most specific one first; an authorization that is over is over, whatever stands beside it."""
    if _AUTHORIZATION_OVER.intersection(codes):
        return DeclineReason.AUTHORIZATION_EXPIRED
    return next((_DECLINES[code] for code in codes if code in _DECLINES), otherwise)


def sentence(text: str | None) -> str:
    """Make a sentence of Stripe's text, to be shown to a person."""
    words = (text or "").strip()
    if not words:
        return "The processor gave no reason."
    return words if words.endswith((".", "!", "?")) else f"{words}."


class Limited(Protocol):
    """Receives that the account, or one of its endpoints, has had too many calls."""

    def __call__(self, met: NotTaken, *, endpoint: str) -> None:
        """Leave alone whichever of them it is, for as long as it requests."""


def unlimited(met: NotTaken, *, endpoint: str) -> None:
    """Do nothing: for a place in which nobody counts."""


def limit_of(fault: Exception) -> NotTaken | None:
    """Return an error that is a limit of the account, or of an endpoint; None where it is anything else."""
    met = failure(fault, builds_on_payment=True) if isinstance(fault, stripe.RateLimitError) else None
    return met if isinstance(met, NotTaken) and not met.is_of_object else None


def report_limit(fault: Exception, limited: Limited, *, endpoint: str) -> None:
    """Call `limited` where an error is that the account, or an endpoint, has had too many calls."""
    if (met := limit_of(fault)) is not None:
        limited(met, endpoint=endpoint)


def failure(fault: Exception, *, builds_on_payment: bool) -> Failure:
    """Return what an error of the SDK or of the connection means for the operation.

    `builds_on_payment` shows whether the request names a payment that Stripe has given us the reference of.
    """
    match fault:
        case stripe.APIConnectionError():
            return _not_connected(fault.__cause__)
        case aiohttp.ClientError() | OSError():
            return Unknown(reason=UnknownReason.CONNECTION_LOST)
        case stripe.StripeError():
            return _answered(fault, builds_on_payment=builds_on_payment)
        case _:
            raise fault


def _not_connected(cause: BaseException | None) -> Unknown | NotTaken:
    match cause:
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            # No connection, so no request.
            return NotTaken(reason=NotTakenReason.UNREACHABLE)
        case TimeoutError():
            return Unknown(reason=UnknownReason.TIMEOUT)
        case _:
            return Unknown(reason=UnknownReason.CONNECTION_LOST)


def _answered(fault: stripe.StripeError, *, builds_on_payment: bool) -> Failure:
    headers = {name.lower(): value for name, value in dict(fault.headers or {}).items()}
    code, status = error_code(fault), fault.http_status or 0
    wait = _retry_after(headers)
    match fault:
        case stripe.CardError():
            codes = decline_codes({name: error_member(fault, name) for name in DeclineCodes.__struct_fields__})
            declined = Declined(
                reason=decline_reason(codes.decline_code, code, otherwise=DeclineReason.CARD_DECLINED),
                detail=sentence(fault.user_message),
                codes=codes,
                gateway_ref="" if builds_on_payment else _kept_open(fault),
            )
            # What was held before stays held or not; only the payment shows which.
            return MustBeRead(otherwise=declined) if builds_on_payment else declined
        case stripe.RateLimitError():
            return NotTaken(
                reason=NotTakenReason.RATE_LIMITED,
                is_worth_repeating=headers.get("stripe-should-retry") != "false",
                is_of_object=code == "lock_timeout" or headers.get(_LIMIT) == "resource-specific",
                is_of_endpoint=headers.get(_LIMIT) in _LIMITS_OF_ENDPOINT,
                retry_after_seconds=wait,
            )
        case stripe.IdempotencyError():
            # The key is known with other parameters: a bug of ours, and no word about what the first request did.
            log.error("stripe.key_reused", request_id=fault.request_id)
            return MustBeRead(otherwise=Unknown(reason=UnknownReason.UNDECIDED, is_worth_repeating=False))
        case stripe.AuthenticationError() | stripe.PermissionError():
            return _credentials_refused(fault)
        case stripe.InvalidRequestError() if code == MISSING and builds_on_payment:
            # We have the payment's reference from Stripe itself, so the key is of another account, or of the other mode.
            return msgspec.structs.replace(_credentials_refused(fault), is_of_object=True)
        case stripe.InvalidRequestError():
            reason = decline_reason(code, otherwise=DeclineReason.PROCESSOR_REFUSED)
            return MustBeRead(otherwise=Declined(reason=reason, detail=sentence(fault.user_message)))
        case _ if status == HTTPStatus.CONFLICT and code == "lock_timeout":
            # Somebody else holds the object; this request did nothing. (Stripe answers 429 now, 409 before.)
            return NotTaken(reason=NotTakenReason.RATE_LIMITED, is_of_object=True, retry_after_seconds=wait)
        case _ if status == HTTPStatus.CONFLICT and code == "idempotency_key_in_use":
            return Unknown(reason=UnknownReason.CALL_IN_PROGRESS, retry_after_seconds=wait)
        case _:
            is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            unknown = Unknown(
                reason=UnknownReason.PROCESSOR_ERROR if is_server_error else UnknownReason.UNDECIDED,
                is_worth_repeating=headers.get("stripe-should-retry", "true" if is_server_error else "false")
                != "false",
                retry_after_seconds=wait,
            )
            # The key keeps this answer, so it would be given for ever; what was done stands in the payment.
            return unknown if unknown.is_worth_repeating else MustBeRead(otherwise=unknown)


def _credentials_refused(fault: stripe.StripeError) -> NotTaken:
    metrics.CREDENTIALS_REFUSED.labels("stripe").inc()
    log.error("stripe.credentials_refused", request_id=fault.request_id, status=fault.http_status)
    return NotTaken(reason=NotTakenReason.CREDENTIALS_REFUSED, retry_after_seconds=CREDENTIALS_PAUSE_SECONDS)


def error_member(fault: stripe.StripeError, name: str) -> str:
    """Read a member of the error in the body; empty where there is none."""
    body: Any = fault.json_body
    error = body.get("error") if isinstance(body, dict) else None
    value = error.get(name) if isinstance(error, dict) else None
    return value if isinstance(value, str) else ""


def _kept_open(fault: stripe.StripeError) -> str:
    """Read the payment intent of an error: Stripe makes one also where the card is declined, and it stays open."""
    body: Any = fault.json_body
    error = body.get("error") if isinstance(body, dict) else None
    intent = error.get("payment_intent") if isinstance(error, dict) else None
    reference = intent.get("id") if isinstance(intent, dict) else None
    return reference if isinstance(reference, str) else ""


def error_code(fault: stripe.StripeError) -> str:
    """The error's code; the SDK leaves it out of some exceptions, the body has it."""
    return fault.code or error_member(fault, "code")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, _RETRY_AFTER_MAX_SECONDS) if seconds > 0 else None
