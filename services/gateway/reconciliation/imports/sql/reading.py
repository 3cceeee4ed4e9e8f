"""Files that are read: claims, staged rows and the lines that count; the only SQL of them."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_imports import ImportFault
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, arrays_of, reader_of
from services.gateway.reconciliation.imports.sql.statements import forget_statements
from services.gateway.reconciliation.imports.statements import BankStatement


class StagedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was read and does not count yet."""

    number: int
    tenant_id: str
    id: UUID
    import_id: UUID
    statement_id: UUID | None
    line: int
    identity: bytes
    essence: bytes
    account: str
    bank_id: str
    booked_on: date
    value_on: date | None
    occurred_at: datetime | None
    currency: str
    amount_minor: int
    fee_minor: int
    kind: str
    refs: str
    counterparty: str
    description: str
    raw: str


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is ours to read, until the claim ends."""

    tenant_id: str
    id: UUID
    source_id: UUID
    sha256: str
    size_bytes: int
    tries: int


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """What became of some staged rows, and where the next ones begin."""

    rows: int
    new: int
    conflicts: list[int]
    identity: bytes | None
    number: int | None
    occurrence: int | None


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of the file, and one of other files that has no line of it."""

    statement_id: UUID
    other_id: UUID


_TYPES = {
    "number": "bigint",
    "tenant_id": "text",
    "id": "uuid",
    "import_id": "uuid",
    "statement_id": "uuid",
    "line": "bigint",
    "identity": "bytea",
    "essence": "bytea",
    "account": "text",
    "bank_id": "text",
    "booked_on": "date",
    "value_on": "date",
    "occurred_at": "timestamptz",
    "currency": "text",
    "amount_minor": "bigint",
    "fee_minor": "bigint",
    "kind": "text",
    "refs": "jsonb",
    "counterparty": "text",
    "description": "text",
    "raw": "text",
}
_LINE = ", ".join(name for name in _TYPES if name != "number")
_claimed, _slice = reader_of(Claimed), reader_of(Slice)

# Until the end of the transaction: files of a source count one after the other.
_LOCK = Statement("""
SELECT pg_try_advisory_xact_lock(hashtextextended('imports:' || :tenant_id || ':' || :source_id::uuid::text, 0))
""")

# One that waits, or whose reader has died: of the tenant of which none is being read and whose last one ended longest ago, by
# `ix_file_imports_tenant`, then the oldest. Each claim counts, so that one that always kills its reader ends.
_CLAIM = Statement("""
UPDATE file_imports AS f
   SET status = 'READING', tries = f.tries + 1, claimed_until = :until, lines_read = 0, lines_skipped = 0
  FROM (SELECT id, tenant_id FROM file_imports AS w
         WHERE status = 'WAITING' OR (status = 'READING' AND claimed_until < :now)
         ORDER BY (SELECT count(*) FROM file_imports AS o
                    WHERE o.tenant_id = w.tenant_id AND o.status = 'READING' AND o.claimed_until >= :now),
                  (SELECT max(o.ended_at) FROM file_imports AS o
                    WHERE o.tenant_id = w.tenant_id AND o.ended_at >= :now::timestamptz - interval '1 day') NULLS FIRST, completed_at
         LIMIT 1 FOR UPDATE SKIP LOCKED) AS due
 WHERE f.id = due.id AND f.tenant_id = due.tenant_id
RETURNING f.tenant_id, f.id, f.source_id, f.sha256, f.size_bytes, f.tries
""")

# By the primary key, piece by piece.
_NEXT_PIECE = Statement("""
SELECT part, piece, content FROM import_pieces
 WHERE import_id = :import_id AND tenant_id = :tenant_id AND (part, piece) > (:part, :piece) ORDER BY part, piece LIMIT 1
""")

