"""What a processor reports unasked takes effect once, in any order, and beside our own pending calls.

A notice and the answer to our own call are two witnesses of one truth. Both change an attempt only out of the statuses in
which it has no outcome, under a lock on its row, so whichever comes first is recorded and published, and the other one finds
that it is known. Money that was taken is the exception: it is there, though it was refused to us before. What a notice
implies is applied first: captured funds were held before, whether or not that was reported.
"""

from datetime import datetime
from typing import assert_never
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_actions import encode_next_action
from libs.common.db import Database
from libs.common.ids import derived_id
from libs.common.observability.correlation import Correlation
from services.gateway.notices.commands.counting import count
from services.gateway.notices.domain import (
    Closing,
    Dispute,
    authorization_of,
    closing_of,
    is_another_one_open,
    is_of_another_payment,
    refunds_without_money,
    unasked,
)
from services.gateway.notices.schemas import amount_changed
from services.gateway.notices.schemas import dispute as dispute_message
from services.gateway.notices.sql import payments as payments_sql
from services.gateway.notices.sql.payments import Payment, RacedError
from services.gateway.operations import (
    NO_CODES,
    UNHEARD,
    Attempt,
    AttemptStatus,
    action_required,
    close,
    hold_watched,
    outcome,
)
from services.gateway.processors.port import (
    ActionRequiredNotice,
    Applied,
    AuthorizedNotice,
    CapturedNotice,
    DeclinedNotice,
    DeclineReason,
    DisputeNotice,
    DisputeState,
    ExpiredNotice,
    Notice,
    Operation,
    PaymentNotice,
    RefundFailedNotice,
    RefundSucceededNotice,
    VoidedNotice,
)
from services.gateway.processors.port.reading import has_statement

_TRIES_MAX = 3
"""How often a notice is decided anew because something was written down in the same moment."""


