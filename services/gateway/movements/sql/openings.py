"""The SQL of opening balances: what the movements that are known come to, and the one time that the rest is written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.movements.domain import Opening, Standing, StatementAccount

# Of one account, some times while its opening balance is due.
_STANDING = Statement("""
SELECT currency, count(*) AS seen, count(*) FILTER (WHERE status = 'available') AS turned,
       count(*) FILTER (WHERE status = 'pending' AND NOT is_booked) AS unbooked_pending,
       coalesce(sum(net_minor) FILTER (WHERE status = 'pending' AND is_booked), 0)::int8 AS pending_minor,
       coalesce(sum(net_minor) FILTER (WHERE status = 'available' AND is_booked), 0)::int8 AS available_minor
  FROM processor_movements WHERE account_id = :account.account_id AND is_live = :account.is_live
 GROUP BY currency ORDER BY currency
""")

# From where on a page may show something that is new or has changed: shortly before the newest that is known, and what should
# be available by now. NULL where nothing is known.
_UNSETTLED = Statement("""
SELECT least(max(created_at) - interval '10 minutes',
             min(created_at) FILTER (WHERE status = 'pending' AND available_at <= :now::timestamptz + interval '5 minutes')) AS since
  FROM processor_movements WHERE account_id = :account.account_id AND is_live = :account.is_live
""")

# Locks the account: of two processes one opens it, and it goes to nobody else meanwhile.
_OPEN = Statement("""
UPDATE stripe_accounts SET opening_due = FALSE, opened_at = :at
 WHERE account_id = :account.account_id AND is_live = :account.is_live AND tenant_id = :account.tenant_id AND opening_due
""")

# What is pending in the opening balance becomes available later. Locked in the order of the key, as `_COMPLETE` does.
_MARK = Statement("""
WITH held AS (
    SELECT id FROM processor_movements
     WHERE account_id = :account.account_id AND is_live = :account.is_live AND status = 'pending' AND NOT is_booked
     ORDER BY id FOR UPDATE
)
UPDATE processor_movements AS m SET is_opened = TRUE, updated_at = :at FROM held
 WHERE m.account_id = :account.account_id AND m.is_live = :account.is_live AND m.id = held.id
""")

# Never there before: the account is locked, and was not open.
_ADD = Statement(
    """
INSERT INTO processor_openings (account_id, is_live, tenant_id, opened_at, {columns})
VALUES (:account.account_id, :account.is_live, :account.tenant_id, :at, {values})
""",
    columns=columns_of(Opening),
    values=values_of("opening", Opening),
)

# All accounts are few; read for the gauge alone.
_DUE = Statement("SELECT count(*) AS due FROM stripe_accounts WHERE opening_due AND processor IS NOT NULL")

_standing = reader_of(Standing)


async def standing(connection: Any, account: StatementAccount) -> list[Standing]:
    """Read what the movements of an account come to."""
    return [_standing(row) for row in await _STANDING.fetch(connection, account=account)]


async def unsettled_since(connection: Any, account: StatementAccount, *, now: datetime) -> datetime | None:
    """Read from where on the list may show what is not known; None: from its beginning."""
    row = await _UNSETTLED.fetchrow(connection, account=account, now=now)
    return None if row is None else row["since"]


async def open_account(tx: Connection, account: StatementAccount, *, at: datetime) -> bool:
    """Note that the opening balance is booked; returns False where it was, or the account has changed hands."""
    return await _OPEN.execute(tx, account=account, at=at) == 1


async def mark_pending(tx: Connection, account: StatementAccount, *, at: datetime) -> None:
    """Note which movements are pending in the opening balance."""
    await _MARK.execute(tx, account=account, at=at)


async def add(tx: Connection, account: StatementAccount, opened: Sequence[Opening], *, at: datetime) -> None:
    """Write down what is booked."""
    for opening in opened:
        await _ADD.execute(tx, account=account, opening=opening, at=at)


async def due(connection: Any) -> int:
    """Count the accounts whose opening balance is still to be booked."""
    row = await _DUE.fetchrow(connection)
    return 0 if row is None else int(row["due"])
