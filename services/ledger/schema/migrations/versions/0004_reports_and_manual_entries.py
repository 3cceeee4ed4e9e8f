"""Reports from a materialized view, entries that people make, and proposals that somebody else decides about.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")

_ROLE_ACCOUNTS = """
CREATE VIEW role_accounts AS
SELECT tenant_id, code AS role, id AS account_id FROM accounts WHERE is_default
UNION
SELECT tenant_id, role, account_id FROM role_changes
"""

# A quarter of an hour is the longest piece that never straddles midnight in any time zone: every offset in use is a
# multiple of it. Reports are put together from whole pieces, and exactly at their edges from the postings themselves.
_ACCOUNT_TURNOVER = """
CREATE MATERIALIZED VIEW account_turnover AS
SELECT tenant_id, account_id, currency,
       date_bin('15 minutes', posted_at, TIMESTAMPTZ '1970-01-01 00:00:00+00') AS quarter_at,
       coalesce(sum(amount_minor) FILTER (WHERE side = 'DEBIT'), 0)::int8 AS debits_minor,
       coalesce(sum(amount_minor) FILTER (WHERE side = 'CREDIT'), 0)::int8 AS credits_minor,
       max(debits_after_minor) AS debits_after_minor,
       max(credits_after_minor) AS credits_after_minor,
       max(posted_at) AS posted_last_at
  FROM postings
 GROUP BY tenant_id, account_id, currency, quarter_at
"""

# The runtime role may call this and nothing else: only the owner may refresh, and the owner also owns the books. One
# process at a time: the others find the lock taken, or the views fresh enough, and go on with their work.
_REFRESH = """
CREATE FUNCTION refresh_reports(age_max interval) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    began_at timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.refresh_reports')) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM report_refreshes WHERE refreshed_at > clock_timestamp() - age_max) THEN
        RETURN NULL;
    END IF;
    began_at := clock_timestamp();
    REFRESH MATERIALIZED VIEW CONCURRENTLY account_turnover;
    INSERT INTO report_refreshes (refreshed_at, finished_at) VALUES (began_at, clock_timestamp());
    DELETE FROM report_refreshes WHERE refreshed_at < began_at - interval '7 days';
    RETURN began_at;
