"""Publishing outcomes again, for subscribers that have lost them: each event with the id that it had."""

from datetime import UTC, datetime
from uuid import UUID

from libs.common.db import Database
from libs.common.messaging import Publication
from libs.common.messaging.published import rebuilt, wait_for_room
from libs.common.messaging.resend import Window
from libs.common.observability.correlation import Correlation, new_correlation_id
from services.gateway.notices.domain import Dispute
from services.gateway.notices.schemas import dispute as dispute_message
from services.gateway.notices.sql.resending import decided_attempts, disputes, disputes_of
from services.gateway.operations import Attempt, AttemptStore, again, outcome
from services.gateway.processors.port import DisputeState


async def resend(database: Database, window: Window) -> int:
    """Put the outcomes of a window into the outbox again; returns how many messages that were."""
    count = 0
    async for attempts in decided_attempts(database, window):
        count += await _publish(database, window.of([s for attempt in attempts for s in _outcomes(attempt)]))
    async for page in disputes(database, window):
        count += await _publish(database, window.of([s for dispute in page for s in _states(dispute, window)]))
    return count


async def publications_of(
    database: Database, *, tenant_id: str, payment_intent_id: UUID, cause_id: UUID | None
) -> list[Publication]:
    """Make the messages again of what is decided about a payment.

    Each has the id that it had; with a `cause_id`, outcomes of operations have an id that follows from it, so that who has handled the first one and
    lost what came of it handles it once more.
    """
    attempts = await AttemptStore(database).of_intent(tenant_id=tenant_id, payment_intent_id=payment_intent_id)
    decided = [attempt for attempt in attempts if attempt.decided_at is not None]
    always = Window(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC))
    found = [
        publication
        for attempt in decided
        for publication in ([again(attempt, cause_id=cause_id)] if cause_id is not None else _outcomes(attempt))
        if publication is not None
    ]
    for dispute in await disputes_of(database, tenant_id=tenant_id, payment_intent_id=payment_intent_id):
        found += _states(dispute, always)
    return found


async def _publish(database: Database, publications: list[Publication]) -> int:
    await wait_for_room(database)
    async with database.transaction() as tx:
        await rebuilt(tx, publications)
    return len(publications)


def _outcomes(attempt: Attempt) -> list[Publication]:
    assert attempt.decided_at is not None, "only decided attempts are read"
    message = outcome(attempt, decided_at=attempt.decided_at)
    return [] if message is None else [message]


def _states(dispute: Dispute, window: Window) -> list[Publication]:
    correlation = Correlation(correlation_id=new_correlation_id(), tenant_id=dispute.tenant_id)
    # An inquiry that has become a dispute is none any more: who lacks it, needs the dispute.
    is_inquiry = dispute.state.is_inquiry
    instants = [(DisputeState.INQUIRY if is_inquiry else DisputeState.OPEN, dispute.opened_at, 0)]
    if (decided_at := dispute.decided_at) is not None:
        if is_inquiry:
            instants.append((DisputeState.INQUIRY_CLOSED, decided_at, 0))
        # Decisions that were reversed are published again at the instant of the last one: theirs is not kept.
        instants += [(state, decided_at, place) for place, state in enumerate(dispute.decisions)]
    return [
        dispute_message(dispute, state=state, at=at, correlation=correlation, reversals=reversals)
        for state, at, reversals in instants
        if window.since <= at < window.until
    ]
