"""Payments with everything that moves money at Stripe, and in the end Stripe's balance, our books and our payments compared.

    python -m tests.proof.statement --payments 10000

All four services run, the gateway twice, and one gateway is killed every few seconds. The stand-in for Stripe has bad days,
keeps errors under idempotency keys, loses webhooks, doubles them and delivers them late. Half of the payments go through an
account of its own key, half through one that is connected to the platform's, which takes a fee of each. `happenings.py` has
what happens. First the payments are made, while hours pass at Stripe; then days pass: refunds and disputes end, and payouts
arrive, fail or are reversed. In the end these must hold, of each account and of the platform's own:

- what the books have on the processor's accounts is Stripe's balance, for each currency, to the cent
- what the account had when it was added is its opening balance
- SUSPENSE has what others moved through the account, and nothing else
- no payment is final while Stripe says otherwise, none is left open, and the amounts of each are Stripe's
- what the connected account pays to the platform is what the platform earns
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from deploy.fake_stripe import FakeStripe, Fault, FaultKind, running_fake_stripe
from deploy.fake_stripe.webhooks import Mischief
from deploy.local import servers as local
from deploy.local.servers import Servers
from tests.proof.gateway import FAULTS, SETTINGS
from tests.proof.killing import kill_in_turn
from tests.proof.results import progress, report
from tests.proof.shops import PLATFORM_KEY, Endpoints, Shops
from tests.support.platform import Platform, running_platform

ROOT = Path(__file__).parents[2]
GATEWAYS = ("gateway", "gateway-2")
BEHIND_SECONDS = 5 * 86_400
"""How far Stripe's clock is behind at first: holds of seven days must not have ended by ours."""
BUSY_SECONDS = 12 * 3_600
"""How much of that passes while payments are made: less than the day for which Stripe remembers an idempotency key."""
CARD_ERRORS = (
    Fault(kind=FaultKind.CARD_ERROR, path="/capture", share=0.02, decline_code="generic_decline"),
    Fault(kind=FaultKind.CARD_ERROR, path="/refunds", share=0.02, decline_code="generic_decline"),
)
"""Refusals after which the money stays where it was: the hold is released, the refund has failed."""
ROUNDS = 8
"""Into how many parts the days are divided that pass afterwards."""
READ_AGAIN_SECONDS = 30
"""How soon a list is let read far back once more, where that has not begun."""
QUIET_SECONDS = 900
"""How long the services may take to come to rest, beside what waits for a look-up."""
BOOKED_SECONDS = 60
"""How long what has left an outbox may take into the books of a busy machine."""
KEY_SECONDS_MIN, KEY_SECONDS_MAX, KEY_SECONDS_EACH = 120, 600, 0.06
"""How long the gateway relies on a key, for each payment: the more there are, the longer a bad moment may last."""
LOOK_UP_SECONDS = 300
"""How long after that it looks up what an error has hidden that its key keeps: as soon as it may."""


def key_seconds(payments: int) -> int:
    """Return how long the gateway relies on a key: minutes instead of a day, so that what it hides is decided in time."""
    return int(min(max(KEY_SECONDS_MIN, payments * KEY_SECONDS_EACH), KEY_SECONDS_MAX))


def deciding(lifetime: int) -> dict[str, str]:
    """Return the settings by which an unknown outcome is called about within a key's lifetime, and looked up after it."""
    ages = [1, 2, 4, 8, 15, 30, *range(60, lifetime - 10, 40)]
    return {
        "IDEMPOTENCY_KEY_LIFETIME_SECONDS": str(lifetime),
        "UNKNOWN_SCHEDULE_SECONDS": ",".join(str(age) for age in ages),
        "LOOK_UP_SCHEDULE_SECONDS": ",".join(
            str(LOOK_UP_SECONDS + later) for later in (0, 10, 30, 60, 120, 180, 300, 600)
        ),
    }


_OPEN = """
SELECT (SELECT count(*) FROM gateway.attempts WHERE status IN ('PENDING', 'UNKNOWN', 'ACTION_REQUIRED'))
     + (SELECT count(*) FROM gateway.outbox) + (SELECT count(*) FROM api.outbox) + (SELECT count(*) FROM ledger.outbox)
     + (SELECT count(*) FROM gateway.stripe_events WHERE status = 'RECEIVED')
     + (SELECT count(*) FROM gateway.stripe_accounts WHERE opening_due)
     + (SELECT count(*) FROM api.payment_intents WHERE status IN ('PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED'))
"""
_READ_BACK = "UPDATE gateway.processor_readings SET deep_at = NULL, next_at = now() WHERE deep_at < $1"
_READING_BACK = """
SELECT count(*) FROM gateway.processor_readings
 WHERE complete_until IS NULL OR deep_at IS NULL OR deep_at < $1 OR complete_until < $1
"""
_NOT_RECEIVED = """
SELECT count(*) FROM gateway.attempts WHERE status = 'DECLINED' AND asks > 0 AND reason = 'not_received'
"""
_KINDS = "SELECT kind, count(*) FROM gateway.processor_movements GROUP BY kind ORDER BY kind"


