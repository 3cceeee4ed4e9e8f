"""How imported files are remembered."""

from services.gateway.reconciliation.imports.sql.files import (
    Announced,
    KnownSource,
    add_piece,
    complete,
    lock_import,
    received,
)
from services.gateway.reconciliation.imports.sql.reading import (
    Apart,
    Claimed,
    ImportStore,
    Slice,
    StagedRow,
    end,
    keep_slice,
    lock_source,
)
from services.gateway.reconciliation.imports.sql.statements import add_statements, statements_around

__all__ = [
    "Announced",
    "Apart",
    "Claimed",
    "ImportStore",
    "KnownSource",
    "Slice",
    "StagedRow",
    "add_piece",
    "add_statements",
    "complete",
    "end",
    "keep_slice",
    "lock_import",
    "lock_source",
    "received",
    "statements_around",
]
