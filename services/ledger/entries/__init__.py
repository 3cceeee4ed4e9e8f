"""Journal entries as they stand in the books: listed, reversed, published again."""

from services.ledger.entries.commands import EntryCommands, resend
from services.ledger.entries.consumers import EntryConsumers
from services.ledger.entries.queries import EntryQueries
from services.ledger.entries.sql.journal import entries_of_intents

__all__ = ["EntryCommands", "EntryConsumers", "EntryQueries", "entries_of_intents", "resend"]