class Notices:
    """Applies notices."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def apply(self, notice: Notice) -> Applied:
        """Let a notice take effect, in one transaction with what is published about it, and count what came of it."""
        applied = await self.decide(notice)
        count(notice, applied)
        return applied

    async def decide(self, notice: Notice) -> Applied:
        """Let a notice take effect without counting it: a contradiction is not the last word where its object can be read."""
        for attempt in range(_TRIES_MAX):
            try:
                applied = await self._apply_once(notice)
            except RacedError:
                if attempt == _TRIES_MAX - 1:
                    raise
                continue
            # What was written down while it waited for the lock is not in its snapshot: a second look has all of it.
            if applied is not Applied.CONTRADICTS or attempt > 0:
                break
        return applied

    async def _apply_once(self, notice: Notice) -> Applied:
        async with payments_sql.payment(
            self._database, tenant_id=notice.tenant_id, payment_intent_id=notice.payment_intent_id
        ) as payment:
            authorization = authorization_of(
                payment.attempts, gateway_ref=notice.gateway_ref, attempt_id=notice.attempt_id
            )
            if authorization is None or authorization.processor != notice.processor:
                return Applied.UNKNOWN_PAYMENT
            if is_of_another_payment(authorization, notice.gateway_ref):
                return Applied.CONTRADICTS
            change = _Change(payment, authorization, now=self._clock.now())
            match notice:
                case ActionRequiredNotice():
                    return await change.action_required(notice)
                case AuthorizedNotice():
                    return await change.authorized(notice)
                case DeclinedNotice():
                    return await change.declined(notice)
                case CapturedNotice():
                    return await change.captured(notice)
                case VoidedNotice():
                    return await change.released(notice, Operation.VOID)
                case ExpiredNotice():
                    return await change.released(notice, Operation.EXPIRE)
                case RefundSucceededNotice() | RefundFailedNotice():
                    return await change.refunded(notice)
                case DisputeNotice():
                    return await change.disputed(notice)
                case _:
                    assert_never(notice)


class _Change:
    """One notice's effect on one payment, under its lock."""

    def __init__(self, payment: Payment, authorization: Attempt, *, now: datetime) -> None:
        self._payment = payment
        self._authorization = authorization
        self._now = now

    async def action_required(self, notice: ActionRequiredNotice) -> Applied:
        if self._authorization.status not in UNHEARD:
            return Applied.KNOWN
        awaited = msgspec.structs.replace(
            self._authorization,
            status=AttemptStatus.ACTION_REQUIRED,
            result_ref=notice.gateway_ref,
            action_url=notice.action_url,
            next_action=encode_next_action(notice.next_action),
            reason="",
        )
        await self._payment.change(awaited, at=self._now)
        await self._payment.publish([action_required(awaited, at=notice.happened_at)])
        return Applied.APPLIED

    async def authorized(self, notice: AuthorizedNotice) -> Applied:
        if self._lacks_its_end(notice.expires_at):
            # Another notice of the same hold came first, and did not know until when it is.
            watched = msgspec.structs.replace(self._authorization, expires_at=notice.expires_at)
            await self._payment.change(watched, at=self._now)
            await self._payment.publish([hold_watched(watched, at=notice.happened_at)])
            return Applied.APPLIED
        return await self._hold(notice, expires_at=notice.expires_at)

    def _lacks_its_end(self, expires_at: datetime | None) -> bool:
        held = self._authorization
        is_watched = held.status is AttemptStatus.APPROVED and held.capture_method == "manual"
        # Where anything was requested of the hold since, somebody has looked after it.
        is_last = all(a.operation is Operation.AUTHORIZE for a in self._payment.attempts if a.number == held.number)
        return expires_at is not None and held.expires_at is None and is_watched and is_last

    async def declined(self, notice: DeclinedNotice) -> Applied:
        held = self._authorization
        if held.status is AttemptStatus.DECLINED:
            # The answer that declined it may not have had its reference.
            await self._payment.request(close(held, gateway_ref=notice.gateway_ref, now=self._now))
            return Applied.KNOWN
        if held.is_decided:
            # What was paid in the last moment was declined or had expired before, and that may be reported afterwards.
            is_earlier = held.decided_at is not None and notice.happened_at < held.decided_at
            is_known = is_earlier or notice.reason is DeclineReason.PAYMENT_EXPIRED or self._closing(notice).is_known
            return Applied.KNOWN if is_known else Applied.CONTRADICTS
        refused = msgspec.structs.replace(held, reason=notice.reason, result_ref=notice.gateway_ref)
        await self._payment.request(close(refused, gateway_ref=notice.gateway_ref, now=self._now))
        return await self._end(
            refused,
            AttemptStatus.DECLINED,
            at=notice.happened_at,
            detail=notice.detail,
            **msgspec.structs.asdict(notice.codes),
        )

    def _closing(self, notice: PaymentNotice) -> Closing:
        return closing_of(self._payment.attempts, notice.gateway_ref)

    async def captured(self, notice: CapturedNotice) -> Applied:
        if (held := await self._hold(notice)) is Applied.CONTRADICTS:
            return held
        attempt = self._payment.attempt(Operation.CAPTURE)
        if attempt is not None and attempt.status is AttemptStatus.APPROVED:
            return Applied.KNOWN
        # Also one that was declined to us, and that a person made at the processor: its release ends (`expires_at`).
        return await self._end(
            attempt or unasked(self._authorization, Operation.CAPTURE, at=notice.happened_at),
            AttemptStatus.APPROVED,
            at=notice.happened_at,
            is_new=attempt is None,
            amount_minor=notice.amount_minor,
            gateway_ref=notice.gateway_ref,
            result_ref=notice.gateway_ref,
            expires_at=None,
        )

    async def released(self, notice: VoidedNotice | ExpiredNotice, operation: Operation) -> Applied:
        # A release that we have requested is ours, whatever the processor calls it.
        number = self._authorization.number
        releases = [self._payment.attempt(each, number=number) for each in (Operation.VOID, Operation.EXPIRE)]
        is_released = any(a is not None and a.status is AttemptStatus.APPROVED for a in releases)
        if is_released and self._authorization.is_decided:
            return Applied.KNOWN
        capture = self._payment.attempt(Operation.CAPTURE, number=number)
        if capture is not None and capture.status is AttemptStatus.APPROVED:
            return Applied.CONTRADICTS
        if self._authorization.status is not AttemptStatus.APPROVED:
            # Nobody holds anything any more, and nobody ever will: the wish for it ends.
            if self._authorization.is_decided:
                return Applied.KNOWN
            unpaid = isinstance(notice, ExpiredNotice) and self._authorization.payment_method_type != "card"
            return await self._end(
                self._authorization,
                AttemptStatus.DECLINED,
                at=notice.happened_at,
                reason=DeclineReason.PAYMENT_EXPIRED if unpaid else "canceled",
                detail="The customer did not pay in time." if unpaid else "The payment was canceled at the processor.",
            )
        requested = next((a for a in releases if a is not None and not a.is_decided), None)
        attempt = requested or self._payment.attempt(operation, number=number)
        return await self._end(
            attempt or unasked(self._authorization, operation, at=notice.happened_at),
            AttemptStatus.APPROVED,
            at=notice.happened_at,
            is_new=attempt is None,
            gateway_ref=notice.gateway_ref,
            result_ref=notice.gateway_ref,
        )

    async def refunded(self, notice: RefundSucceededNotice | RefundFailedNotice) -> Applied:
        attempt = self._payment.attempt(Operation.REFUND, refund_id=notice.refund_id)
        if attempt is None:
            return Applied.UNKNOWN_PAYMENT
        # Another refund there with our id, as somebody's copy of its metadata: what becomes of it is nothing about ours.
        is_another = attempt.result_ref not in ("", notice.refund_ref)
        if isinstance(notice, RefundSucceededNotice):
            if is_another or attempt.is_declined_unreported:
                # Nobody at the processor has reported that it failed: the money may be given back twice.
                return Applied.CONTRADICTS
            # Once it has failed it stays so: success that is reported afterwards is older.
            if attempt.is_decided:
                return Applied.KNOWN
            return await self._end(attempt, AttemptStatus.APPROVED, at=notice.happened_at, result_ref=notice.refund_ref)
        if is_another or attempt.status in (AttemptStatus.DECLINED, AttemptStatus.REVERSED):
            return Applied.KNOWN
        return await self._end(
            attempt,
            AttemptStatus.REVERSED if attempt.status is AttemptStatus.APPROVED else AttemptStatus.DECLINED,
            at=notice.happened_at,
            reason=notice.reason,
            detail=notice.detail,
            result_ref=notice.refund_ref,
        )

    async def disputed(self, notice: DisputeNotice) -> Applied:
        dispute_id = derived_id(notice.payment_intent_id, f"dispute:{notice.processor}:{notice.dispute_ref}")
        known = self._payment.disputes.get(dispute_id)
        if notice.state.is_inquiry:
            return await self._inquired(notice, dispute_id, known)
        if known is not None and known.state.is_inquiry:
            # The inquiry has become a dispute, which begins now.
            known = None
        is_open = notice.state is DisputeState.OPEN
        reversals = 0
        if known is not None and known.decided_at is not None:
            if is_open or notice.state is known.state or notice.happened_at < known.decided_at:
                return Applied.KNOWN
            if notice.happened_at == known.decided_at:
                # Which of two decisions of one instant is the last one, cannot be known.
                return Applied.CONTRADICTS
            reversals = known.reversals + 1
        elif known is not None and is_open:
            if notice.amount_minor == known.amount_minor:
                return Applied.KNOWN
            if not has_statement(notice.processor):
                return Applied.CONTRADICTS
            if notice.happened_at <= known.opened_at:
                # Its opening, which is older than the change that is known.
                return Applied.KNOWN
        dispute = Dispute(
            tenant_id=notice.tenant_id,
            id=dispute_id,
            payment_intent_id=notice.payment_intent_id,
            processor=notice.processor,
            gateway_ref=notice.dispute_ref,
            state=notice.state,
            amount_minor=notice.amount_minor
            if known is None or has_statement(notice.processor)
            else known.amount_minor,
            currency=self._authorization.currency,
            reason=notice.reason if known is None else known.reason,
            opened_at=notice.opened_at if known is None else known.opened_at,
            evidence_due_at=notice.evidence_due_at,
            decided_at=None if is_open else notice.happened_at,
            reversals=reversals,
        )
        await self._payment.save(dispute, at=self._now)
        correlation = self._correlation()
        states = [(DisputeState.OPEN, dispute.opened_at, 0)] if known is None else []
        if not is_open:
            states.append((notice.state, notice.happened_at, reversals))
        published = [
            dispute_message(dispute, state=state, at=at, correlation=correlation, reversals=turned)
            for state, at, turned in states
        ]
        if known is not None and known.amount_minor != dispute.amount_minor:
            was, at = known.amount_minor, notice.happened_at
            published.insert(0, amount_changed(dispute, was_minor=was, at=at, correlation=correlation))
        await self._payment.publish(published)
        # Under the lock of the attempts: one is either stopped here, or was claimed before, and counts as sent.
        disputes = {**self._payment.disputes, dispute.id: dispute}
        for refund in refunds_without_money(self._payment.attempts, disputes.values()):
            await self._end(
                refund,
                AttemptStatus.DECLINED,
                at=self._now,
                reason=DeclineReason.DISPUTED,
                detail="The payment was disputed before the refund was sent; it was not sent.",
            )
        return Applied.APPLIED

    async def _inquired(self, notice: DisputeNotice, dispute_id: UUID, known: Dispute | None) -> Applied:
        is_closed = notice.state is DisputeState.INQUIRY_CLOSED
        if known is not None and not (is_closed and known.state is DisputeState.INQUIRY):
            # Again; or late, and it was closed or became a dispute since.
            return Applied.KNOWN
        inquiry = Dispute(
            tenant_id=notice.tenant_id,
            id=dispute_id,
            payment_intent_id=notice.payment_intent_id,
            processor=notice.processor,
            gateway_ref=notice.dispute_ref,
            state=notice.state,
            amount_minor=notice.amount_minor if known is None else known.amount_minor,
            currency=self._authorization.currency,
            reason=notice.reason if known is None else known.reason,
            opened_at=notice.opened_at if known is None else known.opened_at,
            evidence_due_at=notice.evidence_due_at,
            decided_at=notice.happened_at if is_closed else None,
        )
        await self._payment.save(inquiry, at=self._now)
        states = [(DisputeState.INQUIRY, inquiry.opened_at)] if known is None else []
        if is_closed:
            states.append((DisputeState.INQUIRY_CLOSED, notice.happened_at))
        correlation = self._correlation()
        await self._payment.publish(
            [dispute_message(inquiry, state=state, at=at, correlation=correlation) for state, at in states]
        )
        return Applied.APPLIED

    def _correlation(self) -> Correlation:
        held = self._authorization
        return Correlation(correlation_id=held.correlation_id, tenant_id=held.tenant_id, traceparent=held.traceparent)

    async def _hold(self, notice: AuthorizedNotice | CapturedNotice, *, expires_at: datetime | None = None) -> Applied:
        held, closing = self._authorization, self._closing(notice)
        # What has expired unpaid may have been paid in the last moment, and what was declined in another way before it was
        # cancelled: the money is there, and is adopted.
        may_be_paid = held.reason == DeclineReason.PAYMENT_EXPIRED or (closing.is_requested and not closing.is_done)
        is_paid_late = held.status is AttemptStatus.DECLINED and may_be_paid and isinstance(notice, CapturedNotice)
        if held.is_decided and not is_paid_late:
            # A hold of what is being cancelled is released by that.
            is_released = closing.is_known and isinstance(notice, AuthorizedNotice)
            return Applied.KNOWN if is_released or held.status is AttemptStatus.APPROVED else Applied.CONTRADICTS
        if is_another_one_open(held, self._payment.attempts):
            return Applied.CONTRADICTS
        return await self._end(
            held,
            AttemptStatus.APPROVED,
            at=notice.happened_at,
            gateway_ref=notice.gateway_ref,
            result_ref=notice.gateway_ref,
            expires_at=expires_at if held.capture_method == "manual" else None,
        )

    async def _end(
        self, attempt: Attempt, status: AttemptStatus, *, at: datetime, is_new: bool = False, **changes: object
    ) -> Applied:
        """Write an outcome down and publish it."""
        explained = {"reason": "", "detail": "", **NO_CODES} if status is AttemptStatus.APPROVED else {}
        ended = msgspec.structs.replace(
            attempt, status=status, next_ask_at=None, decided_at=at, **{**explained, **changes}
        )
        write = self._payment.add if is_new else self._payment.change
        await write(ended, at=self._now)
        if (publication := outcome(ended, decided_at=at)) is not None:
            await self._payment.publish([publication])
        return Applied.APPLIED
