"""Forms of the console: made from the API's document, and read back into bodies of the right types."""

import msgspec
import pytest

from services.api.console.forms import Shape, WrongField, body_of, fields_of, values_of
from services.api.console.operations import Operations
from services.api.routing import RESOURCES, document

EMPTY = {
    "cancelWebhookReplay",
    "completeImport",
    "redriveDeadLetter",
    "refreshReports",
    "reverseLedgerEntry",
    "testWebhook",
    "voidHold",
    "voidPaymentIntent",
}
OPERATIONS = Operations(RESOURCES, lambda: document(RESOURCES))


def test_every_operation_that_changes_something_has_a_form() -> None:
    shapes = {
        operation.id: fields_of(OPERATIONS, operation)
        for operation in OPERATIONS
        if not operation.is_reading and not operation.declaration.is_binary
    }

    assert {field.name: field.shape for field in shapes["createPaymentIntent"]} | {
        "amount": Shape.TEXT,
        "capture_method": Shape.CHOICE,
        "off_session": Shape.FLAG,
        "metadata": Shape.JSON,
        "billing_details.email": Shape.TEXT,
    } == {field.name: field.shape for field in shapes["createPaymentIntent"]}
    assert {field.name: field.shape for field in shapes["createWebhook"]}["events"] is Shape.LINES
    assert {field.name: field.shape for field in shapes["rotateGatewayKeys"]}["secret_key"] is Shape.SECRET
    # Their bodies have no members.
    assert {name for name, fields in shapes.items() if not fields and OPERATIONS[name].declaration.body} == EMPTY


def test_a_body_has_the_types_of_its_schema_and_nothing_empty() -> None:
    fields = fields_of(OPERATIONS, OPERATIONS["createWebhook"])

    body = body_of(
        fields,
        {
            "url": "https://a.example",
            "events": "payment.settled\r\n\n refund.* ",
            "rate_limit_per_second": "5",
            "is_ordered": "true",
        },
    )

    assert body == {
        "url": "https://a.example",
        "events": ["payment.settled", "refund.*"],
        "rate_limit_per_second": 5,
        "is_ordered": True,
    }


def test_a_change_sends_what_differs_and_null_for_what_was_emptied() -> None:
    fields = fields_of(OPERATIONS, OPERATIONS["changeCustomer"])
    before = values_of(fields, {"name": "Ana", "email": "ana@example.com", "metadata": {"a": 1}})

    assert body_of(fields, before, before) == {}
    assert body_of(fields, {**before, "email": "", "name": "Bia"}, before) == {"email": None, "name": "Bia"}


def test_what_cannot_be_read_names_its_field() -> None:
    fields = fields_of(OPERATIONS, OPERATIONS["createWebhook"])

    with pytest.raises(WrongField) as wrong:
        body_of(fields, {"rate_limit_per_second": "many"})

    assert wrong.value.name == "rate_limit_per_second"


def test_every_character_of_a_secret_counts() -> None:
    fields = fields_of(OPERATIONS, OPERATIONS["changeUser"])

    assert body_of(fields, {"password": " a b \r\n"}, {}) == {"password": " a b \r\n"}


@pytest.mark.parametrize(
    ("operation", "name", "text"),
    [
        ("createWebhook", "rate_limit_per_second", "1_000"),
        ("createWebhook", "rate_limit_per_second", "9" * 5_000),
        ("createWebhook", "is_ordered", "yes"),
        ("createPaymentIntent", "metadata", "[" * 100_000),
        ("createPaymentIntent", "metadata", "{a: 1}"),
    ],
)
def test_what_is_nearly_right_is_not_guessed(operation: str, name: str, text: str) -> None:
    with pytest.raises(WrongField):
        body_of(fields_of(OPERATIONS, OPERATIONS[operation]), {name: text})


def test_json_is_sent_as_it_was_written() -> None:
    fields = fields_of(OPERATIONS, OPERATIONS["createPaymentIntent"])
    text = '{"a": 1.10, "b": 12345678901234567890.123456789012345678}'

    assert msgspec.json.encode(body_of(fields, {"metadata": text})) == f'{{"metadata":{text}}}'.encode()


def test_what_has_no_empty_value_cannot_be_emptied() -> None:
    fields = fields_of(OPERATIONS, OPERATIONS["changeCustomer"])

    with pytest.raises(WrongField):
        body_of(fields, {"metadata": ""}, {"metadata": '{"a": "1"}'})
    assert body_of(fields, {"metadata": "{}"}, {"metadata": '{"a": "1"}'})
