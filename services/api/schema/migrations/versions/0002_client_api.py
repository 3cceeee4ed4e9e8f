"""What the complete client API needs: the audit log by time, and the timeline of every payment intent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_log_created", "audit_log", ["tenant_id", sa.text("created_at DESC"), sa.text("id DESC")])
    op.create_table(
        "payment_intent_events",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose intent it happened to."),
        sa.Column("payment_intent_id", pg.UUID(), nullable=False, comment="The intent it happened to."),
        sa.Column("id", pg.UUID(), nullable=False, comment="The id of the message that tells it; UUIDv7."),
        sa.Column("type", sa.Text(), nullable=False, comment="What happened, as the message is called."),
        sa.Column("status", sa.Text(), nullable=False, comment="The intent's status from then on."),
        sa.Column("actor", sa.Text(), nullable=False, comment="Who made it happen: a subject, or a service of ours."),
        sa.Column("cause_id", pg.UUID(), nullable=True, comment="The message that was heard; none for a request."),
        sa.Column("correlation_id", sa.Text(), nullable=False, comment="The request that set it in motion."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When."),
        sa.PrimaryKeyConstraint("payment_intent_id", "id", "tenant_id"),
    )
    op.execute("GRANT SELECT, INSERT ON payment_intent_events TO api_app")


def downgrade() -> None:
    op.drop_table("payment_intent_events")
    op.drop_index("ix_audit_log_created", table_name="audit_log")
