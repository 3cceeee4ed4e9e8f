"""Replays that are stopped, and what an endpoint is offered when it is switched on again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.notifier import CancelReplay, GetReplay, Replay, WebhookEndpoint
from libs.common.contracts.notifier.errors import ReplayDone, ReplayNotFound
from libs.common.ids import new_id
from services.notifier.deliveries.domain import Selection
from services.notifier.deliveries.sql.selection import CHOOSE
from services.notifier.replays import commands as replay_commands
from services.notifier.replays import queries as replay_queries
from tests.integration.notifier.conftest import Notifier, Receiver
from tests.support.waiting import until

DAY = timedelta(days=1)
MESSAGES = 1_200
"""More than two steps of a replay."""


@pytest.fixture
def clock() -> ManualClock:
    """Stands at the real time, of which event ids tell."""
    return ManualClock(datetime.now(UTC))


async def fail_once(notifier: Notifier, tenant_id: str, endpoint: WebhookEndpoint) -> None:
    """Schedule many deliveries and end them as an endpoint's end would."""
    for _ in range(3):
        await notifier.handle(*(notifier.event(tenant_id) for _ in range(MESSAGES // 3)))
    await notifier.database.write(
        "UPDATE deliveries SET status = 'FAILED', next_attempt_at = NULL, ended_at = now(), end_reason = 'exhausted' "
        "WHERE endpoint_id = $1",
        endpoint.id,
    )


async def statuses(notifier: Notifier, endpoint: WebhookEndpoint) -> dict[str, int]:
    rows = await notifier.database.fetch(
        "SELECT status, count(*) FROM deliveries WHERE endpoint_id = $1 GROUP BY status", endpoint.id
    )
    return {row["status"]: row["count"] for row in rows}


def rows_handled(node: dict[str, Any]) -> float:
    """Rows that a plan and all below it returned or threw away, over all of its loops."""
    own = sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter"))
    return float(own * node["Actual Loops"] + sum(rows_handled(part) for part in node.get("Plans", ())))


async def cancel(notifier: Notifier, tenant_id: str, replay_id: UUID | None) -> Replay:
    assert replay_id is not None
    request = CancelReplay(tenant_id=tenant_id, replay_id=replay_id)
    return await replay_commands.cancel_replay(notifier.database, request, clock=notifier.clock)


async def test_a_cancelled_replay_keeps_its_progress_and_schedules_no_more(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await fail_once(notifier, tenant_id, endpoint)
    notifier.clock.advance(DAY)
    begun = await notifier.replay(tenant_id, endpoint.id)
    assert (begun.status, begun.total) == ("RUNNING", MESSAGES)
    assert begun.id is not None
    assert await replay_commands.advance_replays(notifier.database, clock=notifier.clock, rounds=1)
    request = GetReplay(tenant_id=tenant_id, replay_id=begun.id)
    step = (await replay_queries.get_replay(notifier.database, request)).scheduled
    assert 0 < step < MESSAGES
    with pytest.raises(ReplayNotFound):
        await cancel(notifier, tenant_id + "-other", begun.id)
    cancelled = await cancel(notifier, tenant_id, begun.id)
    assert (cancelled.status, cancelled.total, cancelled.scheduled) == ("CANCELLED", MESSAGES, step)
    assert cancelled.ended_at == notifier.clock.now()
    notifier.clock.advance(DAY)
    assert await cancel(notifier, tenant_id, begun.id) == cancelled
    assert await replay_queries.get_replay(notifier.database, request) == cancelled
    assert not await replay_commands.advance_replays(notifier.database, clock=notifier.clock)
    assert await statuses(notifier, endpoint) == {"PENDING": step, "FAILED": MESSAGES - step}
    # What it had scheduled is delivered all the same.
    async with notifier.delivering():

        async def delivered() -> bool:
            return await statuses(notifier, endpoint) == {"DELIVERED": step, "FAILED": MESSAGES - step}

        await until(delivered)
    # The rest is there for another one.
    rest = await notifier.replay(tenant_id, endpoint.id, "another")
    assert rest.total == MESSAGES - step


async def test_a_step_looks_each_delivery_up_once_with_and_without_statistics(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await fail_once(notifier, tenant_id, endpoint)
    values = CHOOSE.arguments(
        {
            "tenant_id": tenant_id,
            "endpoint_id": endpoint.id,
            "after": UUID(int=0),
            "until": UUID(int=(1 << 128) - 1),
            "selection": Selection(outcomes=("failed",), listed_types=("*",)),
            "limit": 500,
        }
    )
    for has_statistics in (False, True):
        async with notifier.database.transaction() as tx:
            if has_statistics:
                await tx.execute("ANALYZE messages, deliveries")
            await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            plan = await tx.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {CHOOSE.text}", *values)
        # A few times the step in all of the plan's nodes, never one table for each row of another.
        assert rows_handled(msgspec.json.decode(plan)[0]["Plan"]) <= 20 * 500


async def test_a_step_fills_no_more_than_the_room_before_live_events(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await fail_once(notifier, tenant_id, endpoint)
    notifier.clock.advance(DAY)
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(300)))
    await notifier.replay(tenant_id, endpoint.id)
    while await replay_commands.advance_replays(notifier.database, clock=notifier.clock):
        continue
    assert (await statuses(notifier, endpoint))["PENDING"] == 1_000


async def test_a_replay_that_is_done_or_unknown_is_not_cancelled(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    begun = await notifier.replay(tenant_id, endpoint.id)
    while await replay_commands.advance_replays(notifier.database, clock=notifier.clock):
        continue
    with pytest.raises(ReplayDone):
        await cancel(notifier, tenant_id, begun.id)
    with pytest.raises(ReplayNotFound):
        await cancel(notifier, tenant_id, new_id())


async def test_a_replay_ends_with_its_endpoint(notifier: Notifier, receiver: Receiver, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url)
    await fail_once(notifier, tenant_id, endpoint)
    notifier.clock.advance(DAY)
    begun = await notifier.replay(tenant_id, endpoint.id)
    await notifier.change(tenant_id, endpoint.id, is_active=False)
    while await replay_commands.advance_replays(notifier.database, clock=notifier.clock):
        continue
    assert begun.id is not None
    ended = await replay_queries.get_replay(notifier.database, GetReplay(tenant_id=tenant_id, replay_id=begun.id))
    assert (ended.status, ended.scheduled, ended.total) == ("CANCELLED", 0, MESSAGES)


@asynccontextmanager
async def moment(notifier: Notifier) -> AsyncIterator[None]:
    """What happens inside has ids of a later moment than what happened before."""
    before = datetime.now(UTC)

    async def passed() -> bool:
        return datetime.now(UTC) >= before + timedelta(milliseconds=2)

    await until(passed)
    notifier.clock.advance(max(timedelta(), datetime.now(UTC) - notifier.clock.now()))
    yield
    await until(passed)


async def test_switched_on_again_an_endpoint_is_offered_exactly_what_it_missed(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    endpoint = await notifier.register(tenant_id, receiver.url, ["payment.settled"])
    async with moment(notifier), notifier.delivering():
        await notifier.handle(*(notifier.event(tenant_id) for _ in range(4)))
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    receiver.status = 503
    async with moment(notifier), notifier.delivering():
        # Two that fail and wait when the endpoint is switched off: they received neither.
        failing = [notifier.event(tenant_id) for _ in range(2)]
        await notifier.handle(*failing)

        async def failed() -> bool:
            shown = await notifier.shown(tenant_id, endpoint.id)
            return shown.health is not None and shown.health.consecutive_failures == 2

        await until(failed)
    async with moment(notifier):
        await notifier.change(tenant_id, endpoint.id, is_active=False)
        missed = [notifier.event(tenant_id) for _ in range(3)]
        await notifier.handle(*missed)
    async with moment(notifier):
        receiver.status = 200
        receiver.received.clear()
        back = await notifier.change(tenant_id, endpoint.id, is_active=True)
    assert back.gap is not None
    assert back.gap.count == len(failing) + len(missed) == 5
    bounds: dict[str, Any] = {"since": back.gap.since, "until": back.gap.until}
    assert (await notifier.replay(tenant_id, endpoint.id, is_dry_run=True, **bounds)).total == back.gap.count
    begun = await notifier.replay(tenant_id, endpoint.id, **bounds)
    while await replay_commands.advance_replays(notifier.database, clock=notifier.clock):
        continue
    assert begun.total == back.gap.count
    async with notifier.delivering():

        async def delivered() -> bool:
            return await statuses(notifier, endpoint) == {"DELIVERED": 9}

        await until(delivered)
    webhook_ids = sorted(request.headers["webhook-id"] for request in receiver.received)
    assert webhook_ids == sorted(str(event.event_id) for event in failing + missed)


async def test_replay_begun_by_an_earlier_version_still_finds_what_is_missing(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    await notifier.register(tenant_id, receiver.url)
    await notifier.handle(notifier.event(tenant_id))
    late = await notifier.register(tenant_id, receiver.url)
    begun = await notifier.replay(
        tenant_id, late.id, outcomes=("missing",), since=notifier.clock.now() - DAY, until=notifier.clock.now() + DAY
    )
    assert (begun.status, begun.total) == ("RUNNING", 1)
    await notifier.database.write(
        "UPDATE replays SET selection = replace(selection, 'listed_types', 'wanted_types') WHERE id = $1", begun.id
    )
    await replay_commands.advance_replays(notifier.database, clock=notifier.clock)
    assert await statuses(notifier, late) == {"PENDING": 1}
