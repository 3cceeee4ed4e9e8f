"""What we decide about deliveries: who is told, who tries next, and what follows an attempt."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import PublicEvent
from libs.common.db import Connection, Database
from libs.common.ids import derived_id
from libs.common.messaging import Heard
from libs.common.observability.logging import get_logger
from services.notifier import metrics
from services.notifier.domain import Answer, Claimed, DeliveryStatus, EndReason, patterns_of
from services.notifier.outbox import webhook_body
from services.notifier.schedule import Decision, Delivered, Failed, RetryAt, RetryPolicy, decide, first_attempt_at
from services.notifier.store import deliveries, endpoints
from services.notifier.store.deliveries import DeliveryKey, NewMessage, Record

log = get_logger("notifier.deliveries")

_DISABLED_BY_410 = "gone"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that was made and is not yet recorded."""

    claimed: Claimed
    """The delivery, under the fence it was claimed with."""
    answer: Answer
    """What came of it."""
    attempted_at: datetime
    """When it began."""
    duration_ms: int
    """How long the exchange took."""
    chance: float
    """The random number, 0 to 1, that places a retry within its jitter."""


async def schedule[E: PublicEvent](
    tx: Connection, heard: Sequence[Heard[E]], *, policy: RetryPolicy, clock: Clock
) -> None:
    """Remember, for new events of one type, what merchants are told and whom: one delivery for each endpoint.

    Nothing is kept of an event that no endpoint of its tenant wants. An endpoint that is switched off gets no delivery,
    but the message is kept, so that the gap can be made up for when it is switched on again.
    """
    event_type = heard[0].body.contract.name
    wanted = await endpoints.wanting(
        tx, tenant_ids=sorted({event.body.tenant_id for event in heard}), patterns=patterns_of(event_type)
    )
    told = [event.body for event in heard if event.body.tenant_id in wanted]
    if not told:
        return
    now = clock.now()
    planned: dict[DeliveryKey, UUID] = {
        (event.tenant_id, endpoint_id, event.event_id): derived_id(event.event_id, f"delivery to {endpoint_id}")
        for event in told
        for endpoint_id, is_active in wanted[event.tenant_id]
        if is_active
    }
    await deliveries.schedule(
        tx,
        event_type=event_type,
        messages=[
            NewMessage(
                tenant_id=event.tenant_id,
                event_id=event.event_id,
                payment_intent_id=getattr(event, "payment_intent_id", None),
                body=webhook_body(event),
                occurred_at=event.occurred_at,
            )
            for event in told
        ],
        deliveries=planned,
        now=now,
        first_attempt_at=first_attempt_at(policy, now=now),
    )
    metrics.DELIVERIES.labels("scheduled").inc(len(planned))


async def claim(
    database: Database,
    *,
    slots: Mapping[UUID, int],
    slots_default: int,
    limit: int,
    lease: timedelta,
    clock: Clock,
) -> list[Claimed]:
    """Take due deliveries for one worker until the lease ends."""
    now = clock.now()
    async with database.connection() as connection:
        return await deliveries.claim(
            connection, now=now, lease_until=now + lease, slots=slots, slots_default=slots_default, limit=limit
        )


async def record(
    database: Database, attempts: Sequence[Attempt], *, policy: RetryPolicy, clock: Clock
) -> list[Decision | None]:
    """Record attempts and decide what follows each; None where another worker had taken the delivery over."""
    now = clock.now()
    decided = [
        decide(policy, made.answer, attempts=made.claimed.attempts + 1, now=now, chance=made.chance)
        for made in attempts
    ]
    async with database.transaction() as tx:
        held = await deliveries.record(
            tx, [_record(made, decision, now=now) for made, decision in zip(attempts, decided, strict=True)]
        )
        results = [
            decision if _key(made.claimed) in held else None for made, decision in zip(attempts, decided, strict=True)
        ]
        gone = {
            (made.claimed.tenant_id, made.claimed.endpoint_id)
            for made, decision in zip(attempts, results, strict=True)
            if isinstance(decision, Failed) and decision.disables
        }
        for tenant_id, endpoint_id in sorted(gone):
            await _disable(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, now=now)
    return results


async def abandon_unwanted(database: Database, claimed: Sequence[Claimed], *, clock: Clock) -> None:
    """End deliveries whose endpoint was deleted or switched off while they waited; no attempt is spent."""
    async with database.connection() as connection:
        for is_deleted, reason in ((True, EndReason.ENDPOINT_DELETED), (False, EndReason.ENDPOINT_DISABLED)):
            ended = [delivery for delivery in claimed if delivery.is_deleted is is_deleted]
            if ended:
                await deliveries.abandon(connection, ended, reason=reason, at=clock.now())
                metrics.DELIVERIES.labels("failed").inc(len(ended))


async def hand_back(
    database: Database, claimed: Sequence[Claimed], *, clock: Clock, pause: timedelta = timedelta()
) -> None:
    """Let go of deliveries that were claimed and not attempted; any worker may take them after `pause`."""
    async with database.connection() as connection:
        await deliveries.hand_back(connection, claimed, at=clock.now() + pause)


async def _disable(tx: Connection, *, tenant_id: str, endpoint_id: UUID, now: datetime) -> None:
    if await endpoints.disable(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, reason=_DISABLED_BY_410):
        await deliveries.abandon_waiting(
            tx, tenant_id=tenant_id, endpoint_id=endpoint_id, reason=EndReason.ENDPOINT_DISABLED, at=now
        )
        log.warning("endpoint.disabled", tenant_id=tenant_id, endpoint_id=endpoint_id, reason=_DISABLED_BY_410)


def _record(made: Attempt, decision: Decision, *, now: datetime) -> Record:
    record = Record(
        key=_key(made.claimed),
        fence=made.claimed.fence,
        attempted_at=made.attempted_at,
        duration_ms=made.duration_ms,
        status_code=made.answer.status_code,
        error=made.answer.error,
        response_excerpt=made.answer.excerpt,
        status=DeliveryStatus.PENDING,
    )
    match decision:
        case Delivered():
            return msgspec.structs.replace(
                record, status=DeliveryStatus.DELIVERED, ended_at=now, end_reason=EndReason.DELIVERED
            )
        case RetryAt(at=at):
            return msgspec.structs.replace(record, next_attempt_at=at)
        case Failed(reason=reason):
            return msgspec.structs.replace(record, status=DeliveryStatus.FAILED, ended_at=now, end_reason=reason)
        case _:
            assert_never(decision)


def _key(claimed: Claimed) -> DeliveryKey:
    return claimed.tenant_id, claimed.endpoint_id, claimed.event_id
