"""The SQL of API keys."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.api.api_keys.domain import ACTIVE_MAX, OVERLAPPING_MAX, ApiKey, Holder
from services.api.http.cursors import Position

_WRITTEN = columns_of(ApiKey)
# A key of before the column has its person where its maker is one, and otherwise through the keys that made it; keys are never deleted.
_RESPONSIBLE = """coalesce(k.responsible, (
    WITH RECURSIVE makers AS (
        SELECT k.created_by AS name, NULL::text AS responsible
        UNION ALL
        SELECT m.created_by, m.responsible FROM makers JOIN api_keys AS m
            ON m.tenant_id = k.tenant_id AND 'key:' || m.id = makers.name WHERE makers.responsible IS NULL
    ) SELECT coalesce(responsible, name) FROM makers WHERE responsible IS NOT NULL OR name NOT LIKE 'key:%' LIMIT 1
), k.created_by) AS responsible"""
_COLUMNS = f"{columns_of(ApiKey, without=('responsible',))}, {_RESPONSIBLE}"
_key_of = reader_of(ApiKey)
_holder_of = reader_of(Holder)

# By the digest alone, before a tenant is known: one row of a unique index, and the tenant of that row.
_FIND = Statement(
    """
SELECT k.id, k.tenant_id, k.scopes, k.expires_at, k.revoked_at, t.plan, t.region, {responsible}
  FROM api_keys AS k JOIN tenants AS t ON t.id = k.tenant_id
 WHERE k.secret_hash = :secret_hash
""",
    responsible=_RESPONSIBLE,
)

# Counted in the statement that writes: two requests at once may both be the last one, which is one key too many, no more.
# One that is rotated has its place taken by the new one; together with those there are at most so many more.
_INSERT = Statement(
    """
INSERT INTO api_keys ({columns}, secret_hash)
SELECT {values}, :secret_hash
 WHERE (SELECT count(*) FROM api_keys WHERE tenant_id = :key.tenant_id AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > :key.created_at) AND (rotated_to IS NULL OR :is_rotation::boolean))
       < CASE WHEN :is_rotation THEN {overlapping_max} ELSE {active_max} END
""",
    columns=_WRITTEN,
    values=values_of("key", ApiKey),
    active_max=ACTIVE_MAX,
    overlapping_max=OVERLAPPING_MAX,
)

# By tenant too: another tenant's key is not found, whoever knows its id.
_GET = Statement(
    "SELECT {columns} FROM api_keys AS k WHERE k.tenant_id = :tenant_id AND k.id = :key_id", columns=_COLUMNS
)

# Of two rotations at once the second one finds what the first has left.
_LOCK = Statement(
    "SELECT {columns} FROM api_keys AS k WHERE k.tenant_id = :tenant_id AND k.id = :key_id FOR UPDATE OF k",
    columns=_COLUMNS,
)

# The table itself publishes `access.changed`, so that every process forgets what it remembers of the tenant's keys.
_REVOKE = Statement("""
UPDATE api_keys SET revoked_at = :at WHERE tenant_id = :tenant_id AND id = :key_id AND revoked_at IS NULL
""")

# It never lives longer by being rotated.
_RETIRE = Statement("""
UPDATE api_keys SET rotated_to = :rotated_to, expires_at = least(expires_at, :expires_at::timestamptz)
 WHERE tenant_id = :tenant_id AND id = :key_id
""")

_PAGE = """
SELECT {columns} FROM api_keys AS k WHERE k.tenant_id = :tenant_id{after} ORDER BY k.created_at DESC, k.id DESC LIMIT :limit
"""
# Newest first, from the index in that order.
_FIRST = Statement(_PAGE, columns=_COLUMNS, after="")
# Another statement, so that it is planned for a place in the index.
_NEXT = Statement(_PAGE, columns=_COLUMNS, after=" AND (k.created_at, k.id) < (:after.created_at, :after.id)")

# What somebody else writes at this moment is as good; in the order of ids, and at most once a minute however many processes.
_NOTE_USES = Statement("""
WITH due AS (
    SELECT k.id, k.tenant_id, u.at FROM unnest(:ids::uuid[], :tenant_ids::text[], :ats::timestamptz[]) AS u(id, tenant_id, at)
      JOIN api_keys AS k USING (id, tenant_id)
     WHERE k.last_used_at IS NULL OR k.last_used_at <= u.at - interval '1 minute'
     ORDER BY k.id FOR UPDATE OF k SKIP LOCKED
)
UPDATE api_keys AS k SET last_used_at = due.at FROM due WHERE k.id = due.id AND k.tenant_id = due.tenant_id
""")

# Without a filter: a handful of rows.
_PERMISSIONS = Statement("SELECT name FROM permissions")


async def find(database: Database, secret_hash: bytes) -> Holder | None:
    """Find whose key has a digest, whatever has become of it."""
    row = await _FIND.fetchrow(database, secret_hash=secret_hash)
    return None if row is None else _holder_of(row)


async def insert(tx: Connection, key: ApiKey, *, secret_hash: bytes, is_rotation: bool) -> bool:
    """Write a new key, or one that replaces another; False when the tenant has as many active ones as it may."""
    return await _INSERT.execute(tx, key=key, secret_hash=secret_hash, is_rotation=is_rotation) == 1


async def get(database: Database | Connection, tenant_id: str, key_id: UUID) -> ApiKey | None:
    """Read one key."""
    row = await _GET.fetchrow(database, tenant_id=tenant_id, key_id=key_id)
    return None if row is None else _key_of(row)


async def lock(tx: Connection, tenant_id: str, key_id: UUID) -> ApiKey | None:
    """Read one key and lock it."""
    row = await _LOCK.fetchrow(tx, tenant_id=tenant_id, key_id=key_id)
    return None if row is None else _key_of(row)


async def revoke(tx: Connection, tenant_id: str, key_id: UUID, *, at: datetime) -> bool:
    """Revoke a key; False where it is revoked already."""
    return await _REVOKE.execute(tx, tenant_id=tenant_id, key_id=key_id, at=at) == 1


async def retire(tx: Connection, key: ApiKey, *, rotated_to: UUID, expires_at: datetime) -> None:
    """Let a key end once the one that replaces it is in use."""
    await _RETIRE.execute(tx, tenant_id=key.tenant_id, key_id=key.id, rotated_to=rotated_to, expires_at=expires_at)


async def page(database: Database, tenant_id: str, *, limit: int, after: Position | None) -> list[ApiKey]:
    """Read a tenant's keys, newest first."""
    if after is None:
        rows = await _FIRST.fetch(database, tenant_id=tenant_id, limit=limit)
    else:
        rows = await _NEXT.fetch(database, tenant_id=tenant_id, limit=limit, after=after)
    return [_key_of(row) for row in rows]


async def note_uses(database: Database, uses: Mapping[tuple[UUID, str], datetime]) -> None:
    """Write when keys were used last."""
    await _NOTE_USES.write(
        database,
        ids=[key_id for key_id, _ in uses],
        tenant_ids=[tenant_id for _, tenant_id in uses],
        ats=list(uses.values()),
    )


async def permissions(database: Database) -> frozenset[str]:
    """Read every permission that exists."""
    return frozenset(row["name"] for row in await _PERMISSIONS.fetch(database))
