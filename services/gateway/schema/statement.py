"""The tables of statements: what moved on accounts at processors, what they paid out, and how far each list was read."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


def movements_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what moved on accounts at processors."""
    return sa.Table(
        "processor_movements",
        metadata,
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("id", sa.Text, nullable=False, comment="The processor's reference: txn_..."),
        sa.Column("movement_id", pg.UUID, nullable=False, comment="Derived from the account and the reference."),
        sa.Column(
            "tenant_id", sa.Text, nullable=False, comment="In whose books it is: by its payment, else the owner's."
        ),
        sa.Column(
            "is_booked", sa.Boolean, nullable=False, comment="Whether it was published; false: of before booked_from."
        ),
        sa.Column(
            "is_opened",
            sa.Boolean,
            nullable=False,
            server_default="false",
            comment="Whether it is part of the opening balance, in which it was pending.",
        ),
        sa.Column("kind", sa.Text, nullable=False, comment="What moved, in our words."),
        sa.Column("type", sa.Text, nullable=False, comment="The same in the processor's words."),
        sa.Column("reporting_category", sa.Text, nullable=False, comment="The processor's category of it."),
        sa.Column(
            "source_ref", sa.Text, nullable=False, comment="What moved it: a charge, refund, dispute, payout; or empty."
        ),
        sa.Column(
            "payment_ref", sa.Text, nullable=False, comment="The processor's reference of the payment, or empty."
        ),
        sa.Column("charge_ref", sa.Text, nullable=False, comment="The processor's reference of the charge, or empty."),
        sa.Column("payment_intent_id", pg.UUID, comment="The payment of ours; NULL: it belongs to none."),
        sa.Column("refund_id", pg.UUID, comment="The refund that we requested; NULL: none of ours."),
        sa.Column(
            "amount_minor", sa.BigInteger, nullable=False, comment="Before fees, in minor units; below zero it left."
        ),
        sa.Column(
            "fee_minor", sa.BigInteger, nullable=False, comment="What was kept; below zero where it was given back."
        ),
        sa.Column("fee_details", pg.JSONB, nullable=False, comment="Its parts, as [kind, amount]."),
        sa.Column("net_minor", sa.BigInteger, nullable=False, comment="The amount less the fee."),
        sa.Column(
            "currency", sa.Text, nullable=False, comment="What the account settles in: ISO 4217 code, upper case."
        ),
        sa.Column(
            "exchange_rate",
            sa.Text,
            nullable=False,
            comment="The processor's, as a decimal; empty where there is none.",
        ),
        sa.Column(
            "source_amount_minor", sa.BigInteger, comment="The amount in the payment's currency, where it is another."
        ),
        sa.Column(
            "source_currency", sa.Text, nullable=False, comment="The payment's currency, where it is another; or empty."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When the processor booked it."),
        sa.Column(
            "available_at", sa.DateTime(timezone=True), nullable=False, comment="From when on it can be paid out."
        ),
        sa.Column("status", sa.Text, nullable=False, comment="pending or available; never back."),
        sa.Column(
            "payout_ref", sa.Text, nullable=False, server_default="", comment="The payout that it is part of, or empty."
        ),
        sa.Column("raw", sa.Text, nullable=False, comment="The balance transaction as it was last seen, as JSON."),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first seen."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.PrimaryKeyConstraint("account_id", "is_live", "id", name="pk_processor_movements"),
        sa.CheckConstraint("status IN ('pending', 'available')", name="ck_processor_movements_status"),
        sa.CheckConstraint("net_minor = amount_minor - fee_minor", name="ck_processor_movements_net"),
        # How far back the list must be read again, since what is pending becomes available.
        sa.Index(
            "ix_processor_movements_pending",
            "account_id",
            "is_live",
            "created_at",
            postgresql_where=sa.text("status = 'pending'"),
        ),
        # What moved for one payment: whether its money was given back twice.
        sa.Index(
            "ix_processor_movements_payment",
            "payment_intent_id",
            "tenant_id",
            postgresql_where=sa.text("payment_intent_id IS NOT NULL"),
        ),
        # By which a refund or a dispute finds the payment of its charge.
        sa.Index(
            "ix_processor_movements_ref",
            "payment_ref",
            postgresql_where=sa.text("payment_ref <> '' AND payment_intent_id IS NOT NULL"),
        ),
        sa.Index("ix_processor_movements_payout", "account_id", "is_live", "payout_ref", "id"),
        # What may have come after a balance was read, with which the movements are compared.
        sa.Index("ix_processor_movements_changed", "account_id", "is_live", "updated_at"),
        # What reconciliation compares: what moved for a tenant in a window.
        sa.Index("ix_processor_movements_window", "tenant_id", "created_at"),
        # What became known long after it happened, which no window of the schedule reaches by its time.
        sa.Index(
            "ix_processor_movements_late",
            "tenant_id",
            "seen_at",
            postgresql_where=sa.text("is_booked AND seen_at - created_at > interval '1 day'"),
        ),
        # Lines of the processor's reports name movements.
        sa.Index("ix_processor_movements_own", "tenant_id", "id"),
        # By which the processor's reference of a charge, a refund or a dispute leads to its payment.
        sa.Index(
            "ix_processor_movements_source",
            *("tenant_id", "source_ref"),
            postgresql_where=sa.text("source_ref <> '' AND payment_intent_id IS NOT NULL"),
        ),
        # What moved for a tenant, for a range of payments, and for what belongs to none.
        sa.Index(
            "ix_processor_movements_range",
            "tenant_id",
            "payment_intent_id",
            postgresql_where=sa.text("payment_intent_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_processor_movements_loose",
            "tenant_id",
            "movement_id",
            postgresql_where=sa.text("payment_intent_id IS NULL"),
        ),
        comment="Each balance transaction of an account at a processor, once, whoever saw it.",
    )


def openings_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what stood on accounts already when they were added."""
    return sa.Table(
        "processor_openings",
        metadata,
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column("movement_id", pg.UUID, nullable=False, comment="Under which it is published, as a movement is."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="In whose books it is: the account's owner."),
        sa.Column("pending_minor", sa.BigInteger, nullable=False, comment="What could not be paid out yet."),
        sa.Column("available_minor", sa.BigInteger, nullable=False, comment="What could be."),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="When the balance was read."),
        sa.PrimaryKeyConstraint("account_id", "is_live", "currency", name="pk_processor_openings"),
        comment="What an account had of a currency that no booked movement has brought, once.",
    )


def balances_table(metadata: sa.MetaData) -> sa.Table:
    """Describe how far balances at processors are from the books."""
    return sa.Table(
        "processor_balances",
        metadata,
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column(
            "total_off_minor",
            sa.BigInteger,
            nullable=False,
            comment="What the processor has beyond the books, at least, since total_off_since; 0: they agree.",
        ),
        sa.Column(
            "total_off_since", sa.DateTime(timezone=True), comment="Since when, without a break; NULL: they agree."
        ),
        sa.Column(
            "available_off_minor", sa.BigInteger, nullable=False, comment="The same of what can be paid out alone."
        ),
        sa.Column("available_off_since", sa.DateTime(timezone=True), comment="Since when, without a break."),
        sa.Column(
            "compared_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the balance was read by which that was last certain of the total.",
        ),
        sa.Column(
            "available_compared_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
            comment="The same of what can be paid out.",
        ),
        sa.PrimaryKeyConstraint("account_id", "is_live", "currency", name="pk_processor_balances"),
        comment="How far the balance of an account at the processor is from what is booked of it.",
    )


def sums_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what is booked of accounts at processors."""
    return sa.Table(
        "processor_sums",
        metadata,
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column(
            "total_minor",
            sa.BigInteger,
            nullable=False,
            comment="What the opening balance and all booked movements come to, in minor units.",
        ),
        sa.Column("available_minor", sa.BigInteger, nullable=False, comment="What of that can be paid out."),
        sa.PrimaryKeyConstraint("account_id", "is_live", "currency", name="pk_processor_sums"),
        # Rows of accounts that are in use are written all the time.
        postgresql_with={"fillfactor": "50"},
        comment="What is booked of each account and currency, written in the transaction that records what moved.",
    )


def payouts_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what accounts at processors have paid out."""
    return sa.Table(
        "processor_payouts",
        metadata,
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("id", sa.Text, nullable=False, comment="The processor's reference: po_..."),
        sa.Column("payout_id", pg.UUID, nullable=False, comment="Derived from the tenant and the reference."),
        sa.Column(
            "tenant_id", sa.Text, nullable=False, comment="In whose books it is: the account's owner when it was seen."
        ),
        sa.Column(
            "amount_minor", sa.BigInteger, nullable=False, comment="In minor units; below zero the bank is debited."
        ),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column("status", sa.Text, nullable=False, comment="In the processor's words; it only goes on, never back."),
        sa.Column(
            "bank", sa.Text, nullable=False, comment="What was published of the bank: nothing, arrived, returned."
        ),
        sa.Column("is_automatic", sa.Boolean, nullable=False, comment="Made by the processor's own schedule."),
        sa.Column("reconciliation_status", sa.Text, nullable=False, comment="Whether its movements are known there."),
        sa.Column("is_matched", sa.Boolean, nullable=False, comment="Whether its movements bear its reference here."),
        sa.Column("arrives_at", sa.DateTime(timezone=True), nullable=False, comment="When it arrives, or should."),
        sa.Column("movement_ref", sa.Text, nullable=False, comment="The movement that took it, or empty."),
        sa.Column(
            "failure_movement_ref", sa.Text, nullable=False, comment="The movement that brought it back, or empty."
        ),
        sa.Column("original_ref", sa.Text, nullable=False, comment="The payout that it takes back, or empty."),
        sa.Column("reversed_by", sa.Text, nullable=False, comment="The payout that takes it back, or empty."),
        sa.Column("trace_id", sa.Text, nullable=False, comment="What the bank shows of it, or empty."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made."),
        sa.Column("raw", sa.Text, nullable=False, comment="The payout as it was last seen, as JSON."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.PrimaryKeyConstraint("account_id", "is_live", "id", name="pk_processor_payouts"),
        sa.CheckConstraint("bank IN ('nothing', 'arrived', 'returned')", name="ck_processor_payouts_bank"),
        # Which payouts arrive when, and which of them a line of a bank can be.
        sa.Index("ix_processor_payouts_arrival", "tenant_id", "arrives_at", "payout_id"),
        sa.Index("ix_processor_payouts_amount", "tenant_id", "currency", "amount_minor", "arrives_at"),
        # Which of them a text names, however it writes their references.
        sa.Index("ix_processor_payouts_plain", "tenant_id", sa.text("plain_reference(id)")),
        sa.Index(
            "ix_processor_payouts_plain_trace",
            "tenant_id",
            sa.text("plain_reference(trace_id)"),
            postgresql_where=sa.text("trace_id <> ''"),
        ),
        comment="Each payout of an account at a processor, once, whoever saw it.",
    )


def readings_table(metadata: sa.MetaData) -> sa.Table:
    """Describe how far each list of an account was read."""
    return sa.Table(
        "processor_readings",
        metadata,
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column(
            "list",
            sa.Text,
            nullable=False,
            comment="Which list is read: movements, payouts, events, refunds, disputes.",
        ),
        sa.Column(
            "since", sa.DateTime(timezone=True), comment="How far back the round in progress reads; NULL: none is."
        ),
        sa.Column("cursor", sa.Text, nullable=False, server_default="", comment="From where its next page goes on."),
        sa.Column("began_at", sa.DateTime(timezone=True), comment="When the round in progress began."),
        sa.Column("complete_until", sa.DateTime(timezone=True), comment="When the last complete round began."),
        sa.Column("deep_at", sa.DateTime(timezone=True), comment="When the last round began that read far back."),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, comment="From when on anybody may read it."),
        sa.Column(
            "turn",
            sa.BigInteger,
            nullable=False,
            server_default="0",
            comment="Who reads it: whose lease ended saves nothing.",
        ),
        sa.Column(
            "failures", sa.Integer, nullable=False, server_default="0", comment="Pages in a row that could not be had."
        ),
        sa.Column(
            "is_whole",
            sa.Boolean,
            nullable=False,
            server_default="true",
            comment="Whether all could be understood since the last round began that read far back.",
        ),
        sa.PrimaryKeyConstraint("account_id", "is_live", "list", name="pk_processor_readings"),
        sa.CheckConstraint(
            "list IN ('movements', 'payouts', 'events', 'refunds', 'disputes')", name="ck_processor_readings_list"
        ),
        sa.Index("ix_processor_readings_due", "next_at"),
        comment="How far each list of an account was read; one process at a time reads one.",
    )


def carried_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what moved on accounts before a day."""
    return sa.Table(
        "carried_balances",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose books."),
        sa.Column("day", sa.Date, nullable=False, comment="At the beginning of this day in UTC."),
        sa.Column("account_id", sa.Text, nullable=False, comment="The account at the processor: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column(
            "net_minor",
            sa.BigInteger,
            nullable=False,
            comment="What all booked movements came to that were of before, and known by the end of that day.",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "day", "account_id", "is_live", "currency", name="pk_carried_balances"),
        comment="What moved on each account before a day, without its opening balance; never changed.",
    )
