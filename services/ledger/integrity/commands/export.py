"""Exporting the books with all that proves them: a line of JSON for each group, change and signed statement.

What is written is what lies in the tables, in one snapshot; whoever has the file verifies it without the database
(`services.ledger.integrity.commands.offline`).
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Database
from libs.common.evidence import all_signed
from services.ledger.integrity.sql import changes, exporting, seals

VERSION = "ledger.export.v1"
_BATCH_GROUPS = 20
_BATCH = 500

_encoder = msgspec.json.Encoder()


async def export_books(database: Database) -> AsyncIterator[bytes]:
    """Yield the lines of an export, each with its line feed."""
    async with database.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield _line({"export": VERSION})
        for chain in await seals.chains(connection):
            async for line in _entries(connection, chain.chain):
                yield line
        for ended in await changes.change_chains(connection):
            async for line in _changes(connection, ended.chain):
                yield line
        async for signed in all_signed(connection):
            yield _line({"heads": signed})


async def _entries(connection: Connection, chain: int) -> AsyncIterator[bytes]:
    after = 0
    while groups := await exporting.groups_after(connection, chain, after, limit=_BATCH_GROUPS):
        until = groups[-1]["sequence"]
        entries = await exporting.entries_of(connection, chain, after=after, until=until)
        lines: dict[tuple[str, UUID], list[dict[str, Any]]] = defaultdict(list)
        for line in await exporting.postings_of(connection, [entry["id"] for entry in entries]):
            lines[line["tenant_id"], line["entry_id"]].append(_columns(line))
        of_group: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for entry in entries:
            of_group[entry["sequence"]].append(_columns(entry) | {"lines": lines[entry["tenant_id"], entry["id"]]})
        for group in groups:
            yield _line({"group": _columns(group) | {"chain": chain}, "entries": of_group[group["sequence"]]})
        after = until


async def _changes(connection: Connection, chain: int) -> AsyncIterator[bytes]:
    after = 0
    while groups := await changes.groups_after(connection, chain, after, limit=_BATCH_GROUPS):
        until = groups[-1]["sequence"]
        of_group: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for change in await changes.changes_of(connection, chain, after=after, until=until):
            of_group[change["sequence"]].append(_columns(change))
        for group in groups:
            yield _line({"changes": _columns(group) | {"chain": chain}, "rows": of_group[group["sequence"]]})
        after = until


def _columns(row: asyncpg.Record) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}


def _line(content: Any) -> bytes:
    return _encoder.encode(content) + b"\n"
