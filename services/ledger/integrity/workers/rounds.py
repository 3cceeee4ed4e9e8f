"""The verifier's own process: each line that it receives is a request for a round, each that it sends the result of one.

Both go over a socket, which is its standard input. First come the settings of the database, which nobody else can read
there. The process ends when the other end is closed, that is with the process that started it, however that one ended.
"""

import asyncio
import os
import socket

import msgspec

from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.errors import PlatformError
from libs.common.observability import logging
from libs.common.settings import DatabaseSettings
from libs.common.tasks import end_all
from services.ledger.integrity.commands.verification import CONNECTIONS, Round, Verifier

LINE_MAX = 64 * 1024 * 1024
"""Bytes of one line at most: a round may have many findings."""

_NICENESS = 10
"""Whoever posts comes first where the cores do not suffice."""


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    database: DatabaseSettings
    """Where the books are."""
    log_level: str
    """From which level on it logs."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """A round that was not ended."""

    reason: str
    """Why."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """A round that was ended."""

    round: Round
    """What it did."""


async def serve_rounds(channel: socket.socket) -> None:
    """Verify for as long as there are requests."""
    os.nice(_NICENESS)
    requests, results = await asyncio.open_connection(sock=channel)
    begin = msgspec.json.decode(await requests.readline(), type=Begin)
    logging.configure(service="ledger", level=begin.log_level)
    size = max(CONNECTIONS, begin.database.database_pool_size)
    settings = msgspec.structs.replace(begin.database, database_pool_size=size)
    database = Database(settings, schema="ledger", application_name="ledger-verifier")
    await database.open()
    try:
        verifier = Verifier(database, clock=SystemClock())
        while await requests.readline():
            going = asyncio.create_task(_round(verifier))
            ends = asyncio.create_task(requests.read(1))
            try:
                await asyncio.wait({going, ends}, return_when=asyncio.FIRST_COMPLETED)
                if ends.done():
                    # Nobody waits for the result any more; what was recomputed is written down.
                    return
                results.write(msgspec.json.encode(going.result()) + b"\n")
                await results.drain()
            finally:
                await end_all([going, ends])
    finally:
        await database.close()
        results.close()


async def _round(verifier: Verifier) -> Done | Failed:
    try:
        return Done(round=await verifier.go_on())
    except PlatformError as fault:
        return Failed(reason=fault.detail)
