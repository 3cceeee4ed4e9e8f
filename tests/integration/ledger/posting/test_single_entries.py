"""The posting service when a group does not get through: what is tried again, how often, and what the callers are answered."""

import asyncio
from datetime import datetime

import asyncpg
import pytest

from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.errors import Unavailable
from services.ledger import metrics
from services.ledger.posting import CONTENTION_RETRIES_MAX, Posted, PostingService, Replayed
from tests.integration.ledger.posting.test_groups import open_accounts, transfer


class FailingClock(SystemClock):
    """A clock that fails so many times: a group is decided in its transaction, so that is where it gets lost."""

    def __init__(self, fault: Exception, times: int) -> None:
        self.fault, self.times, self.calls = fault, times, 0

    def now(self) -> datetime:
        self.calls += 1
        if self.calls <= self.times:
            raise self.fault
        return super().now()


async def test_group_that_loses_against_others_is_run_again_a_few_times(database: Database, tenant_id: str) -> None:
    cash, revenue = await open_accounts(database, tenant_id, 2)
    lost = asyncpg.SerializationError("lost against another transaction")
    clock = FailingClock(lost, CONTENTION_RETRIES_MAX)
    assert isinstance(await PostingService(database, clock=clock).post(transfer(tenant_id, cash, revenue)), Posted)
    assert clock.calls == CONTENTION_RETRIES_MAX + 1
    with pytest.raises(asyncpg.SerializationError):
        await PostingService(database, clock=FailingClock(lost, 100)).post(transfer(tenant_id, cash, revenue))


async def test_outage_answers_every_caller_and_nothing_is_tried_in_parts(database: Database, tenant_id: str) -> None:
    cash, revenue = await open_accounts(database, tenant_id, 2)
    clock = FailingClock(Unavailable("the database does not answer"), 100)
    service = PostingService(database, clock=clock, writers=1)
    answers = await asyncio.gather(
        *(service.post(transfer(tenant_id, cash, revenue)) for _ in range(5)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Unavailable] * 5
    # One entry, that came first, and the four that had to wait meanwhile.
    assert clock.calls <= 2


async def test_what_became_of_entries_is_counted_once_and_measured(database: Database, tenant_id: str) -> None:
    def counted(outcome: str) -> float:
        return float(metrics.ENTRIES.labels("capture", outcome)._value.get())

    cash, revenue = await open_accounts(database, tenant_id, 2)
    service = PostingService(database, clock=SystemClock())
    booking = transfer(tenant_id, cash, revenue)
    before = counted("posted"), counted("replayed")
    ways = {way: metrics.GROUPS.labels(way)._value.get() for way in ("locked", "remembered")}
    took = metrics.GROUP_DURATION._sum.get()
    assert isinstance(await service.post(booking), Posted)
    assert isinstance(await service.post(transfer(tenant_id, cash, revenue)), Posted)
    assert isinstance(await service.post(booking), Replayed)
    assert (counted("posted"), counted("replayed")) == (before[0] + 2, before[1] + 1)
    # The first has looked, the second has gone on from what the first has left, the third has looked what stands.
    groups = {way: metrics.GROUPS.labels(way)._value.get() - count for way, count in ways.items()}
    assert groups == {"locked": 2, "remembered": 1}
    assert 0 < metrics.GROUP_DURATION._sum.get() - took < 60
