"""Exports that somebody has written: each line is judged, none ends the verification, and none takes the memory of the machine."""

import json
from typing import Any

import pytest

from services.api.integrity.commands.offline import ExportVerifier as ChangesVerifier
from services.ledger.integrity.commands.offline import ExportVerifier as BooksVerifier

pytestmark = pytest.mark.unit

ZEROS = "0" * 64
DEEP = "[" * 200_000
CHANGE = {
    "tenant_id": "t",
    "sequence": 1,
    "subject": "users",
    "key": "[]",
    "action": "INSERT",
    "content": "{}",
    "changed_by": "api_app",
    "changed_at": "2026-11-22T12:00:00Z",
    "seal": ZEROS,
    "previous": ZEROS,
    "hash": ZEROS,
}
GROUP = {"chain": 0, "sequence": 1, "previous": ZEROS, "hash": ZEROS, "entry_count": 1, "change_count": 1}
HEADS = {"number": 1, "statement": DEEP, "signatures": {"k": "no base64"}}


def written(**members: Any) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"\xff",
        DEEP.encode(),
        written(change=CHANGE | {"seal": "no digits"}),
        written(change=CHANGE | {"sequence": 10**400}),
        written(change=CHANGE | {"sequence": 2**63}),
        written(change=CHANGE | {"changed_at": "0001-01-01T00:00:00+14:00"}),
        written(heads=HEADS),
        written(heads=HEADS | {"number": 2**64}),
    ],
    ids=["bytes", "deep", "digits", "huge", "long", "instant", "deep statement", "number"],
)
def test_each_line_of_changes_is_judged(line: bytes) -> None:
    verifier = ChangesVerifier({})
    verifier.read([line, written(change=CHANGE)])
    assert len(verifier.faults) >= 2
    assert verifier.changes >= 1


@pytest.mark.parametrize(
    "line",
    [
        b"\xff",
        DEEP.encode(),
        written(group=GROUP | {"previous": "no digits"}),
        written(group=GROUP | {"entry_count": 10**12}),
        written(group=GROUP | {"chain": 10**9}),
        written(group=GROUP | {"sequence": 2**64}),
        written(changes=GROUP | {"change_count": -1}),
        written(heads=HEADS),
    ],
    ids=["bytes", "deep", "digits", "count", "chain", "sequence", "negative", "deep statement"],
)
def test_each_line_of_books_is_judged(line: bytes) -> None:
    verifier = BooksVerifier({})
    verifier.read([line, written(group=GROUP)])
    assert len(verifier.faults) >= 2
