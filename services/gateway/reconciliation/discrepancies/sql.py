"""The SQL of discrepancies: read under lock, written whole, and each change written down."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_reconciliation import Discrepancy, DiscrepancyChange, ListDiscrepancies
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, arrays_of, columns_of, reader_of

_TYPES = {
    "tenant_id": "text",
    "id": "uuid",
    "type": "text",
    "subject_kind": "text",
    "subject": "text",
    "aspect": "text",
    "payment_intent_id": "uuid",
    "gateway_ref": "text",
    "currency": "text",
    "expected_minor": "int8",
    "actual_minor": "int8",
    "expected_status": "text",
    "actual_status": "text",
    "detail": "text",
    "state": "text",
    "assignee": "text",
    "reason": "text",
    "note": "text",
    "found_at": "timestamptz",
    "seen_at": "timestamptz",
    "settled_at": "timestamptz",
}
_COLUMNS = columns_of(Discrepancy)
_KEY = ("tenant_id", "id", "found_at")
_read = reader_of(Discrepancy)
_read_change = reader_of(DiscrepancyChange)

# In the order of the key, so that two runs and a person never wait for each other in a circle.
_LOCKED = Statement(
    "SELECT {columns} FROM discrepancies WHERE tenant_id = :tenant_id AND id = ANY (:ids::uuid[]) ORDER BY id FOR UPDATE",
    columns=_COLUMNS,
)

# What a run looks at again: what is unsettled, and what an entry by hand stands for in the books.
_LOOKED_AT = "(state IN ('open', 'assigned', 'pending', 'reopened') OR reason = 'adjusted' AND type <> 'DUPLICATE')"

# Of what a run has looked at: what is unsettled and was not seen has come to agree. By `ix_discrepancies_payment`.
_UNSETTLED_OF_PAYMENTS = Statement(
    """
SELECT id FROM discrepancies
 WHERE payment_intent_id = ANY (:intents::uuid[]) AND tenant_id = :tenant_id AND {looked_at}
""",
    looked_at=_LOOKED_AT,
)

# The same for what belongs to no payment, or did not when it was found. By `ix_discrepancies_subject`.
_UNSETTLED_OF_SUBJECTS = Statement(
    """
SELECT id FROM discrepancies
 WHERE tenant_id = :tenant_id AND subject_kind = :subject_kind AND subject = ANY (:subjects::text[]) AND {looked_at}
""",
    looked_at=_LOOKED_AT,
)

# What is there already is written by `_CHANGE`; whoever was first has written the same.
_ADD = Statement(
    """
INSERT INTO discrepancies ({columns}, run_id) SELECT d.*, :run_id::uuid FROM unnest({arrays}) AS d
ON CONFLICT (id, tenant_id) DO NOTHING
""",
    columns=", ".join(_TYPES),
    arrays=arrays_of("rows", _TYPES),
)

# Under the lock of `_LOCKED`.
_CHANGE = Statement(
    """
UPDATE discrepancies AS d SET {changes}, run_id = coalesce(:run_id::uuid, d.run_id)
  FROM unnest({arrays}) AS g ({columns}) WHERE d.id = g.id AND d.tenant_id = g.tenant_id
""",
    columns=", ".join(_TYPES),
    arrays=arrays_of("rows", _TYPES),
    changes=", ".join(f"{name} = g.{name}" for name in _TYPES if name not in _KEY),
)

# Only added to.
_WRITE_DOWN = Statement("""
INSERT INTO discrepancy_changes (tenant_id, discrepancy_id, id, state, actor, reason, note, changed_at)
SELECT :tenant_id, c.*, :changed_at
  FROM unnest(:rows[].discrepancy_id::uuid[], :rows[].id::uuid[], :rows[].state::text[], :rows[].actor::text[],
       :rows[].reason::text[], :rows[].note::text[]) AS c
""")

# By its primary key.
_GET = Statement("SELECT {columns} FROM discrepancies WHERE id = :id AND tenant_id = :tenant_id", columns=_COLUMNS)

# By its primary key, in the order of time.
_CHANGES = Statement(
    """
SELECT {columns} FROM discrepancy_changes WHERE discrepancy_id = :id AND tenant_id = :tenant_id ORDER BY id LIMIT 1000
""",
    columns=columns_of(DiscrepancyChange),
)

# Newest first, by `ix_discrepancies_tenant`; what is unsettled by `ix_discrepancies_unsettled` where that is all that is requested.
_LIST = Statement(
    """
