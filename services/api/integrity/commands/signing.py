"""Signing where the chains of changes end, once a minute by one process, and comparing what was signed with what lies there."""

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
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.integrity.domain import Finding, Heads, read_heads, write_heads
from services.api.integrity.sql import heads as sql

log = get_logger("api.integrity")

HEADS_MAX = 1_000
"""Chains in one statement at most; of more that have moved there are several statements, one after the other."""
_STATEMENTS_MAX = 20
"""Statements of one round at most."""
_EVERY = timedelta(seconds=50)
"""The least time between two rounds: of several processes that look once a minute, one signs."""
_QUIET = timedelta(hours=1)
"""How long nothing is signed where nothing has changed."""
_FINDINGS_MAX = 100


class HeadSigner:
    """Signs where the chains end that have moved, and appends what was signed to a file."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        keys: Sequence[Ed25519PrivateKey],
        file: Path | None,
        heads_max: int = HEADS_MAX,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = {key_id(key.public_key()): key for key in keys}
        self._file = None if file is None else HeadsFile(database, file)
        self._heads_max = heads_max

    async def sign(self) -> list[Signed]:
        """Sign what has moved, unless another process does, or has within the last minute."""
        signed: list[Signed] = []
        while len(signed) < _STATEMENTS_MAX:
            async with self._database.transaction() as tx:
                statement, is_last = await self._sign(tx, is_next=bool(signed))
            if statement is None:
                break
            signed.append(statement)
            if is_last:
                break
        for statement in signed:
            # Where logs are collected, whoever can write to the database cannot take it back.
            log.info("heads.signed", number=statement.number, sha256=statement.sha256, signatures=statement.signatures)
        if signed:
            metrics.HEADS_SIGNED_AT.set(self._clock.now().timestamp())
        if self._file is not None:
            await self._file.follow(is_signed=bool(signed))
        return signed

    async def _sign(self, tx: Connection, *, is_next: bool) -> tuple[Signed | None, bool]:
        if not await sql.lead(tx):
            return None, True
        now = self._clock.now()
        last = await last_signed(tx)
        moved = await sql.moved_heads(tx, limit=self._heads_max)
        # One that was signed by a clock ahead of ours keeps nobody from signing.
        if last is not None and not is_next and timedelta(0) <= now - last[1] < (_EVERY if moved else _QUIET):
            return None, True
        number = 1 if last is None else last[0].number + 1
        previous = ZERO_HASH.hex() if last is None else last[0].sha256
        statement = write_heads(Heads(number=number, at=now, previous=previous, heads=moved))
        signed = signed_by(self._keys, number=number, statement=statement)
        await write_signed(tx, signed, at=now)
        await sql.remember_signed(tx, moved, number=number)
        return signed, len(moved) < self._heads_max


async def check_ends(connection: Connection) -> list[Finding]:
    """Look for the changes that were signed last of each chain."""
    ends = await sql.ends_not_as_signed(connection, limit=_FINDINGS_MAX)
    return [_not_there(number, tenant_id, sequence) for tenant_id, sequence, number in ends]


async def read_kept(file: Path | None) -> HeadsRead:
    """Read the file of heads: before the snapshot that it is compared with, since statements are appended meanwhile."""
    return HeadsRead() if file is None else await asyncio.to_thread(read_file, file)


async def check_heads(
    connection: Connection, *, keys: Mapping[str, Ed25519PublicKey], read: HeadsRead
) -> list[Finding]:
    """Compare all that was signed with the chains as they lie, and with the file."""
    found = [_finding("heads file", fault) for fault in read.faults]
    chain = SignedChain(keys, read=read_heads, in_file=read.statements)
    ends: dict[str, tuple[int, str, int]] = {}
    number = 0
    async for signed in all_signed(connection):
        number = signed.number
        name = f"heads {number}"
        found += [_finding(name, fault) for fault in chain.faults(signed)]
        try:
            heads = read_heads(signed.statement).heads
        except msgspec.DecodeError:
            continue
        ends |= {head.tenant_id: (head.sequence, head.hash, number) for head in heads}
        for tenant_id, sequence in await sql.not_as_signed(connection, heads):
            found.append(_not_there(number, tenant_id, sequence))
    found += [
        _finding(f"heads {missing}", "the statement is in the file, and not in the database")
        for missing in chain.only_in_file()
    ]
    kept = await sql.signed_ends(connection)
    for tenant_id in sorted(ends.keys() | kept.keys()):
        if ends.get(tenant_id) != kept.get(tenant_id):
            detail = "what `signed_ends` has is not what was signed last of the chain"
            found.append(Finding(invariant="heads_signed", tenant_id=tenant_id, subject="ends", detail=detail))
    if keys and number and not chain.is_trusted:
        found.append(_finding(f"heads {number}", "no known key has signed the last statement"))
    return found


def _not_there(number: int, tenant_id: str, sequence: int) -> Finding:
    detail = f"change {sequence} is not there as it was signed"
    return Finding(invariant="heads_signed", tenant_id=tenant_id, subject=f"heads {number}", detail=detail)


def _finding(subject: str, detail: str) -> Finding:
    return Finding(invariant="heads_signed", tenant_id="", subject=subject, detail=detail)
