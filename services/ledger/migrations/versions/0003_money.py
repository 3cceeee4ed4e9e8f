"""Which account plays which role in the posting rules, as a history of changes.

Revision ID: 0003
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")


def upgrade() -> None:
    op.create_table(
        "role_changes",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose chart it changes."),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="The tenant's changes, numbered from 1."),
        sa.Column("role", _WORD, nullable=False, comment="The role in the posting rules: CASH."),
        sa.Column("account_id", pg.UUID, nullable=False, comment="The account that plays it from then on."),
        sa.Column("changed_at", _INSTANT, nullable=False, comment="When it was changed."),
        sa.Column("changed_by", sa.Text, nullable=False, comment="Who changed it."),
        sa.PrimaryKeyConstraint("tenant_id", "revision", name="pk_role_changes"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_role_changes_account"
        ),
        sa.CheckConstraint("revision > 0", name="ck_role_changes_revision"),
        comment="Who let which account play which role, and since when; never changed or removed. A role without a change "
        "is played by the platform's own account.",
    )
    op.create_index("ix_role_changes_role", "role_changes", ["tenant_id", "role", "revision"])
    op.execute("GRANT SELECT, INSERT ON role_changes TO ledger_app")


def downgrade() -> None:
    op.drop_table("role_changes")
