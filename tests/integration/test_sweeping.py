"""A message that is lost anywhere on a payment's way: the sweeper publishes it again, and the processor acts once."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from prometheus_client import REGISTRY

from deploy.local.servers import Servers
from services.api.payments.domain import CaptureMethod
from services.gateway.processors.sandbox.nouns import SandboxPayment
from tests.proof.world import STUCK_AFTER, World, open_world

AUTOMATIC, MANUAL = CaptureMethod.AUTOMATIC, CaptureMethod.MANUAL
TICK = STUCK_AFTER / 100


@pytest.fixture(scope="module")
async def world(servers: Servers) -> AsyncIterator[World]:
    async with open_world(servers) as opened:
        yield opened


class Payment:
    """One payment in a world that loses some messages."""

    def __init__(self, world: World, tenant_id: str) -> None:
        self.world = world
        self.tenant_id = tenant_id
        self.intent = UUID(int=0)
        self._keys = 0

    async def begin(self, *, amount_minor: int = 15_000, method: CaptureMethod = AUTOMATIC) -> None:
        self.intent = await self.world.create(self.tenant_id, amount_minor=amount_minor, method=method, key="create")
        await self.ask("confirm")

    async def ask(self, command: str, amount_minor: int | None = None) -> None:
        self._keys += 1
        await self.world.ask(self.tenant_id, self.intent, command, amount_minor=amount_minor, key=f"k-{self._keys}")

    async def pass_messages(self, *, lost: str = "") -> int:
        """Deliver until nothing is pending, but for what goes to the queue that is `lost`; returns how many that were."""
        lost_count = 0
        while True:
            await self.world.collect()
            kept = [letter for letter in self.world.post.bag if letter.queue != lost]
            lost_count += len(self.world.post.bag) - len(kept)
            self.world.post.bag[:] = kept
            if not kept:
                return lost_count
            await self.world.post.deliver(random.Random(0), share=1, doubled=0)

    async def resolve(self, *, lost: str = "") -> None:
        """Let what was declined be cancelled, and the next authorization be sent, but for what goes to the queue that is `lost`."""
        for _ in range(3):
            await self.pass_messages(lost=lost)
            await self.world.work()
        await self.pass_messages(lost=lost)

    async def sweep(self) -> int:
        """Let as much time pass as a payment may wait, and sweep."""
        self.world.clock.advance(STUCK_AFTER + TICK)
        return await self.world.sweeper.sweep()

    async def status(self) -> str:
        status: str = await self.world.eyes.fetchval(
            "SELECT status FROM api.payment_intents WHERE id = $1", self.intent
        )
        return status

    async def asks(self) -> dict[str, int]:
        """How often the processor was called, by operation."""
        rows = await self.world.eyes.fetch(
            "SELECT operation, sum(asks) AS asks FROM gateway.attempts WHERE payment_intent_id = $1 GROUP BY 1",
            self.intent,
        )
        return {row["operation"]: int(row["asks"]) for row in rows}

    async def book(self) -> SandboxPayment:
        """The payment in the processor's own book."""
        body = await self.world.eyes.fetchval(
            "SELECT body FROM gateway.sandbox_payments WHERE body::json ->> 'payment_intent_id' = $1", str(self.intent)
        )
        return msgspec.json.decode(body, type=SandboxPayment)

    async def entries(self) -> list[str]:
        """The kinds of its entries in the books."""
        rows = await self.world.eyes.fetch(
            "SELECT kind FROM ledger.journal_entries WHERE payment_intent_id = $1 ORDER BY posted_at", self.intent
        )
        return [row["kind"] for row in rows]


@pytest.fixture
async def payment(world: World, tenant_id: str) -> Payment:
    await world.forget()
    await world.eyes.execute("DELETE FROM api.sweeps")
    await world.eyes.execute("UPDATE api.payment_intents SET status = 'FAILED'")
    await world.eyes.execute("UPDATE api.refunds SET status = 'FAILED' WHERE status = 'PENDING'")
    return Payment(world, tenant_id)


