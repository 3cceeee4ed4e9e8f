"""How a claim is divided: no tenant's queue, however long, keeps another's single delivery from the first claim."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from services.notifier.deliveries import commands as delivery_commands
from services.notifier.deliveries.domain import Claimed
from services.notifier.replays import commands as replay_commands
from tests.integration.notifier.conftest import Notifier

URL = "https://merchant.example/hooks"


async def claim(
    notifier: Notifier,
    *,
    limit: int = 100,
    slots_default: int = 32,
    in_flight: Mapping[str, int] | None = None,
    tenant_max: int = 1_000,
) -> list[Claimed]:
    return await delivery_commands.claim(
        notifier.database,
        slots={},
        slots_default=slots_default,
        limit=limit,
        in_flight=in_flight or {},
        tenant_max=tenant_max,
        lease=timedelta(seconds=60),
        clock=notifier.clock,
    )


async def flood(notifier: Notifier, tenant_id: str, *, endpoints: int, events: int) -> None:
    """Make a tenant that has much due, all of it older than what follows."""
    for _ in range(endpoints):
        await notifier.register(tenant_id, URL)
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(events)))
    notifier.clock.advance(timedelta(seconds=30))


async def test_single_delivery_is_in_the_first_claim_beside_thousands(notifier: Notifier, tenant_id: str) -> None:
    rude, quiet = f"{tenant_id}-rude", f"{tenant_id}-quiet"
    await flood(notifier, rude, endpoints=18, events=200)
    await notifier.register(quiet, URL)
    await notifier.handle(notifier.event(quiet))
    claimed = Counter(c.tenant_id for c in await claim(notifier))
    assert claimed == {rude: 99, quiet: 1}


async def test_single_delivery_is_claimed_where_few_places_are_left(notifier: Notifier, tenant_id: str) -> None:
    rude, quiet = f"{tenant_id}-rude", f"{tenant_id}-quiet"
    await flood(notifier, rude, endpoints=5, events=50)
    await notifier.register(quiet, URL)
    await notifier.handle(notifier.event(quiet))
    (claimed,) = await claim(notifier, limit=1, in_flight={rude: 40})
    assert claimed.tenant_id == quiet


async def test_no_tenant_has_more_in_progress_than_its_bound(notifier: Notifier, tenant_id: str) -> None:
    await flood(notifier, tenant_id, endpoints=10, events=30)
    assert len(await claim(notifier, slots_default=4, in_flight={tenant_id: 8}, tenant_max=25)) == 17
    assert await claim(notifier, in_flight={tenant_id: 25}, tenant_max=25) == []


async def test_tenants_that_are_alike_get_alike(notifier: Notifier, tenant_id: str) -> None:
    tenants = [f"{tenant_id}-{number}" for number in range(5)]
    for number, tenant in enumerate(tenants):
        await flood(notifier, tenant, endpoints=1 + number, events=40)
    claimed = Counter(c.tenant_id for c in await claim(notifier))
    assert set(claimed) == set(tenants)
    assert min(claimed.values()) >= 20


async def test_replay_waits_while_its_endpoint_has_much_due_and_others_go_on(
    notifier: Notifier, tenant_id: str
) -> None:
    busy, quiet = f"{tenant_id}-busy", f"{tenant_id}-quiet"
    for tenant in (busy, quiet):
        endpoint, event = await notifier.register(tenant, URL), notifier.event(tenant)
        await notifier.handle(event)
        await notifier.database.write(
            "UPDATE deliveries SET status = 'FAILED', next_attempt_at = NULL, ended_at = now(), end_reason = 'exhausted' "
            "WHERE tenant_id = $1 RETURNING 1",
            tenant,
        )
        await notifier.replay(tenant, endpoint.id, outcomes=("failed",), event_ids=(event.event_id,))
    await notifier.handle(*(notifier.event(busy) for _ in range(1_000)))
    while await replay_commands.advance_replays(notifier.database, clock=notifier.clock):
        continue
    rows = await notifier.database.fetch("SELECT tenant_id, status, scheduled FROM replays ORDER BY tenant_id")
    assert [tuple(row) for row in rows] == [(busy, "RUNNING", 0), (quiet, "DONE", 1)]
    # Once some of it was worked off, the rest follows.
    await claim(notifier, limit=10)
    while await replay_commands.advance_replays(notifier.database, clock=notifier.clock):
        continue
    rows = await notifier.database.fetch("SELECT status, scheduled FROM replays WHERE tenant_id = $1", busy)
    assert [tuple(row) for row in rows] == [("DONE", 1)]


async def test_replay_waits_for_one_step_of_another_tenant_with_many_replays(
    notifier: Notifier, tenant_id: str
) -> None:
    rude, quiet = f"{tenant_id}-rude", f"{tenant_id}-quiet"
    for tenant, endpoints in ((rude, 6), (quiet, 1)):
        own = [await notifier.register(tenant, URL) for _ in range(endpoints)]
        await notifier.handle(*(notifier.event(tenant) for _ in range(5)))
        await notifier.database.write(
            "UPDATE deliveries SET status = 'FAILED', next_attempt_at = NULL, ended_at = now(), end_reason = 'exhausted' "
            "WHERE tenant_id = $1 RETURNING 1",
            tenant,
        )
        notifier.clock.advance(timedelta(seconds=1))
        for endpoint in own:
            for number in range(5):
                await notifier.replay(tenant, endpoint.id, key=f"{number}", outcomes=("failed",))

    async def done() -> dict[str, int]:
        rows = await notifier.database.fetch("SELECT tenant_id FROM replays WHERE status = 'DONE'")
        return Counter(row["tenant_id"] for row in rows)

    # All of the one were requested before any of the other, and each is done in one step.
    for served in (1, 2):
        assert await replay_commands.advance_replays(notifier.database, clock=notifier.clock, rounds=1)
        assert await done() == {rude: served, quiet: served}


async def test_what_was_tried_ten_thousand_times_is_not_replayed(notifier: Notifier, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, URL)
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(2)))
    await notifier.database.write(
        "UPDATE deliveries SET status = 'FAILED', next_attempt_at = NULL, ended_at = now(), end_reason = 'exhausted', "
        "attempts = CASE WHEN event_id = (SELECT event_id FROM messages ORDER BY event_id LIMIT 1) THEN 32767 ELSE 11 END RETURNING 1"
    )
    notifier.clock.advance(timedelta(hours=1))
    replay = await notifier.replay(tenant_id, endpoint.id, outcomes=("failed",))
    assert replay.total == 1
