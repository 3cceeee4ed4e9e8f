"""The SQL of repairs: what was done about each discrepancy, and which proposals are waited for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.reconciliation.repairs.domain import Repair

# Under the lock of its discrepancy.
_ADD = Statement(
    "INSERT INTO discrepancy_repairs ({columns}) VALUES ({values})",
    columns=columns_of(Repair),
    values=values_of("repair", Repair),
)

# By the primary key, the latest.
_LAST = Statement(
    """
SELECT {columns} FROM discrepancy_repairs WHERE discrepancy_id = :discrepancy_id AND tenant_id = :tenant_id
 ORDER BY id DESC LIMIT 1
""",
    columns=columns_of(Repair),
)

# Other discrepancies that a proposal stands for, by `ix_discrepancy_repairs_proposal`.
_COUNT_ADJUSTED = Statement("""
SELECT count(DISTINCT discrepancy_id) FROM discrepancy_repairs
 WHERE proposal_id = :repair.proposal_id AND tenant_id = :repair.tenant_id AND discrepancy_id <> :repair.discrepancy_id
""")

# One process at a time looks at a proposal; whoever crashes leaves it to another when the pause is over. By `ix_discrepancy_repairs_due`.
_CLAIM = Statement(
    """
WITH due AS (
    SELECT discrepancy_id, id, tenant_id FROM discrepancy_repairs WHERE next_at <= :now
     ORDER BY next_at LIMIT :limit::int FOR UPDATE SKIP LOCKED
)
UPDATE discrepancy_repairs AS r SET next_at = :now::timestamptz + :pause::interval FROM due
 WHERE (r.discrepancy_id, r.id, r.tenant_id) = (due.discrepancy_id, due.id, due.tenant_id)
RETURNING {columns}
""",
    columns=", ".join(f"r.{name}" for name in Repair.__struct_fields__),
)

# Once: whoever comes second changes nothing.
_END = Statement("""
UPDATE discrepancy_repairs SET next_at = :next_at, outcome = :outcome
 WHERE discrepancy_id = :repair.discrepancy_id AND id = :repair.id AND tenant_id = :repair.tenant_id AND next_at IS NOT NULL
   AND outcome = :repair.outcome
""")

# What nothing was done about yet and is safe, as `means_of` has it: by `ix_discrepancies_unsettled`. The first of each tenant before the second of any, so that
# none waits for all that is found of another.
_UNREPAIRED = Statement("""
SELECT tenant_id, id FROM discrepancies AS d
 WHERE state IN ('open', 'reopened')
   AND (type = 'NOT_BOOKED' AND subject_kind IN ('payment', 'refund', 'dispute', 'movement')
        OR aspect = 'processor' AND (type = 'STATUS_MISMATCH' AND subject_kind IN ('payment', 'refund', 'dispute')
                                     OR type = 'MISSING_LOCAL' AND subject_kind IN ('refund', 'dispute')))
   AND NOT EXISTS (SELECT FROM discrepancy_repairs AS r WHERE r.discrepancy_id = d.id AND r.tenant_id = d.tenant_id)
 ORDER BY row_number() OVER (PARTITION BY tenant_id ORDER BY id), tenant_id LIMIT :limit::int
""")

# Through which account a payment went, by `ix_attempts_payment_intent`, and who receives what its processor reports. Of several
# authorizations the one that went well, else the last.
_WAY = Statement("""
SELECT a.processor, a.gateway_ref,
       coalesce((SELECT p.tenant_id FROM processor_accounts AS p
                  WHERE p.processor = a.processor AND a.processor = 'stripe' LIMIT 1), a.tenant_id) AS receiver
  FROM attempts AS a
 WHERE a.payment_intent_id = :payment_intent_id AND a.tenant_id = :tenant_id AND a.operation = 'authorize'
 ORDER BY a.gateway_ref = '', a.number DESC LIMIT 1
""")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Where a payment went."""

    processor: str
    """The account."""
    gateway_ref: str
    """The processor's reference of it; empty: unknown."""
    receiver: str
    """The tenant that receives the account's events."""


_repair, _way = reader_of(Repair), reader_of(Way)


async def add(tx: Connection, repair: Repair) -> None:
    """Write down what is done."""
    await _ADD.execute(tx, repair=repair)


async def last(tx: Connection, tenant_id: str, discrepancy_id: UUID) -> Repair | None:
    """Read what was done last about a discrepancy; None: nothing."""
    row = await _LAST.fetchrow(tx, tenant_id=tenant_id, discrepancy_id=discrepancy_id)
    return None if row is None else _repair(row)


async def count_adjusted(tx: Connection, repair: Repair) -> int:
    """Count the other discrepancies for which the proposal of a repair stands; the caller keeps others of the tenant away."""
    return int(await _COUNT_ADJUSTED.fetchval(tx, repair=repair))


async def claim(database: Database, *, now: datetime, pause: timedelta, limit: int) -> list[Repair]:
    """Take repairs whose proposals are to be looked at; they are due again after the pause."""
    return [_repair(row) for row in await _CLAIM.fetch(database, now=now, pause=pause, limit=limit)]


async def end(tx: Connection, repair: Repair, *, outcome: str, next_at: datetime | None) -> bool:
    """Write down how a proposal ended, and when it is looked at again; returns False where that is known."""
    return await _END.execute(tx, repair=repair, outcome=outcome, next_at=next_at) == 1


async def unrepaired(database: Database, *, limit: int) -> Sequence[tuple[str, UUID]]:
    """List discrepancies, with their tenants, about which something safe can be done and nothing was."""
    return [(row["tenant_id"], row["id"]) for row in await _UNREPAIRED.fetch(database, limit=limit)]


async def way_of(database: Database, tenant_id: str, payment_intent_id: UUID) -> Way | None:
    """Return through which account a payment went; None where we have no attempt of it."""
    row = await _WAY.fetchrow(database, tenant_id=tenant_id, payment_intent_id=payment_intent_id)
    return None if row is None else _way(row)
