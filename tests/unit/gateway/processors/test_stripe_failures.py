"""What an error of Stripe's means for the money: refused, not even received, or unknown."""

import pytest
import stripe

from libs.common.contracts.gateway_declines import CODE_LENGTH_MAX, DeclineCodes
from services.gateway.processors.port import Declined, DeclineReason, NotTaken, NotTakenReason, Unknown, UnknownReason
from services.gateway.processors.stripe.failures import (
    CREDENTIALS_PAUSE_SECONDS,
    MustBeRead,
    decline_codes,
    failure,
    sentence,
)


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
    assert failure(lost(cause), builds_on_payment=False) == Unknown(reason=reason)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("0", None), ("-1", None), ("soon", None), ("", None), ("999999", 3_600.0)],
)
def test_wish_to_be_left_alone_is_read_and_bounded(retry_after: str, seconds: float | None) -> None:
    busy = stripe.RateLimitError("busy", headers={"Retry-After": retry_after})
    assert failure(busy, builds_on_payment=False) == NotTaken(
        reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=seconds
    )


@pytest.mark.parametrize(
    ("headers", "code", "is_worth", "of"),
    [
        ({}, "rate_limit", True, ""),
        ({"Stripe-Should-Retry": "false"}, "rate_limit", False, ""),
        ({"Stripe-Rate-Limited-Reason": "global-rate"}, "rate_limit", True, ""),
        ({"Stripe-Rate-Limited-Reason": "resource-specific"}, "rate_limit", True, "object"),
        ({"Stripe-Rate-Limited-Reason": "endpoint-rate"}, "rate_limit", True, "endpoint"),
        ({"Stripe-Rate-Limited-Reason": "endpoint-concurrency"}, "rate_limit", True, "endpoint"),
        ({}, "lock_timeout", True, "object"),
    ],
)
def test_limit_is_of_the_account_or_an_endpoint_or_one_object(
    headers: dict[str, str], code: str, is_worth: bool, of: str
) -> None:
    limited = stripe.RateLimitError("busy", headers=headers, json_body={"error": {"code": code}})
    answer = failure(limited, builds_on_payment=False)
    assert answer == NotTaken(
        reason=NotTakenReason.RATE_LIMITED,
        is_worth_repeating=is_worth,
        is_of_object=of == "object",
        is_of_endpoint=of == "endpoint",
    )


@pytest.mark.parametrize("builds_on_payment", [True, False])
def test_key_that_is_not_accepted_has_taken_nothing(builds_on_payment: bool) -> None:
    for withdrawn in (stripe.AuthenticationError("no such key"), stripe.PermissionError("not with this key")):
        answer = failure(withdrawn, builds_on_payment=builds_on_payment)
        assert answer == NotTaken(
            reason=NotTakenReason.CREDENTIALS_REFUSED, retry_after_seconds=CREDENTIALS_PAUSE_SECONDS
        )


def test_payment_that_an_account_does_not_have_shows_a_key_of_another() -> None:
    missing: Exception = stripe.InvalidRequestError("No such payment", None, code="resource_missing", http_status=404)  # type: ignore[no-untyped-call]
    assert failure(missing, builds_on_payment=True) == NotTaken(
        reason=NotTakenReason.CREDENTIALS_REFUSED, is_of_object=True, retry_after_seconds=CREDENTIALS_PAUSE_SECONDS
    )
    assert isinstance(failure(missing, builds_on_payment=False), MustBeRead)


def test_key_of_another_request_says_nothing_about_the_first() -> None:
    unknown = Unknown(reason=UnknownReason.UNDECIDED, is_worth_repeating=False)
    assert failure(stripe.IdempotencyError("used before"), builds_on_payment=False) == MustBeRead(otherwise=unknown)


