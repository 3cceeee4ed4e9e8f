"""Making reports: the books are read by requests, with no transaction open; everything else in the transaction that keeps the report."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.contracts.gateway_reports import MatchedTotal, RunReport
from libs.common.db import Connection, Database
from services.gateway.reconciliation.reports import sql
from services.gateway.reconciliation.reports.domain import Books, report

_FORGET_BATCH = 200
"""Days, each of one tenant, that are deleted in one statement: of one of which only a part were left, a report would open with that part."""


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
    carried = await sql.carry(tx, tenant_id, since=window[0], at=at)
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


async def forget_carried(database: Database, *, before: datetime) -> None:
    """Delete what is carried to days of before, in batches; the last of these days of each tenant stays."""
    while await sql.forget_carried(database, before=before, limit=_FORGET_BATCH) == _FORGET_BATCH:
        pass
