"""What others rely on stays: every kind of break is refused with the name of the field, and what is compatible passes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from deploy.local import compatibility
from deploy.local.compatibility import breaks, message_breaks, message_shape, only_read, openapi_shapes
from tests.support.documents import openapi

SETTLED = "api/event.payment.settled.v1.json"
CREATE, SHOWN = "CreatePaymentIntent", "PaymentIntentBody"

type Change = Callable[[Any], Any]


def test_every_message_has_its_schema_and_no_file_is_left_over() -> None:
    now, known = compatibility.messages(), compatibility.known_messages()
    assert {name: document for name, document in known.items() if name in now} == now, "run `just docs`"
    assert message_breaks(known, now) == []


def _drop(name: str) -> Change:
    return lambda schema: schema["properties"].pop(name)


def _set(name: str, value: Any) -> Change:
    return lambda schema: schema["properties"].__setitem__(name, value)


def _require(name: str) -> Change:
    return lambda schema: schema.setdefault("required", []).append(name)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([_drop("amount")], ["amount is gone"]),
        ([_drop("amount"), _set("total", {"type": "string"})], ["amount is gone"]),
        ([_set("currency", {"type": "integer"})], ["currency has another type"]),
        ([_set("event_id", {"type": "string"})], ["event_id has another type"]),
        ([_set("more", {"type": "string"}), _require("more")], ["more is required now"]),
        ([_require("status")], ["status is required now"]),
        ([_set("more", {"type": "string"})], []),
        ([_set("amount", {"type": "string", "description": "other words", "examples": ["1.00"]})], []),
    ],
)
def test_a_changed_message_is_refused_by_the_name_of_the_field(changes: list[Change], expected: list[str]) -> None:
    before = compatibility.messages()
    now = copy.deepcopy(dict(before))
    for change in changes:
        change(now[SETTLED])
    assert message_breaks(before, now) == [f"{SETTLED}: PaymentSettled.{fault}" for fault in expected]


def test_a_message_is_neither_removed_nor_kept_from_who_has_it() -> None:
    before = compatibility.messages()
    now = {name: document for name, document in before.items() if name != "api/event.payment.failed.v1.json"}
    now[SETTLED] = {**before[SETTLED], "x-handled-by": ["ledger"], "x-public": False}
    assert sorted(message_breaks(before, now)) == [
        "api/event.payment.failed.v1.json is gone",
        f"{SETTLED} is no longer handled by notifier",
        f"{SETTLED} is no longer public",
    ]
    # The next version has a file of its own, beside which that of the one before stays.
    now[SETTLED.replace(".v1.", ".v2.")] = now.pop(SETTLED)
    assert not [fault for fault in message_breaks(before, now) if SETTLED in fault]


def test_values_of_closed_lists_may_be_added_and_not_removed() -> None:
    def shape(values: list[str]) -> dict[str, Any]:
        member = {"anyOf": [{"enum": values}, {"type": "null"}]}
        return {"m": message_shape({"title": "M", "properties": {"status": member}})}

    assert breaks(shape(["A"]), shape(["A", "B"])) == []
    assert breaks(shape(["A", "B"]), shape(["A"])) == ["m: M.status=B is gone"]


def test_released_operations_are_all_there() -> None:
    assert breaks(compatibility.known_openapi(), openapi_shapes(openapi()), read=only_read(openapi())) == []
    assert compatibility.known_openapi() == openapi_shapes(openapi()), "run `just docs`"


def _schema(name: str, change: Change) -> Change:
    return lambda document: change(document["components"]["schemas"][name])


def _parameter(**changed: Any) -> Change:
    def change(document: Any) -> None:
        document["paths"]["/v1/me"]["get"]["parameters"].append({"name": "x", "in": "query", "schema": {}} | changed)

    return change


def _without_answer(document: Any) -> None:
    responses = document["paths"]["/v1/me"]["get"]["responses"]
    responses["202"] = responses.pop("200")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda document: document["paths"].pop("/v1/me"), ["GET /v1/me is gone"]),
        (lambda document: document["webhooks"].pop("payment.settled"), ["webhook payment.settled is gone"]),
        (_without_answer, ["GET /v1/me: answer 200 is gone"]),
        (_parameter(), []),
        (_parameter(required=True), ["GET /v1/me: parameters.query x is required now"]),
        (_schema(CREATE, _drop("amount")), [f"schema {CREATE}: members.amount is gone"]),
        (
            _schema(CREATE, _set("currency", {"type": "integer"})),
            [f"schema {CREATE}: members.currency has another type"],
        ),
        (_schema(CREATE, _set("more", {"type": "string"})), []),
        (_schema(CREATE, _require("description")), [f"schema {CREATE}: members.description is required now"]),
        (_schema(SHOWN, _drop("amount")), [f"schema {SHOWN}: members.amount is gone"]),
        (_schema(SHOWN, _set("amount", {"type": "number"})), [f"schema {SHOWN}: members.amount has another type"]),
        # Of what is only read, more may be there, and nothing less.
        (_schema(SHOWN, lambda schema: [_set("more", {})(schema), _require("more")(schema)]), []),
        (
            _schema(SHOWN, lambda s: s["required"].remove("amount")),
            [f"schema {SHOWN}: members.amount may be missing now"],
        ),
    ],
)
def test_a_changed_operation_is_refused_by_the_name_of_the_field(change: Change, expected: list[str]) -> None:
    document = copy.deepcopy(openapi())
    change(document)
    assert breaks(openapi_shapes(openapi()), openapi_shapes(document), read=only_read(document)) == expected
