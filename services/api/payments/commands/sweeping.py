"""Payments that wait too long: the command whose outcome is missing is published again, and never carried out twice.

A lost outcome is rare and has many causes: a message that became a dead letter, a restored database, a fault of ours. The
gateway answers a repeated command with what it knows, under new event ids; the ledger answers a repeated capture with the
entry that it has posted. An operation goes to the processor only where it was not requested before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from libs.common.clock import Clock
from libs.common.db import Connection, Database
from libs.common.messaging import Publication, publish
from libs.common.observability.correlation import Correlation, new_correlation_id
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.payments.commands.publications import repeated
from services.api.payments.domain import Decision, Due, Fact, Stage, Sweep
from services.api.payments.sql import sweeps

log = get_logger("api.sweeping")

_DOUBLINGS_MAX = 10
"""After so many, the longest pause is reached whatever the settings are."""
_FORGET_AFTER = timedelta(days=1)
"""How long after its time a sweep that was not continued is kept."""
_FORGET_MAX = 5_000
"""Sweeps that one round of forgetting removes at most."""

_FACTS = {
    Stage.PROCESSING: Fact.AUTHORIZATION_REQUESTED,
    # The authorization's outcome decides what a void becomes.
    Stage.CANCELLING: Fact.AUTHORIZATION_REQUESTED,
    Stage.CAPTURING: Fact.CAPTURE_REQUESTED,
    # The gateway publishes the capture again, and the ledger then books it or reports that it has.
    Stage.CAPTURED: Fact.CAPTURE_REQUESTED,
    Stage.VOIDING: Fact.VOID_REQUESTED,
    Stage.ABANDONING: Fact.VOID_REQUESTED,
}
"""Which command an intent waits for in each stage."""


class Sweeper:
    """Publishes again what payments wait for, each at doubling intervals, until an age at which a person must look."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        stuck_after: timedelta,
        pause_max: timedelta,
        ends_after: timedelta,
        batch_max: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._stuck_after = stuck_after
        self._pause_max = pause_max
        self._ends_after = ends_after
        self._batch_max = batch_max

    async def sweep(self) -> int:
        """Publish again what a bounded number of payments and refunds wait for; returns how many they were."""
        now = self._clock.now()
        span = {"before": now - self._stuck_after, "after": now - self._ends_after}
        async with self._database.transaction() as tx:
            intents = await sweeps.due_intents(tx, **span, now=now, limit=self._batch_max)
            await self._publish(tx, intents, now=now)
        async with self._database.transaction() as tx:
            refunds = await sweeps.due_refunds(tx, **span, now=now, limit=self._batch_max)
            await self._publish(tx, refunds, now=now)
        return len(intents) + len(refunds)

    async def measure(self) -> None:
        """Show how many payments wait in each stage, and how old the oldest is."""
        now = self._clock.now()
        metrics.show_waiting(
            {
                waiting.stage: (
                    waiting.count,
                    0.0 if waiting.since is None else max(0.0, (now - waiting.since).total_seconds()),
                )
                for waiting in await sweeps.ages(self._database)
            }
        )

    async def forget(self) -> None:
        """Forget the sweeps of what has gone on."""
        before = self._clock.now() - _FORGET_AFTER
        while await sweeps.forget(self._database, before=before, limit=_FORGET_MAX) == _FORGET_MAX:
            pass

    async def _publish(self, tx: Connection, due: Sequence[Due], *, now: datetime) -> None:
        if not due:
            return
        mine = await sweeps.write_sweeps(tx, [self._next(item, now=now) for item in due], now=now)
        due = [item for item in due if item.subject_id in mine]
        await publish(tx, [_command(item, at=now) for item in due])
        for item in due:
            stage = "refund_pending" if item.refund is not None else item.intent.stage.value
            metrics.SWEPT.labels(stage).inc()
            log.warning(
                "payment.swept",
                payment_intent_id=item.intent.id,
                refund_id=None if item.refund is None else item.refund.id,
                tenant_id=item.intent.tenant_id,
                stage=stage,
                repeats=item.repeats + 1,
            )

    def _next(self, item: Due, *, now: datetime) -> Sweep:
        pause = min(self._stuck_after * 2 ** min(item.repeats, _DOUBLINGS_MAX), self._pause_max)
        return Sweep(
            tenant_id=item.intent.tenant_id,
            subject_id=item.subject_id,
            version=item.intent.version if item.refund is None else 0,
            repeats=item.repeats + 1,
            next_at=now + pause,
        )


def _command(item: Due, *, at: datetime) -> Publication:
    fact = Fact.REFUND_REQUESTED if item.refund is not None else _FACTS[item.intent.stage]
    return repeated(
        Decision(item.intent, (fact,), refund=item.refund),
        at=at,
        correlation=Correlation(
            correlation_id=item.correlation_id or new_correlation_id(), tenant_id=item.intent.tenant_id
        ),
    )
