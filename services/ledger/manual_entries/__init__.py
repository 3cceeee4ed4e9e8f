"""Entries that people make: posted in bulk, or proposed by one person and posted once another one approves."""

from services.ledger.manual_entries.commands import Journal
from services.ledger.manual_entries.commands.post import post_entries
from services.ledger.manual_entries.commands.propose import propose
from services.ledger.manual_entries.consumers import ManualEntryConsumers
from services.ledger.manual_entries.queries import JournalQueries
from services.ledger.manual_entries.workers import manual_entry_workers

__all__ = [
    "Journal",
    "JournalQueries",
    "ManualEntryConsumers",
    "manual_entry_workers",
    "post_entries",
    "propose",
]
