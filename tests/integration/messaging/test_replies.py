"""A request is sent once its reply can arrive: not while the queue of replies is still being made."""

import asyncio

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as UnderlayChannel

from libs.common.contracts import gateway, ledger
from libs.common.errors import Unavailable
from libs.common.messaging.reader import Reader
from tests.integration.messaging.buses import complete_api, complete_ledger
from tests.integration.messaging.conftest import Pair
from tests.integration.messaging.test_request_turns import ask, ignore, is_connected
from tests.support.waiting import until


async def test_request_waits_until_its_reply_can_arrive(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    may_read, requested = asyncio.Event(), asyncio.Event()
    consume = Reader._consume

    async def late(self: Reader, channel: AbstractChannel) -> UnderlayChannel:
        if self.name == "api.replies":
            await may_read.wait()
        return await consume(self, channel)

    async def balances(_: ledger.ListBalances) -> ledger.BalanceList:
        requested.set()
        return ledger.BalanceList(balances=[])

    monkeypatch.setattr(Reader, "_consume", late)
    requester = await pair.bus("api", await pair.database("api"), request_timeout_seconds=30)
    answerer = await pair.bus("ledger", await pair.database("ledger"))
    complete_ledger(answerer)
    answerer.handle(gateway.PaymentCaptured, ignore)
    complete_api(requester)
    answerer.answer(ledger.ListBalances, balances)
    with pytest.raises(Unavailable):
        await ask(requester, ledger.ListBalances(tenant_id="t1"), "t1")
    async with pair.running(requester, answerer):
        await until(lambda: is_connected(answerer))

        async def has_connected() -> bool:
            return "no consumer on api.replies" in requester.trouble

        await until(has_connected)
        reply = asyncio.create_task(ask(requester, ledger.ListBalances(tenant_id="t1"), "t1"))
        # Whatever was sent before this has been handled when this has.
        async with await aio_pika.connect(pair.vhost_url) as connection:
            await (await connection.channel()).get_queue("ledger.requests.work")
        assert not requested.is_set()
        may_read.set()
        assert await reply == ledger.BalanceList(balances=[])
        assert requested.is_set()
