"""Signing where the chains end, once a minute by one process, and comparing what was signed with what lies in the tables.

Whoever can rewrite the whole database can rewrite chains and heads, and cannot sign them. What was signed is published, and
written to a file that may lie where the database's administrators have no access.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from libs.common.clock import Clock
from libs.common.db import Connection, Database
from libs.common.evidence import (
    ZERO_HASH,
    HeadsFile,
    HeadsRead,
    Signed,
    SignedChain,
    all_signed,
    key_id,
    last_signed,
    read_file,
    signed_by,
    write_signed,
)
from libs.common.messaging import publish
from services.ledger import metrics, outbox
from services.ledger.integrity.domain import Head, Heads, read_heads, write_heads
from services.ledger.integrity.sql import heads as sql
from services.ledger.integrity.sql.findings import StoredFinding

_EVERY = timedelta(seconds=50)
"""The least time between two statements: of several processes that look once a minute, one signs."""
_QUIET = timedelta(hours=1)
"""How long nothing is signed where nothing has changed."""


class HeadSigner:
    """Signs where the chains end, and appends what was signed to a file."""

    def __init__(
        self, database: Database, *, clock: Clock, keys: Sequence[Ed25519PrivateKey], file: Path | None
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = {key_id(key.public_key()): key for key in keys}
        self._file = None if file is None else HeadsFile(database, file)

    async def sign(self) -> Signed | None:
        """Sign where the chains end now, unless another process does, or has within the last minute."""
        async with self._database.transaction() as tx:
            signed = await self._sign(tx)
        if signed is not None:
            metrics.HEADS_SIGNED_AT.set(self._clock.now().timestamp())
        if self._file is not None:
            await self._file.follow(is_signed=signed is not None)
        return signed

    async def _sign(self, tx: Connection) -> Signed | None:
        if not await sql.lead(tx):
            return None
        now = self._clock.now()
        last = await last_signed(tx)
        entries, changes = await sql.ends(tx)
        if last is not None:
            is_same = _ends_of(last[0]) == (entries, changes)
            # One that was signed by a clock ahead of ours keeps nobody from signing.
            if timedelta(0) <= now - last[1] < (_QUIET if is_same else _EVERY):
                return None
        number = 1 if last is None else last[0].number + 1
        statement = write_heads(
            Heads(
                number=number,
                at=now,
                previous=ZERO_HASH.hex() if last is None else last[0].sha256,
                entries=entries,
                changes=changes,
            )
        )
        signed = signed_by(self._keys, number=number, statement=statement)
        await write_signed(tx, signed, at=now)
        await publish(
            tx, [outbox.heads_signed(number, statement=statement, signatures=signed.signatures, signed_at=now)]
        )
        return signed


def _ends_of(signed: Signed) -> tuple[list[Head], list[Head]] | None:
    """Return where the chains ended; None where somebody has written over the statement, which keeps nobody from signing."""
    try:
        heads = read_heads(signed.statement)
    except msgspec.DecodeError:
        return None
    return heads.entries, heads.changes


async def check_last(connection: Connection) -> list[StoredFinding]:
    """Compare what was signed last with the chains as they lie."""
    last = await last_signed(connection)
    return [] if last is None else await _not_as_signed(connection, last[0])


async def read_kept(file: Path | None) -> HeadsRead:
    """Read the file of heads: before the snapshot that it is compared with, since statements are appended meanwhile."""
    return HeadsRead() if file is None else await asyncio.to_thread(read_file, file)


async def check_heads(
    connection: Connection, *, keys: Mapping[str, Ed25519PublicKey], read: HeadsRead
) -> list[StoredFinding]:
    """Compare all that was signed with the chains as they lie, and with the file."""
    found = [_finding("heads file", fault) for fault in read.faults]
    chain = SignedChain(keys, read=read_heads, in_file=read.statements)
    number = 0
    async for signed in all_signed(connection):
        number = signed.number
        found += [_finding(f"heads {number}", fault) for fault in chain.faults(signed)]
        found += await _not_as_signed(connection, signed)
    found += [
        _finding(f"heads {missing}", "the statement is in the file, and not in the database")
        for missing in chain.only_in_file()
    ]
    if keys and number and not chain.is_trusted:
        found.append(_finding(f"heads {number}", "no known key has signed the last statement"))
    return found


async def _not_as_signed(connection: Connection, signed: Signed) -> list[StoredFinding]:
    name = f"heads {signed.number}"
    try:
        heads = read_heads(signed.statement)
    except msgspec.DecodeError:
        return [_finding(name, "the statement cannot be read")]
    entries, changes = await sql.not_as_signed(connection, heads.entries, heads.changes)
    return [
        *(_finding(name, f"group {chain}/{sequence} is not there as it was signed") for chain, sequence in entries),
        *(
            _finding(name, f"group {chain}/{sequence} of changes is not there as it was signed")
            for chain, sequence in changes
        ),
    ]


def _finding(subject: str, detail: str) -> StoredFinding:
    return StoredFinding(invariant="heads_signed", tenant_id="", subject=subject, detail=detail)
