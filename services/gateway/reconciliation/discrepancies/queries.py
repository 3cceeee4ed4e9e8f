"""What is shown of discrepancies."""

from libs.common.contracts.gateway_errors import DiscrepancyNotFound
from libs.common.contracts.gateway_reconciliation import (
    DiscrepancyHistory,
    DiscrepancyPage,
    GetDiscrepancy,
    ListDiscrepancies,
)
from libs.common.db import Database
from libs.common.errors import Invalid
from services.gateway.reconciliation.discrepancies import sql

_PAGE_MAX = 200
"""Discrepancies on one page."""


async def show(database: Database, request: GetDiscrepancy) -> DiscrepancyHistory:
    """Show a discrepancy with all that was done about it.

    Raises:
        DiscrepancyNotFound: when the tenant has no such.
    """
    found = await sql.get(database, request.tenant_id, request.discrepancy_id)
    if found is None:
        raise DiscrepancyNotFound
    return DiscrepancyHistory(
        discrepancy=found, changes=await sql.changes_of(database, request.tenant_id, request.discrepancy_id)
    )


async def list_page(database: Database, request: ListDiscrepancies) -> DiscrepancyPage:
    """List discrepancies, newest first.

    Raises:
        Invalid: when the page is too large.
    """
    if not 1 <= request.limit <= _PAGE_MAX:
        raise Invalid(f"limit must be 1 to {_PAGE_MAX}")
    found = await sql.list_newest(database, request)
    page = found[: request.limit]
    return DiscrepancyPage(discrepancies=page, next_before=page[-1].id if len(found) > request.limit else None)
