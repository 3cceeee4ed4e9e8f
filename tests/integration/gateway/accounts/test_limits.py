"""Each account at Stripe has a pace, a pause and a circuit of its own, whatever its neighbours do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from deploy.fake_stripe.faults import Fault, FaultKind
from libs.common.clock import ManualClock
from libs.common.ids import new_id
from services.gateway.accounts import StripeAccounts
from services.gateway.accounts.domain import config_of
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port import Approved, NotTaken, NotTakenReason, Unknown
from services.gateway.processors.port.saving import NewCustomer
from tests.integration.gateway.accounts.limits import PER_SECOND, Limits


async def test_calls_of_one_account_are_spread_and_its_neighbour_does_not_wait(limits: Limits) -> None:
    busy, quiet = await limits.account(), await limits.account()
    began = time.monotonic()
    many = [asyncio.create_task(limits.hold(busy)) for _ in range(14)]
    await asyncio.sleep(0)
    assert isinstance(await limits.hold(quiet), Approved)
    assert not all(task.done() for task in many), "the neighbour has waited for all calls of the busy account"
    answers = await asyncio.gather(*many)
    assert all(isinstance(answer, Approved) for answer in answers)
    # Two at once, then one every twentieth of a second.
    assert time.monotonic() - began >= 12 / PER_SECOND * 0.95


async def test_what_finds_no_turn_in_time_was_never_sent(limits: Limits) -> None:
    account = await limits.account()
    answers = await asyncio.gather(*(limits.hold(account, timeout_seconds=0.5) for _ in range(30)))
    sent = [answer for answer in answers if isinstance(answer, Approved)]
    waiting = [answer for answer in answers if isinstance(answer, NotTaken)]
    assert len(sent) + len(waiting) == 30
    assert {(answer.reason, answer.calls) for answer in waiting} == {(NotTakenReason.RATE_LIMITED, 0)}
    held = sum(len(limits.fake._accounts._by_id[each].test.payment_intents) for each in limits.fake._accounts._by_id)
    assert held == len(sent) >= 5


async def test_a_limit_of_stripe_pauses_its_account_alone(limits: Limits) -> None:
    account, neighbour = await limits.account(), await limits.account()
    limits.fake.faults.add(Fault(kind=FaultKind.RATE_LIMIT, seconds=7, times=1))
    first = await limits.hold(account)
    assert isinstance(first, NotTaken)
    assert (first.calls, first.retry_after_seconds) == (1, 7)
    second = await limits.hold(account)
    assert isinstance(second, NotTaken)
    assert (second.reason, second.calls) == (NotTakenReason.RATE_LIMITED, 0)
    assert second.retry_after_seconds == pytest.approx(7, abs=0.5)
    assert isinstance(await limits.hold(neighbour), Approved)


async def test_a_limit_of_an_endpoint_pauses_its_operation_alone(limits: Limits) -> None:
    account = await limits.account()
    limits.fake.faults.add(Fault(kind=FaultKind.ENDPOINT_LIMIT, seconds=70, times=1))
    for reason, calls in ((NotTakenReason.RATE_LIMITED, 1), (NotTakenReason.ENDPOINT_PACE, 0)):
        refused = await limits.hold(account)
        assert isinstance(refused, NotTaken)
        assert (refused.reason, refused.calls) == (reason, calls)
        assert refused.retry_after_seconds == pytest.approx(70, abs=5)
    await read_balance(limits.accounts, account[1])
    await search_customer(limits.accounts, account[1])


async def read_balance(accounts: StripeAccounts, name: str) -> None:
    await (await accounts.reader(name)).balance()


async def search_customer(accounts: StripeAccounts, name: str) -> None:
    await (await accounts.vault(name)).find_customer(customer_id=new_id())


@pytest.mark.parametrize("read", [read_balance, search_customer])
@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMIT, FaultKind.LOCK_TIMEOUT, FaultKind.ENDPOINT_LIMIT])
async def test_a_limit_that_a_reading_meets_pauses_its_account_too(
    limits: Limits, read: Callable[[StripeAccounts, str], Awaitable[None]], kind: FaultKind
) -> None:
    account, neighbour = await limits.account(), await limits.account()
    limits.fake.faults.add(Fault(kind=kind, method="GET", seconds=90, times=1))
    with pytest.raises(ProcessorUnavailable):
        await read(limits.accounts, account[1])
    await read(limits.accounts, neighbour[1])
    if kind is FaultKind.LOCK_TIMEOUT:
        # Of one object, not of the account.
        await read(limits.accounts, account[1])
        return
    with pytest.raises(ProcessorUnavailable, match="too many calls"):
        await read(limits.accounts, account[1])
    held = await limits.hold(account)
    if kind is FaultKind.ENDPOINT_LIMIT:
        assert isinstance(held, Approved)
        return
    assert isinstance(held, NotTaken)
    assert held.calls == 0
    assert held.retry_after_seconds == pytest.approx(90, abs=5)


async def test_limit_of_one_endpoint_holds_up_no_other_of_statement_and_saving(limits: Limits) -> None:
    _, name = await limits.account()
    reader, vault = await limits.accounts.reader(name), await limits.accounts.vault(name)
    since = datetime.now(UTC) - timedelta(days=1)
    for path in ("/v1/balance", "/v1/customers/search"):
        limits.fake.faults.add(Fault(kind=FaultKind.ENDPOINT_LIMIT, method="GET", path=path, seconds=90, times=1))
    for read in (read_balance, search_customer):
        for _ in range(2):
            with pytest.raises(ProcessorUnavailable):
                await read(limits.accounts, name)
    assert not (await reader.movements(since=since)).items
    assert not (await reader.payouts(since=since)).items
    made = NewCustomer(tenant_id="t", customer_id=new_id(), name="Ana", email="", idempotency_key=str(new_id()))
    assert await vault.create_customer(made)


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMIT, FaultKind.ENDPOINT_LIMIT, FaultKind.LOCK_TIMEOUT])
async def test_limit_of_a_reading_after_an_error_pauses_the_account_too(limits: Limits, kind: FaultKind) -> None:
    """A 500 that its key keeps is read, and that reading is one too many."""
    account = await limits.account()
    limits.fake.faults.add(Fault(kind=FaultKind.ERROR_AFTER, times=1))
    limits.fake.faults.add(Fault(kind=kind, method="GET", seconds=90, times=1))
    assert isinstance(await limits.hold(account), Unknown)
    assert limits.fake.faults.met == {FaultKind.ERROR_AFTER: 1, kind: 1}
    held = await limits.hold(account)
    if kind is not FaultKind.RATE_LIMIT:
        # Of one object, or of an endpoint that is none of authorizations.
        assert isinstance(held, Approved)
        return
    assert isinstance(held, NotTaken)
    assert (held.reason, held.calls) == (NotTakenReason.RATE_LIMITED, 0)
    assert held.retry_after_seconds == pytest.approx(90, abs=5)


async def test_a_changed_configuration_is_tried_at_once_and_no_other(limits: Limits) -> None:
    account, neighbour = await limits.account(), await limits.account()
    limits.fake.faults.add(Fault(kind=FaultKind.UNAUTHORIZED, times=6))
    for whose in (account, neighbour) * 3:
        await limits.hold(whose)
    changed = config_of(account[1])
    assert changed is not None
    limits.accounts.forget(account[0], changed)
    assert isinstance(await limits.hold(account), Approved)
    refused = await limits.hold(neighbour)
    assert isinstance(refused, NotTaken)
    assert (refused.reason, refused.calls) == (NotTakenReason.CREDENTIALS_REFUSED, 0)


async def test_a_refused_key_stops_its_account_alone(limits: Limits, clock: ManualClock) -> None:
    account, neighbour = await limits.account(), await limits.account()
    limits.fake.faults.add(Fault(kind=FaultKind.UNAUTHORIZED, times=3))
    for calls in (1, 1, 1, 0):
        refused = await limits.hold(account)
        assert isinstance(refused, NotTaken)
        assert (refused.reason, refused.calls) == (NotTakenReason.CREDENTIALS_REFUSED, calls)
    assert isinstance(await limits.hold(neighbour), Approved)
    assert "stripe" in limits.processors.available()
    clock.advance(timedelta(seconds=31))
    assert isinstance(await limits.hold(account), Approved)
