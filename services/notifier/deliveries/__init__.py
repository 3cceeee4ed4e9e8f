"""Events as they are sent to endpoints: one delivery for each, attempts, retries, and the health of endpoints."""

from services.notifier.deliveries.commands import schedule_one
from services.notifier.deliveries.consumers import DeliveryConsumers
from services.notifier.deliveries.domain import (
    EndReason,
    Gate,
    HealthPolicy,
    RetryPolicy,
    Selection,
    disables_at,
    patterns_of,
    types_of,
)
from services.notifier.deliveries.schemas import webhook_test_body
from services.notifier.deliveries.sql import gates
from services.notifier.deliveries.sql.history import Tally, tally
from services.notifier.deliveries.sql.queue import abandon_pending
from services.notifier.deliveries.sql.selection import choose, count_selected, schedule_again
from services.notifier.deliveries.workers import Courier, delivery_workers, history_tables

__all__ = [
    "Courier",
    "DeliveryConsumers",
    "EndReason",
    "Gate",
    "HealthPolicy",
    "RetryPolicy",
    "Selection",
    "Tally",
    "abandon_pending",
    "choose",
    "count_selected",
    "delivery_workers",
    "disables_at",
    "gates",
    "history_tables",
    "patterns_of",
    "schedule_again",
    "schedule_one",
    "tally",
    "types_of",
    "webhook_test_body",
]
