"""Reading a tenant's chart."""

from libs.common.db import Database
from services.ledger.accounts import sql
from services.ledger.core import Account


class AccountQueries:
    """Reads of charts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self, tenant_id: str) -> list[Account]:
        """List a tenant's chart, ordered by code."""
        async with self._database.connection() as connection:
            return await sql.chart_of(connection, tenant_id)
