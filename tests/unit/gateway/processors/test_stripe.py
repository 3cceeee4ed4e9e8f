"""The Stripe adapter against a fake Stripe over real HTTP: the truth on good days, and on each kind of bad one."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from iso4217 import Currency as IsoCurrency

from deploy.fake_stripe import Fault, FaultKind
from libs.common.clock import SystemClock
from libs.common.money import currency as iso_currency
from services.gateway.processors.port import (
    Answer,
    Approved,
    Declined,
    DeclineReason,
    NotTaken,
    NotTakenReason,
    Pending,
    Processor,
    RequiresAction,
    Unknown,
    UnknownReason,
)
from services.gateway.processors.stripe import (
    StripeAccount,
    StripeConnections,
    StripeProcessor,
    UnsupportedAmount,
    from_stripe,
)
from services.gateway.processors.stripe.amounts import stripe_exponent, to_stripe
from services.gateway.resilience import Circuit, ResilientProcessor, Retries
from tests.support.stripe import Place, a_place, authorize, capture, refund, void
from tests.unit.gateway.processors.processor_suite import Cue, ProcessorSuite


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as running:
        yield running


async def held(place: Place, amount_minor: int = 15_050, payment_method: str = "") -> str:
    answer = await place.processor().authorize(authorize(amount_minor=amount_minor, payment_method=payment_method))
    assert isinstance(answer, Approved), answer
    return answer.gateway_ref


async def taken(place: Place, amount_minor: int = 15_050, payment_method: str = "") -> str:
    reference = await held(place, amount_minor, payment_method)
    assert isinstance(await place.processor().capture(capture(reference, amount_minor=amount_minor)), Approved)
    return reference


def reason_of(answer: Answer) -> DeclineReason:
    assert isinstance(answer, Declined), answer
    return answer.reason


class TestGoodDays:
    async def test_a_hold_carries_our_ids_and_says_when_it_ends(self, place: Place) -> None:
        request = authorize()
        answer = await place.processor().authorize(request)
        assert isinstance(answer, Approved)
        intent = place.books.payment_intents[answer.gateway_ref]
        assert intent["capture_method"] == "manual"
        assert intent["metadata"] == {
            "tenant_id": "tenant_demo",
            "payment_intent_id": str(request.payment_intent_id),
            "attempt": request.idempotency_key,
            "customer_ref": "customer@example.com",
        }
        assert answer.expires_at is not None
        assert (answer.expires_at - answer.approved_at).days == 7

    async def test_a_part_is_captured_and_parts_of_it_are_refunded(self, place: Place) -> None:
        processor, reference = place.processor(), await held(place)
        assert isinstance(await processor.capture(capture(reference, amount_minor=10_000)), Approved)
        assert place.books.payment_intents[reference]["amount_received"] == 10_000
        first, second = refund(reference, amount_minor=4_000), refund(reference, amount_minor=6_000)
        assert isinstance(await processor.refund(first), Approved)
        assert isinstance(await processor.refund(second), Approved)
        assert reason_of(await processor.refund(refund(reference, amount_minor=1))) is DeclineReason.ALREADY_REFUNDED

    async def test_a_void_is_an_approval_however_often_it_is_requested(self, place: Place) -> None:
        processor, reference = place.processor(), await held(place)
        first = await processor.void(void(reference))
        again = await processor.void(void(reference))
        assert isinstance(first, Approved)
        assert again == first
        assert reason_of(await processor.capture(capture(reference))) is DeclineReason.PROCESSOR_REFUSED

    async def test_what_is_captured_cannot_be_voided(self, place: Place) -> None:
        reference = await taken(place)
        assert reason_of(await place.processor().void(void(reference))) is DeclineReason.ALREADY_CAPTURED

    async def test_a_hold_that_lapsed_is_declined_as_expired(self, place: Place) -> None:
        reference = await held(place)
        await place.control(f"payment_intents/{reference}/expire")
        assert reason_of(await place.processor().capture(capture(reference))) is DeclineReason.AUTHORIZATION_EXPIRED

    async def test_capture_that_the_network_refuses_is_declined_as_expired(self, place: Place) -> None:
        reference = await held(place, payment_method="pm_card_captureDeclined")
        assert reason_of(await place.processor().capture(capture(reference))) is DeclineReason.AUTHORIZATION_EXPIRED

    @pytest.mark.parametrize(
        ("method", "reason"),
        [
            ("pm_card_chargeDeclined", DeclineReason.CARD_DECLINED),
            ("pm_card_chargeDeclinedInsufficientFunds", DeclineReason.INSUFFICIENT_FUNDS),
            ("pm_card_chargeDeclinedFraudulent", DeclineReason.FRAUD_SUSPECTED),
            ("pm_card_chargeDeclinedExpiredCard", DeclineReason.EXPIRED_CARD),
            ("pm_card_chargeDeclinedProcessingError", DeclineReason.CARD_DECLINED),
            ("pm_card_unknown", DeclineReason.PROCESSOR_REFUSED),
        ],
    )
    async def test_a_decline_has_its_reason_and_is_the_same_when_repeated(
        self, place: Place, method: str, reason: DeclineReason
    ) -> None:
        request = authorize(payment_method=method)
        answer = await place.processor().authorize(request)
        assert reason_of(answer) is reason
        assert await place.processor().authorize(msgspec.structs.replace(request, call=2)) == answer

    async def test_proof_by_the_customer_is_requested_and_read_later(self, place: Place) -> None:
        processor = place.processor(return_url="https://shop.example/back")
        request = authorize(payment_method="pm_card_threeDSecure2Required")
        answer = await processor.authorize(request)
        assert isinstance(answer, RequiresAction)
        assert answer.action_url.startswith(f"{place.fake.url}/redirect/")
        later = msgspec.structs.replace(request, known_ref=answer.gateway_ref, call=2)
        assert await processor.authorize(later) == answer
        await place.control(f"payment_intents/{answer.gateway_ref}/authenticate/success")
        assert isinstance(await processor.authorize(later), Approved)

    async def test_proof_that_fails_is_a_decline(self, place: Place) -> None:
        request = authorize(payment_method="pm_card_threeDSecure2Required")
        answer = await place.processor().authorize(request)
        assert isinstance(answer, RequiresAction)
        await place.control(f"payment_intents/{answer.gateway_ref}/authenticate/failure")
        later = msgspec.structs.replace(request, known_ref=answer.gateway_ref, call=2)
        assert reason_of(await place.processor().authorize(later)) is DeclineReason.AUTHENTICATION_FAILED

    async def test_a_pending_refund_is_read_until_it_ends(self, place: Place) -> None:
        reference = await taken(place, payment_method="pm_card_pendingRefund")
        request = refund(reference)
        answer = await place.processor().refund(request)
        assert isinstance(answer, Pending)
        later = msgspec.structs.replace(request, known_ref=answer.gateway_ref, call=2)
        assert await place.processor().refund(later) == answer
        await place.control(f"refunds/{answer.gateway_ref}/failed")
        assert isinstance(await place.processor().refund(later), Declined)

    async def test_a_disputed_payment_is_not_refunded(self, place: Place) -> None:
        reference = await taken(place, payment_method="pm_card_createDispute")
        assert reason_of(await place.processor().refund(refund(reference))) is DeclineReason.DISPUTED


LOST = [
    Fault(kind=FaultKind.DROP_AFTER, times=1),
    Fault(kind=FaultKind.HANG_AFTER, seconds=0.4, times=1),
    Fault(kind=FaultKind.DROP_BEFORE, times=1),
    *(Fault(kind=FaultKind.DROP_WITHIN, at_byte=at_byte, times=1) for at_byte in (5, 60, 400)),
    Fault(kind=FaultKind.ERROR_BEFORE, status=502, times=1),
    Fault(kind=FaultKind.ERROR_BEFORE, status=503, times=1),
]


class TestBadDays:
    @pytest.mark.sampled(by=lambda given: (given["operation"], given["fault"].kind))
    @pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.at_byte}")
    @pytest.mark.parametrize("operation", ["authorize", "capture", "void", "refund"])
    async def test_a_lost_answer_is_unknown_and_the_same_key_finds_out_once(
        self, place: Place, operation: str, fault: Fault
    ) -> None:
        processor = place.processor()
        # The others end by themselves, however busy the machine is.
        seconds = 0.2 if fault.kind is FaultKind.HANG_AFTER else 5.0
        calls = {
            "authorize": (processor.authorize, authorize(timeout_seconds=seconds)),
            "capture": (processor.capture, capture(await held(place), timeout_seconds=seconds)),
            "void": (processor.void, void(await held(place), timeout_seconds=seconds)),
            "refund": (processor.refund, refund(await taken(place), timeout_seconds=seconds)),
        }
        call, request = calls[operation]
        before = len(place.books.payment_intents), len(place.books.refunds)
        place.fake.faults.add(msgspec.structs.replace(fault))
        assert isinstance(await call(request), Unknown)  # type: ignore[operator]
        answer = await call(msgspec.structs.replace(request, call=2, timeout_seconds=5.0))  # type: ignore[operator]
        assert isinstance(answer, Approved)
        after = len(place.books.payment_intents), len(place.books.refunds)
        assert (after[0] - before[0], after[1] - before[1]) == (operation == "authorize", operation == "refund")

    @pytest.mark.parametrize("operation", ["authorize", "capture", "void", "refund"])
    async def test_an_error_that_the_key_keeps_is_seen_through_by_reading(self, place: Place, operation: str) -> None:
        processor = place.processor()
        calls = {
            "authorize": (processor.authorize, authorize()),
            "capture": (processor.capture, capture(await held(place))),
            "void": (processor.void, void(await held(place))),
            "refund": (processor.refund, refund(await taken(place))),
        }
        call, request = calls[operation]
        place.fake.faults.add(Fault(kind=FaultKind.ERROR_AFTER, times=1))
        assert isinstance(await call(request), Approved)  # type: ignore[operator]
        assert isinstance(await call(msgspec.structs.replace(request, call=2)), Approved)  # type: ignore[operator]

    async def test_when_reading_fails_too_nothing_is_known(self, place: Place) -> None:
        request = authorize()
        place.fake.faults.add(Fault(kind=FaultKind.ERROR_AFTER, times=1))
        place.fake.faults.add(Fault(kind=FaultKind.ERROR_BEFORE, method="GET", path="/search", status=502, times=1))
        answer = await place.processor().authorize(request)
        assert answer == Unknown(reason=UnknownReason.UNDECIDED, is_worth_repeating=False)
        assert isinstance(await place.processor().authorize(msgspec.structs.replace(request, call=2)), Approved)
        assert len(place.books.payment_intents) == 1

    async def test_a_rate_limit_is_not_taken_and_says_how_long(self, place: Place) -> None:
        place.fake.faults.add(Fault(kind=FaultKind.RATE_LIMIT, seconds=7, times=1))
        answer = await place.processor().authorize(authorize())
        assert answer == NotTaken(reason=NotTakenReason.RATE_LIMITED, retry_after_seconds=7)
        assert not place.books.payment_intents

    async def test_an_object_in_use_is_not_taken(self, place: Place) -> None:
        request = capture(await held(place))
        place.fake.faults.add(Fault(kind=FaultKind.LOCK_TIMEOUT, times=1))
        assert await place.processor().capture(request) == NotTaken(
            reason=NotTakenReason.RATE_LIMITED, is_of_object=True
        )

    async def test_a_key_that_is_in_use_is_unknown(self, place: Place) -> None:
        request = authorize(timeout_seconds=0.1)
        place.fake.faults.add(Fault(kind=FaultKind.SLOW, seconds=1.0, times=1))
        assert await place.processor().authorize(request) == Unknown(reason=UnknownReason.TIMEOUT)
        again = msgspec.structs.replace(request, call=2, timeout_seconds=5.0)
        assert await place.processor().authorize(again) == Unknown(reason=UnknownReason.CALL_IN_PROGRESS)

    async def test_nobody_there_is_not_taken(self, place: Place) -> None:
        nowhere = StripeConnections(api_base="http://127.0.0.1:1")
        account = StripeAccount(name="stripe", secret_key="sk_test_tests", payment_method="pm_card_visa")
        async with nowhere.open():
            answer = await StripeProcessor(account, nowhere.client(account)).authorize(authorize())
        assert answer == NotTaken(reason=NotTakenReason.UNREACHABLE)

    async def test_a_wrong_key_has_taken_nothing(self, place: Place) -> None:
        account = StripeAccount(name="stripe", secret_key="sk_live_revoked", payment_method="pm_card_visa")
        processor = StripeProcessor(account, place.connections.client(account))
        for call in (1, 2):
            answer = await processor.authorize(authorize(call=call))
            assert isinstance(answer, NotTaken)
            assert answer.reason is NotTakenReason.CREDENTIALS_REFUSED
        assert not place.books.payment_intents

    async def test_a_key_used_with_other_parameters_is_read_not_guessed(self, place: Place) -> None:
        request = authorize()
        first = await place.processor().authorize(request)
        other = place.processor(payment_method="pm_card_mastercard")
        assert await other.authorize(msgspec.structs.replace(request, call=2)) == first
        assert len(place.books.payment_intents) == 1

    async def test_a_payment_that_names_nothing_to_charge_is_declined_unasked(self, place: Place) -> None:
        answer = await place.processor(payment_method="").authorize(authorize())
        assert reason_of(answer) is DeclineReason.PROCESSOR_REFUSED
        assert not place.books.payment_intents

    async def test_an_account_does_not_show_its_key(self) -> None:
        account = StripeAccount(name="stripe", secret_key="sk_live_secret")
        assert "sk_live" not in f"{account} {account!r}"


class TestAmounts:
    @pytest.mark.parametrize(
        ("currency", "amount_minor", "amount"),
        [("BRL", 15_050, 15_050), ("JPY", 500, 500), ("KWD", 5_120, 5_120), ("ISK", 5, 500), ("MGA", 500, 5)],
    )
    async def test_each_kind_of_currency_is_charged_and_captured(
        self, place: Place, currency: str, amount_minor: int, amount: int
    ) -> None:
        money = {"currency": currency, "amount_minor": amount_minor}
        answer = await place.processor().authorize(authorize(**money))
        assert isinstance(answer, Approved)
        assert place.books.payment_intents[answer.gateway_ref]["amount"] == amount
        assert isinstance(await place.processor().capture(capture(answer.gateway_ref, **money)), Approved)

    @pytest.mark.parametrize(("currency", "amount_minor"), [("KWD", 5_124), ("MGA", 501), ("CLF", 10_000), ("LYD", 10)])
    async def test_what_stripe_cannot_charge_is_declined_unasked(
        self, place: Place, currency: str, amount_minor: int
    ) -> None:
        answer = await place.processor().authorize(authorize(currency=currency, amount_minor=amount_minor))
        assert reason_of(answer) is DeclineReason.PROCESSOR_REFUSED
        assert not place.books.payment_intents


CARDS = {
    Cue.DECLINE_INSUFFICIENT_FUNDS: "pm_card_chargeDeclinedInsufficientFunds",
    Cue.DECLINE_CARD: "pm_card_chargeDeclined",
    Cue.TIMEOUT_AFTER_DECLINE: "pm_card_chargeDeclined",
    Cue.CAPTURE_REFUSED: "pm_card_captureExpired",
    Cue.ACTION_REQUIRED: "pm_card_threeDSecure2Required",
    Cue.REFUND_REFUSED: "pm_card_createDispute",
    Cue.REFUND_PENDING: "pm_card_pendingRefund",
}
LOST_ANSWERS = {
    Cue.TIMEOUT_AFTER_APPROVAL: "/v1/payment_intents",
    Cue.TIMEOUT_AFTER_DECLINE: "/v1/payment_intents",
    Cue.CAPTURE_TIMEOUT_AFTER_SUCCESS: "/capture",
    Cue.VOID_TIMEOUT_AFTER_SUCCESS: "/cancel",
    Cue.REFUND_TIMEOUT_AFTER_SUCCESS: "/v1/refunds",
}


class TestParity(ProcessorSuite):
    """The port's suite, the same that the sandbox passes."""

    @pytest.fixture(autouse=True)
    async def _place(self) -> AsyncIterator[None]:
        async with a_place() as self.place:
            yield

    def make(self) -> Processor:
        return self.place.processor()

    def amount_for(self, cue: Cue) -> int:
        """Tell the fake Stripe what to do about an amount, and name it."""
        amount = 10_000 + 10 * cue.value
        card, faults = CARDS.get(cue, ""), self.place.fake.faults
        if path := LOST_ANSWERS.get(cue):
            named = None if cue is Cue.VOID_TIMEOUT_AFTER_SUCCESS else amount
            faults.add(Fault(kind=FaultKind.DROP_AFTER, path=path, amount=named, card=card, times=1))
        elif card:
            faults.add(Fault(kind=FaultKind.CARD, amount=amount, card=card))
        return amount


