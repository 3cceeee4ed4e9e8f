"""Recomputing a chain, so many entries at a time: every seal and every link, from the rows as they lie.

It shares no code with what wrote them. An entry's seal is SHA-256 of its canonical bytes, and a group's hash is SHA-256 of
the hash before it and the seals of its entries (`docs/tamper-evidence.md`): one bit changed anywhere, a row missing, added
or moved shows, and is named.
"""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

import asyncpg
import msgspec

from libs.common.db import Connection
from services.ledger.integrity.sql import seals
from services.ledger.integrity.sql.findings import StoredFinding
from services.ledger.integrity.sql.seals import StoredChain

BATCH_ENTRIES = 2_000
"""Entries that are read at a time, or one group if it has more: two megabytes, and a tenth of a second."""


class Walk:
    """One chain, batch by batch, up to the head that it had at the beginning."""

    def __init__(self, begin: StoredChain) -> None:
        self.chain = begin
        self.findings: list[StoredFinding] = []
        self.groups = 0
        """Groups that were recomputed."""
        self.entries = 0
        """Entries that were recomputed."""

    async def batch(self, connection: Connection, *, entries_max: int = BATCH_ENTRIES) -> bool:
        """Recompute the next groups; returns whether there may be more. At the end the last one is compared with the head."""
        groups = await seals.groups_after(connection, self.chain, entries_max=entries_max)
        if groups:
            entries = await seals.entries_of(
                connection, self.chain.chain, after=self.chain.verified, until=groups[-1]["sequence"]
            )
            self._recompute(groups, entries)
        if groups and self.chain.verified < self.chain.sequence:
            return True
        self._compare_head()
        return False

    def _recompute(self, groups: Sequence[asyncpg.Record], entries: Sequence[asyncpg.Record]) -> None:
        of_group: dict[int, list[asyncpg.Record]] = defaultdict(list)
        for entry in entries:
            of_group[entry["sequence"]].append(entry)
        for group in groups:
            self._group(group, of_group.pop(group["sequence"], []))
        for sequence, strangers in of_group.items():
            for stranger in strangers:
                self._found(
                    "entry_of_group", stranger["id"], f"the entry names group {sequence}, which is not there", stranger
                )

    def _group(self, group: asyncpg.Record, entries: Sequence[asyncpg.Record]) -> None:
        sequence = group["sequence"]
        if sequence > self.chain.verified + 1:
            missing = f"{self.chain.chain}/{self.chain.verified + 1}"
            self._found("group_linked", missing, f"the groups from here to {sequence - 1} are missing from their chain")
        name = f"{self.chain.chain}/{sequence}"
        sound = self._positions(group, entries, name)
        for entry in entries:
            if sha256(entry["canonical"] or b"").digest() != entry["seal"]:
                sound = False
                self._found(
                    "entry_sealed", entry["id"], "the entry or one of its postings is not as it was sealed", entry
                )
        expected = sha256(
            group["previous"]
            + self.chain.chain.to_bytes(2, signed=True)
            + sequence.to_bytes(8, signed=True)
            + group["entry_count"].to_bytes(4, signed=True)
            + b"".join(entry["seal"] for entry in entries)
        ).digest()
        if sequence == self.chain.verified + 1 and group["previous"] != self.chain.verified_hash:
            self._found("group_linked", name, "the group does not follow from the one before it")
        elif expected != group["hash"] and sound:
            self._found("group_linked", name, "the group's entries do not give its hash: it or they were rewritten")
        self.groups += 1
        self.entries += len(entries)
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
        if positions == list(range(1, len(entries) + 1)) and len(entries) == group["entry_count"]:
            missing: list[int] = []
        else:
            # A number of entries that was made enormous names no more places than are looked through here.
            last = min(group["entry_count"], len(entries) + _MISSING_MAX)
            missing = sorted(set(range(1, last + 1)) - set(positions))
        for position in missing:
            sound = False
            self._found("entry_missing", f"{name}/{position}", "the entry at this position of the group is missing")
        for before, entry in zip([None, *entries], entries, strict=False):
            doubled = before is not None and before["position"] == entry["position"]
            if doubled or not 1 <= entry["position"] <= group["entry_count"]:
                sound = False
                self._found("entry_inserted", entry["id"], f"the entry was added to group {name}", entry)
            elif entry["is_before_last"]:
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


_MISSING_MAX = 1_000
"""Missing entries of one group that are named at most."""
