"""For every alert the series that fire it, and the same in good order: `series: (bad, good)` in promtool's notation.

A value is its beginning, its step for each minute and how many steps: `0+1x60`; a plain number stays for the whole time.
"""

type Series = dict[str, tuple[str, str]]

UP, FLAT = "0+1x90", "0x90"
"""A counter that counts once a minute, and one that does not."""
NEW = "_x85 1x10"
"""A labelled counter that begins with its first count."""
BEGUN, BEFORE = "_x85 5100x10", "0x200"
"""When a counter began, in seconds since 1970, which is where promtool's clock begins."""
GOOD, BAD, FAST = "0+100x200", "0+5x200", "0+20x200"
"""Of requests: all of them, one in twenty, one in five."""


def _new(counter: str, labels: str, *, good: str = "5x90") -> Series:
    return {f"{counter}_total{labels}": (NEW, good), f"{counter}_created{labels}": (BEGUN, BEFORE)}


_DURATION = 'http_request_duration_seconds_{}{{job="payments-api",method="GET",path="/v1/me"{}}}'
CASES: dict[str, Series] = {
    "ServiceDown": {
        'up{job="payments-api",instance="a"}': ("1x90", "1x90"),
        'up{job="payments-ledger",instance="a"}': ("0x90", "1x90"),
        'up{job="payments-gateway",instance="a"}': ("1x90", "1x90"),
        'up{job="payments-notifier",instance="a"}': ("1x20", "1x90"),
    },
    "ErrorBudgetBurnsFast": {
        'http_requests_total{job="payments-api",path="/v1/me",status="503"}': (BAD, FLAT),
        'http_requests_total{job="payments-api",path="/v1/me",status="200"}': (GOOD, GOOD),
        'http_requests_total{job="payments-api",path="/readyz",status="503"}': (FLAT, GOOD),
    },
    "ErrorBudgetBurnsSlowly": {
        _DURATION.format("bucket", ',le="1.0"'): ("0+95x200", GOOD),
        _DURATION.format("count", ""): (GOOD, GOOD),
        'http_request_duration_seconds_count{job="payments-api",method="GET",path="/readyz"}': (FLAT, GOOD),
    },
    "EventLoopStalls": {
        'event_loop_stall_seconds_bucket{job="payments-api",le="0.5"}': (FLAT, GOOD),
        'event_loop_stall_seconds_bucket{job="payments-api",le="1.0"}': (GOOD, GOOD),
        'event_loop_stall_seconds_bucket{job="payments-api",le="+Inf"}': (GOOD, GOOD),
    },
    "LoopFails": {'loop_failures_in_a_row{job="payments-ledger",loop="expire holds"}': ("9x90", "1x90")},
    "RequestsUncounted": {"rate_limit_uncounted_total": (UP, FLAT)},
    "AuditOutcomesUnwritten": {"audit_outcomes_unwritten_total": (UP, FLAT)},
    "ChangesBroken": {"api_change_findings": ("1x90", FLAT)},
    "ChangesNotVerified": {"api_changes_verified_timestamp_seconds": (FLAT, "0+60x90")},
    "ChangesNotSigned": {"api_heads_signed_timestamp_seconds": ("-7200x90", "0+60x90")},
    "OrderContradicted": {"orders_contradicted_total": (UP, FLAT)},
    "PaymentsStuck": {'payments_waiting_oldest_seconds{stage="capturing"}': ("1000x90", "30x90")},
    "CaptureUnknown": _new("payment_captures_unasked", '{outcome="unknown"}'),
    "DatabaseAway": {'database_outages_total{job="payments-api",cause="53300"}': ("0+60x90", FLAT)},
    "FaultUnlisted": _new("faults_unlisted", '{job="payments-api",error="asyncpg.X"}'),
    "ConnectionsShort": {'database_pool_waiting{job="payments-api"}': ("3x90", FLAT)},
    "PartitionsMissing": {'table_partitions_ahead{job="payments-api",table="inbox"}': (FLAT, "2x90")},
    "PartitionsFail": {'table_partition_failures_total{job="payments-api",table="inbox"}': (UP, "5x90")},
    "OutboxBehind": {'outbox_oldest_seconds{job="payments-api",instance="a"}': ("90x90", "1x90")},
    "DestinationRefuses": {'outbox_refused_events{job="payments-api",destination="orders"}': ("1x90", FLAT)},
    "MessagesDead": _new("messages", '{job="payments-api",queue="q",outcome="dead"}'),
    "DeadLettersWait": {
        'dead_letters_waiting{job="payments-api",queue="q",instance="a"}': ("3x90", FLAT),
        'dead_letters_waiting{job="payments-api",queue="q",instance="b"}': ("3x90", FLAT),
    },
    "PartnerMessagesDead": _new("partner_messages", '{job="payments-api",message="m",outcome="dead"}'),
    "MessagesUnacknowledged": {'messages_unacknowledged_oldest_seconds{queue="q"}': ("0+60x90", "1x90")},
    "MessagesForgotten": _new("messages_forgotten", '{job="payments-api",queue="q"}'),
    "QueueUnread": {
        'message_consumers{job="payments-api",queue="q",instance="a"}': (FLAT, FLAT),
        'message_consumers{job="payments-api",queue="q",instance="b"}': (FLAT, "1x90"),
        'message_consumers{job="payments-api",queue="q of partners",instance="a"}': ("1x90", FLAT),
    },
    "PartnerQueueUnread": {
        'message_consumers{job="payments-api",queue="q of partners",instance="a"}': (FLAT, "1x90"),
        'message_consumers{job="payments-api",queue="q",instance="a"}': ("1x90", FLAT),
    },
    "BrokerBlocked": {'broker_blocked{job="payments-api"}': ("1x90", FLAT)},
    "BooksBroken": {"ledger_findings": ("1x90", FLAT)},
    "TrialBalanceOff": {"ledger_trial_balance_difference_minor": ("5x90", FLAT)},
    "VerifierBehind": {"ledger_verified_timestamp_seconds": (FLAT, "0+60x90")},
    "BooksNotSigned": {"ledger_heads_signed_timestamp_seconds": ("-7200x90", "0+60x90")},
    "ReportsStale": {"ledger_reports_refreshed_timestamp_seconds": ("-7200x90", "0+60x90")},
    "WebhooksFail": {
        'webhook_attempts_total{outcome="5xx"}': ("0+30x90", FLAT),
        'webhook_attempts_total{outcome="2xx"}': (GOOD, GOOD),
    },
    "WebhookEndpointsPaused": {'webhook_endpoints{state="paused"}': ("2x90", FLAT)},
    "WebhookBacklog": {"webhook_deliveries_pending": ("10000x90", "20x90")},
    "OutcomesLeftToAPerson": {"gateway_overdue_outcomes": ("1x90", FLAT)},
    "CaptureForged": {"gateway_captures_unknown_total": (UP, FLAT)},
    "AccountPausedAgainAndAgain": {"gateway_accounts_paused_total": (UP, FLAT)},
    "KeyRefused": _new("gateway_credentials_refused", '{processor="stripe"}'),
    "EventsOfAnotherModeOrAccount": {'gateway_stripe_envelopes_total{envelope="wrong_mode"}': (UP, FLAT)},
    "EventsOfUnknownAccount": {
        'gateway_stripe_envelopes_total{envelope="unknown_account"}': (UP, FLAT),
        'gateway_stripe_envelopes_total{envelope="foreign_account"}': (FLAT, UP),
    },
    "EventsFailed": {"gateway_stripe_events_failed": ("1x90", FLAT)},
    "GivenBackTwice": {"gateway_payments_given_back_twice_total": (UP, FLAT)},
    "PayoutStatusUnknown": {"gateway_payouts_unknown_total": (UP, FLAT)},
    "BalanceOff": {'gateway_balances_off{part="total"}': ("1x90", FLAT)},
    "BalancesNotCompared": {
        'gateway_balance_comparisons_total{outcome="unreadable"}': (UP, UP),
        'gateway_balance_comparisons_total{outcome="agrees"}': (FLAT, UP),
    },
    "StatementUnreadable": _new("gateway_statement_unreadable", '{list="charges"}'),
    "StatementBehind": {'gateway_statement_lag_seconds{list="charges"}': ("4000x90", "60x90")},
    "MovementSuspended": _new("ledger_movements_suspended", '{kind="fee"}'),
    "ExchangeFarOff": {"ledger_exchanges_far_off_total": (UP, FLAT)},
    "ReconciliationAbandoned": _new("gateway_reconciliation_runs", '{outcome="abandoned"}', good=FLAT),
    "ReconciliationSlow": {"gateway_reconciliation_run_seconds": ("4000x90", "60x90")},
    "DiscrepanciesOld": {'gateway_discrepancies_oldest_seconds{type="AMOUNT"}': ("90000x90", "60x90")},
    "CircuitOpen": {'b2b_circuit_breaker_state_ordinal{name="stripe"}': ("2x90", "1x90")},
    "OutcomesUnknownLong": {"gateway_unknown_outcomes_oldest_seconds": ("4000x90", "60x90")},
    "DeclinesRise": {
        'gateway_requests_total{operation="authorize",status="declined"}': ("0+300x90", "0+10x90"),
        'gateway_requests_total{operation="authorize",status="approved"}': (GOOD, GOOD),
    },
}
"""A step is a minute; evaluated every five, and looked at after 90."""
IN_DAYS: dict[str, Series] = {
    "OpeningBalanceDue": {"gateway_openings_due": ("1x200", "0x200")},
    "EventsAreLost": {'gateway_statement_adopted_total{list="charges"}': ("0+1x200", "5x200")},
}
"""Those that wait for a day: a step is a quarter of an hour, and they are looked at after two days."""
