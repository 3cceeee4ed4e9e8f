"""Requests are answered by tenant in turn: by count, a flood of one waits in its own line, also that of several processes."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import aio_pika
import pytest

from libs.common.contracts import Message, gateway, ledger, ledger_journal, ledger_reports
from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_journal import EntriesPosted, ManualEntry, ManualLine
from libs.common.contracts.ledger_reports import TrialBalance
from libs.common.db import Connection
from libs.common.errors import Unavailable
from libs.common.messaging import Bus, Received
from libs.common.messaging import requests as asking
from libs.common.observability import metrics
from libs.common.observability.correlation import Correlation, correlated
from tests.integration.messaging.buses import complete_api, complete_ledger
from tests.integration.messaging.conftest import Pair
from tests.integration.messaging.test_postponed import waiting
from tests.support.waiting import until

FLOOD = 150
PREFETCH = 50
HEAVY_OF_ONE_TENANT = 1
REQUESTS = "ledger.requests.work"
LINES = [
    ManualLine(account="CASH", side=Side.DEBIT, amount="1.00", currency="BRL"),
    ManualLine(account="REVENUE", side=Side.CREDIT, amount="1.00", currency="BRL"),
]
BATCH = [ManualEntry(description="By hand", lines=LINES)] * 1_000


def report(tenant_id: str) -> Message:
    return ledger_reports.ReportTrialBalance(tenant_id=tenant_id)


def batch(tenant_id: str) -> Message:
    return ledger_journal.PostEntries(tenant_id=tenant_id, made_by="ops", key="k", entries=BATCH)


class Answering:
    """A ledger that answers a rude tenant's heavy requests when it is let, and writes down whose it has begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.let = asyncio.Event()

    async def _begin(self, tenant_id: str) -> None:
        self.begun.append(tenant_id)
        if tenant_id == "rude":
            await self.let.wait()

    async def report(self, request: ledger_reports.ReportTrialBalance) -> TrialBalance:
        await self._begin(request.tenant_id)
        return TrialBalance(as_of=datetime.now(UTC), rows=[])

    async def post(self, request: ledger_journal.PostEntries) -> EntriesPosted:
        assert request.entries == BATCH
        await self._begin(request.tenant_id)
        return EntriesPosted(results=[])

    async def balances(self, request: ledger.ListBalances) -> ledger.BalanceList:
        await self._begin(request.tenant_id)
        return ledger.BalanceList(balances=[])


async def running(pair: Pair) -> tuple[Bus, Bus, Answering]:
    requester = await pair.bus(
        "api", await pair.database("api"), request_timeout_seconds=30, consumer_prefetch=PREFETCH
    )
    answerer = await pair.bus("ledger", await pair.database("ledger"), consumer_prefetch=PREFETCH)
    complete_ledger(answerer)
    answerer.handle(gateway.PaymentCaptured, ignore)
    complete_api(requester)
    answering = Answering()
    answerer.answer(ledger_reports.ReportTrialBalance, answering.report)
    answerer.answer(ledger_journal.PostEntries, answering.post)
    answerer.answer(ledger.ListBalances, answering.balances)
    return requester, answerer, answering


async def ignore(_: Connection, __: Sequence[Received[gateway.PaymentCaptured]]) -> None:
    return


async def ask(requester: Bus, message: Message, tenant_id: str) -> object:
    with correlated(Correlation(correlation_id="c", tenant_id=tenant_id)):
        return await requester.request(message)


async def flood(url: str, message: Message, *, count: int = FLOOD, expiration: float | None = None) -> None:
    """Put requests of the rude tenant into the queue, as many processes that ask would do together."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(message.contract.exchange, ensure=False)
        request = aio_pika.Message(
            message.encode(),
            type=message.contract.name,
            headers={"X-Tenant-Id": "rude", "X-Correlation-Id": "c"},
            expiration=expiration,
        )
        await asyncio.gather(*(exchange.publish(request, message.contract.name) for _ in range(count)))


async def is_connected(*buses: Bus) -> bool:
    try:
        await asyncio.gather(*(bus.ping() for bus in buses))
    except Unavailable:
        return False
    return True


@pytest.mark.parametrize("heavy", [report, batch])
async def test_heavy_requests_of_a_tenant_delay_neither_others_nor_ordinary_ones(
    pair: Pair, heavy: Callable[[str], Message]
) -> None:
    requester, answerer, answering = await running(pair)
    async with pair.running(requester, answerer):
        await until(lambda: is_connected(requester, answerer))
        await flood(pair.vhost_url, heavy("rude"))

        async def is_all_at_hand() -> bool:
            return not await waiting(pair.vhost_url, REQUESTS) and len(answering.begun) >= HEAVY_OF_ONE_TENANT

        await until(is_all_at_hand)
        for _ in range(3):
            await ask(requester, heavy("quiet"), "quiet")
            await ask(requester, ledger.ListBalances(tenant_id="quiet"), "quiet")
        # However many were there before: only so many of them had begun, and none of them has ended.
        assert answering.begun == ["rude"] * HEAVY_OF_ONE_TENANT + ["quiet"] * 6
        answering.let.set()

        async def is_done() -> bool:
            return answering.begun.count("rude") == FLOOD

        await until(is_done)


async def test_a_request_whose_requester_has_left_is_not_begun(pair: Pair) -> None:
    requester, answerer, answering = await running(pair)
    expired = metrics.REQUESTS_EXPIRED.labels("reports.trial_balance")
    before = expired._value.get()
    async with pair.running(requester, answerer):
        await until(lambda: is_connected(requester, answerer))
        await flood(pair.vhost_url, report("rude"), count=HEAVY_OF_ONE_TENANT)

        async def is_busy() -> bool:
            return len(answering.begun) == HEAVY_OF_ONE_TENANT

        await until(is_busy)
        await flood(pair.vhost_url, report("rude"), count=5, expiration=0.5)

        async def is_past() -> bool:
            return asyncio.get_running_loop().time() > late and not await waiting(pair.vhost_url, REQUESTS)

        late = asyncio.get_running_loop().time() + 0.6
        await until(is_past)
        answering.let.set()
        await ask(requester, report("rude"), "rude")
        assert expired._value.get() - before == 5
        assert answering.begun == ["rude"] * (HEAVY_OF_ONE_TENANT + 1)


async def test_too_many_waiting_requests_are_refused_to_who_has_most_of_them(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_WAITING_MAX", 30)
    monkeypatch.setattr(asking, "_TENANT_HEAVY_WAITING_MAX", 20)
    requester, answerer, answering = await running(pair)
    async with pair.running(requester, answerer):
        await until(lambda: is_connected(requester, answerer))
        rude = [asyncio.create_task(ask(requester, report("rude"), "rude")) for _ in range(50)]
        other = [asyncio.create_task(ask(requester, report("other"), "other")) for _ in range(12)]
        await asyncio.gather(*(ask(requester, report("quiet"), "quiet") for _ in range(5)))
        answering.let.set()
        answers = await asyncio.gather(*rude, return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, Unavailable)]
        assert {answer.reason for answer in refused} == {"overloaded"}
        # Beyond its own bound, and those that made room for others.
        assert 50 - 20 - HEAVY_OF_ONE_TENANT <= len(refused) <= 50 - HEAVY_OF_ONE_TENANT - 5
        await asyncio.gather(*other)
