"""The tables of the schema `ledger`. The migrations create exactly these; what no table can say, their triggers do.

A posting remembers what its account held right after it (`version` and both running totals), so the balance at any
instant is one index probe, and a lost or inserted row leaves a gap.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.messaging import inbox_table, outbox_table

METADATA = sa.MetaData()

_INSTANT = sa.DateTime(timezone=True)
# Identifiers are compared byte by byte, not by the rules of a language: the same order on every machine, and several
# times faster in an index.
_WORD = sa.Text(collation="C")
_CURRENCY = sa.CHAR(3, collation="C")

ACCOUNTS = sa.Table(
    "accounts",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose chart it stands in."),
    sa.Column("id", pg.UUID, nullable=False, comment="Identifies it within the tenant."),
    sa.Column("code", _WORD, nullable=False, comment="Unique in the tenant's chart, 1 to 64 characters."),
    sa.Column("label", sa.Text, nullable=False, comment="Its name for people, 1 to 200 characters."),
    sa.Column("account_type", _WORD, nullable=False, comment="One of the five types; fixes the normal balance."),
    sa.Column("is_default", sa.Boolean, nullable=False, comment="Opened by the platform, not by the tenant."),
    sa.Column("opened_at", _INSTANT, nullable=False, comment="When it was opened."),
    sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_accounts"),
    sa.UniqueConstraint("tenant_id", "code", name="uq_accounts_code"),
    sa.CheckConstraint(
        "account_type IN ('ASSET', 'LIABILITY', 'EQUITY', 'REVENUE', 'EXPENSE')", name="ck_accounts_account_type"
    ),
    sa.CheckConstraint("length(code) BETWEEN 1 AND 64", name="ck_accounts_code"),
    sa.CheckConstraint("length(label) BETWEEN 1 AND 200", name="ck_accounts_label"),
    comment="Each tenant's chart of accounts. An account never changes once opened.",
)

JOURNAL_ENTRIES = sa.Table(
    "journal_entries",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books it changes."),
    sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7, unique in the tenant's books for ever."),
    sa.Column("kind", _WORD, nullable=False, comment="The business event that it records: capture."),
    sa.Column("payment_intent_id", pg.UUID, nullable=True, comment="The intent it belongs to, where there is one."),
    sa.Column("line_count", sa.SmallInteger, nullable=False, comment="How many postings it has, for ever."),
    sa.Column("occurred_at", _INSTANT, nullable=False, comment="When it happened in the world."),
    sa.Column(
        "posted_at",
        _INSTANT,
        nullable=False,
        comment="When it was recorded; strictly later than any earlier posting on the same accounts.",
    ),
    sa.Column("source_event_id", pg.UUID, nullable=True, comment="The message that caused it, where one did."),
    sa.Column(
        "digest",
        pg.BYTEA,
        nullable=False,
        comment="SHA-256 of the content: tells a replay from a conflict when the id is seen again.",
    ),
    sa.PrimaryKeyConstraint("id", "tenant_id", name="pk_journal_entries"),
    sa.CheckConstraint("line_count BETWEEN 2 AND 1000", name="ck_journal_entries_line_count"),
    sa.CheckConstraint("octet_length(digest) = 32", name="ck_journal_entries_digest"),
    sa.Index("ix_journal_entries_posted_at", "tenant_id", "posted_at", "id"),
    sa.Index(
        "ix_journal_entries_payment_intent_id",
        "payment_intent_id",
        "tenant_id",
        postgresql_where=sa.text("payment_intent_id IS NOT NULL"),
    ),
    comment="One business event each; inserted together with its postings in one statement, never changed or removed.",
)

POSTINGS = sa.Table(
    "postings",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books it changes."),
    sa.Column("entry_id", pg.UUID, nullable=False, comment="The entry that it is a line of."),
    sa.Column("line_no", sa.SmallInteger, nullable=False, comment="Its place in the entry, from 1 to line_count."),
    sa.Column("account_id", pg.UUID, nullable=False, comment="The account that it changes."),
    sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
    sa.Column(
        "version", sa.BigInteger, nullable=False, comment="How many postings the account has in this currency with it."
    ),
    sa.Column("side", _WORD, nullable=False, comment="DEBIT or CREDIT."),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="Above zero, in minor units of the currency."),
    sa.Column(
        "debits_after_minor",
        sa.BigInteger,
        nullable=False,
        comment="Sum of all debits of the account in this currency right after it, in minor units.",
    ),
    sa.Column(
        "credits_after_minor",
        sa.BigInteger,
        nullable=False,
        comment="Sum of all credits of the account in this currency right after it, in minor units.",
    ),
    sa.Column("posted_at", _INSTANT, nullable=False, comment="When it was recorded; the entry's posted_at."),
    sa.PrimaryKeyConstraint("entry_id", "tenant_id", "line_no", name="pk_postings"),
    # Time comes before the version, and both grow together: this one index finds a balance at an instant, lists an
    # account's entries, and lets the trigger see that each posting goes on from the one before.
    sa.UniqueConstraint("account_id", "currency", "posted_at", "version", "tenant_id", name="uq_postings_posted_at"),
    sa.CheckConstraint("amount_minor > 0", name="ck_postings_amount_minor"),
    sa.CheckConstraint("side IN ('DEBIT', 'CREDIT')", name="ck_postings_side"),
    comment="Debits and credits of positive amounts; never changed or removed.",
)

BALANCES = sa.Table(
    "balances",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose account it is."),
    sa.Column("account_id", pg.UUID, nullable=False, comment="The account."),
    sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
    sa.Column(
        "debits_minor", sa.BigInteger, nullable=False, server_default="0", comment="Sum of all debits, in minor units."
    ),
    sa.Column(
        "credits_minor",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="Sum of all credits, in minor units.",
    ),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0", comment="How many postings it has."),
    sa.Column(
        "posted_at", _INSTANT, nullable=True, comment="When its last posting was recorded; NULL before the first."
    ),
    sa.PrimaryKeyConstraint("tenant_id", "account_id", "currency", name="pk_balances"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_balances_account"
    ),
    sa.CheckConstraint("debits_minor >= 0 AND credits_minor >= 0 AND version >= 0", name="ck_balances_not_negative"),
    comment="What each account holds in each currency now: the last posting's running totals.",
    # Half-empty pages leave room for the next version of a row beside it, so an update touches no index (HOT).
    postgresql_with={"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.01"},
)

ROLE_CHANGES = sa.Table(
    "role_changes",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose chart it changes."),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="The tenant's changes, numbered from 1."),
    sa.Column("role", _WORD, nullable=False, comment="The role in the posting rules: CASH."),
    sa.Column("account_id", pg.UUID, nullable=False, comment="The account that plays it from then on."),
    sa.Column("changed_at", _INSTANT, nullable=False, comment="When it was changed."),
    sa.Column("changed_by", sa.Text, nullable=False, comment="Who changed it."),
    sa.PrimaryKeyConstraint("tenant_id", "revision", name="pk_role_changes"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_role_changes_account"
    ),
    sa.CheckConstraint("revision > 0", name="ck_role_changes_revision"),
    sa.Index("ix_role_changes_role", "tenant_id", "role", "revision"),
    comment="Who let which account play which role, and since when; never changed or removed. A role without a change "
    "is played by the platform's own account.",
)

OUTBOX = outbox_table(METADATA)
INBOX = inbox_table(METADATA)
