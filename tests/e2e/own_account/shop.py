"""A tenant that takes payments through its own account at a fake Stripe."""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from deploy.fake_stripe import FakeStripe
from deploy.fake_stripe.books import Books
from deploy.fake_stripe.webhooks import create_endpoint
from tests.support.platform import Client, Platform

KEY = "sk_test_of_the_demo_tenant_wxyz"
"""The key of the demo tenant; another tenant has an account and a key of its own."""
OPERATIONS_TOKEN = token_hex(16)
CONNECTIONS_MAX = 100
ENVIRON = {
    "OPERATIONS_TOKEN": OPERATIONS_TOKEN,
    "HTTP_CONNECTIONS_MAX": str(CONNECTIONS_MAX),
    "HTTP_HEADER_SECONDS": "5",
}


class Shop:
    """The platform, the fake Stripe behind it, and two people of the tenant."""

    def __init__(
        self, platform: Platform, fake: FakeStripe, admin: Client, operator: Client, *, key: str = KEY
    ) -> None:
        self.platform = platform
        self.fake = fake
        self.admin = admin
        self.operator = operator
        self.key = key

    @property
    def account(self) -> Books:
        """The tenant's account at Stripe."""
        return self.fake.account(self.key)

    async def configure(self) -> dict[str, Any]:
        """Add the tenant's account for euros, webhooks included."""
        body = {"processor": "stripe", "currencies": ["EUR"], "secret_key": self.key, "payment_method": "pm_card_visa"}
        answer = await self.admin.call("POST", "/v1/gateway-configs", body)
        assert answer.status == 201, answer.raw
        config: dict[str, Any] = answer.json
        endpoint = create_endpoint(
            self.account,
            {"url": self.platform.base("gateway") + config["webhook_path"], "enabled_events": ["*"]},
        )
        answer = await self.admin.call(
            "POST", f"/v1/gateway-configs/{config['id']}/rotate-keys", {"webhook_secret": endpoint["secret"]}
        )
        assert answer.status == 200, answer.raw
        assert answer.json["webhook_secret_last4"] == endpoint["secret"][-4:]
        return config

    async def paid(self) -> str:
        """Make a payment in euros, settled."""
        intent = await self.operator.create("25.00", currency="EUR")
        answer = await self.operator.confirm(intent["id"])
        assert answer.status in {200, 202}, answer.raw
        await self.operator.settled(intent["id"])
        return str(intent["id"])

    def made_for(self, intent_id: str, objects: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """What Stripe holds for one payment, of all that the tests made."""
        return [made for made in objects.values() if made["metadata"].get("payment_intent_id") == intent_id]

    async def processors(self, intent_id: str) -> list[tuple[str, str, str]]:
        """What was requested for a payment: operation, processor, status."""
        answer = await self.admin.call("GET", f"/v1/payment-intents/{intent_id}/attempts")
        assert answer.status == 200, answer.raw
        return [(a["operation"], a["processor"], a["status"]) for a in answer.json]
