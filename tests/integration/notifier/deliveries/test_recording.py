"""Which outcomes of attempts count: those of who holds the delivery, each once, whatever stands beside them in a group."""

import random
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.notifier.deliveries import commands as delivery_commands
from services.notifier.deliveries.domain import Attempt, Claimed, Decision
from services.notifier.sending import Answer
from tests.integration.notifier.conftest import Notifier

URL = "https://merchant.example/hooks"
_LEASE = timedelta(seconds=60)
_OK = Answer(status_code=200, excerpt="")
_BROKEN = Answer(status_code=503, excerpt="")


async def claim(notifier: Notifier) -> list[Claimed]:
    return await delivery_commands.claim(
        notifier.database,
        slots={},
        slots_default=100,
        limit=1_000,
        in_flight={},
        tenant_max=1_000,
        lease=_LEASE,
        clock=notifier.clock,
    )


async def record(notifier: Notifier, made: Sequence[tuple[Claimed, Answer]]) -> list[Decision | None]:
    attempts = [
        Attempt(claimed=claimed, answer=answer, attempted_at=notifier.clock.now(), duration_ms=1, chance=0.5)
        for claimed, answer in made
    ]
    return await delivery_commands.record(
        notifier.database, attempts, policy=notifier.policy, health=notifier.health, clock=notifier.clock
    )


async def test_stale_outcome_does_not_take_the_others_with_it(notifier: Notifier, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, URL)
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(3)))
    stale = await claim(notifier)
    notifier.clock.advance(_LEASE + timedelta(seconds=1))
    fresh = await claim(notifier)
    assert len(stale) == len(fresh) == 3
    results = await record(notifier, [(stale[0], _BROKEN), *((claimed, _OK) for claimed in fresh)])
    assert [result is None for result in results] == [True, False, False, False]
    found = await notifier.deliveries(tenant_id, endpoint.id)
    assert [(d.status, len(d.attempts)) for d in found] == [("DELIVERED", 1)] * 3


async def test_any_mix_of_stale_and_fresh_outcomes_counts_the_fresh_once(notifier: Notifier, tenant_id: str) -> None:
    for seed in range(25):
        await one_mix(notifier, f"{tenant_id}-{seed}", random.Random(seed))


async def one_mix(notifier: Notifier, tenant_id: str, chance: random.Random) -> None:
    endpoint = await notifier.register(tenant_id, URL)
    await notifier.handle(*(notifier.event(tenant_id) for _ in range(8)))
    rounds: list[list[Claimed]] = []
    for _ in range(chance.randint(2, 4)):
        rounds.append([claimed for claimed in await claim(notifier) if claimed.tenant_id == tenant_id])
        notifier.clock.advance(_LEASE + timedelta(seconds=1))
    newest = {claimed.event_id: claimed.fence for held in rounds for claimed in held}
    # Stale, fresh, and the same twice, in any order.
    group = [claimed for held in rounds for claimed in held if chance.random() < 0.6]
    group += chance.sample(group, k=len(group) // 4)
    chance.shuffle(group)
    results = await record(notifier, [(claimed, _OK) for claimed in group])
    counted = [claimed for claimed, result in zip(group, results, strict=True) if result is not None]
    fresh = {claimed.event_id for claimed in group if claimed.fence == newest[claimed.event_id]}
    assert sorted(claimed.event_id for claimed in counted) == sorted(fresh)
    found: dict[UUID, tuple[str, int]] = {
        d.event_id: (d.status, len(d.attempts)) for d in await notifier.deliveries(tenant_id, endpoint.id)
    }
    assert found == {event_id: ("DELIVERED", 1) if event_id in fresh else ("PENDING", 0) for event_id in newest}
