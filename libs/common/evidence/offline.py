"""The command that verifies an export without the database: its arguments, and what it prints."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.common.evidence.heads_file import HeadsRead, read_file
from libs.common.evidence.keys import read_public_keys
from libs.common.evidence.statements import Signed

UNREADABLE = (ValueError, OverflowError, RecursionError)
"""What a line of an export may raise that somebody has written: no JSON or hexadecimal digits, numbers beyond those of a database,
an instant of no year, or nested without end."""


class ExportVerifier(Protocol):
    """Reads an export."""

    faults: list[str]
    """What is wrong, as sentences."""

    def read(self, lines: Iterable[bytes]) -> None:
        """Read all lines."""
        ...

    def count(self) -> str:
        """Say how much was read."""
        ...


def verify_export(
    description: str | None, make: Callable[[Mapping[str, Ed25519PublicKey], Sequence[Signed]], ExportVerifier]
) -> None:
    """Verify the export that the command line names, and print what is wrong with it.

    Args:
        description: of the command.
        make: makes what reads the export, of the public keys that are trusted and what the file of heads has.

    Raises:
        SystemExit: with 1 when anything is wrong.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the export")
    parser.add_argument("--keys", type=Path, help="the public keys that are trusted, in PEM")
    parser.add_argument("--heads", type=Path, help="the file of signed heads")
    options = parser.parse_args()
    keys = read_public_keys(options.keys.read_text()) if options.keys else {}
    kept = read_file(options.heads) if options.heads else HeadsRead()
    verifier = make(keys, kept.statements)
    verifier.faults += [f"heads: {fault}" for fault in kept.faults]
    with options.file.open("rb") as lines:
        verifier.read(lines)
    for fault in verifier.faults:
        print(fault)  # noqa: T201 - its output
    trust = "signatures by known keys" if keys else "SIGNATURES NOT CHECKED: no --keys"
    print(f"{verifier.count()} ({trust}): {len(verifier.faults)} faults")  # noqa: T201 - its output
    if verifier.faults:
        raise SystemExit(1)