@pytest.mark.parametrize(
    ("lost", "waits"),
    [
        ("gateway.payment.authorize", "PROCESSING"),
        ("api.payment.authorized", "PROCESSING"),
        ("gateway.payment.capture", "AUTHORIZED"),
        ("ledger.payment.captured", "AUTHORIZED"),
        ("api.journal_entry.posted", "AUTHORIZED"),
    ],
)
async def test_a_message_lost_before_settlement_is_published_again(payment: Payment, lost: str, waits: str) -> None:
    await payment.begin()
    assert await payment.pass_messages(lost=lost) == 1
    assert await payment.status() == waits
    assert await payment.sweep() == 1
    await payment.pass_messages()
    assert await payment.status() == "SETTLED"
    assert await payment.asks() == {"authorize": 1, "capture": 1}
    assert (await payment.book()).captured_minor == 15_000
    assert await payment.entries() == ["capture"]
    assert payment.world.post.dead == []
    assert await payment.sweep() == 0


async def test_both_events_of_a_capture_lost_are_published_again(payment: Payment) -> None:
    await payment.begin()
    await payment.pass_messages(lost="gateway.payment.capture")
    await payment.sweep()
    await payment.world.collect()
    await payment.world.post.deliver(random.Random(0), share=1, doubled=0)
    await payment.world.collect()
    payment.world.post.bag.clear()
    assert await payment.status() == "AUTHORIZED"
    assert await payment.sweep() == 1
    await payment.pass_messages()
    assert await payment.status() == "SETTLED"
    assert await payment.asks() == {"authorize": 1, "capture": 1}


async def test_a_lost_decline_is_published_again(payment: Payment) -> None:
    await payment.begin(amount_minor=9_001)
    await payment.pass_messages(lost="api.payment.declined")
    assert await payment.sweep() == 1
    await payment.pass_messages()
    assert await payment.status() == "FAILED"
    assert (await payment.asks())["authorize"] == 1


@pytest.mark.parametrize("lost", ["gateway.payment.authorize", "api.payment.authorized"])
async def test_second_authorization_survives_a_lost_message(payment: Payment, lost: str) -> None:
    await payment.begin(amount_minor=9_005)
    await payment.pass_messages()
    assert await payment.status() == "FAILED"
    await payment.ask("confirm_again")
    await payment.resolve(lost=lost)
    assert await payment.status() == "PROCESSING"
    # What is known of the first one is published again too, and is no outcome of the second.
    assert await payment.sweep() == 1
    await payment.resolve()
    assert await payment.status() == "SETTLED"
    assert await payment.asks() == {"authorize": 2, "close": 1, "capture": 1}
    assert await payment.entries() == ["capture"]
    assert payment.world.post.dead == []
    assert await payment.sweep() == 0


@pytest.mark.parametrize("lost", ["gateway.payment.void", "api.payment.voided"])
async def test_a_lost_void_is_published_again(payment: Payment, lost: str) -> None:
    await payment.begin(method=MANUAL)
    await payment.pass_messages()
    await payment.ask("void")
    await payment.pass_messages(lost=lost)
    assert await payment.status() == "AUTHORIZED"
    assert await payment.sweep() == 1
    await payment.pass_messages()
    assert await payment.status() == "VOIDED"
    assert await payment.asks() == {"authorize": 1, "void": 1}


@pytest.mark.parametrize(
    ("lost", "waits"),
    [
        ("", "VOIDED"),
        ("gateway.payment.authorize", "PROCESSING"),
        ("api.payment.authorized", "PROCESSING"),
        ("gateway.payment.void", "AUTHORIZED"),
    ],
)
@pytest.mark.parametrize("method", CaptureMethod)
async def test_void_while_processing_survives_a_lost_message(
    payment: Payment, method: CaptureMethod, lost: str, waits: str
) -> None:
    await payment.begin(method=method)
    await payment.ask("void")
    await payment.pass_messages(lost=lost)
    assert await payment.status() == waits
    assert await payment.sweep() == (1 if lost else 0)
    await payment.pass_messages()
    assert (await payment.status(), await payment.asks()) == ("VOIDED", {"authorize": 1, "void": 1})
    assert (await payment.book()).captured_minor == 0


async def test_refused_void_of_an_automatic_capture_is_requested_again(payment: Payment) -> None:
    await payment.begin(amount_minor=9_061)
    await payment.ask("void")
    await payment.pass_messages()
    assert await payment.status() == "AUTHORIZED"
    assert await payment.sweep() == 1
    await payment.pass_messages()
    assert (await payment.status(), await payment.asks()) == ("AUTHORIZED", {"authorize": 1, "void": 2})
    # Its hold ends by itself, which the next release finds out.
    payment.world.clock.advance(timedelta(days=8))
    assert await payment.sweep() == 1
    await payment.pass_messages()
    assert await payment.status() == "VOIDED"
    assert (await payment.book()).captured_minor == 0


