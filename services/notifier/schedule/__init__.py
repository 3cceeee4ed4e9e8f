"""When is a delivery tried again, when does an endpoint rest, and when is it over? Policies as data, and pure functions."""

from services.notifier.schedule.health import Gate, HealthPolicy, Outcome, Verdict, disables_at, judge
from services.notifier.schedule.retries import (
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
    "Decision",
    "Delivered",
    "Failed",
    "Gate",
    "HealthPolicy",
    "Outcome",
    "RetryAt",
    "RetryPolicy",
    "Verdict",
    "decide",
    "disables_at",
    "first_attempt_at",
    "judge",
    "retry_after",
]
