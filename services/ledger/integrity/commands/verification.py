"""The verifier: recomputes every seal and every link from the rows as they lie, and names those that cannot be.

It shares no code with what wrote them. An entry's seal is SHA-256 of its canonical bytes, and a group's hash is SHA-256 of
the hash before it and the seals of its entries (`docs/tamper-evidence.md`): one bit changed anywhere, a row missing, added
or moved shows, and is named.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.clock import Clock
from libs.common.contracts import ledger_books as contract
from libs.common.db import Connection, Database
from services.ledger import metrics
from services.ledger.integrity.commands.findings import count, write_down
from services.ledger.integrity.sql import findings, seals
from services.ledger.integrity.sql.findings import StoredFinding
from services.ledger.integrity.sql.seals import StoredChain

_BATCH_GROUPS = 50
"""Groups that are read at a time: at most 25,000 entries in memory."""

_FINDINGS_SHOWN = 100

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found."""

    groups: int
    """Groups that were recomputed."""
    entries: int
    """Entries that were recomputed."""
    findings: list[StoredFinding]
    """What cannot be."""
    left: int
    """Groups that were posted by then and are not recomputed."""
    heads: dict[int, str]
    """The hash of each chain's last recomputed group, in hexadecimal: whoever keeps it can show later whether all was rewritten."""


class Verifier:
    """Recomputes the chains and looks for broken invariants."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def go_on(self, *, groups_max: int) -> Report:
        """Recompute what was added since the last run, at most `groups_max` groups of each chain, and look at the balances.

        What is found is written down, counted and published once.
        """
        report = await self._run(groups_max=groups_max, anew=False)
        await self._publish(report)
        return report

    async def all(self) -> Report:
        """Recompute everything from the first group, in one snapshot, and read every posting."""
        return await self._run(groups_max=None, anew=True)

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

    async def _run(self, *, groups_max: int | None, anew: bool) -> Report:
        found: list[StoredFinding] = []
        groups = entries = 0
        heads: dict[int, str] = {}
        checked: list[StoredChain] = []
        async with self._database.connection() as connection:
            # One snapshot: what is posted meanwhile is seen by the next run, all of it or nothing.
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                for stored in await seals.chains(connection):
                    begin = stored
                    if anew:
                        begin = msgspec.structs.replace(stored, verified=0, verified_hash=bytes(32), entries=0)
                    walk = _Walk(connection, begin)
                    await walk.go(groups_max)
                    found += walk.findings
                    groups += walk.chain.verified - begin.verified
                    entries += walk.chain.entries - begin.entries
                    heads[stored.chain] = walk.chain.verified_hash.hex()
                    checked.append(walk.chain)
                found += await findings.broken_invariants(connection, thorough=anew)
                difference = await findings.trial_balance_difference(connection)
            metrics.TRIAL_BALANCE_DIFFERENCE.set(difference)
            if not anew:
                for chain in checked:
                    await seals.remember_check(connection, chain, at=self._clock.now())
        return Report(
            groups=groups,
            entries=entries,
            findings=found,
            heads=heads,
            left=sum(chain.sequence - chain.verified for chain in checked),
        )

    async def _publish(self, report: Report) -> None:
        now = self._clock.now()
        metrics.VERIFIED_ENTRIES.inc(report.entries)
        metrics.VERIFIER_LAG.set(report.left)
        metrics.VERIFIED_AT.set(now.timestamp())
        new: list[StoredFinding] = []
        if report.findings:
            async with self._database.transaction() as tx:
                new = await write_down(tx, report.findings, found_at=now)
        await count(self._database, new)


class _Walk:
    """One chain, group by group."""

    def __init__(self, connection: Connection, begin: StoredChain) -> None:
        self._connection = connection
        self.chain = begin
        self.findings: list[StoredFinding] = []

    async def go(self, groups_max: int | None) -> None:
        """Recompute up to `groups_max` groups, and compare the last one with the head."""
        left = groups_max
        while left is None or left > 0:
            groups = await seals.groups_after(
                self._connection, self.chain.chain, self.chain.verified, limit=min(_BATCH_GROUPS, left or _BATCH_GROUPS)
            )
            if not groups:
                break
            await self._batch(groups)
            if left is not None:
                left -= len(groups)
        if left is None or left > 0:
            self._compare_head()

    async def _batch(self, groups: Sequence[asyncpg.Record]) -> None:
        entries = await seals.entries_of(
            self._connection, self.chain.chain, after=self.chain.verified, until=groups[-1]["sequence"]
        )
        lines: dict[tuple[str, UUID], list[asyncpg.Record]] = defaultdict(list)
        for line in await seals.postings_of(self._connection, [entry["id"] for entry in entries]):
            lines[line["tenant_id"], line["entry_id"]].append(line)
        of_group: dict[int, list[asyncpg.Record]] = defaultdict(list)
        for entry in entries:
            of_group[entry["sequence"]].append(entry)
        for group in groups:
            self._group(group, of_group.pop(group["sequence"], []), lines)
        for sequence, strangers in of_group.items():
            for stranger in strangers:
                self._found(
                    "entry_of_group", stranger["id"], f"the entry names group {sequence}, which is not there", stranger
                )

    def _group(
        self,
        group: asyncpg.Record,
        entries: Sequence[asyncpg.Record],
        lines: dict[tuple[str, UUID], list[asyncpg.Record]],
    ) -> None:
        sequence = group["sequence"]
        for missing in range(self.chain.verified + 1, sequence):
            self._found("group_linked", f"{self.chain.chain}/{missing}", "the group is missing from its chain")
        name = f"{self.chain.chain}/{sequence}"
        sound = self._positions(group, entries, name)
        seals = []
        for entry in entries:
            seal = sha256(_canonical(entry, lines[entry["tenant_id"], entry["id"]])).digest()
            if seal != entry["seal"]:
                sound = False
                self._found(
                    "entry_sealed", entry["id"], "the entry or one of its postings is not as it was sealed", entry
                )
            seals.append(entry["seal"])
        expected = sha256(
            group["previous"]
            + self.chain.chain.to_bytes(2, signed=True)
            + sequence.to_bytes(8, signed=True)
            + group["entry_count"].to_bytes(4, signed=True)
            + b"".join(seals)
        ).digest()
        if sequence == self.chain.verified + 1 and group["previous"] != self.chain.verified_hash:
            self._found("group_linked", name, "the group does not follow from the one before it")
        elif expected != group["hash"] and sound:
            self._found("group_linked", name, "the group's entries do not give its hash: it or they were rewritten")
        self.chain = msgspec.structs.replace(
            self.chain,
            verified=sequence,
            verified_hash=group["hash"],
            entries=self.chain.entries + len(entries),
        )

    def _positions(self, group: asyncpg.Record, entries: Sequence[asyncpg.Record], name: str) -> bool:
        """Compare the positions of a group's entries with 1, 2, 3 and so on up to its number of entries."""
        sound = True
        positions = [entry["position"] for entry in entries]
        for position in sorted(set(range(1, group["entry_count"] + 1)) - set(positions)):
            sound = False
            self._found("entry_missing", f"{name}/{position}", "the entry at this position of the group is missing")
        for before, entry in zip([None, *entries], entries, strict=False):
            doubled = before is not None and before["position"] == entry["position"]
            if doubled or not 1 <= entry["position"] <= group["entry_count"]:
                sound = False
                self._found("entry_inserted", entry["id"], f"the entry was added to group {name}", entry)
            elif before is not None and before["posted_at"] >= entry["posted_at"]:
                sound = False
                self._found("entry_moved", entry["id"], f"the entry is not at its place in group {name}", entry)
        return sound

    def _compare_head(self) -> None:
        chain = self.chain
        if (chain.verified, chain.verified_hash) != (chain.sequence, chain.hash):
            self._found(
                "group_linked",
                f"{chain.chain}/head",
                f"the chain ends at group {chain.verified}, not as its head has it",
            )

    def _found(self, invariant: str, subject: object, detail: str, entry: asyncpg.Record | None = None) -> None:
        tenant_id = "" if entry is None else entry["tenant_id"]
        self.findings.append(
            StoredFinding(invariant=invariant, tenant_id=tenant_id, subject=str(subject), detail=detail)
        )


