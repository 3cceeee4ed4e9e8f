"""Row-level security: a request of a tenant runs as a role of its own, which sees the rows of that tenant and no others."""

from alembic import op

revision = "0035"
down_revision = "0034"

_OWN = "tenant_id = current_setting('app.tenant', true)"
_TABLES = {
    "api_keys": _OWN,
    "audit_log": _OWN,
    "customers": _OWN,
    "disputes": _OWN,
    # Those without a tenant hold for all that have none of their own.
    "feature_flags": f"tenant_id = '' OR {_OWN}",
    "idempotency_keys": _OWN,
    "orders": _OWN,
    "outbox": _OWN,
    "outbox_published": _OWN,
    "outbox_refused": _OWN,
    "payment_intent_events": _OWN,
    "payment_intents": _OWN,
    "refunds": _OWN,
    "sweeps": _OWN,
    "tenants": "id = current_setting('app.tenant', true)",
    # Operators who belong to no tenant are administered through that of the platform.
    "users": (
        f"{_OWN} OR (tenant_id IS NULL AND current_setting('app.tenant', true) = '00000000-0000-0000-0000-000000000001')"
    ),
}
_RIGHTS = {
    "SELECT": (
        "api_keys, audit_log, customers, disputes, feature_flags, idempotency_keys, payment_intent_events, payment_intents, "
        "permissions, policies, refunds, role_permissions, roles, tenants, users"
    ),
    "INSERT": (
        "api_keys, audit_log, customers, idempotency_keys, outbox, payment_intent_events, payment_intents, refunds, users"
    ),
    "UPDATE": "api_keys, customers, idempotency_keys, payment_intents, refunds, users",
    "DELETE": "idempotency_keys",
}


def upgrade() -> None:
    """Add the policies of each table, then have them obeyed, its owner included; the runtime role stays unlimited.

    Each statement is a transaction of its own, so that no two tables are locked together. Where that is interrupted, it
    begins again; nobody is `api_requests` before the version that comes with it.
    """
    with op.get_context().autocommit_block():
        # What changes for all tenants is published without one, also by a request of the platform's.
        op.execute("ALTER FUNCTION say_access_changed() SECURITY DEFINER SET search_path = api, pg_temp")
        for right, tables in _RIGHTS.items():
            op.execute(f"GRANT {right} ON {tables} TO api_requests")
        for table, own in _TABLES.items():
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            op.execute(f"DROP POLICY IF EXISTS service ON {table}")
            op.execute(f"DROP POLICY IF EXISTS tenant ON {table}")
            op.execute(f"CREATE POLICY service ON {table} TO api_owner, api_app USING (true)")
            op.execute(f"CREATE POLICY tenant ON {table} TO api_requests USING ({own})")
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
