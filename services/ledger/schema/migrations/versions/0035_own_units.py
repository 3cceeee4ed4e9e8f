# ruff: noqa: S608 - put together from our own words
"""What amounts are in is written down: own units of tenants, and how many decimals each currency has in these books."""

from alembic import op

revision = "0035"
down_revision = "0034"

_TABLES = """
CREATE TABLE ledger.own_units (
    tenant_id text NOT NULL COLLATE pg_catalog."C",
    code character(3) NOT NULL COLLATE pg_catalog."C",
    exponent smallint NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    created_by text NOT NULL,
    CONSTRAINT pk_own_units PRIMARY KEY (tenant_id, code),
    CONSTRAINT ck_own_units_code CHECK (code ~ '^[A-Z]([A-Z][0-9]|[0-8][A-Z])$'),
    CONSTRAINT ck_own_units_exponent CHECK (
        exponent = CASE WHEN code ~ '[0-9]$' THEN right(code, 1)::integer ELSE 10 + substr(code, 2, 1)::integer END),
    CONSTRAINT ck_own_units_name CHECK (length(name) BETWEEN 1 AND 100)
);
CREATE TABLE ledger.currency_exponents (
    currency character(3) NOT NULL COLLATE pg_catalog."C",
    exponent smallint NOT NULL,
    CONSTRAINT pk_currency_exponents PRIMARY KEY (currency),
    CONSTRAINT ck_currency_exponents_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_currency_exponents_exponent CHECK (exponent BETWEEN 0 AND 4)
)
"""
_COMMENTS = {
    "TABLE ledger.own_units": "What each tenant counts beside money. Never changed or removed.",
    "COLUMN ledger.own_units.tenant_id": "Whose unit it is.",
    "COLUMN ledger.own_units.code": "Two capital letters and a digit, whose place says the decimals; no currency looks like it.",
    "COLUMN ledger.own_units.exponent": "How many decimals its amounts have, 0 to 18, as its code says.",
    "COLUMN ledger.own_units.name": "Its name for people, 1 to 100 characters.",
    "COLUMN ledger.own_units.created_at": "Since when the tenant has it.",
    "COLUMN ledger.own_units.created_by": "Who added it: a subject.",
    "TABLE ledger.currency_exponents": "How many decimals the amounts of each currency have in these books. Never changed or removed.",
    "COLUMN ledger.currency_exponents.currency": "ISO 4217 code, active or withdrawn.",
    "COLUMN ledger.currency_exponents.exponent": "How many decimals its amounts have, 0 to 4.",
}
_SEALED = {"own_units": "tenant_id,code", "currency_exponents": "currency"}
"""The key of each table, whose changes are sealed."""
_EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def upgrade() -> None:
    """Make the tables; a ledger of this version writes the decimals of the currencies when it starts."""
    for statement in _TABLES.split(";"):
        op.execute(statement)
    for what, comment in _COMMENTS.items():
        op.execute(f"COMMENT ON {what} IS '{comment}'")
    for table, keys in _SEALED.items():
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
        )
        for event, rows in _EVENTS.items():
            op.execute(
                f"CREATE TRIGGER seal_{event.lower()} AFTER {event} ON ledger.{table} REFERENCING {rows} TABLE AS changed_rows "
                "FOR EACH STATEMENT EXECUTE FUNCTION ledger.seal_changes()"
            )
        op.execute(
            f"INSERT INTO ledger.sealed_tables (subject, key_columns, digested, completed_at) "
            f"VALUES ('{table}', '{{{keys}}}', '', clock_timestamp())"
        )
        op.execute(f"GRANT SELECT, INSERT ON TABLE ledger.{table} TO ledger_app")
    op.execute("GRANT SELECT, INSERT ON TABLE ledger.own_units TO ledger_requests")
    op.execute("CREATE POLICY service ON ledger.own_units TO ledger_owner, ledger_app USING (true)")
    op.execute(
        "CREATE POLICY tenant ON ledger.own_units TO ledger_requests "
        "USING (tenant_id = current_setting('app.tenant', true))"
    )
    op.execute("ALTER TABLE ledger.own_units ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE ledger.own_units FORCE ROW LEVEL SECURITY")
