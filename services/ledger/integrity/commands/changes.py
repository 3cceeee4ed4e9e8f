"""The verifier of what changes besides entries: recomputes the seals of changes and their chains, and compares the tables with
what was sealed of them last, column by column.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import msgspec

from libs.common.db import Connection
from services.ledger.integrity.domain import change_seal, group_hash
from services.ledger.integrity.sql import changes
from services.ledger.integrity.sql.changes import ChangeChain
from services.ledger.integrity.sql.findings import StoredFinding

_BATCH_GROUPS = 50
_ROUND_GROUPS_MAX = 2_000
"""Groups of each chain that one round recomputes at most."""
_ROUND_ROWS_MAX = 50_000
"""A table with more rows, or more sealed changes of them, is compared by the full verification alone."""
STANDING_MAX = timedelta(days=7)
"""How long it takes at most to seal the rows that stood in a table before its changes were."""
_EACH_MAX = 100
"""Findings of one kind at most."""
_OF_CHAIN_MAX = 1_000
"""Findings of one chain at most: the first ones show where it was changed."""


class CheckedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of changes, and how far their chains were recomputed."""

    findings: list[StoredFinding]
    chains: list[ChangeChain]
    changes: int


async def check_changes(
    connection: Connection, *, anew: bool, standing_max: timedelta = STANDING_MAX
) -> CheckedChanges:
    """Recompute the chains of changes, all or what was added, and compare the tables, all or the small ones.

    Inside a transaction, in whose snapshot everything is read.
    """
    # As the changes were sealed, so that an instant is the same text.
    await connection.execute("SET LOCAL TimeZone = 'UTC'")
    await connection.execute("SET LOCAL bytea_output = 'hex'")
    found: list[StoredFinding] = []
    checked: list[ChangeChain] = []
    count = 0
    for stored in await changes.change_chains(connection):
        begin = msgspec.structs.replace(stored, verified=0, verified_hash=bytes(32)) if anew else stored
        walk = _Walk(connection, begin)
        await walk.go(groups_max=None if anew else _ROUND_GROUPS_MAX)
        found += walk.findings
        checked.append(walk.chain)
        count += walk.changes
    detail = "its rows count as not sealed yet, though sealing them has begun long ago"
    found += [
        StoredFinding(invariant="row_sealed", tenant_id="", subject=subject, detail=detail)
        for subject in changes.SEALED
        if await changes.is_set_back(connection, subject, age=standing_max)
    ]
    subjects = list(changes.SEALED) if anew else await changes.small_tables(connection, rows_max=_ROUND_ROWS_MAX)
    for subject in subjects:
        found += await _compare(connection, subject)
    if anew:
        found += [
            StoredFinding(
                invariant="change_linked",
                tenant_id=row["tenant_id"],
                subject=f"changes {row['chain']}/{row['sequence']}/{row['position']}",
                detail="the change is a link of no chain",
            )
            for row in await changes.stray_changes(connection, limit=_EACH_MAX)
        ]
        found += [
            StoredFinding(
                invariant="totals_follow_postings",
                tenant_id=row["tenant_id"],
                subject=row["subject"],
                detail=f"what was summed of {row['grain'].lower()} {row['starts_at'].isoformat()} is not the sum of its postings",
            )
            for row in await changes.differing_totals(connection, limit=_EACH_MAX)
        ]
    return CheckedChanges(findings=found, chains=checked, changes=count)


async def _compare(connection: Connection, subject: str) -> list[StoredFinding]:
    try:
        # What was sealed is text that somebody may have written over; the transaction goes on where it cannot be read.
        async with connection.transaction():
            rows = await changes.differing_rows(connection, subject, limit=_EACH_MAX)
    except asyncpg.DataError as fault:
        detail = f"what was sealed of the table cannot be read: {fault}"
        return [StoredFinding(invariant="row_sealed", tenant_id="", subject=subject, detail=detail)]
    return [_finding_of(subject, row) for row in rows]