# One statement for some hundreds of rows.
_STAGE = Statement(
    "INSERT INTO import_rows ({columns}) SELECT * FROM unnest({arrays})",
    columns=", ".join(_TYPES),
    arrays=arrays_of("rows", _TYPES),
)

# Whoever has lost the claim writes nothing more: `tries` is whose it is.
_PROGRESS = Statement("""
UPDATE file_imports SET lines_read = :lines_read, lines_skipped = :lines_skipped, claimed_until = :until
 WHERE id = :file.id AND tenant_id = :file.tenant_id AND tries = :file.tries AND status = 'READING'
""")

# The same where there is nothing to write beside it.
_RENEW = Statement("""
UPDATE file_imports SET claimed_until = :until
 WHERE id = :file.id AND tenant_id = :file.tenant_id AND tries = :file.tries AND status = 'READING'
""")

# In the order of the primary key, so that equal lines stand together and are counted: the first of the next slice goes on from
# the last of this one. Those that statements have which this one has no line of come before. A line with an id of the bank is one
# line; it must say the same money each time. A line that is known already is one of this statement too, for those that come next to it.
# While a file is counted nothing is known of how many lines there are. So lines are looked up row by row, by `uq_statement_lines` alone, which
# begins with no tenant, and changed by their primary key: any other order would look at all lines for each row.
KEEP = Statement(
    """
WITH slice AS MATERIALIZED (
    SELECT * FROM import_rows
     WHERE import_id = :import_id AND tenant_id = :tenant_id AND (identity, number) > (:identity::bytea, :number::bigint)
     ORDER BY identity, number LIMIT :limit
), numbered AS MATERIALIZED (
    SELECT s.*,
           row_number() OVER (PARTITION BY s.identity ORDER BY s.number)
             + CASE WHEN s.identity = :identity::bytea THEN :occurrence::bigint ELSE 0 END AS place,
           CASE WHEN cardinality(:apart[].statement_id::uuid[]) = 0 THEN 0
                ELSE (SELECT count(DISTINCT l.id)
                        FROM unnest(:apart[].statement_id::uuid[], :apart[].other_id::uuid[]) AS a (statement_id, other_id)
                        JOIN (SELECT id, statement_id, repeated_in FROM statement_lines
                               WHERE source_id = :source_id AND identity = s.identity AND tenant_id || '' = :tenant_id OFFSET 0) AS l
                          ON l.statement_id = a.other_id OR a.other_id = ANY (l.repeated_in)
                       WHERE a.statement_id = s.statement_id) END AS before,
           first_value(s.essence) OVER (PARTITION BY s.identity ORDER BY s.number) AS first_essence
      FROM slice AS s
), known AS MATERIALIZED (
    SELECT n.line, n.essence, n.first_essence, n.refs, l.id, l.essence AS known_essence
      FROM numbered AS n LEFT JOIN LATERAL (
           SELECT id, essence FROM statement_lines
            WHERE source_id = :source_id AND identity = n.identity AND occurrence = 1 AND tenant_id || '' = :tenant_id LIMIT 1) AS l ON true
     WHERE n.bank_id <> ''
), shared AS MATERIALIZED (
    SELECT l.id, n.statement_id
      FROM numbered AS n
      JOIN unnest(:fresh[].id::uuid[], :fresh[].first_on::date[], :fresh[].last_on::date[]) AS f (id, first_on, last_on)
           ON f.id = n.statement_id AND n.booked_on IN (f.first_on, f.last_on)
     CROSS JOIN LATERAL (
           SELECT id FROM statement_lines
            WHERE source_id = :source_id AND identity = n.identity AND occurrence = n.before + n.place AND tenant_id || '' = :tenant_id
            LIMIT 1) AS l
     WHERE n.bank_id = ''
), completed AS (
    UPDATE statement_lines AS l SET refs = l.refs || k.refs FROM known AS k
     WHERE l.id = k.id AND l.tenant_id || '' = :tenant_id AND NOT l.refs @> k.refs
), repeated AS (
    UPDATE statement_lines AS l SET repeated_in = array_append(l.repeated_in, h.statement_id) FROM shared AS h
     WHERE l.id = h.id AND l.tenant_id || '' = :tenant_id
), kept AS (
    INSERT INTO statement_lines (source_id, occurrence, {line}, created_at)
    SELECT :source_id, CASE WHEN bank_id <> '' THEN 1 ELSE before + place END, {line}, :at FROM numbered
    ON CONFLICT (source_id, identity, occurrence, tenant_id) DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM slice) AS rows, (SELECT count(*) FROM kept) AS new,
       ARRAY(SELECT line FROM known WHERE essence <> first_essence OR essence <> known_essence ORDER BY line LIMIT :conflicts_max) AS conflicts,
       last.identity, last.number, last.place AS occurrence
  FROM (SELECT 1) AS one
  LEFT JOIN (SELECT identity, number, place FROM numbered ORDER BY identity DESC, number DESC LIMIT 1) AS last ON true
""",
    line=_LINE,
)

