"""The SQL of balances that are compared: what is booked of an account, and how far the processor was from it."""

from collections.abc import Sequence

import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.movements.domain import (
    AVAILABLE_OPEN_MAX,
    COMPARED_EVERY,
    LATELY_MAX,
    LISTED_LATE,
    OTHER_CLOCKS,
    Balance,
    Booked,
    Compared,
    Lately,
    StatementAccount,
)

# All that was published of an account: booked movements, its opening balance, and what was pending in that and is no more. It
# reads the whole history of the account, so only where its balance differs.
_WRONG = Statement("""
WITH counted AS (
    SELECT currency, sum(total)::int8 AS total_minor, sum(available)::int8 AS available_minor FROM (
        SELECT currency, CASE WHEN is_booked THEN net_minor ELSE 0 END AS total,
               CASE WHEN status = 'available' AND (is_booked OR is_opened) THEN net_minor ELSE 0 END AS available
          FROM processor_movements WHERE account_id = :account.account_id AND is_live = :account.is_live
         UNION ALL
        SELECT currency, pending_minor + available_minor, available_minor
          FROM processor_openings WHERE account_id = :account.account_id AND is_live = :account.is_live) AS each
     GROUP BY currency)
SELECT currency, c.total_minor, c.available_minor FROM counted AS c
  LEFT JOIN (SELECT * FROM processor_sums WHERE account_id = :account.account_id AND is_live = :account.is_live) AS s USING (currency)
 WHERE (s.total_minor, s.available_minor) IS DISTINCT FROM (c.total_minor, c.available_minor) ORDER BY currency
""")

# Whoever records anything of the account comes here last, with the currencies in their order, so that nobody waits in a circle
# and the rows are locked for an instant only.
_ADD_UP = Statement("""
INSERT INTO processor_sums AS s (account_id, is_live, currency, total_minor, available_minor)
SELECT :account.account_id, :account.is_live, a.*
  FROM unnest(:sums[].currency::text[], :sums[].total_minor::int8[], :sums[].available_minor::int8[]) AS a
ON CONFLICT (account_id, is_live, currency) DO UPDATE
   SET total_minor = s.total_minor + excluded.total_minor, available_minor = s.available_minor + excluded.available_minor
""")

# By the primary key. Whatever is recorded meanwhile waits here with all that it has recorded, or is in the count already.
_LOCK = Statement("""
SELECT currency FROM processor_sums
 WHERE account_id = :account.account_id AND is_live = :account.is_live AND currency = ANY (:currencies::text[]) ORDER BY currency FOR UPDATE
""")

# Of rows that are locked.
_CORRECT = Statement("""
UPDATE processor_sums AS s SET total_minor = c.total_minor, available_minor = c.available_minor
  FROM unnest(:sums[].currency::text[], :sums[].total_minor::int8[], :sums[].available_minor::int8[]) AS c (currency, total_minor, available_minor)
 WHERE s.account_id = :account.account_id AND s.is_live = :account.is_live AND s.currency = c.currency
""")

# One statement, so that the sums and what they consist of are of one instant. By the primary key, by
# `ix_processor_movements_changed`, and by `ix_processor_movements_pending`.
_LATELY = Statement(
    """
SELECT currency, 'sum' AS part, NULL::timestamptz AS at, 0::int8 AS net_minor, total_minor, available_minor
  FROM processor_sums WHERE account_id = :account.account_id AND is_live = :account.is_live
 UNION ALL
(SELECT currency, 'moved', created_at, net_minor, 0, 0 FROM processor_movements
  WHERE account_id = :account.account_id AND is_live = :account.is_live
    AND updated_at >= :balance.asked_at::timestamptz - :other_clocks::interval
    AND seen_at >= :balance.asked_at::timestamptz - :other_clocks::interval
    AND created_at >= :balance.asked_at::timestamptz - :listed_late::interval AND is_booked LIMIT {most})
 UNION ALL
(SELECT currency, 'turned', greatest(created_at, available_at), net_minor, 0, 0 FROM processor_movements
  WHERE account_id = :account.account_id AND is_live = :account.is_live
    AND updated_at >= :balance.asked_at::timestamptz - :other_clocks::interval
    AND greatest(created_at, available_at) >= :balance.asked_at::timestamptz - :turned_late::interval
    AND (available_at > created_at OR created_at >= :balance.asked_at::timestamptz - :listed_late::interval)
    AND status = 'available' AND (is_booked OR is_opened) LIMIT {most})
 UNION ALL
(SELECT currency, 'due', available_at, net_minor, 0, 0 FROM processor_movements
  WHERE account_id = :account.account_id AND is_live = :account.is_live AND status = 'pending' AND (is_booked OR is_opened)
    AND available_at BETWEEN :balance.asked_at::timestamptz - :turned_late::interval
                         AND :balance.answered_at::timestamptz + :other_clocks::interval LIMIT {most})
""",
    most=LATELY_MAX + 1,
)

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
SELECT count(*) FILTER (WHERE b.compared_at - b.total_off_since >= :stands::interval) AS total,
       count(*) FILTER (WHERE b.available_compared_at - b.available_off_since >= :stands::interval) AS available
  FROM processor_balances AS b JOIN stripe_accounts AS a USING (account_id, is_live) WHERE a.processor IS NOT NULL
""")

_booked, _lately, _compared = reader_of(Booked), reader_of(Lately), reader_of(Compared)


class Off(msgspec.Struct, frozen=True, kw_only=True):
    """How many balances have differed for longer than one comparison."""

    total: int
    """In all that the account has."""
    available: int
    """In what can be paid out."""


async def add_up(tx: Connection, account: StatementAccount, recorded: Sequence[Booked]) -> None:
    """Add what was recorded to the sums; the last that its transaction does."""
    sums = sorted(
        (each for each in recorded if each.total_minor or each.available_minor), key=lambda each: each.currency
    )
    if sums:
        await _ADD_UP.execute(tx, account=account, sums=sums)


async def wrong(database: Database | Connection, account: StatementAccount) -> list[Booked]:
    """Add up what is booked of an account, movement by movement; returns where the sums are otherwise."""
    return [_booked(row) for row in await _WRONG.fetch(database, account=account)]


async def correct(database: Database, account: StatementAccount) -> bool:
    """Add up what is booked again, since a process of an earlier version records and adds nothing; returns whether the sums
    were wrong."""
    if not (found := await wrong(database, account)):
        return False
    currencies = [each.currency for each in found]
    async with database.transaction() as tx:
        # Where there is no sum yet, one that can be locked.
        await _ADD_UP.execute(
            tx, account=account, sums=[Booked(currency=each, total_minor=0, available_minor=0) for each in currencies]
        )
        await _LOCK.fetch(tx, account=account, currencies=currencies)
        right = [each for each in await wrong(tx, account) if each.currency in currencies]
        await _CORRECT.execute(tx, account=account, sums=right)
    return True


async def booked_since(
    database: Database, account: StatementAccount, balance: Balance
) -> tuple[list[Booked], list[Lately]]:
    """Read what is booked of an account, and which of it may have come after a balance was read."""
    rows = await _LATELY.fetch(
        database,
        account=account,
        balance=balance,
        other_clocks=OTHER_CLOCKS,
        listed_late=LISTED_LATE,
        turned_late=AVAILABLE_OPEN_MAX,
    )
    return (
        [_booked(row) for row in rows if row["part"] == "sum"],
        [_lately(row) for row in rows if row["part"] != "sum"],
    )


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
    row = await _OFF.fetchrow(database, stands=COMPARED_EVERY)
    return Off(total=0, available=0) if row is None else Off(total=row["total"], available=row["available"])
