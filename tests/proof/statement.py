"""Payments with everything that moves money at Stripe, and in the end Stripe's balance, our books and our payments compared.

    python -m tests.proof.statement --payments 10000

All four services run, the gateway twice, and one gateway is killed every few seconds. The stand-in for Stripe has bad days,
loses webhooks, doubles them and delivers them late. `happenings.py` has what happens. First the payments are made, while
hours pass at Stripe; then days pass: refunds and disputes end, and payouts arrive, fail or are reversed. In the end these
must hold:

- what the books have on the processor's accounts is Stripe's balance, for each currency, to the cent
- what the account had when it was added is its opening balance
- SUSPENSE has what others moved through the account, and nothing else
- no payment is final while Stripe says otherwise, none is left open, and the amounts of each are Stripe's
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from deploy.fake_stripe import FakeStripe, Fault, FaultKind, running_fake_stripe
from deploy.fake_stripe.balance import move_alone, totals
from deploy.fake_stripe.cards import CARDS
from deploy.fake_stripe.webhooks import Mischief, create_endpoint
from deploy.local import servers as local
from deploy.local.servers import Servers
from tests.proof.gateway import FAULTS, SETTINGS
from tests.proof.happenings import API_KEY, Happenings, charge_elsewhere
from tests.proof.killing import kill_in_turn
from tests.proof.results import report
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Client, Platform, running_platform

ROOT = Path(__file__).parents[2]
GATEWAYS = ("gateway", "gateway-2")
BEHIND_SECONDS = 5 * 86_400
"""How far Stripe's clock is behind at first: holds of seven days must not have ended by ours."""
BUSY_SECONDS = 12 * 3_600
"""How much of that passes while payments are made: less than the day for which Stripe remembers an idempotency key."""
ROUNDS = 8
"""Into how many parts the days are divided that pass afterwards."""
QUIET_SECONDS = 240
"""How long the services may take to come to rest."""

_OPEN = """
SELECT (SELECT count(*) FROM gateway.attempts WHERE status IN ('PENDING', 'UNKNOWN', 'ACTION_REQUIRED'))
     + (SELECT count(*) FROM gateway.outbox) + (SELECT count(*) FROM api.outbox) + (SELECT count(*) FROM ledger.outbox)
     + (SELECT count(*) FROM gateway.stripe_events WHERE status = 'RECEIVED')
     + (SELECT count(*) FROM gateway.stripe_accounts WHERE opening_due)
     + (SELECT count(*) FROM api.payment_intents WHERE status IN ('PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED'))
"""
_STANDING = """
SELECT a.code || ' ' || b.currency AS name, b.debits_minor - b.credits_minor AS net
  FROM ledger.balances AS b JOIN ledger.accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
 WHERE b.tenant_id = $1 AND b.debits_minor <> b.credits_minor
"""


class Shop:
    """A tenant with a Stripe account of its own, its platform, and who looks into its databases."""

    def __init__(self, platform: Platform, fake: FakeStripe, operator: Client, admin: asyncpg.Pool) -> None:
        self.platform = platform
        self.fake = fake
        self.books = fake.account(API_KEY)
        self.operator = operator
        self.database = admin
        self.before: dict[str, int] = {}
        """What the account had when it was added, `available` and `pending`."""

    async def configure(self) -> None:
        """Add the account, with a webhook endpoint at each gateway, as if that had been some days ago by our clock too.

        It has a balance by then, some of it pending, which must be in the books as its opening balance.
        """
        for amount in (250_000, -1_700):
            move_alone(self.books, {"type": "adjustment", "amount": str(amount), "currency": "brl"})
        charge_elsewhere(self.books, 80_000)
        self.before = totals(self.books)["brl"]
        self.fake.clock.advance(60)
        added = datetime.fromtimestamp(self.fake.clock.now(), UTC)
        self.fake.clock.advance(60)
        admin = await self.platform.login(ADMIN)
        body = {
            "processor": "stripe",
            "currencies": ["BRL", "USD"],
            "secret_key": API_KEY,
            "payment_method": "pm_card_visa",
        }
        answer = await admin.call("POST", "/v1/gateway-configs", body)
        assert answer.status == 201, answer.raw
        # Both gateways are behind one address elsewhere; here Stripe knows them as two endpoints, with one secret.
        endpoints = [
            create_endpoint(
                self.books, {"url": self.platform.base(name) + answer.json["webhook_path"], "enabled_events": ["*"]}
            )
            for name in GATEWAYS
        ]
        for endpoint in endpoints:
            endpoint["secret"] = endpoints[0]["secret"]
        path = f"/v1/gateway-configs/{answer.json['id']}/rotate-keys"
        answer = await admin.call("POST", path, {"webhook_secret": endpoints[0]["secret"]})
        assert answer.status == 200, answer.raw
        async with asyncio.timeout(30):
            while not await self.database.fetchval("SELECT count(*) FROM gateway.stripe_accounts"):
                await asyncio.sleep(0.1)
        await self.database.execute(
            "UPDATE gateway.stripe_accounts SET known_at = $1, booked_from = $1 WHERE account_id = $2",
            added,
            self.books.account_id,
        )

    async def rest(self, *, seconds: float = QUIET_SECONDS) -> None:
        """Wait until nothing is open on our side, no webhook is pending, and the statement was read to its end."""
        async with asyncio.timeout(seconds):
            while await self.database.fetchval(_OPEN) or self.fake.sender.waiting:
                await asyncio.sleep(0.3)

    async def read_back(self) -> None:
        """Let the statement be read far back, as it is every six hours, and wait for the end of that round."""
        began = datetime.now(UTC)
        await self.database.execute("UPDATE gateway.processor_readings SET deep_at = NULL, next_at = now()")
        async with asyncio.timeout(QUIET_SECONDS):
            while await self.database.fetchval(
                "SELECT count(*) FROM gateway.processor_readings WHERE complete_until IS NULL OR deep_at IS NULL "
                "OR deep_at < $1 OR complete_until < $1",
                began,
            ):
                await asyncio.sleep(0.2)
        await self.rest()


