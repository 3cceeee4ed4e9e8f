"""The port's own suite: what every adapter must do, and every fake must do too."""

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from enum import Enum, auto

import msgspec

from libs.common.ids import new_id
from services.gateway.processors.port import (
    Absent,
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    NotTaken,
    NotTakenReason,
    Pending,
    Processor,
    Refund,
    RequiresAction,
    Unknown,
    Void,
)

REQUESTED_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Cue(Enum):
    """What the processor behind an adapter is to do."""

    APPROVE = auto()
    DECLINE_INSUFFICIENT_FUNDS = auto()
    DECLINE_CARD = auto()
    TIMEOUT_AFTER_APPROVAL = auto()
    TIMEOUT_AFTER_DECLINE = auto()
    CAPTURE_TIMEOUT_AFTER_SUCCESS = auto()
    CAPTURE_REFUSED = auto()
    ACTION_REQUIRED = auto()
    REFUND_REFUSED = auto()
    REFUND_PENDING = auto()
    REFUND_TIMEOUT_AFTER_SUCCESS = auto()
    VOID_TIMEOUT_AFTER_SUCCESS = auto()


def an_authorization(amount_minor: int, *, key: str | None = None, timeout_seconds: float = 5.0) -> Authorize:
    """A request to hold funds, under a key of its own."""
    return Authorize(
        tenant_id="tenant_demo",
        payment_intent_id=new_id(),
        idempotency_key=key or str(new_id()),
        amount_minor=amount_minor,
        currency="BRL",
        requested_at=REQUESTED_AT,
        timeout_seconds=timeout_seconds,
        customer_ref="customer@example.com",
    )


def a_capture(amount_minor: int, *, gateway_ref: str, timeout_seconds: float = 5.0) -> Capture:
    """A request to take funds that are held, under a key of its own."""
    return Capture(
        tenant_id="tenant_demo",
        payment_intent_id=new_id(),
        idempotency_key=str(new_id()),
        amount_minor=amount_minor,
        currency="BRL",
        requested_at=REQUESTED_AT,
        timeout_seconds=timeout_seconds,
        gateway_ref=gateway_ref,
    )


def a_void(amount_minor: int, *, gateway_ref: str) -> Void:
    """A request to release held funds, under a key of its own."""
    return Void(
        tenant_id="tenant_demo",
        payment_intent_id=new_id(),
        idempotency_key=str(new_id()),
        amount_minor=amount_minor,
        currency="BRL",
        requested_at=REQUESTED_AT,
        timeout_seconds=5.0,
        gateway_ref=gateway_ref,
    )


def a_refund(amount_minor: int, *, gateway_ref: str) -> Refund:
    """A request to give captured funds back, under a key of its own."""
    return Refund(
        tenant_id="tenant_demo",
        payment_intent_id=new_id(),
        idempotency_key=str(new_id()),
        amount_minor=amount_minor,
        currency="BRL",
        requested_at=REQUESTED_AT,
        timeout_seconds=5.0,
        refund_id=new_id(),
        gateway_ref=gateway_ref,
        reason="requested by the customer",
    )


async def captured(processor: Processor, amount_minor: int) -> str:
    """Authorize and capture, and return the processor's reference."""
    ref = await held(processor, amount_minor)
    answer = await processor.capture(a_capture(amount_minor, gateway_ref=ref))
    assert isinstance(answer, Approved)
    return ref


async def held(processor: Processor, amount_minor: int) -> str:
    """Authorize, insist until the truth is known, and return the processor's reference."""
    request = an_authorization(amount_minor)
    for call in range(1, 10):
        answer = await processor.authorize(msgspec.structs.replace(request, call=call))
        if isinstance(answer, Approved):
            return answer.gateway_ref
    raise AssertionError("never approved")


