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
from services.gateway.reconciliation.imports.sql import ImportStore

SOURCES_MAX = 200
"""Sources that are listed; a merchant has some accounts at some banks."""
IMPORTS_MAX = 200
"""Imports that are listed at most."""


async def get_source(store: ImportStore, request: GetImportSource) -> ImportSource:
    """Read a source.

    Raises:
        ImportSourceNotFound: when the tenant has none of this id.
    """
    found = await store.source(tenant_id=request.tenant_id, source_id=request.source_id)
    if found is None or found.deleted_at is not None:
        raise ImportSourceNotFound("there is no such source of files")
    return found.shown()


async def list_sources(store: ImportStore, request: ListImportSources) -> ImportSourceList:
    """List the sources of a tenant, newest first."""
    found = await store.sources(tenant_id=request.tenant_id, limit=SOURCES_MAX)
    return ImportSourceList(sources=[source.shown() for source in found])


async def get_import(store: ImportStore, request: GetImport) -> FileImport:
    """Read an import with its errors.

    Raises:
        ImportNotFound: when the tenant has none of this id.
    """
    found = await store.get(tenant_id=request.tenant_id, import_id=request.import_id)
    if found is None:
        raise ImportNotFound("there is no such import")
    return found


async def list_imports(store: ImportStore, request: ListImports) -> FileImportList:
    """List the imports of a tenant, newest first."""
    limit = max(1, min(request.limit, IMPORTS_MAX))
    return FileImportList(
        imports=await store.newest(tenant_id=request.tenant_id, source_id=request.source_id, limit=limit)
    )
