"""Reading a tenant's chart."""

import msgspec

from libs.common.db import Database
from services.ledger.accounts import sql
from services.ledger.accounts.domain import default_accounts
from services.ledger.core import Account


class AccountQueries:
    """Reads of charts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self, tenant_id: str) -> list[Account]:
        """List a tenant's chart, ordered by code.

        The platform's own accounts bear the labels of today, whichever version of it opened them: a label says what an
        account is, its code never changes.
        """
        async with self._database.connection() as connection:
            chart = await sql.chart_of(connection, tenant_id)
        labels = {account.id: account.label for account in default_accounts(tenant_id)} if chart else {}
        return [msgspec.structs.replace(account, label=labels.get(account.id, account.label)) for account in chart]
