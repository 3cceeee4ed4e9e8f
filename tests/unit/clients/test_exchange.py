"""The Python client decides when to send a request again, with which key, and what an answer means."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest

from payments_client import ApiKey, errors, models
from payments_client.exchange import Call, Exchange, Operation, Retries, next_link, seconds_of
from payments_client.generated import operations
from payments_client.values import as_text, query_of

pytestmark = pytest.mark.unit

CREATE = Operation[models.Liveness](name="create", method="POST", path="/v1/things", reads=dict, has_key=True)
SEND = Operation[models.Liveness](name="send", method="POST", path="/v1/things/{id}/send", reads=dict)
LOGIN = Operation[models.Liveness](name="login", method="POST", path="/v1/login", reads=dict, is_harmless=True)
READ = Operation[list[str]](name="read", method="GET", path="/v1/things", reads=list[str])
THREE = Retries(max=3, base_seconds=1.0, max_seconds=2.0, total_seconds=10.0)


class Given:
    """An answer as an HTTP client hands it back."""

    def __init__(self, status: int, body: object = None, **headers: str) -> None:
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.content = body if isinstance(body, bytes) else json.dumps(body).encode()


def exchange(operation: Operation[Any] = CREATE, *, retries: Retries = THREE, **call: Any) -> Exchange[Any]:
    given: dict[str, Any] = {"path": {}, "query": {}} | call
    headers = {"X-Tenant-Id": "t"}
    return Exchange(
        operation,
        Call(**given),
        base_url="https://pay.example.com/",
        headers=headers,
        retries=retries,
        began=0.0,
        chance=lambda: 0.5,
    )


def problem(status: int, code: str = "", **headers: str) -> Given:
    return Given(
        status, {"status": status, "code": code, "title": "t", "detail": "d", "correlation_id": "c"}, **headers
    )


def test_each_time_the_same_request_is_sent() -> None:
    exchanged = exchange(body=models.SetFeatureFlag(is_enabled=True))
    first, again = exchanged.request("Bearer one"), exchanged.request("Bearer two")
    assert (first.method, first.url, first.content) == ("POST", "https://pay.example.com/v1/things", first.content)
    assert json.loads(first.content or b"") == {"is_enabled": True}
    UUID(first.headers["Idempotency-Key"])
    assert again.headers == first.headers | {"Authorization": "Bearer two"}
    assert exchange().request(None).headers.get("Authorization") is None


def test_a_key_that_is_given_is_sent_and_carried_by_every_error() -> None:
    exchanged = exchange(idempotency_key="mine")
    assert exchanged.request(None).headers["Idempotency-Key"] == "mine"
    assert exchange(idempotency_key="").key == ""
    with pytest.raises(errors.ApiError) as refused:
        exchanged.refused(problem(409, "idempotency_key_reused"), may_log_in=False, now=0.0)
    assert refused.value.idempotency_key == "mine"
    for _ in range(3):
        exchanged.request(None)
    with pytest.raises(errors.NoAnswer) as lost:
        exchanged.failed(OSError("gone"), now=0.0, was_sent=True)
    assert lost.value.idempotency_key == "mine"


@pytest.mark.parametrize(
    ("operation", "answer", "is_sent_again"),
    [
        (CREATE, problem(503), True),
        (CREATE, problem(500), True),
        (CREATE, problem(429), True),
        (CREATE, problem(409, "idempotency_in_progress"), True),
        (CREATE, problem(409, "idempotency_key_reused"), False),
        (CREATE, problem(422, "invalid_request"), False),
        (CREATE, problem(401), False),
        (SEND, problem(503), False),
        (SEND, problem(503, "unavailable"), False),
        (SEND, problem(503, "outcome_unknown"), False),
        (SEND, problem(503, "overloaded"), True),
        (LOGIN, problem(503, "unavailable"), True),
        (SEND, problem(429), True),
        (SEND, problem(500), False),
        (SEND, problem(504), False),
        (READ, problem(504), True),
        (READ, problem(404), False),
    ],
)
def test_what_may_have_taken_effect_is_sent_again_with_a_key_only(
    operation: Operation[Any], answer: Given, is_sent_again: bool
) -> None:
    exchanged = exchange(operation)
    exchanged.request(None)
    if is_sent_again:
        assert exchanged.refused(answer, may_log_in=False, now=0.0) == 0.5
        return
    with pytest.raises(errors.ApiError) as refused:
        exchanged.refused(answer, may_log_in=False, now=0.0)
    assert refused.value.status == answer.status_code


@pytest.mark.parametrize(
    ("operation", "was_sent", "is_sent_again"), [(CREATE, True, True), (SEND, True, False), (SEND, False, True)]
)
def test_a_lost_connection_is_tried_again_where_that_is_safe(
    operation: Operation[Any], was_sent: bool, is_sent_again: bool
) -> None:
    exchanged = exchange(operation)
    exchanged.request(None)
    if is_sent_again:
        assert exchanged.failed(OSError(), now=0.0, was_sent=was_sent) == 0.5
        return
    with pytest.raises(errors.NoAnswer, match="send had no answer after 1 requests"):
        exchanged.failed(OSError(), now=0.0, was_sent=was_sent)


def test_pauses_double_within_their_bounds_and_end() -> None:
    exchanged, pauses = exchange(), []
    for _ in range(3):
        exchanged.request(None)
        pauses.append(exchanged.refused(problem(500), may_log_in=False, now=0.0))
    assert pauses == [0.5, 1.0, 1.0]
    exchanged.request(None)
    with pytest.raises(errors.ServerFault):
        exchanged.refused(problem(500), may_log_in=False, now=0.0)


def test_the_api_says_how_long_to_wait_and_nobody_waits_beyond_the_end() -> None:
    exchanged = exchange()
    exchanged.request(None)
    assert exchanged.refused(problem(503, Retry_After="7"), may_log_in=False, now=0.0) == 7.0
    exchanged.request(None)
    with pytest.raises(errors.ApiError) as refused:
        exchanged.refused(problem(503, Retry_After="7"), may_log_in=False, now=4.0)
    assert refused.value.retry_after == 7.0


def test_a_refused_token_is_replaced_once() -> None:
    exchanged = exchange()
    exchanged.request("Bearer old")
    assert exchanged.refused(problem(401), may_log_in=True, now=0.0) == 0.0
    exchanged.request("Bearer new")
    with pytest.raises(errors.Unauthenticated):
        exchanged.refused(problem(401), may_log_in=True, now=0.0)
    # The next page is a request of its own.
    assert exchanged.follow(Given(200, [], Link='<?cursor=a>; rel="next"'))
    exchanged.request("Bearer new")
    assert exchanged.refused(problem(401), may_log_in=True, now=0.0) == 0.0


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (problem(409, "idempotency_key_reused"), errors.BY_CODE["idempotency_key_reused"], "idempotency_key_reused"),
        (problem(404, "of_tomorrow"), errors.NotFound, "of_tomorrow"),
        (problem(418), errors.ApiError, ""),
        (Given(502, b"<html>\xff"), errors.ServerFault, ""),
        (Given(403, []), errors.Forbidden, ""),
    ],
)
def test_an_error_has_the_class_of_its_code_or_of_its_status(
    answer: Given, kind: type[errors.ApiError], code: str
) -> None:
    exchanged = exchange(SEND, retries=Retries(max=0))
    exchanged.request(None)
    with pytest.raises(errors.ApiError) as refused:
        exchanged.refused(answer, may_log_in=False, now=0.0)
    assert type(refused.value) is kind
    assert (refused.value.status, refused.value.problem.code) == (answer.status_code, code)


def test_an_answer_of_another_kind_is_no_success() -> None:
    with pytest.raises(errors.UnreadableAnswer):
        exchange(READ).read(Given(200, {"not": "a list"}))
    # A write has taken effect: whoever sends it again needs its key.
    with pytest.raises(errors.UnreadableAnswer) as unread:
        exchange(idempotency_key="mine").read(Given(200, b"<html>"))
    assert unread.value.idempotency_key == "mine"


def test_pages_are_followed_and_never_to_another_host() -> None:
    exchanged = exchange(READ, query={"limit": 2})
    assert exchanged.follow(Given(200, [], Link='<?limit=2&cursor=a%2Fb>; rel="next"'))
    assert exchanged.request(None).url == "https://pay.example.com/v1/things?limit=2&cursor=a%2Fb"
    assert not exchanged.follow(Given(200, []))
    with pytest.raises(errors.UnreadableAnswer):
        exchanged.follow(Given(200, [], Link='<https://elsewhere.example.com/>; rel="next"'))


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("", ""),
        ('<a>; rel="prev", <b>; title="x"; rel="next"', "b"),
        ("<a>; rel=next", "a"),
        ('a; rel="next"', ""),
        ('<a>; rel="last"', ""),
    ],
)
def test_the_next_page_is_read_from_a_link(link: str, target: str) -> None:
    assert next_link(link) == target


@pytest.mark.parametrize(
    ("expected", "date", "seconds"),
    [
        ("3", "", 3.0),
        ("Wed, 21 Oct 2026 07:28:05 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 5.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("soon", "", None),
        ("Wed, 21 Oct 2026 07:28:05 -0000", "Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("٣", "", None),
        ("", "", None),
    ],
)
def test_retry_after_is_seconds_or_an_instant(expected: str, date: str, seconds: float | None) -> None:
    assert seconds_of(expected, date) == seconds


def test_parameters_are_written_exactly() -> None:
    given: dict[str, Any] = {
        "limit": 2,
        "is": True,
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "none": None,
        "many": ["a", "b"],
    }
    written = [("limit", "2"), ("is", "true"), ("at", "2026-01-02T00:00:00+00:00"), ("many", "a"), ("many", "b")]
    assert query_of(given) == written
    assert exchange(SEND, path={"id": "a/b?c"}).request(None).url.endswith("/v1/things/a%2Fb%3Fc/send")
    wrongs: tuple[Any, ...] = (0.1, datetime(2026, 1, 2))  # noqa: DTZ001 - an instant without a zone is refused
    for wrong in wrongs:
        with pytest.raises(TypeError):
            as_text(wrong)


@pytest.mark.parametrize("given", ["", ".", ".."])
def test_no_parameter_leads_to_another_path(given: str) -> None:
    with pytest.raises(ValueError, match="another path"):
        exchange(SEND, path={"id": given})


@pytest.mark.parametrize("key", ["", " ", "payk_test_a\nX-Tenant-Id: other", "payk_test_…", "payk test"])
def test_a_key_that_no_header_holds_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII") as refused:
        ApiKey(key)
    assert "payk" not in str(refused.value)
    assert ApiKey(" payk_test_a\n").authorization() == "Bearer payk_test_a"


def test_amounts_are_sent_as_they_are_given() -> None:
    body = models.CreatePaymentIntent(amount=Decimal("10.10"), currency="BRL", customer_ref="c")
    assert msgspec.json.decode(exchange(body=body).request(None).content or b"") == {
        "amount": "10.10",
        "currency": "BRL",
        "customer_ref": "c",
    }


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (models.CaptureRequest(amount=cast(Any, 0.1)), "/amount is 0.1"),
        ({"lines": [{"amount": "1"}, {"amount": 1e300}]}, "/lines/1/amount is 1e"),
        ([float("nan")], "/0 is nan"),
        (0.1, "the body is 0.1"),
    ],
)
def test_a_float_in_a_body_is_refused_wherever_it_is(body: Any, where: str) -> None:
    with pytest.raises(TypeError, match=where):
        exchange(body=body)


def test_names_of_tomorrow_are_kept_as_they_come() -> None:
    read = msgspec.json.decode(b'"of_tomorrow"', type=models.RefundStatus)
    assert read == "of_tomorrow"
    assert read not in list(models.RefundStatus)


def test_every_answer_of_the_document_can_be_read() -> None:
    found = [value for value in vars(operations).values() if isinstance(value, Operation)]
    assert len(found) > 100
    for operation in found:
        if operation.reads not in (None, bytes):
            msgspec.json.Decoder(operation.reads)
