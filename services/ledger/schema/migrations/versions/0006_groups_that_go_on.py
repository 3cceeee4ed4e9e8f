# ruff: noqa: S608 - statements are put together from our own words
"""Groups that go on from what their writer knows: one function checks, writes and links, so that a group may need no other.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHAINS = 16

_DROPPED = (
    "FUNCTION write_group",
    "FUNCTION write_pending",
    "FUNCTION lock_group",
    "TYPE entry_row",
    "TYPE balance_row",
)
# How a group travels to the database: one array of rows each, packed by services/ledger/store.
_TYPES = {
    "entry_row": "tenant_id text, id uuid, kind text, payment_intent_id uuid, line_count int2, occurred_at timestamptz, "
    "effective_at timestamptz, posted_at timestamptz, source_event_id uuid, reverses uuid, digest bytea, "
    "position int4, seal bytea",
    "balance_step": "tenant_id text, account_id uuid, currency bpchar, debits_minor int8, credits_minor int8, "
    "pending_debits_minor int8, pending_credits_minor int8, version int8, posted_at timestamptz, debits_before int8, "
    "credits_before int8, pending_debits_before int8, pending_credits_before int8, version_before int8",
}

# As in 0002: single rows by key, for ever, with the rights of the schema's owner.
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
END
$$
"""
# Whoever writes says from which balances the group goes on, whether it has locked them or only remembers them: what is
# added is the difference, and each sum must come out as it was decided. So nothing is written on top of what the writer
# did not know. The balances come first and in the order of their keys, as in lock_group, and wait for whoever has them;
# an update that had to wait sees the row as it was left. The chain comes last: a group that waits holds none.
_POST_GROUP = f"""
CREATE FUNCTION post_group(changed balance_step[], entries entry_row[], lines posting_row[], said outbox_row[],
                           seals bytea, tenants text[], effective_from timestamptz[])
RETURNS void LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    follow int8;
    head chains%ROWTYPE;
    link_hash bytea;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(x'636c6f7365'::int8);
    PERFORM FROM unnest(tenants, effective_from) AS tenant(id, effective_from)
      JOIN periods AS period ON period.tenant_id = tenant.id AND period.ends_before > tenant.effective_from;
    IF FOUND THEN
        RAISE EXCEPTION 'the group has an entry of a period that is closed' USING ERRCODE = 'serialization_failure';
    END IF;

    WITH moved AS (
        UPDATE balances AS b
           SET debits_minor = b.debits_minor + (step.debits_minor - step.debits_before),
               credits_minor = b.credits_minor + (step.credits_minor - step.credits_before),
               pending_debits_minor = b.pending_debits_minor + (step.pending_debits_minor - step.pending_debits_before),
               pending_credits_minor = b.pending_credits_minor + (step.pending_credits_minor - step.pending_credits_before),
               version = b.version + (step.version - step.version_before), posted_at = step.posted_at
          FROM (SELECT * FROM unnest(changed)
                 ORDER BY tenant_id COLLATE "C", account_id, currency COLLATE "C") AS step
         WHERE b.tenant_id = step.tenant_id AND b.account_id = step.account_id AND b.currency = step.currency
           AND (step.version = step.version_before OR (b.posted_at < step.posted_at) IS NOT FALSE)
        RETURNING b.debits_minor = step.debits_minor AND b.credits_minor = step.credits_minor
              AND b.pending_debits_minor = step.pending_debits_minor
              AND b.pending_credits_minor = step.pending_credits_minor AND b.version = step.version AS follows
    )
    SELECT count(*) FILTER (WHERE follows) INTO follow FROM moved;
    IF follow <> cardinality(changed) THEN
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
    -- One statement, so that the triggers see all of it at once.
    WITH entry AS (
        INSERT INTO journal_entries (tenant_id, id, kind, payment_intent_id, line_count, occurred_at, effective_at,
                                     posted_at, source_event_id, reverses, digest, position, seal, chain, sequence)
        SELECT *, head.chain, head.sequence + 1 FROM unnest(entries)
    ), posting AS (
        INSERT INTO postings (tenant_id, entry_id, line_no, account_id, currency, version, side, amount_minor,
                              debits_after_minor, credits_after_minor, posted_at, effective_at)
        SELECT * FROM unnest(lines)
    ), outgoing AS (
        INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
        SELECT * FROM unnest(said)
    ), link AS (
        INSERT INTO entry_groups (chain, sequence, previous, hash, entry_count, posted_from, posted_until)
        SELECT head.chain, head.sequence + 1, head.hash, link_hash, count(*), min(posted_at), max(posted_at)
          FROM unnest(entries)
    )
    UPDATE chains SET sequence = head.sequence + 1, hash = link_hash WHERE chain = head.chain;
END
$$
"""

# PostgreSQL sums bigint in numeric, which costs more than all the rest of these checks; this one ends in an error where a
# sum is beyond the range of bigint, and no balance may get there.
_TOTAL_MINOR = "CREATE AGGREGATE total_minor(int8) (sfunc = int8pl, stype = int8, initcond = '0', parallel = safe)"
# As in 0002 but for the sums.
_CHECK_POSTINGS = """
CREATE OR REPLACE FUNCTION check_postings() RETURNS trigger LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    SELECT line.entry_id, line.imbalance <> 0 OR line.currency_first <> line.currency_last AS unbalanced INTO wrong
      FROM (SELECT tenant_id, entry_id, count(*) AS lines, min(line_no) AS line_first, max(line_no) AS line_last,
                   total_minor(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) AS imbalance,
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

    -- That they go on from the balance before them is for post_group to see, by which alone the runtime role posts.
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

# An ordinary posting is found by the instant of its record, which is hardly later; only the others need this. As in 0002,
# but as a difference of instants: its length in seconds is a numeric, computed for every posting.
_LATE = "posted_at - effective_at NOT BETWEEN interval '0 seconds' AND interval '60 seconds'"


def upgrade() -> None:
    for dropped in _DROPPED:
        op.execute(f"DROP {dropped}")
    for name, columns in _TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")
    for function in (_LOCK_GROUP, _POST_GROUP, _TOTAL_MINOR, _CHECK_POSTINGS):
        op.execute(function)
    for signature in (
        "lock_group(balance_key[], entry_key[], text[])",
        "post_group(balance_step[], entry_row[], posting_row[], outbox_row[], bytea, text[], timestamptz[])",
    ):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO ledger_app")
    op.drop_index("ix_postings_late", "postings")
    op.create_index(
        "ix_postings_late",
        "postings",
        ["account_id", "currency", "effective_at", "tenant_id"],
        postgresql_where=sa.text(_LATE),
    )


def downgrade() -> None:
    raise RuntimeError("sealed books cannot be unsealed: restore the backup that was made before the upgrade")
