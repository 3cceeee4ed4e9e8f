"""Reads of the journal: as lists, and as other services compare them."""

from services.ledger.entries.queries.facts import entry_facts
from services.ledger.entries.queries.listing import EntryQueries

__all__ = ["EntryQueries", "entry_facts"]
