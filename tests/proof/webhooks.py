"""No webhook is lost: events commit while workers, the broker and PostgreSQL are killed at random.

    just proof-webhooks                      ten thousand events
    python -m tests.proof.webhooks --events 400 --rounds 4 --seed 7

Events are committed to the api's outbox as its own commands do it, relayed by a real api over RabbitMQ, handled by two real
notifiers and sent to real HTTP receivers. Between two portions of events somebody is killed (kill -9) and started again.
Then the databases and the receivers are audited: every endpoint that answers got every event, no delivery had more
attempts than the policy allows, and every attempt is recorded once.
"""

import argparse
import asyncio
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from uuid import UUID

import asyncpg
import msgspec

from deploy.local import servers as local
from deploy.local.servers import Servers
from libs.common.contracts.api import (
    IntentEvent,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentFailed,
    PaymentIntentCreated,
    PaymentSettled,
)
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from libs.common.messaging import Publication
from libs.common.messaging.outbox import publish
from libs.common.observability.correlation import Correlation
from tests.proof.receivers import ANSWERING, TEMPERS, Receivers, is_refused, listening
from tests.support.platform import ADMIN, DEMO_TENANT, ROOT, Client, Platform, running_platform

STEPS = (PaymentIntentCreated, PaymentAuthorized, PaymentCaptured, PaymentSettled)
"""What is published of one payment."""
FAILED_SHARE = 50
"""One payment in so many fails at its end."""
ATTEMPTS_MAX = 8
ENVIRON = {
    # Eight attempts: that the flaky endpoint refuses all of them happens once in six million deliveries.
    "WEBHOOK_RETRY_SCHEDULE": "0s,1s,1s,1s,2s,2s,2s,2s",
    "WEBHOOK_RETRY_JITTER": "0.1",
    "WEBHOOK_TIMEOUT_SECONDS": "3",
    "WEBHOOK_LEASE_SECONDS": "6",
    # What the picky endpoint never takes is all that is tried there at the end, one at a time.
    "WEBHOOK_BREAKER_PAUSE_SECONDS": "0.2",
    "WEBHOOK_BREAKER_PAUSE_MAX_SECONDS": "0.3",
    "WEBHOOK_POLL_SECONDS": "0.1",
}
WORKERS = ("notifier", "notifier-2")
SERVERS = ("rabbitmq", "postgres")
OUTAGE_SECONDS_MAX = 2.0
"""How long a killed server stays away, beside the time that its start takes."""
STALL_SECONDS = 90.0
"""So long without one more delivery is a loss."""
PORTION_MAX = 200
"""Events that one transaction commits at most."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much the platform has to do."""

    events: int
    """Events that are committed."""
    rounds: tuple[tuple[str, ...], ...]
    """Who is killed together, round after round; a portion of the events is committed before each."""
    seed: int
    """Makes the moments and the refusals come again."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What the proof saw."""

    events: int
    """Events committed."""
    kills: int
    """Processes and servers killed."""
    seconds: float
    """How long it took, the start of the platform included."""
    deliveries: int
    """Deliveries made, over all endpoints."""
    attempts: int
    """Attempts recorded."""
    repeated: int
    """Requests beyond the recorded attempts: sent, and their sender killed before it could record them."""
    verified: int
    """Requests that both official libraries verified."""
    late: int
    """Events that reached the ordered endpoint after a later one of their payment."""


def plan_at_random(*, events: int, rounds: int, seed: int) -> Plan:
    """Kill somebody in every round, everybody at least once if there are enough rounds, and sometimes two at once."""
    chance = random.Random(seed)
    everybody = [*WORKERS, *SERVERS, "api"]
    first = [(victim,) for victim in chance.sample(everybody, len(everybody))]
    then = [tuple(chance.sample(everybody, chance.choice((1, 1, 2)))) for _ in range(rounds - len(first))]
    return Plan(events=events, rounds=tuple((first + then)[:rounds]), seed=seed)