# By the one who has the claim; the end of it.
_END = Statement("""
UPDATE file_imports
   SET status = :status, ended_at = :at, claimed_until = NULL, lines_read = :lines_read, lines_new = :lines_new,
       lines_skipped = :lines_skipped, errors_total = :errors_total, errors = :errors, first_on = :first_on, last_on = :last_on,
       kinds = :kinds::text[]
 WHERE id = :file.id AND tenant_id = :file.tenant_id AND tries = :file.tries AND status = 'READING'
""")

# Some at a time: what was read of a file before it is read again, or that counts now.
_CLEAR_ROWS = Statement("""
DELETE FROM import_rows
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM import_rows WHERE import_id = :import_id AND tenant_id = :tenant_id LIMIT :limit))
""")

# The bytes of a file that is over.
_CLEAR_PIECES = Statement("""
DELETE FROM import_pieces
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM import_pieces WHERE import_id = :import_id AND tenant_id = :tenant_id LIMIT :limit))
""")

# What is left of files whose end was interrupted.
_LEFT_OVER = Statement("""
SELECT DISTINCT f.tenant_id, f.id FROM file_imports AS f
 WHERE f.ended_at >= :since
   AND (EXISTS (SELECT 1 FROM import_pieces AS p WHERE p.import_id = f.id)
        OR EXISTS (SELECT 1 FROM import_rows AS r WHERE r.import_id = f.id))
 LIMIT :limit
""")

# By `ix_file_imports_open`.
_ABANDON = Statement("""
UPDATE file_imports SET status = 'ABANDONED', ended_at = :at WHERE status = 'UPLOADING' AND created_at < :before
""")

# By `ix_statement_lines_created`.
_FORGET_LINES = Statement("""
DELETE FROM statement_lines WHERE ctid = ANY (ARRAY(SELECT ctid FROM statement_lines WHERE created_at < :before LIMIT :limit))
""")

# By `ix_file_imports_ended`.
_FORGET_IMPORTS = Statement("""
DELETE FROM file_imports
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM file_imports WHERE ended_at < :before LIMIT :limit))
""")


async def claim(database: Database, *, now: datetime, until: datetime) -> Claimed | None:
    """Take the file that is to be read next."""
    row = await _CLAIM.write(database, now=now, until=until)
    return None if row is None else _claimed(row)


async def next_piece(database: Database, file: Claimed, *, part: int, piece: int) -> tuple[int, int, bytes] | None:
    """Read the piece after another one."""
    row = await _NEXT_PIECE.fetchrow(database, import_id=file.id, tenant_id=file.tenant_id, part=part, piece=piece)
    return None if row is None else (row["part"], row["piece"], row["content"])