class ProcessorSuite(ABC):
    """Subclass it per adapter: define how to make one, and which amount leads its processor to which behaviour."""

    @abstractmethod
    def make(self) -> Processor:
        """A processor that has received nothing yet; two of them stand for two processes with the same account."""

    @abstractmethod
    def amount_for(self, cue: Cue) -> int:
        """The amount in minor units that cues the behaviour."""

    def truth_is_known_on_call(self) -> int:
        """On which ask a request whose answer was lost is answered."""
        return 2

    async def test_an_ordinary_amount_is_held(self) -> None:
        answer = await self.make().authorize(an_authorization(self.amount_for(Cue.APPROVE)))
        assert isinstance(answer, Approved)
        assert answer.gateway_ref
        assert answer.approved_at.tzinfo is not None

    async def test_the_same_key_gives_the_same_truth_in_another_process(self) -> None:
        request = an_authorization(self.amount_for(Cue.APPROVE))
        first = await self.make().authorize(request)
        again = await self.make().authorize(msgspec.structs.replace(request, call=2))
        assert isinstance(first, Approved)
        assert again == first

    async def test_two_keys_are_two_authorizations(self) -> None:
        processor = self.make()
        refs = {await held(processor, self.amount_for(Cue.APPROVE)) for _ in range(20)}
        assert len(refs) == 20

    async def test_a_decline_has_a_word_and_a_sentence_and_is_final(self) -> None:
        for cue, reason in [
            (Cue.DECLINE_INSUFFICIENT_FUNDS, DeclineReason.INSUFFICIENT_FUNDS),
            (Cue.DECLINE_CARD, DeclineReason.CARD_DECLINED),
        ]:
            request = an_authorization(self.amount_for(cue))
            processor = self.make()
            answer = await processor.authorize(request)
            assert isinstance(answer, Declined)
            assert answer.reason is reason
            assert answer.detail.endswith(".")
            assert await processor.authorize(msgspec.structs.replace(request, call=2)) == answer

    async def test_a_lost_answer_is_unknown_and_the_same_key_finds_out(self) -> None:
        request = an_authorization(self.amount_for(Cue.TIMEOUT_AFTER_APPROVAL))
        answers = await self._ask_until_known(request)
        assert all(isinstance(answer, Unknown) for answer in answers[:-1])
        assert isinstance(answers[-1], Approved)

    async def test_a_lost_decline_is_not_taken_for_an_approval(self) -> None:
        request = an_authorization(self.amount_for(Cue.TIMEOUT_AFTER_DECLINE))
        assert isinstance((await self._ask_until_known(request))[-1], Declined)

    async def test_held_funds_are_taken_under_the_reference_of_the_authorization(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await held(processor, amount)
        answer = await processor.capture(a_capture(amount, gateway_ref=ref))
        assert isinstance(answer, Approved)
        assert answer.gateway_ref == ref

    async def test_a_lost_capture_is_found_out_with_the_same_key(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.CAPTURE_TIMEOUT_AFTER_SUCCESS)
        request = a_capture(amount, gateway_ref=await held(processor, amount))
        answers = [
            await processor.capture(msgspec.structs.replace(request, call=call))
            for call in range(1, self.truth_is_known_on_call() + 1)
        ]
        assert all(isinstance(answer, Unknown) for answer in answers[:-1])
        assert isinstance(answers[-1], Approved)

    async def test_a_refused_capture_is_declined(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.CAPTURE_REFUSED)
        answer = await processor.capture(a_capture(amount, gateway_ref=await held(processor, amount)))
        assert isinstance(answer, Declined)

    async def test_funds_that_nobody_holds_cannot_be_taken(self) -> None:
        answer = await self.make().capture(a_capture(self.amount_for(Cue.APPROVE), gateway_ref="nothing"))
        self.assert_refused_or_not_taken(answer)

    @staticmethod
    def assert_refused_or_not_taken(answer: Answer) -> None:
        """What an account does not have is refused; a processor that has given the reference itself takes the key for wrong."""
        match answer:
            case Declined(reason=reason):
                assert reason is DeclineReason.PROCESSOR_REFUSED
            case NotTaken(reason=why):
                assert why is NotTakenReason.CREDENTIALS_REFUSED
            case _:
                raise AssertionError(answer)

    async def test_a_part_can_be_taken_and_the_rest_is_released(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await held(processor, amount)
        assert isinstance(await processor.capture(a_capture(amount - 1, gateway_ref=ref)), Approved)
        assert isinstance(await processor.refund(a_refund(amount, gateway_ref=ref)), Declined)
        assert isinstance(await processor.refund(a_refund(amount - 1, gateway_ref=ref)), Approved)

    async def test_more_than_is_held_cannot_be_taken(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await held(processor, amount)
        assert isinstance(await processor.capture(a_capture(amount + 1, gateway_ref=ref)), Declined)
        assert isinstance(await processor.capture(a_capture(amount, gateway_ref=ref)), Approved)

    async def test_funds_are_taken_once(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await held(processor, amount)
        first = a_capture(amount, gateway_ref=ref)
        answer = await processor.capture(first)
        assert isinstance(answer, Approved)
        assert await processor.capture(msgspec.structs.replace(first, call=2)) == answer
        again = await processor.capture(a_capture(amount, gateway_ref=ref))
        # Refused, or answered that just this has been done: the funds are taken once either way.
        if isinstance(again, Declined):
            assert again.reason is DeclineReason.ALREADY_CAPTURED
        else:
            assert again == answer

    async def test_held_funds_are_released_however_often_it_is_requested(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await held(processor, amount)
        assert isinstance(await processor.void(a_void(amount, gateway_ref=ref)), Approved)
        assert isinstance(await processor.void(a_void(amount, gateway_ref=ref)), Approved)
        assert isinstance(await processor.capture(a_capture(amount, gateway_ref=ref)), Declined)

    async def test_captured_funds_cannot_be_released(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await captured(processor, amount)
        answer = await processor.void(a_void(amount, gateway_ref=ref))
        assert isinstance(answer, Declined)
        assert answer.reason is DeclineReason.ALREADY_CAPTURED

    async def test_a_lost_release_is_found_out_with_the_same_key(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.VOID_TIMEOUT_AFTER_SUCCESS)
        request = a_void(amount, gateway_ref=await held(processor, amount))
        answers = [
            await processor.void(msgspec.structs.replace(request, call=call))
            for call in range(1, self.truth_is_known_on_call() + 1)
        ]
        assert all(isinstance(answer, Unknown) for answer in answers[:-1])
        assert isinstance(answers[-1], Approved)

    async def test_captured_funds_are_given_back_in_parts_and_never_more(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await captured(processor, amount)
        first = await processor.refund(a_refund(50, gateway_ref=ref))
        second = await processor.refund(a_refund(amount - 50, gateway_ref=ref))
        assert isinstance(first, Approved)
        assert isinstance(second, Approved)
        assert len({first.gateway_ref, second.gateway_ref, ref}) == 3
        refused = await processor.refund(a_refund(1, gateway_ref=ref))
        assert isinstance(refused, Declined)
        assert refused.reason is DeclineReason.ALREADY_REFUNDED

    async def test_what_was_not_captured_cannot_be_given_back(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await held(processor, amount)
        assert isinstance(await processor.refund(a_refund(amount, gateway_ref=ref)), Declined)
        self.assert_refused_or_not_taken(await processor.refund(a_refund(amount, gateway_ref="nothing")))

    async def test_look_up_shows_what_was_done_and_what_was_not(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        request = an_authorization(amount)
        assert isinstance(await processor.look_up(request), Absent)
        first = await processor.authorize(request)
        assert isinstance(first, Approved)
        assert await processor.look_up(msgspec.structs.replace(request, call=2)) == first
        taking = a_capture(amount, gateway_ref=first.gateway_ref)
        releasing = a_void(amount, gateway_ref=first.gateway_ref)
        assert await processor.look_up(taking) == Absent(is_still_held=True)
        assert await processor.look_up(releasing) == Absent(is_still_held=True)
        assert isinstance(await processor.capture(taking), Approved)
        found = await processor.look_up(taking)
        assert isinstance(found, Approved)
        assert found.amount_minor is None
        other = await processor.look_up(msgspec.structs.replace(taking, amount_minor=amount - 1))
        assert isinstance(other, Approved)
        assert other.amount_minor == amount
        void = await processor.look_up(releasing)
        assert isinstance(void, Declined)
        assert void.reason is DeclineReason.ALREADY_CAPTURED
        giving = a_refund(amount - 1, gateway_ref=first.gateway_ref)
        assert await processor.look_up(giving) == Absent()
        given = await processor.refund(giving)
        assert await processor.look_up(giving) == given

    async def test_look_up_shows_that_a_hold_was_released(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await held(processor, amount)
        releasing = a_void(amount, gateway_ref=ref)
        assert isinstance(await processor.void(releasing), Approved)
        assert isinstance(await processor.look_up(releasing), Approved)
        assert isinstance(await processor.look_up(a_capture(amount, gateway_ref=ref)), Declined)

    async def test_the_same_refund_requested_again_is_one(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        ref = await captured(processor, amount)
        request = a_refund(amount - 1, gateway_ref=ref)
        answer = await processor.refund(request)
        assert isinstance(answer, Approved)
        assert await processor.refund(msgspec.structs.replace(request, call=2)) == answer

    async def test_a_lost_refund_is_found_out_with_the_same_key(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.REFUND_TIMEOUT_AFTER_SUCCESS)
        request = a_refund(amount, gateway_ref=await captured(processor, amount))
        answers = [
            await processor.refund(msgspec.structs.replace(request, call=call))
            for call in range(1, self.truth_is_known_on_call() + 1)
        ]
        assert all(isinstance(answer, Unknown) for answer in answers[:-1])
        assert isinstance(answers[-1], Approved)

    async def test_a_refused_refund_is_declined(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.REFUND_REFUSED)
        answer = await processor.refund(a_refund(amount, gateway_ref=await captured(processor, amount)))
        assert isinstance(answer, Declined)

    async def test_a_pending_refund_is_read_by_its_reference(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.REFUND_PENDING)
        request = a_refund(amount, gateway_ref=await captured(processor, amount))
        answer = await processor.refund(request)
        assert isinstance(answer, Pending)
        again = await processor.refund(msgspec.structs.replace(request, call=2, known_ref=answer.gateway_ref))
        assert isinstance(again, Pending | Approved)
        assert again.gateway_ref == answer.gateway_ref

    async def test_an_action_of_the_customer_holds_nothing_yet(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.ACTION_REQUIRED)
        request = an_authorization(amount)
        answer = await processor.authorize(request)
        assert isinstance(answer, RequiresAction)
        assert answer.gateway_ref
        again = await processor.authorize(msgspec.structs.replace(request, call=2, known_ref=answer.gateway_ref))
        assert again == answer
        assert isinstance(await processor.capture(a_capture(amount, gateway_ref=answer.gateway_ref)), Declined)

    async def test_a_key_that_is_used_again_with_other_money_moves_none(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.APPROVE)
        request = an_authorization(amount)
        first = await processor.authorize(request)
        assert isinstance(first, Approved)
        assert isinstance(
            await processor.authorize(msgspec.structs.replace(request, amount_minor=amount + 1)), Declined
        )
        taking = a_capture(amount, gateway_ref=first.gateway_ref)
        assert isinstance(await processor.capture(taking), Approved)
        other = await processor.capture(msgspec.structs.replace(taking, amount_minor=amount - 1))
        assert isinstance(other, Declined) or (isinstance(other, Approved) and other.amount_minor == amount)
        giving = a_refund(100, gateway_ref=first.gateway_ref)
        assert isinstance(await processor.refund(giving), Approved)
        assert isinstance(await processor.refund(msgspec.structs.replace(giving, amount_minor=101)), Declined)

    async def _ask_until_known(self, request: Authorize) -> list[Answer]:
        processor = self.make()
        return [
            await processor.authorize(msgspec.structs.replace(request, call=call))
            for call in range(1, self.truth_is_known_on_call() + 1)
        ]
