"""Webhooks as Stripe sends them: signed, at least once, in no particular order, and again until somebody answers 2xx.

A rolled secret signs beside the new one until its overlap ends (https://docs.stripe.com/webhooks#roll-endpoint-secrets).
"""

import asyncio
import hashlib
import hmac
import json
import random
import secrets
import time
from typing import Any

import aiohttp
import msgspec

from deploy.fake_stripe import destinations, forms
from deploy.fake_stripe.books import Books, Object, new_id, shown
from deploy.fake_stripe.refusals import invalid

_PAUSES_SECONDS = (0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Between two tries; Stripe takes three days over it."""
_TIMEOUT_SECONDS = 10.0
_IN_FLIGHT_MAX = 64


class Mischief(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How unkindly webhooks travel."""

    duplicated_share: float = 0.0
    """The part of the events that are sent twice."""
    delay_seconds_max: float = 0.0
    """Each event is late by a random part of this, so that they arrive in another order."""
    lost_share: float = 0.0
    """The part of the events that are never sent."""


def signature(payload: bytes, *keys: str, at: int | None = None) -> str:
    """Sign a body: `t=<unix>,v1=<hex>` with one `v1` for each secret in force.

    With the time of the machine, not the stand-in's: whoever verifies it has no other.
    """
    stamp = int(time.time()) if at is None else at
    signed = str(stamp).encode() + b"." + payload
    parts = [f"v1={hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}" for key in keys]
    return ",".join([f"t={stamp}", *parts])


class Sender:
    """Sends the events of all accounts to their endpoints."""

    def __init__(self, *, seed: int = 0) -> None:
        self.mischief = Mischief()
        self.delivered = 0
        """Answers of 2xx so far."""
        self._random = random.Random(seed)  # noqa: S311 - not a secret, and the same every time
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_IN_FLIGHT_MAX)
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Get ready to send."""
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))

    async def close(self) -> None:
        """Stop sending."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    @property
    def waiting(self) -> int:
        """Events that are not delivered yet."""
        return len(self._tasks)

    def announce(self, books: Books, event: Object) -> None:
        """Send an event to every endpoint and destination that wants it; a ping to the destination that it is about."""
        if event["object"] == "v2.core.event":
            event["_waiting"] = set()
            self._send(books.event_destinations[event["related_object"]["id"]], event, shown(event))
            return
        for endpoint, account in _endpoints(books):
            if event["type"] not in endpoint["enabled_events"] and "*" not in endpoint["enabled_events"]:
                continue
            version = endpoint["api_version"] or event["api_version"]
            named = {"account": account} if account else {}
            self._send(endpoint, event, shown(event) | {"api_version": version} | named)
        for destination, account in _destinations(books):
            if destinations.is_named(destination, event["type"]):
                self._send(destination, event, destinations.thin_event(books, event, context=account))

    def _send(self, endpoint: Object, event: Object, body: Object) -> None:
        event["_waiting"].add(endpoint["id"])
        event["pending_webhooks"] = len(event["_waiting"])
        if self._random.random() < self.mischief.lost_share:
            return
        copies = 2 if self._random.random() < self.mischief.duplicated_share else 1
        for _ in range(copies):
            late = self._random.random() * self.mischief.delay_seconds_max
            task = asyncio.create_task(self._deliver(endpoint, event, body, late_seconds=late))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, endpoint: Object, event: Object, shows: Object, *, late_seconds: float) -> None:
        await asyncio.sleep(late_seconds)
        pending = {"pending_webhooks": event["pending_webhooks"]} if "pending_webhooks" in shows else {}
        body = json.dumps(shows | pending, indent=2).encode()
        for pause in (*_PAUSES_SECONDS, 0.0):
            async with self._places:
                if await self._post(endpoint, body):
                    self.delivered += 1
                    event["_waiting"].discard(endpoint["id"])
                    event["pending_webhooks"] = len(event["_waiting"])
                    return
            await asyncio.sleep(pause)

    async def _post(self, endpoint: Object, body: bytes) -> bool:
        assert self._http is not None
        keys = [endpoint.get("_secret") or endpoint["secret"]]
        if endpoint.get("_previous_until", 0.0) > time.time():
            keys.append(endpoint["_previous"])
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature(body, *keys)}
        try:
            async with self._http.post(endpoint.get("_url") or endpoint["url"], data=body, headers=headers) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False


def _endpoints(books: Books) -> list[tuple[Object, str]]:
    """The endpoints that an event of an account goes to, each with the account that it names there: an endpoint for
    connected accounts gets the events of all of them, and no others."""
    own = [(each, "") for each in books.webhook_endpoints.values() if not each["_is_connect"]]
    if books.platform is None:
        return own
    platforms = [each for each in books.platform.webhook_endpoints.values() if each["_is_connect"]]
    return [*own, *((each, books.account_id) for each in platforms)]


def _destinations(books: Books) -> list[tuple[Object, str]]:
    """The destinations that thin events of an account may go to, each with the account that they name there."""
    own = [(each, "") for each in books.event_destinations.values() if "@self" in each["events_from"]]
    if books.platform is None:
        return own
    platforms = [each for each in books.platform.event_destinations.values() if "@accounts" in each["events_from"]]
    return [*own, *((each, books.account_id) for each in platforms)]


def create_endpoint(books: Books, params: dict[str, Any]) -> Object:
    """Register an endpoint; its secret is in this answer.

    Raises:
        Refusal: when the address or the events are missing.
    """
    for name in ("url", "enabled_events"):
        if not params.get(name):
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    url, events = str(params["url"]), params["enabled_events"]
    if not url.startswith("https://" if books.livemode else ("http://", "https://")):
        raise invalid(
            "Invalid URL: an absolute address, and in live mode one of https.", param="url", code="url_invalid"
        )
    if not isinstance(events, list):
        raise invalid("Invalid array", param="enabled_events")
    endpoint: Object = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": books.now(),
        "description": params.get("description"),
        "enabled_events": list(events),
        "livemode": books.livemode,
        "metadata": forms.metadata(params),
        "secret": f"whsec_{secrets.token_urlsafe(24)}",
        "status": "enabled",
        "url": url,
        "_is_connect": forms.boolean(params, "connect"),
        "_previous": "",
        "_previous_until": 0.0,
    }
    books.webhook_endpoints[endpoint["id"]] = endpoint
    return endpoint


def roll_secret(endpoint: Object, *, overlap_seconds: float) -> Object:
    """Give an endpoint a new secret; the present one goes on signing for a while."""
    endpoint["_previous"], endpoint["_previous_until"] = endpoint["secret"], time.time() + overlap_seconds
    endpoint["secret"] = f"whsec_{secrets.token_urlsafe(24)}"
    return endpoint