def _finding_of(subject: str, row: asyncpg.Record) -> StoredFinding:
    if row["is_stranger"]:
        detail = "the row was added without a sealed change"
    elif row["is_removed"]:
        detail = (
            "the row was removed, which nothing does"
            if row["is_missing"]
            else "the row is there, though it was removed"
        )
    elif row["is_missing"]:
        detail = "the row is missing"
    else:
        detail = f"the row is not as it was sealed: {', '.join(row['differing'])}"
    return StoredFinding(
        invariant="row_sealed", tenant_id=row["tenant_id"], subject=f"{subject} {row['key']}", detail=detail
    )


class _Walk:
    """One chain of changes, group by group."""

    def __init__(self, connection: Connection, begin: ChangeChain) -> None:
        self._connection = connection
        self.chain = begin
        self.findings: list[StoredFinding] = []
        self.changes = 0

    async def go(self, *, groups_max: int | None) -> None:
        """Recompute up to `groups_max` groups, and compare the last one with the head where the end is reached."""
        left = groups_max
        while left is None or left > 0:
            limit = _BATCH_GROUPS if left is None else min(_BATCH_GROUPS, left)
            groups = await changes.groups_after(self._connection, self.chain.chain, self.chain.verified, limit=limit)
            if not groups:
                self._compare_head()
                return
            await self._batch(groups)
            if left is not None:
                left -= len(groups)

    async def _batch(self, groups: Sequence[asyncpg.Record]) -> None:
        of_group: dict[int, list[asyncpg.Record]] = defaultdict(list)
        for change in await changes.changes_of(
            self._connection, self.chain.chain, after=self.chain.verified, until=groups[-1]["sequence"]
        ):
            of_group[change["sequence"]].append(change)
        for group in groups:
            self._group(group, of_group.pop(group["sequence"], []))
        for sequence in of_group:
            self._found(f"{sequence}", "there are changes of a group that is not there")

    def _group(self, group: asyncpg.Record, found: Sequence[asyncpg.Record]) -> None:
        sequence = group["sequence"]
        if sequence > self.chain.verified + 1:
            missing = f"{self.chain.verified + 1}"
            self._found(missing, f"the groups of changes from here to {sequence - 1} are missing from their chain")
        # By the rows that there are: what the group says may be any number.
        positions = [change["position"] for change in found]
        is_sound = len(found) == group["change_count"] and positions == list(range(1, len(found) + 1))
        if not is_sound:
            self._found(f"{sequence}", "changes of the group are missing, or were added")
        for change in found:
            if change_seal(change) != change["seal"]:
                is_sound = False
                name = f"changes {self.chain.chain}/{sequence}/{change['position']}"
                detail = f"the change of {change['subject']} {change['key']} is not as it was sealed"
                self._keep("change_sealed", name, detail, tenant_id=change["tenant_id"])
        expected = group_hash(
            previous=group["previous"],
            chain=self.chain.chain,
            sequence=sequence,
            count=group["change_count"],
            seals=[change["seal"] for change in found],
        )
        if sequence == self.chain.verified + 1 and group["previous"] != self.chain.verified_hash:
            self._found(f"{sequence}", "the group of changes does not follow from the one before it")
        elif expected != group["hash"] and is_sound:
            self._found(f"{sequence}", "the group's changes do not give its hash: it or they were rewritten")
        self.changes += len(found)
        self.chain = msgspec.structs.replace(self.chain, verified=sequence, verified_hash=group["hash"])

    def _compare_head(self) -> None:
        chain = self.chain
        if (chain.verified, chain.verified_hash) != (chain.sequence, chain.hash):
            self._found("head", f"the chain of changes ends at group {chain.verified}, not as its head has it")

    def _found(self, place: str, detail: str) -> None:
        self._keep("change_linked", f"changes {self.chain.chain}/{place}", detail, tenant_id="")

    def _keep(self, invariant: str, subject: str, detail: str, *, tenant_id: str) -> None:
        if len(self.findings) < _OF_CHAIN_MAX:
            self.findings.append(
                StoredFinding(invariant=invariant, tenant_id=tenant_id, subject=subject, detail=detail)
            )
