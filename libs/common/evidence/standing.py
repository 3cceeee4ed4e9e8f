"""Sealing the rows that stood in tables before their changes were sealed."""

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement

# Those of before the upgrade that brought the seals.
_UNFINISHED = Statement("SELECT subject FROM sealed_tables WHERE completed_at IS NULL ORDER BY subject")
# Through a function, since our role may not write seals; another process that is at it is not waited for.
_SEAL = Statement("SELECT seal_standing(:subject, :limit)")


async def seal_standing(tx: Connection, subject: str, *, limit: int) -> int:
    """Seal the next rows that stood in a table before its changes were sealed; returns how many."""
    return int(await _SEAL.fetchval(tx, subject=subject, limit=limit))


class StandingSealer:
    """Seals the rows that stood in the tables of a service before their changes were sealed."""

    def __init__(self, database: Database, *, rows_max: int) -> None:
        """Seal so many rows of a table in one round."""
        self._database = database
        self._rows_max = rows_max
        self._is_done = False

    async def run(self) -> None:
        """Seal some rows of each table; once all are sealed, nothing."""
        if self._is_done:
            return
        subjects = [row["subject"] for row in await _UNFINISHED.fetch(self._database)]
        for subject in subjects:
            async with self._database.transaction() as tx:
                await seal_standing(tx, subject, limit=self._rows_max)
        self._is_done = not subjects
