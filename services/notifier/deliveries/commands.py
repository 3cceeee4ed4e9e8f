"""Decisions about deliveries: which endpoints get an event, who attempts it next, and what follows an attempt."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import PublicEvent
from libs.common.contracts.notifier import EndpointTrouble
from libs.common.db import Connection, Database
from libs.common.messaging import Received
from libs.common.messaging.outbox import publish
from libs.common.observability.correlation import current
from libs.common.observability.logging import get_logger
from services.notifier import metrics
from services.notifier.deliveries.domain import (
    Attempt,
    Claimed,
    Decision,
    Delivered,
    DeliveryStatus,
    EndpointKey,
    EndReason,
    Failed,
    Gate,
    HealthPolicy,
    Outcome,
    Recipient,
    RetryAt,
    RetryPolicy,
    decide,
    delivery_id,
    disables_at,
    first_attempt_at,
    judge,
    patterns_of,
)
from services.notifier.deliveries.schemas import webhook_body
from services.notifier.deliveries.sql import endpoints, gates, queue
from services.notifier.deliveries.sql.queue import NewDelivery, NewMessage, Record
from services.notifier.outbox import endpoint_disabled, endpoint_failing

log = get_logger("notifier.deliveries")

_GONE = "gone"
_FAILING = "failing"


async def schedule[E: PublicEvent](
    tx: Connection,
    events: Sequence[Received[E]],
    *,
    policy: RetryPolicy,
    clock: Clock,
    ordering_wait: timedelta = timedelta(),
) -> None:
    """Schedule one delivery of each new event for each endpoint that lists its type.

    Nothing is kept of an event that no endpoint of its tenant lists. An endpoint that is switched off gets no delivery,
    but the message is kept, so that the gap can be made up for when it is switched on again. An endpoint gets no event
    about its own trouble. Where an endpoint is ordered, an event rests for `ordering_wait`: types travel in packs of
    their own, and an earlier event of the same payment may arrive a little later.
    """
    event_type = events[0].body.contract.name
    recipients = await endpoints.recipients(
        tx, tenant_ids=sorted({event.body.tenant_id for event in events}), patterns=patterns_of(event_type)
    )
    received = [event for event in events if event.body.tenant_id in recipients]
    listed = [event.body for event in received]
    if not listed:
        return
    now = clock.now()
    begin = first_attempt_at(policy, now=now)
    planned = [
        _plan(event, endpoint, begin=begin + ordering_wait if endpoint.is_ordered else begin)
        for event in listed
        for endpoint in recipients[event.tenant_id]
        if endpoint.is_active and not (isinstance(event, EndpointTrouble) and event.endpoint_id == endpoint.id)
    ]
    messages = [
        NewMessage(
            tenant_id=event.body.tenant_id,
            event_id=event.body.event_id,
            payment_intent_id=getattr(event.body, "payment_intent_id", None),
            body=webhook_body(event.body),
            occurred_at=event.body.occurred_at,
            correlation_id=event.correlation.correlation_id,
            traceparent=event.correlation.traceparent,
        )
        for event in received
    ]
    await queue.schedule(tx, event_type=event_type, messages=messages, deliveries=planned, now=now)
    metrics.DELIVERIES.labels("scheduled").inc(len(planned))


def _plan(event: PublicEvent, endpoint: Recipient, *, begin: datetime) -> NewDelivery:
    return NewDelivery(
        tenant_id=event.tenant_id,
        endpoint_id=endpoint.id,
        event_id=event.event_id,
        id=delivery_id(event.event_id, endpoint.id),
        first_attempt_at=begin,
        ordering_key=getattr(event, "payment_intent_id", None) if endpoint.is_ordered else None,
        sequence=getattr(event, "sequence", 0),
    )


async def schedule_one(
    tx: Connection, *, tenant_id: str, endpoint_id: UUID, event_id: UUID, event_type: str, body: str, now: datetime
) -> UUID:
    """Schedule one body for one endpoint, due at once; returns the delivery's id. The same event again is sent once."""
    delivery = NewDelivery(
        tenant_id=tenant_id,
        endpoint_id=endpoint_id,
        event_id=event_id,
        id=delivery_id(event_id, endpoint_id),
        first_attempt_at=now,
    )
    cause = current()
    message = NewMessage(
        tenant_id=tenant_id,
        event_id=event_id,
        payment_intent_id=None,
        body=body,
        occurred_at=now,
        correlation_id=cause.correlation_id,
        traceparent=cause.traceparent,
    )
    await queue.schedule(tx, event_type=event_type, messages=[message], deliveries=[delivery], now=now)
    return delivery.id


async def claim(
    database: Database,
    *,
    slots: Mapping[UUID, int],
    slots_default: int,
    limit: int,
    in_flight: Mapping[str, int],
    tenant_max: int,
    lease: timedelta,
    clock: Clock,
) -> list[Claimed]:
    """Take due deliveries for one worker until the lease ends."""
    now = clock.now()
    async with database.connection() as connection:
        return await queue.claim(
            connection,
            now=now,
            lease_until=now + lease,
            slots=slots,
            slots_default=slots_default,
            limit=limit,
            in_flight=in_flight,
            tenant_max=tenant_max,
        )


