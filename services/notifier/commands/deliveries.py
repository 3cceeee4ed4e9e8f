"""What we decide about deliveries: who is told, who tries next, and what follows an attempt."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import PublicEvent
from libs.common.contracts.notifier import EndpointTrouble
from libs.common.db import Connection, Database
from libs.common.ids import derived_id
from libs.common.messaging import Heard
from services.notifier import metrics
from services.notifier.commands.health import Attempt, follow
from services.notifier.domain import Claimed, DeliveryStatus, EndReason, patterns_of
from services.notifier.outbox import webhook_body
from services.notifier.schedule import (
    Decision,
    Delivered,
    Failed,
    HealthPolicy,
    RetryAt,
    RetryPolicy,
    decide,
    first_attempt_at,
)
from services.notifier.store import deliveries, endpoints
from services.notifier.store.deliveries import DeliveryKey, NewDelivery, NewMessage, Record
from services.notifier.store.endpoints import Wanting


async def schedule[E: PublicEvent](
    tx: Connection,
    heard: Sequence[Heard[E]],
    *,
    policy: RetryPolicy,
    clock: Clock,
    ordering_wait: timedelta = timedelta(),
) -> None:
    """Remember, for new events of one type, what merchants are told and whom: one delivery for each endpoint.

    Nothing is kept of an event that no endpoint of its tenant wants. An endpoint that is switched off gets no delivery,
    but the message is kept, so that the gap can be made up for when it is switched on again. An endpoint is not told
    about its own trouble. Where order is wanted, an event rests for `ordering_wait`: types travel in packs of their own,
    and an earlier event of the same payment may arrive a little later.
    """
    event_type = heard[0].body.contract.name
    wanted = await endpoints.wanting(
        tx, tenant_ids=sorted({event.body.tenant_id for event in heard}), patterns=patterns_of(event_type)
    )
    told = [event.body for event in heard if event.body.tenant_id in wanted]
    if not told:
        return
    now = clock.now()
    begin = first_attempt_at(policy, now=now)
    planned = [
        _plan(event, endpoint, begin=begin + ordering_wait if endpoint.is_ordered else begin)
        for event in told
        for endpoint in wanted[event.tenant_id]
        if endpoint.is_active and not (isinstance(event, EndpointTrouble) and event.endpoint_id == endpoint.id)
    ]
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
    )
    metrics.DELIVERIES.labels("scheduled").inc(len(planned))


def _plan(event: PublicEvent, endpoint: Wanting, *, begin: datetime) -> NewDelivery:
    return NewDelivery(
        key=(event.tenant_id, endpoint.id, event.event_id),
        id=derived_id(event.event_id, f"delivery to {endpoint.id}"),
        first_attempt_at=begin,
        ordering_key=getattr(event, "payment_intent_id", None) if endpoint.is_ordered else None,
        sequence=getattr(event, "sequence", 0),
    )


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
        return await deliveries.claim(
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

    What the attempts say about their endpoints is decided in the same transaction: rest, warning, end.
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
        held = await deliveries.record(
            tx, [_record(made, decision, now=now) for made, decision in zip(attempts, decided, strict=True)]
        )
        results = [decision if is_held else None for decision, is_held in zip(decided, held, strict=True)]
        recorded = [(made, decision) for made, decision in zip(attempts, results, strict=True) if decision is not None]
        await follow(tx, recorded, policy=health, now=now)
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
