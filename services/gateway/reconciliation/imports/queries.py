"""Reads of sources and imports."""

from libs.common.contracts.gateway_errors import ImportNotFound, ImportSourceNotFound
from libs.common.contracts.gateway_imports import (
    FileImport,
    FileImportList,
    GetImport,
    GetImportSource,
    ImportSource,
    ImportSourceList,
    ListImports,
    ListImportSources,
)
from libs.common.db import Database
from services.gateway.reconciliation.imports import sql

SOURCES_MAX = 200
"""Sources that are listed; a merchant has some accounts at some banks."""
IMPORTS_MAX = 200
"""Imports that are listed at most."""


async def get_source(database: Database, request: GetImportSource) -> ImportSource:
    """Read a source.

    Raises:
        ImportSourceNotFound: when the tenant has none of this id.
    """
    found = await sql.source(database, tenant_id=request.tenant_id, source_id=request.source_id)
    if found is None or found.deleted_at is not None:
        raise ImportSourceNotFound("there is no such source of files")
    return found.shown()


async def list_sources(database: Database, request: ListImportSources) -> ImportSourceList:
    """List the sources of a tenant, newest first."""
    found = await sql.sources(database, tenant_id=request.tenant_id, limit=SOURCES_MAX)
    return ImportSourceList(sources=[source.shown() for source in found])


async def get_import(database: Database, request: GetImport) -> FileImport:
    """Read an import with its errors.

    Raises:
        ImportNotFound: when the tenant has none of this id.
    """
    found = await sql.get(database, tenant_id=request.tenant_id, import_id=request.import_id)
    if found is None:
        raise ImportNotFound("there is no such import")
    return found


async def list_imports(database: Database, request: ListImports) -> FileImportList:
    """List the imports of a tenant, newest first."""
    limit = max(1, min(request.limit, IMPORTS_MAX))
    return FileImportList(
        imports=await sql.newest(database, tenant_id=request.tenant_id, source_id=request.source_id, limit=limit)
    )
