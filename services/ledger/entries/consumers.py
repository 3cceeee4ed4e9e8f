"""What is handled of entries: requests to list, compare and reverse them."""

from libs.common.contracts.ledger import EntryFeed, EntryPage, FollowEntries, JournalEntry, ListEntries
from libs.common.contracts.ledger_books import ReverseEntry
from libs.common.contracts.ledger_facts import EntryFactPage, ListEntryFacts
from libs.common.messaging import Bus
from services.ledger.entries.commands import EntryCommands
from services.ledger.entries.queries import EntryQueries


class EntryConsumers:
    """Answers requests about journal entries."""

    def __init__(self, commands: EntryCommands, queries: EntryQueries) -> None:
        self._commands = commands
        self._queries = queries

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ListEntries, self.on_list_entries)
        bus.answer(FollowEntries, self.on_follow_entries)
        bus.answer(ListEntryFacts, self.on_list_entry_facts)
        bus.answer(ReverseEntry, self.on_reverse_entry)

    async def on_list_entries(self, request: ListEntries) -> EntryPage:
        """List the entries of a tenant."""
        return await self._queries.entries(request)

    async def on_follow_entries(self, request: FollowEntries) -> EntryFeed:
        """List what was recorded after an entry."""
        return await self._queries.follow(request)

    async def on_list_entry_facts(self, request: ListEntryFacts) -> EntryFactPage:
        """List entries by their payments."""
        return await self._queries.facts(request)

    async def on_reverse_entry(self, request: ReverseEntry) -> JournalEntry:
        """Reverse an entry."""
        return await self._commands.reverse(request.tenant_id, request.entry_id)
