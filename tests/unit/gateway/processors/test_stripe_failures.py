"""What an error of Stripe's means for the money: refused, not even received, or unknown."""

import pytest
import stripe

from services.gateway.processors.port import Declined, DeclineReason, NotTaken, NotTakenReason, Unknown, UnknownReason
from services.gateway.processors.stripe.failures import MustBeRead, failure, sentence


def lost(cause: BaseException | None) -> Exception:
    fault: Exception = stripe.APIConnectionError("no answer")  # type: ignore[no-untyped-call]
    fault.__cause__ = cause
    return fault


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (TimeoutError(), UnknownReason.TIMEOUT),
        (ConnectionResetError(), UnknownReason.CONNECTION_LOST),
        (None, UnknownReason.CONNECTION_LOST),
    ],
)
def test_request_without_an_answer_may_have_been_carried_out(
    cause: BaseException | None, reason: UnknownReason
) -> None:
    assert failure(lost(cause), call=1) == Unknown(reason=reason)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("0", None), ("-1", None), ("soon", None), ("", None), ("999999", 3_600.0)],
)
def test_wish_to_be_left_alone_is_read_and_bounded(retry_after: str, seconds: float | None) -> None:
    busy = stripe.RateLimitError("busy", headers={"Retry-After": retry_after})
    assert failure(busy, call=1) == NotTaken(reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=seconds)


def test_key_that_is_not_accepted_is_a_refusal_only_on_the_first_call() -> None:
    for withdrawn in (stripe.AuthenticationError("no such key"), stripe.PermissionError("not with this key")):
        first = failure(withdrawn, call=1)
        assert isinstance(first, Declined)
        assert first.reason is DeclineReason.PROCESSOR_REFUSED
        later = Unknown(reason=UnknownReason.PROCESSOR_ERROR, is_worth_repeating=False)
        assert failure(withdrawn, call=2) == later


def test_key_of_another_request_says_nothing_about_the_first() -> None:
    unknown = Unknown(reason=UnknownReason.PROCESSOR_ERROR, is_worth_repeating=False)
    assert failure(stripe.IdempotencyError("used before"), call=1) == MustBeRead(otherwise=unknown)


def test_error_of_stripe_is_repeated_unless_the_key_keeps_it() -> None:
    again = stripe.APIError("broken", http_status=500, headers={"Retry-After": "2"})
    assert failure(again, call=1) == Unknown(reason=UnknownReason.PROCESSOR_ERROR, retry_after_seconds=2.0)
    for_ever = stripe.APIError("broken", http_status=500, headers={"Stripe-Should-Retry": "false"})
    unknown = Unknown(reason=UnknownReason.PROCESSOR_ERROR, is_worth_repeating=False)
    assert failure(for_ever, call=1) == MustBeRead(otherwise=unknown)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("card_declined", DeclineReason.CARD_DECLINED),
        ("charge_already_captured", DeclineReason.ALREADY_CAPTURED),
        ("charge_already_refunded", DeclineReason.ALREADY_REFUNDED),
        ("charge_disputed", DeclineReason.DISPUTED),
        ("charge_expired_for_capture", DeclineReason.AUTHORIZATION_EXPIRED),
        ("parameter_unknown", DeclineReason.PROCESSOR_REFUSED),
    ],
)
def test_refused_request_is_read_before_its_code(code: str, reason: DeclineReason) -> None:
    refused: Exception = stripe.InvalidRequestError("Not now", None, code=code)  # type: ignore[no-untyped-call]
    read = failure(refused, call=1)
    assert isinstance(read, MustBeRead)
    assert isinstance(read.otherwise, Declined)
    assert read.otherwise.reason is reason


def test_object_in_use_was_not_touched() -> None:
    body = {"error": {"code": "lock_timeout"}}
    in_use = stripe.APIError("in use", http_status=409, json_body=body, headers={"Retry-After": "1"})
    assert failure(in_use, call=1) == NotTaken(reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=1.0)
    key_in_use = stripe.APIError("in use", http_status=409, json_body={"error": {"code": "idempotency_key_in_use"}})
    assert failure(key_in_use, call=1) == Unknown(reason=UnknownReason.PROCESSOR_ERROR)


def test_fault_that_is_not_stripes_is_a_bug_of_ours() -> None:
    with pytest.raises(KeyError):
        failure(KeyError("no such member"), call=1)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("Your card has expired", "Your card has expired."),
        ("Your card has expired. ", "Your card has expired."),
        ("Try again!", "Try again!"),
        ("Who are you?", "Who are you?"),
        (" ", "The processor gave no reason."),
        (None, "The processor gave no reason."),
    ],
)
def test_what_stripe_says_is_shown_as_a_sentence(reason: str | None, shown: str) -> None:
    assert sentence(reason) == shown
