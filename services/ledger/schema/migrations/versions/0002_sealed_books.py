# ruff: noqa: S608 - statements are put together from our own words
"""Sealed books: limits of accounts, holds, periods, effective dates, reversals, and a hash chain over all entries.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")
_CURRENCY = sa.CHAR(3, collation="C")

CHAINS = 16
"""Heads of the hash chain: as many groups as this may be sealed at the same moment."""

# How a group travels to the database and what it asks for: one array of rows each, packed by services/ledger/store.
_TYPES = {
    "balance_key": "tenant_id text, account_id uuid, currency bpchar",
    "entry_key": "tenant_id text, id uuid",
    "entry_row": "tenant_id text, id uuid, kind text, payment_intent_id uuid, line_count int2, occurred_at timestamptz, "
    "effective_at timestamptz, posted_at timestamptz, source_event_id uuid, reverses uuid, digest bytea, "
    "chain int2, sequence int8, position int4, seal bytea",
    "posting_row": "tenant_id text, entry_id uuid, line_no int2, account_id uuid, currency bpchar, version int8, "
    "side text, amount_minor int8, debits_after_minor int8, credits_after_minor int8, posted_at timestamptz, "
    "effective_at timestamptz",
    "balance_row": "tenant_id text, account_id uuid, currency bpchar, debits_minor int8, credits_minor int8, "
    "pending_debits_minor int8, pending_credits_minor int8, version int8, posted_at timestamptz, version_before int8",
    "outbox_row": "event_id uuid, contract text, tenant_id text, correlation_id text, traceparent text, "
    "occurred_at timestamptz, body text",
}
_OLD_TYPES = {
    "new_entry": "tenant_id text, id uuid, kind text, payment_intent_id uuid, line_count int2, occurred_at timestamptz, "
    "posted_at timestamptz, source_event_id uuid, digest bytea",
    "new_posting": "tenant_id text, entry_id uuid, line_no int2, account_id uuid, currency bpchar, version int8, "
    "side text, amount_minor int8, debits_after_minor int8, credits_after_minor int8, posted_at timestamptz",
    "new_balance": "tenant_id text, account_id uuid, currency bpchar, debits_minor int8, credits_minor int8, "
    "version int8, posted_at timestamptz",
}

# Posting looks single rows up by key, for ever. PostgreSQL keeps the plan of a statement in a function, and one that was
# made while the tables were nearly empty reads them from end to end; these settings hold for the function and the
# triggers that it fires.
# They run with the rights of the schema's owner: the runtime role writes entries, postings and balances by them alone.
_BY_INDEX = (
    "SECURITY DEFINER SET search_path = ledger, pg_temp "
    "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
)

# What a group needs to know, in one round trip. Each query has a snapshot of its own and the locks come first, so an
# entry that another transaction posts to these accounts, or a period that it closes, is then either seen or excluded.
_LOCK_GROUP = f"""
CREATE FUNCTION lock_group(wanted balance_key[], entries entry_key[], tenants text[])
RETURNS TABLE (part text, no int4, amounts int8[], instant timestamptz, fingerprint bytea)
LANGUAGE plpgsql {_BY_INDEX} AS $$
BEGIN
    -- Shared among all groups; whoever closes a period takes it alone (0x636c6f7365 is "close").
    PERFORM pg_advisory_xact_lock_shared(x'636c6f7365'::int8);
    -- A lock in the order of the keys is what keeps two groups from waiting for each other in a circle.
    RETURN QUERY SELECT 'balance', b.no::int4, b.amounts, b.posted_at, NULL::bytea FROM (
        SELECT key.no, balance.posted_at,
               ARRAY[balance.debits_minor, balance.credits_minor, balance.pending_debits_minor,
                     balance.pending_credits_minor, balance.version, balance.floor_minor, balance.ceiling_minor,
                     balance.debit_normal::int4] AS amounts
          FROM unnest(wanted) WITH ORDINALITY AS key(tenant_id, account_id, currency, no)
          JOIN balances AS balance USING (tenant_id, account_id, currency)
         ORDER BY balance.tenant_id, balance.account_id, balance.currency
           FOR NO KEY UPDATE OF balance) AS b;
    RETURN QUERY SELECT 'entry', key.no::int4, NULL::int8[], entry.posted_at, entry.digest
      FROM unnest(entries) WITH ORDINALITY AS key(tenant_id, id, no)
      -- In empty books the index that begins with the tenant costs as little as the key, and a plan is kept: hidden from it.
      JOIN journal_entries AS entry ON entry.id = key.id AND entry.tenant_id || '' = key.tenant_id;
    RETURN QUERY SELECT 'closed', tenant.no::int4, NULL::int8[], period.ends_before, NULL::bytea
      FROM unnest(tenants) WITH ORDINALITY AS tenant(id, no)
     CROSS JOIN LATERAL (SELECT p.ends_before FROM periods AS p WHERE p.tenant_id = tenant.id
                          ORDER BY p.ends_before DESC LIMIT 1) AS period;
    IF cardinality(entries) > 0 THEN
        RETURN QUERY SELECT 'head', head.chain::int4, ARRAY[head.sequence], NULL::timestamptz, head.hash
          FROM chains AS head ORDER BY head.chain LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'head', head.chain::int4, ARRAY[head.sequence], NULL::timestamptz, head.hash
              FROM chains AS head WHERE head.chain = pg_backend_pid() % {CHAINS} FOR NO KEY UPDATE;
        END IF;
    END IF;
