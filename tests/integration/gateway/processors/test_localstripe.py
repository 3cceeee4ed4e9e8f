"""The Stripe adapter against localstripe: an independent reading of Stripe's API, of what both of us implement.

It knows no idempotency keys, no faults, no fees and no payouts; those are tested against the fake Stripe of our own.
"""

from collections.abc import AsyncIterator

import msgspec
import pytest

from services.gateway.processors.port import Approved, Declined, DeclineReason, RequiresAction, Unknown, UnknownReason
from services.gateway.processors.stripe import StripeAccount, StripeConnections, StripeProcessor
from tests.support.localstripe import installed, running_localstripe
from tests.support.stripe import authorize, capture, refund, void


@pytest.fixture(scope="module")
async def processor() -> AsyncIterator[StripeProcessor]:
    program = installed()
    if program is None:
        pytest.skip("localstripe cannot be installed: no package index is reachable")
    async with running_localstripe(program) as url:
        connections = StripeConnections(api_base=url)
        async with connections.open():
            account = StripeAccount(name="stripe", secret_key="sk_test_12345", payment_method="pm_card_visa")
            yield StripeProcessor(account, connections.client(account))


async def held(processor: StripeProcessor) -> str:
    answer = await processor.authorize(authorize())
    assert isinstance(answer, Approved), answer
    return answer.gateway_ref


async def test_funds_are_held_and_taken_under_one_reference(processor: StripeProcessor) -> None:
    reference = await held(processor)
    assert reference.startswith("pi_")
    answer = await processor.capture(capture(reference))
    assert isinstance(answer, Approved)
    assert answer.gateway_ref == reference


async def test_a_part_is_taken(processor: StripeProcessor) -> None:
    assert isinstance(await processor.capture(capture(await held(processor), amount_minor=5_000)), Approved)


async def test_a_capture_that_was_done_is_found_done(processor: StripeProcessor) -> None:
    # Without idempotency keys the second request is refused; the payment's state shows that it was ours.
    request = capture(await held(processor))
    first = await processor.capture(request)
    again = await processor.capture(msgspec.structs.replace(request, call=2))
    assert isinstance(first, Approved)
    assert isinstance(again, Approved)


async def test_a_void_is_an_approval_however_often_it_is_requested(processor: StripeProcessor) -> None:
    reference = await held(processor)
    assert isinstance(await processor.void(void(reference)), Approved)
    assert isinstance(await processor.void(void(reference)), Approved)
    assert isinstance(await processor.capture(capture(reference)), Declined)


async def test_what_is_captured_cannot_be_voided(processor: StripeProcessor) -> None:
    reference = await held(processor)
    assert isinstance(await processor.capture(capture(reference)), Approved)
    answer = await processor.void(void(reference))
    assert isinstance(answer, Declined)
    assert answer.reason is DeclineReason.ALREADY_CAPTURED


async def test_captured_funds_are_given_back_in_parts(processor: StripeProcessor) -> None:
    reference = await held(processor)
    assert isinstance(await processor.capture(capture(reference)), Approved)
    first = await processor.refund(refund(reference, amount_minor=5_000))
    second = await processor.refund(refund(reference, amount_minor=10_050))
    assert isinstance(first, Approved)
    assert isinstance(second, Approved)
    assert first.gateway_ref != second.gateway_ref


async def test_a_declined_card_is_a_decline(processor: StripeProcessor) -> None:
    answer = await processor.authorize(authorize(payment_method="pm_card_chargeCustomerFail"))
    assert isinstance(answer, Declined)
    assert answer.reason is DeclineReason.CARD_DECLINED


async def test_an_unknown_card_is_a_decline(processor: StripeProcessor) -> None:
    answer = await processor.authorize(authorize(payment_method="pm_unknown"))
    assert isinstance(answer, Declined)


async def test_funds_that_nobody_holds_cannot_be_taken(processor: StripeProcessor) -> None:
    answer = await processor.capture(capture("pi_nothing"))
    # Without the code that Stripe gives with it, nothing is decided.
    assert answer == Unknown(reason=UnknownReason.UNDECIDED, is_worth_repeating=False)


async def test_proof_by_the_customer_is_requested(processor: StripeProcessor) -> None:
    # localstripe has no payment method of that name; a card that needs proof is made first.
    method = await processor._client.v1.payment_methods.create_async(
        {"type": "card", "card": {"number": "4000000000003220", "exp_month": 12, "exp_year": 2030, "cvc": "123"}}
    )
    answer = await processor.authorize(authorize(payment_method=method.id))
    assert isinstance(answer, RequiresAction)