async def prove(
    servers: Servers, logs: Path, *, payments: int, seed: int, kill_every_seconds: float, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Run the whole proof on a platform of its own, and return what was found.

    Raises:
        AssertionError: when books, payments and Stripe do not agree.
    """
    async with running_fake_stripe(seed=seed, behind_seconds=BEHIND_SECONDS) as fake:
        environ = SETTINGS | {
            "GATEWAY_PROVIDER": "sandbox",
            "STRIPE_API_BASE": fake.url,
            "STRIPE_STATEMENT_EVERY_SECONDS": "1",
            "GATEWAY_CONFIG_CACHE_SECONDS": "0.5",
            "LOG_LEVEL": "WARNING",
        }
        async with running_platform(servers, logs, environ=environ) as platform:
            platform.start(GATEWAYS[1])
            await platform.ready(GATEWAYS[1])
            admin = await asyncpg.create_pool(platform.database.admin_url, min_size=1, max_size=4)
            try:
                shop = Shop(platform, fake, await platform.login(OPERATOR), admin)
                return await _prove(
                    shop, payments=payments, seed=seed, kill_every_seconds=kill_every_seconds, rounds=rounds
                )
            finally:
                await admin.close()


async def _prove(shop: Shop, *, payments: int, seed: int, kill_every_seconds: float, rounds: int) -> dict[str, Any]:
    fake, chance = shop.fake, random.Random(seed)
    settings = shop.books.settings
    settings.settlement_currencies, settings.rates, settings.tax_bps = ("brl",), {"usd:brl": "5.4321"}, 900
    await shop.configure()
    # However few the payments are, some of their requests meet a fault.
    for fault in (Fault(kind=FaultKind.DROP_AFTER, times=2), *FAULTS):
        # Stripe repeats a stored 500 for a day: what it refused behind one is decided by its records after that.
        if fault.kind is not FaultKind.ERROR_AFTER:
            fake.faults.add(fault)
    fake.sender.mischief = Mischief(duplicated_share=0.2, delay_seconds_max=1.0, lost_share=0.05)
    happenings = Happenings(shop.operator, shop.books, shop.database, chance)
    stopped = asyncio.Event()
    killer = asyncio.create_task(
        kill_in_turn(partial(_kill, shop.platform), every_seconds=kill_every_seconds, until=stopped)
    )
    began = time.monotonic()
    try:
        await _busy(shop, happenings, payments)
        seconds = time.monotonic() - began
        await shop.rest()
        passed = shop.fake.clock.now() + BEHIND_SECONDS - int(time.time())
        for _ in range(rounds):
            await happenings.days(1 + payments // 20 // rounds)
            fake.clock.advance((BEHIND_SECONDS - passed) // rounds)
            await shop.rest()
    finally:
        stopped.set()
        kills = await killer
    fake.faults.clear()
    await happenings.finish()
    await shop.rest()
    await shop.read_back()
    return await _compare(shop, happenings) | {
        "payments": payments,
        "seed": seed,
        "seconds": round(seconds, 1),
        "per_second": round(payments / seconds, 1),
        "kills": kills,
        "faults_met": dict(fake.faults.met),
        "webhooks_delivered": fake.sender.delivered,
        "happened": dict(sorted(happenings.counted.items())),
    }


async def _busy(shop: Shop, happenings: Happenings, payments: int) -> None:
    """Make the payments, with everything that happens to them meanwhile, while half a day passes at Stripe."""
    made = asyncio.create_task(happenings.pay(payments))
    following = asyncio.create_task(happenings.follow())
    try:
        turned = 0
        while not made.done():
            await asyncio.wait([made], timeout=1.0)
            due = BUSY_SECONDS * happenings.offered // payments
            shop.fake.clock.advance(due - turned)
            turned = due
            await happenings.elsewhere()
        await made
        async with asyncio.timeout(QUIET_SECONDS + payments / 10):
            while not following.done() and not await happenings.all_followed():
                await asyncio.sleep(0.3)
    finally:
        for task in (made, following):
            task.cancel()
        ended = await asyncio.gather(made, following, return_exceptions=True)
    faults = [each for each in ended if isinstance(each, Exception)]
    if faults:
        raise faults[0]


async def _kill(platform: Platform, number: int) -> None:
    """Kill one gateway after the other, and wait until it works again."""
    name = GATEWAYS[number % len(GATEWAYS)]
    await asyncio.to_thread(platform.kill, name)
    platform.start(name)
    await platform.ready(name)


async def _compare(shop: Shop, happenings: Happenings) -> dict[str, Any]:
    """Compare the books with Stripe's balance, and each payment with what Stripe has of it."""
    rows = await shop.database.fetch(_STANDING, DEMO_TENANT)
    standing = {row["name"]: int(row["net"]) for row in rows}
    ours = {
        name: net for name, net in standing.items() if name.startswith(("PROCESSOR_PENDING", "PROCESSOR_AVAILABLE"))
    }
    at_stripe = {
        f"PROCESSOR_{status.upper()} {currency.upper()}": amount
        for currency, held in totals(shop.books).items()
        for status, amount in held.items()
        if amount
    }
    suspense = {name.rpartition(" ")[2]: net for name, net in standing.items() if name.startswith("SUSPENSE")}
    untrue, ends = await _payments(shop)
    found = {
        "processor_accounts": {} if ours == at_stripe else {"books": ours, "stripe": at_stripe},
        "suspense": {} if suspense == happenings.foreign() else {"books": suspense, "foreign": happenings.foreign()},
        "unexplained": {
            name: net
            for name, net in standing.items()
            if name.startswith(("CASH", "GATEWAY_CLEARING", "REFUND_CLEARING", "DISPUTE_CLEARING"))
        },
        "opening": {}
        if standing.get("OPENING_BALANCE BRL") == -sum(shop.before.values())
        else {"books": standing.get("OPENING_BALANCE BRL"), "stripe": shop.before},
        "untrue_payments": untrue,
    }
    assert not any(found.values()), json.dumps({name: each for name, each in found.items() if each}, indent=2)[:6000]
    return {"ends": dict(ends), "standing": standing, "movements": len(shop.books.balance_transactions)}


async def _payments(shop: Shop) -> tuple[dict[str, Any], Counter[str]]:
    """Return the payments about which Stripe says something else, with both sides, and how many ended how."""
    taken: Counter[str] = Counter()
    back: Counter[str] = Counter()
    disputed: Counter[str] = Counter()
    held: set[str] = set()
    of_charge: dict[str, str] = {}
    for charge in shop.books.charges.values():
        if intent := charge["metadata"].get("payment_intent_id"):
            of_charge[charge["id"]] = intent
            taken[intent] += charge["amount_captured"]
    for each in shop.books.payment_intents.values():
        # Where the capture was refused since the hold has lapsed, nothing is held though the object shows it still.
        if each["status"] == "requires_capture" and CARDS[each["_card"]].capture_refusal is None:
            held.add(str(each["metadata"].get("payment_intent_id")))
    for refund in shop.books.refunds.values():
        if refund["status"] == "succeeded":
            back[of_charge.get(refund["charge"], "")] += refund["amount"]
    for dispute in shop.books.disputes.values():
        disputed[of_charge.get(dispute["charge"], "")] += dispute["_taken"]
    untrue: dict[str, Any] = {}
    ends: Counter[str] = Counter()
    for row in await shop.database.fetch(
        "SELECT id, status, captured_minor, refunded_minor, refunding_minor, disputed_minor FROM api.payment_intents "
        "WHERE tenant_id = $1",
        DEMO_TENANT,
    ):
        intent = str(row["id"])
        ends[row["status"]] += 1
        booked = (row["captured_minor"], row["refunded_minor"], row["refunding_minor"], row["disputed_minor"], False)
        true = (taken[intent], back[intent], 0, disputed[intent], intent in held)
        is_final = row["status"] in {"SETTLED", "PARTIALLY_REFUNDED", "REFUNDED", "VOIDED", "FAILED", "EXPIRED"}
        if booked != true or not is_final:
            untrue[intent] = {"status": row["status"], "booked": booked, "true": true}
    return untrue, ends


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
