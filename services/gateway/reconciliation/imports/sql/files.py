"""Sources of files, and files that come: the only SQL of them."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_imports import FileImport, ImportFault, ImportSource
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of
from services.gateway.reconciliation.imports.domain import Reading


class KnownSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source, as it is kept."""

    tenant_id: str
    id: UUID
    name: str
    reading: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    def how(self) -> Reading:
        """Say how its files are read."""
        return msgspec.json.decode(self.reading, type=Reading)

    def shown(self) -> ImportSource:
        """Write it as others see it."""
        reading = self.how()
        return ImportSource(
            id=self.id,
            name=self.name,
            format=reading.format,
            fields=reading.fields,
            time_zone=reading.time_zone,
            encoding=reading.encoding,
            reversal_turns_sign=reading.reversal_turns_sign,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is to come."""

    tenant_id: str
    id: UUID
    source_id: UUID
    file_name: str
    sha256: str
    size_bytes: int
    created_at: datetime


_SOURCE = columns_of(KnownSource)
_source = reader_of(KnownSource)

_SHOWN = """
id, source_id, file_name, sha256, size_bytes, status, lines_read, lines_new, lines_skipped, errors_total, errors, first_on, last_on,
created_at, completed_at, ended_at,
CASE WHEN status = 'UPLOADING'
     THEN (SELECT coalesce(sum(octet_length(p.content)), 0) FROM import_pieces AS p
            WHERE p.import_id = file_imports.id AND p.tenant_id = file_imports.tenant_id)
     ELSE received_bytes END AS received_bytes
"""

# The same id again changes it; only what is there can be changed by who says so. How it is read is no more changed once it has lines:
# read otherwise they would be others, and each would count twice. By `uq_statement_lines`.
_PUT_SOURCE = Statement(
    """
INSERT INTO import_sources AS s (tenant_id, id, name, reading, created_at, updated_at)
SELECT :tenant_id, :source_id, :name, :reading, :at, :at
 WHERE NOT :must_exist
    OR EXISTS (SELECT 1 FROM import_sources WHERE id = :source_id AND tenant_id = :tenant_id AND deleted_at IS NULL)
ON CONFLICT (id, tenant_id) DO UPDATE SET name = EXCLUDED.name, reading = EXCLUDED.reading, updated_at = EXCLUDED.updated_at
 WHERE s.deleted_at IS NULL
   AND (s.reading = EXCLUDED.reading
        OR NOT EXISTS (SELECT FROM statement_lines AS l WHERE l.source_id = s.id AND l.tenant_id = s.tenant_id))
RETURNING {columns}
""",
    columns=_SOURCE,
)

# By its primary key.
_GET_SOURCE = Statement(
    "SELECT {columns} FROM import_sources WHERE id = :source_id AND tenant_id = :tenant_id", columns=_SOURCE
)

# By `ix_import_sources_tenant`.
_LIST_SOURCES = Statement(
    """
SELECT {columns} FROM import_sources WHERE tenant_id = :tenant_id AND deleted_at IS NULL
 ORDER BY created_at DESC, id DESC LIMIT :limit
""",
    columns=_SOURCE,
)

# The first time counts; its lines and imports stay.
_DELETE_SOURCE = Statement("""
UPDATE import_sources SET deleted_at = coalesce(deleted_at, :at) WHERE id = :source_id AND tenant_id = :tenant_id RETURNING id
""")

# Until the end of the transaction: imports of a tenant are counted one after the other.
_LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended('imports:' || :tenant_id, 0))")

# By `ix_file_imports_open`.
_COUNT_OPEN = Statement("""
SELECT count(*) FROM file_imports WHERE tenant_id = :tenant_id AND status IN ('UPLOADING', 'WAITING', 'READING')
""")

# The same file again is no error: the import that it had is read afterwards.
_START = Statement("""
INSERT INTO file_imports (tenant_id, id, source_id, file_name, sha256, size_bytes, status, created_at)
VALUES (:file.tenant_id, :file.id, :file.source_id, :file.file_name, :file.sha256, :file.size_bytes, 'UPLOADING', :file.created_at)
ON CONFLICT DO NOTHING
""")

# Announced with another size than before: that one can never be complete.
_ABANDON_OTHER_SIZE = Statement("""
UPDATE file_imports SET status = 'ABANDONED', ended_at = :file.created_at
 WHERE source_id = :file.source_id AND sha256 = :file.sha256 AND tenant_id = :file.tenant_id AND status = 'UPLOADING'
   AND size_bytes <> :file.size_bytes AND id <> :file.id
""")

# By `uq_file_imports_file`.
_FIND_FILE = Statement(
    """
SELECT {columns} FROM file_imports
 WHERE source_id = :source_id AND sha256 = :sha256 AND tenant_id = :tenant_id
   AND status IN ('UPLOADING', 'WAITING', 'READING', 'IMPORTED')
""",
    columns=_SHOWN,
)

# By its primary key.
_GET = Statement("SELECT {columns} FROM file_imports WHERE id = :import_id AND tenant_id = :tenant_id", columns=_SHOWN)

# By `ix_file_imports_tenant`.
_LIST = Statement(
    """
SELECT {columns} FROM file_imports
 WHERE tenant_id = :tenant_id AND (source_id = :source_id OR :source_id::uuid IS NULL)
 ORDER BY created_at DESC, id DESC LIMIT :limit
""",
    columns=_SHOWN.replace("errors_total, errors,", "errors_total, '[]' AS errors,"),
)

# Until the piece is kept: nobody completes the file meanwhile.
_LOCK_IMPORT = Statement("""
SELECT status, size_bytes FROM file_imports WHERE id = :import_id AND tenant_id = :tenant_id FOR NO KEY UPDATE
""")

# A part that is sent again replaces what came of it before.
_DROP_PART = Statement("""
DELETE FROM import_pieces WHERE import_id = :import_id AND part = :part AND tenant_id = :tenant_id
""")

# Sent again after an answer was lost, it is the same.
_ADD_PIECE = Statement("""
INSERT INTO import_pieces (tenant_id, import_id, part, piece, content) VALUES (:tenant_id, :import_id, :part, :piece, :content)
ON CONFLICT (import_id, part, piece, tenant_id) DO UPDATE SET content = EXCLUDED.content
""")

# The length is in the row: no content is read for it.
_RECEIVED = Statement("""
SELECT coalesce(sum(octet_length(content)), 0) FROM import_pieces WHERE import_id = :import_id AND tenant_id = :tenant_id
""")

# Under the lock of `_LOCK_IMPORT`.
_COMPLETE = Statement("""
UPDATE file_imports SET status = 'WAITING', completed_at = :at, received_bytes = size_bytes
 WHERE id = :import_id AND tenant_id = :tenant_id AND status = 'UPLOADING'
""")


async def put_source(
    database: Database, *, tenant_id: str, source_id: UUID, name: str, reading: str, must_exist: bool, at: datetime
) -> KnownSource | None:
    """Add or change a source; None when it is deleted, must exist and does not, or has lines that were read otherwise."""
    row = await _PUT_SOURCE.write(
        database,
        tenant_id=tenant_id,
        source_id=source_id,
        name=name,
        reading=reading,
        must_exist=must_exist,
        at=at,
    )
    return None if row is None else _source(row)


async def source(database: Database, *, tenant_id: str, source_id: UUID) -> KnownSource | None:
    """Read a source, deleted ones too."""
    row = await _GET_SOURCE.fetchrow(database, tenant_id=tenant_id, source_id=source_id)
    return None if row is None else _source(row)


async def sources(database: Database, *, tenant_id: str, limit: int) -> list[KnownSource]:
    """Read a tenant's sources, newest first."""
    return [_source(row) for row in await _LIST_SOURCES.fetch(database, tenant_id=tenant_id, limit=limit)]


async def delete_source(database: Database, *, tenant_id: str, source_id: UUID, at: datetime) -> bool:
    """Delete a source; whether there was one."""
    row = await _DELETE_SOURCE.write(database, tenant_id=tenant_id, source_id=source_id, at=at)
    return row is not None


async def start(database: Database, file: Announced, *, open_max: int) -> FileImport | None:
    """Begin an import, or return the one that the file has; None when too many of the tenant's are open."""
    async with database.transaction() as tx:
        await _LOCK.fetch(tx, tenant_id=file.tenant_id)
        await _ABANDON_OTHER_SIZE.execute(tx, file=file)
        known = await _found(tx, file)
        if known is not None:
            return known
        if await _COUNT_OPEN.fetchval(tx, tenant_id=file.tenant_id) >= open_max:
            return None
        await _START.execute(tx, file=file)
        return await _found(tx, file)


async def get(database: Database, *, tenant_id: str, import_id: UUID) -> FileImport | None:
    """Read an import with its errors."""
    row = await _GET.fetchrow(database, tenant_id=tenant_id, import_id=import_id)
    return None if row is None else _shown(dict(row))


async def newest(database: Database, *, tenant_id: str, source_id: UUID | None, limit: int) -> list[FileImport]:
    """Read a tenant's imports, newest first, without their errors."""
    rows = await _LIST.fetch(database, tenant_id=tenant_id, source_id=source_id, limit=limit)
    return [_shown(dict(row)) for row in rows]


async def lock_import(tx: Connection, *, tenant_id: str, import_id: UUID) -> tuple[str, int] | None:
    """Lock an import; gives its status and the size of its file."""
    row = await _LOCK_IMPORT.fetchrow(tx, tenant_id=tenant_id, import_id=import_id)
    return None if row is None else (row["status"], row["size_bytes"])


async def received(tx: Connection, *, tenant_id: str, import_id: UUID) -> int:
    """Count the bytes that have come."""
    return int(await _RECEIVED.fetchval(tx, tenant_id=tenant_id, import_id=import_id))


async def add_piece(tx: Connection, *, tenant_id: str, import_id: UUID, part: int, piece: int, content: bytes) -> None:
    """Keep a piece; the first of a part replaces the part."""
    if piece == 0:
        await _DROP_PART.execute(tx, tenant_id=tenant_id, import_id=import_id, part=part)
    await _ADD_PIECE.execute(tx, tenant_id=tenant_id, import_id=import_id, part=part, piece=piece, content=content)


async def complete(tx: Connection, *, tenant_id: str, import_id: UUID, at: datetime) -> None:
    """Let a file be read."""
    await _COMPLETE.execute(tx, tenant_id=tenant_id, import_id=import_id, at=at)


async def _found(tx: Connection, file: Announced) -> FileImport | None:
    row = await _FIND_FILE.fetchrow(tx, tenant_id=file.tenant_id, source_id=file.source_id, sha256=file.sha256)
    if row is None:
        row = await _GET.fetchrow(tx, tenant_id=file.tenant_id, import_id=file.id)
    return None if row is None else _shown(dict(row))


def _shown(row: dict[str, object]) -> FileImport:
    errors = msgspec.json.decode(str(row["errors"]), type=list[ImportFault])
    is_imported = row["status"] == "IMPORTED"
    known = int(str(row["lines_read"])) - int(str(row["lines_new"])) if is_imported else 0
    return msgspec.convert({**row, "errors": errors, "lines_known": known}, type=FileImport)
