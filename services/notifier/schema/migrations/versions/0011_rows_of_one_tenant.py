"""Row-level security: a request of a tenant runs as a role of its own, which sees the rows of that tenant and no others."""

from alembic import op

revision = "0011"
down_revision = "0010"

_TABLES = (
    "attempts",
    "deliveries",
    "endpoint_gates",
    "messages",
    "outbox",
    "outbox_published",
    "outbox_refused",
    "replays",
    "webhook_endpoints",
)
_RIGHTS = {
    "SELECT": "attempts, deliveries, endpoint_gates, messages, replays, webhook_endpoints",
    "INSERT": "deliveries, endpoint_gates, messages, replays, webhook_endpoints",
    "UPDATE": "deliveries, endpoint_gates, replays, webhook_endpoints",
}


def upgrade() -> None:
    """Add the policies of each table, then have them obeyed, its owner included; the runtime role stays unlimited.

    Each statement is a transaction of its own, so that no two tables are locked together. Where that is interrupted, it
    begins again; nobody is `notifier_requests` before the version that comes with it.
    """
    with op.get_context().autocommit_block():
        for right, tables in _RIGHTS.items():
            op.execute(f"GRANT {right} ON {tables} TO notifier_requests")
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            op.execute(f"DROP POLICY IF EXISTS service ON {table}")
            op.execute(f"DROP POLICY IF EXISTS tenant ON {table}")
            op.execute(f"CREATE POLICY service ON {table} TO notifier_owner, notifier_app USING (true)")
            op.execute(
                f"CREATE POLICY tenant ON {table} TO notifier_requests USING (tenant_id = current_setting('app.tenant', true))"
            )
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
