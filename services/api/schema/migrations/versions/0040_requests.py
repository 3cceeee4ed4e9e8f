"""The log of requests: what a tenant's keys and users sent lately, and how it was answered; partitions by day."""

from alembic import op

revision = "0040"
down_revision = "0039"

_COLUMNS = {
    "tenant_id": ("text", "For whom it was."),
    "id": ("uuid", "UUIDv7 of when it was answered."),
    "answered_at": ("timestamptz", "When."),
    "method": ("text", "The method."),
    "route": ("text", "The path as it is documented; empty: no route was found."),
    "path": ("text", "As it was sent, without its query, 256 characters at most."),
    "status": ("smallint", "The HTTP status."),
    "code": ("text", "Of a problem its code; empty: none."),
    "duration_ms": ("integer", "From its headers to its answer."),
    "actor": ("text", "The subject of its token, or its API key."),
    "correlation_id": ("text", "The same on every log line and message."),
    "idempotency_key": ("text", "As it was sent; empty: none."),
    "address": ("text", "Where it came from."),
    "user_agent": ("text", "As it was sent, 256 characters at most."),
}


def upgrade() -> None:
    """Make the table, with the rows of one tenant for its requests."""
    columns = ", ".join(f"{name} {kind} NOT NULL" for name, (kind, _) in _COLUMNS.items())
    op.execute(f"CREATE TABLE logged_requests ({columns}, PRIMARY KEY (id, tenant_id)) PARTITION BY RANGE (id)")
    for name, (_, comment) in _COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN logged_requests.{name} IS '{comment}'")
    op.execute("CREATE TABLE logged_requests_default PARTITION OF logged_requests DEFAULT")
    op.execute("CREATE INDEX logged_requests_default_age ON logged_requests_default (answered_at)")
    op.execute("CREATE INDEX ix_logged_requests_tenant ON logged_requests (tenant_id, answered_at DESC, id DESC)")
    op.execute("CREATE INDEX ix_logged_requests_correlation ON logged_requests (tenant_id, correlation_id)")
    op.execute(
        "INSERT INTO partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young) "
        "VALUES ('logged_requests', 'day', 'id', 'answered_at', 1, false)"
    )
    op.execute("GRANT SELECT, INSERT ON logged_requests TO api_app")
    op.execute("GRANT SELECT ON logged_requests TO api_requests")
    op.execute("CREATE POLICY service ON logged_requests TO api_owner, api_app USING (true)")
    op.execute(
        "CREATE POLICY tenant ON logged_requests TO api_requests USING (tenant_id = current_setting('app.tenant', true))"
    )
    op.execute("ALTER TABLE logged_requests ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE logged_requests FORCE ROW LEVEL SECURITY")
