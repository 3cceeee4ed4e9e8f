"""How many webhooks per second, how late, and how long is a page of the history? Real HTTP receivers, a real database.

    just bench-webhooks
    python -m tests.bench.webhooks --events 5000 --seconds 10 --history 100000

Four measurements, one after the other, each held against what the platform promises:

1. as fast as possible: deliveries per second, with every attempt recorded;
2. a steady rate, first with every endpoint answering, then with exactly a tenth of them hanging for 30 seconds: how much
   later the others receive;
3. the whole path: an intent is created over HTTP, and its event travels from the api's commit over outbox, relay and broker
   to the first attempt;
4. pages of the delivery list over HTTP, with a million deliveries kept.

The first two run one courier in this process, beside the scheduling; the others run the api and the notifier as processes.
Receivers have a process of their own. Prints a table; asserts nothing.
"""

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import msgspec
import uvloop

from deploy.local import servers as local
from libs.common.clock import SystemClock
from libs.common.contracts.api import PaymentSettled
from libs.common.contracts.notifier import RegisterEndpoint
from libs.common.db import Database
from libs.common.egress import LOCAL_NETWORKS, EgressGuard
from libs.common.ids import new_id
from libs.common.messaging import Received
from libs.common.observability.correlation import Correlation
from libs.common.observability.logging import configure
from services.notifier.deliveries import commands as delivery_commands
from services.notifier.deliveries.domain import RetryPolicy
from services.notifier.deliveries.workers import Courier
from services.notifier.endpoints import EndpointRules
from services.notifier.endpoints import commands as endpoint_commands
from services.notifier.sending import EndpointSecrets, Sender
from services.notifier.settings import LOCAL_ENCRYPTION_KEY, WebhookSettings
from tests.bench.webhook_path import HANGING_SECONDS, measure_path, receiver
from tests.support.databases import fresh_database

ROOT = Path(__file__).parents[2]
PROFILE = "dev"
"""Its servers keep what they confirm (`fsync` and `synchronous_commit` on), as those of production do."""
PACK = 100
"""Events that the bus hands over at once when there are many."""
ENDPOINTS = 50
HANGING = ENDPOINTS // 10
PER_SECOND = 300
"""The steady rate: six events a second for each endpoint, four times what one such machine settles."""
STEADY_PACK = 5

DELIVERIES_PER_SECOND_MIN = 1_000
P99_MOVES_SECONDS_MAX = 1.0
FIRST_ATTEMPT_P50_MS_MAX = 50
PAGE_P95_MS_MAX = 50


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What one courier is given to deliver."""

    events: int
    """Events, spread evenly over all endpoints."""
    hanging: int = 0
    """How many of the endpoints hang."""
    per_second: int = 0
    """Events per second; 0 is as fast as possible."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a load, at the endpoints that answer."""

    deliveries: int
    """Deliveries that arrived."""
    attempts: int
    """Attempts recorded for them."""
    seconds: float
    """From the first event to the last delivery's record."""
    late_ms: list[float]
    """From the commit that schedules a delivery to its first attempt, ascending."""


async def deliver(load: Load) -> Outcome:
    """Schedule events in packs as the bus hands them over, and deliver them at the same time."""
    # The timeout is as long as the hanging: nobody gets off sooner than promised.
    settings = WebhookSettings(webhook_drain_seconds=0.1, webhook_timeout_seconds=HANGING_SECONDS)
    policy, clock, guard = RetryPolicy.of(settings), SystemClock(), EgressGuard(allowed=LOCAL_NETWORKS)
    keyring, sender = EndpointSecrets(LOCAL_ENCRYPTION_KEY), Sender(settings, guard)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(receiver())
        made = await stack.enter_async_context(fresh_database(local.ensure(PROFILE, ROOT), ("notifier",)))
        database: Database = await stack.enter_async_context(made.open("notifier"))
        await stack.enter_async_context(sender.opened())
        rules = EndpointRules(is_local=True, allowed_ports=(), endpoints_max=10, admits=guard.admits)
        for number in range(ENDPOINTS):
            path = "hang" if number < load.hanging else "ok"
            request = RegisterEndpoint(
                tenant_id=f"tenant-{number}",
                endpoint_id=new_id(),
                url=f"http://127.0.0.1:{port}/{path}/{number}",
                events=["payment.*"],
            )
            await endpoint_commands.register_endpoint(database, request, rules=rules, secrets=keyring, clock=clock)
        courier = Courier(
            database=database, sender=sender, secrets=keyring, policy=policy, settings=settings, clock=clock
        )
        database.after_commit(courier.wake)
        working = asyncio.create_task(courier.run())
        began, pack = perf_counter(), STEADY_PACK if load.per_second else PACK
        for first in range(0, load.events, pack):
            events = [_received(f"tenant-{n % ENDPOINTS}") for n in range(first, min(first + pack, load.events))]
            async with database.transaction() as tx:
                await delivery_commands.schedule(tx, events, policy=policy, clock=clock)
            if load.per_second:
                await asyncio.sleep(max(0.0, began + (first + pack) / load.per_second - perf_counter()))
        quick = sum(1 for number in range(load.events) if number % ENDPOINTS >= load.hanging)
        while await _count(database, "SELECT count(*) FROM deliveries WHERE status = 'DELIVERED'") < quick:
            await asyncio.sleep(0.02)
        seconds = perf_counter() - began
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        rows = await database.fetch(
            "SELECT extract(epoch FROM a.attempted_at - d.created_at)::float8 AS late FROM deliveries AS d "
            "JOIN attempts AS a USING (tenant_id, endpoint_id, event_id) WHERE a.number = 1 AND d.status = 'DELIVERED'"
        )
        return Outcome(
            deliveries=quick, attempts=len(rows), seconds=seconds, late_ms=sorted(row["late"] * 1000 for row in rows)
        )


