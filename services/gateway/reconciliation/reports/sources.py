"""What the ledger has, read by requests: the balances of the accounts that a report names, at the end of its window and before."""

from datetime import datetime
from typing import Any, Protocol

from libs.common.contracts.base import Message
from libs.common.contracts.ledger import BalanceList
from libs.common.contracts.ledger_books import BookTime, GetBalancesAt
from libs.common.contracts.ledger_roles import AccountRoleList, ListAccountRoles
from services.gateway.reconciliation.reports.domain import AGES, Books


class Requester(Protocol):
    """Sends a request, and returns its reply."""

    async def request(self, message: Message) -> Any:
        """Return the reply. Raises Unavailable when nobody answers in time."""
        ...


class BookSources:
    """The books, as the ledger answers for them."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    async def read(self, tenant_id: str, *, until: datetime) -> Books:
        """Read what the accounts held that play a role, when a window ended and at each age before."""
        roles: AccountRoleList = await self._requester.request(ListAccountRoles(tenant_id=tenant_id))
        played: dict[str, list[str]] = {}
        for each in roles.roles:
            played.setdefault(each.account, []).append(each.role.value)
        # One after the other: the ledger answers one heavy request of a tenant at a time.
        return Books(
            roles=played,
            closing=await self._held(tenant_id, until),
            before={name: await self._held(tenant_id, until - age) for name, age in AGES.items()},
        )

    async def _held(self, tenant_id: str, before: datetime) -> dict[tuple[str, str], tuple[int, int]]:
        found: BalanceList = await self._requester.request(
            GetBalancesAt(tenant_id=tenant_id, before=before, time=BookTime.EFFECTIVE)
        )
        return {(each.account, each.currency): (each.debits_minor, each.credits_minor) for each in found.balances}
