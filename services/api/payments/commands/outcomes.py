"""Outcomes that other services report: intents, refunds and disputes move, and requests that wait are answered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from prometheus_client import Counter

from libs.common.clock import Clock
from libs.common.contracts import Message, gateway
from libs.common.db import Connection
from libs.common.messaging import Publication, Received
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.audit import write_lines
from services.api.errors import NotYet
from services.api.idempotency import Answer, KeyAnswer
from services.api.payments.commands.publications import publications_of
from services.api.payments.commands.records import capture_unknown, events_of, given_back_twice
from services.api.payments.commands.reports import Known, Report, capture_confirmed
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
"""Writes an intent as clients see it; HTTP, which knows the REST shape, provides it."""
type RenderRefund = Callable[[Refund], bytes]
"""Writes a refund as clients see it."""


type _Key = tuple[str, UUID]


class Outcomes:
    """Records what other services report."""

    def __init__(self, *, clock: Clock, render: Render, render_refund: RenderRefund, answers: Answers) -> None:
        self._clock = clock
        self._render = render
        self._render_refund = render_refund
        self._answers = answers

    async def record[M: Message](
        self, tx: Connection, events: Sequence[Received[M]], report: Callable[[Received[M], datetime], Report]
    ) -> Callable[[], None]:
        """Move payments by what `report` makes of each event, inside the transaction that marks the events as handled.

        Requests that wait for the outcome of a command find it under their key, as the payment was at that moment; what is
        returned, called after the commit, hands it over to those that wait in this process.

        Raises:
            NotYet: when an intent or refund is unknown, or not yet as far as the report.
            ContradictoryOutcome: when the report cannot be true.
        """
        now = self._clock.now()
        reports = [report(event, now) for event in events]
        book = await _Book.open(tx, reports)
        answers: list[KeyAnswer] = []
        publications: list[Publication] = []
        lines: list[TimelineEvent] = []
        early: dict[UUID, NotYet] = {}
        # Counted after the commit: a set that holds early events is handled once more without them.
        counted: list[Counter] = []
        captured: dict[str, int] = {}
        for item in reports:
            try:
                known = book.known(item)
                decision = item.decide(known)
            except NotYet as fault:
                early[item.message_id] = fault
                continue
            if not decision.changed:
                continue
            book.note(decision)
            published = publications_of(decision, at=now, correlation=item.correlation)
            publications += published
            lines += events_of(decision.intent, published, actor=item.actor, cause_id=item.message_id)
            if decision.intent.is_given_back_twice and not known.intent.is_given_back_twice:
                lines.append(given_back_twice(decision.intent, item, at=now))
            answers += self._answers_to(known, decision)
            if (more := decision.intent.captured_minor - known.intent.captured_minor) > 0:
                currency = decision.intent.currency
                captured[currency] = captured.get(currency, 0) + more
            if decision.intent.status is not known.intent.status:
                counted.append(metrics.transition(decision.intent.status.value))
            if Fact.CAPTURE_UNCONFIRMED in decision.facts:
                counted.append(metrics.CAPTURES_UNASKED.labels("checked"))
                log.warning(
                    "payment.capture_unasked",
                    payment_intent_id=item.payment_intent_id,
                    tenant_id=item.tenant_id,
                    stage=known.intent.stage,
                    message_id=item.message_id,
                )
            if decision.refund is not None and not _is_ended(known.refund):
                counted.append(metrics.REFUNDS.labels(decision.refund.status.value))
        if early:
            first = next(iter(early.values()))
            raise NotYet(first.detail, event_ids=frozenset(early)) from first
        if book.changed:
            await intents.save(
                tx,
                list(book.changed.values()),
                answers=answers,
                publications=publications,
                events=lines,
                at=now,
            )
            await book.save_parts()
        return partial(self._committed, answers, counted, captured)

    async def record_capture_reports(
        self, tx: Connection, events: Sequence[Received[gateway.CaptureReported]]
    ) -> Callable[[], None]:
        """Record what the gateway's records have of captures that the api did not request; unknown ones alert an operator."""
        confirmed = [event for event in events if event.body.amount_minor > 0]
        unknown = [event for event in events if event.body.amount_minor == 0]
        after_commit = await self.record(tx, confirmed, capture_confirmed)
        await write_lines(tx, [capture_unknown(event, at=self._clock.now()) for event in unknown])

        def after_both() -> None:
            after_commit()
            metrics.CAPTURES_UNASKED.labels("confirmed").inc(len(confirmed))
            for event in unknown:
                metrics.CAPTURES_UNASKED.labels("unknown").inc()
                log.error(
                    "payment.capture_unknown",
                    payment_intent_id=event.body.payment_intent_id,
                    tenant_id=event.tenant_id,
                )

        return after_both

    def _answers_to(self, known: Known, decision: Decision) -> list[KeyAnswer]:
        intent, refund = decision.intent, decision.refund
        if refund is not None:
            is_awaited = known.refund is not None and known.refund.status is RefundStatus.PENDING
            return [_answer(refund, self._render_refund(refund), intent)] if is_awaited else []
        return [_answer(intent, self._render(intent), intent)] if _is_awaited(known.intent, intent) else []

    def _committed(self, answers: Sequence[KeyAnswer], counted: Sequence[Counter], captured: Mapping[str, int]) -> None:
        for currency, minor in captured.items():
            metrics.captured(currency).inc(minor)
        for counter in counted:
            counter.inc()
        for found in answers:
            self._answers.hand_over(found.tenant_id, found.subject_id, found.answer, version=found.version)