@pytest.mark.parametrize("lost", ["gateway.payment.capture", "api.payment.captured"])
async def test_a_lost_partial_capture_is_published_again(payment: Payment, lost: str) -> None:
    await payment.begin(method=MANUAL)
    await payment.pass_messages()
    await payment.ask("capture", 10_000)
    await payment.pass_messages(lost=lost)
    await payment.sweep()
    await payment.pass_messages()
    assert await payment.status() == "SETTLED"
    assert (await payment.book()).captured_minor == 10_000
    assert await payment.asks() == {"authorize": 1, "capture": 1}


@pytest.mark.parametrize("lost", ["gateway.payment.refund", "api.refund.succeeded"])
async def test_a_lost_refund_is_published_again(payment: Payment, lost: str) -> None:
    await payment.begin()
    await payment.pass_messages()
    await payment.ask("refund", 4_000)
    await payment.pass_messages(lost=lost)
    assert await payment.status() == "SETTLED"
    assert await payment.sweep() == 1
    await payment.pass_messages()
    assert await payment.status() == "PARTIALLY_REFUNDED"
    assert (await payment.book()).refunded_minor == 4_000
    assert await payment.asks() == {"authorize": 1, "capture": 1, "refund": 1}
    assert await payment.entries() == ["capture", "refund"]


async def test_pauses_double_up_to_the_longest(payment: Payment) -> None:
    await payment.begin()
    await payment.pass_messages(lost="gateway.payment.authorize")
    swept = []
    for step in range(32):
        payment.world.clock.advance(STUCK_AFTER + TICK if step == 0 else STUCK_AFTER / 2)
        if await payment.world.sweeper.sweep():
            swept.append(step)
    # After one, two and four times the age; four times is the longest pause here.
    assert swept == [0, 2, 6, 14, 22, 30]
    await payment.pass_messages()
    assert await payment.status() == "SETTLED"
    assert await payment.asks() == {"authorize": 1, "capture": 1}


async def test_what_waits_for_a_person_is_left_alone(payment: Payment) -> None:
    await payment.begin(method=MANUAL)
    await payment.pass_messages()
    assert await payment.sweep() == 0


async def test_an_unknown_outcome_is_left_to_the_schedule_of_its_key(payment: Payment) -> None:
    await payment.begin(amount_minor=9_013)
    await payment.pass_messages()
    calls = await payment.asks()
    assert await payment.status() == "PROCESSING"
    assert await payment.sweep() == 1
    await payment.pass_messages()
    assert await payment.asks() == calls
    await payment.world.work()
    await payment.pass_messages()
    assert await payment.status() == "SETTLED"
    assert (await payment.book()).captured_minor == 9_013


async def test_two_sweepers_at_once_publish_once(payment: Payment) -> None:
    await payment.begin()
    await payment.pass_messages(lost="gateway.payment.authorize")
    payment.world.clock.advance(STUCK_AFTER + TICK)

    counts = await asyncio.gather(*(payment.world.sweeper.sweep() for _ in range(4)))
    await payment.world.collect()
    assert len(payment.world.post.bag) == 1, counts


async def test_ages_are_measured_by_stage(payment: Payment) -> None:
    await payment.begin()
    await payment.pass_messages(lost="api.journal_entry.posted")
    payment.world.clock.advance(STUCK_AFTER)
    await payment.world.sweeper.measure()
    assert gauge("payments_waiting", "captured") == 1
    assert gauge("payments_waiting_oldest_seconds", "captured") >= STUCK_AFTER.total_seconds()
    assert gauge("payments_waiting", "processing") == 0
    await payment.sweep()
    await payment.pass_messages()
    await payment.world.sweeper.measure()
    assert gauge("payments_waiting", "captured") == gauge("payments_waiting_oldest_seconds", "captured") == 0
    assert payment.world.post.dead == []


def gauge(name: str, stage: str) -> float:
    value = REGISTRY.get_sample_value(name, {"stage": stage})
    assert value is not None
    return value
