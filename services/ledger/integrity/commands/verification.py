"""The verifier: what was added is recomputed once a minute, batch by batch, and everything when an operator asks.

The processes share the work: whoever recomputes a batch of a chain has claimed it until the batch is written down, and
the others pass it over. So a round that is cut short has lost nothing but its last batch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import monotonic

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.common.clock import Clock
from libs.common.contracts import ledger_books as contract
from libs.common.db import Connection, Database
from libs.common.evidence import HeadsRead
from services.ledger import metrics
from services.ledger.integrity.commands.chains import BATCH_ENTRIES, Walk
from services.ledger.integrity.commands.changes import check_changes
from services.ledger.integrity.commands.findings import count, write_down
from services.ledger.integrity.commands.signing import check_heads, check_last, read_kept
from services.ledger.integrity.sql import changes as sealed
from services.ledger.integrity.sql import findings, rounds, seals
from services.ledger.integrity.sql.findings import StoredFinding

ROUND_SECONDS = 20.0
"""How long one round goes on while there is something to recompute."""

INVARIANTS_EVERY_SECONDS = 45.0
"""How often the invariants of the balances are looked at, whichever process does."""

_REST_SHARE = 0.5
"""While entries are posted, the verifier rests after each batch, for this part of the time that the batch took."""

_TRIAL_BALANCE = "trial_balance"
_CHANGES = "changes"

_FINDINGS_SHOWN = 100

_FINDINGS_KEPT = 10_000
"""Findings that a recomputation of everything keeps in memory."""

CONNECTIONS = 2
"""Connections on which everything is recomputed at once, in one snapshot. A round needs as many: one claims what is looked at,
the other one reads it."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round did."""

    groups: int
    """Groups that were recomputed."""
    entries: int
    """Entries that were recomputed."""
    new: list[StoredFinding]
    """What was found and not written down before."""
    left: int
    """Groups that are not recomputed yet."""
    trial_balance_difference: int
    """What all debits and credits differ by, as whoever looked last has found it, in minor units."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found when everything was recomputed."""

    groups: int
    """Groups that were recomputed."""
    entries: int
    """Entries that were recomputed."""
    changes: int
    """Changes besides entries that were recomputed."""
    findings: list[StoredFinding]
    """What cannot be."""
    heads: dict[int, str]
    """The hash of each chain's last recomputed group, in hexadecimal: whoever keeps it can show later whether all was rewritten."""


class Verifier:
    """Recomputes the chains and looks for broken invariants."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        batch_entries: int = BATCH_ENTRIES,
        keys: Mapping[str, Ed25519PublicKey] | None = None,
        file: Path | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._batch_entries = batch_entries
        self._keys = keys or {}
        self._file = file

    async def go_on(
        self, *, seconds_max: float = ROUND_SECONDS, invariants_age_max: float = INVARIANTS_EVERY_SECONDS
    ) -> Round:
        """Recompute what was added, for so many seconds, and look at the balances if nobody did lately.

        What is found is written down and published once, in the transaction that remembers how far the chain was recomputed.
        """
        ends_at = monotonic() + seconds_max
        groups = entries = 0
        new: list[StoredFinding] = []
        async with self._database.connection() as connection:
            await seals.begin_checks(connection, at=self._clock.now())
            posted = await seals.count_groups(connection)
        ended: set[int] = set()
        while True:
            begun = monotonic()
            walk = await self._batch(ended, new)
            if walk is None:
                break
            groups, entries = groups + walk.groups, entries + walk.entries
            if monotonic() >= ends_at:
                break
            async with self._database.connection() as connection:
                before, posted = posted, await seals.count_groups(connection)
            if posted != before:
                await asyncio.sleep((monotonic() - begun) * _REST_SHARE)
        await self._look_at_balances(new, age_max=invariants_age_max)
        async with self._database.connection() as connection:
            return Round(
                groups=groups,
                entries=entries,
                new=new,
                left=await seals.count_left(connection),
                trial_balance_difference=await rounds.result(connection, _TRIAL_BALANCE),
            )

    async def note(self, done: Round) -> None:
        """Show in the metrics of this process what a round did."""
        metrics.VERIFIED_ENTRIES.inc(done.entries)
        metrics.VERIFIER_LAG.set(done.left)
        metrics.TRIAL_BALANCE_DIFFERENCE.set(done.trial_balance_difference)
        metrics.VERIFIED_AT.set(self._clock.now().timestamp())
        await count(self._database, done.new)

    async def all(self) -> Report:
        """Recompute everything from the first group, in one snapshot, and read every posting."""
        kept = await read_kept(self._file)
        async with (
            self._database.connection() as first,
            first.transaction(isolation="repeatable_read", readonly=True),
        ):
            snapshot = await first.fetchval("SELECT pg_export_snapshot()")
            everything = _All(self._database, snapshot, batch_entries=self._batch_entries)
            everything.add_heads(self._keys, kept)
            return await everything.run(first)

    async def show(self, tenant_id: str) -> contract.Verification:
        """Show how far the chains were recomputed and what was found for a tenant."""
        async with self._database.connection() as connection:
            chains = await seals.chains(connection)
            found = await findings.findings_of(connection, tenant_id, limit=_FINDINGS_SHOWN)
        return contract.Verification(
            entries=sum(chain.entries for chain in chains),
            chains=[
                contract.ChainCheck(
                    chain=chain.chain, groups=chain.sequence, verified=chain.verified, checked_at=chain.checked_at
                )
                for chain in chains
            ],
            findings=[contract.Finding(**dict(row)) for row in found],
        )

    async def _batch(self, ended: set[int], new: list[StoredFinding]) -> Walk | None:
        """Recompute one batch of the chain that waits for longest; None where no chain is left for this round."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            chain = await seals.claim_chain(tx, but=ended)
            if chain is None:
                return None
            walk = Walk(chain)
            if not await walk.batch(tx, entries_max=self._batch_entries):
                ended.add(chain.chain)
            await seals.remember_check(tx, walk.chain, at=now)
            written = await write_down(tx, walk.findings, found_at=now)
        new += written
        return walk

    async def _look_at_balances(self, new: list[StoredFinding], *, age_max: float) -> None:
        names = [*findings.STANDING, _TRIAL_BALANCE, _CHANGES]
        async with self._database.connection() as connection:
            await rounds.begin(connection, names)
        while names:
            async with self._database.transaction() as tx:
                name = await rounds.claim(tx, names, age_max=age_max)
                if name is None:
                    return
                names.remove(name)
                if name == _TRIAL_BALANCE:
                    await rounds.remember(tx, name, result=await findings.trial_balance_difference(tx))
                    continue
                found = await (self._changes(tx) if name == _CHANGES else findings.broken_invariants(tx, [name]))
                await rounds.remember(tx, name, result=len(found))
                written = await write_down(tx, found, found_at=self._clock.now())
            new += written

    async def _changes(self, tx: Connection) -> list[StoredFinding]:
        """Recompute the changes that were added, and compare the small tables and the last signed heads.

        Whoever changes something goes on meanwhile, so all is read in one snapshot: of a head that was read before its chain grew,
        the end of the chain would be another one.
        """
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            checked = await check_changes(connection, anew=False)
            heads = await check_last(connection)
        for chain in checked.chains:
            await sealed.remember_check(tx, chain, at=self._clock.now())
        return [*checked.findings, *heads]


