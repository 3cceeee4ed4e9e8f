"""What an answer of the processor makes of an attempt: recorded, and published in the same commit where it is an outcome."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_actions import encode_next_action
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.operations import schemas
from services.gateway.operations.domain.attempts import UNDECIDED, UNHEARD, Attempt, AttemptStatus
from services.gateway.operations.domain.changes import (
    after_open_one,
    approved,
    close,
    declined,
    is_left_open,
    never_sent,
    not_received,
    replaced,
    taken_instead,
    unclosed,
    unreleased,
)
from services.gateway.operations.domain.patience import Patience
from services.gateway.operations.sql.attempts import AttemptStore
from services.gateway.operations.sql.recording import COUNT_MAX, Recording
from services.gateway.processors.port import (
    Absent,
    Applied,
    Approved,
    Declined,
    DeclineReason,
    Finding,
    Notice,
    NotTaken,
    NotTakenReason,
    Operation,
    Pending,
    RequiresAction,
    Unknown,
    UnknownReason,
)

log = get_logger("gateway.outcomes")

_PENDING = frozenset({AttemptStatus.PENDING})
_LOOKS_MAX = 3
"""How often it is looked whether an authorization has ended meanwhile: it does so once, perhaps after it was taken on."""


class Outcomes:
    """Records what is learnt about attempts."""

    def __init__(
        self, *, store: AttemptStore, patience: Patience, adopt: Callable[[Notice], Awaitable[Applied]], clock: Clock
    ) -> None:
        """`adopt` lets a notice take effect."""
        self._store = store
        self._patience = patience
        self._adopt = adopt
        self._clock = clock

    async def learn(self, attempt: Attempt, answer: Finding) -> None:
        """Record what an answer means for an attempt, and publish its outcome where it is one.

        The call was counted as in doubt before it was made; an answer that it was certainly not taken takes it back.
        """
        match answer:
            case Declined(reason=DeclineReason.PAYMENT_METHOD_DETACHED, calls=0):
                # Nobody was called: where another call has been counted meanwhile, its outcome is awaited.
                await self._decide(attempt, answer, over=_PENDING, in_doubt_max=attempt.in_doubt)
            case Approved() | Declined():
                await self._decide(attempt, answer)
            case Absent() if self._patience.is_certain(attempt, now=self._clock.now()):
                await self._decide(attempt, not_received(answer))
            case Absent():
                await self._postpone(attempt, Unknown(reason=UnknownReason.UNDECIDED, calls=answer.calls), settled=0)
            case Pending() | RequiresAction():
                await self._await_end(attempt, answer)
            case Unknown():
                await self._postpone(attempt, answer, settled=0)
            case NotTaken():
                await self._postpone(attempt, answer, settled=1)
            case _:
                assert_never(answer)

    async def _decide(
        self,
        attempt: Attempt,
        answer: Approved | Declined,
        *,
        over: frozenset[AttemptStatus] = UNDECIDED,
        in_doubt_max: int = COUNT_MAX,
    ) -> None:
        now = self._clock.now()
        if isinstance(answer, Approved):
            decided, following = approved(attempt, answer), None
        else:
            decided = declined(attempt, answer, now=now)
            following = close(decided, gateway_ref=answer.gateway_ref, now=now)
            await self._adopt_what_was_taken(attempt, answer)
        decided_at = decided.decided_at or now
        publication = schemas.outcome(decided, decided_at=decided_at)
        recorded = await self._store.record(
            Recording(
                attempt=decided,
                publication=publication,
                recorded_at=now,
                following=following,
                over=over,
                in_doubt_max=in_doubt_max,
            )
        )
        if recorded and attempt.status is AttemptStatus.UNKNOWN:
            metrics.OUTCOMES_RESOLVED.labels(attempt.operation, decided.status).inc()
            log.info("attempt.resolved", attempt_id=attempt.id, operation=attempt.operation, status=decided.status)
        elif recorded and decided.status is AttemptStatus.DECLINED:
            log.info("attempt.declined", attempt_id=attempt.id, operation=attempt.operation, reason=decided.reason)
        if recorded and is_left_open(decided):
            log.error(
                "attempt.left_open",
                attempt_id=attempt.id,
                payment_intent_id=attempt.payment_intent_id,
                processor=attempt.processor,
                gateway_ref=attempt.gateway_ref,
                reason=decided.reason,
            )

    async def cancel_before(self, attempt: Attempt) -> None:
        """Write down that the payment's earlier authorizations are to end at the processor, before another one is sent.

        One that waits for its customer is declined, and cancelled; so is one that was declined and was not to be cancelled
        then. One whose customer has acted in the last moment is released.
        """
        now = self._clock.now()
        known = await self._before(attempt)
        for _ in range(_LOOKS_MAX):
            awaited = [each for each in known if each.operation is Operation.AUTHORIZE and each.known_ref]
            if not awaited:
                break
            for each in awaited:
                ended = replaced(each, now=now)
                recording = Recording(
                    attempt=ended,
                    publication=schemas.outcome(ended, decided_at=now),
                    recorded_at=now,
                    following=close(ended, gateway_ref=each.known_ref, now=now),
                )
                if await self._store.record(recording):
                    log.info("attempt.replaced", attempt_id=each.id, gateway_ref=each.known_ref, status=each.status)
            # What has ended meanwhile, in whatever way, is looked at as it stands.
            known = await self._before(attempt)
        for ending in (
            *unclosed(known, number=attempt.number, now=now),
            *unreleased(known, number=attempt.number, now=now),
        ):
            await self._store.open(ending)

    async def _before(self, attempt: Attempt) -> list[Attempt]:
        known = await self._store.of_intent(tenant_id=attempt.tenant_id, payment_intent_id=attempt.payment_intent_id)
        return [each for each in known if each.number < attempt.number]

    async def decline_after_open_ones(self, *, limit: int) -> None:
        """Decline authorizations that were never sent, and are not to be: an earlier one of the payment was not cancelled in time.

        Where a call has been counted meanwhile, its outcome counts.
        """
        now = self._clock.now()
        waiting_since = now - self._patience.authorization_wait
        for attempt in await self._store.after_open_ones(now=now, waiting_since=waiting_since, limit=limit):
            # What is before it ends all the same.
            await self.cancel_before(attempt)
            refused = after_open_one(attempt, now=now)
            outcome = schemas.outcome(refused, decided_at=now)
            recording = Recording(attempt=refused, publication=outcome, recorded_at=now, over=_PENDING, in_doubt_max=0)
            if await self._store.record(recording):
                log.info("attempt.declined", attempt_id=refused.id, operation=refused.operation, reason=refused.reason)

    async def _adopt_what_was_taken(self, attempt: Attempt, answer: Declined) -> None:
        """Take over funds that were taken before they were released: of a declined payment, paid in another way, of a hold that
        somebody has captured, or of a code or a slip, paid before it was voided.

        Nothing else may report them: a code or a slip takes money without a capture of ours, and the event of it may be lost.

        Before it is recorded that it cannot be cancelled: after a crash in between it is called about again, and a notice
        takes effect once.
        """
        notice = taken_instead(attempt, answer)
        if notice is not None and await self._adopt(notice) is Applied.CONTRADICTS:
            # Another authorization of the payment holds or has taken funds: its customer may be charged twice.
            log.error(
                "attempt.taken_beside_another",
                attempt_id=attempt.id,
                payment_intent_id=attempt.payment_intent_id,
                processor=attempt.processor,
                gateway_ref=attempt.gateway_ref,
                amount_minor=notice.amount_minor,
                currency=attempt.currency,
            )

    async def _await_end(self, attempt: Attempt, answer: Pending | RequiresAction) -> None:
        """Write down that the processor has taken it on; its end comes by notice, or is read on a schedule."""
        now = self._clock.now()
        acts = isinstance(answer, RequiresAction)
        asked_at = attempt.asked_at or now
        awaited = msgspec.structs.replace(
            attempt,
            status=AttemptStatus.ACTION_REQUIRED if acts else AttemptStatus.ACCEPTED,
            result_ref=answer.gateway_ref,
            action_url=answer.action_url if isinstance(answer, RequiresAction) else attempt.action_url,
            next_action=encode_next_action(answer.next_action)
            if isinstance(answer, RequiresAction)
            else attempt.next_action,
            reason="",
            asks=attempt.asks + answer.calls,
            next_ask_at=self._patience.after_acceptance(asked_at=asked_at, now=now),
        )
        if awaited.next_ask_at is None:
            await self._leave_to_a_person(awaited, reason="never_ended")
            return
        if acts and await self._store.record(
            Recording(
                attempt=awaited, publication=schemas.action_required(awaited, at=now), recorded_at=now, over=UNHEARD
            )
        ):
            return
        await self._store.record(Recording(attempt=awaited, publication=None, recorded_at=now))

    async def _postpone(self, attempt: Attempt, answer: Unknown | NotTaken, *, settled: int) -> None:
        now = self._clock.now()
        in_doubt = attempt.in_doubt - settled
        is_untouched = attempt.status is AttemptStatus.PENDING and in_doubt == 0
        if isinstance(answer, NotTaken) and is_untouched and self._patience.is_hopeless(attempt, answer, now=now):
            # Only as it was claimed: where another call has been counted meanwhile, its outcome is awaited.
            await self._decide(attempt, never_sent(answer), over=_PENDING, in_doubt_max=attempt.in_doubt)
            return
        next_ask_at = self._next_ask_at(attempt, answer, in_doubt=in_doubt, now=now)
        postponed = msgspec.structs.replace(
            attempt,
            status=AttemptStatus.UNKNOWN if isinstance(answer, Unknown) else AttemptStatus.PENDING,
            reason=answer.reason,
            asks=attempt.asks + answer.calls,
            next_ask_at=next_ask_at,
        )
        if next_ask_at is None:
            await self._leave_to_a_person(postponed, reason=answer.reason)
            return
        await self._store.record(Recording(attempt=postponed, publication=None, recorded_at=now, settled=settled))
        log.warning(
            "attempt.postponed",
            attempt_id=attempt.id,
            operation=attempt.operation,
            reason=answer.reason,
            asks=postponed.asks,
            next_ask_at=next_ask_at,
        )

    def _next_ask_at(
        self, attempt: Attempt, answer: Unknown | NotTaken, *, in_doubt: int, now: datetime
    ) -> datetime | None:
        asked_at = attempt.asked_at or now
        pause = timedelta(seconds=answer.retry_after_seconds or 0.0)
        if answer.reason is NotTakenReason.ENDPOINT_PACE:
            # Its turn comes then; that it waited uses up no age of a schedule, and is nothing that a person could mend.
            return now + pause
        if attempt.known_ref:
            return self._patience.after_unread(asked_at=asked_at, now=now, pause=pause)
        if isinstance(answer, Unknown):
            return self._patience.after_silence(asked_at=asked_at, now=now, pause=pause)
        return self._patience.after_refusal(
            asked_at=asked_at, now=now, is_in_doubt=in_doubt > 0 or attempt.status is AttemptStatus.UNKNOWN, pause=pause
        )

    async def _leave_to_a_person(self, attempt: Attempt, *, reason: str) -> None:
        """Stop: a call could charge twice, the processor's records could not be read for days, and a guess could lose."""
        # What the processor has taken on stays that: it is overdue, not unknown.
        overdue = msgspec.structs.replace(attempt, status=AttemptStatus.UNKNOWN, reason=reason, next_ask_at=None)
        if await self._store.record(Recording(attempt=overdue, publication=None, recorded_at=self._clock.now())):
            metrics.OUTCOMES_OVERDUE.labels(attempt.operation).inc()
            log.error(
                "attempt.left_to_a_person",
                attempt_id=attempt.id,
                payment_intent_id=attempt.payment_intent_id,
                operation=attempt.operation,
                processor=attempt.processor,
                reason=reason,
                asked_at=attempt.asked_at,
                asks=attempt.asks,
                remedy=f"just gateway resolve {attempt.id} --as ... --reason TEXT",
            )
