"""What the ledger can be told, reads only: `books` has entries and balances as they stand."""

from services.ledger.queries.books import ENTRIES_MAX, OFFSET_MAX, Queries, read_cursor, write_cursor

__all__ = ["ENTRIES_MAX", "OFFSET_MAX", "Queries", "read_cursor", "write_cursor"]
