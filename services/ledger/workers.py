"""What the ledger does unasked: lets holds expire, sums postings by effective time, verifies the books, compares
them with what the api says of payments, and keeps the report views fresh.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import batched

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.service import Loop, Worker
from services.ledger import metrics, store
from services.ledger.claims import Claims
from services.ledger.commands import ReportCommands
from services.ledger.holds import EXPIRIES_MAX, Holds
from services.ledger.settings import RetentionSettings
from services.ledger.store.retention import Forgettable, forget
from services.ledger.verification import Verifier

EXPIRE_EVERY_SECONDS = 0.5
"""A hold is let go at most about this much after its time; what has expired cannot be captured in any case."""

FOLD_EVERY_SECONDS = 5.0
FOLD_POSTINGS_MIN = 256
"""Unsummed postings that are quicker read one by one than summed."""
FOLD_LOOKED_MAX = 5_000
"""Balances that one run looks at, and as many busy ones: 100,000 are looked through in 100 s."""
FOLD_ACCOUNTS_MAX = 50
FOLD_POSTINGS_MAX = 2_000
"""Postings of one account that one round sums at most: a round stays well below a statement's timeout."""
FOLD_ROUNDS_MAX = 200

VERIFY_EVERY_SECONDS = 60.0
VERIFY_GROUPS_MAX = 2_000
"""Groups of each chain that one round recomputes at most."""

COMPARE_EVERY_SECONDS = 10.0
"""With `AGREE_WITHIN` below a minute."""

FORGET_EVERY_SECONDS = 3_600.0
FORGET_MAX = 5_000
"""Rows that one statement deletes at most, so that it never holds locks for long."""

MEASURED = (
    *("journal_entries", "postings", "entry_groups", "journal_requests", "manual_entries"),
    *("effective_totals", "holds", "claims", "outbox"),
)
"""Tables without partitions whose size is measured."""


def workers(database: Database, holds: Holds, verifier: Verifier, claims: Claims) -> list[Worker]:
    """List the ledger's own work."""

    async def expire() -> None:
        while True:
            found = await holds.expire()
            metrics.HOLDS_EXPIRED.inc(found)
            if found < EXPIRIES_MAX:
                return

    cursor = store.FoldCursor()

    async def fold() -> None:
        async with database.transaction() as tx:
            due = await store.look(tx, cursor, postings_min=FOLD_POSTINGS_MIN, accounts_max=FOLD_LOOKED_MAX)
        for accounts in batched(due, FOLD_ACCOUNTS_MAX):
            await fold_all(accounts)

    async def fold_all(accounts: Sequence[store.AccountKey]) -> None:
        for _ in range(FOLD_ROUNDS_MAX):
            async with database.transaction() as tx:
                summed = await store.fold(
                    tx,
                    postings_min=FOLD_POSTINGS_MIN,
                    accounts_max=FOLD_ACCOUNTS_MAX,
                    postings_max=FOLD_POSTINGS_MAX,
                    accounts=accounts,
                )
            if summed == 0:
                return

    async def verify() -> None:
        await verifier.go_on(groups_max=VERIFY_GROUPS_MAX)

    return [
        Worker(name="expire holds", every_seconds=EXPIRE_EVERY_SECONDS, run=expire),
        Worker(name="sum by effective time", every_seconds=FOLD_EVERY_SECONDS, run=fold),
        Worker(name="verify the books", every_seconds=VERIFY_EVERY_SECONDS, run=verify),
        Worker(
            name="compare intents with entries",
            every_seconds=COMPARE_EVERY_SECONDS,
            run=claims.compare,
            # The first round remembers where the books end: what is posted from then on is compared.
            is_due_at_start=True,
        ),
    ]


def loops(reports: ReportCommands) -> list[Loop]:
    """List what runs from start to stop. Every process has it; the database lets one at a time refresh."""
    return [Loop(name="keep reports fresh", run=reports.keep_fresh)]


def forgetting(database: Database, *, clock: Clock, settings: RetentionSettings) -> list[Worker]:
    """List what is forgotten by age, as the settings say."""

    def worker(what: Forgettable, kept_days: int) -> Worker:
        async def run() -> None:
            before = clock.now() - timedelta(days=kept_days)
            while True:
                async with database.connection() as connection:
                    if await forget(connection, what, before=before, limit=FORGET_MAX) < FORGET_MAX:
                        return

        return Worker(name=f"forget {what.value}", every_seconds=FORGET_EVERY_SECONDS, run=run)

    kept = {
        Forgettable.REQUESTS: settings.journal_request_retention_days,
        Forgettable.HOLDS: settings.hold_retention_days,
    }
    return [worker(what, days) for what, days in kept.items() if days > 0]
