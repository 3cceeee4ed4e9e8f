"""What proves the books on a clock besides verification: sealing what stood before, and signing where the chains end."""

from libs.common.db import Database
from services.ledger.integrity.commands.signing import HeadSigner
from services.ledger.integrity.sql import changes

_SEAL_ROWS_MAX = 2_000
"""Rows of a table that one round seals."""


class SigningWorker:
    """Signs where the chains end; of several processes one does."""

    def __init__(self, signer: HeadSigner) -> None:
        self._signer = signer

    async def run(self) -> None:
        """Sign once."""
        await self._signer.sign()


class StandingSealer:
    """Seals the rows that stood in the tables before their changes were sealed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_done = False

    async def run(self) -> None:
        """Seal some rows of each table; once all are sealed, nothing."""
        if self._is_done:
            return
        async with self._database.connection() as connection:
            subjects = await changes.unfinished_tables(connection)
        for subject in subjects:
            async with self._database.transaction() as tx:
                await changes.seal_standing(tx, subject, limit=_SEAL_ROWS_MAX)
        self._is_done = not subjects
