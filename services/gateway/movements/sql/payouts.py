"""The SQL of payouts: written under lock, since where one stands at the bank decides what is published."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.movements.domain import Bank, StatementAccount

_KEY = ("account_id", "is_live", "id")
_FIXED = ("payout_id", "tenant_id", "amount_minor", "currency", "created_at")
"""What never changes about a payout."""


class PayoutRow(msgspec.Struct, frozen=True, kw_only=True):
    """A payout as it is kept."""

    account_id: str
    is_live: bool
    id: str
    payout_id: UUID
    tenant_id: str
    amount_minor: int
    currency: str
    status: str
    bank: Bank
    is_automatic: bool
    reconciliation_status: str
    is_matched: bool
    arrives_at: datetime
    movement_ref: str
    failure_movement_ref: str
    original_ref: str
    reversed_by: str
    trace_id: str
    created_at: datetime
    raw: str


_read = reader_of(PayoutRow)

# Locked in the order of the key; one that is not there yet is made by whoever inserts it first.
_LOCK = Statement(
    """
SELECT {columns} FROM processor_payouts
 WHERE account_id = :account.account_id AND is_live = :account.is_live AND id = ANY (:ids::text[]) ORDER BY id FOR UPDATE
""",
    columns=columns_of(PayoutRow),
)

# Counts 0 where another process has written it after `_LOCK`, which cannot lock a row that is not there: the caller
# locks theirs.
_ADD = Statement(
    "INSERT INTO processor_payouts ({columns}, updated_at) VALUES ({values}, :at) ON CONFLICT DO NOTHING",
    columns=columns_of(PayoutRow),
    values=values_of("payout", PayoutRow),
)

# Without a comparison: the caller has locked or inserted the row in this transaction, and decided by what it read.
_CHANGE = Statement(
    """
UPDATE processor_payouts SET {assignments}, updated_at = :at
 WHERE account_id = :payout.account_id AND is_live = :payout.is_live AND id = :payout.id
""",
    assignments=", ".join(
        f"{name} = :payout.{name}" for name in PayoutRow.__struct_fields__ if name not in (*_KEY, *_FIXED)
    ),
)

# Only once every page of its movements is written: after a crash in between the payout is read again.
_MATCHED = Statement("""
UPDATE processor_payouts SET is_matched = TRUE, updated_at = :at
 WHERE account_id = :account.account_id AND is_live = :account.is_live AND id = :id
""")

# Bounded, since each one leads to calls: the rest follows with the next round. The processor lists the movements of
# automatic payouts alone, and only once it has reconciled them.
_UNMATCHED = Statement("""
SELECT id FROM processor_payouts
 WHERE account_id = :account.account_id AND is_live = :account.is_live AND reconciliation_status = 'completed'
   AND is_automatic AND NOT is_matched ORDER BY updated_at, created_at LIMIT :limit
""")

# What is tried in vain goes behind the others, so that a few that are too large do not starve them.
_TOUCH = Statement("""
UPDATE processor_payouts SET updated_at = :at
 WHERE account_id = :account.account_id AND is_live = :account.is_live AND id = :id
""")


async def locked(tx: Connection, account: StatementAccount, ids: Sequence[str]) -> Mapping[str, PayoutRow]:
    """Lock the payouts that are known."""
    rows = await _LOCK.fetch(tx, account=account, ids=[*ids])
    return {row["id"]: _read(row) for row in rows}


async def add(tx: Connection, payout: PayoutRow, *, at: datetime) -> bool:
    """Write a payout; returns whether it is new."""
    return await _ADD.execute(tx, payout=payout, at=at) == 1


async def change(tx: Connection, payout: PayoutRow, *, at: datetime) -> None:
    """Write down how a payout stands."""
    await _CHANGE.execute(tx, payout=payout, at=at)


async def matched(tx: Connection, account: StatementAccount, payout_ref: str, *, at: datetime) -> None:
    """Note that the movements of a payout bear its reference."""
    await _MATCHED.execute(tx, account=account, id=payout_ref, at=at)


async def touch(tx: Connection, account: StatementAccount, payout_ref: str, *, at: datetime) -> None:
    """Note that a payout was looked at just now."""
    await _TOUCH.execute(tx, account=account, id=payout_ref, at=at)


async def unmatched(connection: Any, account: StatementAccount, *, limit: int) -> list[str]:
    """List payouts whose movements are known to the processor and do not bear their reference here."""
    return [row["id"] for row in await _UNMATCHED.fetch(connection, account=account, limit=limit)]
