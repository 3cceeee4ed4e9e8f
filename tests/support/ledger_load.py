"""A ledger process under load, to be killed: `python -m tests.support.ledger_load <database url> <entries>`.

Posts entries 0, 1, 2 and so on, each of which follows from its number alone, and writes the number of each to standard
output once it is answered. An outage is no answer: the same entry is posted again.
"""

import asyncio
import random
import sys
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog
import uvloop

from libs.common.clock import SystemClock
from libs.common.contracts.ledger import AccountType, EntryKind, Side
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.observability.correlation import Correlation
from libs.common.settings import DatabaseSettings
from services.ledger.core import Account, Entry, Line
from services.ledger.posting import Booking, PostingService

TENANT = "tenant-under-load"
CALLERS = 32
ACCOUNTS = [
    Account(
        tenant_id=TENANT,
        id=uuid5(NAMESPACE_OID, f"account {i}"),
        code=f"A{i}",
        label="A",
        account_type=AccountType.ASSET,
    )
    for i in range(5)
]


def entry_id(number: int) -> UUID:
    """The id of an entry by its number."""
    return uuid5(NAMESPACE_OID, f"entry {number}")


def booking(number: int) -> Booking:
    """The entry of this number: the first account, which all share, against one of the others."""
    amount_minor = number % 97 + 1
    lines = (
        Line(account_id=ACCOUNTS[0].id, side=Side.DEBIT, amount_minor=amount_minor, currency="BRL"),
        Line(account_id=ACCOUNTS[1 + number % 4].id, side=Side.CREDIT, amount_minor=amount_minor, currency="BRL"),
    )
    entry = Entry(
        tenant_id=TENANT,
        id=entry_id(number),
        kind=EntryKind.CAPTURE,
        content=f"{number}",
        payment_intent_id=entry_id(number),
        occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
        source_event_id=entry_id(number),
        lines=lines,
    )
    return Booking(entry=entry, correlation=Correlation(correlation_id="load", tenant_id=TENANT))


async def post_all(url: str, entries: int) -> None:
    """Post them all, many at a time."""
    database = Database(DatabaseSettings(database_url=url), schema="ledger", application_name="load")
    await database.open()
    service = PostingService(database, clock=SystemClock())
    numbers = iter(range(entries))

    async def caller() -> None:
        for number in numbers:
            while True:
                try:
                    await service.post(booking(number))
                except Unavailable:
                    # Jitter, so that callers do not come back all at once.
                    await asyncio.sleep(random.uniform(0.05, 0.2))
                else:
                    break
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
    await database.close()


if __name__ == "__main__":
    # Standard output has the numbers alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(post_all(sys.argv[1], int(sys.argv[2])))