END
$$
"""
# The currency policy is decided where a balance begins: a currency that an account does not take never gets one.
_BEGIN_BALANCES = f"""
CREATE FUNCTION begin_balances(wanted balance_key[])
RETURNS TABLE (no int4, is_begun boolean, is_taken boolean, floor_minor int8, ceiling_minor int8, debit_normal boolean)
LANGUAGE plpgsql {_BY_INDEX} AS $$
BEGIN
    RETURN QUERY
    WITH found AS (
        SELECT key.no, account.tenant_id, account.id, key.currency, account.floor_minor, account.ceiling_minor,
               account.account_type IN ('ASSET', 'EXPENSE') AS debit_normal,
               coalesce(key.currency = ANY (account.currencies), true) AS is_taken
          FROM unnest(wanted) WITH ORDINALITY AS key(tenant_id, account_id, currency, no)
          JOIN accounts AS account ON account.tenant_id = key.tenant_id AND account.id = key.account_id
    ), begun AS (
        INSERT INTO balances (tenant_id, account_id, currency, floor_minor, ceiling_minor, debit_normal)
        SELECT found.tenant_id, found.id, found.currency, found.floor_minor, found.ceiling_minor, found.debit_normal
          FROM found WHERE found.is_taken ORDER BY found.tenant_id, found.id, found.currency
            ON CONFLICT DO NOTHING RETURNING tenant_id, account_id, currency
    )
    SELECT found.no::int4, (found.tenant_id, found.id, found.currency) IN (SELECT * FROM begun), found.is_taken,
           found.floor_minor, found.ceiling_minor, found.debit_normal
      FROM found;
END
$$
"""
# Entries, postings, balances, what is said about them and their link in the chain: one statement, so that the triggers
# see all of it at once.
_WRITE_GROUP = f"""
CREATE FUNCTION write_group(entries entry_row[], lines posting_row[], changed balance_row[], said outbox_row[],
                            chain_no int2, link int8, link_before bytea, link_hash bytea,
                            first_at timestamptz, last_at timestamptz)
