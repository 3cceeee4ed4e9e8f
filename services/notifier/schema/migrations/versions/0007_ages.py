"""What is deleted by age row by row is found by an index, built beside the writers: old rows of default partitions, replays.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEXES = (
    ("messages_default_age", "messages_default (created_at)"),
    ("deliveries_default_age", "deliveries_default (created_at)"),
    ("attempts_default_age", "attempts_default (attempted_at)"),
    ("ix_replays_ended", "replays (ended_at) WHERE status <> 'RUNNING'"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for name, definition in _INDEXES:
            # What an interrupted run left behind is not valid.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    raise NotImplementedError("indexes are not taken back; write a new migration")