async def record(
    database: Database, attempts: Sequence[Attempt], *, policy: RetryPolicy, health: HealthPolicy, clock: Clock
) -> list[Decision | None]:
    """Record attempts and decide what follows each; None where another worker had taken the delivery over.

    What the attempts mean for their endpoints is decided in the same transaction: rest, warning, end.
    """
    now = clock.now()
    decided = [
        decide(
            policy,
            made.answer,
            attempts=made.claimed.attempts - made.claimed.attempts_before + 1,
            now=now,
            chance=made.chance,
        )
        for made in attempts
    ]
    async with database.transaction() as tx:
        held = await queue.record(
            tx, [_record(made, decision, now=now) for made, decision in zip(attempts, decided, strict=True)]
        )
        results = [decision if is_held else None for decision, is_held in zip(decided, held, strict=True)]
        recorded = [(made, decision) for made, decision in zip(attempts, results, strict=True) if decision is not None]
        await _judge_endpoints(tx, recorded, policy=health, now=now)
    return results


def _record(made: Attempt, decision: Decision, *, now: datetime) -> Record:
    record = Record(
        tenant_id=made.claimed.tenant_id,
        endpoint_id=made.claimed.endpoint_id,
        event_id=made.claimed.event_id,
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


async def _judge_endpoints(
    tx: Connection, recorded: Sequence[tuple[Attempt, Decision]], *, policy: HealthPolicy, now: datetime
) -> None:
    """Decide what recorded attempts mean for their endpoints, in the transaction that records them."""
    outcomes: dict[EndpointKey, list[Outcome]] = {}
    gone: set[EndpointKey] = set()
    urls: dict[EndpointKey, str] = {}
    for made, decision in recorded:
        key = (made.claimed.tenant_id, made.claimed.endpoint_id)
        error = None if isinstance(decision, Delivered) else made.answer.error or f"status_{made.answer.status_code}"
        outcomes.setdefault(key, []).append(Outcome(attempted_at=made.attempted_at, error=error))
        urls[key] = made.claimed.url
        if isinstance(decision, Failed) and decision.disables:
            gone.add(key)
    failed = {key for key, results in outcomes.items() if all(outcome.error is not None for outcome in results)}
    locked = await gates.lock(tx, attempted=outcomes, failed=failed)
    verdicts = {key: judge(policy, gate, outcomes[key], now=now) for key, gate in locked.items()}
    await gates.save(tx, [(key, verdict.gate) for key, verdict in verdicts.items() if verdict.gate != locked[key]])
    for key in sorted(gone | {key for key, verdict in verdicts.items() if verdict.disables}):
        gate = verdicts[key].gate if key in verdicts else Gate()
        await _disable(tx, key, gate=gate, reason=_GONE if key in gone else _FAILING, now=now)
    warned = [key for key, verdict in verdicts.items() if verdict.warns and key not in gone]
    for key in warned:
        log.warning("endpoint.failing", tenant_id=key[0], endpoint_id=key[1], failures=verdicts[key].gate.failures)
    await publish(
        tx,
        [
            endpoint_failing(
                tenant_id=tenant_id,
                endpoint_id=endpoint_id,
                url=urls[tenant_id, endpoint_id],
                failing_since=gate.failing_since,
                consecutive_failures=gate.failures,
                last_error=gate.last_error,
                disables_at=disables_at(policy, gate, now=now),
                now=now,
            )
            for (tenant_id, endpoint_id), gate in [(key, verdicts[key].gate) for key in warned]
        ],
    )


async def _disable(tx: Connection, key: EndpointKey, *, gate: Gate, reason: str, now: datetime) -> None:
    """Switch an endpoint off on our own account, end what waits for it, and publish that; once only."""
    tenant_id, endpoint_id = key
    url = await endpoints.disable(tx, key, reason=reason, at=now)
    if url is None:
        return
    await queue.abandon_pending(
        tx, tenant_id=tenant_id, endpoint_id=endpoint_id, reason=EndReason.ENDPOINT_DISABLED, at=now
    )
    disabled = endpoint_disabled(
        tenant_id=tenant_id,
        endpoint_id=endpoint_id,
        url=url,
        failing_since=gate.failing_since,
        consecutive_failures=gate.failures,
        last_error=gate.last_error,
        reason=reason,
        now=now,
    )
    await publish(tx, [disabled])
    log.warning("endpoint.disabled", tenant_id=tenant_id, endpoint_id=endpoint_id, reason=reason)


async def abandon_unwanted(database: Database, claimed: Sequence[Claimed], *, clock: Clock) -> None:
    """End deliveries whose endpoint was deleted or switched off while they waited; no attempt is spent."""
    async with database.connection() as connection:
        for is_deleted, reason in ((True, EndReason.ENDPOINT_DELETED), (False, EndReason.ENDPOINT_DISABLED)):
            ended = [delivery for delivery in claimed if delivery.is_deleted is is_deleted]
            if ended:
                await queue.abandon(connection, ended, reason=reason, at=clock.now())
                metrics.DELIVERIES.labels("failed").inc(len(ended))


async def hand_back(
    database: Database, claimed: Sequence[Claimed], *, clock: Clock, pause: timedelta = timedelta()
) -> None:
    """Release deliveries that were claimed and not attempted; any worker may take them after `pause`."""
    async with database.connection() as connection:
        await queue.hand_back(connection, claimed, at=clock.now() + pause)
