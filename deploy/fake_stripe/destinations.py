"""Event destinations of Stripe's second API: webhook endpoints that are sent thin events, which name an object and do not show it.

https://docs.stripe.com/event-destinations and https://docs.stripe.com/api/v2/core/event_destinations. Their bodies are JSON. A
thin event of an object of the first API has its type after `v1.`.
"""

import secrets
from datetime import UTC, datetime
from typing import Any

from deploy.fake_stripe.books import Books, Object, new_id
from deploy.fake_stripe.refusals import Refusal, invalid

_INCLUDED = ("webhook_endpoint.signing_secret", "webhook_endpoint.url")
"""What is shown of an endpoint on demand; the secret in the answer that makes it alone."""


def create_destination(books: Books, params: dict[str, Any]) -> Object:
    """Register a destination of thin events.

    Raises:
        Refusal: when something is missing or is not served here.
    """
    for name in ("name", "type", "event_payload", "enabled_events"):
        if not params.get(name):
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if params["type"] != "webhook_endpoint" or params["event_payload"] != "thin":
        message = "The stand-in serves webhook endpoints for thin events alone, of what Stripe has."
        raise Refusal(501, message, kind="api_error", param="type", is_executed=False)
    url = str((params.get("webhook_endpoint") or {}).get("url") or "")
    if not url.startswith("https://" if books.livemode else ("http://", "https://")):
        raise invalid("Invalid URL: an absolute address, and in live mode one of https.", param="webhook_endpoint.url")
    if not isinstance(params["enabled_events"], list):
        raise invalid("Invalid array", param="enabled_events")
    now = _written(books.now())
    destination: Object = {
        "id": new_id("ed"),
        "object": "v2.core.event_destination",
        "amazon_eventbridge": None,
        "azure_event_grid": None,
        "created": now,
        "description": str(params.get("description") or ""),
        "enabled_events": [str(each) for each in params["enabled_events"]],
        "event_payload": "thin",
        "events_from": params.get("events_from") or ["@self"],
        "livemode": books.livemode,
        "metadata": params.get("metadata") or {},
        "name": str(params["name"]),
        "snapshot_api_version": None,
        "status": "enabled",
        "status_details": None,
        "type": "webhook_endpoint",
        "updated": now,
        "_url": url,
        "_secret": f"whsec_{secrets.token_urlsafe(24)}",
    }
    books.event_destinations[destination["id"]] = destination
    return _including(destination, params, {"signing_secret": destination["_secret"], "url": url})


def find_destination(books: Books, identifier: str, params: dict[str, Any]) -> Object:
    """Show a destination, without its secret."""
    destination = books.find("event_destination", identifier)
    return _including(destination, params, {"url": destination["_url"]})


def delete_destination(books: Books, identifier: str) -> Object:
    """Take a destination away."""
    destination = books.find("event_destination", identifier)
    del books.event_destinations[destination["id"]]
    return {"id": destination["id"], "object": "v2.core.event_destination"}


def ping(books: Books, identifier: str) -> Object:
    """Send the event by which a destination is tried out, to it alone; it is about the destination itself."""
    destination = books.find("event_destination", identifier)
    path = f"/v2/core/event_destinations/{identifier}"
    related = (destination["id"], destination["object"], path)
    event = _thin(books, "v2.core.event_destination.ping", books.now(), related=related)
    books.announce(event)
    return event


def is_named(destination: Object, kind: str) -> bool:
    """Whether a destination is sent the thin events of a type of the first API."""
    return f"v1.{kind}" in destination["enabled_events"]


def thin_event(books: Books, event: Object, *, context: str) -> Object:
    """Make the thin event of an event: an id of its own, and the object by its name alone."""
    about = event["data"]["object"]
    path = f"/v1/{about['object']}s/{about['id']}"
    related = (about["id"], about["object"], path)
    return _thin(
        books, f"v1.{event['type']}", event["created"], related=related, context=context, cause=event["request"]
    )


def _thin(
    books: Books,
    kind: str,
    at: int,
    *,
    related: tuple[str, str, str],
    context: str = "",
    cause: Object | None = None,
) -> Object:
    request = None if cause is None or not cause["id"] else cause
    return {
        "id": new_id("evt_test"),
        "object": "v2.core.event",
        "context": context or None,
        "created": _written(at),
        "livemode": books.livemode,
        "reason": None if request is None else {"type": "request", "request": request},
        "related_object": dict(zip(("id", "type", "url"), related, strict=True)),
        "type": kind,
    }


def _including(destination: Object, params: dict[str, Any], endpoint: Object) -> Object:
    named = [each.partition(".")[2] for each in params.get("include") or [] if each in _INCLUDED]
    return destination | {"webhook_endpoint": {name: endpoint.get(name) for name in named} if named else None}


def _written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
