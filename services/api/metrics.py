"""How the api is watched, beside what every service has.

The reference labels its payment counters by tenant; ours do not, since tenants are unbounded: the books answer per tenant.
"""

from collections.abc import Mapping
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from libs.common.observability.metrics import from_zero

INTENTS_CREATED = Counter("payment_intents_created_total", "Payment intents created.", ["currency"])
INTENTS_CONFIRMED = Counter("payment_intents_confirmed_total", "Payment intents whose confirmation was begun.")
TRANSITIONS = Counter("payment_intent_transitions_total", "Payment intents that entered a status.", ["status"])
OPERATIONS = Counter(
    "payment_operations_total",
    "Captures, voids, refunds, and confirmations with a payment method, that clients requested.",
    ["operation"],
)  # capture, void, refund, confirm
CAPTURES_UNASKED = Counter(
    "payment_captures_unasked_total",
    "Captures that the api did not request: questions to the gateway, and whether its records have the capture; alert on "
    "unknown, since somebody has published an event that the gateway has not.",
    ["outcome"],
)  # checked, confirmed, unknown
for _outcome in ("checked", "confirmed", "unknown"):
    CAPTURES_UNASKED.labels(_outcome)
ORDERS_CONTRADICTED = Counter(
    "orders_contradicted_total",
    "Charge requests of orders that are collected with another amount; alert on any, since the orders service may count on it.",
)
CAPTURED_MINOR = Counter(
    "payments_captured_minor_total", "What captures took, in the currency's minor units.", ["currency"]
)
REFUNDS = Counter("refunds_total", "Refunds that ended, by how.", ["status"])  # COMPLETED, FAILED
CONFIRM_WAIT = Histogram(
    "payment_confirm_wait_seconds",
    "Time from a begun confirmation, capture, void or refund to the processor's outcome, or to the end of the wait.",
    ["outcome"],  # answered, timed_out, too_many
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10),
)
IDEMPOTENCY = Counter(
    "idempotency_total", "Requests with an Idempotency-Key, by what became of them.", ["outcome"]
)  # new, replay, mismatch, in_flight, takeover
STAGES_WAITING = (
    *("processing", "cancelling", "authorized_automatic", "capturing", "captured", "voiding", "abandoning"),
    "refund_pending",
)
"""The stages in which a payment waits for another service; `captured`: taken, and not in the books."""
WAITING = Gauge("payments_waiting", "Payments and refunds that wait for another service.", ["stage"])
WAITING_OLDEST = Gauge("payments_waiting_oldest_seconds", "Age of the one that has waited longest.", ["stage"])
ABANDONED = Counter("payments_abandoned_total", "Payments cancelled since their customer did not come back.")
SWEPT = from_zero(
    Counter("payments_swept_total", "Commands published again since their outcome did not come.", ["stage"]),
    STAGES_WAITING,
)


def show_waiting(found: Mapping[str, tuple[int, float]]) -> None:
    """Show how many wait in each stage, and the age of the oldest in seconds; stages that are not named have none."""
    for stage in STAGES_WAITING:
        count, oldest_seconds = found.get(stage, (0, 0.0))
        WAITING.labels(stage).set(count)
        WAITING_OLDEST.labels(stage).set(oldest_seconds)


LOGINS = Counter(
    "logins_total", "Logins, by password or by an identity provider.", ["outcome"]
)  # success, failed, denied, throttled
DENIALS = Counter("access_denied_total", "Requests of known callers that were denied.", ["reason"])
AUDIT_UNWRITTEN = Counter(
    "audit_outcomes_unwritten_total", "Outcomes that the audit log did not take; their intentions are in it."
)
TOKEN_CACHE = Counter("token_verifications_total", "Bearer tokens verified.", ["source"])  # cache, signature
RATE_LIMIT = Counter(
    "rate_limit_requests_total",
    "Requests counted against a limit: allowed, refused, or uncounted since there is no limit or Redis was away.",
    ["limit", "outcome"],
)
RATE_LIMITED = from_zero(
    Counter("rate_limited_total", "Requests refused because a caller made too many.", ["limit"]),
    ("read", "write", "read_keys", "write_keys", "key_look", "login", "login_account"),
)
RATE_LIMIT_UNCOUNTED = Counter("rate_limit_uncounted_total", "Requests let through uncounted because Redis was away.")
REQUESTS_LOGGED = Counter("requests_logged_total", "Lines written into the log of requests.")
REQUESTS_UNLOGGED = from_zero(
    Counter(
        "requests_unlogged_total",
        "Requests that the log of requests lacks: their tenant had too many in a second, too many waited, or the database took none.",
        ["reason"],
    ),
    ("rate", "full", "store"),
)
CHAOS = Counter("chaos_injected_total", "Failures and delays made on purpose.", ["kind"])  # failure, latency
JWKS_FETCHES = Counter(
    "jwks_fetches_total", "Readings of the identity provider's key set.", ["outcome"]
)  # read, failed
KEY_READINGS = Counter(
    "signing_key_readings_total", "Readings of the keys in files that brought something new.", ["outcome"]
)  # changed, unusable

HEADS_SIGNED_AT = Gauge(
    "api_heads_signed_timestamp_seconds",
    "When this process last signed where the chains of changes end, in seconds since 1970; the freshest process counts.",
)
CHANGES_VERIFIED_AT = Gauge(
    "api_changes_verified_timestamp_seconds",
    "When this process last verified the sealed changes, in seconds since 1970; the freshest process counts.",
)
CHANGE_FINDINGS = Gauge(
    "api_change_findings",
    "Changes of tenants, users, keys, roles or policies past the platform that were found; anything but 0 is an alarm.",
)

# A series by its label, looked up once: looking it up takes a lock and builds strings, and these are counted with every payment.
created = cache(INTENTS_CREATED.labels)
transition = cache(TRANSITIONS.labels)
keyed = cache(IDEMPOTENCY.labels)
waited = cache(CONFIRM_WAIT.labels)
captured = cache(CAPTURED_MINOR.labels)
limited = cache(RATE_LIMIT.labels)
verification = cache(TOKEN_CACHE.labels)
