"""Orders that are over are deleted after a time: the oldest are found by when we first met them."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Build the index while orders are charged, and let the service delete rows."""
    op.execute("GRANT DELETE ON orders TO api_app")
    with op.get_context().autocommit_block():
        # One that was left half built by a lost connection is no index.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_orders_created")
        op.execute("CREATE INDEX CONCURRENTLY ix_orders_created ON orders (created_at)")
