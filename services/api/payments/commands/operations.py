"""What clients request of an existing payment: confirm it with a payment method, capture it, void it, refund it.

Each is decided under the lock of the intent's row, so that of two that exclude each other the first one counts and the
second one is answered by the state that the first has left; and in one transaction with its key, so that a crash leaves
either nothing or all of it.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.db import Connection, Database, run_again
from libs.common.errors import BrokenInvariant, IdempotencyKeyReused
from libs.common.ids import derived_id
from libs.common.observability.correlation import Correlation
from services.api import metrics
from services.api.audit import write_line
from services.api.errors import PaymentIntentNotFound
from services.api.idempotency import Answer, Claim, keys
from services.api.payments import domain
from services.api.payments.commands.outcomes import Render, RenderRefund
from services.api.payments.commands.publications import publications_of
from services.api.payments.commands.records import audit_of, events_of
from services.api.payments.commands.waiting import Answers
from services.api.payments.domain import ChosenMethod, Decision, PaymentIntent, Refund, RefundStatus, Stage
from services.api.payments.sql import intents, refunds

_OK, _ACCEPTED = 200, 202
_CONFIRMING = frozenset({Stage.PROCESSING, Stage.CANCELLING})
"""The stages in which a confirmation waits for the processor."""
_IN_PROGRESS = frozenset({Stage.CANCELLING, Stage.CAPTURING, Stage.VOIDING, Stage.ABANDONING})
"""The stages in which a capture or a void waits for the processor."""

_REFUNDS_OF_KEY_MAX = 100
"""How often a key may be used for refunds of one payment, each time after it has become free again."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who requests, and whether the answer may wait."""

    actor: str
    """Subject of the token."""
    correlation: Correlation
    """The request."""
    respond_async: bool = False
    """Whether the client does not wait for the processor."""


class _MadeMeanwhile(Exception):
    """A refund with this id has been found at the processor since it was looked for."""


