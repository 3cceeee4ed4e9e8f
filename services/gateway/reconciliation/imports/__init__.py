"""Files of processors and banks: which sources there are, what was imported, and the lines that were in them."""

from libs.common.clock import Clock
from libs.common.db import Database
from services.gateway.reconciliation.imports.commands import Imports, Reader
from services.gateway.reconciliation.imports.consumers import ImportConsumers
from services.gateway.reconciliation.imports.workers import import_workers
from services.gateway.settings import ImportSettings


def file_imports(database: Database, settings: ImportSettings, clock: Clock) -> tuple[ImportConsumers, Reader]:
    """Wire what takes files, and what reads them."""
    imports = Imports(database, bytes_max=settings.import_bytes_max, open_max=settings.import_open_max, clock=clock)
    reader = Reader(
        database, bytes_max=settings.import_bytes_max, deadline_seconds=settings.import_deadline_seconds, clock=clock
    )
    return ImportConsumers(imports, database=database), reader


__all__ = ["Imports", "Reader", "file_imports", "import_workers"]
