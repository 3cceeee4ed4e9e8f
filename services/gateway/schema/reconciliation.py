"""The tables of reconciliation: runs, what agrees, what does not, and what people did about it."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

_INSTANT = sa.DateTime(timezone=True)
UNSETTLED = sa.text("state IN ('open', 'assigned', 'pending', 'reopened')")
"""Discrepancies about which something is left to be done."""
ADJUSTED_ENTRIES = sa.text(
    "reason = 'adjusted' AND type <> 'DUPLICATE' AND aspect = 'entry' AND payment_intent_id IS NULL"
)
"""Entries of no payment that nothing had led to, and that an entry by hand stands for."""


def runs_table(metadata: sa.MetaData) -> sa.Table:
    """Describe runs."""
    return sa.Table(
        "reconciliation_runs",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7: minted by the api, or derived from its time."),
        sa.Column("requested_by", sa.Text, nullable=False, comment="Who requested it; empty: the schedule."),
        sa.Column("is_dry", sa.Boolean, nullable=False, comment="Whether it writes nothing down."),
        sa.Column("window_from", _INSTANT, nullable=False, comment="From when on it compares."),
        sa.Column("window_until", _INSTANT, nullable=False, comment="Until before when."),
        sa.Column("state", sa.Text, nullable=False, comment="running, complete or failed."),
        sa.Column("phase", sa.Text, nullable=False, comment="What it looks at: payments, older, movements, payouts."),
        sa.Column("cursor", sa.Text, nullable=False, server_default="", comment="How far it is in that; empty: begun."),
        sa.Column("progress", sa.Text, nullable=False, server_default="{}", comment="What it has counted, as JSON."),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0", comment="Steps in a row that failed."),
        sa.Column("reason", sa.Text, nullable=False, server_default="", comment="Why it was given up, or empty."),
        sa.Column("started_at", _INSTANT, nullable=False, comment="When it was begun: the time that it compares with."),
        sa.Column("ended_at", _INSTANT, comment="When it was complete or given up."),
        sa.Column("next_at", _INSTANT, comment="From when on a process may go on with it; NULL: it has ended."),
        sa.Column(
            "turn", sa.BigInteger, nullable=False, server_default="0", comment="Whose it is: a lease that ended."
        ),
        sa.Column("report", sa.Text, comment="Its report, as JSON, made when it was complete; NULL: it is not."),
        sa.PrimaryKeyConstraint("id", "tenant_id", name="pk_reconciliation_runs"),
        sa.CheckConstraint("state IN ('running', 'complete', 'failed')", name="ck_reconciliation_runs_state"),
        sa.CheckConstraint("window_from < window_until", name="ck_reconciliation_runs_window"),
        sa.Index("ix_reconciliation_runs_due", "next_at", postgresql_where=sa.text("next_at IS NOT NULL")),
        sa.Index("ix_reconciliation_runs_tenant", "tenant_id", "id"),
        comment="Each comparison of a window, with how far it is: it goes on from there after a crash.",
    )


def discrepancies_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what does not agree."""
    return sa.Table(
        "discrepancies",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("id", pg.UUID, nullable=False, comment="Derived from what it is about: the same in every run."),
        sa.Column("type", sa.Text, nullable=False, comment="What does not agree: MISSING_LOCAL."),
        sa.Column("subject_kind", sa.Text, nullable=False, comment="What it is about: payment, refund, movement."),
        sa.Column("subject", sa.Text, nullable=False, comment="Our id of that, or the processor's reference."),
        sa.Column("aspect", sa.Text, nullable=False, comment="Which sides differ: processor, book, fee, parts."),
        sa.Column("payment_intent_id", pg.UUID, comment="The payment, where it belongs to one."),
        sa.Column("gateway_ref", sa.Text, nullable=False, comment="The processor's reference, or empty."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code of the amounts."),
        sa.Column("expected_minor", sa.BigInteger, comment="What we have, in minor units; NULL: nothing."),
        sa.Column("actual_minor", sa.BigInteger, comment="What the other side has; NULL: nothing."),
        sa.Column("expected_status", sa.Text, nullable=False, comment="What we say it came to, or empty."),
        sa.Column("actual_status", sa.Text, nullable=False, comment="What the other side says, or empty."),
        sa.Column("detail", sa.Text, nullable=False, comment="The same in a sentence."),
        sa.Column("state", sa.Text, nullable=False, comment="open, assigned, pending, resolved, ignored or reopened."),
        sa.Column("assignee", sa.Text, nullable=False, server_default="", comment="Who looks at it, or empty."),
        sa.Column("reason", sa.Text, nullable=False, server_default="", comment="Why it was settled, or empty."),
        sa.Column("note", sa.Text, nullable=False, server_default="", comment="What was written with the last change."),
        sa.Column("found_at", _INSTANT, nullable=False, comment="When a run first found it."),
        sa.Column("seen_at", _INSTANT, nullable=False, comment="When a run last found it."),
        sa.Column("settled_at", _INSTANT, comment="When it was resolved or ignored."),
        sa.Column("run_id", pg.UUID, nullable=False, comment="The run that last found it."),
        sa.PrimaryKeyConstraint("id", "tenant_id", name="pk_discrepancies"),
        sa.CheckConstraint(
            "state IN ('open', 'assigned', 'pending', 'resolved', 'ignored', 'reopened')",
            name="ck_discrepancies_state",
        ),
        sa.CheckConstraint(
            "(settled_at IS NOT NULL) = (state IN ('resolved', 'ignored'))", name="ck_discrepancies_settled"
        ),
        sa.Index("ix_discrepancies_tenant", "tenant_id", "id"),
        sa.Index("ix_discrepancies_unsettled", "tenant_id", "id", postgresql_where=UNSETTLED),
        sa.Index("ix_discrepancies_adjusted", "tenant_id", "id", postgresql_where=ADJUSTED_ENTRIES),
        sa.Index("ix_discrepancies_payment", "payment_intent_id", "tenant_id"),
        sa.Index("ix_discrepancies_subject", "tenant_id", "subject_kind", "subject"),
        comment="Each fact on which two sides do not agree, once, however many runs have seen it.",
    )


def changes_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what was done about discrepancies."""
    return sa.Table(
        "discrepancy_changes",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("discrepancy_id", pg.UUID, nullable=False, comment="The discrepancy."),
        sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7: in the order of time."),
        sa.Column("state", sa.Text, nullable=False, comment="What it became."),
        sa.Column("actor", sa.Text, nullable=False, comment="Who did it; reconciliation: a run."),
        sa.Column("reason", sa.Text, nullable=False, comment="Why, as a word, or empty."),
        sa.Column("note", sa.Text, nullable=False, comment="Why, in their words, or empty."),
        sa.Column("changed_at", _INSTANT, nullable=False, comment="When."),
        sa.PrimaryKeyConstraint("discrepancy_id", "id", "tenant_id", name="pk_discrepancy_changes"),
        comment="Each step in the life of a discrepancy; only added to.",
    )


def matches_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what agrees."""
    return sa.Table(
        "reconciliation_matches",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("movement_id", pg.UUID, nullable=False, comment="The movement at the processor."),
        sa.Column("rule", sa.Text, nullable=False, comment="By which rule it belongs to its subject."),
        sa.Column("confidence", sa.SmallInteger, nullable=False, comment="In percent; 100: by reference and exactly."),
        sa.Column("subject_kind", sa.Text, nullable=False, comment="What it belongs to: payment, refund, dispute."),
        sa.Column("subject", sa.Text, nullable=False, comment="Our id of that, or the processor's reference."),
        sa.Column("entry_id", pg.UUID, comment="Its entry in the books; NULL: it has none, and needs none."),
        sa.Column(
            "run_id",
            pg.UUID,
            nullable=False,
            comment="The last run that saw that they agree, or one of the 30 days before it.",
        ),
        sa.Column("matched_at", _INSTANT, nullable=False, comment="When that run saw it."),
        sa.PrimaryKeyConstraint("movement_id", "tenant_id", name="pk_reconciliation_matches"),
        sa.CheckConstraint("confidence BETWEEN 1 AND 100", name="ck_reconciliation_matches_confidence"),
        comment="Each movement that agrees with what it belongs to and with the books; removed where it no longer does.",
    )


def periods_table(metadata: sa.MetaData) -> sa.Table:
    """Describe closed months."""
    return sa.Table(
        "reconciliation_periods",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("month", sa.Text, nullable=False, comment="Year and month in UTC: 2026-10."),
        sa.Column("ends_before", _INSTANT, nullable=False, comment="The first instant after it."),
        sa.Column("known_until", _INSTANT, nullable=False, comment="What became known later is not in its report."),
        sa.Column("closed_at", _INSTANT, nullable=False, comment="When it was closed."),
        sa.Column("closed_by", sa.Text, nullable=False, comment="Who closed it."),
        sa.Column("run_id", pg.UUID, nullable=False, comment="The run that has compared all of it."),
        sa.Column(
            "override_reason",
            sa.Text,
            nullable=False,
            comment="Why it was closed though discrepancies were open for too long, or a statement not known; empty: none was.",
        ),
        sa.Column("overridden", sa.Integer, nullable=False, comment="How many those were."),
        sa.Column("sha256", sa.Text, nullable=False, comment="Of what is sealed, in hexadecimal."),
        sa.Column("previous_sha256", sa.Text, nullable=False, comment="Of the month before; empty: it is the first."),
        sa.Column("sealed", sa.Text, nullable=False, comment="All of it with its report, as JSON, to the byte."),
        sa.PrimaryKeyConstraint("tenant_id", "month", name="pk_reconciliation_periods"),
        sa.CheckConstraint("overridden = 0 OR override_reason <> ''", name="ck_reconciliation_periods_overridden"),
        comment="Each closed month of a tenant, with its sealed report; never changed.",
    )


def seals_table(metadata: sa.MetaData) -> sa.Table:
    """Describe which month was closed last."""
    return sa.Table(
        "reconciliation_seals",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("month", sa.Text, nullable=False, comment="The month that was closed last."),
        sa.Column("sha256", sa.Text, nullable=False, comment="Of what is sealed of it, in hexadecimal."),
        sa.Column("months", sa.Integer, nullable=False, comment="How many months are closed, it included."),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_reconciliation_seals"),
        comment="Which month each tenant has closed last, so that its removal is seen.",
    )


def repairs_table(metadata: sa.MetaData) -> sa.Table:
    """Describe repairs."""
    return sa.Table(
        "discrepancy_repairs",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("discrepancy_id", pg.UUID, nullable=False, comment="The discrepancy."),
        sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7: in the order of time."),
        sa.Column("means", sa.Text, nullable=False, comment="What was done: publish, read or entry."),
        sa.Column("actor", sa.Text, nullable=False, comment="Who did it; reconciliation: by itself."),
        sa.Column(
            "proposal_id", pg.UUID, comment="The entries that are proposed in the ledger, where it waits for them."
        ),
        sa.Column("made_at", _INSTANT, nullable=False, comment="When."),
        sa.Column("next_at", _INSTANT, comment="When the proposal is looked at; NULL: nothing is waited for."),
        sa.Column("outcome", sa.Text, nullable=False, comment="What became of it; empty: it waits."),
        sa.PrimaryKeyConstraint("discrepancy_id", "id", "tenant_id", name="pk_discrepancy_repairs"),
        sa.CheckConstraint("means IN ('publish', 'read', 'entry')", name="ck_discrepancy_repairs_means"),
        sa.CheckConstraint("(proposal_id IS NOT NULL) = (means = 'entry')", name="ck_discrepancy_repairs_proposal"),
        sa.Index("ix_discrepancy_repairs_due", "next_at", postgresql_where=sa.text("next_at IS NOT NULL")),
        sa.Index(
            "ix_discrepancy_repairs_proposal",
            "proposal_id",
            "tenant_id",
            postgresql_where=sa.text("proposal_id IS NOT NULL"),
        ),
        comment="What was done about discrepancies beside deciding about them.",
    )


def progress_tables(metadata: sa.MetaData) -> tuple[sa.Table, sa.Table]:
    """Describe the turns of tenants, and what runs have yet to compare."""
    return _turns_table(metadata), _posted_table(metadata)


def _turns_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the turns of tenants."""
    return sa.Table(
        "reconciliation_turns",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("served_at", _INSTANT, nullable=False, comment="When one of its runs was last gone on with."),
        sa.Column("busy_until", _INSTANT, nullable=False, comment="Until when one of them belongs to a process."),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_reconciliation_turns"),
        comment="Each tenant that had runs, with its turn: one run of a tenant at a time, and all tenants in turn.",
    )


def _posted_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what runs have yet to compare."""
    return sa.Table(
        "reconciliation_posted",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose run."),
        sa.Column("run_id", pg.UUID, nullable=False, comment="The run that is to compare it."),
        sa.Column("payment_intent_id", pg.UUID, nullable=False, comment="The payment."),
        sa.PrimaryKeyConstraint("run_id", "payment_intent_id", "tenant_id", name="pk_reconciliation_posted"),
        comment="Older payments of which something was posted in the window of a run, until the run has compared them.",
    )