SELECT {columns} FROM discrepancies
 WHERE tenant_id = :wish.tenant_id
   AND (:wish.before::uuid IS NULL OR id < :wish.before)
   AND (:wish.settled::bool IS DISTINCT FROM false OR state IN ('open', 'assigned', 'pending', 'reopened'))
   AND (:wish.settled::bool IS DISTINCT FROM true OR state IN ('resolved', 'ignored'))
   AND (:wish.types::text[] = '{}' OR type = ANY (:wish.types))
   AND (:wish.states::text[] = '{}' OR state = ANY (:wish.states))
   AND (:wish.payment_intent_id::uuid IS NULL OR payment_intent_id = :wish.payment_intent_id)
   AND (:wish.assignee::text = '' OR assignee = :wish.assignee)
 ORDER BY id DESC LIMIT :wish.limit::int + 1
""",
    columns=_COLUMNS,
)

# Every unsettled one, by its partial index: there are few, or somebody has much to do.
_COUNT = Statement("""
SELECT type, count(*) AS number, min(found_at) AS oldest FROM discrepancies
 WHERE state IN ('open', 'assigned', 'pending', 'reopened') GROUP BY type
""")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change as it is written down."""

    discrepancy_id: UUID
    id: UUID
    state: str
    actor: str
    reason: str
    note: str


async def locked(tx: Connection, tenant_id: str, ids: Sequence[UUID]) -> list[Discrepancy]:
    """Read discrepancies and keep them until the end of the transaction."""
    return [_read(row) for row in await _LOCKED.fetch(tx, tenant_id=tenant_id, ids=[*ids])]


async def unsettled_of_payments(tx: Connection, tenant_id: str, intents: Sequence[UUID]) -> list[UUID]:
    """Find what is unsettled about some payments, or adjusted by hand."""
    return [row["id"] for row in await _UNSETTLED_OF_PAYMENTS.fetch(tx, tenant_id=tenant_id, intents=[*intents])]


async def unsettled_of_subjects(
    tx: Connection, tenant_id: str, subject_kind: str, subjects: Sequence[str]
) -> list[UUID]:
    """Find what is unsettled about some subjects of one kind, or adjusted by hand."""
    rows = await _UNSETTLED_OF_SUBJECTS.fetch(tx, tenant_id=tenant_id, subject_kind=subject_kind, subjects=[*subjects])
    return [row["id"] for row in rows]


async def add(tx: Connection, found: Sequence[Discrepancy], *, run_id: UUID) -> None:
    """Write discrepancies that are new."""
    await _ADD.execute(tx, rows=found, run_id=run_id)


async def change(tx: Connection, changed: Sequence[Discrepancy], *, run_id: UUID | None) -> None:
    """Write what became of discrepancies; `run_id` is the run that has seen them, None where none has."""
    await _CHANGE.execute(tx, rows=changed, run_id=run_id)


async def write_down(tx: Connection, tenant_id: str, changes: Sequence[Change], *, at: datetime) -> None:
    """Add changes to the history."""
    await _WRITE_DOWN.execute(tx, tenant_id=tenant_id, rows=changes, changed_at=at)


async def get(database: Database, tenant_id: str, discrepancy_id: UUID) -> Discrepancy | None:
    """Read one discrepancy; None where the tenant has no such."""
    row = await _GET.fetchrow(database, tenant_id=tenant_id, id=discrepancy_id)
    return None if row is None else _read(row)


async def changes_of(database: Database, tenant_id: str, discrepancy_id: UUID) -> list[DiscrepancyChange]:
    """Read what was done about a discrepancy, oldest first; at most 1,000 changes."""
    return [_read_change(row) for row in await _CHANGES.fetch(database, tenant_id=tenant_id, id=discrepancy_id)]


async def list_newest(database: Database, wish: ListDiscrepancies) -> list[Discrepancy]:
    """List discrepancies, newest first: one more than is requested, where there are more."""
    return [_read(row) for row in await _LIST.fetch(database, wish=wish)]


async def count_unsettled(database: Database) -> dict[str, tuple[int, datetime]]:
    """Count what is unsettled: by type, how many there are and when the oldest was found."""
    rows: list[Any] = await _COUNT.fetch(database)
    return {row["type"]: (row["number"], row["oldest"]) for row in rows}
