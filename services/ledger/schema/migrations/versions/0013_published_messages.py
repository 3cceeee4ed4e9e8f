"""What was published lately, in partitions by day, so that it can be published again.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from libs.common.db import partition_sql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox_published",
        sa.Column("batch_id", pg.UUID(), nullable=False, comment="UUIDv7 of the relay's round: when it was published."),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="Its place in the outbox."),
        sa.Column("event_id", pg.UUID(), nullable=False, comment="The message's id for ever."),
        sa.Column("contract", sa.Text(), nullable=False, comment="Which contract: <kind>:<owner>:<name>."),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="The tenant it concerns; empty where there is none."),
        sa.Column("correlation_id", sa.Text(), nullable=False, comment="The cause it belongs to."),
        sa.Column("traceparent", sa.Text(), nullable=False, comment="W3C trace context of whoever published it."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("body", sa.Text(), nullable=False, comment="The body as JSON, exactly as it was sent."),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was published.",
        ),
        sa.PrimaryKeyConstraint("batch_id", "seq"),
    )
    # It is empty: it becomes a partitioned table without a row to check.
    partition_sql.convert(op.execute, partition_sql.PUBLISHED, schema="ledger")


def downgrade() -> None:
    raise NotImplementedError("history is not taken back; write a new migration")
