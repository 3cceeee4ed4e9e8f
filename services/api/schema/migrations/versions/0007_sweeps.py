"""Payments that wait for another service: found by age, and what was published for them again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WAITING = (
    "status = 'PROCESSING' OR (status = 'REQUIRES_ACTION' AND is_voiding) OR (status = 'AUTHORIZED' AND "
    "(capture_method = 'automatic' OR capturing_minor > 0 OR captured_minor > 0 OR is_voiding))"
)
_INDEXES = {
    "ix_payment_intents_waiting": f"payment_intents (updated_at) WHERE {_WAITING}",
    "ix_refunds_pending": "refunds (updated_at) WHERE status = 'PENDING'",
}


def upgrade() -> None:
    # First, and each from the beginning where an earlier run was interrupted: payments go on meanwhile.
    with op.get_context().autocommit_block():
        for name, definition in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
    op.create_table(
        "sweeps",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose it is."),
        sa.Column("subject_id", pg.UUID(), nullable=False, comment="The payment intent or the refund that waits."),
        sa.Column("version", sa.Integer(), nullable=False, comment="The intent's when it was swept; 0 for a refund."),
        sa.Column("repeats", sa.Integer(), nullable=False, comment="How often its command was published again."),
        sa.Column(
            "next_at", sa.DateTime(timezone=True), nullable=False, comment="Not published again before this instant."
        ),
        sa.PrimaryKeyConstraint("subject_id", "tenant_id"),
        sa.Index("ix_sweeps_next_at", "next_at"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON sweeps TO api_app")


def downgrade() -> None:
    op.drop_table("sweeps")
    for name in _INDEXES:
        op.execute(f"DROP INDEX {name}")
