"""The tables of the schema `ledger`. The migrations create exactly these; what no table can say, their triggers do.

A posting remembers what its account held right after it (`version` and both running totals), so the balance at any
instant is one index probe, and a lost or inserted row leaves a gap.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.db.partition_rules import rules_table
from libs.common.messaging import (
    inbox_table,
    operator_actions_table,
    outbox_refused_table,
    outbox_table,
    published_table,
)

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
    sa.Column(
        "floor_minor",
        sa.BigInteger,
        nullable=True,
        comment="The least that may be available in its normal direction, in minor units of each currency; NULL: no limit.",
    ),
    sa.Column(
        "ceiling_minor",
        sa.BigInteger,
        nullable=True,
        comment="The most that it may hold in its normal direction, in minor units of each currency; NULL: no limit.",
    ),
    sa.Column("currencies", pg.ARRAY(_CURRENCY), nullable=True, comment="The currencies it takes; NULL: all."),
    sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_accounts"),
    sa.UniqueConstraint("tenant_id", "code", name="uq_accounts_code"),
    sa.CheckConstraint(
        "account_type IN ('ASSET', 'LIABILITY', 'EQUITY', 'REVENUE', 'EXPENSE')", name="ck_accounts_account_type"
    ),
    sa.CheckConstraint("length(code) BETWEEN 1 AND 64", name="ck_accounts_code"),
    sa.CheckConstraint("length(label) BETWEEN 1 AND 200", name="ck_accounts_label"),
    sa.CheckConstraint("floor_minor <= ceiling_minor", name="ck_accounts_limits"),
    sa.CheckConstraint("cardinality(currencies) > 0", name="ck_accounts_currencies"),
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
    sa.Column(
        "effective_at",
        _INSTANT,
        nullable=False,
        comment="When it counts in the books: occurred_at, or the first open instant where its period was closed.",
    ),
    sa.Column("reverses", pg.UUID, nullable=True, comment="The entry that it takes back, where it is a reversal."),
    sa.Column("chain", sa.SmallInteger, nullable=False, comment="The chain that its group is a link of."),
    sa.Column("sequence", sa.BigInteger, nullable=False, comment="Its group's place in the chain."),
    sa.Column("position", sa.Integer, nullable=False, comment="Its place in the group, from 1, without gaps."),
    sa.Column("seal", pg.BYTEA, nullable=False, comment="SHA-256 of the entry and its postings in canonical bytes."),
    sa.PrimaryKeyConstraint("id", "tenant_id", name="pk_journal_entries"),
    sa.CheckConstraint("line_count BETWEEN 2 AND 1000", name="ck_journal_entries_line_count"),
    sa.CheckConstraint("octet_length(digest) = 32", name="ck_journal_entries_digest"),
    sa.CheckConstraint("octet_length(seal) = 32", name="ck_journal_entries_seal"),
    sa.Index(
        "uq_journal_entries_reverses",
        "reverses",
        "tenant_id",
        unique=True,
        postgresql_where=sa.text("reverses IS NOT NULL"),
    ),
    # What was taken back by hand lately, of payments of whatever age.
    sa.Index(
        "ix_journal_entries_reversals",
        "tenant_id",
        "posted_at",
        postgresql_where=sa.text("reverses IS NOT NULL"),
    ),
    # What moved income and expenses to retained earnings: a few entries a year.
    sa.Index(
        "ix_journal_entries_year_ends",
        "tenant_id",
        "effective_at",
        postgresql_where=sa.text("kind = 'year_end'"),
    ),
    sa.Index("ix_journal_entries_group", "chain", "sequence"),
    sa.Index("ix_journal_entries_posted_at", "tenant_id", "posted_at", "id"),
    sa.Index(
        "ix_journal_entries_payment",
        "tenant_id",
        "payment_intent_id",
        "id",
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
    sa.Column(
        "effective_at",
        _INSTANT,
        nullable=False,
        comment="When it counts in the books: occurred_at, or the first open instant where its period was closed.",
    ),
    sa.PrimaryKeyConstraint("entry_id", "tenant_id", "line_no", name="pk_postings"),
    # Time comes before the version, and both grow together: this one index finds a balance at an instant, lists an
    # account's entries, and lets the trigger see that each posting goes on from the one before.
    sa.UniqueConstraint("account_id", "currency", "posted_at", "version", "tenant_id", name="uq_postings_posted_at"),
    # An ordinary posting is found by the instant of its record, which is hardly later; only the others need this.
    sa.Index(
        "ix_postings_late",
        "account_id",
        "currency",
        "effective_at",
        "tenant_id",
        postgresql_where=sa.text("posted_at - effective_at NOT BETWEEN interval '0 seconds' AND interval '60 seconds'"),
    ),
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
    sa.Column(
        "pending_debits_minor",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="Sum of its open holds that would debit it, in minor units.",
    ),
    sa.Column(
        "pending_credits_minor",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="Sum of its open holds that would credit it, in minor units.",
    ),
    # The account's own, which never change: so that the lock on a balance is all that a decision needs.
    sa.Column("floor_minor", sa.BigInteger, nullable=True, comment="The account's, which never changes."),
    sa.Column("ceiling_minor", sa.BigInteger, nullable=True, comment="The account's, which never changes."),
    sa.Column(
        "debit_normal", sa.Boolean, nullable=False, comment="Whether the account grows by debits, which never changes."
    ),
    sa.PrimaryKeyConstraint("tenant_id", "account_id", "currency", name="pk_balances"),
    # By which posting finds it: the keys of a tenant's balances begin all alike.
    sa.Index("ix_balances_account", "account_id", "currency"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_balances_account"
    ),
    sa.CheckConstraint("debits_minor >= 0 AND credits_minor >= 0 AND version >= 0", name="ck_balances_not_negative"),
    sa.CheckConstraint("pending_debits_minor >= 0 AND pending_credits_minor >= 0", name="ck_balances_pending"),
    comment="What each account holds in each currency now: the last posting's running totals.",
    # Half-empty pages leave room for the next version of a row beside it, so an update touches no index (HOT).
    postgresql_with={"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.01"},
)

ACCOUNT_TURNOVER = sa.Table(
    "account_turnover",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose account."),
    sa.Column("account_id", pg.UUID, nullable=False, comment="The account."),
    sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
    sa.Column("quarter_at", _INSTANT, nullable=False, comment="When the quarter of an hour begins, in UTC."),
    sa.Column("debits_minor", sa.BigInteger, nullable=False, comment="Debits recorded in it, in minor units."),
    sa.Column("credits_minor", sa.BigInteger, nullable=False, comment="Credits recorded in it, in minor units."),
    sa.Column(
        "debits_after_minor", sa.BigInteger, nullable=False, comment="Sum of all debits at its end, in minor units."
    ),
    sa.Column(
        "credits_after_minor", sa.BigInteger, nullable=False, comment="Sum of all credits at its end, in minor units."
    ),
    sa.Column(
        "posted_last_at",
        _INSTANT,
        nullable=False,
        comment="When its last posting was recorded: the next refresh adds what is later.",
    ),
    sa.PrimaryKeyConstraint("tenant_id", "account_id", "currency", "quarter_at", name="pk_account_turnover"),
    comment="What each account turned over in each quarter of an hour (UTC), and what it held at its end.",
)

REPORT_REFRESHES = sa.Table(
    "report_refreshes",
    METADATA,
    sa.Column(
        "refreshed_at",
        _INSTANT,
        nullable=False,
        comment="When it began, by the database's clock; everything committed before is in the reports.",
    ),
    sa.Column("finished_at", _INSTANT, nullable=False, comment="When it was done."),
    sa.Index("ix_report_refreshes_refreshed_at", "refreshed_at"),
    comment="Each refresh of the report views of the last seven days.",
)

MANUAL_ENTRIES = sa.Table(
    "manual_entries",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books it stands in."),
    sa.Column("entry_id", pg.UUID, nullable=False, comment="The journal entry."),
    sa.Column("description", sa.Text, nullable=False, comment="Why it was made, 1 to 500 characters."),
    sa.Column("made_by", sa.Text, nullable=False, comment="Who made it: a subject."),
    sa.Column(
        "approved_by", sa.Text, nullable=True, comment="Who approved it: another subject; NULL where nobody had to."
    ),
    sa.Column("proposal_id", pg.UUID, nullable=True, comment="The proposal it comes from, where there is one."),
    sa.PrimaryKeyConstraint("tenant_id", "entry_id", name="pk_manual_entries"),
    sa.CheckConstraint("approved_by <> made_by", name="ck_manual_entries_two_people"),
    comment="Who made which journal entry by hand and why; written with it, never changed or removed.",
)

JOURNAL_REQUESTS = sa.Table(
    "journal_requests",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose key it is."),
    sa.Column("key", _WORD, nullable=False, comment="The client's key, 1 to 255 visible ASCII characters."),
    sa.Column("fingerprint", pg.BYTEA, nullable=False, comment="SHA-256 of what was requested."),
    sa.Column("answer", sa.Text, nullable=False, comment="What became of its entries, as JSON."),
    sa.Column("answered_at", _INSTANT, nullable=False, comment="When it was answered."),
    sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_journal_requests"),
    sa.Index("ix_journal_requests_answered_at", "answered_at"),
    comment="Calls that posted entries by hand, by idempotency key; kept as long as the entries, for ever.",
)

JOURNAL_POLICIES = sa.Table(
    "journal_policies",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose policy it is."),
    sa.Column(
        "manual_entries_need_approval",
        sa.Boolean,
        nullable=False,
        comment="Whether entries that people make are posted only once somebody else approves.",
    ),
    sa.Column("changed_by", sa.Text, nullable=False, comment="Who changed it last: a subject."),
    sa.Column("changed_at", _INSTANT, nullable=False, comment="When it was changed last."),
    sa.PrimaryKeyConstraint("tenant_id", name="pk_journal_policies"),
    comment="What tenants demanded of entries that people make; not read any more: approval_policies has it.",
)

APPROVAL_POLICIES = sa.Table(
    "approval_policies",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose policy it is."),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="The tenant's policies, numbered from 1."),
    sa.Column("changed_by", sa.Text, nullable=False, comment="Who made it: a subject."),
    sa.Column(
        "approved_by", sa.Text, nullable=True, comment="Who approved it: another subject; NULL where nobody had to."
    ),
    sa.Column("changed_at", _INSTANT, nullable=False, comment="Since when."),
    sa.Column("change_id", pg.UUID, nullable=True, comment="The change that it comes from; NULL: made by one switch."),
    sa.PrimaryKeyConstraint("tenant_id", "revision", name="pk_approval_policies"),
    sa.CheckConstraint("revision > 0", name="ck_approval_policies_revision"),
    sa.CheckConstraint("approved_by <> changed_by", name="ck_approval_policies_two_people"),
    comment="What each tenant lets nobody do alone: the highest revision is in force. Never changed or removed.",
)

APPROVAL_RULES = sa.Table(
    "approval_rules",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose policy it is of."),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="The policy that it is of."),
    sa.Column("rule_no", sa.SmallInteger, nullable=False, comment="Its place in the policy, from 1."),
    sa.Column("kind", _WORD, nullable=True, comment="manual, reversal, hold or conversion; NULL: each."),
    sa.Column("account_id", pg.UUID, nullable=True, comment="With a line on this account only; NULL: on any."),
    sa.Column("role", _WORD, nullable=True, comment="With a line on an account that plays this role, or has, only."),
    sa.Column(
        "thresholds",
        pg.JSONB,
        nullable=False,
        comment="From how many minor units of each currency on; one without counts from the first. Empty: any amount.",
    ),
    sa.PrimaryKeyConstraint("tenant_id", "revision", "rule_no", name="pk_approval_rules"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "revision"],
        ["approval_policies.tenant_id", "approval_policies.revision"],
        name="fk_approval_rules_policy",
    ),
    sa.ForeignKeyConstraint(
        ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_approval_rules_account"
    ),
    sa.CheckConstraint("kind IN ('manual', 'reversal', 'hold', 'conversion')", name="ck_approval_rules_kind"),
    sa.CheckConstraint("account_id IS NULL OR role IS NULL", name="ck_approval_rules_account"),
    comment="What needs a second person by a policy: what any of its rules matches. Never changed or removed.",
)

POLICY_CHANGES = sa.Table(
    "policy_changes",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose policy it is about."),
    sa.Column("id", pg.UUID, nullable=False, comment="Identifies it within the tenant."),
    sa.Column("status", _WORD, nullable=False, comment="open, applied or rejected."),
    sa.Column("reason", sa.Text, nullable=False, comment="Why it is proposed, 1 to 500 characters."),
    sa.Column(
        "follows", sa.BigInteger, nullable=False, comment="The revision that it was proposed to replace; 0: none."
    ),
    sa.Column("rules", sa.Text, nullable=False, comment="The rules that are proposed, as JSON."),
    sa.Column("made_by", sa.Text, nullable=False, comment="Who proposed it: a subject."),
    sa.Column(
        "responsible",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Who made the API key that proposed it; empty: a person proposed it.",
    ),
    sa.Column("made_at", _INSTANT, nullable=False, comment="When it was proposed."),
    sa.Column("expires_at", _INSTANT, nullable=False, comment="Until then it can be decided."),
    sa.Column("decided_by", sa.Text, nullable=True, comment="Who decided: another subject; NULL where nobody had to."),
    sa.Column("decided_at", _INSTANT, nullable=True, comment="When it was decided, or applied at once."),
    sa.Column("decision_reason", sa.Text, nullable=True, comment="Why, where the one who decided gave a reason."),
    sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_policy_changes"),
    sa.CheckConstraint("status IN ('open', 'applied', 'rejected')", name="ck_policy_changes_status"),
    sa.CheckConstraint("(status = 'open') = (decided_at IS NULL)", name="ck_policy_changes_decided"),
    sa.CheckConstraint("status <> 'rejected' OR decided_by IS NOT NULL", name="ck_policy_changes_rejected"),
    sa.CheckConstraint("decided_by <> made_by AND decided_by <> responsible", name="ck_policy_changes_two_people"),
    sa.Index("ix_policy_changes_made_at", "tenant_id", "made_at", "id"),
    comment="Policies that one person wants and another one decides about, where the one in force demands anything.",
)

PROPOSALS = sa.Table(
    "proposals",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books it is about."),
    sa.Column("id", pg.UUID, nullable=False, comment="Derived from the tenant and the client's key."),
    sa.Column("status", _WORD, nullable=False, comment="open, approved or rejected."),
    sa.Column("reason", sa.Text, nullable=False, comment="Why it is proposed, 1 to 500 characters."),
    sa.Column("entries", sa.Text, nullable=False, comment="What is proposed, as JSON, with the ids they will have."),
    sa.Column("fingerprint", pg.BYTEA, nullable=False, comment="SHA-256 of what was requested."),
    sa.Column("made_by", sa.Text, nullable=False, comment="Who proposed it: a subject."),
    sa.Column("made_at", _INSTANT, nullable=False, comment="When it was proposed."),
    sa.Column("expires_at", _INSTANT, nullable=False, comment="Until then it can be decided."),
    sa.Column("decided_by", sa.Text, nullable=True, comment="Who decided: another subject."),
    sa.Column("decided_at", _INSTANT, nullable=True, comment="When it was decided."),
    sa.Column("decision_reason", sa.Text, nullable=True, comment="Why, where the one who decided says so."),
    sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_proposals"),
    sa.CheckConstraint("status IN ('open', 'approved', 'rejected')", name="ck_proposals_status"),
    sa.CheckConstraint(
        "(status = 'open') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
        name="ck_proposals_decided",
    ),
    sa.Column(
        "responsible",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Who made the API key that proposed it; empty: a person proposed it.",
    ),
    sa.CheckConstraint("decided_by <> made_by", name="ck_proposals_two_people"),
    sa.CheckConstraint("decided_by <> responsible", name="ck_proposals_responsible"),
    sa.Index("ix_proposals_made_at", "tenant_id", "made_at", "id"),
    comment="Entries that one person wants and another one decides about.",
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

EXCHANGE_RATES = sa.Table(
    "exchange_rates",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Who goes by it."),
    sa.Column("id", pg.UUID, nullable=False, comment="Identifies it within the tenant."),
    sa.Column("from_currency", _CURRENCY, nullable=False, comment="ISO 4217 code: what a unit of is worth rate."),
    sa.Column("to_currency", _CURRENCY, nullable=False, comment="ISO 4217 code: what rate counts."),
    sa.Column("rate", sa.Numeric, nullable=False, comment="Units of to_currency, not minor ones; exact."),
    sa.Column("effective_at", _INSTANT, nullable=False, comment="From when it holds, until the next of its pair."),
    sa.Column("source", sa.Text, nullable=False, comment="Where it comes from: ECB."),
    sa.Column("recorded_at", _INSTANT, nullable=False, comment="When it was recorded."),
    sa.Column("recorded_by", sa.Text, nullable=False, comment="Who recorded it."),
    sa.PrimaryKeyConstraint("tenant_id", "from_currency", "to_currency", "effective_at", name="pk_exchange_rates"),
    sa.CheckConstraint("rate > 0", name="ck_exchange_rates_rate"),
    sa.CheckConstraint("from_currency <> to_currency", name="ck_exchange_rates_pair"),
    sa.Index("ix_exchange_rates_effective_at", "tenant_id", "effective_at", "from_currency", "to_currency"),
    comment="Exchange rates as they were recorded; a correction is a later one, none is changed or removed.",
)

CONVERSIONS = sa.Table(
    "conversions",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose money was exchanged."),
    sa.Column("id", pg.UUID, nullable=False, comment="Links its two entries; chosen by whoever requested it."),
    sa.Column(
        "digest", pg.BYTEA, nullable=False, comment="SHA-256 of what was requested: tells a replay from a conflict."
    ),
    sa.Column("from_account_id", pg.UUID, nullable=False, comment="Where the sold amount was taken from."),
    sa.Column("to_account_id", pg.UUID, nullable=False, comment="Where the bought amount went."),
    sa.Column("from_currency", _CURRENCY, nullable=False, comment="ISO 4217 code of what was sold."),
    sa.Column("to_currency", _CURRENCY, nullable=False, comment="ISO 4217 code of what was bought."),
    sa.Column("sold_minor", sa.BigInteger, nullable=False, comment="What was given, in minor units."),
    sa.Column("bought_minor", sa.BigInteger, nullable=False, comment="What was received, in minor units."),
    sa.Column(
        "valued_minor",
        sa.BigInteger,
        nullable=False,
        comment="What was received, at the rate, in minor units of from_currency.",
    ),
    sa.Column("rates", pg.JSONB, nullable=False, comment="The recorded rates by which it was made, in their order."),
    sa.Column("occurred_at", _INSTANT, nullable=False, comment="When it happened; the rates are those of then."),
    sa.Column("recorded_at", _INSTANT, nullable=False, comment="When it was recorded."),
    sa.Column("recorded_by", sa.Text, nullable=False, comment="Who requested it."),
    sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_conversions"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "from_account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_conversions_from_account"
    ),
    sa.ForeignKeyConstraint(
        ["tenant_id", "to_account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_conversions_to_account"
    ),
    sa.CheckConstraint("sold_minor > 0 AND bought_minor > 0 AND valued_minor > 0", name="ck_conversions_amounts"),
    sa.CheckConstraint("octet_length(digest) = 32", name="ck_conversions_digest"),
    comment="Exchanges of currencies; their entries have ids that follow from this one. Never changed or removed.",
)

CHAINS = sa.Table(
    "chains",
    METADATA,
    sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="Which of the chains."),
    sa.Column("sequence", sa.BigInteger, nullable=False, comment="How many groups it has."),
    sa.Column("hash", pg.BYTEA, nullable=False, comment="The hash of its last group; 32 zero bytes before the first."),
    comment="The heads of the hash chains. A group takes any that is free, so groups need not wait for each other.",
    postgresql_with={"fillfactor": "10"},
)

ENTRY_GROUPS = sa.Table(
    "entry_groups",
    METADATA,
    sa.Column("chain", sa.SmallInteger, nullable=False, comment="The chain that it is a link of."),
    sa.Column("sequence", sa.BigInteger, nullable=False, comment="Its place in the chain, from 1, without gaps."),
    sa.Column("previous", pg.BYTEA, nullable=False, comment="The hash of the group before it in the chain."),
    sa.Column(
        "hash",
        pg.BYTEA,
        nullable=False,
        comment="SHA-256 of previous, chain, sequence, entry_count and the seals of its entries by position.",
    ),
    sa.Column("entry_count", sa.Integer, nullable=False, comment="How many entries it has."),
    sa.Column("posted_from", _INSTANT, nullable=False, comment="When its first entry was recorded."),
    sa.Column("posted_until", _INSTANT, nullable=False, comment="When its last entry was recorded."),
    sa.PrimaryKeyConstraint("chain", "sequence", name="pk_entry_groups"),
    comment="One group of entries each, as they were committed: the links of the hash chains. Never changed or removed.",
)

CHANGE_CHAINS = sa.Table(
    "change_chains",
    METADATA,
    sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="Which of the chains."),
    sa.Column("sequence", sa.BigInteger, nullable=False, comment="How many groups of changes it has."),
    sa.Column("hash", pg.BYTEA, nullable=False, comment="The hash of its last group; 32 zero bytes before the first."),
    comment="The heads of the chains of changes. A change takes any that is free.",
    postgresql_with={"fillfactor": "10"},
)

CHANGE_GROUPS = sa.Table(
    "change_groups",
    METADATA,
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

SEALED_CHANGES = sa.Table(
    "sealed_changes",
    METADATA,
    sa.Column("chain", sa.SmallInteger, nullable=False, comment="The chain that its group is a link of."),
    sa.Column("sequence", sa.BigInteger, nullable=False, comment="Its group's place in the chain."),
    sa.Column("position", sa.Integer, nullable=False, comment="Its place in the group, from 1, without gaps."),
    sa.Column("subject", _WORD, nullable=False, comment="The table that was changed."),
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose row; empty where it is nobody's."),
    sa.Column("key", _WORD, nullable=False, comment="The row's primary key, as a JSON array."),
    sa.Column("action", _WORD, nullable=False, comment="INSERT, UPDATE, DELETE, or STANDING before it was sealed."),
    sa.Column("content", sa.Text, nullable=False, comment="The row after it, or before a DELETE, as a JSON object."),
    sa.Column("changed_at", _INSTANT, nullable=False, comment="When, by the database's clock."),
    sa.Column("seal", pg.BYTEA, nullable=False, comment="SHA-256 of all of these but the first three."),
    sa.PrimaryKeyConstraint("chain", "sequence", "position", name="pk_sealed_changes"),
    sa.Index("ix_sealed_changes_row", "subject", "tenant_id", "key"),
    comment="Each change of a row of the sealed tables, written by their triggers. Never changed or removed.",
)

SEALED_TABLES = sa.Table(
    "sealed_tables",
    METADATA,
    sa.Column("subject", _WORD, primary_key=True, comment="The table."),
    sa.Column("key_columns", pg.ARRAY(sa.Text), nullable=False, comment="Its primary key."),
    sa.Column(
        "digested", sa.Text, nullable=False, comment="The long text of which the SHA-256 is sealed; empty: none."
    ),
    sa.Column("reached", sa.Text, nullable=True, comment="How far the rows are sealed that stood in it before."),
    sa.Column("completed_at", _INSTANT, nullable=True, comment="Since when each of its rows has to be sealed."),
    comment="The tables whose changes are sealed.",
)

CHANGE_CHECKS = sa.Table(
    "change_checks",
    METADATA,
    sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="The chain."),
    sa.Column("sequence", sa.BigInteger, nullable=False, comment="The last group that was recomputed."),
    sa.Column("hash", pg.BYTEA, nullable=False, comment="The hash that was recomputed for it."),
    sa.Column("checked_at", _INSTANT, nullable=False, comment="When."),
    comment="How far the verifier has recomputed each chain of changes.",
)

SIGNED_HEADS = sa.Table(
    "signed_heads",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False, comment="From 1, without gaps."),
    sa.Column("signed_at", _INSTANT, nullable=False, comment="When."),
    sa.Column("statement", sa.Text, nullable=False, comment="What is signed: the heads of all chains, as JSON."),
    sa.Column("signatures", pg.JSONB, nullable=False, comment="The signature by each key, base64 by the key's id."),
    comment="The heads of all chains, signed once a minute. Never changed or removed.",
)

PERIODS = sa.Table(
    "periods",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books."),
    sa.Column("ends_before", _INSTANT, nullable=False, comment="Everything effective before this instant is closed."),
    sa.Column("closed_at", _INSTANT, nullable=False, comment="When it was closed."),
    sa.Column("closed_by", sa.Text, nullable=False, comment="Who closed it: the subject of the caller's token."),
    sa.PrimaryKeyConstraint("tenant_id", "ends_before", name="pk_periods"),
    comment="Closed periods. A period is never opened again: what belongs into it is posted in the next open one.",
)

CLOSINGS_UNDER_WAY = sa.Table(
    "closings_under_way",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books."),
    sa.Column("ends_before", _INSTANT, nullable=False, comment="The period's."),
    sa.PrimaryKeyConstraint("tenant_id", "ends_before", name="pk_closings_under_way"),
    comment="Closed periods into which a group may still post that began before they were closed.",
)

WATERMARK = sa.Table(
    "watermark",
    METADATA,
    sa.Column("id", sa.SmallInteger, nullable=False, autoincrement=False, comment="Always 1."),
    sa.Column(
        "refused_before",
        _INSTANT,
        nullable=False,
        comment="No group that begins from now on records anything before this instant.",
    ),
    sa.Column(
        "final_before",
        _INSTANT,
        nullable=False,
        comment="The groups that began before that was so have ended: what was recorded before this instant is all there is.",
    ),
    sa.PrimaryKeyConstraint("id", name="pk_watermark"),
    sa.CheckConstraint("id = 1", name="ck_watermark_one_row"),
    sa.CheckConstraint("final_before <= refused_before", name="ck_watermark_order"),
    comment="One row: up to when the order of record is final. It only moves forward.",
    postgresql_with={"fillfactor": "10"},
)

CALENDARS = sa.Table(
    "calendars",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books."),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="The tenant's calendars, numbered from 1."),
    sa.Column("zone", sa.Text, nullable=False, comment="IANA name of the time zone."),
    sa.Column("changed_at", _INSTANT, nullable=False, comment="Since when."),
    sa.Column("changed_by", sa.Text, nullable=False, comment="Who chose it: a subject."),
    sa.PrimaryKeyConstraint("tenant_id", "revision", name="pk_calendars"),
    sa.CheckConstraint("revision > 0", name="ck_calendars_revision"),
    comment="By which time zone each tenant's books are kept: the highest revision is in force. Never changed or removed.",
)

OWN_UNITS = sa.Table(
    "own_units",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose unit it is."),
    sa.Column(
        "code",
        _CURRENCY,
        nullable=False,
        comment="Two capital letters and a digit, whose place says the decimals; no currency looks like it.",
    ),
    sa.Column(
        "exponent",
        sa.SmallInteger,
        nullable=False,
        comment="How many decimals its amounts have, 0 to 18, as its code says.",
    ),
    sa.Column("name", sa.Text, nullable=False, comment="Its name for people, 1 to 100 characters."),
    sa.Column("created_at", _INSTANT, nullable=False, comment="Since when the tenant has it."),
    sa.Column("created_by", sa.Text, nullable=False, comment="Who added it: a subject."),
    sa.PrimaryKeyConstraint("tenant_id", "code", name="pk_own_units"),
    sa.CheckConstraint("code ~ '^[A-Z]([A-Z][0-9]|[0-8][A-Z])$'", name="ck_own_units_code"),
    sa.CheckConstraint(
        "exponent = CASE WHEN code ~ '[0-9]$' THEN right(code, 1)::integer ELSE 10 + substr(code, 2, 1)::integer END",
        name="ck_own_units_exponent",
    ),
    sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name="ck_own_units_name"),
    comment="What each tenant counts beside money. Never changed or removed.",
)

CURRENCY_EXPONENTS = sa.Table(
    "currency_exponents",
    METADATA,
    sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code, active or withdrawn."),
    sa.Column("exponent", sa.SmallInteger, nullable=False, comment="How many decimals its amounts have, 0 to 4."),
    sa.PrimaryKeyConstraint("currency", name="pk_currency_exponents"),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="ck_currency_exponents_currency"),
    sa.CheckConstraint("exponent BETWEEN 0 AND 4", name="ck_currency_exponents_exponent"),
    comment="How many decimals the amounts of each currency have in these books. Never changed or removed.",
)

PERIOD_SEALS = sa.Table(
    "period_seals",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books."),
    sa.Column("ends_before", _INSTANT, nullable=False, comment="The period's."),
    sa.Column(
        "sha256",
        pg.BYTEA,
        nullable=False,
        comment="Of a line for each account and currency: code, currency, debits and credits effective before the end.",
    ),
    sa.Column("sealed_at", _INSTANT, nullable=False, comment="When no group was left that could post into the period."),
    sa.PrimaryKeyConstraint("tenant_id", "ends_before", name="pk_period_seals"),
    sa.CheckConstraint("octet_length(sha256) = 32", name="ck_period_seals_sha256"),
    comment="What the books showed when a period was closed, as a checksum. Never changed or removed.",
)

HOLDS = sa.Table(
    "holds",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose accounts."),
    sa.Column("id", pg.UUID, nullable=False, comment="Unique in the tenant's books for ever."),
    sa.Column("debit_account_id", pg.UUID, nullable=False, comment="The account that a capture debits."),
    sa.Column("credit_account_id", pg.UUID, nullable=False, comment="The account that a capture credits."),
    sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="What is held, in minor units."),
    sa.Column("state", _WORD, nullable=False, comment="OPEN, then once CAPTURED, VOIDED or EXPIRED."),
    sa.Column(
        "captured_minor",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="What of it was posted, in minor units; the rest was let go.",
    ),
    sa.Column("entry_id", pg.UUID, nullable=True, comment="The entry that captured it."),
    sa.Column("placed_at", _INSTANT, nullable=False, comment="When it was placed."),
    sa.Column("expires_at", _INSTANT, nullable=True, comment="When it is let go by itself; NULL: never."),
    sa.Column("resolved_at", _INSTANT, nullable=True, comment="When it was captured, voided or expired."),
    sa.PrimaryKeyConstraint("id", "tenant_id", name="pk_holds"),
    sa.CheckConstraint("amount_minor > 0", name="ck_holds_amount_minor"),
    sa.CheckConstraint("state IN ('OPEN', 'CAPTURED', 'VOIDED', 'EXPIRED')", name="ck_holds_state"),
    sa.CheckConstraint("(state = 'OPEN') = (resolved_at IS NULL)", name="ck_holds_resolved_at"),
    sa.CheckConstraint("(state = 'CAPTURED') = (entry_id IS NOT NULL)", name="ck_holds_entry_id"),
    sa.CheckConstraint("captured_minor BETWEEN 0 AND amount_minor", name="ck_holds_captured_minor"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "debit_account_id", "currency"],
        ["balances.tenant_id", "balances.account_id", "balances.currency"],
        name="fk_holds_debit",
    ),
    sa.ForeignKeyConstraint(
        ["tenant_id", "credit_account_id", "currency"],
        ["balances.tenant_id", "balances.account_id", "balances.currency"],
        name="fk_holds_credit",
    ),
    sa.Index("ix_holds_placed_at", "tenant_id", "placed_at", "id"),
    sa.Index("ix_holds_resolved_at", "resolved_at", postgresql_where=sa.text("resolved_at IS NOT NULL")),
    sa.Index(
        "ix_holds_expires_at", "expires_at", postgresql_where=sa.text("state = 'OPEN' AND expires_at IS NOT NULL")
    ),
    comment="Amounts set aside: a promise to move money between two accounts. The amounts of open ones are in balances.",
)

EFFECTIVE_TOTALS = sa.Table(
    "effective_totals",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose account."),
    sa.Column("account_id", pg.UUID, nullable=False, comment="The account."),
    sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
    sa.Column("grain", _WORD, nullable=False, comment="DAY, HOUR or MINUTE, in UTC."),
    sa.Column("starts_at", _INSTANT, nullable=False, comment="The first instant of the day, hour or minute."),
    sa.Column("debits_minor", sa.BigInteger, nullable=False, comment="Debits effective in it, in minor units."),
    sa.Column("credits_minor", sa.BigInteger, nullable=False, comment="Credits effective in it, in minor units."),
    sa.PrimaryKeyConstraint(
        "account_id",
        "currency",
        "grain",
        "starts_at",
        "tenant_id",
        name="pk_effective_totals",
        postgresql_include=["debits_minor", "credits_minor"],
    ),
    sa.CheckConstraint("grain IN ('DAY', 'HOUR', 'MINUTE')", name="ck_effective_totals_grain"),
    comment="What was posted by effective time, as far as effective_folds says: days and minutes instead of postings.",
)

EFFECTIVE_FOLDS = sa.Table(
    "effective_folds",
    METADATA,
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose account."),
    sa.Column("account_id", pg.UUID, nullable=False, comment="The account."),
    sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
    sa.Column("version", sa.BigInteger, nullable=False, comment="Postings up to this version are in effective_totals."),
    sa.Column("posted_at", _INSTANT, nullable=False, comment="When the posting of this version was recorded."),
    sa.PrimaryKeyConstraint("tenant_id", "account_id", "currency", name="pk_effective_folds"),
    comment="How far each account's postings are summed by effective time; the few later ones are read one by one.",
)

CHAIN_CHECKS = sa.Table(
    "chain_checks",
    METADATA,
    sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="The chain."),
    sa.Column("sequence", sa.BigInteger, nullable=False, comment="The last group that was recomputed."),
    sa.Column("hash", pg.BYTEA, nullable=False, comment="The hash that was recomputed for it."),
    sa.Column("entries", sa.BigInteger, nullable=False, comment="How many entries were recomputed up to it."),
    sa.Column("checked_at", _INSTANT, nullable=False, comment="When."),
    comment="How far the verifier has recomputed each chain.",
)

INVARIANT_CHECKS = sa.Table(
    "invariant_checks",
    METADATA,
    sa.Column(
        "invariant", _WORD, nullable=False, comment="What should always be true: tenant_balanced, holds_pending."
    ),
    sa.Column(
        "checked_at",
        _INSTANT,
        comment="When a process last looked, by the database's clock; empty before the first time.",
    ),
    sa.Column(
        "result",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="How many findings it had then; of trial_balance the difference in minor units.",
    ),
    sa.PrimaryKeyConstraint("invariant", name="pk_invariant_checks"),
    comment="When the verifier last looked at each invariant of the balances.",
)

FINDINGS = sa.Table(
    "findings",
    METADATA,
    sa.Column("invariant", _WORD, nullable=False, comment="What should always be true: entry_sealed, group_linked."),
    sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books; empty where the chain itself is broken."),
    sa.Column("subject", _WORD, nullable=False, comment="The entry, group, account or hold."),
    sa.Column("detail", sa.Text, nullable=False, comment="What was found, as a sentence."),
    sa.Column("found_at", _INSTANT, nullable=False, comment="When it was first found."),
    sa.PrimaryKeyConstraint("subject", "invariant", "tenant_id", name="pk_findings"),
    comment="What the verifier found broken; never changed or removed.",
)

FINDING_RESOLUTIONS = sa.Table(
    "finding_resolutions",
    METADATA,
    sa.Column("invariant", _WORD, nullable=False, comment="The finding's."),
    sa.Column("tenant_id", _WORD, nullable=False, comment="The finding's."),
    sa.Column("subject", _WORD, nullable=False, comment="The finding's."),
    sa.Column("resolved_at", _INSTANT, nullable=False, comment="When it was first found to hold again."),
    sa.PrimaryKeyConstraint("subject", "invariant", "tenant_id", name="pk_finding_resolutions"),
    comment="Findings of the comparison with the api that hold again; never changed or removed.",
)

CLAIMS = sa.Table(
    "claims",
    METADATA,
    sa.Column("entry_id", pg.UUID, nullable=False, comment="The entry that has to stand in the books for it."),
    sa.Column("tenant_id", _WORD, nullable=False, comment="In whose books."),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="How much, in minor units of the currency."),
    sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
    sa.Column("kind", _WORD, nullable=False, comment="capture or refund: the kind of the entry."),
    sa.Column("subject_id", pg.UUID, nullable=False, comment="The intent of a capture, or the refund."),
    sa.Column("claimed_at", _INSTANT, nullable=False, comment="When the ledger first received it."),
    sa.Column(
        "is_told",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="Whether it was reported as a finding that the books have no entry for it.",
    ),
    sa.PrimaryKeyConstraint("entry_id", "tenant_id", "amount_minor", "currency", name="pk_claims"),
    sa.CheckConstraint("kind IN ('capture', 'refund')", name="ck_claims_kind"),
    sa.CheckConstraint("amount_minor > 0", name="ck_claims_amount_minor"),
    sa.Index("ix_claims_claimed_at", "claimed_at", postgresql_where=sa.text("NOT is_told")),
    comment="Settled payments and completed refunds as the api tells of them; removed once compared with the books.",
)

CLAIM_CHECKS = sa.Table(
    "claim_checks",
    METADATA,
    sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="The chain."),
    sa.Column("sequence", sa.BigInteger, nullable=False, comment="Its last group whose entries were compared."),
    comment="How far the entries of each chain were compared with what the api claims; begins with the first claim.",
)

OUTBOX = outbox_table(METADATA)
OUTBOX_REFUSED = outbox_refused_table(METADATA)
OUTBOX_PUBLISHED = published_table(METADATA)
OPERATOR_ACTIONS = operator_actions_table(METADATA)
INBOX = inbox_table(METADATA)
PARTITION_RULES = rules_table(METADATA)
