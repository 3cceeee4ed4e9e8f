"""Verifying an export of sealed changes without the database: seals, links and signatures.

    python -m services.api.integrity.commands.offline FILE [--keys PUBLIC_KEYS.pem] [--heads HEADS_FILE]

`--keys` has the public keys that are trusted: without them no signature proves anything. `--heads` is the file that the
platform appends to: what it has must be in the export. Ends with 1 when anything is wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.common.evidence import Signed, SignedChain
from libs.common.evidence.offline import UNREADABLE, verify_export
from services.api.integrity.domain import Change, Head, Walk, read_heads


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A change, its bytes in hexadecimal."""

    tenant_id: str
    sequence: int
    subject: str
    key: str
    action: str
    content: str
    changed_by: str
    changed_at: datetime
    seal: str
    previous: str
    hash: str


class ExportLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: which of these it has."""

    export: str = ""
    change: ChangeLine | None = None
    heads: Signed | None = None


_line = msgspec.json.Decoder(ExportLine)


class ExportVerifier:
    """Reads an export line by line; what is wrong is collected as sentences."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey], kept: Sequence[Signed] = ()) -> None:
        self.faults: list[str] = []
        self.changes = self.statements = 0
        self._has_keys = bool(keys)
        self._signed = SignedChain(keys, read=read_heads, in_file=kept)
        self._walks: dict[str, Walk] = {}
        self._hashes: dict[str, dict[int, str]] = defaultdict(dict)

    def read(self, lines: Iterable[bytes]) -> None:
        """Read all lines, and then what only the whole shows."""
        for number, raw in enumerate(lines, start=1):
            try:
                self._line(_line.decode(raw))
            except UNREADABLE as fault:
                self.faults.append(f"line {number} cannot be read: {fault}")
        for walk in self._walks.values():
            self.faults += [
                f"tenant {walk.tenant_id or '-'}, {found.subject}: {found.detail}" for found in walk.findings
            ]
        for missing in self._signed.only_in_file():
            self.faults.append(f"heads {missing}: the statement is in the file of heads, and not in the export")
        if self._has_keys and not (self.statements and self._signed.is_trusted):
            self.faults.append("no known key has signed the last statement, or there is none")

    def count(self) -> str:
        """Say how much was read."""
        return f"{self.changes:,} changes, {self.statements:,} signed statements"

    def _line(self, line: ExportLine) -> None:
        if line.change is not None:
            self._change(_change(line.change))
        elif line.heads is not None:
            self._heads(line.heads)

    def _change(self, change: Change) -> None:
        self.changes += 1
        self._walks.setdefault(change.tenant_id, Walk(change.tenant_id)).add(change)
        self._hashes[change.tenant_id][change.sequence] = change.hash.hex()

    def _heads(self, signed: Signed) -> None:
        self.statements += 1
        name = f"heads {signed.number}"
        self.faults += [f"{name}: {fault}" for fault in self._signed.faults(signed)]
        try:
            heads = read_heads(signed.statement).heads
        except msgspec.DecodeError:
            return
        self.faults += [
            f"{name}: change {head.sequence} of tenant {head.tenant_id or '-'} is not there as it was signed"
            for head in heads
            if not self._is_there(head)
        ]

    def _is_there(self, head: Head) -> bool:
        return self._hashes[head.tenant_id].get(head.sequence) == head.hash


def _change(line: ChangeLine) -> Change:
    bytes_of = {name: bytes.fromhex(getattr(line, name)) for name in ("seal", "previous", "hash")}
    return Change(**(msgspec.structs.asdict(line) | bytes_of))


def main() -> None:
    """Verify an export, and print what is wrong with it."""
    verify_export(__doc__, ExportVerifier)


if __name__ == "__main__":
    main()
