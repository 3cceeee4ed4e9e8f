"""The sealed changes and the tables that they are of, as the verifier reads them."""

from datetime import datetime, timedelta

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement
from libs.common.evidence import readable


class ChangeChain(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a chain of changes, and how far it was recomputed."""

    chain: int
    sequence: int
    hash: bytes
    verified: int
    verified_hash: bytes


SEALED = {
    "accounts": (("tenant_id", "id"), ""),
    "role_changes": (("tenant_id", "revision"), ""),
    "periods": (("tenant_id", "ends_before"), ""),
    "period_seals": (("tenant_id", "ends_before"), ""),
    "calendars": (("tenant_id", "revision"), ""),
    "own_units": (("tenant_id", "code"), ""),
    "currency_exponents": (("currency",), ""),
    "exchange_rates": (("tenant_id", "from_currency", "to_currency", "effective_at"), ""),
    "conversions": (("tenant_id", "id"), ""),
    "manual_entries": (("tenant_id", "entry_id"), ""),
    "holds": (("tenant_id", "id"), ""),
    "approval_policies": (("tenant_id", "revision"), ""),
    "approval_rules": (("tenant_id", "revision", "rule_no"), ""),
    "policy_changes": (("tenant_id", "id"), ""),
    "proposals": (("tenant_id", "id"), "entries"),
    "operator_actions": (("id",), "detail"),
}
"""The key of each sealed table, and the long text of which the SHA-256 is sealed: not read from the database that is verified."""

# Also a chain whose head is back at zero though it was recomputed before: that is what has to be found.
_CHAINS = Statement("""
SELECT h.chain, h.sequence, h.hash, coalesce(c.sequence, 0) AS verified,
       coalesce(c.hash, decode(repeat('00', 32), 'hex')) AS verified_hash
  FROM change_chains AS h LEFT JOIN change_checks AS c USING (chain)
 WHERE h.sequence > 0 OR c.sequence > 0 ORDER BY h.chain
""")
# Along the primary key, a part at a time.
_GROUPS_AFTER = Statement("""
SELECT sequence, previous, hash, change_count FROM change_groups WHERE chain = :chain AND sequence > :sequence
 ORDER BY sequence LIMIT :limit
""")
# By the groups that the changes name, so that one that was added to a group is read with it.
_CHANGES_OF = Statement(
    """
SELECT sequence, position, subject, tenant_id, key, action, content, {changed_at}, seal FROM sealed_changes
 WHERE chain = :chain AND sequence > :after AND sequence <= :until ORDER BY sequence, position
""",
    changed_at=readable("changed_at"),
)
# Never back: of two processes that recompute a chain at once, the one that came further stands.
_REMEMBER_CHECK = Statement("""
INSERT INTO change_checks AS c (chain, sequence, hash, checked_at) VALUES (:checked.chain, :checked.verified,
       :checked.verified_hash, :at)
ON CONFLICT (chain) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash, checked_at = excluded.checked_at
 WHERE c.sequence <= excluded.sequence
""")
# Neither the rows nor what was sealed of them, which is more where rows end; no more are counted than tell.
_IS_SMALL = """
SELECT (SELECT count(*) FROM (SELECT FROM {subject} LIMIT {limit}) AS counted) < {limit}
   AND (SELECT count(*) FROM (SELECT FROM sealed_changes WHERE subject = '{subject}' LIMIT {limit}) AS counted) < {limit}
"""
# Each grain by itself has all postings up to the fold's version, so what it lacks or has too much is in the row that differs.
_TOTALS = """
SELECT tenant_id, account_id || ' ' || currency AS subject, grain, starts_at FROM (
    SELECT p.tenant_id, p.account_id, p.currency, upper(grain) AS grain, date_trunc(grain, p.effective_at, 'UTC') AS starts_at,
           coalesce(sum(amount_minor) FILTER (WHERE side = 'DEBIT'), 0) AS debits,
           coalesce(sum(amount_minor) FILTER (WHERE side = 'CREDIT'), 0) AS credits
      FROM postings AS p JOIN effective_folds AS f USING (tenant_id, account_id, currency)
     CROSS JOIN (VALUES ('day'), ('hour'), ('minute')) AS of(grain)
     WHERE p.version <= f.version GROUP BY 1, 2, 3, 4, 5) AS expected
  FULL JOIN effective_totals AS t USING (tenant_id, account_id, currency, grain, starts_at)
 WHERE (expected.debits, expected.credits) IS DISTINCT FROM (t.debits_minor, t.credits_minor)
 ORDER BY 1, 2, 3, 4 LIMIT {limit}
"""
# Where each row has to be sealed: one without is a stranger.
_COMPLETE = Statement("SELECT subject FROM sealed_tables WHERE completed_at IS NOT NULL")
# What stood in a table before its changes were sealed is sealed within days: a table whose first seal is older, and which is not complete, was
# set back, or its row is gone.
_IS_SET_BACK = Statement("""
SELECT (SELECT completed_at FROM sealed_tables WHERE subject = :subject) IS NULL
   AND EXISTS (SELECT FROM sealed_changes WHERE subject = :subject AND changed_at < now() - :age::interval)
""")

# A row changes as often as it has an INSERT, an UPDATE and a DELETE at most, so what came last is known without a clock. Where an id
# may come again after its row was removed, as that of a hold, each of its rows is a life, of which the last one counts.
_IS_STRAY = """(sequence < 1 OR NOT EXISTS (SELECT FROM change_groups AS g JOIN change_chains USING (chain)
                               WHERE g.chain = s.chain AND g.sequence = s.sequence))"""
# Changes that are links of no chain: no walk along one comes to them.
_STRAYS = "SELECT chain, sequence, position, tenant_id FROM sealed_changes AS s WHERE {is_stray} ORDER BY 1, 2, 3 LIMIT {limit}"
_COMPARE = """
WITH life AS (
    SELECT DISTINCT ON (tenant_id, key, began_at) tenant_id, key, action, content, changed_at, began_at FROM (
        SELECT *, {began_at} AS began_at
          FROM (SELECT tenant_id, key, action, content::jsonb AS content, changed_at FROM sealed_changes AS s
                 WHERE subject = '{subject}' AND NOT {is_stray}) AS change) AS of_life
     ORDER BY tenant_id, key, began_at, CASE action WHEN 'DELETE' THEN 2 WHEN 'UPDATE' THEN 1 ELSE 0 END DESC, changed_at DESC
), last AS (
    SELECT DISTINCT ON (tenant_id, key) tenant_id, key, action, content,
           bool_or(action = 'DELETE' AND {is_wrong}) OVER (PARTITION BY tenant_id, key) AS is_removed
      FROM life ORDER BY tenant_id, key, began_at DESC
), row AS (
    SELECT {tenant_id} AS tenant_id, {key}::text COLLATE "C" AS key, {content} AS content FROM {subject} AS t
)
SELECT tenant_id, key, is_removed OR last.action = 'DELETE' AS is_removed, row.content IS NULL AS is_missing,
       last.content IS NULL AS is_stranger,
       array(SELECT name FROM jsonb_each(last.content) AS of(name, value)
              WHERE row.content -> name IS DISTINCT FROM value ORDER BY name) AS differing
  FROM last {join} JOIN row USING (tenant_id, key)
 WHERE last.content IS NULL OR is_removed OR (row.content IS NULL) <> (last.action = 'DELETE')
    OR (row.content IS NOT NULL AND EXISTS (SELECT FROM jsonb_each(last.content) AS of(name, value)
                                             WHERE row.content -> name IS DISTINCT FROM value))
 LIMIT {limit}
"""
_LIVES = {
    "holds": (
        "(content ->> 'placed_at')::timestamptz",
        "((content ->> 'state') = 'OPEN' OR changed_at - (content ->> 'resolved_at')::timestamptz < interval '90 days')",
    )
}
"""Of tables from which rows are removed: when a row began, and whether it was removed without being due."""
_LIFE = ("NULL::timestamptz", "true")


async def change_chains(connection: Connection) -> list[ChangeChain]:
    """Read the heads of all chains of changes that have begun."""
    return [ChangeChain(**dict(row)) for row in await _CHAINS.fetch(connection)]


async def groups_after(connection: Connection, chain: int, sequence: int, *, limit: int) -> list[asyncpg.Record]:
    """Read the next groups of a chain."""
    return await _GROUPS_AFTER.fetch(connection, chain=chain, sequence=sequence, limit=limit)


async def changes_of(connection: Connection, chain: int, *, after: int, until: int) -> list[asyncpg.Record]:
    """Read the changes of some groups of a chain, by group and position."""
    return await _CHANGES_OF.fetch(connection, chain=chain, after=after, until=until)


async def remember_check(connection: Connection, checked: ChangeChain, *, at: datetime) -> None:
    """Write down how far a chain was recomputed."""
    await _REMEMBER_CHECK.execute(connection, checked=checked, at=at)


async def is_set_back(connection: Connection, subject: str, *, age: timedelta) -> bool:
    """Tell whether rows of a table count as not sealed yet, though its first seal is as old as this."""
    return bool(await _IS_SET_BACK.fetchval(connection, subject=subject, age=age))


async def differing_rows(connection: Connection, subject: str, *, limit: int) -> list[asyncpg.Record]:
    """Compare all rows of a table with what was sealed of them last; returns those that are not as they were sealed."""
    complete = {row["subject"] for row in await _COMPLETE.fetch(connection)}
    # What stood in the table before is sealed later: until then a row without a seal is none that was added.
    join = "FULL" if subject in complete else "LEFT"
    return await _compared(connection, subject, join=join, limit=limit)


async def _compared(connection: Connection, subject: str, *, join: str, limit: int) -> list[asyncpg.Record]:
    columns, digested = SEALED[subject]
    content = "to_jsonb(t)"
    if digested:
        content = (
            f"(to_jsonb(t) - '{digested}') || jsonb_build_object('{digested}_sha256', "
            f"encode(sha256(convert_to(t.{digested}, 'UTF8')), 'hex'))"
        )
    began_at, is_wrong = _LIVES.get(subject, _LIFE)
    query = _COMPARE.format(
        subject=subject,
        began_at=began_at,
        is_stray=_IS_STRAY,
        is_wrong=is_wrong,
        tenant_id="t.tenant_id" if "tenant_id" in columns else "''::text COLLATE \"C\"",
        key=f"jsonb_build_array({', '.join(f't.{column}' for column in columns)})",
        content=content,
        join=join,
        limit=limit,
    )
    return await connection.fetch(query, timeout=3600)


async def stray_changes(connection: Connection, *, limit: int) -> list[asyncpg.Record]:
    """Find changes that are links of no chain."""
    return await connection.fetch(_STRAYS.format(is_stray=_IS_STRAY, limit=limit), timeout=3600)


async def small_tables(connection: Connection, *, rows_max: int) -> list[str]:
    """List the sealed tables that have no more rows than this, and of which no more changes are sealed."""
    return [
        subject
        for subject in SEALED
        if await connection.fetchval(_IS_SMALL.format(subject=subject, limit=rows_max + 1))
    ]


async def differing_totals(connection: Connection, *, limit: int) -> list[asyncpg.Record]:
    """Sum all postings by effective time, and compare them with what was summed; returns what differs."""
    return await connection.fetch(_TOTALS.format(limit=limit), timeout=3600)
