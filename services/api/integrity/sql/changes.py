"""The sealed changes and the tables that they are of, as the verifier reads them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, reader_of
from libs.common.evidence import readable
from services.api.integrity.domain import Chain, Change, Finding


class SealedTable(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a table are sealed."""

    key: tuple[str, ...]
    """Its key."""
    tenant: str = "''::text"
    """Whose a row is, of the table `t`."""
    digested: str = ""
    """A text of which the SHA-256 is sealed; empty: none."""


SEALED = {
    "tenants": SealedTable(key=("id",), tenant="t.id"),
    "users": SealedTable(key=("id",), tenant="coalesce(t.tenant_id, '')", digested="password_hash"),
    "roles": SealedTable(key=("name",)),
    "permissions": SealedTable(key=("name",)),
    "role_permissions": SealedTable(key=("role", "permission")),
    "policies": SealedTable(key=("permission",)),
    "feature_flags": SealedTable(key=("name", "tenant_id"), tenant="t.tenant_id"),
    "api_keys": SealedTable(key=("id",), tenant="t.tenant_id", digested="secret_hash"),
    "identity_providers": SealedTable(key=("tenant_id",), tenant="t.tenant_id", digested="client_secret"),
    "user_identities": SealedTable(key=("tenant_id", "subject"), tenant="t.tenant_id"),
    "operator_actions": SealedTable(key=("id",), digested="detail"),
}
"""The tables that triggers seal: not read from the database that is verified."""
LINES = "audit_log"
"""Of this table the lines of administration are sealed, by the commands that write them."""

_change_of, _chain_of = reader_of(Change), reader_of(Chain)

# Those of which not all is recomputed, also where the head is back at zero, or gone, though it was recomputed before.
_CHAINS = """
SELECT coalesce(h.tenant_id, c.tenant_id) AS tenant_id, coalesce(h.sequence, 0) AS sequence,
       coalesce(h.hash, decode(repeat('00', 32), 'hex')) AS hash, coalesce(c.sequence, 0) AS verified,
       coalesce(c.hash, decode(repeat('00', 32), 'hex')) AS verified_hash
  FROM change_chains AS h FULL JOIN change_checks AS c ON c.tenant_id = h.tenant_id
"""
# By the tenant, so many at a time.
_UNVERIFIED = Statement(
    "{chains} WHERE (h.sequence, h.hash) IS DISTINCT FROM (c.sequence, c.hash) ORDER BY 1 LIMIT :limit", chains=_CHAINS
)
# Whole, to be recomputed from the begin; also a chain that has changes and no head.
_ALL_CHAINS = Statement("""
SELECT tenant_id, coalesce(h.sequence, 0) AS sequence, coalesce(h.hash, decode(repeat('00', 32), 'hex')) AS hash,
       0::int8 AS verified, decode(repeat('00', 32), 'hex') AS verified_hash
  FROM change_chains AS h FULL JOIN (SELECT DISTINCT tenant_id FROM sealed_changes) AS c USING (tenant_id) ORDER BY 1
""")
# Along the primary key, a part at a time.
_CHANGES_AFTER = Statement(
    "SELECT {columns} FROM sealed_changes WHERE tenant_id = :tenant_id AND sequence > :sequence ORDER BY sequence LIMIT :limit",
    columns=columns_of(Change).replace("changed_at", readable("changed_at")),
)
# What stands before the begin of a chain: no walk along it comes there.
_STRAYS = Statement(
    "SELECT tenant_id, sequence FROM sealed_changes WHERE sequence < 1 ORDER BY tenant_id, sequence LIMIT :limit"
)
# Never back: of two processes that recompute a chain at once, the one that came further counts.
_REMEMBER = Statement("""
INSERT INTO change_checks AS c (tenant_id, sequence, hash, checked_at) VALUES (:tenant_id, :sequence, :last, :at)
ON CONFLICT (tenant_id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash, checked_at = excluded.checked_at
 WHERE c.sequence <= excluded.sequence
""")
# Tried, never waited for: one process verifies, and the others have nothing to do (0x76657269 is "veri").
_LEAD = Statement("SELECT pg_try_advisory_xact_lock(x'76657269'::int8)")
# What is known already is written once.
_WRITE_FINDINGS = Statement(
    """
INSERT INTO change_findings ({columns}, found_at)
SELECT * , :at::timestamptz FROM unnest(:found[].invariant::text[], :found[].tenant_id::text[], :found[].subject::text[],
                                        :found[].detail::text[])
ON CONFLICT DO NOTHING RETURNING {columns}
""",
    columns=columns_of(Finding),
)
# A handful, if any.
_COUNT_FINDINGS = Statement("SELECT count(*) FROM change_findings")
# Where each row has to be sealed: one without is a stranger.
_IS_COMPLETE = Statement("SELECT completed_at IS NOT NULL FROM sealed_tables WHERE subject = :subject")

# What stood in a table before its changes were sealed is sealed within days: a table whose first seal is older, and which is not complete, was
# set back, or its row is gone.
_IS_SET_BACK = Statement("""
SELECT (SELECT completed_at FROM sealed_tables WHERE subject = :subject) IS NULL
   AND EXISTS (SELECT FROM sealed_changes WHERE subject = :subject AND changed_at < now() - :age::interval)
""")

