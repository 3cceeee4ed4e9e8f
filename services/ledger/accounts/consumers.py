"""What is handled of accounts: a tenant that is provisioned, and requests about its chart."""

from collections.abc import Sequence

from libs.common.contracts import api
from libs.common.contracts.ledger import Account, AccountList, ListAccounts, OpenAccount
from libs.common.db import Connection
from libs.common.messaging import Bus, Received
from services.ledger.accounts.commands import AccountCommands
from services.ledger.accounts.queries import AccountQueries
from services.ledger.accounts.schemas import account_shown


class AccountConsumers:
    """Handles what concerns charts of accounts."""

    def __init__(self, commands: AccountCommands, queries: AccountQueries) -> None:
        self._commands = commands
        self._queries = queries

    def register(self, bus: Bus) -> None:
        """Subscribe to events about tenants, and answer requests."""
        bus.handle(api.TenantProvisioned, self.on_tenant_provisioned)
        bus.answer(ListAccounts, self.on_list_accounts)
        bus.answer(OpenAccount, self.on_open_account)

    async def on_tenant_provisioned(self, tx: Connection, events: Sequence[Received[api.TenantProvisioned]]) -> None:
        """Open the default accounts of a tenant that may use the platform."""
        await self._commands.open_charts(tx, [event.body.tenant_id for event in events])

    async def on_list_accounts(self, request: ListAccounts) -> AccountList:
        """List the accounts of a tenant."""
        return AccountList(accounts=[account_shown(a) for a in await self._queries.accounts(request.tenant_id)])

    async def on_open_account(self, request: OpenAccount) -> Account:
        """Open an account."""
        return account_shown(await self._commands.open_account(request))
