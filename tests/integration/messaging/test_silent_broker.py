"""The operators' commands end when the broker goes silent in the middle of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from libs.common.errors import Unavailable
from libs.common.messaging import letters, redrive

QUEUE = "ledger.payment.captured"
DEADLINE_SECONDS = 5.0


@asynccontextmanager
async def silent_from(url: str, word: bytes) -> AsyncIterator[str]:
    """A way to the broker that passes nothing on from the first frame with `word` in it, and stays open; its address."""
    parts = urlsplit(url)
    writers: list[asyncio.StreamWriter] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if word in data:
                return
            writer.write(data)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection(parts.hostname, parts.port or 5672)
        writers.extend((writer, to))
        answers = asyncio.create_task(pass_on(there, writer))
        await pass_on(reader, to)
        await answers

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user, _, _ = parts.netloc.rpartition("@")
    try:
        yield parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
    finally:
        for writer in writers:
            writer.transport.abort()
        server.close()
        await asyncio.sleep(0.1)


async def test_redrive_ends_with_a_sentence(vhost_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redrive, "_STEP_SECONDS", 0.3)
    monkeypatch.setattr(redrive, "_CONNECT_SECONDS", 1.0)
    async with asyncio.timeout(DEADLINE_SECONDS), silent_from(vhost_url, f"{QUEUE}.dead".encode()) as url:
        with pytest.raises(Unavailable, match="RabbitMQ does not answer"):
            await redrive.redrive(url, QUEUE)


async def test_looking_at_dead_letters_ends_in_time(vhost_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "_SECONDS", 1.0)
    async with asyncio.timeout(DEADLINE_SECONDS), silent_from(vhost_url, f"{QUEUE}.dead".encode()) as url:
        with pytest.raises(TimeoutError):
            await letters.dead_letters(url, "ledger", limit=1)
