"""What comes to the address of connected accounts is kept for each configuration of its account, or counted as what it is."""

import json
import time
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from deploy.fake_stripe.webhooks import signature
from services.gateway import metrics
from services.gateway.notices.routes import webhook_routes

SECRET = "whsec_connect"
OWNED = {"acct_one": [("a", "stripe:1")], "acct_two": [("a", "stripe:2"), ("b", "stripe:3")]}
THIN = {"object": "v2.core.event", "created": "2025-11-22T08:26:40Z", "data": {}}
COUNTED = ("test_mode", "wrong_mode", "unknown_account")


class Connected:
    """The accounts of a platform, and the inbox of their events."""

    webhook_secrets = (SECRET,)

    def __init__(self, *, is_live: bool) -> None:
        self.is_live = is_live
        self.kept: list[tuple[str, str]] = []

    async def whose(self, account: str) -> list[tuple[str, str]]:
        return OWNED.get(account, [])

    async def keep(self, body: str, *, tenant_id: str, processor: str) -> None:
        self.kept.append((tenant_id, processor))


def counts() -> dict[str, float]:
    found = {each: metrics.STRIPE_ENVELOPES.labels(each)._value.get() for each in COUNTED}
    return found | {"kept": metrics.WEBHOOKS_KEPT._value.get()}


@pytest.mark.parametrize(
    ("is_live", "changes", "kept", "counted"),
    [
        (False, {"account": "acct_one"}, OWNED["acct_one"], "kept"),
        # One webhook, however many configurations have it.
        (False, {"account": "acct_two"}, OWNED["acct_two"], "kept"),
        (False, {**THIN, "context": "acct_one"}, OWNED["acct_one"], "kept"),
        (True, {"account": "acct_one", "livemode": True}, OWNED["acct_one"], "kept"),
        (False, {"account": "acct_of_nobody"}, [], "unknown_account"),
        (False, {**THIN, "context": "acct_of_nobody"}, [], "unknown_account"),
        # The platform's own events have an address of their own.
        (False, {}, [], "unknown_account"),
        (False, {"account": "acct_one", "livemode": True}, [], "wrong_mode"),
        (False, {"account": "acct_of_nobody", "livemode": True}, [], "wrong_mode"),
        (True, {"account": "acct_one"}, [], "test_mode"),
    ],
)
async def test_event_is_kept_or_counted_as_what_it_is(
    is_live: bool, changes: dict[str, Any], kept: list[tuple[str, str]], counted: str
) -> None:
    connected: Any = Connected(is_live=is_live)
    accounts: Any = None
    routes = webhook_routes(accounts, connected, connected=connected, body_bytes_max=10_000, tolerance_seconds=300)
    event = {"id": "evt_1", "type": "charge.updated", "created": 1, "livemode": False, "data": {"object": {}}} | changes
    raw, before = json.dumps(event).encode(), counts()
    async with AsyncTestClient(Litestar(routes)) as client:
        headers = {"Stripe-Signature": signature(raw, SECRET, at=int(time.time()))}
        answer = await client.post("/webhooks/stripe/connect", content=raw, headers=headers)
    assert (answer.status_code, connected.kept) == (200, kept)
    assert {name: count - before[name] for name, count in counts().items() if count != before[name]} == {counted: 1}
