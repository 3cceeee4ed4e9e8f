"""A tenant's books have a time zone, whose midnights end its periods."""

from alembic import op

revision = "0030"
down_revision = "0029"

_TABLE = """
CREATE TABLE ledger.calendars (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    revision bigint NOT NULL,
    zone text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_by text NOT NULL,
    CONSTRAINT pk_calendars PRIMARY KEY (tenant_id, revision),
    CONSTRAINT ck_calendars_revision CHECK (revision > 0)
)
"""
_COMMENTS = {
    "tenant_id": "Whose books.",
    "revision": "The tenant''s calendars, numbered from 1.",
    "zone": "IANA name of the time zone.",
    "changed_at": "Since when.",
    "changed_by": "Who chose it: a subject.",
}


def upgrade() -> None:
    """Make the table; without a row a tenant's calendar is that of UTC, as it was."""
    op.execute(_TABLE)
    op.execute(
        "COMMENT ON TABLE ledger.calendars IS "
        "'By which time zone each tenant''s books are kept: the highest revision is in force. Never changed or removed.'"
    )
    for column, comment in _COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN ledger.calendars.{column} IS '{comment}'")
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.calendars "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON TABLE ledger.calendars TO ledger_app")
