"""No field of an operation is forgotten: not in its content, not in its columns, not in what the api may show."""

import msgspec
import pytest

from libs.common.contracts.gateway_requests import AttemptRecord, UnknownOutcome
from services.gateway.operations.domain import Attempt
from services.gateway.operations.domain.attempts import CONTENT
from services.gateway.operations.sql.attempts import OUTCOME, RENEWED
from services.gateway.schema.tables import ATTEMPTS

NOT_CONTENT = {
    "tenant_id": "part of the id",
    "payment_intent_id": "part of the id, or implied by the refund",
    "refund_id": "part of the id",
    "operation": "part of the id",
    "number": "part of the id, or of what it builds on",
    "id": "what is compared has the same one",
    "processor": "chosen by us",
    "customer_ref": "of the first command; the processor gets nothing else under its key",
    "payment_method": "of the first command; the processor gets nothing else under its key",
    "return_url": "of the first command; the processor gets nothing else under its key",
    "capture_method": "of the first command; the processor never sees it",
    "payment_method_type": "of the first command; the processor gets nothing else under its key",
    "billing_details": "of the first command; the processor gets nothing else under its key",
    "customer_id": "of the first command; the processor gets nothing else under its key",
    "saved_method_id": "of the first command; the processor gets nothing else under its key",
    "processor_customer": "of the first command; the processor gets nothing else under its key",
    "off_session": "of the first command; the processor gets nothing else under its key",
    "note": "of the first command; the processor gets nothing else under its key",
    "created_at": "ours",
    "asked_at": "ours",
    "in_doubt": "ours",
    "correlation_id": "of the cause, which is another one when a command is repeated",
    "traceparent": "of the cause, which is another one when a command is repeated",
    **dict.fromkeys(OUTCOME, "what became of it"),
}
IMMUTABLE = (
    *(
        "tenant_id",
        "id",
        "payment_intent_id",
        "refund_id",
        "number",
        "operation",
        "processor",
        "currency",
        "customer_ref",
    ),
    *("payment_method", "return_url", "capture_method", "payment_method_type", "billing_details", "note", "created_at"),
    *("correlation_id", "traceparent", "customer_id", "saved_method_id", "processor_customer", "off_session"),
)
"""Written when an attempt is opened, and never again."""


def test_every_field_is_content_or_a_named_exception() -> None:
    assert {*CONTENT, *NOT_CONTENT} == {*Attempt.__struct_fields__}
    assert not {*CONTENT} & {*NOT_CONTENT}


def test_every_field_is_a_column_and_immutable_or_named_as_changing() -> None:
    assert {*Attempt.__struct_fields__, "updated_at"} == {column.name for column in ATTEMPTS.columns}
    assert {*IMMUTABLE, *OUTCOME, *RENEWED} == {*Attempt.__struct_fields__}
    assert not {*IMMUTABLE} & {*OUTCOME, *RENEWED}


@pytest.mark.parametrize("shown", [AttemptRecord, UnknownOutcome])
def test_every_field_of_a_record_is_one_of_the_attempt(shown: type[msgspec.Struct]) -> None:
    assert {*shown.__struct_fields__} <= {*Attempt.__struct_fields__}
    assert all(field.required for field in msgspec.structs.fields(shown)), "none may be left out silently"
