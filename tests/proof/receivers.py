"""Merchants' endpoints of every temper, on one port: they count and verify what they receive."""

import hashlib
import random
from asyncio import sleep
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec
import svix.webhooks
from aiohttp import web
from standardwebhooks import Webhook

SLOW_SECONDS = 0.2
"""How long the slow endpoint thinks about each request."""
HANGING_SECONDS = 60.0
"""Longer than any attempt lasts."""
_VERIFIED = 25
"""One request in so many is verified by both official libraries: each takes a tenth of a millisecond."""
_FLAKY = 7
"""The flaky endpoint refuses one request in so many."""
_REFUSED = 100
"""The picky endpoint refuses one event in so many, for ever."""

ANSWERING = ("quick", "second", "flaky", "slow", "ordered")
"""Endpoints that take every event, sooner or later."""
TEMPERS = (*ANSWERING, "picky", "hanging")
"""All of them; `picky` never takes some events, `hanging` takes none."""


def is_refused(event_id: UUID) -> bool:
    """Whether the picky endpoint refuses an event, whenever it comes."""
    return event_id.int % _REFUSED == 0


class Received(msgspec.Struct, kw_only=True):
    """What one endpoint received."""

    requests: Counter[UUID] = msgspec.field(default_factory=Counter)
    """How often each event came."""
    taken: set[UUID] = msgspec.field(default_factory=set)
    """Events that were answered 2xx."""
    order: list[UUID] = msgspec.field(default_factory=list)
    """Events in the order of their first arrival."""


class Receivers:
    """What all endpoints received, and what was wrong with it."""

    def __init__(self, *, seed: int) -> None:
        self.received = {temper: Received() for temper in TEMPERS}
        self.secrets: dict[str, str] = {}
        self.verified = 0
        self.faults: list[str] = []
        self.base = ""
        self._random = random.Random(seed)
        self._bodies: dict[UUID, bytes] = {}
        self._count = 0

    def url(self, temper: str) -> str:
        """Where one endpoint listens."""
        return f"{self.base}/{temper}"

    async def take(self, request: web.Request) -> web.Response:
        """Receive one request and answer it as the endpoint's temper is."""
        temper, body = request.match_info["temper"], await request.read()
        event_id = UUID(request.headers["webhook-id"])
        received = self.received[temper]
        if event_id not in received.requests:
            received.order.append(event_id)
        received.requests[event_id] += 1
        self._check(request, body, event_id=event_id, temper=temper)
        status = await self._status(temper, event_id)
        if status < 300:
            received.taken.add(event_id)
        return web.Response(status=status)

    def _check(self, request: web.Request, body: bytes, *, event_id: UUID, temper: str) -> None:
        digest = hashlib.sha256(body).digest()
        if self._bodies.setdefault(event_id, digest) != digest:
            self.faults.append(f"event {event_id} came with two bodies")
        self._count += 1
        if self._count % _VERIFIED or temper not in self.secrets:
            return
        headers = dict(request.headers)
        try:
            Webhook(self.secrets[temper]).verify(body, headers)
            svix.webhooks.Webhook(self.secrets[temper]).verify(body, headers)
        except svix.webhooks.WebhookVerificationError as fault:
            self.faults.append(f"event {event_id} does not verify at {temper}: {fault}")
        self.verified += 1

    async def _status(self, temper: str, event_id: UUID) -> int:
        match temper:
            case "flaky":
                return 503 if self._random.randrange(_FLAKY) == 0 else 200
            case "picky":
                return 500 if is_refused(event_id) else 200
            case "slow":
                await sleep(SLOW_SECONDS)
            case "hanging":
                await sleep(HANGING_SECONDS)
            case _:
                pass
        return 200


@asynccontextmanager
async def listening(*, seed: int) -> AsyncIterator[Receivers]:
    """Listen on a free port of loopback until the block ends."""
    receivers = Receivers(seed=seed)
    application = web.Application()
    application.router.add_post("/{temper}", receivers.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    receivers.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receivers
    finally:
        await runner.cleanup()
