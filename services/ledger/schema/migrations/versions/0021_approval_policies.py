"""What tenants let nobody do alone: rules instead of one switch, revision by revision, and changes that somebody else approves.

What was demanded of a tenant's people becomes its first policy, with one rule without conditions. Processes of the version
before go on to read the switch, and are refused to change it: what they wrote would be in no policy.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0021"
down_revision = "0020"

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")


def upgrade() -> None:
    """Make the tables, and move what is demanded."""
    op.create_table(
        "approval_policies",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose policy it is."),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="The tenant's policies, numbered from 1."),
        sa.Column("changed_by", sa.Text, nullable=False, comment="Who made it: a subject."),
        sa.Column(
            "approved_by", sa.Text, nullable=True, comment="Who approved it: another subject; NULL where nobody had to."
        ),
        sa.Column("changed_at", _INSTANT, nullable=False, comment="Since when."),
        sa.Column(
            "change_id", pg.UUID, nullable=True, comment="The change that it comes from; NULL: made by one switch."
        ),
        sa.PrimaryKeyConstraint("tenant_id", "revision", name="pk_approval_policies"),
        sa.CheckConstraint("revision > 0", name="ck_approval_policies_revision"),
        sa.CheckConstraint("approved_by <> changed_by", name="ck_approval_policies_two_people"),
        comment="What each tenant lets nobody do alone: the highest revision is in force. Never changed or removed.",
    )
    op.create_table(
        "approval_rules",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose policy it is of."),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="The policy that it is of."),
        sa.Column("rule_no", sa.SmallInteger, nullable=False, comment="Its place in the policy, from 1."),
        sa.Column("kind", _WORD, nullable=True, comment="manual, reversal, hold or conversion; NULL: each."),
        sa.Column("account_id", pg.UUID, nullable=True, comment="With a line on this account only; NULL: on any."),
        sa.Column(
            "role", _WORD, nullable=True, comment="With a line on an account that plays this role, or has, only."
        ),
        sa.Column(
            "thresholds",
            pg.JSONB,
            nullable=False,
            comment="From how many minor units of each currency on; one without counts from the first. Empty: any amount.",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "revision", "rule_no", name="pk_approval_rules"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "revision"],
            ["approval_policies.tenant_id", "approval_policies.revision"],
            name="fk_approval_rules_policy",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_approval_rules_account"
        ),
        sa.CheckConstraint("kind IN ('manual', 'reversal', 'hold', 'conversion')", name="ck_approval_rules_kind"),
        sa.CheckConstraint("account_id IS NULL OR role IS NULL", name="ck_approval_rules_account"),
        comment="What needs a second person by a policy: what any of its rules matches. Never changed or removed.",
    )
    op.create_table(
        "policy_changes",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose policy it is about."),
        sa.Column("id", pg.UUID, nullable=False, comment="Identifies it within the tenant."),
        sa.Column("status", _WORD, nullable=False, comment="open, applied or rejected."),
        sa.Column("reason", sa.Text, nullable=False, comment="Why it is proposed, 1 to 500 characters."),
        sa.Column(
            "follows", sa.BigInteger, nullable=False, comment="The revision that it was proposed to replace; 0: none."
        ),
        sa.Column("rules", sa.Text, nullable=False, comment="The rules that are proposed, as JSON."),
        sa.Column("made_by", sa.Text, nullable=False, comment="Who proposed it: a subject."),
        sa.Column(
            "responsible",
            sa.Text,
            nullable=False,
            server_default="",
            comment="Who made the API key that proposed it; empty: a person proposed it.",
        ),
        sa.Column("made_at", _INSTANT, nullable=False, comment="When it was proposed."),
        sa.Column("expires_at", _INSTANT, nullable=False, comment="Until then it can be decided."),
        sa.Column(
            "decided_by", sa.Text, nullable=True, comment="Who decided: another subject; NULL where nobody had to."
        ),
        sa.Column("decided_at", _INSTANT, nullable=True, comment="When it was decided, or applied at once."),
        sa.Column("decision_reason", sa.Text, nullable=True, comment="Why, where the one who decided gave a reason."),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_policy_changes"),
        sa.CheckConstraint("status IN ('open', 'applied', 'rejected')", name="ck_policy_changes_status"),
        sa.CheckConstraint("(status = 'open') = (decided_at IS NULL)", name="ck_policy_changes_decided"),
        sa.CheckConstraint("status <> 'rejected' OR decided_by IS NOT NULL", name="ck_policy_changes_rejected"),
        sa.CheckConstraint("decided_by <> made_by AND decided_by <> responsible", name="ck_policy_changes_two_people"),
        comment="Policies that one person wants and another one decides about, where the one in force demands anything.",
    )
    op.create_index("ix_policy_changes_made_at", "policy_changes", ["tenant_id", "made_at", "id"])
    for table in ("approval_policies", "approval_rules"):
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute("GRANT SELECT, INSERT ON approval_policies, approval_rules, policy_changes TO ledger_app")
    op.execute("GRANT UPDATE (status, decided_by, decided_at, decision_reason) ON policy_changes TO ledger_app")
    # Nobody changes the switch between here and the commit.
    op.execute("LOCK TABLE journal_policies IN SHARE ROW EXCLUSIVE MODE")
    op.execute("REVOKE INSERT, UPDATE ON journal_policies FROM ledger_app")
    op.execute(
        "INSERT INTO approval_policies (tenant_id, revision, changed_by, changed_at) "
        "SELECT tenant_id, 1, changed_by, changed_at FROM journal_policies"
    )
    op.execute(
        "INSERT INTO approval_rules (tenant_id, revision, rule_no, thresholds) "
        "SELECT tenant_id, 1, 1, '{}' FROM journal_policies WHERE manual_entries_need_approval"
    )
    op.execute(
        "COMMENT ON TABLE journal_policies IS "
        "'What tenants demanded of entries that people make; not read any more: approval_policies has it.'"
    )
