"""A fake Stripe with an adapter in front of it, and the requests that tests make of a processor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp

from deploy.fake_stripe import FakeStripe, running_fake_stripe
from libs.common.ids import new_id
from services.gateway.processors.port import Authorize, Capture, Refund, Void
from services.gateway.processors.stripe import StripeAccount, StripeConnections, StripeProcessor

API_KEY = "sk_test_tests"
REQUESTED_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Place:
    """A fake Stripe and the account of the tests at it."""

    def __init__(self, fake: FakeStripe, connections: StripeConnections) -> None:
        self.fake = fake
        self.connections = connections
        self.books = fake.account(API_KEY)

    def processor(self, *, payment_method: str = "pm_card_visa", return_url: str = "") -> StripeProcessor:
        """An adapter; two of them stand for two processes with the same account."""
        account = StripeAccount(name="stripe", secret_key=API_KEY, payment_method=payment_method, return_url=return_url)
        return StripeProcessor(account, self.connections.client(account))

    def account(self) -> StripeAccount:
        """What the account of the tests is called with."""
        return StripeAccount(name="stripe", secret_key=API_KEY)

    async def control(self, path: str) -> Any:
        """Do what only a customer, an issuer or a bank can do."""
        auth = {"Authorization": f"Bearer {API_KEY}"}
        async with aiohttp.ClientSession() as http, http.post(f"{self.fake.url}/_control/{path}", headers=auth) as done:
            assert done.status == 200, await done.text()
            return await done.json()


@asynccontextmanager
async def a_place(*, latency_seconds: float = 0.0) -> AsyncIterator[Place]:
    """Run a fake Stripe and a pool of connections to it."""
    async with running_fake_stripe(latency_seconds=latency_seconds) as fake:
        connections = StripeConnections(api_base=fake.url)
        async with connections.open():
            yield Place(fake, connections)


def _named(**changes: Any) -> dict[str, Any]:
    return {
        "tenant_id": "tenant_demo",
        "payment_intent_id": new_id(),
        "idempotency_key": str(new_id()),
        "amount_minor": 15_050,
        "currency": "BRL",
        "requested_at": REQUESTED_AT,
        "timeout_seconds": 5.0,
    } | changes


def authorize(**changes: Any) -> Authorize:
    """A request to hold funds, under a key of its own."""
    return Authorize(**_named(customer_ref="customer@example.com") | changes)


def capture(gateway_ref: str, **changes: Any) -> Capture:
    """A request to take held funds, under a key of its own."""
    return Capture(**_named(gateway_ref=gateway_ref) | changes)


def void(gateway_ref: str, **changes: Any) -> Void:
    """A request to release held funds, under a key of its own."""
    return Void(**_named(gateway_ref=gateway_ref) | changes)


def refund(gateway_ref: str, **changes: Any) -> Refund:
    """A request to give funds back, under a key of its own."""
    return Refund(**_named(gateway_ref=gateway_ref, refund_id=new_id()) | changes)
