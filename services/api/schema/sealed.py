"""Tables of the chains of sealed changes, and of what is signed of them."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")


def seal_tables(metadata: sa.MetaData) -> None:
    """Describe them; the functions and triggers that write them are in `functions/`."""
    sa.Table(
        "change_chains",
        metadata,
        sa.Column("tenant_id", _WORD, primary_key=True, comment="Whose chain; empty: of what is no tenant's."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="How many changes it has."),
        sa.Column(
            "hash", pg.BYTEA, nullable=False, comment="The hash of its last change; 32 zero bytes before the first."
        ),
        comment="The heads of the chains of changes.",
    )
    sa.Table(
        "sealed_changes",
        metadata,
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
        sa.Index("ix_sealed_changes_row", "subject", "tenant_id", "key"),
        comment="Each change of a row of the sealed tables, written by their triggers. Never changed or removed.",
    )
    sa.Table(
        "sealed_tables",
        metadata,
        sa.Column("subject", _WORD, primary_key=True, comment="The table."),
        sa.Column("key_columns", pg.ARRAY(sa.Text), nullable=False, comment="Its key."),
        sa.Column("tenant_column", sa.Text, nullable=False, comment="Whose a row is; empty: no tenant's."),
        sa.Column("digested", pg.ARRAY(sa.Text), nullable=False, comment="Texts of which the SHA-256 is sealed."),
        sa.Column("left_out", pg.ARRAY(sa.Text), nullable=False, comment="Columns that are not sealed."),
        sa.Column("reached", sa.Text, nullable=True, comment="How far the rows are sealed that stood in it before."),
        sa.Column("completed_at", _INSTANT, nullable=True, comment="Since when each of its rows has to be sealed."),
        comment="The tables whose changes are sealed.",
    )
    sa.Table(
        "change_checks",
        metadata,
        sa.Column("tenant_id", _WORD, primary_key=True, comment="Whose chain."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="The last change that was recomputed."),
        sa.Column("hash", pg.BYTEA, nullable=False, comment="Its hash."),
        sa.Column("checked_at", _INSTANT, nullable=False, comment="When."),
        comment="How far the verifier has recomputed each chain of changes.",
    )
    sa.Table(
        "change_findings",
        metadata,
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose chain or row; empty: no tenant's."),
        sa.Column("invariant", _WORD, nullable=False, comment="What is broken: row_sealed, change_linked."),
        sa.Column("subject", sa.Text, nullable=False, comment="Of what."),
        sa.Column("detail", sa.Text, nullable=False, comment="How, as a sentence."),
        sa.Column("found_at", _INSTANT, nullable=False, comment="When it was found first."),
        sa.PrimaryKeyConstraint("subject", "invariant", "tenant_id", name="pk_change_findings"),
        comment="What the verifier found changed past the services.",
    )
    sa.Table(
        "signed_heads",
        metadata,
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False, comment="From 1, without gaps."),
        sa.Column("signed_at", _INSTANT, nullable=False, comment="When."),
        sa.Column("statement", sa.Text, nullable=False, comment="What is signed: the heads that have moved, as JSON."),
        sa.Column("signatures", pg.JSONB, nullable=False, comment="The signature by each key, base64 by the key's id."),
        comment="The heads that have moved since the statement before, signed once a minute. Never changed or removed.",
    )
    sa.Table(
        "signed_ends",
        metadata,
        sa.Column("tenant_id", _WORD, primary_key=True, comment="Whose chain."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="Where it ended when it was signed last."),
        sa.Column("hash", pg.BYTEA, nullable=False, comment="The hash that was signed."),
        sa.Column("number", sa.BigInteger, nullable=False, comment="The statement that has it."),
        comment="Where each chain ended when it was signed last: those that have moved since are signed next.",
    )
