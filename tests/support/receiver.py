"""A merchant's webhook endpoint on loopback: it keeps what it receives, and answers as it is set."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from tests.support.documents import undocumented


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One request that arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def type(self) -> str:
        """The event's name."""
        return self.headers["x-webhook-event"]


class Receiver:
    """Collects deliveries; `answer` decides the status from how many have arrived before."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[int], int] = lambda _: 200
        self.url = ""
        self.expects_documented = True
        """Whether what arrives is as the OpenAPI document has it; not where a test makes bodies up."""

    async def take(self, request: web.Request) -> web.Response:
        """Keep one request and answer it."""
        status = self.answer(len(self.received))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(headers=headers, body=await request.read()))
        return web.Response(status=status)


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """Listen on a free port of loopback until the block ends; then whatever arrived is held to the OpenAPI document."""
    receiver = Receiver()
    application = web.Application(client_max_size=2**20)
    application.router.add_post("/hooks", receiver.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hooks"
    try:
        yield receiver
    finally:
        await runner.cleanup()
    if receiver.expects_documented:
        assert not [fault for one in receiver.received for fault in undocumented(one.type, one.body)]
