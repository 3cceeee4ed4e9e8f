"""The courier: claims what is due, sends it, records what came of it, and takes the next as soon as a slot is free.

There is no batch that has to finish: each delivery is a task of its own, and slots are refilled as they come free.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import perf_counter

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database, GroupCommit
from libs.common.egress import resolving_for
from libs.common.errors import Unavailable
from libs.common.observability import tracing
from libs.common.observability.correlation import Correlation, correlated, new_correlation_id
from libs.common.observability.logging import get_logger
from libs.common.observability.tracing import SpanKind
from libs.common.tasks import end_all
from services.notifier import metrics
from services.notifier.deliveries import commands
from services.notifier.deliveries.domain import (
    Attempt,
    Claimed,
    Decision,
    Delivered,
    Failed,
    HealthPolicy,
    RetryPolicy,
)
from services.notifier.deliveries.workers.slots import Slots
from services.notifier.errors import SecretUnreadable
from services.notifier.sending import Answer, EndpointSecrets, Sender, signed_headers
from services.notifier.settings import WebhookSettings

log = get_logger("notifier.courier")

_GAP_SECONDS = 0.005
"""Pause before slots are refilled while attempts are in progress, in which more of them come free: fewer, fuller claims."""
_RECORDS_MAX = 250
"""Attempts that one commit records at most."""
_OUTAGE_PAUSE_SECONDS = 0.5
"""Pause between two tries to reach the database."""
_FAULT_PAUSE = timedelta(minutes=5)
"""How long a delivery rests that could not even be attempted, through a fault of ours; no attempt is spent."""


class Courier:
    """Delivers webhooks in this process until it is cancelled; any number of processes may do so side by side."""

    def __init__(
        self,
        *,
        database: Database,
        sender: Sender,
        secrets: EndpointSecrets,
        policy: RetryPolicy,
        settings: WebhookSettings,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._sender = sender
        self._secrets = secrets
        self._policy = policy
        self._health = HealthPolicy.of(settings)
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._lease = timedelta(seconds=settings.webhook_lease_seconds)
        self._slots = Slots(total=settings.webhook_in_flight_max, endpoint_max=settings.webhook_endpoint_in_flight_max)
        self._claiming: asyncio.Task[list[Claimed]] | None = None
        self._in_progress: dict[asyncio.Task[None], Claimed] = {}
        self._recorder: GroupCommit[Attempt, Decision | None] = GroupCommit(
            self._record_group, group_max=_RECORDS_MAX, waiting_max=2 * settings.webhook_in_flight_max
        )
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that something may be due; called after every commit of this process."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; then finish what is in progress within its deadline and hand back the rest."""
        try:
            while True:
                self._woken.clear()
                await self._refill()
                try:
                    async with asyncio.timeout(self._settings.webhook_poll_seconds):
                        await self._woken.wait()
                except TimeoutError:
                    continue
                if self._in_progress:
                    await asyncio.sleep(_GAP_SECONDS)
        finally:
            await self._drain()

    async def _refill(self) -> None:
        limit = min(self._slots.free, self._settings.webhook_claim_max)
        if limit == 0:
            return
        try:
            # Shielded: a claim that commits while we are being stopped must be known, or it would wait for its lease.
            self._claiming = asyncio.create_task(self._claim(limit), name="claim")
            claimed = await asyncio.shield(self._claiming)
            self._claiming = None
            unwanted = [delivery for delivery in claimed if not delivery.is_receiving]
            if unwanted:
                await commands.abandon_unwanted(self._database, unwanted, clock=self._clock)
        except Unavailable as fault:
            log.warning("claim.postponed", reason=fault.detail)
            return
        for delivery in claimed:
            if delivery.is_receiving:
                self._begin(delivery)
        # A claim that shares its places out may leave some of them free although more is due.
        if len(claimed) * 2 >= limit:
            self._woken.set()

    async def _claim(self, limit: int) -> list[Claimed]:
        return await commands.claim(
            self._database,
            slots=self._slots.for_known(),
            slots_default=self._slots.for_unknown,
            limit=limit,
            in_flight=self._slots.of_tenants,
            tenant_max=self._settings.webhook_tenant_in_flight_max,
            lease=self._lease,
            clock=self._clock,
        )

    def _begin(self, delivery: Claimed) -> None:
        self._slots.take(delivery.endpoint_id, tenant_id=delivery.tenant_id)
        metrics.IN_FLIGHT.set(self._slots.in_flight)
        # A task takes the context in which it is made.
        with correlated(_correlation(delivery)):
            task = asyncio.create_task(self._deliver(delivery), name=f"deliver {delivery.id}")
        self._in_progress[task] = delivery
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._in_progress.pop(task, None)
        metrics.IN_FLIGHT.set(self._slots.in_flight)
        self._woken.set()
        if not task.cancelled() and (fault := task.exception()) is not None:
            # A bug of ours in one delivery does not stop the others; this one is due again when its lease ends.
            log.error("delivery.crashed", task=task.get_name(), exc_info=fault)

    async def _deliver(self, delivery: Claimed) -> None:
        began = perf_counter()
        answer: Answer | None = None
        try:
            attempt = await self._attempt(delivery)
            answer = attempt.answer
        except SecretUnreadable as fault:
            log.error(
                "delivery.unsigned", delivery_id=delivery.id, endpoint_id=delivery.endpoint_id, detail=fault.detail
            )
            await self._rest(delivery)
            return
        finally:
            # The slot is free once the exchange is over; the record waits for its commit elsewhere.
            self._slots.give_back(
                delivery.endpoint_id, answer, tenant_id=delivery.tenant_id, seconds=perf_counter() - began
            )
            self._woken.set()
        await self._record(attempt)

    async def _attempt(self, delivery: Claimed) -> Attempt:
        secrets = [self._unseal(delivery, sealed) for sealed in (delivery.secret_sealed, *delivery.secrets_retired)]
        own = {} if delivery.headers_sealed is None else _headers(self._unseal(delivery, delivery.headers_sealed))
        attempted_at = self._clock.now()
        if delivery.attempts == 0:
            metrics.FIRST_ATTEMPT_DELAY.observe(max(0.0, (attempted_at - delivery.created_at).total_seconds()))
        body = delivery.body.encode()
        headers = signed_headers(
            signing_secrets=secrets,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            delivery_id=delivery.id,
            body=body,
            sent_at=attempted_at,
        )
        began, started_ns = perf_counter(), tracing.started()
        resolving_for.set(delivery.tenant_id)
        answer = await self._sender.send(delivery.url, headers=own | headers, body=body)
        seconds = perf_counter() - began
        metrics.ATTEMPT_DURATION.observe(seconds)
        outcome = answer.error or f"{(answer.status_code or 0) // 100}xx"
        metrics.ATTEMPTS.labels(outcome).inc()
        if started_ns:
            _record_span(delivery, answer, outcome=outcome, started_ns=started_ns)
        return Attempt(
            claimed=delivery,
            answer=answer,
            attempted_at=attempted_at,
            duration_ms=round(seconds * 1000),
            chance=self._chance(),
        )

    def _unseal(self, delivery: Claimed, sealed: bytes) -> str:
        return self._secrets.unseal(sealed, tenant_id=delivery.tenant_id, owner_id=delivery.endpoint_id)

    async def _record(self, attempt: Attempt) -> None:
        """Record an attempt; while the database is away, try again for as long as the delivery is surely ours."""
        until = attempt.attempted_at + self._lease
        while True:
            try:
                decision = await self._recorder.submit(attempt)
            except Unavailable as fault:
                if self._clock.now() >= until:
                    log.warning("attempt.unrecorded", delivery_id=attempt.claimed.id, reason=fault.detail)
                    return
                await asyncio.sleep(_OUTAGE_PAUSE_SECONDS)
            else:
                _count(attempt, decision)
                return

    async def _record_group(self, attempts: Sequence[Attempt]) -> list[Decision | None]:
        return await commands.record(
            self._database, attempts, policy=self._policy, health=self._health, clock=self._clock
        )

    async def _rest(self, delivery: Claimed) -> None:
        try:
            await commands.hand_back(self._database, [delivery], clock=self._clock, pause=_FAULT_PAUSE)
        except Unavailable as fault:
            # Its lease ends by itself.
            log.warning("delivery.not_handed_back", delivery_id=delivery.id, reason=fault.detail)

    async def _drain(self) -> None:
        left = await self._claimed_last()
        if self._in_progress:
            await asyncio.wait(self._in_progress, timeout=self._settings.webhook_drain_seconds)
        late = dict(self._in_progress)
        await end_all(late)
        # What was attempted and is being recorded is not handed back: its record raises the fence first.
        await self._recorder.flush()
        left += late.values()
        if left:
            try:
                await commands.hand_back(self._database, left, clock=self._clock)
            except Unavailable as fault:
                log.warning("deliveries.not_handed_back", count=len(left), reason=fault.detail)
        log.info("courier.stopped", handed_back=len(left))

    async def _claimed_last(self) -> list[Claimed]:
        """What a claim took that was still in progress when we were stopped."""
        if self._claiming is None:
            return []
        claiming, self._claiming = self._claiming, None
        try:
            return await claiming
        except Unavailable:
            return []