RETURNS void LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    moved int8;
BEGIN
    WITH entry AS (
        INSERT INTO journal_entries (tenant_id, id, kind, payment_intent_id, line_count, occurred_at, effective_at,
                                     posted_at, source_event_id, reverses, digest, chain, sequence, position, seal)
        SELECT * FROM unnest(entries)
    ), posting AS (
        INSERT INTO postings (tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor,
                              debits_after_minor, credits_after_minor, posted_at, effective_at)
        SELECT * FROM unnest(lines)
    ), balance AS (
        UPDATE balances AS b
           SET debits_minor = new.debits_minor, credits_minor = new.credits_minor,
               pending_debits_minor = new.pending_debits_minor, pending_credits_minor = new.pending_credits_minor,
               version = new.version, posted_at = new.posted_at
          FROM unnest(changed) AS new
         WHERE b.tenant_id = new.tenant_id AND b.account_id = new.account_id AND b.currency = new.currency
           AND b.version = new.version_before
        RETURNING 1
    ), outgoing AS (
        INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
        SELECT * FROM unnest(said)
    ), head AS (
        UPDATE chains SET sequence = link, hash = link_hash
         WHERE chain = chain_no AND sequence = link - 1 AND hash = link_before
        RETURNING 1
    ), linked AS (
        INSERT INTO entry_groups (chain, sequence, previous, hash, entry_count, posted_from, posted_until)
        VALUES (chain_no, link, link_before, link_hash, cardinality(entries), first_at, last_at)
    )
    SELECT (SELECT count(*) FROM balance) + (SELECT count(*) FROM head) INTO moved;
    -- Each posting goes on from the balance that its group has locked, and each group from the head of its chain.
    IF moved <> cardinality(changed) + 1 THEN
        RAISE EXCEPTION 'the group does not go on from what stands in the books'
              USING ERRCODE = 'check_violation', CONSTRAINT = 'group_follows';
    END IF;
END
$$
"""
_WRITE_PENDING = f"""
CREATE FUNCTION write_pending(changed balance_row[]) RETURNS void LANGUAGE plpgsql {_BY_INDEX} AS $$
BEGIN
    UPDATE balances AS b
       SET pending_debits_minor = new.pending_debits_minor, pending_credits_minor = new.pending_credits_minor
      FROM unnest(changed) AS new
     WHERE b.tenant_id = new.tenant_id AND b.account_id = new.account_id AND b.currency = new.currency
       AND b.version = new.version_before;
