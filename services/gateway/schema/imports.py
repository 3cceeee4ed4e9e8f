"""The tables of imported files: their sources, the files, what is read of them before it counts, and the lines that count."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


def sources_table(metadata: sa.MetaData) -> sa.Table:
    """Describe who sends files."""
    return sa.Table(
        "import_sources",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose bank or processor."),
        sa.Column("id", pg.UUID, nullable=False, comment="Minted by the api."),
        sa.Column("name", sa.Text, nullable=False, comment="What people call it."),
        sa.Column(
            "reading", sa.Text, nullable=False, comment="How its files are read, as JSON: format, zone, field map."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was added."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.Column("deleted_at", sa.DateTime(timezone=True), comment="From when on no file of it is taken."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.Index("ix_import_sources_tenant", "tenant_id", "created_at"),
    )


def imports_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the files."""
    return sa.Table(
        "file_imports",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose file."),
        sa.Column("id", pg.UUID, nullable=False, comment="Minted by the api."),
        sa.Column("source_id", pg.UUID, nullable=False, comment="Who sent it."),
        sa.Column("file_name", sa.Text, nullable=False, comment="What it is called; nothing is decided by it."),
        sa.Column("sha256", sa.Text, nullable=False, comment="Its checksum, in hexadecimal."),
        sa.Column("size_bytes", sa.BigInteger, nullable=False, comment="How large it is."),
        sa.Column(
            "received_bytes", sa.BigInteger, nullable=False, server_default="0", comment="How much had come at its end."
        ),
        sa.Column("status", sa.Text, nullable=False, comment="How far it is."),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0", comment="How often its reading was begun."),
        sa.Column("claimed_until", sa.DateTime(timezone=True), comment="Until when it belongs to whoever reads it."),
        sa.Column("lines_read", sa.BigInteger, nullable=False, server_default="0", comment="Lines read so far."),
        sa.Column("lines_new", sa.BigInteger, nullable=False, server_default="0", comment="Those that were not known."),
        sa.Column("lines_skipped", sa.BigInteger, nullable=False, server_default="0", comment="What is no movement."),
        sa.Column("errors_total", sa.BigInteger, nullable=False, server_default="0", comment="Faults that were found."),
        sa.Column("errors", sa.Text, nullable=False, server_default="[]", comment="The first of them, as JSON."),
        sa.Column("first_on", sa.Date, comment="The earliest booking date of its lines."),
        sa.Column("last_on", sa.Date, comment="The latest one."),
        sa.Column(
            "kinds",
            pg.ARRAY(sa.Text),
            nullable=False,
            server_default="{}",
            comment="What kinds its lines are, in its words, the first 100 of them.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was begun."),
        sa.Column("completed_at", sa.DateTime(timezone=True), comment="When all of it had come."),
        sa.Column("ended_at", sa.DateTime(timezone=True), comment="When it was imported, rejected or abandoned."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint(
            "status IN ('UPLOADING', 'WAITING', 'READING', 'IMPORTED', 'REJECTED', 'ABANDONED')",
            name="ck_file_imports_status",
        ),
        # The same file twice is one import; one that was rejected may come again, once its source is read otherwise.
        sa.Index(
            "uq_file_imports_file",
            "source_id",
            "sha256",
            "tenant_id",
            unique=True,
            postgresql_where=sa.text("status IN ('UPLOADING', 'WAITING', 'READING', 'IMPORTED')"),
        ),
        sa.Index("ix_file_imports_tenant", "tenant_id", "created_at"),
        sa.Index(
            "ix_file_imports_open",
            "created_at",
            postgresql_where=sa.text("status IN ('UPLOADING', 'WAITING', 'READING')"),
        ),
        sa.Index("ix_file_imports_ended", "ended_at", postgresql_where=sa.text("ended_at IS NOT NULL")),
    )


def pieces_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the bytes of files that are not imported yet."""
    return sa.Table(
        "import_pieces",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose file."),
        sa.Column("import_id", pg.UUID, nullable=False, comment="Which file."),
        sa.Column("part", sa.Integer, nullable=False, comment="Which part of it, from 1."),
        sa.Column("piece", sa.Integer, nullable=False, comment="Which piece of the part, from 0."),
        sa.Column("content", sa.LargeBinary, nullable=False, comment="Its bytes."),
        sa.PrimaryKeyConstraint("import_id", "part", "piece", "tenant_id"),
    )


def _line_columns() -> list[sa.Column[object]]:
    """List what a line says, the same before and after it counts."""
    columns: list[sa.Column[object]] = [
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose money."),
        sa.Column("id", pg.UUID, nullable=False, comment="Minted when it was read."),
        sa.Column("import_id", pg.UUID, nullable=False, comment="The file that first had it."),
        sa.Column("statement_id", pg.UUID, comment="The statement that has it; NULL: it has no number and balances."),
        sa.Column("line", sa.BigInteger, nullable=False, comment="The line of the file in which it begins."),
        sa.Column("identity", sa.LargeBinary, nullable=False, comment="A hash of the bank's id, else of all it says."),
        sa.Column("essence", sa.LargeBinary, nullable=False, comment="A hash of what never changes: money and time."),
        sa.Column("account", sa.Text, nullable=False, comment="The account, as the file names it, or empty."),
        sa.Column(
            "bank_id", sa.Text, nullable=False, comment="The id that no other line of the account has, or empty."
        ),
        sa.Column("booked_on", sa.Date, nullable=False, comment="The day of its booking, in the file's own zone."),
        sa.Column("value_on", sa.Date, comment="The day from which on it counts, where the file says so."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), comment="The instant, where the file says one."),
        sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, upper case."),
        sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="Before the fee; below zero it left."),
        sa.Column("fee_minor", sa.BigInteger, nullable=False, comment="What was kept; below zero it was given back."),
        sa.Column("kind", sa.Text, nullable=False, comment="What it is, in the file's words, or empty."),
        sa.Column("refs", pg.JSONB, nullable=False, comment="What it refers to, by name."),
        sa.Column("counterparty", sa.Text, nullable=False, comment="Who paid or was paid, or empty."),
        sa.Column("description", sa.Text, nullable=False, comment="What else the file says, or empty."),
        sa.Column("raw", sa.Text, nullable=False, comment="The line as it was read, as JSON."),
    ]
    return columns


def rows_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what was read of a file that does not count yet."""
    return sa.Table(
        "import_rows",
        metadata,
        sa.Column(
            "number", sa.BigInteger, nullable=False, comment="Which line of the file that is a movement, from 1."
        ),
        *_line_columns(),
        sa.PrimaryKeyConstraint("import_id", "identity", "number", "tenant_id"),
        comment="Lines of a file that is being read; they become statement lines together, or not at all.",
    )


def lines_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the lines of all files."""
    return sa.Table(
        "statement_lines",
        metadata,
        sa.Column("source_id", pg.UUID, nullable=False, comment="Whose files have it."),
        sa.Column(
            "occurrence",
            sa.BigInteger,
            nullable=False,
            comment="The first, second and so on of those that nothing tells apart; 1 with an id of the bank.",
        ),
        *_line_columns(),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was imported."),
        sa.Column(
            "repeated_in",
            pg.ARRAY(pg.UUID),
            nullable=True,
            comment="Other statements that have it, of those that begin or end on its day; NULL: none.",
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        # What makes overlapping files harmless.
        sa.Index("uq_statement_lines", "source_id", "identity", "occurrence", "tenant_id", unique=True),
        # What was on an account in a window, for whoever compares it with payments and books.
        sa.Index("ix_statement_lines_day", "tenant_id", "source_id", "booked_on", "id"),
        # Which lines a payout can be, by amount, after the fee where there is one, and by the words of the line.
        sa.Index("ix_statement_lines_amount", "tenant_id", "source_id", "currency", "amount_minor", "booked_on"),
        sa.Index(
            "ix_statement_lines_net",
            "tenant_id",
            "source_id",
            "currency",
            sa.text("(amount_minor - fee_minor)"),
            "booked_on",
            postgresql_where=sa.text("fee_minor <> 0"),
        ),
        sa.Index(
            "ix_statement_lines_words",
            sa.text("words_of_line(bank_id, refs, counterparty, description)"),
            postgresql_using="gin",
        ),
        # What was imported of a tenant, in the order of that.
        sa.Index("ix_statement_lines_tenant", "tenant_id", "id"),
        sa.Index("ix_statement_lines_import", "import_id", "line"),
        sa.Index("ix_statement_lines_created", "created_at"),
        comment="Each movement that files of banks and processors have, once.",
    )


def statements_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the numbered statements that lines were in."""
    return sa.Table(
        "bank_statements",
        metadata,
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
        sa.Index(
            "uq_bank_statements",
            *("tenant_id", "source_id", "account", "last_on", "first_on", "currency", "number"),
            *("opening_minor", "closing_minor", "last_day_minor"),
            unique=True,
        ),
        sa.Index("ix_bank_statements_created", "created_at"),
        comment="Numbered statements, by whose balances equal lines of one day are told apart.",
    )
