"""The pact of the web suite, verified over real HTTP against the running platform, errors included."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from aiohttp import web
from pact import Verifier

from tests.contract.pacts import sources
from tests.contract.web_suite import (
    CONFIRMABLE,
    CREATED,
    OPERATOR,
    READER,
    REFUNDABLE,
    SETTLED,
    STRANGER,
    VOIDED,
)
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import ADMIN, Platform

ALL = ("payments:read", "payments:write", "ledger:read")


async def test_clients_get_what_they_read(platform: Platform) -> None:
    states = await _states(platform)

    def verify(url: str) -> None:
        verifier = Verifier("api", host="127.0.0.1").add_transport(url=platform.base()).state_handler(url, body=True)
        for path in sources("api", http=True):
            verifier.add_source(path)
        verifier.verify()

    async with _serving(states) as url:
        await asyncio.to_thread(verify, url)


async def _states(platform: Platform) -> dict[str, dict[str, str]]:
    """Make a tenant of its own with a payment in each state; returns what each state has."""
    tenant = new_tenant()
    operator = person(platform, tenant, "web@suite", ALL)
    reader = person(platform, tenant, "reader@suite", ("payments:read",))
    created, confirmable, settled, refundable, voided = [
        await operator.create(customer_ref="web@suite") for _ in range(5)
    ]
    await operator.call("POST", f"/v1/payment-intents/{voided['id']}/void", {}, key=uuid4().hex)
    for payment in (settled, refundable):
        await operator.confirm(payment["id"])
    for payment in (settled, refundable):
        await operator.settled(payment["id"])
    admin = await platform.login(ADMIN)
    assert (await admin.call("POST", "/v1/reports/refresh")).status == 200
    return {
        OPERATOR: {"token": operator.token, "tenant": tenant},
        READER: {"token": reader.token, "tenant": tenant},
        STRANGER: {"token": "forged", "tenant": tenant},
        CREATED: {"id": created["id"]},
        CONFIRMABLE: {"id": confirmable["id"]},
        SETTLED: {"id": settled["id"]},
        REFUNDABLE: {"id": refundable["id"]},
        VOIDED: {"id": voided["id"]},
    }


@asynccontextmanager
async def _serving(states: dict[str, dict[str, str]]) -> AsyncIterator[str]:
    """Serve the states: their values go into the requests."""

    async def enter(request: web.Request) -> web.Response:
        change: dict[str, Any] = await request.json()
        return web.json_response(states[change["state"]] | {"click": uuid4().hex})

    app = web.Application()
    app.router.add_post("/", enter)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        host, port = site._server.sockets[0].getsockname()  # type: ignore[attr-defined]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()
