# ruff: noqa: S608 - statements are put together from our own words
"""Entries travel with their lines inside them, and a group is checked where it arrives instead of where it was stored.

A line takes its tenant, instants, currency and number from the entry that carries it, so what used to be compared cannot
differ any more. What is left to compare (that the lines of an account lead from its balance before to its balance after)
is compared within the group: no row is looked up again that the same statement has just written. Whoever writes rows
without `post_group` is checked as before, and no other than the owner of the schema can.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CHAINS = 16

_DROPPED = ("FUNCTION post_group", "TYPE entry_row", "TYPE posting_row", "TYPE balance_step")
# Packed by services/ledger/store. First what may be long or short, then what is as long in every entry, then one element
# of each array per line; an amount is above zero for a debit and below zero for a credit.
_ENTRY_ROW = (
    "CREATE TYPE entry_row AS (tenant_id text, kind text, payment_intent_id uuid, source_event_id uuid, reverses uuid, "
    "id uuid, occurred_at timestamptz, effective_at timestamptz, posted_at timestamptz, digest bytea, position int4, "
    "seal bytea, currency bpchar, accounts uuid[], amounts_minor int8[], versions int8[], debits_after_minor int8[], "
    "credits_after_minor int8[])"
)
_PENDING_STEP = (
    "CREATE TYPE pending_step AS (tenant_id text, account_id uuid, currency bpchar, debits_minor int8, credits_minor int8, "
    "debits_before int8, credits_before int8)"
)

# As in 0002: single rows by key, for ever, with the rights of the schema's owner. One plan for groups of every size: for
# small ones PostgreSQL would make a new plan each time, which takes longer than the group.
_BY_INDEX = (
    "SECURITY DEFINER SET search_path = ledger, pg_temp SET plan_cache_mode = force_generic_plan "
    "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
)

# As in 0006, but that a balance is found by its account, which is unique all but for certain, and not by its tenant, which
# most of the balances that are compared on the way share. The other index is hidden from both functions: they keep plans.
_LOCK_GROUP = f"""
CREATE OR REPLACE FUNCTION lock_group(wanted balance_key[], entries entry_key[], tenants text[])
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
          JOIN balances AS balance ON balance.account_id = key.account_id AND balance.currency = key.currency
                                  AND balance.tenant_id || '' = key.tenant_id
         ORDER BY balance.account_id, balance.currency, balance.tenant_id
           FOR NO KEY UPDATE OF balance) AS b;
    RETURN QUERY SELECT 'entry', key.no::int4, NULL::int8[], entry.posted_at, entry.digest
      FROM unnest(entries) WITH ORDINALITY AS key(tenant_id, id, no)
      -- In empty books the index that begins with the tenant costs as little as the key, and a plan is kept: hidden from it.
      JOIN journal_entries AS entry ON entry.id = key.id AND entry.tenant_id || '' = key.tenant_id;
    RETURN QUERY SELECT 'closed', tenant.no::int4, NULL::int8[], period.ends_before, NULL::bytea
      FROM unnest(tenants) WITH ORDINALITY AS tenant(id, no)
     CROSS JOIN LATERAL (SELECT p.ends_before FROM periods AS p WHERE p.tenant_id = tenant.id
                          ORDER BY p.ends_before DESC LIMIT 1) AS period;
END
$$
"""
# What is added to a balance are the lines of the group, and what comes out must be what the writer decided, whether it has
# locked the balance or only remembers it: the running totals of the last line, and what is pending where that changes or
# a limit depends on it. So nothing is written on top of what the writer did not know, and the postings of an account lead
# to its balance. An update that had to wait sees the row as it was left. The balances come first, in the order of
# lock_group, and the chain last: a group that waits holds none.
_POST_GROUP = f"""
CREATE FUNCTION post_group(entries entry_row[], pending pending_step[], said outbox_row[], seals bytea,
                           tenants text[], effective_from timestamptz[])
