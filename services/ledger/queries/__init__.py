"""What the ledger can be told: reads only. `books` answers about entries and balances."""

from services.ledger.queries.books import Queries, read_cursor, write_cursor

__all__ = ["Queries", "read_cursor", "write_cursor"]
