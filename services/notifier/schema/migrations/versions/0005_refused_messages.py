"""What waits for a destination that refused it, beside the outbox.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox_refused",
        sa.Column(
            "seq",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Order of refusal.",
        ),
        sa.Column(
            "destination",
            sa.Text(),
            nullable=False,
            comment="The queue, or payments.x; empty: all that the contract names.",
        ),
        sa.Column("event_id", pg.UUID(), nullable=False, comment="The message's id for ever."),
        sa.Column("contract", sa.Text(), nullable=False, comment="Which contract: <kind>:<owner>:<name>."),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="The tenant it concerns; empty where there is none."),
        sa.Column("correlation_id", sa.Text(), nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text(), nullable=False, comment="W3C trace context of whoever published it."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("body", sa.Text(), nullable=False, comment="The body as JSON, exactly as it will be sent."),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="Refusals so far."),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False, comment="Not sent before this instant."),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_outbox_refused_due", "outbox_refused", ["destination", "available_at"])
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_refused TO notifier_app")


def downgrade() -> None:
    raise NotImplementedError("history is not taken back; write a new migration")
