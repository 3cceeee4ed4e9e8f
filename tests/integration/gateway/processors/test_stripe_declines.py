"""A card that a fake Stripe declines: its payment intent is cancelled, whatever somebody with the client secret does meanwhile."""

from uuid import UUID

import pytest

from deploy.fake_stripe import Fault, FaultKind
from deploy.fake_stripe.webhooks import Mischief
from tests.integration.gateway.conftest import StripeGateway
from tests.integration.gateway.processors.test_stripe import AMOUNT, authorize, published, quiet
from tests.support.stripe import API_KEY
from tests.support.waiting import until

CARD, THREE_D_SECURE = "pm_card_chargeDeclined", "pm_card_threeDSecure2Required"


async def declined(stripe: StripeGateway) -> tuple[UUID, str]:
    command = authorize(CARD)
    await stripe.api.send(command)
    await stripe.api.outcome_of(command.payment_intent_id, "payment.declined")
    intent = str(command.payment_intent_id)
    [reference] = [
        ref for ref, pi in stripe.books.payment_intents.items() if pi["metadata"]["payment_intent_id"] == intent
    ]
    return command.payment_intent_id, reference


async def call(stripe: StripeGateway, path: str, **data: str) -> str:
    """Call the fake as somebody else does: a customer with the client secret, a person at the dashboard."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with stripe.http.post(f"{stripe.fake.url}/v1/payment_intents/{path}", headers=headers, data=data) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["status"])


async def cancelled(stripe: StripeGateway, reference: str) -> None:
    async def is_cancelled() -> bool:
        return bool(stripe.books.payment_intents[reference]["status"] == "canceled")

    await until(is_cancelled)


async def test_declined_card_leaves_nothing_to_pay(stripe: StripeGateway) -> None:
    stripe.fake.sender.mischief = Mischief(duplicated_share=1.0, delay_seconds_max=0.5)
    intents = [await declined(stripe) for _ in range(3)]
    for intent, reference in intents:
        await cancelled(stripe, reference)
        await quiet(stripe)
        assert published(stripe, intent) == {"payment.declined": 1}


async def test_proof_that_failed_leaves_nothing_to_pay(stripe: StripeGateway) -> None:
    command = authorize(THREE_D_SECURE)
    await stripe.api.send(command)
    _, _, action = await stripe.api.outcome_of(command.payment_intent_id, "payment.action_required")
    await stripe.control(f"payment_intents/{action['gateway_ref']}/authenticate/failure")
    await stripe.api.outcome_of(command.payment_intent_id, "payment.declined")
    await cancelled(stripe, action["gateway_ref"])


async def test_hold_of_another_card_is_released(stripe: StripeGateway) -> None:
    stripe.fake.faults.add(Fault(kind=FaultKind.LOCK_TIMEOUT, path="/cancel"))
    intent, reference = await declined(stripe)
    assert await call(stripe, f"{reference}/confirm", payment_method="pm_card_visa") == "requires_capture"
    await quiet(stripe)
    stripe.fake.faults.clear()
    await cancelled(stripe, reference)
    await quiet(stripe)
    assert published(stripe, intent) == {"payment.declined": 1}


@pytest.mark.parametrize("is_reported", [True, False])
async def test_money_of_another_card_is_adopted(stripe: StripeGateway, is_reported: bool) -> None:
    stripe.fake.faults.add(Fault(kind=FaultKind.LOCK_TIMEOUT, path="/cancel"))
    intent, reference = await declined(stripe)
    if not is_reported:
        stripe.fake.sender.mischief = Mischief(lost_share=1.0)
    await call(stripe, f"{reference}/confirm", payment_method="pm_card_visa")
    assert await call(stripe, f"{reference}/capture") == "succeeded"
    stripe.fake.faults.clear()
    _, _, captured = await stripe.api.outcome_of(intent, "payment.captured")
    assert (captured["amount_minor"], captured["gateway_ref"]) == (AMOUNT, reference)
    happened = published(stripe, intent)
    assert (happened["payment.declined"], happened["payment.authorized"], happened["payment.captured"]) == (1, 1, 1)


async def test_answer_without_its_payment_is_cancelled_by_the_event(stripe: StripeGateway) -> None:
    # The answer of the decline is lost, and the key keeps the error.
    stripe.fake.faults.add(Fault(kind=FaultKind.ERROR_AFTER, path="/v1/payment_intents", times=1))
    _, reference = await declined(stripe)
    await cancelled(stripe, reference)
