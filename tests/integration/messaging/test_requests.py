"""Requests to another service: answered, refused or expired in time, and broadcasts to every process."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from libs.common.contracts import api, gateway, ledger
from libs.common.contracts.ledger_facts import PAYMENT_ENTRIES_MAX, EntryFact, EntryFactPage, ListEntryFacts
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection
from libs.common.errors import Conflict, Invalid, Unavailable
from libs.common.ids import new_id
from libs.common.messaging import Publication, Received
from libs.common.observability.correlation import Correlation, correlated, current
from tests.integration.messaging.buses import complete_api, complete_gateway, complete_ledger, ignore
from tests.integration.messaging.conftest import Pair, captured, publish_together
from tests.support.waiting import until

pytestmark = pytest.mark.long

type Captures = Sequence[Received[gateway.PaymentCaptured]]


async def test_request_is_answered_refused_or_expired_in_time(pair: Pair) -> None:
    asks, answers = await pair.database("api"), await pair.database("ledger")
    requester, answerer = await pair.bus("api", asks), await pair.bus("ledger", answers)
    complete_ledger(answerer)

    async def on_captured(_: Connection, __: Captures) -> None:
        return

    async def open_account(request: ledger.OpenAccount) -> ledger.Account:
        if request.code == "CASH":
            raise Conflict("account code CASH already exists for tenant", code="account_exists")
        if request.code == "SLOW":
            await asyncio.sleep(30)
        return ledger.Account(
            id=request.account_id,
            code=request.code,
            label=request.label,
            account_type=request.account_type,
            is_default=False,
        )

    answerer.handle(gateway.PaymentCaptured, on_captured)
    answerer.answer(ledger.OpenAccount, open_account)
    complete_api(requester)

    def request(code: str) -> ledger.OpenAccount:
        return ledger.OpenAccount(
            tenant_id="t1",
            account_id=captured().event_id,
            code=code,
            label="Label",
            account_type=ledger.AccountType.ASSET,
        )

    async with pair.running(requester, answerer):

        async def connected() -> bool:
            try:
                await requester.ping()
                await answerer.ping()
            except Unavailable:
                return False
            return True

        await until(connected)
        opened = await requester.request(request("BANK"))
        assert opened.code == "BANK"
        with pytest.raises(Conflict) as refused:
            await requester.request(request("CASH"))
        assert refused.value.reason == "account_exists"
        with pytest.raises(Invalid, match="breaks its contract"):
            await requester.request(msgspec.structs.replace(request("BANK"), code=5))
        with pytest.raises(Unavailable):
            await requester.request(request("SLOW"))
        many = await asyncio.gather(*(requester.request(request(f"A{i}")) for i in range(100)))
        assert [account.code for account in many] == [f"A{i}" for i in range(100)]


async def test_largest_page_of_entries_reaches_the_gateway(pair: Pair) -> None:
    asks, answers = await pair.database("gateway"), await pair.database("ledger")
    requester, answerer = await pair.bus("gateway", asks), await pair.bus("ledger", answers)
    complete_ledger(answerer)
    answerer.handle(gateway.PaymentCaptured, ignore)
    complete_gateway(requester)
    entry = EntryFact(
        entry_id=new_id(),
        kind=ledger.EntryKind.MOVEMENT_EXCHANGED,
        payment_intent_id=new_id(),
        currency="BRL",
        amount_minor=10**15,
        # As many roles as one entry of the posting rules has.
        amounts=dict.fromkeys(list(Role)[-6:], -(10**15)),
        occurred_at=datetime.now(UTC),
        posted_at=datetime.now(UTC),
        reverses=new_id(),
        is_reversed=True,
    )
    page = EntryFactPage(items=(entry,) * PAYMENT_ENTRIES_MAX, next_after=entry.payment_intent_id, is_whole=False)
    # RabbitMQ 4 takes 16 MiB.
    assert len(msgspec.json.encode(page)) < 2**24

    async def list_entry_facts(_: ListEntryFacts) -> EntryFactPage:
        return page

    answerer.answer(ListEntryFacts, list_entry_facts)
    async with pair.running(requester, answerer):

        async def connected() -> bool:
            try:
                await asyncio.gather(requester.ping(), answerer.ping())
            except Unavailable:
                return False
            return True

        await until(connected)
        assert await requester.request(ListEntryFacts(tenant_id="t1")) == page


async def test_impossible_value_is_refused_and_the_envelope_is_bounded(pair: Pair) -> None:
    asks, answers = await pair.database("api"), await pair.database("ledger")
    requester, answerer = await pair.bus("api", asks), await pair.bus("ledger", answers)
    answerer.handle(gateway.PaymentCaptured, ignore)
    complete_ledger(answerer)
    complete_api(requester)
    seen: list[Correlation] = []

    async def list_accounts(request: ledger.ListAccounts) -> ledger.AccountList:
        seen.append(current())
        if request.tenant_id == "t-at-the-end-of-time":
            assert datetime.max.replace(tzinfo=UTC) + timedelta(days=1)
        return ledger.AccountList(accounts=[])

    answerer.answer(ledger.ListAccounts, list_accounts)

    async def connected() -> bool:
        try:
            await asyncio.gather(requester.ping(), answerer.ping())
        except Unavailable:
            return False
        return True

    async with pair.running(requester, answerer):
        await until(connected)
        with pytest.raises(Invalid, match="cannot be stored"):
            await requester.request(ledger.ListAccounts(tenant_id="t-at-the-end-of-time"))
        with correlated(Correlation(correlation_id="c" * 250, tenant_id="another")):
            await requester.request(ledger.ListAccounts(tenant_id="t1"))
    assert (seen[-1].tenant_id, len(seen[-1].correlation_id)) == ("t1", 32)


async def test_request_of_a_tenant_is_answered_beside_the_flood_of_another(pair: Pair) -> None:
    asks, answers = await pair.database("api"), await pair.database("ledger")
    requester = await pair.bus("api", asks, request_timeout_seconds=15, consumer_prefetch=8)
    answerer = await pair.bus("ledger", answers, consumer_prefetch=8)
    complete_ledger(answerer)
    answerer.handle(gateway.PaymentCaptured, ignore)
    complete_api(requester)
    open_up, order = asyncio.Event(), list[str]()

    async def list_accounts(request: ledger.ListAccounts) -> ledger.AccountList:
        if request.tenant_id == "rude":
            await open_up.wait()
        order.append(request.tenant_id)
        return ledger.AccountList(accounts=[])

    async def ask(tenant_id: str) -> None:
        with correlated(Correlation(correlation_id="c", tenant_id=tenant_id)):
            await requester.request(ledger.ListAccounts(tenant_id=tenant_id))

    answerer.answer(ledger.ListAccounts, list_accounts)
    async with pair.running(requester, answerer):

        async def connected() -> bool:
            try:
                await asyncio.gather(requester.ping(), answerer.ping())
            except Unavailable:
                return False
            return True

        await until(connected)
        flood = [asyncio.create_task(ask("rude")) for _ in range(200)]
        await asyncio.sleep(0)
        # All that the other has in progress hangs, and its next ones wait in a line of their own.
        await ask("quiet")
        assert order == ["quiet"]
        open_up.set()
        await asyncio.gather(*flood)
    assert order.count("rude") == 200


async def test_a_broadcast_reaches_every_running_process_and_none_later(pair: Pair) -> None:
    source = await pair.database("api")
    received: list[tuple[str, str]] = []
    processes = [await pair.bus("api", source) for _ in range(2)]
    for name, process in zip(("one", "two"), processes, strict=True):
        complete_api(process, lambda event, name=name: received.append((name, event.body.tenant_id)))  # type: ignore[misc]

    async def connected() -> bool:
        try:
            for process in processes:
                await process.ping()
        except Unavailable:
            return False
        return True

    def changed(tenant: str) -> list[Publication]:
        correlation = Correlation(correlation_id="c", tenant_id=tenant)
        return [
            Publication.of(api.AccessChanged(tenant_id=tenant), occurred_at=datetime.now(UTC), correlation=correlation)
        ]

    async def has_received(*expected: tuple[str, str]) -> bool:
        return {*expected} <= {*received}

    async with pair.running(*processes):
        await until(connected)
        await publish_together(source, changed("t-1"))
        await until(lambda: has_received(("one", "t-1"), ("two", "t-1")))
    assert len(received) == 2
    processes = [await pair.bus("api", source)]
    complete_api(processes[0], lambda event: received.append(("three", event.body.tenant_id)))
    async with pair.running(*processes):
        await until(connected)
        await publish_together(source, changed("t-2"))
        await until(lambda: has_received(("three", "t-2")))
    assert received[2:] == [("three", "t-2")]
