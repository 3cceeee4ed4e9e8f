"""The life of a payment intent: created and confirmed by clients, moved on by what other services say."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.db import Connection, Database
from libs.common.errors import BrokenInvariant
from libs.common.ids import new_id
from libs.common.messaging import Saying
from libs.common.observability.correlation import Correlation
from services.api import domain, metrics
from services.api.commands.waiting import Answers
from services.api.domain import Decision, Fact, PaymentIntent, Status
from services.api.errors import ConfirmContended, NotYet, PaymentIntentNotFound
from services.api.outbox import sayings_of
from services.api.store import Answer, AuditRecord, Claim, TimelineEvent, intents, keys

_CONFIRM_TRIES_MAX = 3
"""How often a confirmation is decided anew because somebody else changed the intent meanwhile."""
_OK, _ACCEPTED = 200, 202

type Render = Callable[[PaymentIntent], bytes]
"""Writes an intent as clients see it; the door that knows the REST shape brings it."""


class NewIntent(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant asks for, already validated."""

    amount_minor: int
    """Above zero, in minor units of `currency`."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str
    """1 to 128 characters."""
    description: str | None
    """Up to 500 characters."""
    metadata: dict[str, str]
    """Up to 50 pairs."""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What another service says about one intent."""

    tenant_id: str
    """Whose intent."""
    payment_intent_id: UUID
    """Which intent."""
    correlation: Correlation
    """The cause that it belongs to."""
    actor: str
    """The service that says so."""
    message_id: UUID
    """The message that says so."""
    decide: Callable[[PaymentIntent], Decision]
    """What it makes of the intent."""


