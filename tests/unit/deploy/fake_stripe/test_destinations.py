"""Event destinations: thin events, signed and by name alone, beside the events that show their objects."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from stripe.v2.core import EventDestination

from services.gateway.processors.stripe import verify
from tests.support.fake_stripe import KEY, Caller

TYPES = ["v1.payment_intent.succeeded", "v1.refund.created"]


class Endpoint:
    """Whoever receives events."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[tuple[bytes, str]] = []

    async def events(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(10):
            while len(self.received) < count:
                await asyncio.sleep(0.01)
        return [json.loads(body) for body, _ in self.received]


@asynccontextmanager
async def listening() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()

    async def take(request: web.Request) -> web.Response:
        endpoint.received.append((await request.read(), request.headers["Stripe-Signature"]))
        return web.Response()

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield endpoint
    finally:
        await runner.cleanup()


async def call(caller: Caller, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """Make one call of the second API."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with caller.http.request(method, caller.fake.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


def wanting(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "payments",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": TYPES,
        "webhook_endpoint": {"url": url},
        "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
    } | changes


async def test_destination_is_sent_thin_events_of_its_types(caller: Caller) -> None:
    async with listening() as endpoint:
        status, made = await call(caller, "POST", "/v2/core/event_destinations", wanting(endpoint.url))
        assert status == 200
        secret = made["webhook_endpoint"]["signing_secret"]
        paid = await caller.paid()
        (event,) = await endpoint.events(1)
        (body, header) = endpoint.received[0]
        assert verify(body, header, [secret], tolerance_seconds=300) == body.decode()
        assert (event["object"], event["type"]) == ("v2.core.event", TYPES[0])
        assert event["related_object"] == {
            "id": paid["id"],
            "type": "payment_intent",
            "url": f"/v1/payment_intents/{paid['id']}",
        }
        assert datetime.fromisoformat(event["created"]).tzinfo is not None
        assert not {"data", "api_version"} & event.keys()
        assert event["id"] not in caller.books.events
        _, pinged = await call(caller, "POST", f"/v2/core/event_destinations/{made['id']}/ping")
        assert pinged["type"] == "v2.core.event_destination.ping"
        assert (await endpoint.events(2))[1]["related_object"]["id"] == made["id"]
        status, _ = await call(caller, "DELETE", f"/v2/core/event_destinations/{made['id']}")
        assert status == 200
        await caller.paid()
        assert len(endpoint.received) == 2


async def test_destination_has_the_members_of_the_sdk_and_hides_its_secret(caller: Caller) -> None:
    _, made = await call(caller, "POST", "/v2/core/event_destinations", wanting("http://127.0.0.1:1/"))
    assert set(made) == set(EventDestination.__annotations__) - {"OBJECT_NAME"} - {"_inner_class_types"}
    _, found = await call(caller, "GET", f"/v2/core/event_destinations/{made['id']}?include[]=webhook_endpoint.url")
    assert found["webhook_endpoint"] == {"url": "http://127.0.0.1:1/"}
    _, bare = await call(caller, "GET", f"/v2/core/event_destinations/{made['id']}")
    assert bare["webhook_endpoint"] is None


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"name": ""}, 400),
        ({"enabled_events": "v1.x"}, 400),
        ({"webhook_endpoint": {"url": "ftp://x"}}, 400),
        ({"colour": "red"}, 400),
        ({"event_payload": "snapshot"}, 501),
        ({"type": "amazon_eventbridge"}, 501),
    ],
)
async def test_what_no_destination_can_be_is_refused(caller: Caller, changes: dict[str, Any], status: int) -> None:
    answered, _ = await call(caller, "POST", "/v2/core/event_destinations", wanting("http://127.0.0.1:1/", **changes))
    assert answered == status


async def test_body_that_is_no_json_is_refused(caller: Caller) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{caller.fake.url}/v2/core/event_destinations"
    async with aiohttp.ClientSession() as http, http.post(url, data=b"name=x", headers=headers) as answer:
        assert answer.status == 400
