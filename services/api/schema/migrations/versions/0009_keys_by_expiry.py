"""Expired idempotency keys are found by an ordinary index, which is built beside the table's writers.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        # What an interrupted run left behind is not valid.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_idempotency_keys_expires_at")
        op.execute("CREATE INDEX CONCURRENTLY ix_idempotency_keys_expires_at ON idempotency_keys (expires_at)")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_idempotency_keys_expires")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    raise NotImplementedError("the index is not taken back; write a new migration")
