"""Which processors and accounts every process of the gateway calls, as operators see it, whichever process answers."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from deploy.fake_stripe.faults import Fault, FaultKind
from libs.common.clock import ManualClock
from libs.common.db import Database
from services.gateway.accounts import queries
from services.gateway.accounts.domain import CircuitSeen
from services.gateway.accounts.sql.circuits import report
from services.gateway.processors.port import NotTaken
from tests.integration.gateway.accounts.limits import PER_SECOND, Limits
from tests.support.databases import TestDatabase


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    async with gateway_database.open("gateway") as opened:
        await opened.write("DELETE FROM circuits")
        yield opened


def seen(name: str, state: str = "closed", *, waiting: int = 0, is_account: bool = False) -> CircuitSeen:
    """What a process reports of one processor, or account."""
    return CircuitSeen(
        name=name, is_account=is_account, state=state, since=None, until=None, waiting=waiting, per_second=None
    )


async def test_processes_report_apart_and_what_ended_is_gone(database: Database, clock: ManualClock) -> None:
    async def listed() -> list[tuple[str, str, str]]:
        found = (await queries.list_circuits(database, clock)).circuits
        return [(each.process, each.name, each.state) for each in found]

    await report(database, [seen("stripe"), seen("stripe", "open", is_account=True)], process="a", at=clock.now())
    await report(database, [seen("stripe", "open")], process="b", at=clock.now())
    assert await listed() == [("b", "stripe", "open"), ("a", "stripe", "open"), ("a", "stripe", "closed")]

    clock.advance(timedelta(seconds=20))
    await report(database, [seen("stripe", "half_open")], process="a", at=clock.now())
    assert await listed() == [("a", "stripe", "half_open"), ("b", "stripe", "open")]

    clock.advance(timedelta(seconds=20))
    assert await listed() == [("a", "stripe", "half_open")], "b has not reported for longer than a report counts"
    clock.advance(timedelta(seconds=60))
    await report(database, [seen("stripe")], process="a", at=clock.now())
    assert await database.fetch("SELECT process FROM circuits WHERE process = 'b'") == []


async def test_reporting_nothing_leaves_nothing(database: Database, clock: ManualClock) -> None:
    await report(database, [seen("stripe")], process="a", at=clock.now())
    await report(database, [], process="a", at=clock.now())
    assert (await queries.list_circuits(database, clock)).circuits == []


async def test_a_paused_account_is_reported_and_its_neighbour_is_not(limits: Limits, clock: ManualClock) -> None:
    account, neighbour = await limits.account(), await limits.account()
    await limits.hold(neighbour)
    limits.fake.faults.add(Fault(kind=FaultKind.RATE_LIMIT, seconds=7, times=1))
    assert isinstance(await limits.hold(account), NotTaken)

    found = limits.circuits.seen()
    assert [(each.name, each.is_account, each.state) for each in found] == [
        ("sandbox", False, "closed"),
        ("stripe", False, "closed"),
        (account[1], True, "paused"),
    ]
    assert found[-1].until is not None
    assert timedelta(seconds=5) < found[-1].until - clock.now() <= timedelta(seconds=7)
    assert found[-1].per_second == PER_SECOND


async def test_an_account_whose_key_is_refused_is_reported_as_open(limits: Limits, clock: ManualClock) -> None:
    account = await limits.account()
    limits.fake.faults.add(Fault(kind=FaultKind.UNAUTHORIZED, times=3))
    for _ in range(3):
        await limits.hold(account)

    [found] = [each for each in limits.circuits.seen() if each.is_account]
    assert (found.name, found.state, found.since) == (account[1], "open", clock.now())
    assert found.until is not None
    assert found.until > clock.now()
    clock.advance(found.until - clock.now())
    await limits.hold(account)
    assert not [each for each in limits.circuits.seen() if each.is_account]
