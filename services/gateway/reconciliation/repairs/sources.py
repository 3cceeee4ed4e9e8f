"""How proposals stand, which the ledger answers."""

from itertools import batched
from typing import Any, Protocol
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message
from libs.common.contracts.ledger_facts import ENTRY_IDS_MAX, EntryFactPage, ListEntryFacts
from libs.common.contracts.ledger_journal import GetProposal, Proposal


class Requester(Protocol):
    """Sends a request, and returns its reply."""

    async def request(self, message: Message) -> Any:
        """Return the reply. Raises Unavailable when nobody answers in time."""
        ...


class Proposals:
    """Proposals as the ledger has them."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    async def get(self, tenant_id: str, proposal_id: UUID) -> Proposal:
        """Read a proposal.

        Raises:
            NotFound: when the tenant has no such.
            Unavailable: when the ledger does not answer.
        """
        found: Proposal = await self._requester.request(GetProposal(tenant_id=tenant_id, proposal_id=proposal_id))
        return found

    async def standing(self, tenant_id: str, proposal: Proposal) -> Proposal:
        """Return an approved proposal without the entries that were taken back.

        Raises:
            Unavailable: when the ledger does not answer.
        """
        back: set[UUID] = set()
        for ids in batched([entry.id for entry in proposal.entries if entry.id is not None], ENTRY_IDS_MAX):
            page: EntryFactPage = await self._requester.request(ListEntryFacts(tenant_id=tenant_id, entry_ids=ids))
            back |= {each.entry_id for each in page.items if each.is_reversed}
        return msgspec.structs.replace(proposal, entries=[each for each in proposal.entries if each.id not in back])