async def stage(
    database: Database,
    file: Claimed,
    rows: Sequence[StagedRow],
    *,
    lines_read: int,
    lines_skipped: int,
    until: datetime,
) -> bool:
    """Keep what was read, and the claim; False when the claim is lost."""
    async with database.transaction() as tx:
        held = await _PROGRESS.execute(tx, file=file, lines_read=lines_read, lines_skipped=lines_skipped, until=until)
        if held and rows:
            await _STAGE.execute(tx, rows=rows)
        return bool(held)


async def renew(database: Database, file: Claimed, *, until: datetime) -> bool:
    """Keep the claim; False when it is lost."""
    async with database.connection() as connection:
        return await _RENEW.execute(connection, file=file, until=until) == 1


async def clear(database: Database, *, tenant_id: str, import_id: UUID, pieces: bool, limit: int) -> None:
    """Delete what was read of a file, and its bytes."""
    statements = (_CLEAR_ROWS, _CLEAR_PIECES) if pieces else (_CLEAR_ROWS,)
    for statement in statements:
        # Bytes are many in few rows.
        size = limit if statement is _CLEAR_ROWS else max(1, limit // 100)
        while True:
            async with database.connection() as connection:
                done = await statement.execute(connection, tenant_id=tenant_id, import_id=import_id, limit=size)
            if done < size:
                break


async def left_over(database: Database, *, since: datetime, limit: int) -> list[tuple[str, UUID]]:
    """List files that are over and of which something is left."""
    rows = await _LEFT_OVER.fetch(database, since=since, limit=limit)
    return [(row["tenant_id"], row["id"]) for row in rows]


async def abandon(database: Database, *, before: datetime, at: datetime) -> int:
    """End the imports whose files did not come; returns how many."""
    async with database.connection() as connection:
        return await _ABANDON.execute(connection, before=before, at=at)


async def forget(database: Database, *, before: datetime, limit: int) -> int:
    """Delete lines and imports that were kept long enough; returns how many."""
    async with database.connection() as connection:
        lines = await _FORGET_LINES.execute(connection, before=before, limit=limit)
        statements = await forget_statements(connection, before=before, limit=limit)
        return max(lines, statements, await _FORGET_IMPORTS.execute(connection, before=before, limit=limit))


async def lock_source(tx: Connection, file: Claimed) -> bool:
    """Keep other files of a source from counting until the end of the transaction; returns False where one does."""
    return bool(await _LOCK.fetchval(tx, tenant_id=file.tenant_id, source_id=file.source_id))


async def keep_slice(
    tx: Connection,
    file: Claimed,
    after: Slice,
    *,
    apart: Sequence[Apart],
    fresh: Sequence[BankStatement],
    limit: int,
    conflicts_max: int,
    at: datetime,
) -> Slice:
    """Let the staged rows after a slice count; equal lines of statements that are apart count each, and those are kept of `fresh` ones."""
    row = await KEEP.fetchrow(
        tx,
        import_id=file.id,
        tenant_id=file.tenant_id,
        source_id=file.source_id,
        identity=after.identity or b"",
        number=after.number or 0,
        occurrence=after.occurrence or 0,
        apart=apart,
        fresh=fresh,
        limit=limit,
        conflicts_max=conflicts_max,
        at=at,
    )
    assert row is not None
    return _slice(row)


async def end(
    tx: Connection,
    file: Claimed,
    *,
    status: str,
    lines_read: int,
    lines_new: int,
    lines_skipped: int,
    errors_total: int,
    errors: Sequence[ImportFault],
    first_on: date | None,
    last_on: date | None,
    kinds: Sequence[str],
    at: datetime,
) -> bool:
    """Write down what became of a file; False when the claim is lost."""
    return bool(
        await _END.execute(
            tx,
            file=file,
            status=status,
            lines_read=lines_read,
            lines_new=lines_new,
            lines_skipped=lines_skipped,
            errors_total=errors_total,
            errors=msgspec.json.encode(errors).decode(),
            first_on=first_on,
            last_on=last_on,
            kinds=[*kinds],
            at=at,
        )
    )
