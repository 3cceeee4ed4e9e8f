"""Exporting the sealed changes with what is signed of them: a line of JSON each, in one snapshot.

Whoever has the file verifies it without the database (`services.api.integrity.commands.offline`).
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from libs.common.db import Database
from libs.common.evidence import all_signed
from services.api.integrity.sql import changes

VERSION = "api.changes.v1"
_BATCH = 500

_encoder = msgspec.json.Encoder()


async def export_changes(database: Database) -> AsyncIterator[bytes]:
    """Yield the lines of an export, each with its line feed."""
    async with database.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield _line({"export": VERSION})
        for chain in await changes.all_chains(connection):
            sequence = 0
            while part := await changes.changes_after(connection, chain.tenant_id, sequence, limit=_BATCH):
                for change in part:
                    yield _line({"change": _columns(change)})
                sequence = part[-1].sequence
        async for signed in all_signed(connection):
            yield _line({"heads": signed})


def _columns(row: msgspec.Struct) -> dict[str, Any]:
    found = msgspec.structs.asdict(row)
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in found.items()}


def _line(content: Any) -> bytes:
    return _encoder.encode(content) + b"\n"
