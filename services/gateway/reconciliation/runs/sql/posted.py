"""The SQL of payments of which something was posted in the window of a run: listed page by page, then compared and removed step by step."""

from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement
from services.gateway.reconciliation.runs.domain.run import Run

# A payment has entries on several pages. In the order of the key; as text, of which a page has up to 5,000.
_KEEP = Statement("""
INSERT INTO reconciliation_posted (tenant_id, run_id, payment_intent_id)
SELECT :run.tenant_id, :run.id, id FROM unnest(string_to_array(:payments, ',')::uuid[]) AS p (id) ORDER BY id
ON CONFLICT (run_id, payment_intent_id, tenant_id) DO NOTHING
""")

# By the primary key; what is removed is before `:after`.
POSTED = Statement("""
SELECT payment_intent_id FROM reconciliation_posted
 WHERE run_id = :run.id AND tenant_id = :run.tenant_id AND payment_intent_id > :after ORDER BY payment_intent_id LIMIT :limit
""")

# As many as a step compares: by the primary key.
_COMPARED = Statement("""
DELETE FROM reconciliation_posted
 WHERE run_id = :run.id AND tenant_id = :run.tenant_id AND (:until::uuid IS NULL OR payment_intent_id <= :until)
""")

# Of runs that were abandoned. The table has as many rows as all runs that go on have to compare.
_FORGET = Statement("""
DELETE FROM reconciliation_posted WHERE ctid = ANY (ARRAY(
    SELECT p.ctid FROM reconciliation_posted AS p
     WHERE NOT EXISTS (SELECT FROM reconciliation_runs AS r
                        WHERE r.id = p.run_id AND r.tenant_id = p.tenant_id AND r.next_at IS NOT NULL)
     LIMIT :limit))
""")


async def keep_posted(tx: Connection, run: Run, payments: str) -> None:
    """Write down payments that a run is to compare; ids that are separated by commas."""
    await _KEEP.execute(tx, run=run, payments=payments)


async def posted_payments(database: Database, run: Run, *, after: UUID, limit: int) -> list[UUID]:
    """List the payments with an id above `after` that a run is to compare, in their order."""
    return [row["payment_intent_id"] for row in await POSTED.fetch(database, run=run, after=after, limit=limit)]


async def compared_posted(tx: Connection, run: Run, *, until: UUID | None) -> None:
    """Remove the payments up to one, which a run has compared; None: all of them."""
    await _COMPARED.execute(tx, run=run, until=until)


async def forget_posted(database: Database, *, limit: int) -> int:
    """Remove what no run will compare any more; returns how much."""
    async with database.connection() as connection:
        return await _FORGET.execute(connection, limit=limit)
