"""What was posted in a window is read page by page, each a step of its own: no lease ends meanwhile, and a killed run goes on behind its last page."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.common.contracts.base import Message
from libs.common.contracts.ledger_facts import ListEntryFacts
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from services.gateway.reconciliation.runs import sql
from services.gateway.reconciliation.runs.commands import reading
from services.gateway.reconciliation.runs.domain.run import Phase
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.listing import Listing
from tests.integration.gateway.reconciliation.test_at_once import paid, record
from tests.integration.gateway.reconciliation.test_only_booked import LATELY, SINCE, UNTIL, K, Posting

PAYMENTS = 6
LEASE = timedelta(minutes=3)


class Slow(Posting):
    """Sides whose books take their time for each page of what was posted."""

    def __init__(self) -> None:
        super().__init__()
        self.page_max = 2
        self.pages = 0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def request(self, message: Message) -> Any:
        """Answer, after something else has happened."""
        if isinstance(message, ListEntryFacts) and message.posted_from is not None and self.meanwhile is not None:
            self.pages += 1
            await self.meanwhile()
        return await super().request(message)


@pytest.fixture
async def sides(office: Office, monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setattr(reading, "_STEP_MAX", 2)
    found = Slow()
    for each in (made := [paid(number) for number in range(PAYMENTS)]):
        found.facts += Listing(each).facts
        found.booked += [msgspec.structs.replace(entry, posted_at=LATELY) for entry in each.entries]
    await record(office, *made)
    office.sides = found
    office.runs = office.another()
    return found


async def test_lease_is_renewed_with_each_page_of_what_was_posted(office: Office, sides: Slow) -> None:
    async def somebody_else_looks() -> None:
        # A page is read while the one before it is written down.
        office.clock.advance(LEASE * 0.4)
        assert await sql.claim(office.database, now=office.clock.now(), lease=LEASE) is None

    sides.meanwhile = somebody_else_looks
    run = await office.compare(SINCE, UNTIL)
    assert (run.state, run.payments, run.matched) == ("complete", PAYMENTS, PAYMENTS)
    assert sides.pages > 2 * PAYMENTS
    assert await office.rows("SELECT * FROM reconciliation_posted WHERE tenant_id = $1") == []


async def test_killed_run_goes_on_behind_the_last_page(office: Office, sides: Slow) -> None:
    async def fails_once() -> None:
        if sides.pages == 4:
            raise Unavailable("the ledger is away")

    sides.meanwhile = fails_once
    run = await office.compare(SINCE, UNTIL)
    assert (run.state, run.phase) == ("running", Phase.POSTED)
    # Three entries of each payment, of which one names none; two on a page.
    listed = await office.rows("SELECT payment_intent_id FROM reconciliation_posted WHERE tenant_id = $1")
    assert 0 < len(listed) < PAYMENTS
    other = office.another()
    office.clock.advance(timedelta(hours=1))
    await other.work()
    [after] = await office.rows("SELECT state, progress FROM reconciliation_runs WHERE tenant_id = $1")
    counted = msgspec.json.decode(after["progress"])
    assert (after["state"], counted["payments"], counted["matched"]) == ("complete", PAYMENTS, PAYMENTS)
    pages = 3 * PAYMENTS // 2 + 1
    # Once for its payments, once for what belongs to none, and the one that failed.
    assert sides.pages == 2 * pages + 1
    assert await office.rows("SELECT * FROM reconciliation_posted WHERE tenant_id = $1") == []


class Perilous(Slow):
    """Sides that are requested by gateways of which some are killed, and some held up until another one has gone on with their run."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.kills = 0
        self.overtaken = 0
        self.overtake: Callable[[], Awaitable[None]] | None = None

    async def request(self, message: Message) -> Any:
        """Answer, unless whoever requests is killed before."""
        overtake, fate = self.overtake, self.chance.random()
        if fate < 0.1:
            self.kills += 1
            raise asyncio.CancelledError
        if fate > 0.93 and overtake is not None:
            self.overtaken += 1
            self.overtake = None
            await overtake()
            self.overtake = overtake
        return await super().request(message)


