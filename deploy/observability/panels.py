"""What each dashboard shows: titles, units and queries. `dashboards.py` writes them for Grafana."""

import msgspec


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One chart."""

    title: str
    unit: str
    """Grafana's word for it: `s`, `reqps`, `short`, `percentunit`, `bytes`."""
    queries: tuple[tuple[str, str], ...]
    """PromQL, and the legend in Grafana's braces."""


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """One page."""

    name: str
    """Of its file and in its address."""
    title: str
    panels: tuple[Panel, ...]
    text: str = ""
    """Markdown above the charts."""
    asks_for: str = ""
    """The name of a text that the reader fills in."""


def _panel(title: str, unit: str, *queries: tuple[str, str]) -> Panel:
    return Panel(title=title, unit=unit, queries=queries)


def _rate(metric: str, *by: str) -> str:
    return f"sum by ({', '.join(by)}) (rate({metric}[5m]))"


def _quantile(metric: str, *by: str, q: str = "0.95") -> str:
    return f"histogram_quantile({q}, sum by ({', '.join([*by, 'le'])}) (rate({metric}_bucket[5m])))"


def _most(metric: str, *by: str) -> str:
    return f"max by ({', '.join(by)}) ({metric})" if by else f"max({metric})"


OVERVIEW = Dashboard(
    name="overview",
    title="Payments: overview",
    panels=(
        _panel("Processes that answer", "short", ('sum by (job) (up{job=~"payments-.*"})', "{{job}}")),
        _panel("Requests", "reqps", ("job_status:http_requests:rate5m", "{{job}} {{status}}")),
        _panel("95th percentile of answers", "s", ("job:http_request_duration_seconds:p95_5m", "{{job}}")),
        _panel(
            "Slowest routes of the api (95 %)", "s", (_quantile("http_request_duration_seconds", "path"), "{{path}}")
        ),
        _panel("Payments created", "reqps", (_rate("payment_intents_created_total", "currency"), "{{currency}}")),
        _panel(
            "Payments by what they became", "reqps", (_rate("payment_intent_transitions_total", "status"), "{{status}}")
        ),
        _panel("Error ratio of each level, 1 h", "percentunit", ("level:error_ratio:rate1h", "{{level}}")),
        _panel(
            "Error budget burnt, times the allowed speed",
            "short",
            ("level:error_ratio:rate1h / on (level) level:error_budget", "{{level}}"),
        ),
        _panel("Event loop late (99 %)", "s", (_quantile("event_loop_stall_seconds", "job", q="0.99"), "{{job}}")),
        _panel(
            "Connections to PostgreSQL",
            "short",
            ("sum by (job, state) (database_pool_connections)", "{{job}} {{state}}"),
            ("sum by (job) (database_pool_waiting)", "{{job}} waiting"),
        ),
        _panel(
            "Outages of PostgreSQL", "reqps", (_rate("database_outages_total", "job", "cause"), "{{job}} {{cause}}")
        ),
        _panel("Tables", "bytes", ("topk(10, max by (job, table) (table_bytes))", "{{job}} {{table}}")),
    ),
)
MONEY = Dashboard(
    name="money-in-flight",
    title="Payments: money in flight",
    panels=(
        _panel("Payments that wait, by stage", "short", ("stage:payments_waiting:max", "{{stage}}")),
        _panel("The one that waits longest", "s", ("stage:payments_waiting_oldest_seconds:max", "{{stage}}")),
        _panel(
            "Captured, in units of the currency per hour",
            "short",
            ("sum by (currency) (rate(b2b_payments_revenue_total[5m])) * 3600", "{{currency}}"),
        ),
        _panel("Refunds that ended", "reqps", (_rate("refunds_total", "status"), "{{status}}")),
        _panel(
            "Wait for an outcome (95 %)", "s", (_quantile("payment_confirm_wait_seconds", "outcome"), "{{outcome}}")
        ),
        _panel(
            "Attempts without an outcome",
            "short",
            (_most("gateway_unknown_outcomes"), "unknown"),
            (_most("gateway_overdue_outcomes"), "left to a person"),
        ),
        _panel("The oldest of them", "s", (_most("gateway_unknown_outcomes_oldest_seconds"), "oldest")),
        _panel("Commands published again", "reqps", (_rate("payments_swept_total", "stage"), "{{stage}}")),
        _panel("Abandoned by their customer", "reqps", ("sum(rate(payments_abandoned_total[5m]))", "abandoned")),
    ),
)
QUEUES = Dashboard(
    name="outbox-and-queues",
    title="Payments: outbox and queues",
    panels=(
        _panel("Outbox: messages that wait", "short", ("job:outbox_events_pending:max", "{{job}}")),
        _panel("Outbox: the oldest one", "s", ("job:outbox_oldest_seconds:max", "{{job}}")),
        _panel("Published", "reqps", (_rate("outbox_published_total", "job", "event_type"), "{{job}} {{event_type}}")),
        _panel(
            "Refused by a destination",
            "short",
            (_most("outbox_refused_events", "job", "destination"), "{{job}} {{destination}}"),
        ),
        _panel(
            "Messages of one round of the relay (95 %)", "short", (_quantile("outbox_batch_size", "job"), "{{job}}")
        ),
        _panel("Messages by what became of them", "reqps", ("job_outcome:messages:rate5m", "{{job}} {{outcome}}")),
        _panel("Dead letters", "reqps", (_rate('messages_total{outcome="dead"}', "job", "queue"), "{{job}} {{queue}}")),
        _panel("Dead letters that wait", "short", (_most("dead_letters_waiting", "job", "queue"), "{{job}} {{queue}}")),
        _panel("Messages in one transaction (95 %)", "short", (_quantile("message_batch_size", "queue"), "{{queue}}")),
        _panel("Unacknowledged", "short", ("sum by (job, queue) (messages_unacknowledged)", "{{job}} {{queue}}")),
        _panel(
            "Held longest", "s", (_most("messages_unacknowledged_oldest_seconds", "job", "queue"), "{{job}} {{queue}}")
        ),
        _panel(
            "Processes that read a queue", "short", ("sum by (job, queue) (message_consumers)", "{{job}} {{queue}}")
        ),
        _panel("Refused by the broker as a whole", "short", (_most("broker_blocked", "job"), "{{job}}")),
        _panel(
            "Requests between services (95 %)", "s", (_quantile("request_answer_seconds", "request"), "{{request}}")
        ),
    ),
)
LEDGER = Dashboard(
    name="ledger",
    title="Payments: ledger",
    panels=(
        _panel("Entries", "reqps", ("kind_outcome:ledger_entries:rate5m", "{{kind}} {{outcome}}")),
        _panel("Entries of a group (95 %)", "short", (_quantile("ledger_group_entries"), "entries")),
        _panel("Writing a group (95 %)", "s", (_quantile("ledger_group_seconds"), "seconds")),
        _panel(
            "Entries of a group on its hottest account (95 %)",
            "short",
            (_quantile("ledger_group_hottest_entries"), "entries"),
        ),
        _panel("How balances were known", "reqps", (_rate("ledger_groups_total", "way"), "{{way}}")),
        _panel("Open findings", "short", (_most("ledger_findings"), "findings")),
        _panel(
            "Trial balance: debits less credits",
            "short",
            (_most("ledger_trial_balance_difference_minor"), "minor units"),
        ),
        _panel("Groups that are not verified", "short", (_most("ledger_verifier_lag_groups"), "groups")),
        _panel(
            "Since the last round of the verifier", "s", ("time() - max(ledger_verified_timestamp_seconds)", "seconds")
        ),
        _panel("Age of the reports", "s", ("time() - max(ledger_reports_refreshed_timestamp_seconds)", "seconds")),
        _panel("Booked against SUSPENSE", "reqps", (_rate("ledger_movements_suspended_total", "kind"), "{{kind}}")),
    ),
)
GATEWAY = Dashboard(
    name="gateway-and-breakers",
    title="Payments: gateway and breakers",
    panels=(
        _panel("Calls by answer", "reqps", ("operation_status:gateway_requests:rate5m", "{{operation}} {{status}}")),
        _panel(
            "Time of a call (95 %)",
            "s",
            (_quantile("gateway_request_duration_seconds", "operation", "processor"), "{{processor}} {{operation}}"),
        ),
        _panel(
            "Own time of a command (95 %)", "s", (_quantile("gateway_overhead_seconds", "operation"), "{{operation}}")
        ),
        _panel("Calls in progress", "short", ("sum by (processor) (gateway_requests_in_flight)", "{{processor}}")),
        _panel(
            "Circuits: 0 closed, 1 half open, 2 open",
            "short",
            (_most("b2b_circuit_breaker_state_ordinal", "name"), "{{name}}"),
        ),
        _panel("Calls not made", "reqps", (_rate("gateway_calls_not_sent_total", "reason"), "{{reason}}")),
        _panel(
            "Commands that wait for a line",
            "reqps",
            (_rate("gateway_attempts_parked_total", "operation"), "{{operation}}"),
        ),
        _panel(
            "Reported unasked", "reqps", (_rate("gateway_notices_total", "kind", "outcome"), "{{kind}} {{outcome}}")
        ),
        _panel(
            "Events of Stripe",
            "short",
            (_most("gateway_stripe_events_waiting"), "waiting"),
            (_most("gateway_stripe_events_unmatched"), "unmatched"),
            (_most("gateway_stripe_events_failed"), "failed"),
        ),
        _panel(
            "Webhooks of Stripe",
            "reqps",
            ("sum(rate(gateway_webhooks_kept_total[5m]))", "kept"),
            (_rate("gateway_webhooks_refused_total", "reason"), "{{reason}}"),
        ),
    ),
)
WEBHOOKS = Dashboard(
    name="webhooks",
    title="Payments: webhooks",
    panels=(
        _panel("Deliveries", "reqps", ("status:webhook_deliveries:rate5m", "{{status}}")),
        _panel("Attempts by answer", "reqps", (_rate("webhook_attempts_total", "outcome"), "{{outcome}}")),
        _panel(
            "From the event to the first attempt (95 %)",
            "s",
            (_quantile("webhook_first_attempt_delay_seconds"), "seconds"),
        ),
        _panel("An attempt (95 %)", "s", (_quantile("webhook_attempt_duration_seconds"), "seconds")),
        _panel("Attempts in progress", "short", ("sum(webhook_in_flight)", "attempts")),
        _panel("Deliveries that wait, up to 10,000", "short", (_most("webhook_deliveries_pending"), "deliveries")),
        _panel("Endpoints by health", "short", (_most("webhook_endpoints", "state"), "{{state}}")),
        _panel("Refused addresses", "reqps", ("sum(rate(webhook_egress_blocked_total[5m]))", "attempts")),
    ),
)
LIMITS = Dashboard(
    name="rate-limits",
    title="Payments: rate limits, keys and logins",
    panels=(
        _panel(
            "Requests counted",
            "reqps",
            (_rate("rate_limit_requests_total", "limit", "outcome"), "{{limit}} {{outcome}}"),
        ),
        _panel("Refused", "reqps", (_rate("rate_limited_total", "limit"), "{{limit}}")),
        _panel("Let through uncounted", "reqps", ("sum(rate(rate_limit_uncounted_total[5m]))", "requests")),
        _panel("Idempotency keys", "reqps", (_rate("idempotency_total", "outcome"), "{{outcome}}")),
        _panel("Logins", "reqps", (_rate("logins_total", "outcome"), "{{outcome}}")),
        _panel("Denied", "reqps", (_rate("access_denied_total", "reason"), "{{reason}}")),
        _panel("Tokens", "reqps", (_rate("token_verifications_total", "source"), "{{source}}")),
        _panel("Requests in progress", "short", ("sum by (job) (http_requests_in_flight)", "{{job}}")),
        _panel(
            "Refused since too many are in progress",
            "reqps",
            (_rate("http_requests_overloaded_total", "job"), "{{job}}"),
        ),
    ),
)
RECONCILIATION = Dashboard(
    name="reconciliation",
    title="Payments: reconciliation",
    panels=(
        _panel(
            "Discrepancies that are not settled",
            "short",
            (_most("gateway_discrepancies_unsettled", "type"), "{{type}}"),
        ),
        _panel("The oldest one", "s", (_most("gateway_discrepancies_oldest_seconds", "type"), "{{type}}")),
        _panel("Runs", "short", ("sum by (outcome) (increase(gateway_reconciliation_runs_total[1h]))", "{{outcome}}")),
        _panel("Runs that go on", "short", (_most("gateway_reconciliation_running"), "runs")),
        _panel(
            "Found by runs", "short", ("sum by (type) (increase(gateway_reconciliation_found_total[1h]))", "{{type}}")
        ),
        _panel("Statements: behind by", "s", (_most("gateway_statement_lag_seconds", "list"), "{{list}}")),
        _panel("Movements", "reqps", (_rate("gateway_movements_total", "kind"), "{{kind}}")),
        _panel("Balances that differ from the books", "short", (_most("gateway_balances_off", "part"), "{{part}}")),
        _panel(
            "Balances compared",
            "short",
            ("sum by (outcome) (increase(gateway_balance_comparisons_total[1h]))", "{{outcome}}"),
        ),
        _panel("Opening balances that are due", "short", (_most("gateway_openings_due"), "accounts")),
    ),
)
ONE_PAYMENT = Dashboard(
    name="one-payment",
    title="Payments: one payment by its id",
    asks_for="payment_id",
    text="""Metrics have no ids: the services themselves answer for one payment. Fill in its id above.

    curl -H "Authorization: Bearer $TOKEN" -H "X-Tenant-Id: $TENANT" API/v1/payment-intents/${payment_id}
    curl -H "Authorization: Bearer $TOKEN" -H "X-Tenant-Id: $TENANT" API/v1/payment-intents/${payment_id}/events
    just stuck | grep -A 3 ${payment_id}
    grep -h ${payment_id} .local/log/*.log

`API` is what `just url` prints. Below: what a payment of its stage may wait for.""",
    panels=(
        _panel("Payments that wait, by stage", "short", ("stage:payments_waiting:max", "{{stage}}")),
        _panel("The one that waits longest", "s", ("stage:payments_waiting_oldest_seconds:max", "{{stage}}")),
        _panel(
            "The gateway's calls", "reqps", ("operation_status:gateway_requests:rate5m", "{{operation}} {{status}}")
        ),
        _panel("The ledger's entries", "reqps", ("kind_outcome:ledger_entries:rate5m", "{{kind}} {{outcome}}")),
        _panel("Outbox: the oldest message", "s", ("job:outbox_oldest_seconds:max", "{{job}}")),
        _panel("Dead letters", "reqps", (_rate('messages_total{outcome="dead"}', "job", "queue"), "{{job}} {{queue}}")),
    ),
)
DASHBOARDS = (OVERVIEW, MONEY, QUEUES, LEDGER, GATEWAY, WEBHOOKS, LIMITS, RECONCILIATION, ONE_PAYMENT)
