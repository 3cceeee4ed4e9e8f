"""Our tables: attempts at the processor, disputes, the sandbox's memory, and the outbox."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.db.partition_rules import rules_table
from libs.common.messaging import (
    inbox_table,
    operator_actions_table,
    outbox_refused_table,
    outbox_table,
    published_table,
)
from services.gateway.schema import imports, reconciliation
from services.gateway.schema.accounts import (
    circuits_table,
    configs_table,
    processor_accounts_table,
    stripe_accounts_table,
)
from services.gateway.schema.customers import payment_setups_table, processor_customers_table, saved_methods_table
from services.gateway.schema.matching import matching_tables
from services.gateway.schema.sandbox import sandbox_payments_table
from services.gateway.schema.statement import (
    balances_table,
    carried_table,
    movements_table,
    openings_table,
    payouts_table,
    readings_table,
    sums_table,
)

METADATA = sa.MetaData()

OPEN = sa.text("status IN ('PENDING', 'UNKNOWN', 'ACCEPTED', 'ACTION_REQUIRED')")
"""Attempts whose outcome is not known."""

ATTEMPTS = sa.Table(
    "attempts",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose payment it is."),
    sa.Column(
        "id",
        pg.UUID,
        nullable=False,
        comment="Derived from the tenant, the subject and the operation; as text, the processor's idempotency key.",
    ),
    sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The intent that the operation serves."),
    sa.Column("refund_id", pg.UUID, comment="The refund that it gives back; NULL where it is about the payment."),
    sa.Column(
        "operation", sa.Text, nullable=False, comment="What is asked: authorize, capture, void, expire, refund, close."
    ),
    sa.Column("number", sa.SmallInteger, nullable=False, server_default="0", comment="Of its authorization, from 0."),
    sa.Column("processor", sa.Text, nullable=False, comment="Which processor is asked: only that one knows the key."),
    sa.Column(
        "status",
        sa.Text,
        nullable=False,
        comment="What we know: PENDING, UNKNOWN, ACCEPTED, ACTION_REQUIRED, APPROVED, DECLINED, REVERSED.",
    ),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="Amount in minor units, above zero."),
    sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
    sa.Column("customer_ref", sa.Text, nullable=False, comment="The merchant's reference of the customer, or empty."),
    sa.Column(
        "payment_method",
        sa.Text,
        nullable=False,
        server_default="",
        comment="The processor's token of what is charged, or empty.",
    ),
    sa.Column(
        "capture_method",
        sa.Text,
        nullable=False,
        server_default="automatic",
        comment="manual where the end of the hold is watched.",
    ),
    sa.Column(
        "return_url",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Where the customer comes back to, or empty.",
    ),
    sa.Column("payment_method_type", sa.Text, nullable=False, server_default="card", comment="How the customer pays."),
    sa.Column("billing_details", sa.Text, nullable=False, server_default="", comment="Who pays, as JSON, or empty."),
    sa.Column("customer_id", pg.UUID, comment="The api's customer, where the payment is one's."),
    sa.Column("saved_method_id", pg.UUID, comment="The saved payment method that is charged; NULL: none is."),
    sa.Column(
        "processor_customer",
        sa.Text,
        nullable=False,
        server_default="",
        comment="The processor's customer who has it, or empty.",
    ),
    sa.Column(
        "off_session",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="Whether the customer is not there to prove anything.",
    ),
    sa.Column("note", sa.Text, nullable=False, server_default="", comment="The merchant's words about a refund."),
    sa.Column(
        "gateway_ref",
        sa.Text,
        nullable=False,
        comment="The processor's reference: of the authorization a capture builds on, or of an approved authorization.",
    ),
    sa.Column(
        "result_ref",
        sa.Text,
        nullable=False,
        server_default="",
        comment="The processor's reference of what came of it; empty until it has told one.",
    ),
    sa.Column(
        "action_url",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Where the customer proves who they are, or empty.",
    ),
    sa.Column(
        "next_action", sa.Text, nullable=False, server_default="", comment="What the customer does, as JSON, or empty."
    ),
    sa.Column(
        "expires_at",
        sa.DateTime(timezone=True),
        comment="When the hold ends by itself; NULL where that is not, or no longer, watched.",
    ),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="Why declined or unknown, as a word."),
    sa.Column("detail", sa.Text, nullable=False, server_default="", comment="Why declined, as a sentence."),
    sa.Column("decline_code", sa.Text, nullable=False, server_default="", comment="The issuer's reason, or empty."),
    sa.Column("advice_code", sa.Text, nullable=False, server_default="", comment="What to do about it, or empty."),
    sa.Column(
        "network_decline_code", sa.Text, nullable=False, server_default="", comment="The card network's code, or empty."
    ),
    sa.Column(
        "network_advice_code", sa.Text, nullable=False, server_default="", comment="The network's advice, or empty."
    ),
    sa.Column("asks", sa.Integer, nullable=False, server_default="0", comment="How often the processor was asked."),
    sa.Column(
        "in_doubt",
        sa.Integer,
        nullable=False,
        server_default="1",
        comment="How many calls may have been carried out: counted before each is made.",
    ),
    sa.Column(
        "asked_at",
        sa.DateTime(timezone=True),
        comment="When the processor may first have heard the key; NULL when it certainly has not.",
    ),
    sa.Column(
        "next_ask_at",
        sa.DateTime(timezone=True),
        comment="From when on anybody may ask again; NULL once decided, or left to a person.",
    ),
    sa.Column("decided_at", sa.DateTime(timezone=True), comment="When the processor did or refused it, in its words."),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was written down."),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
    sa.Column("correlation_id", sa.Text, nullable=False, comment="The cause it belongs to."),
    sa.Column("traceparent", sa.Text, nullable=False, comment="W3C trace context of whoever asked for it."),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.CheckConstraint("amount_minor > 0", name="ck_attempts_amount_above_zero"),
    sa.CheckConstraint(
        "status IN ('PENDING', 'UNKNOWN', 'ACCEPTED', 'ACTION_REQUIRED', 'APPROVED', 'DECLINED', 'REVERSED')",
        name="ck_attempts_status_is_known",
    ),
    sa.CheckConstraint("(operation = 'refund') = (refund_id IS NOT NULL)", name="ck_attempts_refund"),
    sa.Index("ix_attempts_payment_intent", "payment_intent_id", "tenant_id"),
    sa.Index("ix_attempts_open", "next_ask_at", postgresql_where=OPEN),
    # Nearly empty, and of columns that never change: what becomes of an attempt changes others of its indexes anyway.
    sa.Index(
        "ix_attempts_unknown",
        *("tenant_id", "created_at", "id"),
        postgresql_where=sa.text(f"status = 'UNKNOWN' OR ({OPEN.text} AND next_ask_at IS NULL)"),
    ),
    sa.Index(
        "ix_attempts_again",
        "next_ask_at",
        postgresql_where=sa.text("operation = 'authorize' AND number > 0 AND status = 'PENDING'"),
    ),
    sa.Index("ix_attempts_expires", "expires_at", postgresql_where=sa.text("expires_at IS NOT NULL")),
    # Only what other processors carry out: the sandbox never reports anything by its own reference alone.
    sa.Index(
        "ix_attempts_gateway_ref",
        "gateway_ref",
        postgresql_where=sa.text("operation = 'authorize' AND processor <> 'sandbox'"),
    ),
    # What the processor calls a refund: as its outcome, which changes other indexes too.
    sa.Index(
        "ix_attempts_refund_ref",
        *("tenant_id", "result_ref"),
        postgresql_where=sa.text("operation = 'refund' AND result_ref <> ''"),
    ),
    # Every attempt is updated once, soon after its insert: room on the page keeps the new version near the old one.
    postgresql_with={"fillfactor": "85"},
)

DISPUTES = sa.Table(
    "disputes",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose payment it is."),
    sa.Column("id", pg.UUID, nullable=False, comment="Derived from the processor's reference of the dispute."),
    sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The disputed payment."),
    sa.Column("processor", sa.Text, nullable=False, comment="Who told us."),
    sa.Column("gateway_ref", sa.Text, nullable=False, comment="The processor's reference of the dispute."),
    sa.Column("state", sa.Text, nullable=False, comment="How far it is: open, won, lost, inquiry, inquiry_closed."),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="The disputed amount in minor units."),
    sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
    sa.Column("reason", sa.Text, nullable=False, comment="The bank's reason, as a word."),
    sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="When, in the processor's words."),
    sa.Column("evidence_due_at", sa.DateTime(timezone=True), comment="Until when the merchant may answer."),
    sa.Column(
        "decided_at", sa.DateTime(timezone=True), comment="When it was won, lost, or closed; NULL while it is open."
    ),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
    sa.Column(
        "reversals",
        sa.SmallInteger,
        nullable=False,
        server_default=sa.text("0"),
        comment="How often the bank has reversed its decision.",
    ),
    sa.PrimaryKeyConstraint("id", "tenant_id"),
    sa.CheckConstraint("amount_minor > 0", name="ck_disputes_amount_above_zero"),
    sa.CheckConstraint("state IN ('open', 'won', 'lost', 'inquiry', 'inquiry_closed')", name="ck_disputes_state"),
    sa.Index("ix_disputes_payment_intent", "payment_intent_id", "tenant_id"),
    sa.Index("ix_disputes_gateway_ref", "tenant_id", "gateway_ref"),
)

SANDBOX_PAYMENTS = sandbox_payments_table(METADATA)
CIRCUITS = circuits_table(METADATA)
GATEWAY_CONFIGS = configs_table(METADATA)
STRIPE_ACCOUNTS = stripe_accounts_table(METADATA)
PROCESSOR_ACCOUNTS = processor_accounts_table(METADATA)

STRIPE_EVENTS = sa.Table(
    "stripe_events",
    METADATA,
    sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose account sent it; the platform's own for its own."),
    sa.Column("processor", sa.Text, nullable=False, comment="The account: stripe, or stripe:<configuration>."),
    sa.Column("id", sa.Text, nullable=False, comment="Stripe's id of the event."),
    sa.Column("type", sa.Text, nullable=False, comment="Stripe's name for what happened."),
    sa.Column(
        "status", sa.Text, nullable=False, comment="RECEIVED, HANDLED, IGNORED, UNMATCHED, CONTRADICTED or FAILED."
    ),
    sa.Column(
        "reason", sa.Text, nullable=False, server_default="", comment="Why it was not simply handled, as a word."
    ),
    sa.Column("payment_intent_id", pg.UUID, comment="The payment that it is about, where we know it."),
    sa.Column("body", sa.Text, nullable=False, comment="The event exactly as it came, signature verified."),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0", comment="How often it was worked on."),
    sa.Column("next_try_at", sa.DateTime(timezone=True), comment="From when on it may be worked on; NULL once done."),
    sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False, comment="When, in Stripe's words."),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="When it first came."),
    sa.Column("handled_at", sa.DateTime(timezone=True), comment="When it was last worked on."),
    sa.PrimaryKeyConstraint("id", "processor", "tenant_id"),
    sa.CheckConstraint(
        "status IN ('RECEIVED', 'HANDLED', 'IGNORED', 'UNMATCHED', 'CONTRADICTED', 'FAILED')",
        name="ck_stripe_events_status",
    ),
    # The queue: whoever claims visits one account after the other and takes what is due, oldest first.
    sa.Index(
        "ix_stripe_events_waiting",
        "tenant_id",
        "processor",
        "next_try_at",
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    ),
    sa.Index("ix_stripe_events_tenant", "tenant_id", "received_at"),
    # By which old ones are found; those that fit nothing are kept for good.
    sa.Index(
        "ix_stripe_events_done",
        "received_at",
        postgresql_where=sa.text("next_try_at IS NULL AND status IN ('HANDLED', 'IGNORED')"),
    ),
    # By which what an operator must know of is counted, without reading what is done.
    sa.Index(
        "ix_stripe_events_kept",
        "status",
        postgresql_where=sa.text("status IN ('UNMATCHED', 'CONTRADICTED', 'FAILED')"),
    ),
    postgresql_with={"fillfactor": "85"},
)

PROCESSOR_MOVEMENTS = movements_table(METADATA)
PROCESSOR_PAYOUTS = payouts_table(METADATA)
PROCESSOR_OPENINGS = openings_table(METADATA)
PROCESSOR_BALANCES = balances_table(METADATA)
PROCESSOR_SUMS = sums_table(METADATA)
PROCESSOR_READINGS = readings_table(METADATA)
RECONCILIATION_RUNS = reconciliation.runs_table(METADATA)
DISCREPANCIES = reconciliation.discrepancies_table(METADATA)
DISCREPANCY_CHANGES = reconciliation.changes_table(METADATA)
RECONCILIATION_MATCHES = reconciliation.matches_table(METADATA)
DISCREPANCY_REPAIRS = reconciliation.repairs_table(METADATA)
CARRIED_BALANCES = carried_table(METADATA)
RECONCILIATION_TURNS, RECONCILIATION_POSTED = reconciliation.progress_tables(METADATA)
RECONCILIATION_PERIODS = reconciliation.periods_table(METADATA)
RECONCILIATION_SEALS = reconciliation.seals_table(METADATA)
PROCESSOR_CUSTOMERS = processor_customers_table(METADATA)
PAYMENT_SETUPS = payment_setups_table(METADATA)
SAVED_METHODS = saved_methods_table(METADATA)
IMPORT_SOURCES = imports.sources_table(METADATA)
FILE_IMPORTS = imports.imports_table(METADATA)
IMPORT_PIECES = imports.pieces_table(METADATA)
IMPORT_ROWS = imports.rows_table(METADATA)
STATEMENT_LINES = imports.lines_table(METADATA)
BANK_STATEMENTS = imports.statements_table(METADATA)
MATCHING = matching_tables(METADATA)

OUTBOX = outbox_table(METADATA)
OUTBOX_REFUSED = outbox_refused_table(METADATA)
OUTBOX_PUBLISHED = published_table(METADATA)
OPERATOR_ACTIONS = operator_actions_table(METADATA)
INBOX = inbox_table(METADATA)
PARTITION_RULES = rules_table(METADATA)