RETURNS void LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    strays int8;
    is_closed boolean;
    head chains%ROWTYPE;
    link_hash bytea;
    mode text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(x'636c6f7365'::int8);
    WITH part AS (
        SELECT tenant_id, account_id, currency, posted_at, version, greatest(amount_minor, 0) AS debit_minor,
               greatest(-amount_minor, 0) AS credit_minor, debits_after_minor, credits_after_minor, NULL::int8 AS pending_debit_minor,
               NULL::int8 AS pending_credit_minor, NULL::int8 AS pending_debits_minor, NULL::int8 AS pending_credits_minor
          FROM (SELECT tenant_id, currency, posted_at, unnest(accounts) AS account_id,
                       unnest(amounts_minor) AS amount_minor, unnest(versions) AS version,
                       unnest(debits_after_minor) AS debits_after_minor,
                       unnest(credits_after_minor) AS credits_after_minor FROM unnest(entries)) AS line
         UNION ALL
        SELECT tenant_id, account_id, currency, NULL, NULL, 0, 0, NULL, NULL, debits_minor - debits_before,
               credits_minor - credits_before, debits_minor, credits_minor FROM unnest(pending)
    ), step AS (
        SELECT tenant_id, account_id, currency, max(posted_at) AS posted_at, count(version) AS lines,
               total_minor(debit_minor) AS debits_added, total_minor(credit_minor) AS credits_added,
               max(version) AS version, max(debits_after_minor) AS debits_minor, max(credits_after_minor) AS credits_minor,
               min(version) AS version_first, min(debits_after_minor - debit_minor) AS debits_before,
               min(credits_after_minor - credit_minor) AS credits_before,
               total_minor(pending_debit_minor) AS pending_debits_added, max(pending_debits_minor) AS pending_debits_minor,
               total_minor(pending_credit_minor) AS pending_credits_added, max(pending_credits_minor) AS pending_credits_minor
          FROM part GROUP BY account_id, currency, tenant_id ORDER BY account_id, currency COLLATE "C", tenant_id COLLATE "C"
    ), moved AS (
        UPDATE balances AS b
           SET debits_minor = b.debits_minor + step.debits_added, credits_minor = b.credits_minor + step.credits_added,
               pending_debits_minor = b.pending_debits_minor + step.pending_debits_added,
               pending_credits_minor = b.pending_credits_minor + step.pending_credits_added,
               version = b.version + step.lines, posted_at = coalesce(step.posted_at, b.posted_at)
          FROM step
         WHERE b.account_id = step.account_id AND b.currency = step.currency AND b.tenant_id || '' = step.tenant_id
           AND (b.posted_at < step.posted_at) IS NOT FALSE
        RETURNING (step.lines = 0 OR b.version = step.version AND b.debits_minor = step.debits_minor
                   AND b.credits_minor = step.credits_minor AND step.version_first = step.version - step.lines + 1
                   AND step.debits_before = step.debits_minor - step.debits_added
                   AND step.credits_before = step.credits_minor - step.credits_added)
              AND b.pending_debits_minor = coalesce(step.pending_debits_minor, b.pending_debits_minor)
              AND b.pending_credits_minor = coalesce(step.pending_credits_minor, b.pending_credits_minor) AS follows
    )
    SELECT (SELECT count(*) FROM step) - count(*) FILTER (WHERE follows),
           EXISTS (SELECT FROM unnest(tenants, effective_from) AS tenant(id, effective_from)
                     JOIN periods AS p ON p.tenant_id = tenant.id AND p.ends_before > tenant.effective_from)
      INTO strays, is_closed FROM moved;
    IF is_closed THEN
        RAISE EXCEPTION 'the group has an entry of a period that is closed' USING ERRCODE = 'serialization_failure';
    END IF;
    IF strays <> 0 THEN
        RAISE EXCEPTION 'the group does not go on from what stands in the books'
              USING ERRCODE = 'serialization_failure', CONSTRAINT = 'group_follows';
    END IF;
    IF cardinality(entries) = 0 THEN
        RETURN;
    END IF;

    SELECT * INTO head FROM chains ORDER BY chain LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        SELECT * INTO head FROM chains WHERE chain = pg_backend_pid() % {CHAINS} FOR NO KEY UPDATE;
    END IF;
    link_hash := sha256(head.hash || int2send(head.chain) || int8send(head.sequence + 1)
                        || int4send(cardinality(entries)) || seals);
    mode := set_config('ledger.posting', 'group', true);
    -- One statement, so that the triggers see all of it at once.
    WITH entry AS MATERIALIZED (
        SELECT * FROM unnest(entries)
    ), booked AS (
        INSERT INTO journal_entries (tenant_id, id, kind, payment_intent_id, line_count, occurred_at, effective_at,
                                     posted_at, source_event_id, reverses, digest, position, seal, chain, sequence)
        SELECT tenant_id, id, kind, payment_intent_id, cardinality(accounts), occurred_at, effective_at, posted_at,
               source_event_id, reverses, digest, position, seal, head.chain, head.sequence + 1 FROM entry
    ), posting AS (
        INSERT INTO postings (tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor,
                              debits_after_minor, credits_after_minor, posted_at, effective_at)
        SELECT tenant_id, id, line_no, account_id, currency, version,
               CASE WHEN amount_minor < 0 THEN 'CREDIT' ELSE 'DEBIT' END, abs(amount_minor), debits_after_minor,
               credits_after_minor, posted_at, effective_at
          FROM (SELECT tenant_id, id, currency, posted_at, effective_at,
                       generate_series(1, cardinality(accounts)) AS line_no, unnest(accounts) AS account_id,
                       unnest(amounts_minor) AS amount_minor, unnest(versions) AS version,
                       unnest(debits_after_minor) AS debits_after_minor,
                       unnest(credits_after_minor) AS credits_after_minor FROM entry) AS line
    ), outgoing AS (
        INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
        SELECT * FROM unnest(said)
    ), link AS (
        INSERT INTO entry_groups (chain, sequence, previous, hash, entry_count, posted_from, posted_until)
        SELECT head.chain, head.sequence + 1, head.hash, link_hash, count(*), min(posted_at), max(posted_at) FROM entry
    )
    UPDATE chains SET sequence = head.sequence + 1, hash = link_hash WHERE chain = head.chain;
    mode := set_config('ledger.posting', '', true);