def _answer(subject: PaymentIntent | Refund, body: bytes, intent: PaymentIntent) -> KeyAnswer:
    return KeyAnswer(
        tenant_id=subject.tenant_id, subject_id=subject.id, answer=Answer(_OK, body), version=intent.version
    )


def _is_ended(refund: Refund | None) -> bool:
    return refund is not None and refund.status is RefundStatus.FAILED


def _is_awaited(before: PaymentIntent, after: PaymentIntent) -> bool:
    """Whether a request may wait for this step under a key: of a confirmation, of a capture or of a void."""
    match before.stage:
        case Stage.PROCESSING:
            return True
        case Stage.CAPTURING:
            return before.capturing_minor > 0 and after.stage is not Stage.CAPTURING
        case Stage.CANCELLING | Stage.VOIDING | Stage.ABANDONING:
            return not after.is_voiding
        case _:
            return False


class _Book:
    """The payments that some reports are about, locked, as they are after each report."""

    def __init__(
        self,
        tx: Connection,
        current: dict[_Key, PaymentIntent],
        refunds_known: dict[_Key, Refund],
        disputes_known: dict[_Key, Dispute],
        commands: frozenset[tuple[str, UUID, UUID]],
    ) -> None:
        self._tx = tx
        self._current = current
        self._refunds = refunds_known
        self._disputes = disputes_known
        self._commands = commands
        self._changed_refunds: dict[_Key, Refund] = {}
        self._changed_disputes: dict[_Key, Dispute] = {}
        self.changed: dict[_Key, PaymentIntent] = {}
        """The intents that have changed."""

    @classmethod
    async def open(cls, tx: Connection, reports: Sequence[Report]) -> "_Book":
        """Lock the intents, and read what the reports name beside them."""
        current = await intents.lock(tx, list({(r.tenant_id, r.payment_intent_id): None for r in reports}))
        named_refunds = {(r.tenant_id, r.refund_id): None for r in reports if r.refund_id is not None}
        named_disputes = {(r.tenant_id, r.dispute_id): None for r in reports if r.dispute_id is not None}
        answered = [(r.tenant_id, r.payment_intent_id, r.command_id) for r in reports if r.command_id is not None]
        return cls(
            tx,
            current,
            await refunds.refunds_by_id(tx, list(named_refunds)) if named_refunds else {},
            await refunds.disputes_by_id(tx, list(named_disputes)) if named_disputes else {},
            await published(tx, answered) if answered else frozenset(),
        )

    def known(self, item: Report) -> Known:
        """What is known when this report is handled.

        Raises:
            NotYet: when its intent or refund is not known.
        """
        intent = self._current.get((item.tenant_id, item.payment_intent_id))
        if intent is None:
            raise NotYet(f"payment intent {item.payment_intent_id} is not known yet")
        refund = None if item.refund_id is None else self._refunds.get((item.tenant_id, item.refund_id))
        is_strange = refund is not None and refund.payment_intent_id != intent.id
        if item.refund_id is not None and ((refund is None and not item.is_new) or is_strange):
            raise NotYet(f"refund {item.refund_id} of payment intent {intent.id} is not known yet")
        dispute = None if item.dispute_id is None else self._disputes.get((item.tenant_id, item.dispute_id))
        is_answer = (item.tenant_id, intent.id, item.command_id) in self._commands
        return Known(intent, refund, dispute, is_answer)

    def note(self, decision: Decision) -> None:
        """Keep what has become of a payment."""
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
            await refunds.save_refunds(self._tx, list(self._changed_refunds.values()))
        if self._changed_disputes:
            await refunds.save_disputes(self._tx, list(self._changed_disputes.values()))