class _Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One command of a client, ready to be decided."""

    action: str
    """Its name in the audit log: `payment_intent.refund`."""
    intent_id: UUID
    subject_id: UUID
    """What the key is about, and whoever waits waits for: the intent, or a new refund."""
    decide: Callable[[PaymentIntent], Decision]
    answer: Callable[[Decision], Answer]
    """What the client receives where no outcome comes in time."""
    is_open: Callable[[Decision], bool]
    """Whether the processor has still to report the outcome."""
    detail: dict[str, str]


class Operations:
    """Confirmations with a payment method, captures, voids and refunds."""

    def __init__(
        self, database: Database, *, clock: Clock, render: Render, render_refund: RenderRefund, answers: Answers
    ) -> None:
        self._database = database
        self._clock = clock
        self._render = render
        self._render_refund = render_refund
        self._answers = answers

    async def confirm(
        self,
        intent_id: UUID,
        *,
        action: str,
        method: ChosenMethod,
        return_url: str,
        claim: Claim,
        caller: Caller,
    ) -> Answer | None:
        """Begin to collect from a payment method, also after a decline, and wait, bounded; None when another request holds the key.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
            CannotConfirm: when it has ended, otherwise than by a decline.
            TooManyAttempts: when it was declined too often.
        """
        decide = partial(domain.confirm_with_method, method=method, return_url=return_url, at=self._clock.now())
        operation = self._on_intent(action, intent_id, decide, {}, waits_in=_CONFIRMING)
        return await self._carry_out(operation, claim=claim, caller=caller)

    async def capture(
        self, intent_id: UUID, *, action: str, amount_minor: int | None, claim: Claim, caller: Caller
    ) -> Answer | None:
        """Take held funds, all unless an amount is given, and wait, bounded; None when another request holds the key.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
            CannotCapture: when there is nothing to take.
            CaptureExceedsAuthorization: when it is more than is held.
        """
        decide = partial(domain.request_capture, amount_minor=amount_minor, at=self._clock.now())
        detail = {} if amount_minor is None else {"amount_minor": str(amount_minor)}
        return await self._carry_out(self._on_intent(action, intent_id, decide, detail), claim=claim, caller=caller)

    async def void(self, intent_id: UUID, *, action: str, claim: Claim, caller: Caller) -> Answer | None:
        """Let go of a payment, and wait, bounded, for the processor where it was called; None when another request holds the key.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
            CannotVoid: when there is nothing to let go of.
        """
        decide = partial(domain.request_void, at=self._clock.now())
        return await self._carry_out(self._on_intent(action, intent_id, decide, {}), claim=claim, caller=caller)

    async def refund(
        self,
        intent_id: UUID,
        *,
        action: str,
        amount_minor: int | None,
        reason: str | None,
        claim: Claim,
        caller: Caller,
    ) -> Answer | None:
        """Give money back, all that is left unless an amount is given, and wait, bounded, for the processor.

        The answer is the refund: PENDING when the processor has not reported the outcome. None when another request holds the
        key, or has made the same refund meanwhile.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
            CannotRefund: when nothing of it can be given back.
            RefundExceedsPayment: when it is more than is left.
            IdempotencyKeyReused: when the refund under this key is of another amount.
        """
        now = self._clock.now()
        refund_id, known = await self._refund_under(claim, intent_id)
        if known is not None:
            return await self._answer_known(known, amount_minor=amount_minor, claim=claim)
        operation = _Operation(
            action=action,
            intent_id=intent_id,
            subject_id=refund_id,
            decide=partial(
                domain.request_refund, refund_id=refund_id, amount_minor=amount_minor, reason=reason, at=now
            ),
            answer=self._answer_refund,
            is_open=lambda _: True,
            detail={"refund_id": str(refund_id)},
        )
        try:
            return await self._carry_out(operation, claim=claim, caller=caller)
        except _MadeMeanwhile:
            return None

    async def _refund_under(self, claim: Claim, intent_id: UUID) -> tuple[UUID, Refund | None]:
        """Return the id of the refund that a key stands for, and the refund where it is known.

        The same payment and key always lead to the same id: what was requested at the processor before the database was restored,
        and is requested again, is requested under the same id there. A key that has become free again leads to the next id.
        """
        for number in range(_REFUNDS_OF_KEY_MAX):
            refund_id = derived_id(intent_id, f"refund:{claim.tenant_id}:{claim.key}:{number}")
            known = await refunds.refund(self._database, claim.tenant_id, refund_id)
            if known is None or known.created_at + (claim.expires_at - claim.claimed_at) > claim.claimed_at:
                return refund_id, known
        raise IdempotencyKeyReused("this Idempotency-Key was used for too many refunds of the payment")

    async def _answer_known(self, known: Refund, *, amount_minor: int | None, claim: Claim) -> Answer | None:
        """Answer with a refund that the database has without its key, as after a restore; None when another holds the key."""
        answer = Answer(_OK, self._render_refund(known))
        async with self._database.transaction() as transaction:
            if not await keys.claim_within(transaction, claim, subject_id=known.id):
                return None
            if amount_minor not in (None, known.amount_minor):
                raise IdempotencyKeyReused("this Idempotency-Key was already used with a different request")
            await keys.complete_within(transaction, claim, answer, at=self._clock.now())
        return answer

    async def resume(self, intent_id: UUID, *, claim: Claim) -> Answer:
        """Wait for the answer to a capture or void whose first request has gone, and whose key `claim` has taken over.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
        """
        intent = await intents.get(self._database, claim.tenant_id, intent_id)
        if intent is None:
            raise PaymentIntentNotFound
        otherwise = self._answer_intent(Decision(intent), waits_in=_IN_PROGRESS)
        if intent.stage not in _IN_PROGRESS:
            return await self._answers.answer_unless_answered(claim, otherwise=otherwise)
        with self._answers.expecting(claim, intent_id) as waiting:
            return await self._answers.wait(waiting, claim, since=intent.version, otherwise=otherwise)

    async def resume_refund(self, *, claim: Claim) -> Answer:
        """Wait for the answer to a refund whose first request has gone, and whose key `claim` has taken over."""
        refund_id = await keys.subject_of(self._database, claim)
        refund = None if refund_id is None else await refunds.refund(self._database, claim.tenant_id, refund_id)
        if refund is None:
            raise BrokenInvariant(f"the key of {claim.operation} names no refund although both are written together")
        otherwise = Answer(_OK, self._render_refund(refund))
        if refund.status is not RefundStatus.PENDING:
            return await self._answers.answer_unless_answered(claim, otherwise=otherwise)
        # The key has a refund of its own, and every answer about that is its answer.
        with self._answers.expecting(claim, refund.id) as waiting:
            return await self._answers.wait(waiting, claim, since=0, otherwise=otherwise)

    async def _carry_out(self, operation: _Operation, *, claim: Claim, caller: Caller) -> Answer | None:
        # Entered before the key is written: an answer that comes at once is not missed.
        with self._answers.expecting(claim, operation.subject_id) as waiting:
            committed = await run_again(partial(self._commit, operation, claim=claim, caller=caller))
            if committed is None:
                return None
            decision, answer, waits = committed
            if decision.changed:
                metrics.OPERATIONS.labels(operation.action.removeprefix("payment_intent.")).inc()
            if decision.changed and decision.intent.stage is Stage.PROCESSING:
                metrics.INTENTS_CONFIRMED.inc()
                metrics.transition(decision.intent.status.value).inc()
            if not waits:
                return answer
            return await self._answers.wait(waiting, claim, since=decision.intent.version, otherwise=answer)

    async def _commit(
        self, operation: _Operation, *, claim: Claim, caller: Caller
    ) -> tuple[Decision, Answer, bool] | None:
        """Decide and write; returns the decision, its answer and whether to wait, None when another holds the key."""
        async with self._database.transaction() as transaction:
            if not await keys.claim_within(transaction, claim, subject_id=operation.subject_id):
                return None
            decision = await self._decide(transaction, operation, claim=claim)
            answer = operation.answer(decision)
            if decision.changed:
                await self._save(transaction, operation, decision, caller=caller)
            waits = decision.changed and operation.is_open(decision) and not caller.respond_async
            if not waits:
                await keys.complete_within(transaction, claim, answer, at=self._clock.now())
        return decision, answer, waits

    async def _decide(self, transaction: Connection, operation: _Operation, *, claim: Claim) -> Decision:
        key = (claim.tenant_id, operation.intent_id)
        intent = (await intents.lock(transaction, [key])).get(key)
        if intent is None:
            raise PaymentIntentNotFound
        made = (claim.tenant_id, operation.subject_id)
        if operation.subject_id != intent.id and await refunds.refunds_by_id(transaction, [made]):
            raise _MadeMeanwhile
        return operation.decide(intent)

    async def _save(
        self, transaction: Connection, operation: _Operation, decision: Decision, *, caller: Caller
    ) -> None:
        intent = decision.intent
        publications = publications_of(decision, at=intent.updated_at, correlation=caller.correlation)
        await intents.save(
            transaction,
            [intent],
            answers=[],
            publications=publications,
            events=events_of(intent, publications, actor=caller.actor, cause_id=None),
            at=intent.updated_at,
        )
        if decision.refund is not None:
            await refunds.save_refunds(transaction, [decision.refund])
        await write_line(
            transaction,
            audit_of(
                intent,
                operation.action,
                actor=caller.actor,
                correlation=caller.correlation,
                at=intent.updated_at,
                detail=operation.detail,
            ),
        )

    def _on_intent(
        self,
        action: str,
        intent_id: UUID,
        decide: Callable[[PaymentIntent], Decision],
        detail: dict[str, str],
        *,
        waits_in: frozenset[Stage] = _IN_PROGRESS,
    ) -> _Operation:
        return _Operation(
            action=action,
            intent_id=intent_id,
            subject_id=intent_id,
            decide=decide,
            answer=partial(self._answer_intent, waits_in=waits_in),
            is_open=lambda decision: decision.intent.stage in waits_in,
            detail=detail,
        )

    def _answer_intent(self, decision: Decision, *, waits_in: frozenset[Stage]) -> Answer:
        status = _ACCEPTED if decision.intent.stage in waits_in else _OK
        return Answer(status, self._render(decision.intent))

    def _answer_refund(self, decision: Decision) -> Answer:
        assert decision.refund is not None, "a decision about a refund carries it"
        return Answer(_OK, self._render_refund(decision.refund))
