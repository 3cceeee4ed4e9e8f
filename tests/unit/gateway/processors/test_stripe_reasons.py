"""Why Stripe refuses, and why we cancel: passed on word by word."""

from collections.abc import AsyncIterator

import pytest

from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.contracts.gateway_methods import PaymentMethodType
from services.gateway.processors.port import Approved, Declined, DeclineReason, RequiresAction
from tests.support.stripe import Place, a_place, authorize, void


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as running:
        yield running


async def test_a_decline_has_the_codes_of_issuer_and_network(place: Place) -> None:
    codes = DeclineCodes(
        decline_code="insufficient_funds",
        advice_code="try_again_later",
        network_decline_code="51",
        network_advice_code="02",
    )
    request = authorize(payment_method="pm_card_chargeDeclinedInsufficientFunds")
    answer = await place.processor().authorize(request)
    assert isinstance(answer, Declined)
    assert answer.codes == codes
    found = await place.processor().look_up(request)
    assert isinstance(found, Declined)
    assert found.codes == codes


@pytest.mark.parametrize(("reason", "shown"), [("abandoned", "abandoned"), ("", None)])
async def test_a_void_names_its_reason(place: Place, reason: str, shown: str | None) -> None:
    hold = await place.processor().authorize(authorize())
    assert isinstance(hold, Approved)
    assert isinstance(await place.processor().void(void(hold.gateway_ref, reason=reason)), Approved)
    assert place.books.payment_intents[hold.gateway_ref]["cancellation_reason"] == shown


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("expired", DeclineReason.PAYMENT_EXPIRED),
        ("automatic", DeclineReason.PAYMENT_EXPIRED),
        ("requested_by_customer", DeclineReason.PROCESSOR_REFUSED),
    ],
)
async def test_code_that_stripe_cancels_was_not_paid_in_time(place: Place, why: str, reason: DeclineReason) -> None:
    request = authorize(currency="BRL", payment_method_type=PaymentMethodType.PIX)
    waits = await place.processor().authorize(request)
    assert isinstance(waits, RequiresAction)
    # As its event says it, so does a reading: nothing was ever held, and it may have been paid in the last moment.
    place.books.payment_intents[waits.gateway_ref] |= {"status": "canceled", "cancellation_reason": why}
    found = await place.processor().look_up(request)
    assert isinstance(found, Declined)
    assert found.reason is reason
