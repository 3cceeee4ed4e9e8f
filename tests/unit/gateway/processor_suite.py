"""The port's own suite: what every adapter must do, and every fake must do too."""

from abc import ABC, abstractmethod
from collections import Counter
from datetime import UTC, datetime
from enum import Enum, auto

import msgspec

from libs.common.ids import new_id
from services.gateway.processor import (
    Answer,
    Approved,
    Authorize,
    Capture,
    Declined,
    DeclineReason,
    Processor,
    Unknown,
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


async def held(processor: Processor, amount_minor: int) -> str:
    """Authorize, insist until the truth is known, and return the processor's reference."""
    request = an_authorization(amount_minor)
    for ask in range(1, 10):
        answer = await processor.authorize(msgspec.structs.replace(request, ask=ask))
        if isinstance(answer, Approved):
            return answer.gateway_ref
    raise AssertionError("never approved")


class ProcessorSuite(ABC):
    """Subclass it per adapter: say how to make one, and which amount leads its processor to which behaviour."""

    @abstractmethod
    def make(self) -> Processor:
        """A processor that has heard nothing yet; two of them stand for two processes with the same account."""

    @abstractmethod
    def amount_for(self, cue: Cue) -> int:
        """The amount in minor units that cues the behaviour."""

    def truth_is_told_on_ask(self) -> int:
        """On which ask a request whose answer was lost is answered."""
        return 2

    async def test_an_ordinary_amount_is_held(self) -> None:
        answer = await self.make().authorize(an_authorization(self.amount_for(Cue.APPROVE)))
        assert isinstance(answer, Approved)
        assert answer.gateway_ref
        assert answer.approved_at.tzinfo is not None

    async def test_the_same_key_tells_the_same_truth_in_another_process(self) -> None:
        request = an_authorization(self.amount_for(Cue.APPROVE))
        first = await self.make().authorize(request)
        again = await self.make().authorize(msgspec.structs.replace(request, ask=2))
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
            assert await processor.authorize(msgspec.structs.replace(request, ask=2)) == answer

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
            await processor.capture(msgspec.structs.replace(request, ask=ask))
            for ask in range(1, self.truth_is_told_on_ask() + 1)
        ]
        assert all(isinstance(answer, Unknown) for answer in answers[:-1])
        assert isinstance(answers[-1], Approved)

    async def test_a_refused_capture_is_declined(self) -> None:
        processor, amount = self.make(), self.amount_for(Cue.CAPTURE_REFUSED)
        answer = await processor.capture(a_capture(amount, gateway_ref=await held(processor, amount)))
        assert isinstance(answer, Declined)

    async def test_funds_that_nobody_holds_cannot_be_taken(self) -> None:
        answer = await self.make().capture(a_capture(self.amount_for(Cue.APPROVE), gateway_ref="nothing"))
        assert isinstance(answer, Declined)
        assert answer.reason is DeclineReason.PROCESSOR_REFUSED

    async def _ask_until_known(self, request: Authorize) -> list[Answer]:
        processor = self.make()
        return [
            await processor.authorize(msgspec.structs.replace(request, ask=ask))
            for ask in range(1, self.truth_is_told_on_ask() + 1)
        ]


class CountingProcessor:
    """A processor that keeps a book of what it was asked, in front of another one: a fake that passes the suite."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self.asks: Counter[str] = Counter()
        """How often each key was asked."""
        self.charges: Counter[str] = Counter()
        """For each approved reference and operation, how many different keys led to it: 1, or money moved twice."""
        self._approved: set[str] = set()

    @property
    def name(self) -> str:
        return self._processor.name

    async def authorize(self, request: Authorize) -> Answer:
        return self._note("authorize", request, await self._processor.authorize(request))

    async def capture(self, request: Capture) -> Answer:
        return self._note("capture", request, await self._processor.capture(request))

    def _note(self, operation: str, request: Authorize | Capture, answer: Answer) -> Answer:
        self.asks[request.idempotency_key] += 1
        if isinstance(answer, Approved) and request.idempotency_key not in self._approved:
            self._approved.add(request.idempotency_key)
            self.charges[f"{operation} {request.payment_intent_id}"] += 1
        return answer
