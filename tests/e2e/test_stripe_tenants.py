"""What one tenant's Stripe account sends changes nothing of another tenant, whatever ids and metadata it bears."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from deploy.fake_stripe.webhooks import signature
from services.gateway.processors.stripe import API_VERSION
from services.gateway.processors.stripe.events import object_of, types
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.databases import SERVICES
from tests.support.platform import Client, Platform

PERMISSIONS = ("payments:write", "payments:read", "ledger:read", "admin:write")
_SUCCEEDED = {"status": "succeeded", "amount_received": 2_500}
_LOST = {"status": "lost"}

CASES: Mapping[str, tuple[str, dict[str, Any]]] = MappingProxyType(
    {
        "payment_intent.succeeded": ("awaited", _SUCCEEDED),
        "payment_intent.amount_capturable_updated": ("awaited", {"status": "requires_capture"}),
        "payment_intent.payment_failed": ("awaited", {"status": "requires_payment_method"}),
        "payment_intent.canceled": ("held", {"status": "canceled"}),
        "payment_intent.requires_action": ("awaited", {}),
        "charge.captured": ("hold", {"captured": True, "amount_captured": 2_500}),
        "charge.updated": ("charge", {}),
        "charge.succeeded": ("hold", {}),
        "charge.expired": ("hold", {}),
        "setup_intent.succeeded": ("setup", {"status": "succeeded"}),
        "setup_intent.setup_failed": ("setup", {}),
        "setup_intent.requires_action": ("setup", {"status": "requires_action"}),
        "setup_intent.canceled": ("setup", {"status": "canceled"}),
        "payment_method.detached": ("method", {"customer": None}),
        "refund.created": ("refund", {"status": "pending"}),
        "refund.updated": ("refund", {"status": "failed", "failure_reason": "lost_or_stolen_card"}),
        "refund.failed": ("refund", {"status": "failed", "failure_reason": "declined"}),
        "charge.refund.updated": ("refund", {"status": "canceled"}),
        "charge.dispute.created": ("dispute", {"amount": 700}),
        "charge.dispute.updated": ("dispute", {"amount": 800}),
        "charge.dispute.closed": ("dispute", _LOST),
        "charge.dispute.funds_withdrawn": ("dispute", {}),
        "charge.dispute.funds_reinstated": ("dispute", {}),
        "payout.created": ("payout", {}),
        "payout.updated": ("payout", {"status": "in_transit"}),
        "payout.paid": ("payout", {"status": "paid"}),
        "payout.failed": ("payout", {"status": "failed"}),
        "payout.canceled": ("payout", {"status": "canceled"}),
        "payout.reconciliation_completed": ("payout", {"reconciliation_status": "completed"}),
    }
)
"""For each type of event that means something to us: of which object it is sent, and how that one is changed."""

OF_THE_OWNER = ("IGNORED", "account_of_another_configuration")
OF_ANOTHERS = "gateway_stripe_events_of_another_total"
TAKING_EFFECT = frozenset(
    {
        *("gateway.attempts", "gateway.disputes", "gateway.processor_movements", "gateway.processor_payouts"),
        *("gateway.saved_methods", "gateway.payment_setups", "gateway.outbox", "gateway.outbox_published"),
        *("api.payment_intents", "ledger.journal_entries", "ledger.postings"),
    }
)
"""Tables in which something stands of a tenant once anything has happened to them."""
UNKNOWN, ABSENT = ("UNMATCHED", "unknown_payment"), ("UNMATCHED", "object_unknown")
OWN, NOT_OURS = ("HANDLED", ""), ("IGNORED", "")
OF_ANOTHER: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "payment_intent": {"whole": UNKNOWN, "reference": UNKNOWN, "metadata": UNKNOWN, "thin": ABSENT},
        "charge": {"whole": UNKNOWN, "reference": UNKNOWN, "metadata": UNKNOWN, "thin": ABSENT},
        "setup_intent": {"whole": NOT_OURS, "reference": NOT_OURS, "metadata": NOT_OURS, "thin": ABSENT},
        "payment_method": {"whole": NOT_OURS, "reference": NOT_OURS, "metadata": OWN, "thin": ABSENT},
        "refund": {"whole": UNKNOWN, "reference": UNKNOWN, "metadata": UNKNOWN, "thin": ABSENT},
        "dispute": {"whole": UNKNOWN, "reference": UNKNOWN, "metadata": OWN, "thin": ABSENT},
        "payout": {"whole": ABSENT, "reference": ABSENT, "metadata": OWN, "thin": ABSENT},
    }
)
"""How an event ends at the address of another account, by the kind of its object and by what it bears: all of another tenant's,
its ids without metadata, its metadata on an own object, or its id alone."""

PASSING = frozenset({"ledger.claims", "gateway.stripe_accounts"})
"""Tables of what is only reserved for a while, and of how far an account was read."""
BY_THE_CLOCK = ("gateway.reconciliation_", "gateway.discrepanc", "api.logged_requests")
"""How the names of those begin that a run of reconciliation writes, which comes when it is time, and the log of requests."""
OF_TIME = ["asked_at", "asks", "in_doubt", "next_ask_at", "updated_at"]
"""Columns that change while an outcome is waited for."""

_TABLES = """
SELECT format('%I.%I', table_schema, table_name) FROM information_schema.columns JOIN information_schema.tables
 USING (table_schema, table_name) WHERE column_name = 'tenant_id' AND table_schema = ANY ($1) AND table_type = 'BASE TABLE'
