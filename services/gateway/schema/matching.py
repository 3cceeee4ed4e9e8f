"""The tables of matching: the rules of each source, and which lines belong to which payouts and movements."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

_INSTANT = sa.DateTime(timezone=True)


def _rules_of_sources(metadata: sa.MetaData) -> sa.Table:
    """Describe how lines of a source find their other side."""
    return sa.Table(
        "matching_rules",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("source_id", pg.UUID, nullable=False, comment="The source whose lines they are for."),
        sa.Column("version", sa.Integer, nullable=False, comment="From 1; without any the defaults are in force."),
        sa.Column("position", sa.SmallInteger, nullable=False, comment="When its turn is, from 1."),
        sa.Column("compared_with", sa.Text, nullable=False, comment="payouts or movements; one in a version."),
        sa.Column("kind", sa.Text, nullable=False, comment="reference, exact, date_window, tolerance and so on."),
        sa.Column("window_days", sa.Integer, nullable=False, comment="Days before and after the arrival."),
        sa.Column("tolerance_minor", sa.BigInteger, nullable=False, comment="By how much amounts may differ."),
        sa.Column("parts_max", sa.Integer, nullable=False, comment="Of how many parts the other side may be."),
        sa.Column("confidence", sa.SmallInteger, nullable=False, comment="In percent."),
        sa.Column(
            "concerns", sa.Text, nullable=False, comment="Words of lines that must belong to something, as JSON."
        ),
        sa.Column("made_by", sa.Text, nullable=False, comment="Who put them in force."),
        sa.Column("made_at", _INSTANT, nullable=False, comment="When."),
        sa.PrimaryKeyConstraint("source_id", "version", "position", "tenant_id", name="pk_matching_rules"),
        sa.CheckConstraint("compared_with IN ('payouts', 'movements')", name="ck_matching_rules_compared_with"),
        sa.CheckConstraint("confidence BETWEEN 1 AND 100", name="ck_matching_rules_confidence"),
        comment="Versions of the rules of each source; only added to.",
    )


def _line_matches(metadata: sa.MetaData) -> sa.Table:
    """Describe what belongs together."""
    return sa.Table(
        "line_matches",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("id", pg.UUID, nullable=False, comment="Minted when it was matched."),
        sa.Column("rule", sa.Text, nullable=False, comment="The kind of the rule; by_hand: a person."),
        sa.Column("rule_version", sa.Integer, nullable=False, comment="Of the rules; 0: the defaults, or a person."),
        sa.Column("confidence", sa.SmallInteger, nullable=False, comment="In percent."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code of the amounts."),
        sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="What its lines come to."),
        sa.Column("difference_minor", sa.BigInteger, nullable=False, comment="That, less what the other side has."),
        sa.Column(
            "other_currency",
            sa.Text,
            nullable=False,
            server_default="",
            comment="That of the other side, or empty: the same.",
        ),
        sa.Column(
            "other_minor", sa.BigInteger, comment="What the other side has in it; NULL: it is the same currency."
        ),
        sa.Column("matched_by", sa.Text, nullable=False, comment="Who matched it; reconciliation: a run."),
        sa.Column("reason", sa.Text, nullable=False, comment="Why, in a person's words, or empty."),
        sa.Column("run_id", pg.UUID, comment="The run; NULL: a person."),
        sa.Column("matched_at", _INSTANT, nullable=False, comment="When."),
        sa.Column("unmatched_at", _INSTANT, comment="When it was taken apart; NULL: it is in force."),
        sa.Column("unmatched_by", sa.Text, nullable=False, server_default="", comment="By whom, or empty."),
        sa.Column("unmatch_reason", sa.Text, nullable=False, server_default="", comment="Why, or empty."),
        sa.PrimaryKeyConstraint("id", "tenant_id", name="pk_line_matches"),
        sa.CheckConstraint("confidence BETWEEN 1 AND 100", name="ck_line_matches_confidence"),
        sa.CheckConstraint("(other_currency = '') = (other_minor IS NULL)", name="ck_line_matches_other"),
        sa.Index("ix_line_matches_tenant", "tenant_id", "id"),
        sa.Index(
            "ix_line_matches_unmatched",
            "tenant_id",
            "unmatched_at",
            postgresql_where=sa.text("unmatched_at IS NOT NULL"),
        ),
        comment="Lines of statements with the payouts or movements that they belong to; what is taken apart stays.",
    )


def _match_parts(metadata: sa.MetaData) -> sa.Table:
    """Describe of what matches are made."""
    return sa.Table(
        "line_match_parts",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose."),
        sa.Column("match_id", pg.UUID, nullable=False, comment="The match."),
        sa.Column("side", sa.Text, nullable=False, comment="line, payout or movement."),
        sa.Column("part_id", pg.UUID, nullable=False, comment="The line, or our id of the payout or movement."),
        sa.Column("ref", sa.Text, nullable=False, comment="The processor's reference; empty for lines."),
        sa.Column(
            "scope",
            pg.UUID,
            nullable=False,
            comment="The source of a movement's line: each processor's report may have it once; else zero.",
        ),
        sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="What it came to."),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default="true", comment="Whether it is in force."),
        sa.PrimaryKeyConstraint("match_id", "side", "part_id", "tenant_id", name="pk_line_match_parts"),
        sa.CheckConstraint("side IN ('line', 'payout', 'movement')", name="ck_line_match_parts_side"),
        # Nothing is in two matches, whoever makes them.
        sa.Index(
            "uq_line_match_parts_active",
            "part_id",
            "side",
            "scope",
            "tenant_id",
            unique=True,
            postgresql_where=sa.text("is_active"),
        ),
        # What was taken apart, so that no run puts it together again.
        sa.Index("ix_line_match_parts_undone", "part_id", "tenant_id", postgresql_where=sa.text("NOT is_active")),
        comment="The lines, payouts and movements of each match.",
    )


def matching_tables(metadata: sa.MetaData) -> tuple[sa.Table, ...]:
    """Describe all of them."""
    return _rules_of_sources(metadata), _line_matches(metadata), _match_parts(metadata)