def _canonical(entry: asyncpg.Record, lines: Sequence[asyncpg.Record]) -> bytes:
    """Write an entry and its postings in canonical bytes, from the rows alone."""
    out = bytearray()
    for word in (entry["tenant_id"].encode(), entry["id"], entry["kind"].encode()):
        if isinstance(word, bytes):
            out += len(word).to_bytes(2) + word
        else:
            out += word.bytes
    for link in (entry["payment_intent_id"], entry["source_event_id"], entry["reverses"]):
        out += b"\x00" if link is None else b"\x01" + link.bytes
    for instant in (entry["occurred_at"], entry["effective_at"], entry["posted_at"]):
        out += _number(_count_microseconds(instant))
    out += entry["digest"] + entry["line_count"].to_bytes(2)
    for line in lines:
        out += line["account_id"].bytes + line["currency"].encode() + line["side"].encode()[:1]
        for name in ("amount_minor", "version", "debits_after_minor", "credits_after_minor"):
            out += _number(line[name])
        # Where a line repeats what its entry has, a difference is a change as well.
        if line["posted_at"] != entry["posted_at"] or line["effective_at"] != entry["effective_at"]:
            out += b"not as its entry has it"
    return bytes(out)


def _number(value: int) -> bytes:
    return value.to_bytes(8, signed=True)


def _count_microseconds(instant: Any) -> int:
    passed = instant - _ZERO
    return int(passed.days * 86_400_000_000 + passed.seconds * 1_000_000 + passed.microseconds)
