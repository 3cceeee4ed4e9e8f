"""Reports on captures that the api did not request: our own records show whether there is one.

An event of ours on the broker proves only that its publisher knows our password there. What a person has captured at the
processor is in our records before its event is published; a forged one is not.
"""

from collections.abc import Callable, Sequence

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway import ReportCapture
from libs.common.db import Connection
from libs.common.messaging import Received, publish
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.operations.domain.attempts import Attempt
from services.gateway.operations.schemas import capture_reported
from services.gateway.operations.sql.captures import KnownCapture, captures

log = get_logger("gateway.reporting")


def report_other_amount(attempt: Attempt, requested: Attempt) -> None:
    """Count and log that a capture is requested whose payment is captured, or refused, with another amount; that one stays."""
    metrics.CAPTURES_OF_ANOTHER_AMOUNT.inc()
    log.warning(
        "capture.of_another_amount",
        attempt_id=attempt.id,
        payment_intent_id=attempt.payment_intent_id,
        tenant_id=attempt.tenant_id,
        status=attempt.status,
        amount_minor=attempt.amount_minor,
        requested_minor=requested.amount_minor,
        currency=attempt.currency,
    )


async def report_captures(
    tx: Connection, received: Sequence[Received[ReportCapture]], *, clock: Clock
) -> Callable[[], None]:
    """Publish what our records have of each payment's capture."""
    known = await captures(tx, [(each.tenant_id, each.body.payment_intent_id) for each in received])
    now = clock.now()
    reports = [(each, known.get((each.tenant_id, each.body.payment_intent_id), KnownCapture())) for each in received]
    await publish(tx, [capture_reported(each, **msgspec.structs.asdict(found), at=now) for each, found in reports])
    unknown = [each for each, found in reports if found.amount_minor == 0]

    def afterwards() -> None:
        for each in unknown:
            metrics.CAPTURES_UNKNOWN.inc()
            log.error("capture.unknown", payment_intent_id=each.body.payment_intent_id, tenant_id=each.tenant_id)

    return afterwards