END
$$
"""


def upgrade() -> None:
    _create_reports()
    _create_manual_entries()
    _create_proposals()


def _create_reports() -> None:
    op.execute(_ROLE_ACCOUNTS)
    op.execute("COMMENT ON VIEW role_accounts IS 'Which accounts play which role in the posting rules.'")
    op.execute(_ACCOUNT_TURNOVER)
    op.execute(
        "COMMENT ON MATERIALIZED VIEW account_turnover IS "
        "'What each account turned over in each quarter of an hour (UTC), and what it held at its end.'"
    )
    # Refreshing beside readers needs a unique key; this one also answers every question.
    op.execute(
        "CREATE UNIQUE INDEX uq_account_turnover ON account_turnover (tenant_id, account_id, currency, quarter_at)"
    )
    op.create_table(
        "report_refreshes",
        sa.Column(
            "refreshed_at",
            _INSTANT,
            nullable=False,
            comment="When it began, by the database's clock; everything committed before is in the reports.",
        ),
        sa.Column("finished_at", _INSTANT, nullable=False, comment="When it was done."),
        comment="Each refresh of the report views of the last seven days.",
    )
    op.create_index("ix_report_refreshes_refreshed_at", "report_refreshes", ["refreshed_at"])
    op.execute("INSERT INTO report_refreshes VALUES (clock_timestamp(), clock_timestamp())")
    op.execute(_REFRESH)
    op.execute("REVOKE ALL ON FUNCTION refresh_reports(interval) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION refresh_reports(interval) TO ledger_app")
    op.execute("GRANT SELECT ON role_accounts, account_turnover, report_refreshes TO ledger_app")


def _create_manual_entries() -> None:
    op.create_table(
        "manual_entries",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books it stands in."),
        sa.Column("entry_id", pg.UUID, nullable=False, comment="The journal entry."),
        sa.Column("description", sa.Text, nullable=False, comment="Why it was made, 1 to 500 characters."),
        sa.Column("made_by", sa.Text, nullable=False, comment="Who made it: a subject."),
        sa.Column(
            "approved_by", sa.Text, nullable=True, comment="Who approved it: another subject; NULL where nobody had to."
        ),
        sa.Column("proposal_id", pg.UUID, nullable=True, comment="The proposal it comes from, where there is one."),
        sa.PrimaryKeyConstraint("tenant_id", "entry_id", name="pk_manual_entries"),
        sa.CheckConstraint("approved_by <> made_by", name="ck_manual_entries_two_people"),
        comment="Who made which journal entry by hand and why; written with it, never changed or removed.",
    )
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON manual_entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.create_table(
        "journal_requests",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose key it is."),
        sa.Column("key", _WORD, nullable=False, comment="The client's key, 1 to 255 visible ASCII characters."),
        sa.Column("fingerprint", pg.BYTEA, nullable=False, comment="SHA-256 of what was asked."),
        sa.Column("answer", sa.Text, nullable=False, comment="What became of its entries, as JSON."),
        sa.Column("answered_at", _INSTANT, nullable=False, comment="When it was answered."),
        sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_journal_requests"),
        comment="Calls that posted entries by hand, by idempotency key; kept as long as the entries, for ever.",
    )
    op.create_table(
        "journal_policies",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose policy it is."),
        sa.Column(
            "manual_entries_need_approval",
            sa.Boolean,
            nullable=False,
            comment="Whether entries that people make are posted only once somebody else approves.",
        ),
        sa.Column("changed_by", sa.Text, nullable=False, comment="Who changed it last: a subject."),
        sa.Column("changed_at", _INSTANT, nullable=False, comment="When it was changed last."),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_journal_policies"),
        comment="What tenants demand of entries that people make; without a row, nothing.",
    )
    op.execute("GRANT SELECT, INSERT ON manual_entries, journal_requests TO ledger_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON journal_policies TO ledger_app")


def _create_proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books it is about."),
        sa.Column("id", pg.UUID, nullable=False, comment="Derived from the tenant and the client's key."),
        sa.Column("status", _WORD, nullable=False, comment="open, approved or rejected."),
        sa.Column("reason", sa.Text, nullable=False, comment="Why it is proposed, 1 to 500 characters."),
        sa.Column(
            "entries", sa.Text, nullable=False, comment="What is proposed, as JSON, with the ids they will have."
        ),
        sa.Column("fingerprint", pg.BYTEA, nullable=False, comment="SHA-256 of what was asked."),
        sa.Column("made_by", sa.Text, nullable=False, comment="Who proposed it: a subject."),
        sa.Column("made_at", _INSTANT, nullable=False, comment="When it was proposed."),
        sa.Column("expires_at", _INSTANT, nullable=False, comment="Until then it can be decided."),
        sa.Column("decided_by", sa.Text, nullable=True, comment="Who decided: another subject."),
        sa.Column("decided_at", _INSTANT, nullable=True, comment="When it was decided."),
        sa.Column("decision_reason", sa.Text, nullable=True, comment="Why, where the one who decided says so."),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_proposals"),
        sa.CheckConstraint("status IN ('open', 'approved', 'rejected')", name="ck_proposals_status"),
        sa.CheckConstraint(
            "(status = 'open') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="ck_proposals_decided",
        ),
        sa.CheckConstraint("decided_by <> made_by", name="ck_proposals_two_people"),
        comment="Entries that one person wants and another one decides about.",
    )
    op.create_index("ix_proposals_made_at", "proposals", ["tenant_id", "made_at", "id"])
    op.execute("GRANT SELECT, INSERT ON proposals TO ledger_app")
    # What was proposed, by whom and when stays as it was said.
    op.execute("GRANT UPDATE (status, decided_by, decided_at, decision_reason) ON proposals TO ledger_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION refresh_reports(interval)")
    op.execute("DROP MATERIALIZED VIEW account_turnover")
    op.execute("DROP VIEW role_accounts")
    for table in ("proposals", "journal_policies", "journal_requests", "manual_entries", "report_refreshes"):
        op.drop_table(table)
