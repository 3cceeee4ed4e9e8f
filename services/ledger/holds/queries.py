"""Reading holds."""

from uuid import UUID

from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger_errors import HoldNotFound, QueryInvalid
from libs.common.db import Database
from services.ledger.accounts import codes_of
from services.ledger.core import Hold, read_cursor, write_cursor
from services.ledger.holds import sql
from services.ledger.holds.schemas import hold_shown
from services.ledger.posting import holds_by_id

HOLDS_MAX = 500
"""Holds on one page at most."""


async def get(database: Database, tenant_id: str, hold_id: UUID) -> contract.Hold:
    """Read one hold.

    Raises:
        HoldNotFound: when the tenant has no such hold.
    """
    return (await _shown(database, [await find(database, tenant_id, hold_id)]))[0]


async def page(database: Database, request: contract.ListHolds) -> contract.HoldPage:
    """List a tenant's holds, newest first; a limit above 500 counts as 500.

    Raises:
        QueryInvalid: for a limit below 1, or a cursor that is not ours.
    """
    if request.limit < 1:
        raise QueryInvalid("limit must be at least 1", errors=(("/limit", "limit must be at least 1"),))
    limit = min(request.limit, HOLDS_MAX)
    async with database.connection() as connection:
        holds = await sql.hold_page(
            connection,
            tenant_id=request.tenant_id,
            state=request.state,
            before=None if request.cursor is None else read_cursor(request.cursor),
            # One more than requested shows whether there is a next page.
            limit=limit + 1,
        )
    shown = holds[:limit]
    return contract.HoldPage(
        holds=await _shown(database, shown),
        next_cursor=write_cursor(shown[-1].placed_at, shown[-1].id) if len(holds) > limit else None,
    )


async def find(database: Database, tenant_id: str, hold_id: UUID) -> Hold:
    """Find a hold.

    Raises:
        HoldNotFound: when the tenant has no such hold.
    """
    async with database.connection() as connection:
        holds = await holds_by_id(connection, [(tenant_id, hold_id)])
    if not holds:
        raise HoldNotFound(f"there is no hold {hold_id}")
    return holds[tenant_id, hold_id]


async def _shown(database: Database, holds: list[Hold]) -> list[contract.Hold]:
    if not holds:
        return []
    accounts = {account_id for hold in holds for _, account_id in hold.sides}
    async with database.connection() as connection:
        codes = await codes_of(connection, holds[0].tenant_id, list(accounts))
    return [hold_shown(hold, codes) for hold in holds]