END
$$
"""
_CHECK_POSTINGS = """
CREATE OR REPLACE FUNCTION check_postings() RETURNS trigger LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    SELECT line.entry_id, line.imbalance <> 0 OR line.currency_first <> line.currency_last AS unbalanced INTO wrong
      FROM (SELECT tenant_id, entry_id, count(*) AS lines, min(line_no) AS line_first, max(line_no) AS line_last,
                   sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END)::int8 AS imbalance,
                   min(currency) AS currency_first, max(currency) AS currency_last,
                   min(posted_at) AS posted_first, max(posted_at) AS posted_last,
                   min(effective_at) AS effective_first, max(effective_at) AS effective_last
              FROM added GROUP BY entry_id, tenant_id) AS line
      LEFT JOIN journal_entries AS entry ON entry.id = line.entry_id AND entry.tenant_id || '' = line.tenant_id
     WHERE line.imbalance <> 0 OR line.currency_first <> line.currency_last
        OR entry.id IS NULL OR line.lines <> entry.line_count
        OR line.line_first <> 1 OR line.line_last <> entry.line_count
        OR line.posted_first <> entry.posted_at OR line.posted_last <> entry.posted_at
        OR line.effective_first <> entry.effective_at OR line.effective_last <> entry.effective_at
     LIMIT 1;
    IF FOUND AND wrong.unbalanced THEN
        RAISE EXCEPTION 'the journal entry % is not balanced in one currency', wrong.entry_id
              USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balanced';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'the postings of the journal entry % are not all of its lines', wrong.entry_id
              USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_complete',
                    HINT = 'An entry and all its postings are inserted by one statement.';
    END IF;

    -- That they go on from the balance before them is for write_group to see, by which alone the runtime role posts.
    SELECT line.account_id, line.currency INTO wrong
      FROM (SELECT tenant_id, account_id, currency, min(version) AS version_first, max(version) AS version_last,
                   count(*) AS lines,
                   coalesce(sum(amount_minor) FILTER (WHERE side = 'DEBIT'), 0)::int8 AS debits_minor,
                   coalesce(sum(amount_minor) FILTER (WHERE side = 'CREDIT'), 0)::int8 AS credits_minor,
                   min(debits_after_minor - CASE side WHEN 'DEBIT' THEN amount_minor ELSE 0 END) AS debits_before_minor,
                   min(credits_after_minor - CASE side WHEN 'CREDIT' THEN amount_minor ELSE 0 END)
                       AS credits_before_minor,
                   max(debits_after_minor) AS debits_after_minor, max(credits_after_minor) AS credits_after_minor
              FROM added GROUP BY account_id, tenant_id, currency) AS line
      LEFT JOIN balances AS balance
             ON balance.tenant_id = line.tenant_id AND balance.account_id = line.account_id
            AND balance.currency = line.currency
     WHERE line.version_last <> line.version_first - 1 + line.lines
        OR line.debits_after_minor <> line.debits_before_minor + line.debits_minor
        OR line.credits_after_minor <> line.credits_before_minor + line.credits_minor
        OR line.version_first = 1 AND (line.debits_before_minor <> 0 OR line.credits_before_minor <> 0)
        OR balance.version IS DISTINCT FROM line.version_last
        OR balance.debits_minor <> line.debits_after_minor OR balance.credits_minor <> line.credits_after_minor
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the account % in % does not go on from its last posting to its balance', wrong.account_id, wrong.currency
              USING ERRCODE = 'check_violation', CONSTRAINT = 'balance_follows_postings';
    END IF;
    RETURN NULL;
END
$$
"""
_KEEP_HOLDS = """
CREATE FUNCTION keep_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'OPEN' OR NEW.state = 'OPEN'
       OR (NEW.tenant_id, NEW.id, NEW.debit_account_id, NEW.credit_account_id, NEW.currency, NEW.amount_minor,
           NEW.placed_at) IS DISTINCT FROM
          (OLD.tenant_id, OLD.id, OLD.debit_account_id, OLD.credit_account_id, OLD.currency, OLD.amount_minor,
           OLD.placed_at) THEN
        RAISE EXCEPTION 'the hold % is resolved once and changes in nothing else', OLD.id
              USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$
"""

# The content of an entry in canonical bytes (docs/tamper-evidence.md), for entries that stood before there was a chain.
_SEAL_STANDING = """
WITH line AS (
    SELECT tenant_id, entry_id, string_agg(uuid_send(account_id) || convert_to(currency, 'UTF8')
               || convert_to(left(side, 1), 'UTF8') || int8send(amount_minor) || int8send(version)
               || int8send(debits_after_minor) || int8send(credits_after_minor), ''::bytea ORDER BY line_no) AS bytes
      FROM postings GROUP BY tenant_id, entry_id
), sealed AS (
    SELECT e.tenant_id, e.id, row_number() OVER (ORDER BY e.posted_at, e.tenant_id, e.id) AS position,
           sha256(int2send(octet_length(e.tenant_id)::int2) || convert_to(e.tenant_id, 'UTF8') || uuid_send(e.id)
               || int2send(octet_length(e.kind)::int2) || convert_to(e.kind, 'UTF8')
               || coalesce('\\x01'::bytea || uuid_send(e.payment_intent_id), '\\x00'::bytea)
               || coalesce('\\x01'::bytea || uuid_send(e.source_event_id), '\\x00'::bytea) || '\\x00'::bytea
               || int8send((extract(epoch FROM e.occurred_at) * 1000000)::int8)
               || int8send((extract(epoch FROM e.occurred_at) * 1000000)::int8)
               || int8send((extract(epoch FROM e.posted_at) * 1000000)::int8)
               || e.digest || int2send(e.line_count) || line.bytes) AS seal
      FROM journal_entries AS e JOIN line ON line.tenant_id = e.tenant_id AND line.entry_id = e.id
)
UPDATE journal_entries AS e
   SET effective_at = occurred_at, chain = 0, sequence = 1, position = sealed.position, seal = sealed.seal
  FROM sealed WHERE e.tenant_id = sealed.tenant_id AND e.id = sealed.id