class _All:
    """Everything, recomputed on a few connections that see the same snapshot."""

    def __init__(self, database: Database, snapshot: str, *, batch_entries: int) -> None:
        self._database = database
        self._snapshot = snapshot
        self._batch_entries = batch_entries
        self._findings: list[StoredFinding] = []
        self._walks: list[Walk] = []
        self._count = 0
        self._further: list[Callable[[Connection], Awaitable[None]]] = [self._changes]

    def add_heads(self, keys: Mapping[str, Ed25519PublicKey], kept: HeadsRead) -> None:
        """Compare what was signed, too."""

        async def compare(connection: Connection) -> None:
            self._keep(await check_heads(connection, keys=keys, read=kept))

        self._further.append(compare)

    async def _changes(self, connection: Connection) -> None:
        checked = await check_changes(connection, anew=True)
        self._count = checked.changes
        self._keep(checked.findings)

    async def run(self, first: Connection) -> Report:
        """Recompute; `first` is the connection that has exported the snapshot."""
        walks = [
            Walk(msgspec.structs.replace(stored, verified=0, verified_hash=bytes(32), entries=0))
            for stored in await seals.chains(first)
        ]
        # What takes longest first, so that no connection is left alone with it at the end.
        work: list[Callable[[Connection], Awaitable[None]]] = [
            *(self._question(invariant) for invariant in (*findings.THOROUGH, *findings.STANDING)),
            *self._further,
            *(self._chain(walk) for walk in walks),
        ]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._work(first, work))
            for _ in range(CONNECTIONS - 1):
                group.create_task(self._join(work))
        return Report(
            groups=sum(walk.groups for walk in walks),
            entries=sum(walk.entries for walk in walks),
            changes=self._count,
            findings=self._findings,
            heads={walk.chain.chain: walk.chain.verified_hash.hex() for walk in walks},
        )

    async def _join(self, work: list[Callable[[Connection], Awaitable[None]]]) -> None:
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{self._snapshot}'")
            await self._work(connection, work)

    async def _work(self, connection: Connection, work: list[Callable[[Connection], Awaitable[None]]]) -> None:
        while work:
            await work.pop(0)(connection)

    def _question(self, invariant: str) -> Callable[[Connection], Awaitable[None]]:
        async def ask(connection: Connection) -> None:
            self._keep(await findings.broken_invariants(connection, [invariant]))

        return ask

    def _chain(self, walk: Walk) -> Callable[[Connection], Awaitable[None]]:
        async def go(connection: Connection) -> None:
            while await walk.batch(connection, entries_max=self._batch_entries):
                self._keep(walk.findings)
                walk.findings = []
            self._keep(walk.findings)

        return go

    def _keep(self, found: list[StoredFinding]) -> None:
        self._findings += found[: max(0, _FINDINGS_KEPT - len(self._findings))]
