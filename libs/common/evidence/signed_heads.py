"""The table `signed_heads` of a service, and the file that follows it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement
from libs.common.evidence.heads_file import append_to, last_number
from libs.common.evidence.statements import Signed

_BATCH = 500
"""Statements that are read and appended at a time."""


def readable(column: str) -> str:
    """Return the SQL of an instant that somebody may have written over: PostgreSQL keeps years that Python has not."""
    last, first = "timestamptz '9999-12-31 23:59:59.999999Z'", "timestamptz '0001-01-01Z'"
    near = f"CASE WHEN {column} > {last} THEN {last} WHEN {column} < {first} THEN {first} ELSE {column} END"
    return f"{near} AS {column.rpartition('.')[2]}"


# Along the primary key, backwards.
_LAST = Statement(
    "SELECT number, {signed_at}, statement, signatures FROM signed_heads ORDER BY number DESC LIMIT 1",
    signed_at=readable("signed_at"),
)
# Along the primary key, a part at a time.
_AFTER = Statement(
    "SELECT number, statement, signatures FROM signed_heads WHERE number > :number ORDER BY number LIMIT :limit"
)
# Without ON CONFLICT: only the one that leads signs, and a number that is taken all the same must fail.
_WRITE = Statement("""
INSERT INTO signed_heads (number, signed_at, statement, signatures)
VALUES (:signed.number, :at, :signed.statement, :signatures::text::jsonb)
""")

_signatures = msgspec.json.Decoder(dict[str, str])


async def last_signed(connection: Connection) -> tuple[Signed, datetime] | None:
    """Read what was signed last, and when."""
    row = await _LAST.fetchrow(connection)
    return None if row is None else (_signed(row), row["signed_at"])


async def all_signed(connection: Connection) -> AsyncIterator[Signed]:
    """Read all statements, oldest first."""
    number = 0
    while statements := await _signed_after(connection, number):
        for signed in statements:
            yield signed
        number = statements[-1].number


async def write_signed(tx: Connection, signed: Signed, *, at: datetime) -> None:
    """Keep what was signed."""
    signatures = msgspec.json.encode(signed.signatures).decode()
    await _WRITE.execute(tx, signed=signed, at=at, signatures=signatures)


class HeadsFile:
    """The file that has what is in the table, for this process."""

    def __init__(self, database: Database, file: Path) -> None:
        self._database = database
        self._file = file
        self._is_behind = True
        """Whether the file may lack something: as the process begins, once something was signed, and until it was appended."""

    async def follow(self, *, is_signed: bool) -> None:
        """Append what the file lacks, where something was signed, or the file is gone.

        Raises:
            Unavailable: when another process keeps the file locked.
        """
        self._is_behind = self._is_behind or is_signed
        if not self._is_behind and await asyncio.to_thread(self._file.exists):
            return
        number = await asyncio.to_thread(last_number, self._file)
        while True:
            async with self._database.connection() as connection:
                missing = await _signed_after(connection, number)
            if not missing:
                break
            number = await asyncio.to_thread(append_to, self._file, missing)
        self._is_behind = False


async def _signed_after(connection: Connection, number: int) -> list[Signed]:
    return [_signed(row) for row in await _AFTER.fetch(connection, number=number, limit=_BATCH)]


def _signed(row: asyncpg.Record) -> Signed:
    try:
        signatures = _signatures.decode(row["signatures"])
    except msgspec.DecodeError:
        # Somebody has written over them: there is none by a key that is known.
        signatures = {}
    return Signed(number=row["number"], statement=row["statement"], signatures=signatures)