class PaymentCommands:
    """Decides about payment intents; every decision is saved with its key, its audit line and its messages."""

    def __init__(
        self, database: Database, *, clock: Clock, render: Render, answers: Answers, confirm_timeout_seconds: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._render = render
        self._answers = answers
        self._confirm_timeout_seconds = confirm_timeout_seconds

    async def create(self, wanted: NewIntent, *, claim: Claim, actor: str, correlation: Correlation) -> Answer | None:
        """Create an intent in one round trip; None when another request holds the key."""
        intent = PaymentIntent(
            tenant_id=claim.tenant_id,
            id=new_id(),
            amount_minor=wanted.amount_minor,
            currency=wanted.currency,
            status=Status.CREATED,
            customer_ref=wanted.customer_ref,
            description=wanted.description,
            metadata=wanted.metadata,
            created_at=claim.claimed_at,
            updated_at=claim.claimed_at,
        )
        answer = Answer(_OK, self._render(intent))
        sayings = sayings_of(intent, (Fact.CREATED,), at=intent.created_at, correlation=correlation)
        created = await intents.create(
            self._database,
            intent,
            claim=claim,
            answer=answer,
            audit=_audit(intent, "payment_intent.create", actor=actor, correlation=correlation),
            sayings=sayings,
            events=_events(intent, sayings, actor=actor, cause_id=None),
        )
        if not created:
            return None
        metrics.INTENTS_CREATED.labels(intent.currency).inc()
        metrics.TRANSITIONS.labels(intent.status.value).inc()
        return answer

    async def confirm(
        self, intent_id: UUID, *, claim: Claim, actor: str, correlation: Correlation, respond_async: bool
    ) -> Answer | None:
        """Begin to collect and wait, bounded, for the issuer's word; None when another request holds the key.

        Confirming is idempotent by state: an intent that is already under way or done is answered as it stands.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
            ConfirmContended: when others changed it each time.
        """
        for _ in range(_CONFIRM_TRIES_MAX):
            found = await intents.get_with_key(self._database, intent_id, claim)
            if found is None:
                raise PaymentIntentNotFound
            intent, key = found
            if key is not None and key.expires_at > claim.claimed_at:
                return None
            decision = domain.confirm(intent, at=self._clock.now())
            if not decision.changed:
                return await self._answer_as_it_stands(intent, claim)
            accepted = Answer(_ACCEPTED, self._render(decision.intent))
            # Entered before the key is written: an answer that comes at once is not missed.
            with self._answers.expecting(claim, intent_id) as waiting:
                if await self._begin(decision, claim, accepted if respond_async else None, actor, correlation):
                    return accepted if respond_async else await self._wait(waiting, claim, otherwise=accepted)
        raise ConfirmContended

    async def resume_confirm(self, intent_id: UUID, *, claim: Claim) -> Answer:
        """Wait for the answer to a confirmation whose first request has gone, and whose key `claim` has taken over.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
        """
        intent = await intents.get(self._database, claim.tenant_id, intent_id)
        if intent is None:
            raise PaymentIntentNotFound
        status = _ACCEPTED if intent.status is Status.PROCESSING else _OK
        with self._answers.expecting(claim, intent_id) as waiting:
            return await self._wait(waiting, claim, otherwise=Answer(status, self._render(intent)))

    async def record(self, transaction: Connection, news: Sequence[News]) -> Callable[[], None]:
        """Move intents by what other services say, inside the transaction that remembers having heard it.

        Whoever waits for the outcome of a confirmation finds it under the key, as the intent stood at that moment; what
        is returned, called after the commit, hands it over to those who wait in this process.

        Raises:
            NotYet: when an intent is unknown, or not yet as far as the news.
            ContradictoryOutcome: when the news cannot be true.
        """
        current = await intents.lock(transaction, list({(n.tenant_id, n.payment_intent_id): None for n in news}))
        changed: dict[tuple[str, UUID], PaymentIntent] = {}
        answers: list[tuple[PaymentIntent, Answer]] = []
        sayings: list[Saying] = []
        events: list[TimelineEvent] = []
        now = self._clock.now()
        for item in news:
            key = (item.tenant_id, item.payment_intent_id)
            before = current.get(key)
            if before is None:
                raise NotYet(f"payment intent {item.payment_intent_id} is not known yet")
            decision = item.decide(before)
            if not decision.changed:
                continue
            after = decision.intent
            current[key] = changed[key] = after
            said = sayings_of(after, decision.facts, at=now, correlation=item.correlation)
            sayings += said
            events += _events(after, said, actor=item.actor, cause_id=item.message_id)
            if before.status is Status.PROCESSING:
                answers.append((after, Answer(_OK, self._render(after))))
            metrics.TRANSITIONS.labels(after.status.value).inc()
        if changed:
            await intents.save(
                transaction, list(changed.values()), answers=answers, sayings=sayings, events=events, at=now
            )
        return partial(self._hand_over, answers)

    def _hand_over(self, answers: Sequence[tuple[PaymentIntent, Answer]]) -> None:
        for intent, answer in answers:
            self._answers.hand_over(intent.tenant_id, intent.id, answer)

    async def _begin(
        self, decision: Decision, claim: Claim, answer: Answer | None, actor: str, correlation: Correlation
    ) -> bool:
        intent = decision.intent
        sayings = sayings_of(intent, decision.facts, at=intent.updated_at, correlation=correlation)
        begun = await intents.begin_confirmation(
            self._database,
            intent,
            claim=claim,
            answer=answer,
            audit=_audit(intent, "payment_intent.confirm", actor=actor, correlation=correlation),
            sayings=sayings,
            events=_events(intent, sayings, actor=actor, cause_id=None),
        )
        if begun:
            metrics.INTENTS_CONFIRMED.inc()
            metrics.TRANSITIONS.labels(intent.status.value).inc()
        return begun

    async def _answer_as_it_stands(self, intent: PaymentIntent, claim: Claim) -> Answer | None:
        answer = Answer(_ACCEPTED if intent.status is Status.PROCESSING else _OK, self._render(intent))
        kept = await keys.remember(self._database, claim, payment_intent_id=intent.id, answer=answer)
        return answer if kept else None

    async def _wait(self, waiting: "asyncio.Future[Answer]", claim: Claim, *, otherwise: Answer) -> Answer:
        started = perf_counter()
        try:
            async with asyncio.timeout(self._confirm_timeout_seconds):
                answer = await waiting
        except TimeoutError:
            metrics.CONFIRM_WAIT.labels("timed_out").observe(perf_counter() - started)
            return await self._give_up_waiting(claim, otherwise)
        metrics.CONFIRM_WAIT.labels("answered").observe(perf_counter() - started)
        return answer

    async def _give_up_waiting(self, claim: Claim, otherwise: Answer) -> Answer:
        # The outcome may have arrived in this very moment: whichever answer was written first is the answer.
        if await keys.complete(self._database, claim, otherwise, at=self._clock.now()):
            return otherwise
        record = await keys.find(self._database, claim)
        if record is None or record.answer is None:
            raise BrokenInvariant(f"the key of {claim.operation} has no answer although it was completed")
        return record.answer


def _events(
    intent: PaymentIntent, sayings: Sequence[Saying], *, actor: str, cause_id: UUID | None
) -> list[TimelineEvent]:
    return [
        TimelineEvent(
            tenant_id=intent.tenant_id,
            payment_intent_id=intent.id,
            id=saying.event_id,
            type=saying.message.contract.name,
            status=intent.status.value,
            actor=actor,
            cause_id=cause_id,
            correlation_id=saying.correlation.correlation_id,
            occurred_at=saying.occurred_at,
        )
        for saying in sayings
    ]


def _audit(intent: PaymentIntent, action: str, *, actor: str, correlation: Correlation) -> AuditRecord:
    return AuditRecord(
        tenant_id=intent.tenant_id,
        id=new_id(),
        actor=actor,
        action=action,
        target=str(intent.id),
        outcome="success",
        correlation_id=correlation.correlation_id,
        at=intent.updated_at,
    )