def _received(tenant_id: str) -> Received[PaymentSettled]:
    now = datetime.now(UTC)
    body = PaymentSettled(
        event_id=new_id(),
        occurred_at=now,
        tenant_id=tenant_id,
        correlation_id="bench",
        payment_intent_id=new_id(),
        amount="150.50",
        currency="BRL",
        customer_ref="customer@example.com",
    )
    return Received(
        id=body.event_id, body=body, occurred_at=now, correlation=Correlation(correlation_id="bench"), attempt=0
    )


async def _count(database: Database, statement: str) -> int:
    row = await database.fetchrow(statement)
    return int(row["count"]) if row else 0


def share(ascending: Sequence[float], part: float) -> float:
    """The value below which a part of the ascending ones lie."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * part))]


def report(what: str, value: str, *, promise: str = "", is_kept: bool = True) -> None:
    """Print one line of the table."""
    print(f"{what:<66} {value:>22}   {promise and f'{promise}: ' + ('kept' if is_kept else 'MISSED')}", flush=True)


async def run(*, events: int, seconds: int, history: int, intents: int) -> None:
    """Measure everything, one after the other."""
    fast = await deliver(Load(events=events))
    rate = fast.deliveries / fast.seconds
    report(
        f"{events:,} events, {ENDPOINTS} endpoints, as fast as possible",
        f"{rate:,.0f}/s",
        promise=f"at least {DELIVERIES_PER_SECOND_MIN:,}/s",
        is_kept=rate >= DELIVERIES_PER_SECOND_MIN and fast.attempts == fast.deliveries,
    )
    report("  attempts recorded for them", f"{fast.attempts:,} of {fast.deliveries:,}")
    found = {}
    for hanging in (0, HANGING):
        steady = await deliver(Load(events=PER_SECOND * seconds, hanging=hanging, per_second=PER_SECOND))
        found[hanging] = share(steady.late_ms, 0.99)
        report(
            f"{PER_SECOND} events/s for {seconds} s, {hanging} of {ENDPOINTS} endpoints hang: the others",
            f"p50 {statistics.median(steady.late_ms):.0f}, p99 {found[hanging]:.0f} ms",
        )
    moved = (found[HANGING] - found[0]) / 1000
    report(
        "  what a tenth of hanging endpoints moves p99 by",
        f"{moved:+.3f} s",
        promise=f"at most {P99_MOVES_SECONDS_MAX:g} s",
        is_kept=moved <= P99_MOVES_SECONDS_MAX,
    )
    path = await measure_path(local.ensure(PROFILE, ROOT), intents=intents, history=history)
    report(
        f"whole path, {intents:,} intents over HTTP, commit to first attempt",
        f"p50 {statistics.median(path.first_attempt_ms):.1f} ms",
        promise=f"at most {FIRST_ATTEMPT_P50_MS_MAX} ms",
        is_kept=statistics.median(path.first_attempt_ms) <= FIRST_ATTEMPT_P50_MS_MAX,
    )
    report("  of them the slowest hundredth", f"p99 {share(path.first_attempt_ms, 0.99):.1f} ms")
    for kind, took in path.pages_ms.items():
        report(
            f"{history:,} deliveries kept: {kind}, over HTTP",
            f"p95 {share(took, 0.95):.1f} ms",
            promise=f"at most {PAGE_P95_MS_MAX} ms",
            is_kept=share(took, 0.95) <= PAGE_P95_MS_MAX,
        )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000, help="delivered as fast as possible")
    parser.add_argument("--seconds", type=int, default=40, help="how long the steady rate lasts")
    parser.add_argument("--history", type=int, default=1_000_000, help="deliveries kept before pages are read")
    parser.add_argument("--intents", type=int, default=1_000, help="created over HTTP")
    given = parser.parse_args()
    configure(service="bench", level="WARNING")
    uvloop.run(run(events=given.events, seconds=given.seconds, history=given.history, intents=given.intents))


if __name__ == "__main__":
    main()
