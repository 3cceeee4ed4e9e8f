"""The verifier: what was added is recomputed once a minute by one process, and everything when an operator asks."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.common.clock import Clock
from libs.common.db import Connection, Database
from libs.common.ids import new_id
from libs.common.observability.correlation import current
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.audit import AuditRecord, write_lines
from services.api.integrity.commands.signing import check_ends, check_heads, read_kept
from services.api.integrity.domain import Chain, Finding, Walk
from services.api.integrity.sql import changes as sql

log = get_logger("api.integrity")

CHANGES_MAX = 5_000
"""Changes that one round recomputes at most: some 100 ms, in steps."""
_CHAINS_MAX = 500
"""Chains that one round looks at, at most."""
_BATCH = 200
"""Changes that are read and recomputed at a time: a few milliseconds in which nothing else runs."""
_ROWS_MAX = 10_000
"""A table with more rows, or more sealed changes of them, is compared by the full verification alone."""
STANDING_MAX = timedelta(days=7)
"""How long it takes at most to seal the rows that stood in a table before its changes were."""
_EACH_MAX = 100
"""Findings of one table at most."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found when everything was recomputed."""

    chains: int
    """Chains that were recomputed."""
    changes: int
    """Changes in them."""
    findings: list[Finding]
    """What was changed past the services."""


class Verifier:
    """Recomputes the chains of changes, and compares the tables with what was sealed of them last."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        keys: Mapping[str, Ed25519PublicKey] | None = None,
        file: Path | None = None,
        standing_max: timedelta = STANDING_MAX,
    ) -> None:
        self._standing_max = standing_max
        self._database = database
        self._clock = clock
        self._keys = keys or {}
        self._file = file

    async def go_on(self) -> list[Finding]:
        """Recompute what was added, and compare the small tables; returns what is new, once it is written down.

        All is read in one snapshot, on a connection of its own: whoever changes something goes on meanwhile. Of several
        processes one does it at a time.
        """
        new: list[Finding] = []
        async with self._database.transaction() as tx:
            if not await sql.lead(tx):
                return []
            async with (
                self._database.connection() as reading,
                reading.transaction(isolation="repeatable_read", readonly=True),
            ):
                found, walks = await self._look(reading)
            now = self._clock.now()
            for walk in walks:
                await sql.remember_check(tx, walk.tenant_id, sequence=walk.sequence, last=walk.hash, at=now)
            if found:
                new = await sql.write_findings(tx, found, at=now)
                await write_lines(tx, [self._line_of(finding) for finding in new])
            count = await sql.count_findings(tx)
        for finding in new:
            log.error("change.broken", **msgspec.structs.asdict(finding))
        metrics.CHANGE_FINDINGS.set(count)
        metrics.CHANGES_VERIFIED_AT.set(now.timestamp())
        return new

    async def all(self) -> Report:
        """Recompute everything in one snapshot, and compare all tables and all that was signed."""
        kept = await read_kept(self._file)
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            chains = await sql.all_chains(connection)
            found: list[Finding] = []
            count = 0
            for chain in chains:
                walk, read, _ = await _walked(connection, chain, changes_max=None)
                found += walk.findings
                count += read
            found += [
                _stray(tenant_id, sequence)
                for tenant_id, sequence in await sql.stray_changes(connection, limit=_EACH_MAX)
            ]
            found += await self._set_back(connection)
            found += await _compared(connection, [*sql.SEALED, sql.LINES])
            found += await check_heads(connection, keys=self._keys, read=kept)
        return Report(chains=len(chains), changes=count, findings=found)

    async def _look(self, connection: Connection) -> tuple[list[Finding], list[Walk]]:
        found: list[Finding] = []
        walks: list[Walk] = []
        left = CHANGES_MAX
        for chain in await sql.unverified_chains(connection, limit=_CHAINS_MAX):
            walk, read, is_ended = await _walked(connection, chain, changes_max=left)
            found += walk.findings
            walks.append(walk)
            left -= read
            if not is_ended or left <= 0:
                break
        subjects = [
            subject
            for subject in (*sql.SEALED, sql.LINES)
            if await sql.is_small(connection, subject, rows_max=_ROWS_MAX)
        ]
        found += await self._set_back(connection)
        found += await _compared(connection, subjects)
        found += await check_ends(connection)
        return found, walks

    async def _set_back(self, connection: Connection) -> list[Finding]:
        detail = "its rows count as not sealed yet, though sealing them has begun long ago"
        return [
            Finding(invariant="row_sealed", tenant_id="", subject=subject, detail=detail)
            for subject in (*sql.SEALED, sql.LINES)
            if await sql.is_set_back(connection, subject, age=self._standing_max)
        ]

    def _line_of(self, finding: Finding) -> AuditRecord:
        now = self._clock.now()
        return AuditRecord(
            tenant_id=finding.tenant_id,
            id=new_id(now),
            actor="api",
            action="access.change_broken",
            target=finding.subject,
            outcome="failed",
            detail={"invariant": finding.invariant, "detail": finding.detail},
            correlation_id=current().correlation_id,
            at=now,
        )


async def _walked(connection: Connection, chain: Chain, *, changes_max: int | None) -> tuple[Walk, int, bool]:
    """Recompute a chain from where it was recomputed to; returns how many changes, and whether its end was reached."""
    walk = Walk(chain.tenant_id, sequence=chain.verified, last=chain.verified_hash)
    count = 0
    while changes_max is None or count < changes_max:
        changes = await sql.changes_after(connection, chain.tenant_id, walk.sequence, limit=_BATCH)
        for change in changes:
            walk.add(change)
        count += len(changes)
        if len(changes) < _BATCH:
            walk.end(chain.sequence, chain.hash)
            return walk, count, True
    return walk, count, False


async def _compared(connection: Connection, subjects: Sequence[str]) -> list[Finding]:
    # As the changes were sealed, so that an instant is the same text.
    await connection.execute("SET LOCAL TimeZone = 'UTC'")
    await connection.execute("SET LOCAL bytea_output = 'hex'")
    found: list[Finding] = []
    for subject in subjects:
        try:
            # What was sealed is text that somebody may have written over; the transaction goes on where it cannot be read.
            async with connection.transaction():
                rows = await sql.differing_rows(connection, subject, limit=_EACH_MAX)
        except asyncpg.DataError as fault:
            detail = f"what was sealed of the table cannot be read: {fault}"
            found.append(Finding(invariant="row_sealed", tenant_id="", subject=subject, detail=detail))
            continue
        found += [_differing(subject, row) for row in rows]
    return found


def _stray(tenant_id: str, sequence: int) -> Finding:
    detail = "the change stands before the begin of its chain"
    return Finding(invariant="change_linked", tenant_id=tenant_id, subject=f"changes {sequence}", detail=detail)


def _differing(subject: str, row: asyncpg.Record) -> Finding:
    if row["is_stranger"]:
        detail = "the row was added without a sealed change"
    elif row["is_removed"]:
        detail = "the row is there, though it was removed"
    elif row["is_missing"]:
        detail = "the row is missing"
    else:
        detail = f"the row is not as it was sealed: {', '.join(row['differing'])}"
    return Finding(invariant="row_sealed", tenant_id=row["tenant_id"], subject=f"{subject} {row['key']}", detail=detail)
