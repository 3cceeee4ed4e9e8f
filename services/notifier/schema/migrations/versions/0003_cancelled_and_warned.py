"""Replays that are cancelled, beside those that are done; when a tenant was warned of its endpoint's trouble.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column(
        "replays",
        "status",
        existing_type=sa.Text,
        existing_nullable=False,
        existing_comment="RUNNING or DONE.",
        comment="RUNNING, DONE or CANCELLED.",
    )
    op.alter_column(
        "replays",
        "ended_at",
        existing_type=sa.DateTime(timezone=True),
        existing_nullable=True,
        existing_comment="When everything was scheduled.",
        comment="When everything was scheduled, or when it was cancelled.",
    )
    op.add_column(
        "endpoint_gates",
        sa.Column("warned_at", sa.DateTime(timezone=True), comment="When the latest warning was given."),
    )
    # Those warned before there was this column: as if it had been now, so that nobody is switched off too soon.
    op.execute("UPDATE endpoint_gates SET warned_at = now() WHERE warnings > 0")
    op.create_check_constraint("ck_replays_status", "replays", "status IN ('RUNNING', 'DONE', 'CANCELLED')")


def downgrade() -> None:
    raise NotImplementedError("history is not taken back; write a new migration")