"""
_HURRY = """
UPDATE gateway.stripe_events SET tries = 4, next_try_at = now()
 WHERE tenant_id = $1 AND next_try_at > now() AND reason <> '' AND tries < 4
"""
_UNDONE = """
SELECT 1 FROM gateway.stripe_events WHERE tenant_id = $1 AND next_try_at IS NOT NULL
UNION ALL SELECT 1 FROM gateway.outbox WHERE tenant_id = $1 UNION ALL SELECT 1 FROM api.outbox WHERE tenant_id = $1
UNION ALL SELECT 1 FROM ledger.outbox WHERE tenant_id = $1
UNION ALL SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM api.disputes WHERE tenant_id = $1)
"""
"""What is still to happen after one of each kind of object was made."""
_ABOUT = """
SELECT o.contract, o.payment_intent_id FROM (
    SELECT contract, tenant_id, body::json ->> 'payment_intent_id' AS payment_intent_id FROM gateway.outbox_published) AS o
  JOIN api.payment_intents AS p ON p.id::text = o.payment_intent_id WHERE o.tenant_id = $1 AND p.tenant_id = $2
"""
"""What was published for one tenant about payments of another."""


class Side:
    """A tenant with a Stripe account of its own, and one of each kind of object there."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.key = f"sk_test_{uuid4().hex}"
        self.tenant = new_tenant()
        self.who: Client = person(platform, self.tenant, "all@example.com", PERMISSIONS)
        self.secret = ""
        self.address = ""
        self.objects: dict[str, dict[str, Any]] = {}

    async def stripe(self, method: str, path: str, **data: str) -> Any:
        """Call Stripe, or do what only others can do there."""
        headers = {"Authorization": f"Bearer {self.key}"}
        url = self.platform.environ["STRIPE_API_BASE"] + path
        given: Any = {"params": data} if method == "GET" else {"data": data}
        async with self.platform.http.request(method, url, headers=headers, **given) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def configure(self, *, listens: bool) -> None:
        """Charge euros through the account; `listens`: with webhooks, else signed by hand."""
        body = {"processor": "stripe", "currencies": ["EUR"], "secret_key": self.key, "payment_method": "pm_card_visa"}
        config = await self._made("/v1/gateway-configs", body)
        self.address = self.platform.base("gateway") + config["webhook_path"]
        self.secret = f"whsec_{uuid4().hex}"
        if listens:
            endpoint = {"url": self.address, "enabled_events[]": "*"}
            self.secret = (await self.stripe("POST", "/v1/webhook_endpoints", **endpoint))["secret"]
        rotated = {"webhook_secret": self.secret}
        await self._made(f"/v1/gateway-configs/{config['id']}/rotate-keys", rotated)

    async def pay(self, status: str, **more: str) -> dict[str, Any]:
        """Make a payment of 25 euros; returns it as Stripe has it, once the platform shows a status."""
        body = {"amount": "25.00", "currency": "EUR", "customer_ref": "c"}
        made = await self._made("/v1/payment-intents", body | more)
        assert (await self.who.confirm(made["id"])).status in {200, 202}
        await self.who.settled(made["id"], status=status)
        listed = (await self.stripe("GET", "/v1/payment_intents"))["data"]
        return next(each for each in listed if each["metadata"]["payment_intent_id"] == made["id"])

    async def make(self) -> None:
        """Make one of each kind of object."""
        awaited, held, paid, (setup, method) = await asyncio.gather(
            self.pay("REQUIRES_ACTION", payment_method="pm_card_threeDSecure2Required"),
            self.pay("AUTHORIZED", capture_method="manual"),
            self.pay("SETTLED", payment_method="pm_card_bypassPending"),
            self._saved(),
        )
        paid_id = paid["metadata"]["payment_intent_id"]
        await self._made(f"/v1/payment-intents/{paid_id}/refund", {"amount": "10.00"})
        await self.who.settled(paid_id, status="PARTIALLY_REFUNDED")
        await self.stripe("POST", f"/_control/payment_intents/{paid['id']}/dispute", amount="500")
        (payout,) = (await self.stripe("POST", "/_control/payouts/run"))["data"]
        (refund,) = (await self.stripe("GET", "/v1/refunds"))["data"]
        (dispute,) = (await self.stripe("GET", "/v1/disputes"))["data"]
        charges = {each["payment_intent"]: each for each in (await self.stripe("GET", "/v1/charges"))["data"]}
        self.objects = {
            "awaited": awaited,
            "held": held,
            "hold": charges[held["id"]],
            "charge": charges[paid["id"]],
            "setup": setup,
            "method": method,
            "refund": refund,
            "dispute": dispute,
            "payout": payout,
        }

    async def _saved(self) -> tuple[dict[str, Any], dict[str, Any]]:
        owner = await self._made("/v1/customers", {"reference": f"c-{uuid4().hex[:8]}"})
        path = f"/v1/customers/{owner['id']}/setup-intents"
        done, waits = [
            await self._made(path, {"currency": "EUR", **more}) for more in ({"payment_method": "pm_card_visa"}, {})
        ]
        assert (done["status"], waits["status"]) == ("SUCCEEDED", "REQUIRES_PAYMENT_METHOD")
        kept = await rows(self.platform, "SELECT id::text, setup_ref FROM gateway.payment_setups")
        refs = {row["id"]: row["setup_ref"] for row in kept}
        setups = [await self.stripe("GET", f"/v1/setup_intents/{refs[each['id']]}") for each in (done, waits)]
        return setups[1], await self.stripe("GET", f"/v1/payment_methods/{setups[0]['payment_method']}")

    async def _made(self, path: str, body: dict[str, Any]) -> Any:
        answer = await self.who.call("POST", path, body, key=uuid4().hex)
        assert answer.status in {200, 201}, answer.raw
        return answer.json

    async def send(self, event: dict[str, Any]) -> int:
        """Send an event to the tenant's address as Stripe would; returns the status of the answer."""
        body = json.dumps(event).encode()
        headers = {"Stripe-Signature": signature(body, self.secret)}
        async with self.platform.http.post(self.address, data=body, headers=headers) as answer:
            return answer.status