class TestResilientParity(TestParity):
    """And behind retries, circuit and bulkhead: what was lost is found out within the first call."""

    def make(self) -> Processor:
        clock = SystemClock()
        circuit = Circuit(name="parity", failures_max=100, open_seconds=1, clock=clock)
        retries = Retries(max_retries=3, base_delay_seconds=0.01, max_delay_seconds=0.05, call_timeout_seconds=5)
        return ResilientProcessor(
            self.place.processor(),
            circuit=circuit,
            retries=retries,
        )

    def truth_is_known_on_call(self) -> int:
        return 1


WRITTEN_WITH = {
    0: "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF",
    3: "BHD JOD KWD OMR TND",
    2: "ISK UGX",
}
"""Decimals of Stripe's smallest unit, as its page on currencies has them, where they are not two by ISO 4217 too."""
EXPONENTS = {code: exponent for exponent, codes in WRITTEN_WITH.items() for code in codes.split()}


@pytest.mark.parametrize("code", sorted(c.code for c in IsoCurrency if c.exponent is not None))
def test_every_currency_is_written_as_stripe_does_or_refused(code: str) -> None:
    ours = iso_currency(code).exponent
    if code not in EXPONENTS and ours != 2:
        with pytest.raises(UnsupportedAmount):
            stripe_exponent(code)
        return
    exponent = stripe_exponent(code)
    assert exponent == EXPONENTS.get(code, 2)
    # Ten whole units of the currency, and back.
    ten = 10 * 10**ours
    assert to_stripe(ten, code) == 10 * 10**exponent
    assert from_stripe(to_stripe(ten, code), code) == ten


@pytest.mark.parametrize("code", WRITTEN_WITH[3].split())
def test_thousandths_are_charged_in_steps_of_a_hundredth(code: str) -> None:
    assert to_stripe(12_340, code) == 12_340
    with pytest.raises(UnsupportedAmount):
        to_stripe(12_345, code)


@pytest.mark.parametrize(
    ("amount", "code", "minor"), [(450, "ISK", 5), (449, "ISK", 4), (7, "MGA", 700), (123, "BRL", 123)]
)
def test_a_fraction_of_a_fee_is_rounded(amount: int, code: str, minor: int) -> None:
    assert from_stripe(amount, code) == minor
