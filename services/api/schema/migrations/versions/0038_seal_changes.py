"""From now on each change of these tables is sealed in its transaction; a worker seals the rows that stand in them, as it finds them."""

from alembic import op

revision = "0038"
down_revision = "0037"

_LEFT_OUT = {"api_keys": "last_used_at"}
"""Columns whose change alone is not sealed: when a key was used last is written every minute."""
_TABLES = (
    *("tenants", "users", "roles", "permissions", "role_permissions", "policies", "feature_flags", "api_keys"),
    "operator_actions",
)


def upgrade() -> None:
    """Make the triggers, each in a transaction of its own, so that no two tables are locked together."""
    with op.get_context().autocommit_block():
        for table in _TABLES:
            differs = "OLD IS DISTINCT FROM NEW"
            if column := _LEFT_OUT.get(table):
                differs = f"to_jsonb(OLD) - '{column}' IS DISTINCT FROM to_jsonb(NEW) - '{column}'"
            for event, condition in (("INSERT", ""), ("UPDATE", f"WHEN ({differs}) "), ("DELETE", "")):
                op.execute(
                    f"CREATE OR REPLACE TRIGGER seal_{event.lower()} AFTER {event} ON api.{table} "
                    f"FOR EACH ROW {condition}EXECUTE FUNCTION api.seal_change()"
                )
