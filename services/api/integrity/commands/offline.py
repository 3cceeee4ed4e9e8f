"""Verifying an export of sealed changes without the database: seals, links and signatures.

    python -m services.api.integrity.commands.offline FILE [--keys PUBLIC_KEYS.pem] [--heads HEADS_FILE]

`--keys` has the public keys that are trusted: without them no signature proves anything. `--heads` is the file that the
platform appends to: what it has must be in the export. Ends with 1 when anything is wrong.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.common.evidence import HeadsRead, Signed, SignedChain, read_file, read_public_keys
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
        self._signed = SignedChain(keys, read=read_heads)
        self._kept = {signed.number: signed for signed in kept}
        self._walks: dict[str, Walk] = {}
        self._hashes: dict[str, dict[int, str]] = defaultdict(dict)

    def read(self, lines: Iterable[bytes]) -> None:
        """Read all lines, and then what only the whole shows."""
        for number, raw in enumerate(lines, start=1):
            try:
                line = _line.decode(raw)
                change = None if line.change is None else _change(line.change)
            except (msgspec.DecodeError, ValueError) as fault:
                self.faults.append(f"line {number} cannot be read: {fault}")
                continue
            if change is not None:
                self._change(change)
            elif line.heads is not None:
                self._heads(line.heads)
        for walk in self._walks.values():
            self.faults += [
                f"tenant {walk.tenant_id or '-'}, {found.subject}: {found.detail}" for found in walk.findings
            ]
        for missing in sorted(self._kept):
            self.faults.append(f"heads {missing}: the statement is in the file of heads, and not in the export")
        if self._has_keys and not (self.statements and self._signed.is_trusted):
            self.faults.append("no known key has signed the last statement, or there is none")

    def _change(self, change: Change) -> None:
        self.changes += 1
        self._walks.setdefault(change.tenant_id, Walk(change.tenant_id)).add(change)
        self._hashes[change.tenant_id][change.sequence] = change.hash.hex()

    def _heads(self, signed: Signed) -> None:
        self.statements += 1
        name = f"heads {signed.number}"
        self.faults += [f"{name}: {fault}" for fault in self._signed.faults(signed)]
        if self._kept.pop(signed.number, signed).statement != signed.statement:
            self.faults.append(f"{name}: the file of heads has another statement")
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the export")
    parser.add_argument("--keys", type=Path, help="the public keys that are trusted, in PEM")
    parser.add_argument("--heads", type=Path, help="the file of signed heads")
    options = parser.parse_args()
    keys = read_public_keys(options.keys.read_text()) if options.keys else {}
    kept = read_file(options.heads) if options.heads else HeadsRead(statements=[], faults=[])
    verifier = ExportVerifier(keys, kept.statements)
    verifier.faults += [f"heads: {fault}" for fault in kept.faults]
    with options.file.open("rb") as lines:
        verifier.read(lines)
    for fault in verifier.faults:
        print(fault)  # noqa: T201 - its output
    trust = "signatures by known keys" if keys else "SIGNATURES NOT CHECKED: no --keys"
    print(  # noqa: T201 - its output
        f"{verifier.changes:,} changes, {verifier.statements:,} signed statements ({trust}): {len(verifier.faults)} faults"
    )
    if verifier.faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
