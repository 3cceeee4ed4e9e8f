"""Changes of who may do what are sealed: the tables of the chains, one for each tenant, and what links to them.

Which tables are sealed stands in `sealed_tables`; their triggers come with the next migration.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from libs.common.db.migrate import run_script

revision = "0037"
down_revision = "0036"

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")
_PLATFORM = "00000000-0000-0000-0000-000000000001"
_OWN = f"tenant_id = current_setting('app.tenant', true) OR (tenant_id = '' AND current_setting('app.tenant', true) = '{_PLATFORM}')"
_OF_TENANTS = ("change_chains", "sealed_changes", "change_checks", "signed_ends", "change_findings")
_SEALED = {
    # subject: key, column of the tenant, texts of which the SHA-256 is sealed, what is left out
    "tenants": ("id", "id", "", ""),
    "users": ("id", "tenant_id", "password_hash", ""),
    "roles": ("name", "", "", ""),
    "permissions": ("name", "", "", ""),
    "role_permissions": ("role,permission", "", "", ""),
    "policies": ("permission", "", "", ""),
    "feature_flags": ("name,tenant_id", "tenant_id", "", ""),
    "api_keys": ("id", "tenant_id", "secret_hash", "last_used_at"),
    "operator_actions": ("id", "", "detail", ""),
    "audit_log": ("id", "tenant_id", "", ""),
}


def upgrade() -> None:
    """Make the tables and the functions."""
    op.create_table(
        "change_chains",
        sa.Column("tenant_id", _WORD, primary_key=True, comment="Whose chain; empty: of what is no tenant's."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="How many changes it has."),
        sa.Column(
            "hash", pg.BYTEA, nullable=False, comment="The hash of its last change; 32 zero bytes before the first."
        ),
        comment="The heads of the chains of changes.",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "sealed_changes",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose chain it is a link of."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="Its place in the chain, from 1, without gaps."),
        sa.Column("subject", _WORD, nullable=False, comment="The table that was changed."),
        sa.Column("key", _WORD, nullable=False, comment="The row's key, as a JSON array."),
        sa.Column("action", _WORD, nullable=False, comment="INSERT, UPDATE, DELETE, or STANDING before it was sealed."),
        sa.Column(
            "content", sa.Text, nullable=False, comment="The row after it, or before a DELETE, as a JSON object."
        ),
        sa.Column("changed_by", _WORD, nullable=False, comment="The role that was logged in to the database."),
        sa.Column("changed_at", _INSTANT, nullable=False, comment="When, by the database's clock."),
        sa.Column("seal", pg.BYTEA, nullable=False, comment="SHA-256 of all of these but the sequence."),
        sa.Column("previous", pg.BYTEA, nullable=False, comment="The hash of the change before it in the chain."),
        sa.Column("hash", pg.BYTEA, nullable=False, comment="SHA-256 of previous, sequence and seal."),
        sa.PrimaryKeyConstraint("tenant_id", "sequence", name="pk_sealed_changes"),
        comment="Each change of a row of the sealed tables, written by their triggers. Never changed or removed.",
    )
    op.create_index("ix_sealed_changes_row", "sealed_changes", ["subject", "tenant_id", "key"])
    op.create_table(
        "sealed_tables",
        sa.Column("subject", _WORD, primary_key=True, comment="The table."),
        sa.Column("key_columns", pg.ARRAY(sa.Text), nullable=False, comment="Its key."),
        sa.Column("tenant_column", sa.Text, nullable=False, comment="Whose a row is; empty: no tenant's."),
        sa.Column("digested", pg.ARRAY(sa.Text), nullable=False, comment="Texts of which the SHA-256 is sealed."),
        sa.Column("left_out", pg.ARRAY(sa.Text), nullable=False, comment="Columns that are not sealed."),
        sa.Column("reached", sa.Text, nullable=True, comment="How far the rows are sealed that stood in it before."),
        sa.Column("completed_at", _INSTANT, nullable=True, comment="Since when each of its rows has to be sealed."),
        comment="The tables whose changes are sealed.",
    )
    op.create_table(
        "change_checks",
        sa.Column("tenant_id", _WORD, primary_key=True, comment="Whose chain."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="The last change that was recomputed."),
        sa.Column("hash", pg.BYTEA, nullable=False, comment="Its hash."),
        sa.Column("checked_at", _INSTANT, nullable=False, comment="When."),
        comment="How far the verifier has recomputed each chain of changes.",
    )
    op.create_table(
        "change_findings",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose chain or row; empty: no tenant's."),
        sa.Column("invariant", _WORD, nullable=False, comment="What is broken: row_sealed, change_linked."),
        sa.Column("subject", sa.Text, nullable=False, comment="Of what."),
        sa.Column("detail", sa.Text, nullable=False, comment="How, as a sentence."),
        sa.Column("found_at", _INSTANT, nullable=False, comment="When it was found first."),
        sa.PrimaryKeyConstraint("subject", "invariant", "tenant_id", name="pk_change_findings"),
        comment="What the verifier found changed past the services.",
    )
    op.create_table(
        "signed_heads",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False, comment="From 1, without gaps."),
        sa.Column("signed_at", _INSTANT, nullable=False, comment="When."),
        sa.Column("statement", sa.Text, nullable=False, comment="What is signed: the heads that have moved, as JSON."),
        sa.Column("signatures", pg.JSONB, nullable=False, comment="The signature by each key, base64 by the key's id."),
        comment="The heads that have moved since the statement before, signed once a minute. Never changed or removed.",
    )
    op.create_table(
        "signed_ends",
        sa.Column("tenant_id", _WORD, primary_key=True, comment="Whose chain."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="Where it ended when it was signed last."),
        sa.Column("hash", pg.BYTEA, nullable=False, comment="The hash that was signed."),
        sa.Column("number", sa.BigInteger, nullable=False, comment="The statement that has it."),
        comment="Where each chain ended when it was signed last: those that have moved since are signed next.",
    )
    run_script(Path(__file__).parents[1] / "functions_0037.sql")
    for table in ("sealed_changes", "signed_heads"):
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute("GRANT SELECT ON change_chains, sealed_changes, sealed_tables TO api_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON change_checks, signed_ends TO api_app")
    op.execute("GRANT SELECT, INSERT ON signed_heads, change_findings TO api_app")
    op.execute("GRANT SELECT ON change_chains, change_checks, change_findings, signed_ends TO api_requests")
    for table in _OF_TENANTS:
        op.execute(f"CREATE POLICY service ON {table} TO api_owner, api_app USING (true)")
        op.execute(f"CREATE POLICY tenant ON {table} TO api_requests USING ({_OWN})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for subject, (key, tenant, digested, left_out) in _SEALED.items():
        # Of the audit log the lines of administration are sealed, each by the command that writes it.
        completed = "clock_timestamp()" if subject == "audit_log" else "NULL"
        op.execute(
            "INSERT INTO sealed_tables (subject, key_columns, tenant_column, digested, left_out, completed_at) "  # noqa: S608
            f"VALUES ('{subject}', '{{{key}}}', '{tenant}', '{{{digested}}}', '{{{left_out}}}', {completed})"
        )
