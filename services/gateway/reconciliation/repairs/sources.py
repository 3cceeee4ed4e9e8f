"""How proposals stand, which the ledger answers."""

from typing import Any, Protocol
from uuid import UUID

from libs.common.contracts.base import Message
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