_IS_SMALL = """
SELECT (SELECT count(*) FROM (SELECT FROM {subject} LIMIT {limit}) AS counted) < {limit}
   AND (SELECT count(*) FROM (SELECT FROM sealed_changes WHERE subject = '{subject}' LIMIT {limit}) AS counted) < {limit}
"""
# What was sealed of a row last; as it was found counts only where no change was sealed, which is as new at least. What stands before
# the begin of a chain is no link of it.
_LAST = """
WITH last AS (
    SELECT DISTINCT ON (tenant_id, key) tenant_id, key, action, content::jsonb AS content FROM sealed_changes
     WHERE subject = '{subject}' AND sequence > 0 ORDER BY tenant_id, key, action = 'STANDING', sequence DESC
)
"""
_DIFFERING = """array(SELECT name FROM jsonb_each(last.content) AS of(name, value)
              WHERE row.content -> name IS DISTINCT FROM value ORDER BY name)"""
_COMPARE = """{last}, row AS (
    SELECT {tenant_id} COLLATE "C" AS tenant_id, {key}::text COLLATE "C" AS key, {content} AS content FROM {subject} AS t
)
SELECT tenant_id, key, last.action = 'DELETE' AS is_removed, row.content IS NULL AS is_missing,
       last.content IS NULL AS is_stranger, {differing} AS differing
  FROM last {join} JOIN row USING (tenant_id, key)
 WHERE last.content IS NULL OR (row.content IS NULL) <> (last.action = 'DELETE')
    OR (row.content IS NOT NULL AND cardinality({differing}) > 0)
 LIMIT {limit}
"""
# Each sealed line by its primary key. No line is removed before it is 90 days old, whatever the settings are.
_COMPARE_LINES = """{last}
SELECT last.tenant_id, key, false AS is_removed, row.content IS NULL AS is_missing, false AS is_stranger, {differing} AS differing
  FROM last LEFT JOIN LATERAL (
       SELECT to_jsonb(t) AS content FROM {subject} AS t
        WHERE t.tenant_id = last.tenant_id AND t.id = (last.key::jsonb ->> 0)::uuid OFFSET 0) AS row ON true
 WHERE CASE WHEN row.content IS NULL THEN (last.content ->> 'created_at')::timestamptz > now() - interval '90 days'
            ELSE cardinality({differing}) > 0 END
 LIMIT {limit}
"""


async def lead(tx: Connection) -> bool:
    """Whether this process is the one that verifies, until the transaction ends."""
    return bool(await _LEAD.fetchval(tx))


async def unverified_chains(connection: Connection, *, limit: int) -> list[Chain]:
    """Read the heads of chains that have moved since they were recomputed."""
    return [_chain_of(row) for row in await _UNVERIFIED.fetch(connection, limit=limit)]


async def all_chains(connection: Connection) -> list[Chain]:
    """Read the heads of all chains, as of chains that were never recomputed."""
    return [_chain_of(row) for row in await _ALL_CHAINS.fetch(connection)]


async def changes_after(connection: Connection, tenant_id: str, sequence: int, *, limit: int) -> list[Change]:
    """Read the next changes of a chain."""
    rows = await _CHANGES_AFTER.fetch(connection, tenant_id=tenant_id, sequence=sequence, limit=limit)
    return [_change_of(row) for row in rows]


async def stray_changes(connection: Connection, *, limit: int) -> list[tuple[str, int]]:
    """Find changes that are links of no chain, by tenant and place."""
    return [(row[0], row[1]) for row in await _STRAYS.fetch(connection, limit=limit)]


async def remember_check(tx: Connection, tenant_id: str, *, sequence: int, last: bytes, at: datetime) -> None:
    """Write down how far a chain was recomputed."""
    await _REMEMBER.execute(tx, tenant_id=tenant_id, sequence=sequence, last=last, at=at)


async def write_findings(tx: Connection, found: Sequence[Finding], *, at: datetime) -> list[Finding]:
    """Write findings down; returns those that were not known."""
    rows = await _WRITE_FINDINGS.fetch(tx, found=found, at=at)
    return [Finding(**dict(row)) for row in rows]


async def count_findings(connection: Connection) -> int:
    """Count all findings."""
    return int(await _COUNT_FINDINGS.fetchval(connection))


async def is_set_back(connection: Connection, subject: str, *, age: timedelta) -> bool:
    """Tell whether rows of a table count as not sealed yet, though its first seal is as old as this."""
    return bool(await _IS_SET_BACK.fetchval(connection, subject=subject, age=age))


async def is_small(connection: Connection, subject: str, *, rows_max: int) -> bool:
    """Tell whether a table has no more rows than this, and no more changes are sealed of it."""
    return bool(await connection.fetchval(_IS_SMALL.format(subject=subject, limit=rows_max + 1)))


async def differing_rows(connection: Connection, subject: str, *, limit: int) -> list[asyncpg.Record]:
    """Compare all rows of a table with what was sealed of them last; returns those that are not as they were sealed."""
    last = _LAST.format(subject=subject)
    if subject == LINES:
        query = _COMPARE_LINES.format(last=last, subject=subject, differing=_DIFFERING, limit=limit)
        return await connection.fetch(query, timeout=3600)
    sealed = SEALED[subject]
    content = "to_jsonb(t)"
    if name := sealed.digested:
        digest = f"encode(sha256(convert_to(to_jsonb(t) ->> '{name}', 'UTF8')), 'hex')"
        content = f"(to_jsonb(t) - '{name}') || jsonb_build_object('{name}_sha256', {digest})"
    query = _COMPARE.format(
        last=last,
        subject=subject,
        tenant_id=sealed.tenant,
        key=f"jsonb_build_array({', '.join(f't.{column}' for column in sealed.key)})",
        content=content,
        differing=_DIFFERING,
        # What stood in the table before is sealed later: until then a row without a seal is none that was added.
        join="FULL" if await _IS_COMPLETE.fetchval(connection, subject=subject) else "LEFT",
        limit=limit,
    )
    return await connection.fetch(query, timeout=3600)
