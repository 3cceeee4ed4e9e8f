"""Messages, deliveries and attempts are looked after like the inbox: rows of a time without a partition move into it.

Nothing is locked. An earlier process that still runs logs once an hour that `keep_history` is gone.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As their default partition has them since 0001: each row of deliveries is written three times within seconds.
_BUSY = (
    "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, "
    "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0"
)
_TABLES = (("messages", "created_at", ""), ("deliveries", "created_at", _BUSY), ("attempts", "attempted_at", ""))


def upgrade() -> None:
    for table, age, options in _TABLES:
        op.execute(
            "INSERT INTO partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young, options) "  # noqa: S608 - constants
            f"VALUES ('{table}', 'month', 'event_id', '{age}', 30, false, '{options}')"
        )
    op.execute("DROP FUNCTION keep_history(integer)")
    op.execute("GRANT DELETE ON replays TO notifier_app")


def downgrade() -> None:
    raise NotImplementedError("history is not taken back; write a new migration")
