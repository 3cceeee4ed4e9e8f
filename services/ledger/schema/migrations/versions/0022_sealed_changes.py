# ruff: noqa: S608 - put together from our own words
"""What changes besides entries is sealed too: accounts, roles, periods, rates, who made entries, holds, policies, proposals.

Each statement that changes one of these tables appends a sealed record of each row, in its transaction. What stands there
already is sealed by a worker, a part at a time, as it is found.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from libs.common.db.migrate import run_script

revision = "0022"
down_revision = "0026"

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")

_SEALED = {
    "accounts": ("tenant_id,id", ""),
    "role_changes": ("tenant_id,revision", ""),
    "periods": ("tenant_id,ends_before", ""),
    "exchange_rates": ("tenant_id,from_currency,to_currency,effective_at", ""),
    "conversions": ("tenant_id,id", ""),
    "manual_entries": ("tenant_id,entry_id", ""),
    "holds": ("tenant_id,id", ""),
    "approval_policies": ("tenant_id,revision", ""),
    "approval_rules": ("tenant_id,revision,rule_no", ""),
    "policy_changes": ("tenant_id,id", ""),
    "proposals": ("tenant_id,id", "entries"),
    "operator_actions": ("id", "detail"),
}
"""The key of each table whose changes are sealed, and the long text of which the SHA-256 is."""
_EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def upgrade() -> None:
    """Make the tables, the functions and the triggers."""
    op.create_table(
        "change_chains",
        sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="Which of the chains."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="How many groups of changes it has."),
        sa.Column(
            "hash", pg.BYTEA, nullable=False, comment="The hash of its last group; 32 zero bytes before the first."
        ),
        comment="The heads of the chains of changes. A change takes any that is free.",
        postgresql_with={"fillfactor": "10"},
    )
    op.create_table(
        "change_groups",
        sa.Column("chain", sa.SmallInteger, nullable=False, comment="The chain that it is a link of."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="Its place in the chain, from 1, without gaps."),
        sa.Column("previous", pg.BYTEA, nullable=False, comment="The hash of the group before it in the chain."),
        sa.Column(
            "hash",
            pg.BYTEA,
            nullable=False,
            comment="SHA-256 of previous, chain, sequence, change_count and the seals of its changes by position.",
        ),
        sa.Column("change_count", sa.Integer, nullable=False, comment="How many rows the statement changed."),
        sa.Column("changed_at", _INSTANT, nullable=False, comment="When, by the database's clock."),
        sa.PrimaryKeyConstraint("chain", "sequence", name="pk_change_groups"),
        comment="One statement each that changed a sealed table: the links of the chains of changes. Never changed or removed.",
    )
    op.create_table(
        "sealed_changes",
        sa.Column("chain", sa.SmallInteger, nullable=False, comment="The chain that its group is a link of."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="Its group's place in the chain."),
        sa.Column("position", sa.Integer, nullable=False, comment="Its place in the group, from 1, without gaps."),
        sa.Column("subject", _WORD, nullable=False, comment="The table that was changed."),
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose row; empty where it is nobody's."),
        sa.Column("key", _WORD, nullable=False, comment="The row's primary key, as a JSON array."),
        sa.Column("action", _WORD, nullable=False, comment="INSERT, UPDATE, DELETE, or STANDING before it was sealed."),
        sa.Column(
            "content", sa.Text, nullable=False, comment="The row after it, or before a DELETE, as a JSON object."
        ),
        sa.Column("changed_at", _INSTANT, nullable=False, comment="When, by the database's clock."),
        sa.Column("seal", pg.BYTEA, nullable=False, comment="SHA-256 of all of these but the first three."),
        sa.PrimaryKeyConstraint("chain", "sequence", "position", name="pk_sealed_changes"),
        comment="Each change of a row of the sealed tables, written by their triggers. Never changed or removed.",
    )
    op.create_index("ix_sealed_changes_row", "sealed_changes", ["subject", "tenant_id", "key"])
    op.create_table(
        "sealed_tables",
        sa.Column("subject", _WORD, primary_key=True, comment="The table."),
        sa.Column("key_columns", pg.ARRAY(sa.Text), nullable=False, comment="Its primary key."),
        sa.Column(
            "digested", sa.Text, nullable=False, comment="The long text of which the SHA-256 is sealed; empty: none."
        ),
        sa.Column("reached", sa.Text, nullable=True, comment="How far the rows are sealed that stood in it before."),
        sa.Column("completed_at", _INSTANT, nullable=True, comment="Since when each of its rows has to be sealed."),
        comment="The tables whose changes are sealed.",
    )
    op.create_table(
        "change_checks",
        sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="The chain."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="The last group that was recomputed."),
        sa.Column("hash", pg.BYTEA, nullable=False, comment="The hash that was recomputed for it."),
        sa.Column("checked_at", _INSTANT, nullable=False, comment="When."),
        comment="How far the verifier has recomputed each chain of changes.",
    )
    op.create_table(
        "signed_heads",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False, comment="From 1, without gaps."),
        sa.Column("signed_at", _INSTANT, nullable=False, comment="When."),
        sa.Column("statement", sa.Text, nullable=False, comment="What is signed: the heads of all chains, as JSON."),
        sa.Column("signatures", pg.JSONB, nullable=False, comment="The signature by each key, base64 by the key's id."),
        comment="The heads of all chains, signed once a minute. Never changed or removed.",
    )
    op.execute(
        "INSERT INTO change_chains (chain, sequence, hash) "
        "SELECT n, 0, decode(repeat('00', 32), 'hex') FROM generate_series(0, 15) AS n"
    )
    run_script(Path(__file__).parents[1] / "functions_0022.sql")
    for table in ("sealed_changes", "change_groups", "signed_heads"):
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute("GRANT SELECT ON change_chains, change_groups, sealed_changes, sealed_tables TO ledger_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON change_checks TO ledger_app")
    op.execute("GRANT SELECT, INSERT ON signed_heads TO ledger_app")
    for table, (keys, digested) in _SEALED.items():
        op.execute(
            f"INSERT INTO sealed_tables (subject, key_columns, digested) VALUES ('{table}', '{{{keys}}}', '{digested}')"
        )
        for event, rows in _EVENTS.items():
            op.execute(
                f"CREATE TRIGGER seal_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed_rows "
                "FOR EACH STATEMENT EXECUTE FUNCTION seal_changes()"
            )
        # Nothing stands in a table of new books; in those of before, the worker seals it.
        op.execute(
            f"UPDATE sealed_tables SET completed_at = clock_timestamp() "
            f"WHERE subject = '{table}' AND NOT EXISTS (SELECT FROM {table})"
        )
