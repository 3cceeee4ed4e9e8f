"""Whose money moves in the proof of the statement: a tenant with a key of its own, one that is connected, and the platform."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import asyncpg

from deploy.fake_stripe import FakeStripe
from deploy.fake_stripe.balance import move_alone, totals
from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.cards import CARDS
from deploy.fake_stripe.settings import API_VERSION
from deploy.fake_stripe.webhooks import create_endpoint
from tests.proof.courses import save_cards
from tests.proof.happenings import Happenings, charge_elsewhere
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Platform

PLATFORM_KEY = "sk_test_proof_of_the_platform"
OWN_KEY = "sk_test_proof_of_the_statement"
CONNECTED_KEY = "sk_test_proof_of_the_connected"
"""Opens the connected account in the stand-in; the gateway never has it."""
PLATFORM_TENANT = "00000000-0000-0000-0000-000000000001"
CONNECTED_TENANT = "tenant_demo"
BEFORE_BASIL = "2024-06-20"
"""A version of the API, an account's default, in which a release is a movement (`partial_capture_reversal`)."""
CONNECTED_OPERATOR = ("ops@demo", "ops123")
FINAL = frozenset({"SETTLED", "PARTIALLY_REFUNDED", "REFUNDED", "VOIDED", "FAILED", "EXPIRED"})

_STANDING = """
SELECT a.code || ' ' || b.currency AS name, b.debits_minor - b.credits_minor AS net
  FROM ledger.balances AS b JOIN ledger.accounts AS a ON a.tenant_id = b.tenant_id AND a.id = b.account_id
 WHERE b.tenant_id = $1 AND b.debits_minor <> b.credits_minor
"""
_PAYMENTS = """
SELECT id, status, captured_minor, refunded_minor, refunding_minor, disputed_minor FROM api.payment_intents
 WHERE tenant_id = $1
"""
_CLEARED = ("CASH", "GATEWAY_CLEARING", "REFUND_CLEARING", "DISPUTE_CLEARING")
"""What must be empty once everything has ended."""