@pytest.mark.sampled(each=2)
@pytest.mark.parametrize("seed", range(5))
async def test_two_gateways_that_are_killed_compare_each_payment_once(office: Office, sides: Slow, seed: int) -> None:
    chance = random.Random(seed)
    office.sides = perilous = Perilous(chance)
    made = [paid(number) for number in range(PAYMENTS, PAYMENTS + 5)]
    await record(office, *made)
    perilous.facts = [*sides.facts, *Listing(*made).facts]
    every = [*sides.booked, *(entry for each in made for entry in each.entries)]
    # The first payment is the last of which something was posted, and alone on the last page.
    perilous.booked = [
        msgspec.structs.replace(entry, posted_at=LATELY - timedelta(seconds=place // 3))
        for place, entry in enumerate(every)
    ]
    perilous.page_max = 5
    gateways = [office.another(), office.another()]

    async def one_goes_on() -> None:
        # Whoever had the run before has it no more.
        office.clock.advance(LEASE * 1.1)
        work = asyncio.create_task(chance.choice(gateways).work())
        await asyncio.wait([work])
        assert work.cancelled() or work.exception() is None

    perilous.overtake = one_goes_on
    office.runs = gateways[0]
    requested = asyncio.create_task(office.compare(SINCE, UNTIL))
    await asyncio.wait([requested])
    read = "SELECT state, progress FROM reconciliation_runs WHERE tenant_id = $1"
    for _ in range(200):
        [run] = await office.rows(read)
        if run["state"] != "running":
            break
        await one_goes_on()
    counted = msgspec.json.decode(run["progress"])
    assert (run["state"], counted["payments"], counted["matched"]) == ("complete", PAYMENTS + 5, PAYMENTS + 5)
    assert perilous.kills + perilous.overtaken > 2
    assert await office.rows("SELECT * FROM reconciliation_posted WHERE tenant_id = $1") == []
    assert await office.rows("SELECT * FROM discrepancies WHERE tenant_id = $1") == []


async def test_what_an_abandoned_run_had_listed_is_deleted(office: Office, sides: Slow) -> None:
    async def fails() -> None:
        if sides.pages > 2:
            raise Unavailable("the ledger is away")

    sides.meanwhile = fails
    await office.compare(SINCE, UNTIL)
    listed = "SELECT payment_intent_id FROM reconciliation_posted WHERE tenant_id = $1"
    assert await office.rows(listed)
    await office.runs.forget()
    assert await office.rows(listed)
    for _ in range(20):
        office.clock.advance(timedelta(hours=2))
        await office.runs.work()
    await office.runs.forget()
    assert await office.rows(listed) == []


async def test_entry_adjusted_by_hand_that_is_explained_later_is_found(office: Office) -> None:
    sides = Posting()
    office.sides = sides
    office.runs = office.another()
    movement = new_id(LATELY)
    sides.book(K.MOVEMENT, movement)
    await office.compare(SINCE, UNTIL)
    adjusted = (
        "UPDATE discrepancies SET state = 'resolved', reason = 'adjusted', settled_at = now() WHERE tenant_id = $1"
    )
    async with office.database.connection() as connection:
        assert await connection.execute(adjusted, office.tenant_id) == "UPDATE 1"
    later = UNTIL + timedelta(days=3)
    office.clock.advance(timedelta(days=5))
    # As long as nothing explains it, what somebody has done about it stands.
    run = await office.compare(later, later + timedelta(hours=1))
    shown = "SELECT type, state, reason FROM discrepancies WHERE tenant_id = $1"
    assert await office.rows(shown) == [{"type": "MISSING_REMOTE", "state": "resolved", "reason": "adjusted"}]
    await office.move(100, LATELY, movement_id=movement)
    run = await office.compare(later, later + timedelta(hours=1))
    assert (run.state, run.new) == ("complete", 1)
    assert await office.rows(shown) == [{"type": "DUPLICATE", "state": "reopened", "reason": ""}]


@pytest.mark.parametrize("known_max", [1, 2, 3, 7])
async def test_what_runs_have_found_is_looked_at_page_by_page(
    office: Office, monkeypatch: pytest.MonkeyPatch, known_max: int
) -> None:
    monkeypatch.setattr("services.gateway.reconciliation.runs.commands.posted._KNOWN_MAX", known_max)
    sides = Posting()
    office.sides = sides
    office.runs = office.another()
    for _ in range(6):
        sides.book(K.MOVEMENT, new_id(LATELY))
    assert (await office.compare(SINCE, UNTIL)).new == 6
    sides.booked = [msgspec.structs.replace(each, is_reversed=place != 2) for place, each in enumerate(sides.booked)]
    run = await office.compare(UNTIL, UNTIL + timedelta(hours=1))
    assert (run.state, run.agreed, run.found) == ("complete", 5, {"MISSING_REMOTE": 1})
