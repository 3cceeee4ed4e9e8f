"""Thousands of payments through a Stripe that has bad days, by two gateways of which one is killed every few seconds.

    python -m tests.proof.gateway --payments 10000

The stand-in keeps the truth: what was charged, how often, for which of our payments. In the end its books and ours are
compared, payment by payment: nothing charged twice, nothing lost, nothing left open.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from deploy.fake_stripe import FakeStripe, Fault, FaultKind, running_fake_stripe
from deploy.fake_stripe.webhooks import Mischief, create_endpoint
from deploy.local import servers as local
from deploy.local.servers import Servers
from libs.common.contracts.gateway import AuthorizePayment
from libs.common.ids import new_id
from tests.proof.killing import kill_in_turn
from tests.proof.results import report
from tests.support.databases import TestDatabase, fresh_database
from tests.support.gateway import Driver, GatewayProcess, driving, gateway_environment
from tests.support.kept_vhosts import declared_vhost

ROOT = Path(__file__).parents[2]
API_KEY = "sk_test_proof"
TENANT = "tenant_proof"
DECLINED_EVERY = 20
"""Each so-manieth payment is by a card that is declined."""
IN_FLIGHT_MAX = 400
OPEN_TABLES_SECONDS = 60
ENDED_SECONDS = 240
"""How long the last payments may take: after a refused key each waits for half a minute, some of them again and again."""

FAULTS = (
    Fault(kind=FaultKind.DROP_AFTER, share=0.03),
    Fault(kind=FaultKind.HANG_AFTER, share=0.01, seconds=1.5),
    Fault(kind=FaultKind.DROP_BEFORE, share=0.02),
    Fault(kind=FaultKind.ERROR_BEFORE, share=0.03, status=503),
    Fault(kind=FaultKind.ERROR_BEFORE, share=0.01, status=502),
    Fault(kind=FaultKind.ERROR_AFTER, share=0.02),
    Fault(kind=FaultKind.RATE_LIMIT, share=0.02, seconds=0.2),
    Fault(kind=FaultKind.LOCK_TIMEOUT, share=0.01),
    Fault(kind=FaultKind.KEY_IN_USE, share=0.01),
    Fault(kind=FaultKind.DROP_WITHIN, share=0.01, at_byte=40),
    Fault(kind=FaultKind.DROP_WITHIN, share=0.01, at_byte=400),
    Fault(kind=FaultKind.SLOW, share=0.02, seconds=0.3),
    Fault(kind=FaultKind.ERROR_BEFORE, method="GET", share=0.05, status=503),
    Fault(kind=FaultKind.UNAUTHORIZED, share=0.01),
    Fault(kind=FaultKind.FORBIDDEN, share=0.01),
    Fault(kind=FaultKind.UNAUTHORIZED, method="GET", share=0.02),
    Fault(kind=FaultKind.FORBIDDEN, method="GET", share=0.02),
)
"""A fifth of all calls meets something."""
OUTAGE = Fault(kind=FaultKind.ERROR_BEFORE, share=0.9, status=503)
"""And once, for some seconds, nearly all of them."""
SETTINGS = {
    "GATEWAY_PROVIDER": "stripe",
    "STRIPE_SECRET_KEY": API_KEY,
    "STRIPE_PAYMENT_METHOD": "pm_card_visa",
    "STRIPE_CALLS_PER_SECOND_TEST": "100000",
    "STRIPE_CALLS_PER_SECOND_ENDPOINT": "100000",
    "PROCESSOR_TIMEOUT_SECONDS": "1",
    "PROCESSOR_DEADLINE_SECONDS": "4",
    "PROCESSOR_WAIT_SECONDS": "1",
    "ATTEMPT_LEASE_SECONDS": "6",
    "NOT_TAKEN_PAUSE_SECONDS": "1",
    "PARKED_AFTER_RETRIES": "2",
    # In steps that grow by a fifth: what was decided meanwhile is found soon, however long it took.
    "UNKNOWN_SCHEDULE_SECONDS": "1,2,3,4,5,6,8,10,12,15,18,22,26,31,37,45,54,65,78,94,120,150,180,240,300,400,480",
    "RESOLVE_EVERY_SECONDS": "0.2",
    "CIRCUIT_BREAKER_RECOVERY_TIMEOUT": "2",
}


async def prove(
    servers: Servers, logs: Path, *, payments: int, kill_every_seconds: float, outage_seconds: float
) -> dict[str, Any]:
    """Run the whole proof on a database and a virtual host of its own, and return what was found.

    Raises:
        AssertionError: when a payment was charged twice, lost or left open.
    """
    with declared_vhost(servers, services=("gateway",)) as (url, own):
        return await _prove(servers, url, own["gateway"], logs, payments, kill_every_seconds, outage_seconds)


async def _prove(
    servers: Servers,
    vhost_url: str,
    own_url: str,
    logs: Path,
    payments: int,
    kill_every_seconds: float,
    outage_seconds: float,
) -> dict[str, Any]:
    async with fresh_database(servers, ("gateway",)) as database, running_fake_stripe(seed=7) as fake:
        environ = gateway_environment(database, own_url, STRIPE_API_BASE=fake.url, **SETTINGS)
        gateways = [GatewayProcess(environ, logs / f"{n}.log") for n in range(2)]
        books = fake.account(API_KEY)
        secrets = [
            create_endpoint(books, {"url": f"{gateway.base}/webhooks/stripe", "enabled_events": ["*"]})["secret"]
            for gateway in gateways
        ]
        for gateway in gateways:
            gateway.set(STRIPE_WEBHOOK_SECRETS=",".join(secrets))
            await gateway.start()
        killer: asyncio.Task[int] | None = None
        try:
            for gateway in gateways:
                await gateway.ready()
            for fault in FAULTS:
                fake.faults.add(fault)
            fake.sender.mischief = Mischief(duplicated_share=0.2, delay_seconds_max=1.0, lost_share=0.05)
            async with driving(vhost_url, tenant_id=TENANT) as driver:
                stopped = asyncio.Event()
                killer = asyncio.create_task(
                    kill_in_turn(partial(_kill, gateways), every_seconds=kill_every_seconds, until=stopped)
                )
                outage = asyncio.create_task(_outage(fake, seconds=outage_seconds))
                began = time.monotonic()
                offered = await _offer(driver, payments)
                await driver.all_ended(payments, seconds=ENDED_SECONDS + payments / 10)
                seconds = time.monotonic() - began
                await outage
                stopped.set()
                kills = await killer
                for gateway in gateways:
                    await gateway.ready()
                open_attempts = await _nothing_open(database)
                return _compare(driver, fake, offered) | {
                    "payments": payments,
                    "seconds": round(seconds, 1),
                    "per_second": round(payments / seconds, 1),
                    "kills": kills,
                    "faults_met": dict(fake.faults.met),
                    "webhooks_delivered": fake.sender.delivered,
                    "open_attempts": open_attempts,
                }
        finally:
            if killer is not None and not killer.done():
                killer.cancel()
                await asyncio.gather(killer, return_exceptions=True)
            for gateway in gateways:
                await gateway.stop()


async def _offer(driver: Driver, payments: int) -> dict[UUID, bool]:
    """Ask for all payments, so many at a time; returns for each whether its card is good."""
    offered: dict[UUID, bool] = {}
    while len(offered) < payments:
        room = min(IN_FLIGHT_MAX - (len(offered) - len(driver.ended)), payments - len(offered), 20)
        if room <= 0:
            await driver.all_ended(len(driver.ended) + 1, seconds=120)
            continue
        commands = []
        for _ in range(room):
            is_good = len(offered) % DECLINED_EVERY != 0
            command = AuthorizePayment(
                payment_intent_id=new_id(),
                amount_minor=1_000 + len(offered) % 9_000,
                currency="BRL",
                payment_method="" if is_good else "pm_card_chargeDeclined",
            )
            offered[command.payment_intent_id] = is_good
            commands.append(command)
        await driver.authorize(*commands)
    return offered


async def _kill(gateways: list[GatewayProcess], number: int) -> None:
    """Kill one gateway after the other, and wait until it works again."""
    gateway = gateways[number % len(gateways)]
    await gateway.kill()
    await gateway.start()
    await gateway.ready()


async def _outage(fake: FakeStripe, *, seconds: float) -> None:
    await asyncio.sleep(seconds)
    fake.faults.clear()
    fake.faults.add(OUTAGE)
    await asyncio.sleep(seconds)
    fake.faults.clear()
    for fault in FAULTS:
        fake.faults.add(fault)


async def _nothing_open(database: TestDatabase) -> int:
    """Wait until our own books have nothing open either, and nothing unsaid; returns what is still open."""
    found = await asyncpg.connect(database.admin_url)
    try:
        async with asyncio.timeout(OPEN_TABLES_SECONDS):
            while True:
                open_rows = int(
                    await found.fetchval(
                        "SELECT (SELECT count(*) FROM gateway.attempts WHERE status NOT IN ('APPROVED', 'DECLINED')) "
                        "+ (SELECT count(*) FROM gateway.outbox)"
                    )
                )
                if open_rows == 0:
                    return 0
                await asyncio.sleep(0.2)
    finally:
        await found.close()


def _compare(driver: Driver, fake: FakeStripe, offered: dict[UUID, bool]) -> dict[str, Any]:
    """Compare what was published with what the processor did, payment by payment."""
    books = fake.account(API_KEY)
    charged: Counter[UUID] = Counter()
    taken: Counter[UUID] = Counter()
    for charge in books.charges.values():
        intent = UUID(charge["metadata"]["payment_intent_id"])
        charged[intent] += charge["status"] == "succeeded"
        taken[intent] += charge["captured"]
    ends = Counter(driver.ended.values())
    twice = {str(intent) for intent, count in (charged + taken).items() if charged[intent] > 1 or taken[intent] > 1}
    lost = {
        str(intent) for intent, is_good in offered.items() if is_good and driver.ended.get(intent) != "payment.captured"
    }
    wrong = {
        str(intent)
        for intent, is_good in offered.items()
        if not is_good and driver.ended.get(intent) != "payment.declined"
    }
    untrue = {str(i) for i, end in driver.ended.items() if (end == "payment.captured") != (taken[i] == 1)}
    repeated = [name for name, ids in driver.events.items() if len(ids) > 1 and not name.startswith("processor_fee")]
    found = {
        "charged_twice": twice,
        "lost": lost,
        "declines_lost": wrong,
        "untrue": untrue,
        "published_twice": repeated,
    }
    assert not any(found.values()), {name: sorted(ids)[:5] for name, ids in found.items() if ids}
    assert set(driver.ended) == set(offered)
    return dict.fromkeys(found, 0) | {"captured": ends["payment.captured"], "declined": ends["payment.declined"]}


async def main(payments: int, kill_every_seconds: float, outage_seconds: float) -> dict[str, Any]:
    """Prove once on the servers of the tests."""
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    with tempfile.TemporaryDirectory() as logs:
        return await prove(
            servers,
            Path(logs),
            payments=payments,
            kill_every_seconds=kill_every_seconds,
            outage_seconds=outage_seconds,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=10_000)
    parser.add_argument("--kill-every-seconds", type=float, default=3.0)
    parser.add_argument("--outage-seconds", type=float, default=10.0)
    given = parser.parse_args(sys.argv[1:])
    report("gateway", uvloop.run(main(given.payments, given.kill_every_seconds, given.outage_seconds)))
