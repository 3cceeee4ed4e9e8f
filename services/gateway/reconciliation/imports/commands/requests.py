"""What the api requests: sources, and files that come."""

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_errors import (
    FileTooLarge,
    ImportConflict,
    ImportNotFound,
    ImportSourceInvalid,
    ImportSourceNotFound,
    ImportSourceUsed,
)
from libs.common.contracts.gateway_imports import (
    PIECE_BYTES_MAX,
    AddImportPiece,
    CompleteImport,
    DeleteImportSource,
    FileImport,
    ImportPieceAdded,
    ImportSource,
    ImportSourceDeleted,
    PutImportSource,
    StartImport,
)
from libs.common.db import Database
from services.gateway.reconciliation.imports import sql
from services.gateway.reconciliation.imports.domain import ImportStatus, Reading
from services.gateway.reconciliation.imports.reading import reading_faults
from services.gateway.reconciliation.imports.sql import Announced

PARTS_MAX = 10_000
"""Parts of one file."""
PIECES_MAX = 1_024
"""Pieces of one part."""


class Imports:
    """What the api requests of sources and files."""

    def __init__(self, database: Database, *, bytes_max: int, open_max: int, clock: Clock) -> None:
        self._database = database
        self._bytes_max = bytes_max
        self._open_max = open_max
        self._clock = clock

    async def put_source(self, request: PutImportSource) -> ImportSource:
        """Add a source, or change how its next files are read.

        Raises:
            ImportSourceInvalid: when it cannot be read so.
            ImportSourceNotFound: when it must exist and does not, or was deleted.
            ImportSourceUsed: when it has lines that were read otherwise.
        """
        try:
            reading = msgspec.convert(
                {
                    "format": request.format,
                    "fields": None if request.fields is None else msgspec.structs.asdict(request.fields),
                    "time_zone": request.time_zone,
                    "encoding": request.encoding,
                    "reversal_turns_sign": request.reversal_turns_sign,
                },
                type=Reading,
            )
        except msgspec.ValidationError as fault:
            raise ImportSourceInvalid(str(fault)) from fault
        faults = reading_faults(reading)
        if faults:
            raise ImportSourceInvalid("; ".join(faults))
        found = await sql.put_source(
            self._database,
            tenant_id=request.tenant_id,
            source_id=request.source_id,
            name=request.name,
            reading=msgspec.json.encode(reading).decode(),
            must_exist=request.must_exist,
            at=self._clock.now(),
        )
        if found is None:
            known = await sql.source(self._database, tenant_id=request.tenant_id, source_id=request.source_id)
            if known is not None and known.deleted_at is None:
                raise ImportSourceUsed("the source has lines already: read otherwise they would count again")
            raise ImportSourceNotFound("there is no such source of files")
        return found.shown()

    async def delete_source(self, request: DeleteImportSource) -> ImportSourceDeleted:
        """Take no new file of a source.

        Raises:
            ImportSourceNotFound: when there is none.
        """
        if not await sql.delete_source(
            self._database, tenant_id=request.tenant_id, source_id=request.source_id, at=self._clock.now()
        ):
            raise ImportSourceNotFound("there is no such source of files")
        return ImportSourceDeleted(id=request.source_id)

    async def start(self, request: StartImport) -> FileImport:
        """Begin an import; a file that is known is answered with the import that it had.

        Raises:
            ImportSourceNotFound: when there is no such source.
            FileTooLarge: when the file is larger than is imported.
            ImportConflict: when too many imports of the tenant are open, or the id is that of another file.
        """
        if request.size_bytes > self._bytes_max:
            raise FileTooLarge(f"the file is larger than {self._bytes_max} bytes")
        source = await sql.source(self._database, tenant_id=request.tenant_id, source_id=request.source_id)
        if source is None or source.deleted_at is not None:
            raise ImportSourceNotFound("there is no such source of files")
        announced = Announced(
            tenant_id=request.tenant_id,
            id=request.import_id,
            source_id=request.source_id,
            file_name=request.file_name,
            sha256=request.sha256,
            size_bytes=request.size_bytes,
            created_at=self._clock.now(),
        )
        found = await sql.start(self._database, announced, open_max=self._open_max)
        if found is None:
            raise ImportConflict(f"{self._open_max} imports are open already; wait until one is read")
        if (found.source_id, found.sha256) != (request.source_id, request.sha256):
            raise ImportConflict("another file has this import")
        return msgspec.structs.replace(found, is_known=found.id != request.import_id)

    async def add_piece(self, request: AddImportPiece) -> ImportPieceAdded:
        """Keep a piece of a file.

        Raises:
            ImportNotFound: when there is no such import.
            ImportConflict: when it takes no more, or not so much.
        """
        if not (1 <= request.part <= PARTS_MAX and 0 <= request.piece < PIECES_MAX):
            raise ImportConflict(f"a file has at most {PARTS_MAX} parts")
        if len(request.content) > PIECE_BYTES_MAX:
            raise FileTooLarge(f"a piece has at most {PIECE_BYTES_MAX} bytes")
        tenant_id, import_id = request.tenant_id, request.import_id
        async with self._database.transaction() as tx:
            locked = await sql.lock_import(tx, tenant_id=tenant_id, import_id=import_id)
            if locked is None:
                raise ImportNotFound("there is no such import")
            if locked[0] != ImportStatus.UPLOADING:
                raise ImportConflict(f"the import is {locked[0]} and takes no more parts")
            await sql.add_piece(
                tx,
                tenant_id=tenant_id,
                import_id=import_id,
                part=request.part,
                piece=request.piece,
                content=request.content,
            )
            if await sql.received(tx, tenant_id=tenant_id, import_id=import_id) > locked[1]:
                raise ImportConflict(f"more than the {locked[1]} bytes have come that the file has")
        return ImportPieceAdded(import_id=import_id)

    async def complete(self, request: CompleteImport) -> FileImport:
        """Let a file be read, once all of it has come.

        Raises:
            ImportNotFound: when there is no such import.
            ImportConflict: when parts are missing, or it was abandoned.
        """
        tenant_id, import_id = request.tenant_id, request.import_id
        async with self._database.transaction() as tx:
            locked = await sql.lock_import(tx, tenant_id=tenant_id, import_id=import_id)
            if locked is None:
                raise ImportNotFound("there is no such import")
            status, size = locked
            if status == ImportStatus.ABANDONED:
                raise ImportConflict("the file did not come in time; begin another import")
            if status == ImportStatus.UPLOADING:
                come = await sql.received(tx, tenant_id=tenant_id, import_id=import_id)
                if come != size:
                    raise ImportConflict(f"{come} of {size} bytes have come")
                await sql.complete(tx, tenant_id=tenant_id, import_id=import_id, at=self._clock.now())
        found = await sql.get(self._database, tenant_id=tenant_id, import_id=import_id)
        assert found is not None
        return found
