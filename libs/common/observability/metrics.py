"""The Prometheus metrics that every service has: HTTP, outbox, messages. Own metrics stand in each `metrics.py`.

No label is unbounded: routes by template, messages by type, never by id.
"""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram


def from_zero(counter: Counter, labels: Iterable[str]) -> Counter:
    """Begin the series of a counter with one label at 0: what has not happened is shown as 0 then, and "no data" is a fault."""
    for label in labels:
        counter.labels(label)
    return counter


HTTP_REQUESTS = Counter("http_requests_total", "HTTP requests answered.", ["method", "path", "status"])
HTTP_DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from the request's first byte to the answer's last.",
    ["method", "path"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
HTTP_IN_FLIGHT = Gauge("http_requests_in_flight", "HTTP requests in progress, those that wait included.")
HTTP_OVERLOADED = Counter(
    "http_requests_overloaded_total", "HTTP requests refused with 503 since too many were in progress."
)
HTTP_CONNECTIONS = Gauge("http_connections", "HTTP connections that are open.")
HTTP_BODY_BYTES = Gauge("http_body_bytes", "Bytes of request bodies that are held, but for the first 16 kB of each.")
HTTP_REFUSED = Counter(
    "http_refused_total", "Connections that were refused or ended before a request was complete, by reason.", ["reason"]
)  # see libs/common/web/refusals.py, and: pipelined, write_timeout
_STALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
LOOP_STALL = Histogram(
    "event_loop_stall_seconds",
    "How late the event loop was for a timer, looked at twenty times a second: so long everything stood still.",
    buckets=_STALL_BUCKETS,
)
LOOP_BUSY = Histogram(
    "event_loop_busy_seconds",
    "The part of event_loop_stall_seconds in which the loop itself computed, and not another process.",
    buckets=_STALL_BUCKETS,
)
OUTBOX_PUBLISHED = Counter("outbox_published_total", "Messages confirmed by the broker.", ["event_type"])
OUTBOX_FAILED = Counter(
    "outbox_failed_total", "Messages that the broker refused; they stay and are retried.", ["event_type"]
)
OUTBOX_PENDING = Gauge("outbox_events_pending", "Outbox rows waiting for the relay, those refused before included.")
OUTBOX_LAG = Gauge(
    "outbox_oldest_seconds",
    "How long the oldest message has waited to be sent, but for what queues of other teams refuse.",
)
OUTBOX_BATCH = Histogram(
    "outbox_batch_size",
    "Messages that the relay took from the outbox in one round.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000),
)
OUTBOX_REFUSED = Gauge(
    "outbox_refused_events", "Messages that one destination refused and that wait for it alone.", ["destination"]
)
OUTBOX_REFUSED_OLDEST = Gauge(
    "outbox_refused_oldest_seconds", "Age of the oldest message that one destination refuses.", ["destination"]
)
MESSAGES = Counter(
    "messages_total", "Messages received, by what became of them.", ["queue", "outcome"]
)  # outcome: handled, repeated, retried, passed_over, dead
DEAD_LETTERS = Gauge(
    "dead_letters_waiting", "Dead letters of a queue that nobody has sent back or removed; alert above 0.", ["queue"]
)
PARTNER_MESSAGES = Counter(
    "partner_messages_total",
    "Messages of other teams, by their routing key and by what became of them; alert on dead.",
    ["message", "outcome"],
)  # outcome: as above; message: a routing key that is known, else `other`
MESSAGE_BATCH = Histogram(
    "message_batch_size",
    "Messages handled in one transaction.",
    ["queue"],
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500),
)
REQUESTS_SENT = Counter(
    "requests_sent_total", "Requests put to another service over the broker.", ["request", "outcome"]
)
REQUESTS_EXPIRED = Counter(
    "requests_given_up_total", "Requests that waited here until their requester had stopped waiting.", ["request"]
)
REQUEST_DURATION = Histogram("request_answer_seconds", "Time until the other service answered.", ["request"])
DATABASE_OUTAGES = Counter(
    "database_outages_total",
    "Statements that failed because PostgreSQL was away, full, read-only or busy, by SQLSTATE or class of the error.",
    ["cause"],
)
POOL_CONNECTIONS = Gauge(
    "database_pool_connections",
    "Connections to PostgreSQL that this process may have, by what they do: in_use, free (open or not).",
    ["state"],
)
POOL_WAITING = Gauge("database_pool_waiting", "Statements that wait for a connection since all are in use.")
FAULTS_UNLISTED = Counter(
    "faults_unlisted_total",
    "Errors of PostgreSQL's, RabbitMQ's, Redis's or the HTTP client's driver that are not on the closed list: report each.",
    ["error"],
)
TABLE_BYTES = Gauge("table_bytes", "What a growing table takes on disk, with its partitions and indexes.", ["table"])
DEFAULT_PARTITION_BYTES = Gauge(
    "table_default_partition_bytes",
    "What a table's default partition takes; small unless partitions are missing.",
    ["table"],
)
OLDEST_PARTITION_AGE = Gauge(
    "table_oldest_partition_seconds", "How long ago the time of a table's oldest partition was over.", ["table"]
)
PARTITIONS_AHEAD = Gauge("table_partitions_ahead", "Partitions that exist for the time to come.", ["table"])
PARTITION_FAILURES = Counter(
    "table_partition_failures_total", "Partitions that could not be made or dropped; tried again.", ["table"]
)
CONSUMERS = Gauge("message_consumers", "Whether this process consumes a queue.", ["queue"])
UNACKNOWLEDGED = Gauge(
    "messages_unacknowledged", "Messages of a queue that this process holds and has not acknowledged.", ["queue"]
)
UNACKNOWLEDGED_OLDEST = Gauge(
    "messages_unacknowledged_oldest_seconds", "For how long this process holds the oldest of them.", ["queue"]
)
MESSAGES_FORGOTTEN = Counter(
    "messages_forgotten_total",
    "Messages that this process held unacknowledged without working on them; their channel was closed.",
    ["queue"],
)
BROKER_BLOCKED = Gauge("broker_blocked", "Whether RabbitMQ takes nothing from this process: it lacks memory or disk.")
LOOP_FAILURES = Gauge(
    "loop_failures_in_a_row",
    "How often a worker or loop of this process has failed since it last did its work.",
    ["loop"],
)
TRACE_SPANS = Counter(
    "trace_spans_total", "Spans of traces that were recorded, by what became of them.", ["outcome"]
)  # outcome: sent, failed, dropped