class Proof:
    """The services, the stand-in for Stripe, and the accounts at it."""

    def __init__(
        self, platform: Platform, fake: FakeStripe, shops: Shops, admin: asyncpg.Pool, *, key_seconds: int
    ) -> None:
        self.platform = platform
        self.key_seconds = key_seconds
        self.fake = fake
        self.shops = shops
        self.database = admin
        self.at = ""
        """What is being done, for whoever waits for it."""

    async def rest(self) -> None:
        """Wait until nothing is open on our side, no webhook is pending, and the statement was read to its end.

        Raises:
            AssertionError: when that takes longer than a look-up of all that is in doubt, and what then follows.
        """
        ends_at = time.monotonic() + self.key_seconds + LOOK_UP_SECONDS + QUIET_SECONDS
        phase = self.at
        while (left := await self.database.fetchval(_OPEN)) or self.fake.sender.waiting:
            self.at = f"{phase}: {left} rows are open, {self.fake.sender.waiting} webhooks wait"
            assert time.monotonic() < ends_at, f"{left} rows are open, {self.fake.sender.waiting} webhooks wait"
            await asyncio.sleep(0.3)
        self.at = phase

    async def read_back(self) -> None:
        """Let the statement be read far back, as it is every six hours, and wait for the end of that round."""
        began = datetime.now(UTC)
        async with asyncio.timeout(QUIET_SECONDS):
            again_at = began
            while await self.database.fetchval(_READING_BACK, began):
                if datetime.now(UTC) >= again_at:
                    # Whoever was reading a page the last time has saved the round that it was in.
                    await self.database.execute(_READ_BACK, began)
                    again_at = datetime.now(UTC) + timedelta(seconds=READ_AGAIN_SECONDS)
                await asyncio.sleep(0.2)
        await self.rest()


async def prove(
    servers: Servers,
    logs: Path,
    *,
    payments: int,
    seed: int,
    kill_every_seconds: float,
    rounds: int = ROUNDS,
    errors_hide_refusals: bool = True,
) -> dict[str, Any]:
    """Run the whole proof on a platform of its own, and return what was found.

    Without `errors_hide_refusals` no error that its key keeps stands where Stripe may have refused the request, which takes
    six minutes to be decided.

    Raises:
        AssertionError: when books, payments and Stripe do not agree.
    """
    endpoints = Endpoints(GATEWAYS)
    async with running_fake_stripe(seed=seed, behind_seconds=BEHIND_SECONDS) as fake:
        shops = Shops(fake)
        books = shops.platform.books
        environ = (
            SETTINGS
            | deciding(key_seconds(payments))
            | {
                "GATEWAY_PROVIDER": "sandbox",
                "STRIPE_API_BASE": fake.url,
                "STRIPE_SECRET_KEY": PLATFORM_KEY,
                "STRIPE_STATEMENT_EVERY_SECONDS": "1",
                "GATEWAY_CONFIG_CACHE_SECONDS": "0.5",
                "LOG_LEVEL": "WARNING",
                "STRIPE_WEBHOOK_SECRETS": endpoints.create(books, "/webhooks/stripe"),
                "STRIPE_CONNECT_WEBHOOK_SECRETS": endpoints.create(books, "/webhooks/stripe/connect", connect=True),
            }
        )
        async with running_platform(servers, logs, environ=environ) as platform:
            platform.start(GATEWAYS[1])
            await platform.ready(GATEWAYS[1])
            endpoints.find(platform)
            admin = await asyncpg.create_pool(platform.database.admin_url, min_size=1, max_size=4)
            try:
                await shops.add(platform, endpoints, admin)
                await shops.begin(platform, admin, seed=seed)
                proof = Proof(platform, fake, shops, admin, key_seconds=key_seconds(payments))
                found = Fault(kind=FaultKind.ERROR_AFTER, path="/v1/payment_intents", times=1)
                shares = [
                    each
                    for each in (*FAULTS, *CARD_ERRORS)
                    if errors_hide_refusals or each.kind is not FaultKind.ERROR_AFTER
                ]
                # However few the payments are, some of their requests meet a fault; the first of all is to create one.
                for fault in (found, Fault(kind=FaultKind.DROP_AFTER, times=2), *shares):
                    fake.faults.add(fault)
                async with progress(lambda: proof.at):
                    return await _prove(
                        proof, payments=payments, seed=seed, kill_every_seconds=kill_every_seconds, rounds=rounds
                    )
            finally:
                await admin.close()


async def _agreeing(shops: Shops) -> tuple[dict[str, Any], Counter[str]]:
    """Compare until all agrees, or for a while: what was published last may still be in a queue."""
    ends_at = time.monotonic() + BOOKED_SECONDS
    while True:
        found, ends = await shops.compare()
        if not found or time.monotonic() > ends_at:
            return found, ends
        await asyncio.sleep(1)


