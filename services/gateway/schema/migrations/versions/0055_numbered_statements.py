"""Equal lines of two statements of one day are told apart by the balances of the statements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0055"
down_revision = "0054"

_COMMENT = "The statement that has it; NULL: it has no number and balances."


def upgrade() -> None:
    """Add the table, and which statement has a line."""
    op.create_table(
        "bank_statements",
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose account."),
        sa.Column("id", pg.UUID, nullable=False, comment="Minted when it was read."),
        sa.Column("source_id", pg.UUID, nullable=False, comment="Whose files have it."),
        sa.Column("account", sa.Text, nullable=False, comment="The account, as the file names it, or empty."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column("number", sa.Text, nullable=False, comment="The bank's number of it."),
        sa.Column("opening_minor", sa.BigInteger, nullable=False, comment="The balance before its lines."),
        sa.Column("closing_minor", sa.BigInteger, nullable=False, comment="The balance after them."),
        sa.Column("first_on", sa.Date, nullable=False, comment="The day of its first line."),
        sa.Column("last_on", sa.Date, nullable=False, comment="The day of its last line."),
        sa.Column("last_day_minor", sa.BigInteger, nullable=False, comment="What its lines of that day come to."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was imported."),
        sa.PrimaryKeyConstraint("id", "tenant_id", name="pk_bank_statements"),
        comment="Numbered statements, by whose balances equal lines of one day are told apart.",
    )
    op.create_index(
        "uq_bank_statements",
        "bank_statements",
        [
            *("tenant_id", "source_id", "account", "last_on", "first_on", "currency", "number"),
            *("opening_minor", "closing_minor", "last_day_minor"),
        ],
        unique=True,
    )
    op.create_index("ix_bank_statements_created", "bank_statements", ["created_at"])
    op.execute("GRANT SELECT, INSERT, DELETE ON bank_statements TO gateway_app")
    for table in ("statement_lines", "import_rows"):
        op.add_column(table, sa.Column("statement_id", pg.UUID, comment=_COMMENT))
