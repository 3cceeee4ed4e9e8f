"""What is always true of deliveries: when one is tried again, when its endpoint rests, and when it is over."""

from services.notifier.deliveries.domain.delivery import (
    Attempt,
    Claimed,
    DeliveryKey,
    DeliveryStatus,
    EndpointKey,
    EndReason,
    Recipient,
    Selection,
    delivery_id,
    patterns_of,
    types_of,
)
from services.notifier.deliveries.domain.health import Gate, HealthPolicy, Outcome, Verdict, disables_at, judge
from services.notifier.deliveries.domain.retries import (
    Decision,
    Delivered,
    Failed,
    RetryAt,
    RetryPolicy,
    decide,
    first_attempt_at,
    retry_after,
)

__all__ = [
    "Attempt",
    "Claimed",
    "Decision",
    "Delivered",
    "DeliveryKey",
    "DeliveryStatus",
    "EndReason",
    "EndpointKey",
    "Failed",
    "Gate",
    "HealthPolicy",
    "Outcome",
    "Recipient",
    "RetryAt",
    "RetryPolicy",
    "Selection",
    "Verdict",
    "decide",
    "delivery_id",
    "disables_at",
    "first_attempt_at",
    "judge",
    "patterns_of",
    "retry_after",
    "types_of",
]
