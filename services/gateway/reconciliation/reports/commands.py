"""Making reports: the books are read by requests, with no transaction open; everything else in the transaction that keeps the report."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.contracts.gateway_reports import MatchedTotal, RunReport
from libs.common.db import Connection
from services.gateway.reconciliation.reports import sql
from services.gateway.reconciliation.reports.domain import Books, carried_day, report


async def make_report(
    tx: Connection,
    tenant_id: str,
    *,
    window: tuple[datetime, datetime],
    books: Books,
    matched: Sequence[MatchedTotal],
    at: datetime,
    known_until: datetime | None = None,
) -> RunReport:
    """Put together what is known of a window at this moment; `books` were read just before.

    What became known from `known_until` on is left out of what moved.
    """
    carried = await sql.carry(tx, tenant_id, day=carried_day(window[0], now=at))
    return report(
        window=window,
        made_at=at,
        moved=await sql.moved(
            tx, tenant_id, since=window[0], until=window[1], carried=carried, known_until=known_until
        ),
        off=await sql.off(tx, tenant_id),
        books=books,
        matched=matched,
        unsettled=await sql.unsettled(tx, tenant_id, now=at),
    )
