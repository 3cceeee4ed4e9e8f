"""Pix and boleto over HTTP, through four services: a code or a slip, paid, expired, and paid late."""

from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.test_lifecycle import Merchant, merchant

__all__ = ["merchant"]

PAYER = {
    "name": "Maria Silva",
    "email": "maria@example.com",
    "tax_id": "000.000.000-00",
    "address": {"line1": "Rua A, 1", "city": "São Paulo", "state": "SP", "postal_code": "01310-100"},
}


async def shown(merchant: Merchant, amount: str, kind: str) -> Any:
    body = {"amount": amount, "currency": "BRL", "customer_ref": "c-1", "payment_method_type": kind}
    made = await merchant.client.call(
        "POST", "/v1/payment-intents", body | {"billing_details": PAYER}, key=str(uuid4())
    )
    assert made.status == 200, made.raw
    confirmed = await merchant.client.confirm(made.json["id"])
    assert (confirmed.status, confirmed.json["status"]) == (200, "REQUIRES_ACTION"), confirmed.raw
    return confirmed.json


@pytest.mark.parametrize(("kind", "type_"), [("pix", "pix_display_qr_code"), ("boleto", "boleto_display_details")])
async def test_slip_is_paid_and_settles(merchant: Merchant, kind: str, type_: str) -> None:
    intent = await shown(merchant, "150.50", kind)
    assert intent["next_action"]["type"] == type_
    settled = await merchant.until(intent["id"], status="SETTLED")
    assert (settled["captured_amount"], settled["next_action"]) == ("150.50", None)
    await merchant.delivered(
        intent["id"],
        *("payment.intent.created", "payment.requires_action", "payment.authorized"),
        *("payment.captured", "payment.settled"),
    )


async def test_slip_expires_and_late_money_is_booked(merchant: Merchant) -> None:
    intent = await shown(merchant, "90.46", "pix")
    await merchant.until(intent["id"], status="EXPIRED")
    late = await shown(merchant, "90.47", "boleto")
    await merchant.until(late["id"], status="SETTLED")
    await merchant.delivered(
        late["id"],
        *("payment.intent.created", "payment.requires_action", "payment.expired"),
        *("payment.authorized", "payment.captured", "payment.settled"),
    )


async def test_slip_is_let_go_of(merchant: Merchant) -> None:
    intent = await shown(merchant, "90.45", "pix")
    voided = await merchant.do(intent["id"], "void")
    assert (voided.status, voided.json["status"]) == (200, "VOIDED"), voided.raw
