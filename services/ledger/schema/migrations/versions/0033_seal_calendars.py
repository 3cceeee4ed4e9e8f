# ruff: noqa: S608 - put together from our own words
"""Calendars and what closed periods showed are sealed, too; what stands in a large table is sealed by so many pages at a time."""

from pathlib import Path

from alembic import op

from libs.common.db.migrate import run_script

revision = "0033"
down_revision = "0032"

_SEALED = {"calendars": "tenant_id,revision", "period_seals": "tenant_id,ends_before"}
"""The key of each table whose changes are sealed from now on."""
_EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def upgrade() -> None:
    """Make the triggers; the worker seals what stands in the tables."""
    run_script(Path(__file__).parents[1] / "functions_0033.sql")
    for table, keys in _SEALED.items():
        for event, rows in _EVENTS.items():
            op.execute(
                f"CREATE TRIGGER seal_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed_rows "
                "FOR EACH STATEMENT EXECUTE FUNCTION seal_changes()"
            )
        # Nothing stands in a table of new books.
        op.execute(
            f"INSERT INTO sealed_tables (subject, key_columns, digested, completed_at) SELECT '{table}', '{{{keys}}}', '', "
            f"CASE WHEN NOT EXISTS (SELECT FROM {table}) THEN clock_timestamp() END"
        )
