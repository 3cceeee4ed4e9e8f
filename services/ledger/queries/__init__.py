"""What the ledger can be told, reads only: `books` has entries and balances, `exchange` rates and what they make of money."""

from services.ledger.queries.books import ENTRIES_MAX, OFFSET_MAX, Queries, read_cursor, write_cursor
from services.ledger.queries.exchange import ExchangeQueries, consolidate, wire_rate

__all__ = [
    "ENTRIES_MAX",
    "OFFSET_MAX",
    "ExchangeQueries",
    "Queries",
    "consolidate",
    "read_cursor",
    "wire_rate",
    "write_cursor",
]