class Shop:
    """A tenant and its account at Stripe."""

    def __init__(self, tenant_id: str, books: Books) -> None:
        self.tenant_id = tenant_id
        self.books = books
        self.database: asyncpg.Pool
        """Who looks into all databases."""
        self.before: dict[str, int] = {}
        """What the account had when it was added, `available` and `pending`."""
        self.happenings: Happenings
        """What happens on it."""
        settings = books.settings
        settings.settlement_currencies, settings.rates, settings.tax_bps = ("brl",), {"usd:brl": "5.4321"}, 900

    def move_before(self) -> None:
        """Let the account have a balance before it is added, some of it pending: its opening balance."""
        for amount in (250_000, -1_700):
            move_alone(self.books, {"type": "adjustment", "amount": str(amount), "currency": "brl"})
        charge_elsewhere(self.books, 80_000)
        self.before = totals(self.books)["brl"]

    async def standing(self) -> dict[str, int]:
        """Read what stands on each account of the books, by its code and currency: debits less credits, in minor units."""
        return {row["name"]: int(row["net"]) for row in await self.database.fetch(_STANDING, self.tenant_id)}

    async def compare(self) -> tuple[dict[str, Any], Counter[str]]:
        """Compare the books with Stripe's balance and each payment with what Stripe has of it.

        Returns what differs, by what was compared, and how many payments ended how.
        """
        standing = await self.standing()
        ours = {
            name: net for name, net in standing.items() if name.startswith(("PROCESSOR_PENDING", "PROCESSOR_AVAILABLE"))
        }
        at_stripe = {
            f"PROCESSOR_{status.upper()} {currency.upper()}": amount
            for currency, held in totals(self.books).items()
            for status, amount in held.items()
            if amount
        }
        suspense = {name.rpartition(" ")[2]: net for name, net in standing.items() if name.startswith("SUSPENSE")}
        foreign, opening = self.happenings.foreign(), standing.get("OPENING_BALANCE BRL")
        untrue, ends = await self._payments()
        found = {
            "processor_accounts": {} if ours == at_stripe else {"books": ours, "stripe": at_stripe},
            "suspense": {} if suspense == foreign else {"books": suspense, "foreign": foreign},
            "unexplained": {name: net for name, net in standing.items() if name.startswith(_CLEARED)},
            "opening": {} if opening == -sum(self.before.values()) else {"books": opening, "stripe": self.before},
            "untrue_payments": untrue,
        }
        return {name: each for name, each in found.items() if each}, ends

    async def _payments(self) -> tuple[dict[str, Any], Counter[str]]:
        """Return the payments about which Stripe says something else, with both sides, and how many ended how."""
        taken: Counter[str] = Counter()
        back: Counter[str] = Counter()
        disputed: Counter[str] = Counter()
        of_charge: dict[str, str] = {}
        for charge in self.books.charges.values():
            if intent := charge["metadata"].get("payment_intent_id"):
                of_charge[charge["id"]] = intent
                taken[intent] += charge["amount_captured"]
        # Where the capture was refused since the hold has lapsed, nothing is held though the object shows it still.
        held = {
            str(each["metadata"].get("payment_intent_id"))
            for each in self.books.payment_intents.values()
            if each["status"] == "requires_capture" and CARDS[each["_card"]].capture_refusal is None
        }
        for refund in self.books.refunds.values():
            # What shows that a part of a hold was released gives nothing back.
            if refund["status"] == "succeeded" and not self._is_release(refund):
                back[of_charge.get(refund["charge"], "")] += refund["amount"]
        for dispute in self.books.disputes.values():
            disputed[of_charge.get(dispute["charge"], "")] += dispute["_taken"]
        untrue: dict[str, Any] = {}
        ends: Counter[str] = Counter()
        for row in await self.database.fetch(_PAYMENTS, self.tenant_id):
            intent = str(row["id"])
            ends[row["status"]] += 1
            amounts = (row["captured_minor"], row["refunded_minor"], row["refunding_minor"], row["disputed_minor"])
            booked, true = (*amounts, False), (taken[intent], back[intent], 0, disputed[intent], intent in held)
            if booked != true or row["status"] not in FINAL:
                untrue[intent] = {"status": row["status"], "booked": booked, "true": true}
        return untrue, ends

    def _is_release(self, refund: Object) -> bool:
        moved = self.books.balance_transactions.get(refund["balance_transaction"])
        return moved is not None and moved["reporting_category"] == "partial_capture_reversal"


