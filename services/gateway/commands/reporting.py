"""Reports on captures that the api did not ask for: our own records say whether there is one.

An event of ours on the broker proves only that its publisher knows our password there. What a person has captured at the
processor is in our records before its event is published; a forged one is not.
"""

from collections.abc import Callable, Sequence

from libs.common.clock import Clock
from libs.common.contracts.gateway import ReportCapture
from libs.common.db import Connection
from libs.common.messaging import Received, publish
from libs.common.observability.logging import get_logger
from services.gateway import metrics, outbox
from services.gateway.store.captures import captures

log = get_logger("gateway.reporting")


class CaptureReports:
    """Answers the api's commands to report a capture."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def on_report_capture(
        self, tx: Connection, received: Sequence[Received[ReportCapture]]
    ) -> Callable[[], None]:
        """Publish what our records have of each payment's capture."""
        known = await captures(tx, [(h.tenant_id, h.body.payment_intent_id) for h in received])
        now = self._clock.now()
        reports = [(h, known.get((h.tenant_id, h.body.payment_intent_id), (0, ""))) for h in received]
        await publish(
            tx,
            [outbox.capture_reported(h, amount_minor=minor, currency=code, at=now) for h, (minor, code) in reports],
        )
        unknown = [h for h, (amount_minor, _) in reports if amount_minor == 0]

        def afterwards() -> None:
            for h in unknown:
                metrics.CAPTURES_UNKNOWN.inc()
                log.error("capture.unknown", payment_intent_id=h.body.payment_intent_id, tenant_id=h.tenant_id)

        return afterwards
