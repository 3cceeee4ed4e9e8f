"""How a claim is divided: no tenant's queue, however long, keeps another's single delivery from the first claim."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from services.notifier import commands
from services.notifier.domain import Claimed
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
    return await commands.claim(
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
    await notifier.hear(*(notifier.event(tenant_id) for _ in range(events)))
    notifier.clock.advance(timedelta(seconds=30))


async def test_single_delivery_is_in_the_first_claim_beside_thousands(notifier: Notifier, tenant_id: str) -> None:
    rude, quiet = f"{tenant_id}-rude", f"{tenant_id}-quiet"
    await flood(notifier, rude, endpoints=18, events=200)
    await notifier.register(quiet, URL)
    await notifier.hear(notifier.event(quiet))
    claimed = Counter(c.tenant_id for c in await claim(notifier))
    assert claimed == {rude: 99, quiet: 1}


async def test_single_delivery_is_claimed_where_few_places_are_left(notifier: Notifier, tenant_id: str) -> None:
    rude, quiet = f"{tenant_id}-rude", f"{tenant_id}-quiet"
    await flood(notifier, rude, endpoints=5, events=50)
    await notifier.register(quiet, URL)
    await notifier.hear(notifier.event(quiet))
    (claimed,) = await claim(notifier, limit=1, in_flight={rude: 40})
    assert claimed.tenant_id == quiet


async def test_no_tenant_has_more_under_way_than_its_bound(notifier: Notifier, tenant_id: str) -> None:
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
