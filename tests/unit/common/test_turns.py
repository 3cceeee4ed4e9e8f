"""Places are given to tenants in turn: by count, whatever the flood of one."""

import asyncio

import pytest

from libs.common.messaging.turns import Turns


class Service:
    """Work that begins when it gets a place, and ends on command."""

    def __init__(self, places: int) -> None:
        self.turns = Turns(places)
        self.begun: list[str] = []
        self.going: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def _work(self, tenant_id: str) -> None:
        async with self.turns.place(tenant_id):
            self.begun.append(tenant_id)
            self.going.append(end := asyncio.Event())
            await end.wait()

    async def ask(self, tenant_id: str, count: int) -> None:
        self.tasks += [asyncio.create_task(self._work(tenant_id)) for _ in range(count)]
        await asyncio.sleep(0)

    async def finish(self, count: int = 1) -> None:
        for _ in range(count):
            self.going.pop(0).set()
            for _ in range(4):
                await asyncio.sleep(0)


async def test_a_tenant_finds_a_place_at_once_beside_the_flood_of_another() -> None:
    service = Service(8)
    await service.ask("rude", 1_000)
    assert service.begun == ["rude"] * 6
    await service.ask("quiet", 1)
    assert service.begun[-1] == "quiet"
    assert service.turns.waiting("rude") == 994
    for task in service.tasks:
        task.cancel()


async def test_where_all_places_are_taken_the_next_free_ones_go_round() -> None:
    service = Service(4)
    for tenant in ("rude", "other"):
        await service.ask(tenant, 100)
    assert service.begun == ["rude", "rude", "rude", "other"]
    await service.ask("quiet", 2)
    await service.finish(6)
    assert service.begun[4:].count("quiet") == 2
    assert service.begun[4:8].count("quiet") >= 1
    for task in service.tasks:
        task.cancel()


async def test_places_come_back_from_who_leaves_before_during_and_after() -> None:
    service = Service(1)
    await service.ask("a", 3)
    service.tasks[1].cancel()
    await asyncio.sleep(0)
    assert service.turns.waiting("a") == 1
    # The place is given at the very moment in which its taker leaves.
    service.going.pop(0).set()
    await asyncio.sleep(0)
    service.tasks[2].cancel()
    await asyncio.gather(*service.tasks, return_exceptions=True)
    await service.ask("b", 1)
    assert service.begun[-1] == "b"
    await service.finish()
    async with asyncio.timeout(5), service.turns.place("a"):
        pass
    with pytest.raises(RuntimeError):
        async with service.turns.place("a"):
            raise RuntimeError
    async with asyncio.timeout(5), service.turns.place("a"):
        assert service.turns.waiting("a") == 0