"""
_LINK_STANDING = """
WITH link AS (
    SELECT count(*) AS entries, min(posted_at) AS posted_from, max(posted_at) AS posted_until,
           sha256(decode(repeat('00', 32), 'hex') || int2send(0::int2) || int8send(1) || int4send(count(*)::int4)
                  || string_agg(seal, ''::bytea ORDER BY position)) AS hash
      FROM journal_entries HAVING count(*) > 0
), head AS (
    UPDATE chains SET sequence = 1, hash = link.hash FROM link WHERE chain = 0
)
INSERT INTO entry_groups (chain, sequence, previous, hash, entry_count, posted_from, posted_until)
SELECT 0, 1, decode(repeat('00', 32), 'hex'), hash, entries, posted_from, posted_until FROM link
"""


def upgrade() -> None:
    _limit_accounts()
    _create_chain()
    _extend_entries()
    _create_periods_and_holds()
    _create_effective_totals()
    _create_checks()
    for name in _OLD_TYPES:
        op.execute(f"DROP TYPE {name}")
    for name, columns in _TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")
    for function in (_LOCK_GROUP, _BEGIN_BALANCES, _WRITE_GROUP, _WRITE_PENDING, _CHECK_POSTINGS, _KEEP_HOLDS):
        op.execute(function)
    op.execute("CREATE TRIGGER keep_hold BEFORE UPDATE ON holds FOR EACH ROW EXECUTE FUNCTION keep_hold()")
    for table in ("entry_groups", "periods", "findings"):
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    _grant()


def _grant() -> None:
    op.execute("REVOKE INSERT ON journal_entries, postings FROM ledger_app")
    op.execute("REVOKE INSERT, UPDATE ON balances FROM ledger_app")
    for function in (
        "lock_group(balance_key[], entry_key[], text[])",
        "begin_balances(balance_key[])",
        "write_group(entry_row[], posting_row[], balance_row[], outbox_row[], int2, int8, bytea, bytea, timestamptz, timestamptz)",
        "write_pending(balance_row[])",
    ):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO ledger_app")
    op.execute("GRANT SELECT ON chains, entry_groups TO ledger_app")
    op.execute("GRANT SELECT, INSERT ON periods, findings TO ledger_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON holds, effective_totals, effective_folds, chain_checks TO ledger_app")


def _limit_accounts() -> None:
    op.add_column(
        "accounts",
        sa.Column(
            "floor_minor",
            sa.BigInteger,
            nullable=True,
            comment="The least that may be available in its normal direction, in minor units of each currency; NULL: no limit.",
        ),
    )
    op.add_column(
        "accounts",
        sa.Column(
            "ceiling_minor",
            sa.BigInteger,
            nullable=True,
            comment="The most that it may hold in its normal direction, in minor units of each currency; NULL: no limit.",
        ),
    )
    op.add_column(
        "accounts",
        sa.Column("currencies", pg.ARRAY(_CURRENCY), nullable=True, comment="The currencies it takes; NULL: all."),
    )
    op.create_check_constraint("ck_accounts_limits", "accounts", "floor_minor <= ceiling_minor")
    op.create_check_constraint("ck_accounts_currencies", "accounts", "cardinality(currencies) > 0")
    for column, comment in (
        ("pending_debits_minor", "Sum of its open holds that would debit it, in minor units."),
        ("pending_credits_minor", "Sum of its open holds that would credit it, in minor units."),
    ):
        op.add_column("balances", sa.Column(column, sa.BigInteger, nullable=False, server_default="0", comment=comment))
    op.add_column(
        "balances",
        sa.Column("floor_minor", sa.BigInteger, nullable=True, comment="The account's, which never changes."),
    )
    op.add_column(
        "balances",
        sa.Column("ceiling_minor", sa.BigInteger, nullable=True, comment="The account's, which never changes."),
    )
    op.add_column(
        "balances",
        sa.Column(
            "debit_normal",
            sa.Boolean,
            nullable=False,
            server_default=sa.false(),
            comment="Whether the account grows by debits, which never changes.",
        ),
    )
    op.execute(
        "UPDATE balances AS b SET debit_normal = a.account_type IN ('ASSET', 'EXPENSE') FROM accounts AS a "
        "WHERE a.tenant_id = b.tenant_id AND a.id = b.account_id"
    )
    op.alter_column("balances", "debit_normal", server_default=None)
    op.create_check_constraint(
        "ck_balances_pending", "balances", "pending_debits_minor >= 0 AND pending_credits_minor >= 0"
    )


def _create_chain() -> None:
    op.create_table(
        "chains",
        sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="Which of the chains."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="How many groups it has."),
        sa.Column(
            "hash", pg.BYTEA, nullable=False, comment="The hash of its last group; 32 zero bytes before the first."
        ),
        comment="The heads of the hash chains. A group takes any that is free, so groups need not wait for each other.",
        postgresql_with={"fillfactor": "10"},
    )
    op.execute(
        f"INSERT INTO chains SELECT no, 0, decode(repeat('00', 32), 'hex') FROM generate_series(0, {CHAINS - 1}) AS no"
    )
    op.create_table(
        "entry_groups",
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


def _extend_entries() -> None:
    for table in ("journal_entries", "postings"):
        op.add_column(
            table,
            sa.Column(
                "effective_at",
                _INSTANT,
                nullable=True,
                comment="When it counts in the books: occurred_at, or the first open instant where its period was closed.",
            ),
        )
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER refuse_change")
    for column in (
        sa.Column("reverses", pg.UUID, nullable=True, comment="The entry that it takes back, where it is a reversal."),
        sa.Column("chain", sa.SmallInteger, nullable=True, comment="The chain that its group is a link of."),
        sa.Column("sequence", sa.BigInteger, nullable=True, comment="Its group's place in the chain."),
        sa.Column("position", sa.Integer, nullable=True, comment="Its place in the group, from 1, without gaps."),
        sa.Column("seal", pg.BYTEA, nullable=True, comment="SHA-256 of the entry and its postings in canonical bytes."),
    ):
        op.add_column("journal_entries", column)
    op.execute("UPDATE postings AS p SET effective_at = e.occurred_at FROM journal_entries AS e WHERE e.tenant_id = p.tenant_id AND e.id = p.entry_id")  # fmt: skip
    op.execute(_SEAL_STANDING)
    op.execute(_LINK_STANDING)
    for table in ("journal_entries", "postings"):
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER refuse_change")
        op.alter_column(table, "effective_at", nullable=False)
    for name in ("chain", "sequence", "position", "seal"):
        op.alter_column("journal_entries", name, nullable=False)
    op.create_check_constraint("ck_journal_entries_seal", "journal_entries", "octet_length(seal) = 32")
    op.create_index(
        "uq_journal_entries_reverses",
        "journal_entries",
        ["reverses", "tenant_id"],
        unique=True,
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )
    op.create_index("ix_journal_entries_group", "journal_entries", ["chain", "sequence"])
    # An ordinary posting is found by the instant of its record, which is hardly later; only the others need this.
    op.create_index(
        "ix_postings_late",
        "postings",
        ["account_id", "currency", "effective_at", "tenant_id"],
        postgresql_where=sa.text("extract(epoch FROM posted_at - effective_at) NOT BETWEEN 0 AND 60"),
    )


def _create_periods_and_holds() -> None:
    op.create_table(
        "periods",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books."),
        sa.Column(
            "ends_before", _INSTANT, nullable=False, comment="Everything effective before this instant is closed."
        ),
        sa.Column("closed_at", _INSTANT, nullable=False, comment="When it was closed."),
        sa.Column("closed_by", sa.Text, nullable=False, comment="Who closed it: the subject of the caller's token."),
        sa.PrimaryKeyConstraint("tenant_id", "ends_before", name="pk_periods"),
        comment="Closed periods. A period is never opened again: what belongs into it is posted in the next open one.",
    )
    op.create_table(
        "holds",
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
        comment="Amounts set aside: a promise to move money between two accounts. The amounts of open ones are in balances.",
    )
    op.create_index("ix_holds_placed_at", "holds", ["tenant_id", "placed_at", "id"])
    op.create_index(
        "ix_holds_expires_at",
        "holds",
        ["expires_at"],
        postgresql_where=sa.text("state = 'OPEN' AND expires_at IS NOT NULL"),
    )


def _create_effective_totals() -> None:
    op.create_table(
        "effective_totals",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose account."),
        sa.Column("account_id", pg.UUID, nullable=False, comment="The account."),
        sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
        sa.Column("grain", _WORD, nullable=False, comment="DAY or MINUTE, in UTC."),
        sa.Column("starts_at", _INSTANT, nullable=False, comment="The first instant of the day or minute."),
        sa.Column("debits_minor", sa.BigInteger, nullable=False, comment="Debits effective in it, in minor units."),
        sa.Column("credits_minor", sa.BigInteger, nullable=False, comment="Credits effective in it, in minor units."),
        sa.PrimaryKeyConstraint(
            "account_id", "currency", "grain", "starts_at", "tenant_id", name="pk_effective_totals"
        ),
        sa.CheckConstraint("grain IN ('DAY', 'MINUTE')", name="ck_effective_totals_grain"),
        comment="What was posted by effective time, as far as effective_folds says: days and minutes instead of postings.",
    )
    op.create_table(
        "effective_folds",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose account."),
        sa.Column("account_id", pg.UUID, nullable=False, comment="The account."),
        sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
        sa.Column(
            "version", sa.BigInteger, nullable=False, comment="Postings up to this version are in effective_totals."
        ),
        sa.Column("posted_at", _INSTANT, nullable=False, comment="When the posting of this version was recorded."),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "currency", name="pk_effective_folds"),
        comment="How far each account's postings are summed by effective time; the few later ones are read one by one.",
    )


def _create_checks() -> None:
    op.create_table(
        "chain_checks",
        sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="The chain."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="The last group that was recomputed."),
        sa.Column("hash", pg.BYTEA, nullable=False, comment="The hash that was recomputed for it."),
        sa.Column("entries", sa.BigInteger, nullable=False, comment="How many entries were recomputed up to it."),
        sa.Column("checked_at", _INSTANT, nullable=False, comment="When."),
        comment="How far the verifier has recomputed each chain.",
    )
    op.create_table(
        "findings",
        sa.Column(
            "invariant", _WORD, nullable=False, comment="What should always be true: entry_sealed, group_linked."
        ),
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose books; empty where the chain itself is broken."),
        sa.Column("subject", _WORD, nullable=False, comment="The entry, group, account or hold."),
        sa.Column("detail", sa.Text, nullable=False, comment="What was found, as a sentence."),
        sa.Column("found_at", _INSTANT, nullable=False, comment="When it was first found."),
        sa.PrimaryKeyConstraint("subject", "invariant", "tenant_id", name="pk_findings"),
        comment="What the verifier found broken; never changed or removed.",
    )


def downgrade() -> None:
    raise RuntimeError("sealed books cannot be unsealed: restore the backup that was made before the upgrade")
