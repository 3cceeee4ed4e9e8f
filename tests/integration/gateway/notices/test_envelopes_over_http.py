"""Whatever comes to the webhook address has one named answer, one end and one count: over real HTTP, with real signatures."""

import json
import time
from typing import Any
from uuid import UUID

import aiohttp

from deploy.fake_stripe.books import shown
from deploy.fake_stripe.webhooks import Mischief, signature
from libs.common.contracts.gateway import AuthorizePayment
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.processors.stripe import API_VERSION
from tests.integration.gateway.conftest import StripeGateway
from tests.support.databases import TestDatabase
from tests.support.stripe import API_KEY
from tests.support.waiting import until

TYPE = "payment_intent.amount_capturable_updated"


class Sent:
    """What was answered to one webhook."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.code = body.get("code", "")


async def post(stripe: StripeGateway, raw: bytes, *, secret: str = "", at: int | None = None, header: str = "") -> Sent:
    """Send bytes to the platform's address, signed."""
    signed = header or signature(raw, secret or stripe.secret, at=at)
    headers = {"Stripe-Signature": signed, "Content-Type": "application/json"}
    async with stripe.http.post(f"{stripe.base}/webhooks/stripe", data=raw, headers=headers) as answer:
        return Sent(answer.status, await answer.json(content_type=None))


