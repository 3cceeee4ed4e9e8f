"""How webhook deliveries are watched."""

from math import nan

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter(
    "webhook_deliveries_total", "Deliveries by what became of them.", ["status"]
)  # status: scheduled, delivered, retrying, failed
ATTEMPTS = Counter(
    "webhook_attempts_total", "Attempts by how the endpoint answered.", ["outcome"]
)  # outcome: 1xx to 5xx, or the error's word
ATTEMPT_DURATION = Histogram(
    "webhook_attempt_duration_seconds",
    "Time from the first byte dialled to the last byte of the answer that is read.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
)
FIRST_ATTEMPT_DELAY = Histogram(
    "webhook_first_attempt_delay_seconds",
    "Time from the scheduling of a delivery to the start of its first attempt.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
IN_FLIGHT = Gauge("webhook_in_flight", "Attempts in progress in this process.")
EGRESS_BLOCKED = Counter(
    "webhook_egress_blocked_total", "Connections refused by the egress guard before they were made."
)
ENDPOINTS = Gauge(
    "webhook_endpoints",
    "Endpoints by their health: healthy, failing (the latest attempt failed), paused (none is made for now), disabled.",
    ["state"],
)
PENDING = Gauge("webhook_deliveries_pending", "Deliveries that are to be attempted; counted up to 10,000.")
RECORDS_STALE = Counter(
    "webhook_records_stale_total", "Outcomes not recorded because another worker had taken the delivery over."
)
SECRETS_RESEALED = Counter(
    "webhook_secrets_resealed_total", "Endpoints whose secrets were encrypted anew with the current key."
)
SECRETS_OUTDATED = Gauge(
    "webhook_secrets_outdated", "Endpoints with something that an earlier key encrypted; at 0 that key can be removed."
)
# Not known until it was counted: a 0 before that would say that a key may go.
SECRETS_OUTDATED.set(nan)
