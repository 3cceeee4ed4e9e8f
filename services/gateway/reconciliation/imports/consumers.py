"""What is handled of imports: the requests of the api."""

from libs.common.contracts.gateway_imports import (
    AddImportPiece,
    CompleteImport,
    DeleteImportSource,
    FileImport,
    FileImportList,
    GetImport,
    GetImportSource,
    ImportPieceAdded,
    ImportSource,
    ImportSourceDeleted,
    ImportSourceList,
    ListImports,
    ListImportSources,
    PutImportSource,
    StartImport,
)
from libs.common.db import Database
from libs.common.messaging import Bus
from services.gateway.reconciliation.imports import queries
from services.gateway.reconciliation.imports.commands import Imports


class ImportConsumers:
    """Answers requests about sources and files."""

    def __init__(self, imports: Imports, *, database: Database) -> None:
        self._imports = imports
        self._database = database

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(PutImportSource, self.on_put_source)
        bus.answer(ListImportSources, self.on_list_sources)
        bus.answer(GetImportSource, self.on_get_source)
        bus.answer(DeleteImportSource, self.on_delete_source)
        bus.answer(StartImport, self.on_start_import)
        bus.answer(AddImportPiece, self.on_add_piece)
        bus.answer(CompleteImport, self.on_complete_import)
        bus.answer(GetImport, self.on_get_import)
        bus.answer(ListImports, self.on_list_imports)

    async def on_put_source(self, request: PutImportSource) -> ImportSource:
        """Add or change a source."""
        return await self._imports.put_source(request)

    async def on_list_sources(self, request: ListImportSources) -> ImportSourceList:
        """List the sources of a tenant."""
        return await queries.list_sources(self._database, request)

    async def on_get_source(self, request: GetImportSource) -> ImportSource:
        """Read a source."""
        return await queries.get_source(self._database, request)

    async def on_delete_source(self, request: DeleteImportSource) -> ImportSourceDeleted:
        """Take no new file of a source."""
        return await self._imports.delete_source(request)

    async def on_start_import(self, request: StartImport) -> FileImport:
        """Begin to import a file."""
        return await self._imports.start(request)

    async def on_add_piece(self, request: AddImportPiece) -> ImportPieceAdded:
        """Keep a piece of a file."""
        return await self._imports.add_piece(request)

    async def on_complete_import(self, request: CompleteImport) -> FileImport:
        """Let a file be read."""
        return await self._imports.complete(request)

    async def on_get_import(self, request: GetImport) -> FileImport:
        """Read an import."""
        return await queries.get_import(self._database, request)

    async def on_list_imports(self, request: ListImports) -> FileImportList:
        """List the imports of a tenant."""
        return await queries.list_imports(self._database, request)
