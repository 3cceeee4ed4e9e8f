"""Checkouts that the customer has left: after a day the processor gets the request to cancel them.

It is the void that a merchant could have requested: ABANDONING, then VOIDED. A customer who acts in the last moment is
released, as after any void, and a command whose outcome does not come is published again by the sweeper. A payment whose
cancellation was refused is REQUIRES_ACTION once more, and as long from then on.
"""

from datetime import timedelta

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.observability.correlation import Correlation, new_correlation_id
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.audit import write_lines
from services.api.payments import domain
from services.api.payments.commands.publications import publications_of
from services.api.payments.commands.records import audit_of, events_of
from services.api.payments.sql import intents, sweeps

log = get_logger("api.abandoning")

_ACTOR = "api"


class Abandoner:
    """Cancels what has waited too long for its customer; a row is taken by one process, and the others pass over it."""

    def __init__(self, database: Database, *, clock: Clock, after: timedelta, batch_max: int) -> None:
        self._database = database
        self._clock = clock
        self._after = after
        self._batch_max = batch_max

    async def abandon(self) -> None:
        """Cancel all that is due, a bounded number in each transaction."""
        while await self._abandon_some() == self._batch_max:
            pass

    async def _abandon_some(self) -> int:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            due = await sweeps.due_customers(tx, before=now - self._after, limit=self._batch_max)
            decisions = [domain.request_void(item.intent, at=now) for item in due]
            causes = [
                Correlation(correlation_id=item.correlation_id or new_correlation_id(), tenant_id=item.intent.tenant_id)
                for item in due
            ]
            published = [
                publications_of(decision, at=now, correlation=cause)
                for decision, cause in zip(decisions, causes, strict=True)
            ]
            if due:
                await intents.save(
                    tx,
                    [decision.intent for decision in decisions],
                    answers=[],
                    publications=[publication for each in published for publication in each],
                    events=[
                        event
                        for decision, each in zip(decisions, published, strict=True)
                        for event in events_of(decision.intent, each, actor=_ACTOR, cause_id=None)
                    ],
                    at=now,
                )
                await write_lines(
                    tx,
                    [
                        audit_of(decision.intent, "payment_intent.abandon", actor=_ACTOR, correlation=cause, at=now)
                        for decision, cause in zip(decisions, causes, strict=True)
                    ],
                )
        metrics.ABANDONED.inc(len(due))
        for item in due:
            log.info("payment.abandoned", payment_intent_id=item.intent.id, tenant_id=item.intent.tenant_id)
        return len(due)
