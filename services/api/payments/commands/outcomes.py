"""What other services say about payments: intents, refunds and disputes move, and whoever waits for it is answered."""

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

import msgspec
from prometheus_client import Counter

from libs.common.clock import Clock
from libs.common.db import Connection
from libs.common.messaging import Publication
from libs.common.observability.correlation import Correlation
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.errors import NotYet
from services.api.idempotency import Answer, KeyAnswer
from services.api.payments.commands.publications import publications_of
from services.api.payments.commands.records import events_of
from services.api.payments.commands.waiting import Answers
from services.api.payments.domain import (
    Decision,
    Dispute,
    Fact,
    PaymentIntent,
    Refund,
    RefundStatus,
    Stage,
    TimelineEvent,
)
from services.api.payments.sql import intents, refunds
from services.api.payments.sql.timeline import published

log = get_logger("api.outcomes")

_OK = 200

type Render = Callable[[PaymentIntent], bytes]
"""Writes an intent as clients see it; the door that knows the REST shape brings it."""
type RenderRefund = Callable[[Refund], bytes]
"""Writes a refund as clients see it."""


class Known(msgspec.Struct, frozen=True):
    """What we know of a payment when news of it arrives."""

    intent: PaymentIntent
    refund: Refund | None = None
    """The refund that the news names."""
    dispute: Dispute | None = None
    """The dispute that the news names; None while we have not heard of it."""
    is_answer: bool = False
    """Whether the news answers a command that we have published about this payment."""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What another service says about one payment."""

    tenant_id: str
    """Whose intent."""
    payment_intent_id: UUID
    """Which intent."""
    refund_id: UUID | None = None
    """Which of its refunds, where it is about one."""
    dispute_id: UUID | None = None
    """Which of its disputes, where it is about one."""
    command_id: UUID | None = None
    """The command of ours that it answers, where it names one."""
    correlation: Correlation
    """The cause that it belongs to."""
    actor: str
    """The service that says so."""
    message_id: UUID
    """The message that says so."""
    decide: Callable[[Known], Decision]
    """What it makes of the payment."""


type _Key = tuple[str, UUID]


class Outcomes:
    """Records what other services say."""

    def __init__(self, *, clock: Clock, render: Render, render_refund: RenderRefund, answers: Answers) -> None:
        self._clock = clock
        self._render = render
        self._render_refund = render_refund
        self._answers = answers

    async def record(self, transaction: Connection, news: Sequence[News]) -> Callable[[], None]:
        """Move payments by what other services say, inside the transaction that remembers having heard it.

        Whoever waits for the outcome of a command finds it under the key, as things stood at that moment; what is
        returned, called after the commit, hands it over to those who wait in this process.

        Raises:
            NotYet: when an intent or refund is unknown, or not yet as far as the news.
            ContradictoryOutcome: when the news cannot be true.
        """
        book = await _Book.open(transaction, news)
        answers: list[KeyAnswer] = []
        publications: list[Publication] = []
        events: list[TimelineEvent] = []
        now = self._clock.now()
        early: dict[UUID, NotYet] = {}
        # Counted after the commit: a set that holds early events is handled once more without them.
        counted: list[Counter] = []
        for item in news:
            try:
                known = book.known(item)
                decision = item.decide(known)
            except NotYet as fault:
                early[item.message_id] = fault
                continue
            if not decision.changed:
                continue
            book.note(decision)
            said = publications_of(decision, at=now, correlation=item.correlation)
            publications += said
            events += events_of(decision.intent, said, actor=item.actor, cause_id=item.message_id)
            answers += self._answers_to(known, decision)
            if decision.intent.status is not known.intent.status:
                counted.append(metrics.TRANSITIONS.labels(decision.intent.status.value))
            if Fact.CAPTURE_UNCONFIRMED in decision.facts:
                counted.append(metrics.CAPTURES_UNASKED.labels("checked"))
                log.warning(
                    "payment.capture_unasked",
                    payment_intent_id=item.payment_intent_id,
                    tenant_id=item.tenant_id,
                    stage=known.intent.stage,
                    message_id=item.message_id,
                )
            if decision.refund is not None:
                counted.append(metrics.REFUNDS.labels(decision.refund.status.value))
        if early:
            first = next(iter(early.values()))
            raise NotYet(first.detail, event_ids=frozenset(early)) from first
        if book.changed:
            await intents.save(
                transaction,
                list(book.changed.values()),
                answers=answers,
                publications=publications,
                events=events,
                at=now,
            )
            await book.save_parts()
        return partial(self._committed, answers, counted)

    def _answers_to(self, known: Known, decision: Decision) -> list[KeyAnswer]:
        intent, refund = decision.intent, decision.refund
        if refund is not None:
            is_awaited = known.refund is not None and known.refund.status is RefundStatus.PENDING
            return [_answer(refund, self._render_refund(refund))] if is_awaited else []
        return [_answer(intent, self._render(intent))] if _is_awaited(known.intent, intent) else []

    def _committed(self, answers: Sequence[KeyAnswer], counted: Sequence[Counter]) -> None:
        for counter in counted:
            counter.inc()
        for found in answers:
            self._answers.hand_over(found.tenant_id, found.subject_id, found.answer)


def _answer(subject: PaymentIntent | Refund, body: bytes) -> KeyAnswer:
    return KeyAnswer(tenant_id=subject.tenant_id, subject_id=subject.id, answer=Answer(_OK, body))


def _is_awaited(before: PaymentIntent, after: PaymentIntent) -> bool:
    """Whether somebody may wait for this step under a key: of a confirmation, of a capture or of a void."""
    match before.stage:
        case Stage.PROCESSING:
            return True
        case Stage.CAPTURING:
            return before.capturing_minor > 0 and after.stage is not Stage.CAPTURING
        case Stage.VOIDING | Stage.ABANDONING:
            return not after.is_voiding
        case _:
            return False


class _Book:
    """The payments that some news is about, locked, as they stand after each piece of it."""

    def __init__(
        self,
        transaction: Connection,
        current: dict[_Key, PaymentIntent],
        refunds_known: dict[_Key, Refund],
        disputes_known: dict[_Key, Dispute],
        commands: frozenset[tuple[str, UUID, UUID]],
    ) -> None:
        self._transaction = transaction
        self._current = current
        self._refunds = refunds_known
        self._disputes = disputes_known
        self._commands = commands
        self._changed_refunds: dict[_Key, Refund] = {}
        self._changed_disputes: dict[_Key, Dispute] = {}
        self.changed: dict[_Key, PaymentIntent] = {}
        """The intents that have changed."""

    @classmethod
    async def open(cls, transaction: Connection, news: Sequence[News]) -> "_Book":
        """Lock the intents, and read what the news names beside them."""
        current = await intents.lock(transaction, list({(n.tenant_id, n.payment_intent_id): None for n in news}))
        named_refunds = {(n.tenant_id, n.refund_id): None for n in news if n.refund_id is not None}
        named_disputes = {(n.tenant_id, n.dispute_id): None for n in news if n.dispute_id is not None}
        answered = [(n.tenant_id, n.payment_intent_id, n.command_id) for n in news if n.command_id is not None]
        return cls(
            transaction,
            current,
            await refunds.refunds_by_id(transaction, list(named_refunds)) if named_refunds else {},
            await refunds.disputes_by_id(transaction, list(named_disputes)) if named_disputes else {},
            await published(transaction, answered) if answered else frozenset(),
        )

    def known(self, item: News) -> Known:
        """What we know when this piece of news is read.

        Raises:
            NotYet: when its intent or refund is not known.
        """
        intent = self._current.get((item.tenant_id, item.payment_intent_id))
        if intent is None:
            raise NotYet(f"payment intent {item.payment_intent_id} is not known yet")
        refund = None if item.refund_id is None else self._refunds.get((item.tenant_id, item.refund_id))
        if item.refund_id is not None and (refund is None or refund.payment_intent_id != intent.id):
            raise NotYet(f"refund {item.refund_id} of payment intent {intent.id} is not known yet")
        dispute = None if item.dispute_id is None else self._disputes.get((item.tenant_id, item.dispute_id))
        is_answer = (item.tenant_id, intent.id, item.command_id) in self._commands
        return Known(intent, refund, dispute, is_answer)

    def note(self, decision: Decision) -> None:
        """Remember what has become of a payment."""
        intent = decision.intent
        self._current[intent.tenant_id, intent.id] = self.changed[intent.tenant_id, intent.id] = intent
        if (refund := decision.refund) is not None:
            self._refunds[refund.tenant_id, refund.id] = self._changed_refunds[refund.tenant_id, refund.id] = refund
        if (dispute := decision.dispute) is not None:
            key = (dispute.tenant_id, dispute.id)
            self._disputes[key] = self._changed_disputes[key] = dispute

    async def save_parts(self) -> None:
        """Save the refunds and disputes that have changed."""
        if self._changed_refunds:
            await refunds.save_refunds(self._transaction, list(self._changed_refunds.values()))
        if self._changed_disputes:
            await refunds.save_disputes(self._transaction, list(self._changed_disputes.values()))
