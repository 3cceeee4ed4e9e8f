"""What came of notices, counted; a warning for each that took no effect."""

from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.processors.port import Applied, Notice

log = get_logger("gateway.notices")


def count(notice: Notice, applied: Applied) -> None:
    """Count what came of a notice, and warn where that is nothing."""
    kind = type(notice).__name__.removesuffix("Notice").lower()
    metrics.NOTICES.labels(kind, applied).inc()
    if applied in (Applied.UNKNOWN_PAYMENT, Applied.CONTRADICTS):
        log.warning(
            "notice.not_applied",
            kind=kind,
            outcome=applied,
            payment_intent_id=notice.payment_intent_id,
            processor=notice.processor,
            gateway_ref=notice.gateway_ref,
        )
