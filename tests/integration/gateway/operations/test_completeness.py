"""Every field of an operation survives from the contract to the row and back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, RefundPayment, VoidPayment
from libs.common.contracts.gateway_base import PaymentCommand
from libs.common.contracts.gateway_methods import (
    Address,
    BillingDetails,
    PaymentMethodType,
    encode_billing_details,
)
from libs.common.contracts.gateway_requests import AttemptRecord, ListAttempts
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.operations import Attempt, AttemptStatus, AttemptStore
from services.gateway.operations.queries import list_attempts
from services.gateway.operations.sql import Recording
from services.gateway.processors.port import Operation
from tests.integration.gateway.operations.test_lifecycle import Place

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def full(kind: type[msgspec.Struct], fixed: dict[str, Any]) -> dict[str, Any]:
    """A value for every field that is not its default, and that no other field has."""
    values: dict[str, Any] = {}
    for number, field in enumerate(msgspec.structs.fields(kind), start=1):
        if field.name in fixed:
            values[field.name] = fixed[field.name]
        elif "UUID" in str(field.type):
            values[field.name] = new_id()
        elif "datetime" in str(field.type):
            values[field.name] = NOW + timedelta(minutes=number)
        elif field.type is int:
            values[field.name] = 1_000 + number
        elif field.type is bool:
            values[field.name] = True
        elif field.type is str:
            values[field.name] = f"{field.name}-{number}"
        else:
            raise AssertionError(f"{kind.__name__}.{field.name}: no value is known for {field.type}")
        assert values[field.name] != field.default, f"{kind.__name__}.{field.name} has its default"
    return values


async def test_every_field_survives_its_row(database: Database, tenant_id: str) -> None:
    fixed = {
        "tenant_id": tenant_id,
        "operation": Operation.REFUND,
        "processor": "sandbox",
        "status": AttemptStatus.REVERSED,
        "currency": "BRL",
    }
    attempt = Attempt(**full(Attempt, fixed))
    store = AttemptStore(database)
    await store.open(attempt)
    assert await store.record(Recording(attempt=attempt, publication=None, recorded_at=NOW))
    assert await store.of_intent(tenant_id=tenant_id, payment_intent_id=attempt.payment_intent_id) == [attempt]
    shown = await list_attempts(store, ListAttempts(tenant_id=tenant_id, payment_intent_id=attempt.payment_intent_id))
    expected = {name: getattr(attempt, name) for name in AttemptRecord.__struct_fields__}
    # Shown is the reference of what came of it, where there is one.
    assert [msgspec.structs.asdict(record) for record in shown.attempts] == [
        expected | {"gateway_ref": attempt.result_ref}
    ]


@pytest.mark.parametrize("kind", [AuthorizePayment, CapturePayment, VoidPayment, RefundPayment])
async def test_every_field_of_a_command_reaches_the_row(
    kind: type[PaymentCommand], database: Database, clock: ManualClock, tenant_id: str
) -> None:
    place = Place(database, clock, tenant_id)
    fixed: dict[str, Any] = {"currency": "BRL", "is_repeated": True, "capture_method": "manual", "amount_minor": 15_050}
    payer = BillingDetails(
        name="Maria",
        email="maria@example.com",
        tax_id="00000000000",
        address=Address(line1="Rua A", city="C", state="SP", postal_code="01310-100"),
    )
    if kind is AuthorizePayment:
        fixed |= {"payment_method_type": PaymentMethodType.PIX, "billing_details": payer}
    body = kind(**full(kind, fixed))
    commands: dict[type[PaymentCommand], Any] = {
        AuthorizePayment: place.commands.authorize,
        CapturePayment: place.commands.capture,
        VoidPayment: place.commands.void,
        RefundPayment: place.commands.refund,
    }
    await commands[kind](place._received(body))
    [attempt] = await place.attempts(body.payment_intent_id)
    named = msgspec.structs.asdict(body)
    assert named.pop("is_repeated") is True, "it is about the command, not about the operation"
    named["number"] = named.pop("attempt")
    if "reason" in named:
        named["note"] = named.pop("reason")
    if "billing_details" in named:
        named["billing_details"] = encode_billing_details(payer)
    assert {name: getattr(attempt, name) for name in named} == named
