"""Asks the verifier's process for its rounds: it is started when it is needed first, and again when it has ended."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec

from libs.common.errors import Unavailable
from libs.common.settings import DatabaseSettings
from services.ledger.integrity.commands.verification import Round, Verifier
from services.ledger.integrity.workers.rounds import LINE_MAX, Begin, Done, Failed

_ROUND_SECONDS = 900.0
"""How long a round may take, the invariants of many balances included, before its process is ended."""

_END_SECONDS = 5.0
"""How long the process may take to end by itself."""


class VerificationWorker:
    """Has what was added to the books recomputed in a process of its own, whose work delays nothing in this one."""

    def __init__(self, verifier: Verifier, *, database: DatabaseSettings, log_level: str) -> None:
        self._verifier = verifier
        self._begin = Begin(database=database, log_level=log_level)
        self._process: _Process | None = None

    async def run(self) -> None:
        """Have rounds done until all is recomputed.

        Raises:
            Unavailable: when the process or its database does not answer.
        """
        while True:
            done = await self._round()
            await self._verifier.note(done)
            # With none that was recomputed, what is left is in the hands of another process.
            if not done.left or not done.groups:
                return

    async def _round(self) -> Round:
        process = self._process
        try:
            if process is None:
                self._process = process = await _Process.start(self._begin)
            async with asyncio.timeout(_ROUND_SECONDS):
                return await process.round()
        except BaseException:
            self._process = None
            if process is not None:
                await process.end()
            raise

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """End the process with this one."""
        try:
            yield
        finally:
            process, self._process = self._process, None
            if process is not None:
                await process.end()


class _Process:
    def __init__(
        self, process: asyncio.subprocess.Process, results: asyncio.StreamReader, requests: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._results = results
        self._requests = requests

    @classmethod
    async def start(cls, begin: Begin) -> "_Process":
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "services.ledger.integrity.workers",
                    stdin=theirs.fileno(),
                    start_new_session=True,
                )
                results, requests = await asyncio.open_connection(sock=ours, limit=LINE_MAX)
            except BaseException:
                ours.close()
                raise
        requests.write(msgspec.json.encode(begin) + b"\n")
        return cls(process, results, requests)

    async def round(self) -> Round:
        try:
            self._requests.write(b"\n")
            await self._requests.drain()
            line = await self._results.readline()
        except OSError as fault:
            raise Unavailable("the verifier's process has ended") from fault
        if not line:
            raise Unavailable("the verifier's process has ended")
        result = msgspec.json.decode(line, type=Done | Failed)
        if isinstance(result, Failed):
            raise Unavailable(result.reason)
        return result.round

    async def end(self) -> None:
        """Close the socket, at which it ends, and see to it that it does."""
        self._requests.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()
        except asyncio.CancelledError:
            self._kill()
            raise

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
