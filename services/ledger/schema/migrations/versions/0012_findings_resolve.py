"""Findings that resolve: what was found stays written, and so does that it was put right."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "finding_resolutions",
        sa.Column("invariant", sa.Text(), nullable=False, comment="The finding's."),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="The finding's."),
        sa.Column("subject", sa.Text(), nullable=False, comment="The finding's."),
        sa.Column(
            "resolved_at", sa.DateTime(timezone=True), nullable=False, comment="When it was first found to hold again."
        ),
        sa.PrimaryKeyConstraint("subject", "invariant", "tenant_id", name="pk_finding_resolutions"),
        comment="Findings of the comparison with the api that hold again; never changed or removed.",
    )
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON finding_resolutions "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON finding_resolutions TO ledger_app")


def downgrade() -> None:
    op.drop_table("finding_resolutions")
