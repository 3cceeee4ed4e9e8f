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
    Claimed,
    ImportStore,
    Slice,
    StagedRow,
    end,
    keep_slice,
    lock_source,
)

__all__ = [
    "Announced",
    "Claimed",
    "ImportStore",
    "KnownSource",
    "Slice",
    "StagedRow",
    "add_piece",
    "complete",
    "end",
    "keep_slice",
    "lock_import",
    "lock_source",
    "received",
]
