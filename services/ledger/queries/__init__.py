"""What the ledger can be told, reads only.

`books` has entries and balances, `exchange` rates and what they make of money, `reports` what is reported, `journal` what
people proposed.
"""

from services.ledger.queries.books import ENTRIES_MAX, OFFSET_MAX, Queries, read_cursor, write_cursor
from services.ledger.queries.exchange import ExchangeQueries, consolidate, wire_rate
from services.ledger.queries.journal import JournalQueries
from services.ledger.queries.reports import ReportQueries

__all__ = [
    "ENTRIES_MAX",
    "OFFSET_MAX",
    "ExchangeQueries",
    "JournalQueries",
    "Queries",
    "ReportQueries",
    "consolidate",
    "read_cursor",
    "wire_rate",
    "write_cursor",
]
