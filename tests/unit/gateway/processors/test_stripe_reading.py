"""An object that is read by its id: whatever else is answered shows nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.stripe import StripeAccount, StripeConnections, StripeReader


@asynccontextmanager
async def answering(body: str) -> AsyncIterator[StripeReader]:
    """Read from a server that gives one answer to everything."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        connections = StripeConnections(api_base=f"http://127.0.0.1:{runner.addresses[0][1]}")
        async with connections.open():
            yield StripeReader(connections.client(StripeAccount(name="stripe", secret_key="sk_test_any")))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("body", ["null", "[]", "{}", '{"id":"po_of_another"}', '{"object":"list","data":[]}'])
async def test_an_answer_that_is_another_object_is_no_answer(body: str) -> None:
    async with answering(body) as reader:
        with pytest.raises(ProcessorUnavailable):
            await reader.object("payout", "po_1")
        with pytest.raises(ProcessorUnavailable):
            await reader.movement("txn_1")


@pytest.mark.parametrize("currency", ["usdc", "iqd", ""])
async def test_balance_that_is_not_understood_is_no_answer(currency: str) -> None:
    held = '[{"currency":"' + currency + '","amount":1}]'
    async with answering('{"object":"balance","available":' + held + ',"pending":[]}') as reader:
        with pytest.raises(ProcessorUnavailable):
            await reader.balance()


async def test_the_object_that_was_named_is_read() -> None:
    async with answering('{"id":"po_1"}') as reader:
        assert await reader.object("payout", "po_1") == {"id": "po_1"}