class Shops:
    """The three of them: one by its own key, one by the platform's key and `Stripe-Account`, and the platform itself."""

    def __init__(self, fake: FakeStripe) -> None:
        self.platform = Shop(PLATFORM_TENANT, fake.account(PLATFORM_KEY))
        self.own = Shop(DEMO_TENANT, fake.account(OWN_KEY))
        # What is captured there by hand, and what others hold there, moves whole and is given back in part, in a second movement.
        self.own.books.settings.api_version = BEFORE_BASIL
        self.connected = Shop(CONNECTED_TENANT, fake.connect(CONNECTED_KEY, to=PLATFORM_KEY))
        # Before a gateway runs, which adds the platform's account by itself.
        for shop in self.every:
            shop.move_before()
        fake.clock.advance(60)
        self.added_at = datetime.fromtimestamp(fake.clock.now(), UTC)
        """When the accounts are added, by Stripe's clock."""
        fake.clock.advance(60)

    @property
    def merchants(self) -> tuple[Shop, ...]:
        """Those that take payments."""
        return self.own, self.connected

    @property
    def every(self) -> tuple[Shop, ...]:
        """All three."""
        return self.own, self.connected, self.platform

    async def add(self, platform: Platform, endpoints: "Endpoints", database: asyncpg.Pool) -> None:
        """Add the accounts, with a webhook endpoint at each gateway, as if that had been at `added_at` by our clock too."""
        admin = await platform.login(ADMIN)
        body = {
            "processor": "stripe",
            "currencies": ["BRL", "USD"],
            "secret_key": OWN_KEY,
            "payment_method": "pm_card_visa",
        }
        answer = await admin.call("POST", "/v1/gateway-configs", body)
        assert answer.status == 201, answer.raw
        secret = endpoints.create(self.own.books, answer.json["webhook_path"])
        path = f"/v1/gateway-configs/{answer.json['id']}/rotate-keys"
        answer = await admin.call("POST", path, {"webhook_secret": secret})
        assert answer.status == 200, answer.raw
        connecting_body: dict[str, Any] = {
            "processor": "stripe",
            "connected_account": self.connected.books.account_id,
            "application_fee_bps": 250,
            "application_fee_minor": 15,
            "refund_application_fee": True,
            "payment_method": "pm_card_visa",
        }
        connecting = await platform.login(ADMIN, tenant=CONNECTED_TENANT)
        answer = await connecting.call("POST", "/v1/gateway-configs", connecting_body)
        assert answer.status == 201, answer.raw
        async with asyncio.timeout(30):
            while await database.fetchval("SELECT count(*) FROM gateway.stripe_accounts") < len(self.every):
                await asyncio.sleep(0.1)
        await database.execute("UPDATE gateway.stripe_accounts SET known_at = $1, booked_from = $1", self.added_at)

    async def begin(self, platform: Platform, database: asyncpg.Pool, *, seed: int) -> None:
        """Log in who makes the payments of each account, of the platform's who would, and get ready for what happens."""
        for shop, (who, chance) in zip(self.every, ((OPERATOR, 0), (CONNECTED_OPERATOR, 1), (ADMIN, 2)), strict=True):
            client = await platform.login(who, tenant=shop.tenant_id)
            shop.database = database
            shop.happenings = Happenings(client, shop.books, database, random.Random(3 * seed + chance))
        for shop in self.merchants:
            shop.happenings.saved = await save_cards(shop.happenings.merchant, shop.books)

    async def compare(self) -> tuple[dict[str, Any], Counter[str]]:
        """Compare all three, and what the platform takes with what the connected account pays."""
        found: dict[str, Any] = {}
        ends: Counter[str] = Counter()
        for name, shop in (("own", self.own), ("connected", self.connected), ("platform", self.platform)):
            differs, ended = await shop.compare()
            found |= {f"{name}: {what}": each for what, each in differs.items()}
            ends += ended
        fees = await self._fees()
        if fees["booked"] != fees["stripe"]:
            found["application fees"] = fees
        return found, ends

    async def _fees(self) -> dict[str, dict[str, int]]:
        """Read what the connected account pays, in its settlement currency, and what the platform earns, in each payment's."""
        booked = {
            name: abs(net)
            for shop, code in ((self.connected, "PLATFORM_FEES"), (self.platform, "PLATFORM_EARNINGS"))
            for name, net in (await shop.standing()).items()
            if name.startswith(code)
        }
        stripe: Counter[str] = Counter()
        for fee in self.platform.books.application_fees.values():
            stripe[f"PLATFORM_EARNINGS {fee['currency'].upper()}"] += fee["amount"] - fee["amount_refunded"]
        for moved in self.platform.books.balance_transactions.values():
            if moved["type"].startswith("application_fee"):
                stripe[f"PLATFORM_FEES {moved['currency'].upper()}"] += moved["amount"]
        return {"booked": booked, "stripe": {name: amount for name, amount in stripe.items() if amount}}


class Endpoints:
    """The webhook endpoints of several gateways, which are behind one address elsewhere: here Stripe knows one of each."""

    def __init__(self, gateways: tuple[str, ...]) -> None:
        self._gateways = gateways
        self._made: list[tuple[Object, str, str]] = []
        self._bases: dict[str, str] = {}

    def create(self, books: Books, path: str, *, connect: bool = False) -> str:
        """Create one for each gateway, with one secret, which is returned. Where they are is known later."""
        made = []
        for gateway in self._gateways:
            params = {
                "url": "http://127.0.0.1:1",
                "enabled_events": ["*"],
                "connect": str(connect).lower(),
                "api_version": API_VERSION,
            }
            endpoint = create_endpoint(books, params)
            made.append(endpoint)
            self._made.append((endpoint, gateway, path))
        for endpoint in made:
            endpoint["secret"] = made[0]["secret"]
        self._lead()
        return str(made[0]["secret"])

    def find(self, platform: Platform) -> None:
        """Send to where the gateways are, now that they run."""
        self._bases = {gateway: platform.base(gateway) for gateway in self._gateways}
        self._lead()

    def _lead(self) -> None:
        for endpoint, gateway, path in self._made:
            if gateway in self._bases:
                endpoint["url"] = self._bases[gateway] + path