def event_of(kind: str, found: dict[str, Any]) -> dict[str, Any]:
    """An event that shows an object."""
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "api_version": API_VERSION,
        "type": kind,
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": found},
    }


def thin_event_of(kind: str, found: dict[str, Any]) -> dict[str, Any]:
    """An event that names an object without showing it."""
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "v2.core.event",
        "type": f"v1.{kind}",
        "created": datetime.now(UTC).isoformat(),
        "livemode": False,
        "related_object": {"id": found["id"], "type": found["object"], "url": "/v1/of/it"},
    }


async def rows(platform: Platform, sql: str, *values: Any) -> list[asyncpg.Record]:
    """Look at the database of all services."""
    connection = await asyncpg.connect(platform.database.admin_url)
    try:
        return await connection.fetch(sql, *values)
    finally:
        await connection.close()


async def everything(platform: Platform, tenant: str) -> dict[str, set[str]]:
    """All rows of a tenant in all services by table, but for what time alone changes."""
    connection = await asyncpg.connect(platform.database.admin_url)
    try:
        named = [row[0] for row in await connection.fetch(_TABLES, [*SERVICES])]
        tables = [name for name in named if name not in PASSING and not name.startswith(BY_THE_CLOCK)]
        sql = "SELECT to_jsonb(t) - $2::text[] FROM {} AS t WHERE tenant_id = $1"
        found = {table: await connection.fetch(sql.format(table), tenant, OF_TIME) for table in tables}
    finally:
        await connection.close()
    return {table: {row[0] for row in each} for table, each in found.items() if each}


async def counts(platform: Platform) -> dict[str, float]:
    """The gateway's counters and gauges of events."""
    async with platform.http.get(platform.base("gateway") + "/metrics") as answer:
        lines = (await answer.text()).splitlines()
    named = [line.rpartition(" ") for line in lines if line.startswith("gateway_stripe_events_")]
    return {name: float(value) for name, _, value in named}


