"""The sandbox's memory: its payments, as it would keep them if it were a processor in another house.

Nothing else reads these tables: what the sandbox did and what our records have can be compared like any other
processor's books with ours.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from libs.common.db import Connection, Database, GroupCommit
from libs.common.db.database import CONTENTION
from libs.common.db.statements import Statement

_GROUP_MAX = 500
_WAITING_MAX = 20_000
_TRIES_MAX = 5
"""How often a group is decided anew because another process changed the same payments meanwhile."""

# In the order of the references, so that two groups never wait in a circle.
_LOCK = Statement("SELECT ref, body FROM sandbox_payments WHERE ref = ANY (:refs::text[]) ORDER BY ref FOR UPDATE")

# Only over rows that were read: a new payment that another process has just written is left alone.
_SAVE = Statement(
    """
INSERT INTO sandbox_payments (ref, body, due_at)
SELECT ref, body, due_at FROM unnest(:refs::text[], :rows[].body::text[], :rows[].due_at::timestamptz[]) AS p (ref, body, due_at)
ORDER BY ref
ON CONFLICT (ref) DO UPDATE SET body = excluded.body, due_at = excluded.due_at
WHERE sandbox_payments.ref = ANY (:known::text[])
RETURNING ref
"""
)

# A lease, since what happens is reported outside this transaction: after a crash it is due again, and a notice takes
# effect once.
_CLAIM = Statement(
    """
UPDATE sandbox_payments SET due_at = :now + :lease::interval
FROM (SELECT ref FROM sandbox_payments WHERE due_at <= :now ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS due
WHERE sandbox_payments.ref = due.ref
RETURNING sandbox_payments.ref
"""
)


class SandboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """One payment as it is stored."""

    body: str
    """The payment as JSON."""
    due_at: datetime | None
    """When something is to happen to it by itself."""


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    ref: str
    decide: Callable[[str | None], tuple[SandboxRow | None, Any]]


class SandboxStore:
    """The sandbox's payments by reference, changed in groups: one commit for many."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changing: GroupCommit[_Change, Any] = GroupCommit(
            self._change, group_max=_GROUP_MAX, waiting_max=_WAITING_MAX
        )

    async def change[R](self, ref: str, decide: Callable[[str | None], tuple[SandboxRow | None, R]]) -> R:
        """Change the payment with a reference and return what `decide` returns beside it.

        `decide` gets the stored body, None where there is none, and returns what is to be stored, None for nothing. It may
        be called more than once.
        """
        result: R = await self._changing.submit(_Change(ref=ref, decide=decide))
        return result

    async def claim(self, *, now: datetime, lease: timedelta, limit: int) -> list[str]:
        """Take payments to which something is to happen now, each for one process at a time, until the lease ends."""
        rows = await _CLAIM.fetch(self._database, now=now, lease=lease, limit=limit)
        return [row["ref"] for row in rows]

    async def _change(self, changes: Sequence[_Change]) -> list[Any]:
        for attempt in range(_TRIES_MAX):
            try:
                async with self._database.transaction() as tx:
                    return await _decide(tx, changes)
            except (*CONTENTION, _RacedError):
                if attempt == _TRIES_MAX - 1:
                    raise
            await asyncio.sleep(0)
        raise AssertionError("unreachable")


class _RacedError(Exception):
    """Another process has written the same new payment in this very moment."""


async def _decide(tx: Connection, changes: Sequence[_Change]) -> list[Any]:
    rows = await _LOCK.fetch(tx, refs=sorted({change.ref for change in changes}))
    bodies: dict[str, str] = {row["ref"]: row["body"] for row in rows}
    known = list(bodies)
    results: list[Any] = []
    written: dict[str, SandboxRow] = {}
    for change in changes:
        row, result = change.decide(bodies.get(change.ref))
        results.append(result)
        if row is not None:
            bodies[change.ref] = row.body
            written[change.ref] = row
    if written:
        saved = await _SAVE.fetch(tx, refs=list(written), rows=list(written.values()), known=known)
        if len(saved) != len(written):
            raise _RacedError
    return results


__all__ = ["SandboxRow", "SandboxStore"]