async def prove(servers: Servers, logs: Path, plan: Plan) -> Findings:
    """Commit, kill, wait and audit.

    Raises:
        AssertionError: naming what was lost, repeated beyond the policy or recorded wrongly.
    """
    began = perf_counter()
    services = ("api", *WORKERS)
    async with (
        listening(seed=plan.seed) as receivers,
        running_platform(servers, logs, services=services, environ=ENVIRON) as platform,
    ):
        await _keep_commits(platform)
        await _register(await platform.login(ADMIN), receivers)
        events = [event for payment in range(-(-plan.events // len(STEPS))) for event in _payment(payment)][
            : plan.events
        ]
        chance = random.Random(plan.seed)
        share = -(-len(events) // (len(plan.rounds) + 1))
        async with platform.database.open("api") as database:
            for number in range(len(plan.rounds) + 1):
                portion = events[number * share : (number + 1) * share]
                async with asyncio.TaskGroup() as group:
                    group.create_task(_commit(database, portion))
                    if number < len(plan.rounds):
                        for victim in plan.rounds[number]:
                            group.create_task(_kill(platform, victim, profile=servers.profile, chance=chance))
        await _all_delivered(receivers, events)
        # Only what was killed has ended, and everything is connected again to the broker and the database.
        for service in services:
            await platform.ready(service)
        kills = sum(map(len, plan.rounds))
        return await _audit(platform, receivers, events, kills=kills, began=began)


async def _keep_commits(platform: Platform) -> None:
    # The tests' server forgets its last half second when it is killed, for speed; this database must not.
    admin = await asyncpg.create_pool(platform.database.admin_url, min_size=1, max_size=4)
    await admin.execute(f'ALTER DATABASE "{platform.database.name}" SET synchronous_commit = on')
    await admin.close()
    for service in ("api", *WORKERS):
        await asyncio.to_thread(platform.stop, service)
        platform.start(service)
    for service in ("api", *WORKERS):
        await platform.ready(service)


async def _register(admin: Client, receivers: Receivers) -> None:
    for temper in TEMPERS:
        endpoint = {
            "url": receivers.url(temper),
            # Few events for the one that never answers: each costs the whole timeout.
            "events": ["payment.failed"] if temper == "hanging" else ["payment.*"],
            "is_ordered": temper == "ordered",
            "description": temper,
        }
        made = await admin.call("POST", "/v1/webhooks", endpoint)
        assert made.status == 201, made.raw
        receivers.secrets[temper] = made.json["secret"]


def _payment(number: int) -> list[IntentEvent]:
    intent_id, last = new_id(), PaymentSettled
    found: list[IntentEvent] = []
    for sequence, kind in enumerate(STEPS, start=1):
        fails = kind is last and number % FAILED_SHARE == 0
        common = {
            "event_id": new_id(),
            "occurred_at": datetime.now(UTC),
            "tenant_id": DEMO_TENANT,
            "correlation_id": intent_id.hex,
            "payment_intent_id": intent_id,
            "amount": "150.50",
            "currency": "BRL",
            "sequence": sequence,
        }
        why = {"failure_code": "insufficient_funds", "failure_message": "The issuer declined the payment."}
        found.append(msgspec.convert(common | why, PaymentFailed) if fails else msgspec.convert(common, kind))
    return found


async def _commit(database: Database, events: Sequence[IntentEvent]) -> None:
    """Commit events to the outbox, insisting while the database is away; an event committed twice is delivered once."""
    for first in range(0, len(events), PORTION_MAX):
        publications = [
            Publication.of(
                event,
                occurred_at=event.occurred_at,
                correlation=Correlation(correlation_id=event.correlation_id, tenant_id=event.tenant_id),
                event_id=event.event_id,
            )
            for event in events[first : first + PORTION_MAX]
        ]
        while True:
            try:
                async with database.transaction() as tx:
                    await publish(tx, publications)
            except Unavailable:
                await asyncio.sleep(0.1)
            else:
                break


async def _kill(platform: Platform, victim: str, *, profile: str, chance: random.Random) -> None:
    """Kill somebody at a moment of chance and bring it back; returns when it is there again."""
    before, away = chance.uniform(0.0, 1.5), chance.uniform(0.0, OUTAGE_SECONDS_MAX)
    await asyncio.sleep(before)
    if victim in SERVERS:
        await asyncio.to_thread(local.kill, profile, victim)
        await asyncio.sleep(away)
        await asyncio.to_thread(local.resume, profile, victim)
        return
    await asyncio.to_thread(platform.kill, victim)
    platform.start(victim)
    await platform.ready(victim)


async def _all_delivered(receivers: Receivers, events: Sequence[IntentEvent]) -> None:
    expected, last, since = {event.event_id for event in events}, -1, perf_counter()
    while True:
        missing = {temper: len(expected - receivers.received[temper].taken) for temper in ANSWERING}
        if not any(missing.values()):
            return
        if (left := sum(missing.values())) != last:
            last, since = left, perf_counter()
        assert perf_counter() - since < STALL_SECONDS, f"nothing arrives any more; missing: {missing}"
        await asyncio.sleep(0.2)


_OPEN = """
SELECT count(*) FROM notifier.deliveries AS d JOIN notifier.webhook_endpoints AS w ON w.id = d.endpoint_id
 WHERE d.status = 'PENDING' AND w.description <> 'hanging'
"""
_OUTCOMES = """
SELECT w.description AS temper, d.event_id, d.status, d.end_reason, d.attempts,
       (SELECT count(*) FROM notifier.attempts AS a
         WHERE a.tenant_id = d.tenant_id AND a.endpoint_id = d.endpoint_id AND a.event_id = d.event_id) AS recorded,
       (SELECT max(number) FROM notifier.attempts AS a
         WHERE a.tenant_id = d.tenant_id AND a.endpoint_id = d.endpoint_id AND a.event_id = d.event_id) AS latest
  FROM notifier.deliveries AS d JOIN notifier.webhook_endpoints AS w ON w.id = d.endpoint_id
"""


async def _audit(
    platform: Platform, receivers: Receivers, events: Sequence[IntentEvent], *, kills: int, began: float
) -> Findings:
    books = await asyncpg.connect(platform.database.admin_url)
    try:
        open_before, since = -1, perf_counter()
        while left := int(await books.fetchval(_OPEN)):
            if left != open_before:
                open_before, since = left, perf_counter()
            assert perf_counter() - since < STALL_SECONDS, f"{left} deliveries stay open"
            await asyncio.sleep(0.2)
        rows = await books.fetch(_OUTCOMES)
    finally:
        await books.close()
    assert receivers.faults == []
    expected = {event.event_id for event in events}
    by_temper = {temper: {row["event_id"]: row for row in rows if row["temper"] == temper} for temper in TEMPERS}
    repeated = 0
    for temper in TEMPERS:
        found, received = by_temper[temper], receivers.received[temper]
        failed = {event.event_id for event in events if isinstance(event, PaymentFailed)}
        assert set(found) == (failed if temper == "hanging" else expected), f"{temper}: deliveries are missing"
        for event_id, row in found.items():
            which = f"{temper} {event_id}"
            assert row["attempts"] == row["recorded"] == (row["latest"] or 0), f"{which}: attempts and records differ"
            assert row["attempts"] <= ATTEMPTS_MAX, f"{which}: {row['attempts']} attempts"
            # A sender killed after the request and before its record makes one more; nothing else does.
            beyond = received.requests[event_id] - row["attempts"]
            assert beyond <= kills, f"{which}: {beyond} requests beyond {row['attempts']} attempts"
            repeated += max(0, beyond)
            if temper == "hanging":
                continue
            is_lost = temper == "picky" and is_refused(event_id)
            end = ("FAILED", "exhausted") if is_lost else ("DELIVERED", "delivered")
            assert (row["status"], row["end_reason"]) == end, f"{which}: {row['status']} {row['end_reason']}"
            assert not is_lost or row["attempts"] == ATTEMPTS_MAX, f"{which}: failed after {row['attempts']}"
    return Findings(
        events=len(events),
        kills=kills,
        seconds=perf_counter() - began,
        deliveries=len(rows),
        attempts=sum(row["attempts"] for row in rows),
        repeated=repeated,
        verified=receivers.verified,
        late=_late(receivers.received["ordered"].order, events),
    )


def _late(order: Sequence[UUID], events: Sequence[IntentEvent]) -> int:
    places = {event.event_id: (event.payment_intent_id, event.sequence) for event in events}
    seen: dict[UUID, int] = {}
    late = 0
    for event_id in order:
        payment, sequence = places[event_id]
        late += sequence < seen.get(payment, 0)
        seen[payment] = max(sequence, seen.get(payment, 0))
    return late


def main() -> None:
    """Read the command line, prove and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=30, help="times that somebody is killed")
    parser.add_argument("--seed", type=int, default=None, help="repeat an earlier run's moments")
    given = parser.parse_args()
    seed = random.randrange(2**31) if given.seed is None else given.seed
    plan = plan_at_random(events=given.events, rounds=given.rounds, seed=seed)
    print(f"seed {seed}: {plan.events} events, killed: {', '.join('+'.join(victims) for victims in plan.rounds)}")
    with tempfile.TemporaryDirectory() as logs:
        found = asyncio.run(prove(local.ensure("test", ROOT), Path(logs), plan))
    for name, value in msgspec.structs.asdict(found).items():
        print(f"{name:<12} {value:>12,.0f}")
    print("Every endpoint that answers got every event; no delivery had more attempts than the policy allows.")


if __name__ == "__main__":
    main()