async def count(stripe: StripeGateway, name: str) -> float:
    """Read a counter as Prometheus does."""
    async with stripe.http.get(f"{stripe.base}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " ")), 0.0)


def event(found: Any, **changes: Any) -> dict[str, Any]:
    """An event as Stripe sends it."""
    return {
        "id": f"evt_{new_id().hex}",
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "livemode": False,
        "type": TYPE,
        "data": {"object": found},
    } | changes


async def held(stripe: StripeGateway) -> dict[str, Any]:
    """A payment intent at Stripe of an authorization whose webhooks are lost."""
    stripe.fake.sender.mischief = Mischief(lost_share=1.0)
    intent = new_id()
    await stripe.api.send(AuthorizePayment(payment_intent_id=intent, amount_minor=1_000, currency="BRL"))
    _, _, body = await stripe.api.outcome_of(intent, "payment.authorized")
    found: dict[str, Any] = shown(stripe.books.payment_intents[body["gateway_ref"]])
    return found


async def ended(database: Database, event_id: str) -> tuple[str, str]:
    """How an event stands once it was worked on."""

    async def row() -> Any:
        found = await database.fetchrow("SELECT status, reason FROM stripe_events WHERE id = $1", event_id)
        return found if found is not None and (found["status"] != "RECEIVED" or found["reason"]) else None

    found = await until(row)
    return found["status"], found["reason"]


REFUSED: list[tuple[str, bytes, str]] = [
    ("no json", b"{", "malformed"),
    ("no object", b"[]", "malformed"),
    ("no id", json.dumps({"type": TYPE, "created": 1, "data": {"object": {}}}).encode(), "malformed"),
    ("no type", json.dumps({"id": "evt_1", "created": 1, "data": {"object": {}}}).encode(), "malformed"),
    ("no time", json.dumps({"id": "evt_1", "type": TYPE, "data": {"object": {}}}).encode(), "malformed"),
    ("negative time", json.dumps(event({}, created=-1)).encode(), "malformed"),
    ("time of no year", json.dumps(event({}, created=10**15)).encode(), "malformed"),
    (
        "thin time without a zone",
        json.dumps(event({}, object="v2.core.event", created="2026-01-01T00:00:00")).encode(),
        "malformed",
    ),
    ("shows nothing", json.dumps(event({}, data={})).encode(), "malformed"),
    ("data is a text", json.dumps(event({}, data="x")).encode(), "malformed"),
    ("mode is a text", json.dumps(event({}, livemode="yes")).encode(), "malformed"),
    ("version is a number", json.dumps(event({}, api_version=1)).encode(), "malformed"),
    ("NUL", json.dumps(event({"id": "a\0"})).encode(), "malformed"),
    ("not UTF-8", b'{"id": "\xff"}', "malformed"),
    ("deep", b'{"id":"evt_1","type":"x","created":1,"data":{"object":' + b"[" * 50_000 + b"}}", "malformed"),
    ("too large", b" " * 300_000, "too_large"),
    ("of a time to come", json.dumps(event({}, created=int(time.time()) + 86_400)).encode(), "stale"),
]


async def test_webhook_that_is_no_event_is_refused_by_name(stripe: StripeGateway) -> None:
    for case, raw, reason in REFUSED:
        counter = f'gateway_webhooks_refused_total{{reason="{reason}"}}'
        kept, before = await count(stripe, "gateway_webhooks_kept_total"), await count(stripe, counter)
        sent = await post(stripe, raw)
        assert (sent.status, sent.code) == (400, f"webhook_{reason}"), case
        assert await count(stripe, counter) == before + 1, case
        assert await count(stripe, "gateway_webhooks_kept_total") == kept, case


async def test_webhook_that_is_not_signed_now_by_stripe_is_refused(stripe: StripeGateway) -> None:
    raw = json.dumps(event({})).encode()
    now = int(time.time())
    for reason, changes in (
        ("forged", {"secret": "whsec_of_somebody_else"}),
        ("forged", {"header": f"t={now},v1={'0' * 64}"}),
        ("stale", {"at": now - 301}),
    ):
        counter = f'gateway_webhooks_refused_total{{reason="{reason}"}}'
        before = await count(stripe, counter)
        sent = await post(stripe, raw, **changes)
        assert (sent.status, sent.code) == (400, f"webhook_{reason}")
        assert await count(stripe, counter) == before + 1


async def test_each_envelope_is_taken_and_has_its_own_end_and_count(
    stripe: StripeGateway, gateway_database: TestDatabase
) -> None:
    found = await held(stripe)
    related = {"id": found["id"], "type": "payment_intent", "url": "https://elsewhere.example/"}
    of_thin = {"object": "v2.core.event", "type": f"v1.{TYPE}", "created": "2025-11-22T08:26:40Z", "data": {}}
    thin = of_thin | {"related_object": related}
    own, nobody = stripe.books.account_id, {"id": "pi_of_nobody"}
    await until(lambda: _known(gateway_database, own))
    cases: list[tuple[dict[str, Any], tuple[str, str], str]] = [
        (event(found), ("HANDLED", ""), "shown"),
        (event(found, account=own), ("HANDLED", ""), "shown"),
        (event({"id": found["id"]}, api_version="2020-08-27"), ("HANDLED", ""), "other_version"),
        (event(nobody, api_version="2020-08-27"), ("RECEIVED", "object_unknown"), "other_version"),
        (event({}, **thin), ("HANDLED", ""), "thin"),
        (event({}, **thin, context=f"org_1/{own}"), ("HANDLED", ""), "thin"),
        (event({}, **of_thin, related_object=nobody), ("RECEIVED", "object_unknown"), "thin"),
        (event({}, **of_thin, related_object=None), ("FAILED", "unreadable"), "thin"),
        (event({}, **of_thin | {"type": "v2.core.event_destination.ping"}), ("IGNORED", ""), "thin"),
        (event(found, livemode=True), ("IGNORED", "wrong_mode"), "wrong_mode"),
        (event({}, **thin, livemode=True), ("IGNORED", "wrong_mode"), "wrong_mode"),
        (event(found, account="acct_of_somebody"), ("IGNORED", "foreign_account"), "foreign_account"),
        (event({}, **thin, context="acct_of_somebody"), ("IGNORED", "foreign_account"), "foreign_account"),
        (event(found, type="product.created"), ("IGNORED", ""), "shown"),
        (event("a text"), ("FAILED", "unreadable"), "shown"),
    ]
    async with gateway_database.open("gateway") as database:
        for body, end, counted in cases:
            counter = f'gateway_stripe_envelopes_total{{envelope="{counted}"}}'
            before = await count(stripe, counter)
            assert (await post(stripe, json.dumps(body).encode())).status == 200
            assert await ended(database, body["id"]) == end, body
            # What is tried again is opened again.
            assert await count(stripe, counter) >= before + 1, body
        ends = 'gateway_stripe_events_total{status="{}"}'
        assert all([await count(stripe, ends.replace("{}", status)) for status in ("HANDLED", "IGNORED", "FAILED")])


async def _known(gateway_database: TestDatabase, account_id: str) -> bool:
    async with gateway_database.open("gateway") as database:
        row = await database.fetchrow("SELECT 1 FROM processor_accounts WHERE account_id = $1", account_id)
        return row is not None


async def test_thin_events_of_a_destination_settle_what_nothing_else_reports(
    stripe: StripeGateway,
) -> None:
    """A destination of thin events alone: a capture at Stripe's dashboard reaches the api by it."""
    found = await held(stripe)
    stripe.fake.sender.mischief = Mischief()
    for endpoint in stripe.books.webhook_endpoints.values():
        endpoint["enabled_events"] = []
    auth = {"Authorization": f"Bearer {API_KEY}"}
    body = {
        "name": "payments",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": ["v1.payment_intent.succeeded", "v1.charge.captured"],
        "webhook_endpoint": {"url": f"{stripe.base}/webhooks/stripe"},
    }
    async with aiohttp.ClientSession(stripe.fake.url, headers=auth) as http:
        async with http.post("/v2/core/event_destinations", json=body) as made:
            assert made.status == 200, await made.text()
        # The gateway knows one secret: as if the destination's had been given to it.
        (destination,) = stripe.books.event_destinations.values()
        destination["_secret"] = stripe.secret
        before = await count(stripe, 'gateway_stripe_envelopes_total{envelope="thin"}')
        async with http.post(f"/v1/payment_intents/{found['id']}/capture") as taken:
            assert taken.status == 200, await taken.text()
    _, _, reported = await stripe.api.outcome_of(UUID(found["metadata"]["payment_intent_id"]), "payment.captured")
    assert (reported["gateway_ref"], reported["amount_minor"]) == (found["id"], 1_000)
    assert await count(stripe, 'gateway_stripe_envelopes_total{envelope="thin"}') > before