async def _prove(proof: Proof, *, payments: int, seed: int, kill_every_seconds: float, rounds: int) -> dict[str, Any]:
    fake, shops = proof.fake, proof.shops
    fake.sender.mischief = Mischief(duplicated_share=0.2, delay_seconds_max=1.0, lost_share=0.05)
    happenings = [shop.happenings for shop in shops.every]
    stopped = asyncio.Event()
    killer = asyncio.create_task(
        kill_in_turn(partial(_kill, proof.platform), every_seconds=kill_every_seconds, until=stopped)
    )
    began = time.monotonic()
    try:
        await _busy(proof, payments)
        seconds = time.monotonic() - began
        await proof.rest()
        passed = fake.clock.now() + BEHIND_SECONDS - int(time.time())
        for number in range(1, rounds + 1):
            proof.at = f"days pass, {number} of {rounds}"
            for each in happenings:
                await each.days(1 + payments // len(shops.merchants) // 20 // rounds)
            fake.clock.advance((BEHIND_SECONDS - passed) // rounds)
            await proof.rest()
    finally:
        stopped.set()
        # What has ended the payments is not hidden by a gateway that did not come back.
        [killed] = await asyncio.gather(killer, return_exceptions=True)
    if isinstance(killed, BaseException):
        raise killed
    fake.faults.clear()
    proof.at = "all ends"
    for each in happenings:
        await each.finish()
    await proof.rest()
    proof.at = "the statement is read far back"
    await proof.read_back()
    found, ends = await _agreeing(shops)
    assert not found, json.dumps(found, indent=2)[:6000]
    lost, hidden = await proof.database.fetchval(_NOT_RECEIVED), fake.faults.met.get(FaultKind.ERROR_AFTER, 0)
    # Else the keys were forgotten while the services waited for their turn, which says nothing about them.
    assert lost <= hidden, f"{lost} declines were not received, though keys keep only {hidden} errors"
    return {
        "ends": dict(ends),
        "not_received": lost,
        "standing": {shop.tenant_id: await shop.standing() for shop in shops.every},
        "kinds_of_movements": {row["kind"]: row["count"] for row in await proof.database.fetch(_KINDS)},
        "movements": sum(len(shop.books.balance_transactions) for shop in shops.every),
        "payments": payments,
        "seed": seed,
        "seconds": round(seconds, 1),
        "per_second": round(payments / seconds, 1),
        "all_seconds": round(time.monotonic() - began, 1),
        "kills": killed,
        "faults_met": dict(fake.faults.met),
        "webhooks_delivered": fake.sender.delivered,
        "happened": dict(sorted(sum((each.counted for each in happenings), Counter()).items())),
    }


async def _busy(proof: Proof, payments: int) -> None:
    """Make the payments, with everything that happens to them meanwhile, while half a day passes at Stripe."""
    happenings = [shop.happenings for shop in proof.shops.merchants]
    shares = [payments // 2, payments - payments // 2]
    made = [asyncio.create_task(each.pay(share)) for each, share in zip(happenings, shares, strict=True)]
    following = [asyncio.create_task(each.follow()) for each in happenings]
    try:
        turned = 0
        while not all(task.done() for task in made):
            await asyncio.wait(made, timeout=1.0)
            offered = sum(each.offered for each in happenings)
            proof.at = f"{offered} of {payments} payments are made"
            due = BUSY_SECONDS * offered // payments
            proof.fake.clock.advance(due - turned)
            turned = due
            for shop in proof.shops.every:
                await shop.happenings.elsewhere()
        await asyncio.gather(*made)
        proof.at = "the last payments end"
        async with asyncio.timeout(proof.key_seconds + LOOK_UP_SECONDS + QUIET_SECONDS):
            while not any(task.done() for task in following):
                if all([await each.all_followed() for each in happenings]):
                    break
                await asyncio.sleep(0.3)
    finally:
        for task in (*made, *following):
            task.cancel()
        ended = await asyncio.gather(*made, *following, return_exceptions=True)
    faults = [each for each in ended if isinstance(each, Exception)]
    if faults:
        raise faults[0]


async def _kill(platform: Platform, number: int) -> None:
    """Kill one gateway after the other, and wait until it works again."""
    name = GATEWAYS[number % len(GATEWAYS)]
    await asyncio.to_thread(platform.kill, name)
    platform.start(name)
    await platform.ready(name)


async def main(payments: int, seed: int, kill_every_seconds: float) -> dict[str, Any]:
    """Prove once on the servers of the tests."""
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    with tempfile.TemporaryDirectory() as logs:
        return await prove(servers, Path(logs), payments=payments, seed=seed, kill_every_seconds=kill_every_seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kill-every-seconds", type=float, default=3.0)
    given = parser.parse_args(sys.argv[1:])
    report("statement", uvloop.run(main(given.payments, given.seed, given.kill_every_seconds)))
