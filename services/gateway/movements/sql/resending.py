"""What was published of statements, read back page by page in the order of the key."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.db import Database
from libs.common.db.statements import Statement
from libs.common.ids import first_id
from libs.common.messaging.resend import PAGE_ROWS, Window
from services.gateway.movements.domain import Opening, RecordedMovement
from services.gateway.processors.port.reading import StatementMovement

_COLUMNS = """
m.*, refund_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM attempts a
     WHERE a.tenant_id = m.tenant_id AND a.payment_intent_id = m.payment_intent_id AND a.refund_id = m.refund_id
) AS is_adopted
"""
"""A refund that nobody is known to have requested is adopted; by `ix_attempts_payment_intent`."""

# What was booked, and what could be paid out since, in the window; page by page in the order of the primary key.
_MOVEMENTS = Statement(
    """
SELECT {columns} FROM processor_movements m
 WHERE (is_booked OR is_opened) AND (account_id, is_live, id) > (:account_id, :is_live, :id)
   AND (created_at >= :since AND created_at < :until
        OR status = 'available' AND available_at >= :since AND available_at < :until)
   AND (:payment_intent_id::uuid IS NULL OR payment_intent_id = :payment_intent_id)
 ORDER BY account_id, is_live, id LIMIT :limit
""",
    columns=_COLUMNS,
)

# What was booked of a payment, by `ix_processor_movements_payment`.
_OF_PAYMENT = Statement(
    """
SELECT {columns} FROM processor_movements m
 WHERE payment_intent_id = :payment_intent_id AND tenant_id = :tenant_id AND (is_booked OR is_opened) ORDER BY id
""",
    columns=_COLUMNS,
)
# One that belongs to no payment, by `ix_processor_movements_loose`: our ids are in the order of time.
_ONE = Statement(
    """
SELECT {columns} FROM processor_movements m
 WHERE tenant_id = :tenant_id AND movement_id >= :first_id AND movement_id < :end_id AND id = :ref
   AND payment_intent_id IS NULL AND (is_booked OR is_opened)
""",
    columns=_COLUMNS,
)

# A few rows for each account, and none that changes.
_OPENINGS = Statement("""
SELECT account_id, tenant_id, currency, movement_id, pending_minor, available_minor, opened_at FROM processor_openings
 WHERE opened_at >= :since AND opened_at < :until AND :payment_intent_id::uuid IS NULL
 ORDER BY account_id, is_live, currency
""")

_ABOUT = timedelta(seconds=2)
"""Ids have the millisecond."""
_SAME = frozenset(StatementMovement.__struct_fields__) - {
    *("ref", "kind", "fees", "is_available"),
    # Only for the reading: what follows from it is recorded.
    "source_total_minor",
}
"""Fields that are columns of the same name."""


class OpenedBalance(msgspec.Struct, frozen=True, kw_only=True):
    """An opening balance, as it was published."""

    account_id: str
    """The account at the processor."""
    tenant_id: str
    """In whose books it is."""
    opened_at: datetime
    """When it was booked."""
    opening: Opening
    """How much."""


async def opened_balances(database: Database, window: Window) -> list[OpenedBalance]:
    """Read the opening balances that were booked in the window."""
    rows = await _OPENINGS.fetch(
        database, since=window.since, until=window.until, payment_intent_id=window.payment_intent_id
    )
    return [
        OpenedBalance(
            account_id=row["account_id"],
            tenant_id=row["tenant_id"],
            opened_at=row["opened_at"],
            opening=Opening(**{name: row[name] for name in Opening.__struct_fields__}),
        )
        for row in rows
    ]


async def movements_of_payment(
    database: Database, *, tenant_id: str, payment_intent_id: UUID
) -> list[RecordedMovement]:
    """Read the movements of a payment that were published."""
    rows = await _OF_PAYMENT.fetch(database, tenant_id=tenant_id, payment_intent_id=payment_intent_id)
    return [_movement(dict(row)) for row in rows]


async def movement_of(database: Database, *, tenant_id: str, ref: str, at: datetime) -> list[RecordedMovement]:
    """Read a movement of no payment that was published, by the processor's reference and about when it was."""
    rows = await _ONE.fetch(
        database,
        tenant_id=tenant_id,
        ref=ref,
        first_id=first_id(at - _ABOUT),
        end_id=first_id(at + _ABOUT),
    )
    return [_movement(dict(row)) for row in rows]


async def movements(database: Database, window: Window) -> AsyncIterator[list[RecordedMovement]]:
    """Read the movements that were booked, or could be paid out, in the window."""
    place: dict[str, Any] = {"account_id": "", "is_live": False, "id": ""}
    while True:
        rows = await _MOVEMENTS.fetch(
            database,
            **place,
            since=window.since,
            until=window.until,
            payment_intent_id=window.payment_intent_id,
            limit=PAGE_ROWS,
        )
        if not rows:
            return
        yield [_movement(dict(row)) for row in rows]
        place = {name: rows[-1][name] for name in place}


def _movement(row: dict[str, Any]) -> RecordedMovement:
    intent_id, refund_id = row["payment_intent_id"], row["refund_id"]
    moved = StatementMovement(
        **{name: row[name] for name in _SAME},
        kind=MovementKind(row["kind"]),
        ref=row["id"],
        fees=tuple((FeeKind(kind), amount) for kind, amount in json.loads(row["fee_details"])),
        is_available=row["status"] == "available",
    )
    return RecordedMovement(
        movement_id=row["movement_id"],
        tenant_id=row["tenant_id"],
        payment_intent_id=intent_id,
        refund_id=refund_id,
        is_adopted=row["is_adopted"],
        is_booked=row["is_booked"],
        moved=moved,
    )
