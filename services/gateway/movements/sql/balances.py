"""The SQL of balances that are compared: what is booked of an account, and how far the processor was from it."""

from collections.abc import Sequence

import msgspec

from libs.common.db import Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.movements.domain import (
    AVAILABLE_SETTLES,
    TOTAL_SETTLES,
    Booked,
    Compared,
    StatementAccount,
)

# All that was published of an account: booked movements, its opening balance, and what was pending in that and is no more. By the
# primary keys, a few times an hour.
_BOOKED = Statement("""
SELECT currency, sum(seen)::int8 AS seen, sum(turned)::int8 AS turned, sum(total)::int8 AS total_minor, sum(available)::int8 AS available_minor
  FROM (SELECT currency, 1 AS seen, (status = 'available')::int AS turned, CASE WHEN is_booked THEN net_minor ELSE 0 END AS total,
               CASE WHEN status = 'available' AND (is_booked OR is_opened) THEN net_minor ELSE 0 END AS available
          FROM processor_movements WHERE account_id = :account.account_id AND is_live = :account.is_live
         UNION ALL
        SELECT currency, 0, 0, pending_minor + available_minor, available_minor
          FROM processor_openings WHERE account_id = :account.account_id AND is_live = :account.is_live) AS each
 GROUP BY currency ORDER BY currency
""")

# By the primary key.
_COMPARED = Statement(
    "SELECT {columns} FROM processor_balances WHERE account_id = :account.account_id AND is_live = :account.is_live",
    columns=columns_of(Compared),
)

# One process at a time reads the movements of an account, and compares.
_SAVE = Statement(
    """
INSERT INTO processor_balances (account_id, is_live, {columns}) VALUES (:account.account_id, :account.is_live, {values})
ON CONFLICT (account_id, is_live, currency) DO UPDATE SET {assignments}
""",
    columns=columns_of(Compared),
    values=values_of("compared", Compared),
    assignments=", ".join(f"{name} = excluded.{name}" for name in Compared.__struct_fields__ if name != "currency"),
)

# All accounts are few; read for the gauges alone.
_OFF = Statement("""
SELECT count(*) FILTER (WHERE b.compared_at - b.total_off_since >= :total_settles::interval) AS total,
       count(*) FILTER (WHERE b.compared_at - b.available_off_since >= :available_settles::interval) AS available
  FROM processor_balances AS b JOIN stripe_accounts AS a USING (account_id, is_live) WHERE a.processor IS NOT NULL
""")

_booked, _compared = reader_of(Booked), reader_of(Compared)


class Off(msgspec.Struct, frozen=True, kw_only=True):
    """How many balances have differed for longer than what moves takes to be read."""

    total: int
    """In all that the account has."""
    available: int
    """In what can be paid out."""


async def booked(database: Database, account: StatementAccount) -> list[Booked]:
    """Read what is booked of an account."""
    return [_booked(row) for row in await _BOOKED.fetch(database, account=account)]


async def compared(database: Database, account: StatementAccount) -> list[Compared]:
    """Read the last comparison of an account."""
    return [_compared(row) for row in await _COMPARED.fetch(database, account=account)]


async def save(database: Database, account: StatementAccount, found: Sequence[Compared]) -> None:
    """Write a comparison down."""
    async with database.transaction() as tx:
        for each in found:
            await _SAVE.execute(tx, account=account, compared=each)


async def off(database: Database) -> Off:
    """Count the balances that differ."""
    row = await _OFF.fetchrow(database, total_settles=TOTAL_SETTLES, available_settles=AVAILABLE_SETTLES)
    return Off(total=0, available=0) if row is None else Off(total=row["total"], available=row["available"])