END
$$
"""

# That each entry is balanced is looked at whoever writes it. The rest of it post_group has seen to, which says so by a
# setting; a role that could set it elsewhere may still write no posting.
_BY_GROUP = "current_setting('ledger.posting', true) = 'group'"
_CHECK_POSTINGS = f"""
CREATE OR REPLACE FUNCTION check_postings() RETURNS trigger LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    SELECT entry_id INTO wrong FROM added GROUP BY entry_id, tenant_id, currency
    HAVING total_minor(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the journal entry % is not balanced in one currency', wrong.entry_id
              USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balanced';
    END IF;
    IF {_BY_GROUP} THEN
        RETURN NULL;
    END IF;

    SELECT line.entry_id INTO wrong
      FROM (SELECT tenant_id, entry_id, count(*) AS lines, min(line_no) AS line_first, max(line_no) AS line_last,
                   min(posted_at) AS posted_first, max(posted_at) AS posted_last,
                   min(effective_at) AS effective_first, max(effective_at) AS effective_last,
                   min(currency) AS currency_first, max(currency) AS currency_last
              FROM added GROUP BY entry_id, tenant_id) AS line
      LEFT JOIN journal_entries AS entry ON entry.id = line.entry_id AND entry.tenant_id = line.tenant_id
     WHERE entry.id IS NULL OR line.lines <> entry.line_count
        OR line.line_first <> 1 OR line.line_last <> entry.line_count
        OR line.posted_first <> entry.posted_at OR line.posted_last <> entry.posted_at
        OR line.effective_first <> entry.effective_at OR line.effective_last <> entry.effective_at
        OR line.currency_first <> line.currency_last
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the postings of the journal entry % are not all of its lines, in one currency', wrong.entry_id
              USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_complete',
                    HINT = 'An entry and all its postings are inserted by one statement.';
    END IF;

    SELECT line.account_id, line.currency INTO wrong
      FROM (SELECT tenant_id, account_id, currency, min(version) AS version_first, max(version) AS version_last,
                   count(*) AS lines,
                   total_minor(CASE side WHEN 'DEBIT' THEN amount_minor ELSE 0 END) AS debits_minor,
                   total_minor(CASE side WHEN 'CREDIT' THEN amount_minor ELSE 0 END) AS credits_minor,
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
_CHECK_ENTRIES = f"""
CREATE OR REPLACE FUNCTION check_journal_entries() RETURNS trigger
LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    IF {_BY_GROUP} THEN
        RETURN NULL;
    END IF;
    SELECT entry.id INTO wrong FROM added AS entry
     WHERE NOT EXISTS (SELECT FROM postings AS line
                        WHERE line.tenant_id = entry.tenant_id AND line.entry_id = entry.id AND line.line_no = 1)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the journal entry % has no postings', wrong.id
              USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_complete',
                    HINT = 'An entry and all its postings are inserted by one statement.';
    END IF;
    RETURN NULL;
END
$$
"""


# By these nothing is ever looked for, and statistics of them cost a busy ledger as much as those that are needed.
_WITHOUT_STATISTICS = {
    "journal_entries": ("line_count", "source_event_id", "digest", "position", "seal"),
    "postings": ("line_no", "side", "amount_minor", "debits_after_minor", "credits_after_minor"),
    "outbox": ("event_id", "contract", "tenant_id", "correlation_id", "traceparent", "occurred_at", "body"),
}


def upgrade() -> None:
    for dropped in _DROPPED:
        op.execute(f"DROP {dropped}")
    for row in (_ENTRY_ROW, _PENDING_STEP):
        op.execute(row)
    # No update changes what stands in it, so it costs nothing but when a balance begins.
    op.create_index("ix_balances_account", "balances", ["account_id", "currency"])
    for function in (_LOCK_GROUP, _POST_GROUP, _CHECK_POSTINGS, _CHECK_ENTRIES):
        op.execute(function)
    for table, columns in _WITHOUT_STATISTICS.items():
        for column in columns:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")
    signature = "post_group(entry_row[], pending_step[], outbox_row[], bytea, text[], timestamptz[])"
    op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO ledger_app")


def downgrade() -> None:
    raise RuntimeError("sealed books cannot be unsealed: restore the backup that was made before the upgrade")
