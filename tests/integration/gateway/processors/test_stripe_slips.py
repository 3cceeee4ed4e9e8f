"""Pix and boleto at a fake Stripe: a code or a slip for the customer, and what becomes of it."""

import asyncio

import pytest

from deploy.fake_stripe.webhooks import Mischief
from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, VoidPayment
from libs.common.contracts.gateway_methods import Address, BillingDetails, PaymentMethodType
from libs.common.ids import new_id
from tests.integration.gateway.conftest import StripeGateway
from tests.integration.gateway.processors.test_stripe import published, quiet

PIX, BOLETO = PaymentMethodType.PIX, PaymentMethodType.BOLETO
AMOUNT = 15_050
PAYER = BillingDetails(
    name="Maria Silva",
    email="maria@example.com",
    tax_id="000.000.000-00",
    address=Address(line1="Rua A, 1", city="São Paulo", state="SP", postal_code="01310-100"),
)


def slip(kind: PaymentMethodType, payer: BillingDetails | None = PAYER) -> AuthorizePayment:
    return AuthorizePayment(
        payment_intent_id=new_id(),
        amount_minor=AMOUNT,
        currency="BRL",
        payment_method_type=kind,
        billing_details=payer,
    )


async def shown(stripe: StripeGateway, command: AuthorizePayment) -> str:
    await stripe.api.send(command)
    _, _, action = await stripe.api.outcome_of(command.payment_intent_id, "payment.action_required")
    return str(action["gateway_ref"])


@pytest.mark.parametrize("kind", [PIX, BOLETO])
async def test_slip_is_shown_and_its_payment_is_captured_once(stripe: StripeGateway, kind: PaymentMethodType) -> None:
    command = slip(kind, None if kind is PIX else PAYER)
    await stripe.api.send(command)
    _, _, action = await stripe.api.outcome_of(command.payment_intent_id, "payment.action_required")
    shows = action["next_action"]
    if kind is PIX:
        assert shows["type"] == "pix_display_qr_code"
        assert shows["data"]
        assert shows["hosted_instructions_url"] == action["action_url"]
    else:
        assert shows["type"] == "boleto_display_details"
        assert shows["number"]
        assert shows["pdf"]
    assert shows["expires_at"]
    await stripe.control(f"payment_intents/{action['gateway_ref']}/pay")
    _, _, captured = await stripe.api.outcome_of(command.payment_intent_id, "payment.captured")
    assert captured["amount_minor"] == AMOUNT
    # The api requests what it captures by itself; it is taken already.
    await stripe.api.send(
        CapturePayment(
            payment_intent_id=command.payment_intent_id,
            amount_minor=AMOUNT,
            currency="BRL",
            gateway_ref=action["gateway_ref"],
        )
    )
    await stripe.api.outcome_of(command.payment_intent_id, "processor_movement.recorded")
    await quiet(stripe)
    happened = published(stripe, command.payment_intent_id)
    assert (happened["payment.authorized"], happened["payment.captured"], happened["payment.declined"]) == (1, 1, 0)


async def test_unpaid_slip_expires_and_one_paid_late_is_taken(stripe: StripeGateway) -> None:
    command = slip(PIX)
    reference = await shown(stripe, command)
    await stripe.control(f"payment_intents/{reference}/lapse")
    _, _, ended = await stripe.api.outcome_of(command.payment_intent_id, "payment.authorization_expired")
    assert ended["was_held"] is False
    await stripe.control(f"payment_intents/{reference}/pay")
    await stripe.api.outcome_of(command.payment_intent_id, "payment.captured")
    happened = published(stripe, command.payment_intent_id)
    assert (happened["payment.authorized"], happened["payment.captured"]) == (1, 1)


async def test_slip_is_cancelled_by_a_void(stripe: StripeGateway) -> None:
    command = slip(BOLETO)
    reference = await shown(stripe, command)
    await stripe.api.send(
        VoidPayment(
            payment_intent_id=command.payment_intent_id, amount_minor=AMOUNT, currency="BRL", gateway_ref=reference
        )
    )
    await stripe.api.outcome_of(command.payment_intent_id, "payment.voided")
    assert stripe.books.payment_intents[reference]["status"] == "canceled"


async def test_boleto_without_its_payer_is_declined(stripe: StripeGateway) -> None:
    command = slip(BOLETO, None)
    await stripe.api.send(command)
    _, _, declined = await stripe.api.outcome_of(command.payment_intent_id, "payment.declined")
    assert declined["reason"] == "processor_refused"


async def test_payment_is_read_where_no_webhook_comes(stripe: StripeGateway) -> None:
    stripe.fake.sender.mischief = Mischief(lost_share=1.0)
    command = slip(PIX)
    reference = await shown(stripe, command)
    await stripe.control(f"payment_intents/{reference}/pay")
    async with asyncio.timeout(30):
        _, _, held = await stripe.api.outcome_of(command.payment_intent_id, "payment.authorized")
    await stripe.api.send(
        CapturePayment(
            payment_intent_id=command.payment_intent_id, amount_minor=AMOUNT, currency="BRL", gateway_ref=reference
        )
    )
    await stripe.api.outcome_of(command.payment_intent_id, "payment.captured")
    assert held["gateway_ref"] == reference
