"""What runs on a clock for balances: summing postings by effective time."""

from collections.abc import Sequence
from itertools import batched

from libs.common.db import Database
from libs.common.service import Worker
from services.ledger.balances.sql import effective

_FOLD_EVERY_SECONDS = 5.0
FOLD_POSTINGS_MIN = 256
"""Unsummed postings that are quicker read one by one than summed."""
FOLD_LOOKED_MAX = 5_000
"""Balances that one run looks at, and as many busy ones: 100,000 are looked through in 100 s."""
FOLD_ACCOUNTS_MAX = 50
FOLD_POSTINGS_MAX = 2_000
"""Postings of one account that one round sums at most: a round stays well below a statement's timeout."""
FOLD_ROUNDS_MAX = 200


def balance_workers(database: Database) -> list[Worker]:
    """List what is done about balances on our own clock."""
    return [Worker(name="sum by effective time", every_seconds=_FOLD_EVERY_SECONDS, run=Folder(database).run)]


class Folder:
    """Sums postings by effective time; one process at a time does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cursor = effective.FoldCursor()

    async def run(self) -> None:
        """Sum the postings of the accounts that have many which are not summed."""
        async with self._database.transaction() as tx:
            due = await effective.look(tx, self._cursor, postings_min=FOLD_POSTINGS_MIN, accounts_max=FOLD_LOOKED_MAX)
        for accounts in batched(due, FOLD_ACCOUNTS_MAX):
            await self._fold(accounts)

    async def _fold(self, accounts: Sequence[effective.AccountKey]) -> None:
        for _ in range(FOLD_ROUNDS_MAX):
            async with self._database.transaction() as tx:
                summed = await effective.fold(
                    tx,
                    postings_min=FOLD_POSTINGS_MIN,
                    accounts_max=FOLD_ACCOUNTS_MAX,
                    postings_max=FOLD_POSTINGS_MAX,
                    accounts=accounts,
                )
            if summed == 0:
                return