def test_error_of_stripe_is_repeated_unless_the_key_keeps_it() -> None:
    again = stripe.APIError("broken", http_status=500, headers={"Retry-After": "2"})
    assert failure(again, builds_on_payment=False) == Unknown(
        reason=UnknownReason.PROCESSOR_ERROR, retry_after_seconds=2.0
    )
    for_ever = stripe.APIError("broken", http_status=500, headers={"Stripe-Should-Retry": "false"})
    unknown = Unknown(reason=UnknownReason.PROCESSOR_ERROR, is_worth_repeating=False)
    assert failure(for_ever, builds_on_payment=False) == MustBeRead(otherwise=unknown)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("card_declined", DeclineReason.CARD_DECLINED),
        ("charge_already_captured", DeclineReason.ALREADY_CAPTURED),
        ("charge_already_refunded", DeclineReason.ALREADY_REFUNDED),
        ("charge_disputed", DeclineReason.DISPUTED),
        ("charge_expired_for_capture", DeclineReason.AUTHORIZATION_EXPIRED),
        ("capture_charge_authorization_expired", DeclineReason.AUTHORIZATION_EXPIRED),
        ("parameter_unknown", DeclineReason.PROCESSOR_REFUSED),
    ],
)
def test_refused_request_is_read_before_its_code(code: str, reason: DeclineReason) -> None:
    refused: Exception = stripe.InvalidRequestError("Not now", None, code=code)  # type: ignore[no-untyped-call]
    read = failure(refused, builds_on_payment=False)
    assert isinstance(read, MustBeRead)
    assert isinstance(read.otherwise, Declined)
    assert read.otherwise.reason is reason


def test_late_capture_is_expired_although_its_decline_says_less() -> None:
    error = {"code": "capture_charge_authorization_expired", "decline_code": "card_declined"}
    late: Exception = stripe.CardError("Too late", None, error["code"], json_body={"error": error})  # type: ignore[no-untyped-call]
    answer = failure(late, builds_on_payment=True)
    assert isinstance(answer, MustBeRead)
    assert isinstance(answer.otherwise, Declined)
    assert answer.otherwise.reason is DeclineReason.AUTHORIZATION_EXPIRED


def test_decline_of_what_builds_on_a_payment_is_read_before_it_counts() -> None:
    declined: Exception = stripe.CardError("No", None, "card_declined")  # type: ignore[no-untyped-call]
    assert isinstance(failure(declined, builds_on_payment=False), Declined)
    assert isinstance(failure(declined, builds_on_payment=True), MustBeRead)


def test_code_that_is_no_text_or_too_long_does_no_harm() -> None:
    codes = decline_codes({"decline_code": "x" * 500, "advice_code": 7, "network_decline_code": None})
    assert codes == DeclineCodes(decline_code="x" * CODE_LENGTH_MAX)


def test_object_in_use_was_not_touched() -> None:
    body = {"error": {"code": "lock_timeout"}}
    in_use = stripe.APIError("in use", http_status=409, json_body=body, headers={"Retry-After": "1"})
    assert failure(in_use, builds_on_payment=False) == NotTaken(
        reason=NotTakenReason.RATE_LIMITED, is_of_object=True, retry_after_seconds=1.0
    )
    key_in_use = stripe.APIError("in use", http_status=409, json_body={"error": {"code": "idempotency_key_in_use"}})
    assert failure(key_in_use, builds_on_payment=False) == Unknown(reason=UnknownReason.CALL_IN_PROGRESS)


@pytest.mark.parametrize(("headers", "is_worth"), [({}, False), ({"Stripe-Should-Retry": "true"}, True)])
def test_other_conflict_is_read_unless_stripe_wants_it_repeated(headers: dict[str, str], is_worth: bool) -> None:
    conflict = stripe.APIError("conflict", http_status=409, json_body={"error": {"code": "other"}}, headers=headers)
    unknown = Unknown(reason=UnknownReason.UNDECIDED, is_worth_repeating=is_worth)
    expected = unknown if is_worth else MustBeRead(otherwise=unknown)
    assert failure(conflict, builds_on_payment=False) == expected


def test_fault_that_is_not_stripes_is_a_bug_of_ours() -> None:
    with pytest.raises(KeyError):
        failure(KeyError("no such member"), builds_on_payment=False)


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