async def ends(side: Side, sent: Mapping[str, tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Wait until all that a tenant was sent is worked on to its end, with no pause between two tries; returns each end."""
    async with asyncio.timeout(90):
        while True:
            await rows(side.platform, _HURRY, side.tenant)
            listed = await side.who.call("GET", "/v1/gateway-events?limit=500")
            found = {each["id"]: (each["status"], each["reason"]) for each in listed.json if each["id"] in sent}
            if len(found) == len(sent) and all(status != "RECEIVED" for status, _ in found.values()):
                return {sent[event_id]: end for event_id, end in found.items()}
            await asyncio.sleep(0.1)


async def send_all(
    side: Side, events: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Send events, each of which is answered alike whoever it is about; returns how each ended."""
    answers = await asyncio.gather(*(side.send(event) for event in events.values()))
    assert set(answers) == {200}
    return await ends(side, {event["id"]: name for name, event in events.items()})


class Sides:
    """Three tenants: one whose account is meant, one with an account of its own, and one whose configuration is of the account
    of the first, as an earlier version allowed."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.owner, self.stranger, self.sharer = Side(platform), Side(platform), Side(platform)

    async def begin(self) -> None:
        """Add the accounts, and make one of each kind of object at both."""
        await self.sharer.configure(listens=False)
        await rows(self.platform, "DELETE FROM gateway.stripe_accounts WHERE tenant_id = $1", self.sharer.tenant)
        await self.sharer.stripe("POST", "/_control/keys", add=self.owner.key)
        await asyncio.gather(self.owner.configure(listens=True), self.stranger.configure(listens=False))
        await asyncio.gather(self.owner.make(), self.stranger.make())
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until all that has happened to the owner has arrived everywhere."""
        async with asyncio.timeout(60):
            while await rows(self.platform, _UNDONE, self.owner.tenant):
                await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def sides(platform: Platform) -> Sides:
    made = Sides(platform)
    await made.begin()
    return made


def test_every_type_of_event_has_a_case() -> None:
    assert CASES.keys() == types()
    assert {object_of(kind) for kind in CASES} == {*OF_ANOTHER}


async def test_events_of_one_account_change_nothing_of_another_tenant(sides: Sides) -> None:
    owner, stranger = sides.owner, sides.stranger
    await sides.quiet()
    before, counted = await everything(sides.platform, owner.tenant), await counts(sides.platform)
    events: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, (name, changes) in CASES.items():
        theirs, own = owner.objects[name], stranger.objects[name]
        events |= {
            (kind, "whole"): event_of(kind, theirs | changes),
            (kind, "reference"): event_of(kind, theirs | changes | {"metadata": {}}),
            (kind, "metadata"): event_of(kind, own | changes | {"metadata": theirs.get("metadata") or {}}),
            (kind, "thin"): thin_event_of(kind, theirs),
        }
    found = await send_all(stranger, events)
    assert found == {name: OF_ANOTHER[object_of(name[0]) or ""][name[1]] for name in events}
    assert await everything(sides.platform, owner.tenant) == before
    assert await rows(sides.platform, _ABOUT, stranger.tenant, owner.tenant) == []
    after = await counts(sides.platform)
    for status, count in Counter(status for status, _ in found.values()).items():
        name = f'gateway_stripe_events_total{{status="{status}"}}'
        assert after[name] - counted.get(name, 0) >= count, status


async def test_second_configuration_of_an_account_changes_nothing_of_its_owner(sides: Sides) -> None:
    owner, sharer = sides.owner, sides.sharer
    third = Side(sides.platform)
    await owner.stripe("POST", "/_control/keys", add=third.key)
    body = {"processor": "stripe", "currencies": ["EUR"], "secret_key": third.key}
    refused = await third.who.call("POST", "/v1/gateway-configs", body)
    assert (refused.status, refused.json["code"]) == (409, "gateway_config_conflict"), refused.raw
    await sides.quiet()
    before, counted = await everything(sides.platform, owner.tenant), await counts(sides.platform)
    events: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, (name, changes) in CASES.items():
        theirs = owner.objects[name]
        events |= {
            (kind, "whole"): event_of(kind, theirs | changes),
            (kind, "reference"): event_of(kind, theirs | changes | {"metadata": {}}),
            (kind, "thin"): thin_event_of(kind, theirs),
        }
    found = await send_all(sharer, events)
    saving = {"setup_intent", "payment_method"}
    assert found == {name: NOT_OURS if object_of(name[0]) in saving else OF_THE_OWNER for name in events}
    assert await everything(sides.platform, owner.tenant) == before
    assert {*await everything(sides.platform, sharer.tenant)} & TAKING_EFFECT == set()
    assert (await counts(sides.platform))[OF_ANOTHERS] - counted[OF_ANOTHERS] >= Counter(found.values())[OF_THE_OWNER]


async def test_the_same_events_take_effect_at_their_own_account(sides: Sides) -> None:
    owner = sides.owner
    kind = "payment_intent.succeeded"
    name, changes = CASES[kind]
    intent_id = owner.objects[name]["metadata"]["payment_intent_id"]
    assert await owner.who.status(intent_id) == "REQUIRES_ACTION"
    assert await owner.send(event_of(kind, owner.objects[name] | changes)) == 200
    await owner.who.settled(intent_id)
