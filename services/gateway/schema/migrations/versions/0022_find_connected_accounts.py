"""The configurations of a connected account are found by an index: each event at the platform's address names one."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Build the index while configurations are added."""
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_gateway_configs_connected")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_gateway_configs_connected ON gateway_configs (connected_account) "
            "WHERE connected_account <> ''"
        )
