"""How the gateway is watched. Labels are closed sets: operations, answers, processors, states."""

from prometheus_client import Counter, Gauge, Histogram

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.gateway_reconciliation import DiscrepancyType
from libs.common.observability.metrics import from_zero

REQUESTS = Counter(
    "gateway_requests_total",
    "Calls to the processor, retries included, by what it answered: approved, pending, requires_action, declined, unknown, not_taken; absent for a look-up.",
    ["operation", "status"],
)
REQUEST_DURATION = Histogram(
    "gateway_request_duration_seconds",
    "Time that one call to the processor took.",
    ["operation", "processor"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
OVERHEAD = Histogram(
    "gateway_overhead_seconds",
    "Time that a command took in this process, less the time that the processor took.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
REQUESTS_IN_FLIGHT = Gauge(
    "gateway_requests_in_flight", "Calls that the processor has not answered yet.", ["processor"]
)
ATTEMPTS_REPEATED = Counter(
    "gateway_attempts_repeated_total", "Commands received again after their outcome was known.", ["operation"]
)
OUTCOMES_REPEATED = Counter(
    "gateway_outcomes_repeated_total",
    "Outcomes published again since the requester is still without one, by the operation that was repeated.",
    ["operation"],
)
ATTEMPTS_PARKED = from_zero(
    Counter(
        "gateway_attempts_parked_total",
        "Commands that wait in the attempts table since the line at their processor is full.",
        ["operation"],
    ),
    ("authorize", "capture", "void", "refund"),
)
UNKNOWN_OUTCOMES = Gauge("gateway_unknown_outcomes", "Attempts whose outcome is not known yet.")
UNKNOWN_OLDEST = Gauge("gateway_unknown_outcomes_oldest_seconds", "For how long the oldest of them is requested.")
OVERDUE_OUTCOMES = Gauge(
    "gateway_overdue_outcomes",
    "Attempts without an outcome that are left to a person, who decides by `just gateway resolve`: alert above zero.",
)
OUTCOMES_OVERDUE = Counter("gateway_outcomes_overdue_total", "Attempts that were left to a person.", ["operation"])
OUTCOMES_RESOLVED = Counter(
    "gateway_outcomes_resolved_total", "Attempts whose lost outcome was found out later.", ["operation", "status"]
)
NOTICES = Counter(
    "gateway_notices_total",
    "What processors reported unasked, by what came of it: applied, known, unknown_payment, contradicts.",
    ["kind", "outcome"],
)
CAPTURES_UNKNOWN = Counter(
    "gateway_captures_unknown_total",
    "Captures that were reported to the api and that our records do not have: somebody has forged an event; alert above zero.",
)
CAPTURES_OF_ANOTHER_AMOUNT = Counter(
    "gateway_captures_of_another_amount_total",
    "Captures that were requested again with another amount than before: nothing was done, and the log has both amounts.",
)
CIRCUIT_STATE = Gauge(
    "b2b_circuit_breaker_state", "1 for the state that the circuit is in, 0 for the others.", ["name", "state"]
)
CIRCUIT_STATE_ORDINAL = Gauge(
    "b2b_circuit_breaker_state_ordinal", "The circuit's state as a number: 0 closed, 1 half open, 2 open.", ["name"]
)
CALLS_NOT_SENT = from_zero(
    Counter(
        "gateway_calls_not_sent_total",
        "Calls that were not made because of their account: its pace, that of one endpoint (endpoint_pace), or its own circuit.",
        ["reason"],
    ),
    ("pace", "endpoint_pace", "circuit"),
)
ACCOUNTS_PAUSED = Counter(
    "gateway_accounts_paused_total", "Pauses of an account that the processor requested (429); alert where it goes on."
)
CREDENTIALS_REFUSED = Counter(
    "gateway_credentials_refused_total",
    "Calls that a processor refused because of the account's key: alert above zero.",
    ["processor"],
)
STRIPE_EVENTS = Counter(
    "gateway_stripe_events_total", "Events of Stripe that were worked on, by what came of it.", ["status"]
)
STRIPE_ENVELOPES = Counter(
    "gateway_stripe_envelopes_total",
    "Tries to open an event of Stripe: shown, other_version, thin, test_mode, wrong_mode, foreign_account, unknown_account (at the address of connected accounts); alert where one of the last three goes on.",
    ["envelope"],
)
STRIPE_EVENTS_OF_ANOTHER = Counter(
    "gateway_stripe_events_of_another_total",
    "Events of Stripe that came to a configuration whose account another one owns, and were ignored here.",
)
STRIPE_EVENTS_WAITING = Gauge("gateway_stripe_events_waiting", "Events of Stripe that are still to be worked on.")
STRIPE_EVENTS_UNMATCHED = Gauge(
    "gateway_stripe_events_unmatched", "Events of Stripe about a payment or refund that we do not know."
)
STRIPE_EVENTS_FAILED = Gauge(
    "gateway_stripe_events_failed",
    "Events of Stripe that failed or contradict what it reported before: alert above zero.",
)
MOVEMENTS = from_zero(
    Counter("gateway_movements_total", "Movements at processors that were seen for the first time.", ["kind"]),
    MovementKind,
)
GIVEN_BACK_TWICE = Counter(
    "gateway_payments_given_back_twice_total",
    "Times that more of a payment went back than came, as by a refund and a dispute of the same money: alert above zero.",
)
PAYOUTS_UNKNOWN = Counter(
    "gateway_payouts_unknown_total", "Payouts reported with a status that means nothing to us: alert above zero."
)
OPENINGS = Counter(
    "gateway_openings_total",
    "Tries to book what stood on an account before, by what came of it: opened, busy (tried again), unreadable, opened_before.",
    ["outcome"],
)
OPENINGS_DUE = Gauge(
    "gateway_openings_due",
    "Accounts whose opening balance is not booked yet: alert where it stays above zero for a day.",
)
BALANCE_COMPARISONS = from_zero(
    Counter(
        "gateway_balance_comparisons_total",
        "Comparisons of an account's balance at the processor with what is booked of it: agrees, differs, busy (something moved at that very instant) and unreadable, which are tried again.",
        ["outcome"],
    ),
    ("agrees", "differs", "busy", "unreadable"),
)
BALANCES_OFF = Gauge(
    "gateway_balances_off",
    "Balances, by account and currency, that differ from what is booked at two comparisons in a row: total, and what of it is available; alert above zero.",
    ["part"],
)
STATEMENT_PAGES = Counter(
    "gateway_statement_pages_total",
    "Pages of processors' statements by what became of them: read, failed, left (to another process).",
    ["list", "outcome"],
)
STATEMENT_UNREADABLE = Counter(
    "gateway_statement_unreadable_total",
    "Lines of statements of another shape than was promised, which nobody books: alert above zero.",
    ["list"],
)
STATEMENT_ADOPTED = Counter(
    "gateway_statement_adopted_total",
    "Charges, refunds and disputes that the processor showed otherwise than our records: their events were lost, or are late; alert where it goes on.",
    ["list"],
)
STATEMENT_LAG = Gauge(
    "gateway_statement_lag_seconds",
    "Since when the account that is furthest behind was not read completely: alert above an hour.",
    ["list"],
)
STATEMENT_FAILURES = Gauge(
    "gateway_statement_failures_in_a_row", "Pages in a row that one account could not have, at worst.", ["list"]
)
WEBHOOKS_KEPT = Counter(
    "gateway_webhooks_kept_total",
    "Webhooks of Stripe that were genuine and of an account of this place, repetitions included.",
)
WEBHOOKS_REFUSED = from_zero(
    Counter(
        "gateway_webhooks_refused_total", "Webhooks that were refused: malformed, forged, stale, too_large.", ["reason"]
    ),
    ("malformed", "forged", "stale", "too_large"),
)
RECONCILIATION_RUNS = from_zero(
    Counter(
        "gateway_reconciliation_runs_total",
        "Runs by what became of them: complete, interrupted (goes on later), abandoned (alert above zero).",
        ["outcome"],
    ),
    ("complete", "interrupted", "abandoned"),
)
RECONCILIATION_RUNNING = Gauge("gateway_reconciliation_running", "Runs that go on or wait for their turn.")
RECONCILIATION_RUN_SECONDS = Gauge(
    "gateway_reconciliation_run_seconds", "For how long the oldest run goes on: alert above an hour."
)
RECONCILIATION_FOUND = from_zero(
    Counter(
        "gateway_reconciliation_found_total",
        "Discrepancies that runs have seen, each time that they saw them.",
        ["type"],
    ),
    DiscrepancyType,
)
DISCREPANCIES_UNSETTLED = Gauge(
    "gateway_discrepancies_unsettled", "Discrepancies about which something is left to be done.", ["type"]
)
DISCREPANCIES_OLDEST = Gauge(
    "gateway_discrepancies_oldest_seconds", "For how long the oldest of them is known: alert above a day.", ["type"]
)
