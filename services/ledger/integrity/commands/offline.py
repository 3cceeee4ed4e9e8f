"""Verifying an export of the books without the database: seals, chains, signatures, and that debits equal credits.

    python -m services.ledger.integrity.commands.offline FILE [--keys PUBLIC_KEYS.pem] [--heads HEADS_FILE]

`--keys` has the public keys that are trusted: without them no signature proves anything. `--heads` is the file that the
platform appends to: what it has must be in the export. Ends with 1 when anything is wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.common.evidence import ZERO_HASH, Signed, SignedChain
from libs.common.evidence.offline import UNREADABLE, verify_export
from services.ledger.integrity.domain import Head, change_seal, entry_seal, group_hash, read_heads


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A posting."""

    tenant_id: str
    entry_id: UUID
    line_no: int
    account_id: UUID
    currency: str
    version: int
    side: str
    amount_minor: int
    debits_after_minor: int
    credits_after_minor: int
    posted_at: datetime
    effective_at: datetime


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A journal entry with its postings."""

    tenant_id: str
    id: UUID
    kind: str
    payment_intent_id: UUID | None
    line_count: int
    occurred_at: datetime
    effective_at: datetime
    posted_at: datetime
    source_event_id: UUID | None
    reverses: UUID | None
    digest: str
    sequence: int
    position: int
    seal: str
    lines: list[Line]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a row."""

    sequence: int
    position: int
    subject: str
    tenant_id: str
    key: str
    action: str
    content: str
    changed_at: datetime
    seal: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A link of a chain."""

    chain: int
    sequence: int
    previous: str
    hash: str
    entry_count: int = 0
    change_count: int = 0


class ExportLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: which of these it has."""

    export: str = ""
    group: Group | None = None
    entries: list[Entry] = []
    changes: Group | None = None
    rows: list[Change] = []
    heads: Signed | None = None


_line = msgspec.json.Decoder(ExportLine)


class ExportVerifier:
    """Reads an export line by line; what is wrong is collected as sentences."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey], kept: Sequence[Signed] = ()) -> None:
        self.faults: list[str] = []
        self.entries = self.changes = self.statements = 0
        self._has_keys = bool(keys)
        self._signed = SignedChain(keys, read=read_heads, in_file=kept)
        self._hashes: dict[tuple[str, int], list[str]] = defaultdict(list)
        self._sums: dict[tuple[str, str], int] = defaultdict(int)

    def read(self, lines: Iterable[bytes]) -> None:
        """Read all lines, and then what only the whole shows."""
        for number, raw in enumerate(lines, start=1):
            try:
                self._line(_line.decode(raw))
            except UNREADABLE as fault:
                self.faults.append(f"line {number} cannot be read: {fault}")
        for (tenant_id, currency), sum_minor in self._sums.items():
            if sum_minor:
                self.faults.append(f"debits and credits of {tenant_id} in {currency} differ by {sum_minor} minor units")
        for missing in self._signed.only_in_file():
            self.faults.append(f"heads {missing}: the statement is in the file of heads, and not in the export")
        if self._has_keys and not (self.statements and self._signed.is_trusted):
            self.faults.append("no known key has signed the last statement, or there is none")

    def count(self) -> str:
        """Say how much was read."""
        return f"{self.entries:,} entries, {self.changes:,} changes, {self.statements:,} signed statements"

    def _line(self, line: ExportLine) -> None:
        if line.group is not None:
            self._entries(line.group, line.entries)
        elif line.changes is not None:
            self._changes(line.changes, line.rows)
        elif line.heads is not None:
            self._heads(line.heads)

    def _entries(self, group: Group, entries: Sequence[Entry]) -> None:
        name = f"group {group.chain}/{group.sequence}"
        seals = []
        for entry in entries:
            self.entries += 1
            row = msgspec.structs.asdict(entry) | {"digest": bytes.fromhex(entry.digest)}
            if entry_seal(row, [msgspec.structs.asdict(line) for line in entry.lines]).hex() != entry.seal:
                self.faults.append(f"{name}: the entry {entry.id} is not as it was sealed")
            sums: dict[str, int] = defaultdict(int)
            for line in entry.lines:
                sums[line.currency] += line.amount_minor if line.side == "DEBIT" else -line.amount_minor
            for currency, sum_minor in sums.items():
                self._sums[entry.tenant_id, currency] += sum_minor
            seals.append(entry.seal)
        self._link("entries", name, group, [entry.position for entry in entries], seals, count=group.entry_count)

    def _changes(self, group: Group, rows: Sequence[Change]) -> None:
        name = f"group {group.chain}/{group.sequence} of changes"
        for change in rows:
            self.changes += 1
            if change_seal(msgspec.structs.asdict(change)).hex() != change.seal:
                self.faults.append(f"{name}: the change of {change.subject} {change.key} is not as it was sealed")
        seals = [change.seal for change in rows]
        self._link("changes", name, group, [change.position for change in rows], seals, count=group.change_count)

    def _link(
        self, what: str, name: str, group: Group, positions: Sequence[int], seals: Sequence[str], *, count: int
    ) -> None:
        hashes = self._hashes[what, group.chain]
        previous = hashes[-1] if hashes else ZERO_HASH.hex()
        if group.sequence != len(hashes) + 1 or group.previous != previous:
            self.faults.append(f"{name}: the group does not follow from the one before it")
        if len(positions) != count or list(positions) != list(range(1, count + 1)):
            self.faults.append(f"{name}: something of the group is missing, or was added")
        expected = group_hash(
            previous=bytes.fromhex(group.previous),
            chain=group.chain,
            sequence=group.sequence,
            count=count,
            seals=[bytes.fromhex(seal) for seal in seals],
        )
        if expected.hex() != group.hash:
            self.faults.append(f"{name}: what is in the group does not give its hash")
        hashes.append(group.hash)

    def _heads(self, signed: Signed) -> None:
        self.statements += 1
        name = f"heads {signed.number}"
        self.faults += [f"{name}: {fault}" for fault in self._signed.faults(signed)]
        try:
            heads = read_heads(signed.statement)
        except msgspec.DecodeError:
            return
        for what, ended in (("entries", heads.entries), ("changes", heads.changes)):
            for head in ended:
                if not self._is_there(what, head):
                    self.faults.append(
                        f"{name}: group {head.chain}/{head.sequence} of {what} is not there as it was signed"
                    )

    def _is_there(self, what: str, head: Head) -> bool:
        hashes = self._hashes[what, head.chain]
        if head.sequence == 0:
            return head.hash == ZERO_HASH.hex()
        return head.sequence <= len(hashes) and hashes[head.sequence - 1] == head.hash


def main() -> None:
    """Verify an export, and print what is wrong with it."""
    verify_export(__doc__, ExportVerifier)


if __name__ == "__main__":
    main()