def _correlation(delivery: Claimed) -> Correlation:
    return Correlation(
        correlation_id=delivery.correlation_id or new_correlation_id(),
        tenant_id=delivery.tenant_id,
        traceparent=delivery.traceparent,
    )


def _record_span(delivery: Claimed, answer: Answer, *, outcome: str, started_ns: int) -> None:
    tracing.record(
        "deliver webhook",
        kind=SpanKind.CLIENT,
        traceparent=tracing.child_traceparent(delivery.traceparent),
        parent=delivery.traceparent,
        started_ns=started_ns,
        attributes={
            "http.request.method": "POST",
            "http.response.status_code": answer.status_code or 0,
            "event_type": delivery.event_type,
            "messaging.message.id": str(delivery.event_id),
            "endpoint_id": str(delivery.endpoint_id),
            "delivery_id": str(delivery.id),
            "attempt": delivery.attempts + 1,
            "correlation_id": delivery.correlation_id,
            "tenant_id": delivery.tenant_id,
        },
        error="" if outcome == "2xx" else outcome,
    )


def _headers(raw: str) -> dict[str, str]:
    return msgspec.json.decode(raw, type=dict[str, str])


def _count(attempt: Attempt, decision: Decision | None) -> None:
    claimed = attempt.claimed
    match decision:
        case None:
            metrics.RECORDS_STALE.inc()
            log.warning("attempt.stale", delivery_id=claimed.id, fence=claimed.fence)
        case Delivered():
            metrics.DELIVERIES.labels("delivered").inc()
        case Failed(reason=reason):
            metrics.DELIVERIES.labels("failed").inc()
            log.warning(
                "delivery.failed",
                delivery_id=claimed.id,
                endpoint_id=claimed.endpoint_id,
                event_id=claimed.event_id,
                reason=reason,
            )
        case _:
            metrics.DELIVERIES.labels("retrying").inc()
