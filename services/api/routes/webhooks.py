"""Webhook endpoints and what was delivered to them; the notifier keeps them and is asked over the broker."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from libs.common.clock import iso
from libs.common.contracts import Message
from libs.common.contracts.notifier import (
    DeleteEndpoint,
    Delivery,
    ListDeliveries,
    ListEndpoints,
    RegisterEndpoint,
    WebhookEndpoint,
)
from libs.common.ids import new_id
from services.api.auth import Access
from services.api.routes.bodies import BodyReader, invalid
from services.api.routes.documentation import Documented
from services.api.routes.parameters import AnyRequest, Query, QueryParameter, next_link, path_id
from services.api.routes.rendering import json_answer

_WRITE = "admin:write"
DELIVERIES, DELIVERIES_MAX = 50, 200
_EVENT = re.compile(r"(\*|[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?)\Z")
_URL = re.compile(r"[!-~]+\Z")


class CreateWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send which events."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048, description="The address that events are sent to.")]
    events: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=128)]],
        msgspec.Meta(min_length=1, max_length=100, description="Event names, prefixes such as `payment.*`, or `*`."),
    ]


class EndpointBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook endpoint."""

    id: str
    url: str
    events: list[str]
    is_active: bool
    created_at: str
    secret: (
        Annotated[str, msgspec.Meta(description="The signing secret: shown once, in the answer to the registration.")]
        | None
    ) = None


class AttemptBody(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a delivery."""

    number: int
    attempted_at: str
    duration_ms: int
    status_code: int | None
    error: str | None


class DeliveryBody(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one endpoint."""

    id: str
    event_id: str
    event_type: str
    status: str
    created_at: str
    next_attempt_at: str | None
    attempts: list[AttemptBody]


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    data: list[DeliveryBody]
    next_cursor: str | None


def webhook_routes(access: Access, ask: Callable[[Message], Awaitable[Any]]) -> list[HTTPRouteHandler]:
    """Build the routes of webhook endpoints and deliveries."""
    bodies = BodyReader(CreateWebhook)

    @post(
        "/v1/webhooks",
        status_code=201,
        operation_id="createWebhook",
        summary="Register a webhook endpoint",
        description="The answer carries the signing secret, once.",
        tags=["webhooks"],
        documented=Documented(body=CreateWebhook, answer=EndpointBody, permission=_WRITE, status=201),
    )
    async def create_webhook(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, _WRITE)
        wanted = bodies.read(await request.body())
        require_deliverable(wanted)
        registered = await ask(
            RegisterEndpoint(
                tenant_id=caller.tenant_id, endpoint_id=new_id(), url=wanted.url, events=list(wanted.events)
            )
        )
        return json_answer(endpoint_body(registered), status=201, headers={"Cache-Control": "no-store"})

    @get(
        "/v1/webhooks",
        operation_id="listWebhooks",
        summary="List webhook endpoints",
        description="Newest first, as a bare array, without their secrets.",
        tags=["webhooks"],
        documented=Documented(answer=list[EndpointBody], permission=_WRITE),
    )
    async def list_webhooks(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, _WRITE)
        found = await ask(ListEndpoints(tenant_id=caller.tenant_id))
        return json_answer([endpoint_body(endpoint) for endpoint in found.endpoints])

    @delete(
        "/v1/webhooks/{endpoint_id:str}",
        status_code=204,
        operation_id="deleteWebhook",
        summary="Delete a webhook endpoint",
        description="Its delivery history stays.",
        tags=["webhooks"],
        documented=Documented(permission=_WRITE, status=204, refusals=(404,)),
    )
    async def delete_webhook(request: AnyRequest, endpoint_id: FromPath[str]) -> None:
        caller = await access.admit(request.headers, _WRITE)
        await ask(DeleteEndpoint(tenant_id=caller.tenant_id, endpoint_id=path_id(endpoint_id, "endpoint_id")))

    @get(
        "/v1/webhooks/{endpoint_id:str}/deliveries",
        operation_id="listWebhookDeliveries",
        summary="List deliveries",
        description="What was sent to an endpoint, newest first, with every attempt.",
        tags=["webhooks"],
        documented=Documented(
            answer=DeliveryPage,
            permission=_WRITE,
            refusals=(404,),
            query=(
                QueryParameter(
                    name="limit",
                    description="Deliveries at most.",
                    shape={"type": "integer", "minimum": 1, "maximum": DELIVERIES_MAX, "default": DELIVERIES},
                ),
                QueryParameter(
                    name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string"}
                ),
            ),
        ),
    )
    async def list_deliveries(request: AnyRequest, endpoint_id: FromPath[str]) -> Response[bytes]:
        caller = await access.admit(request.headers, _WRITE)
        query = Query(request)
        page = await ask(
            ListDeliveries(
                tenant_id=caller.tenant_id,
                endpoint_id=path_id(endpoint_id, "endpoint_id"),
                limit=query.integer("limit", default=DELIVERIES, at_least=1, at_most=DELIVERIES_MAX),
                cursor=query.cursor(),
            )
        )
        body = DeliveryPage(data=[delivery_body(d) for d in page.deliveries], next_cursor=page.next_cursor)
        link = {"Link": next_link(query.given, page.next_cursor)} if page.next_cursor else None
        return json_answer(body, headers=link)

    found: list[Any] = [create_webhook, list_webhooks, delete_webhook, list_deliveries]
    return found


def require_deliverable(wanted: CreateWebhook) -> None:
    """Refuse what cannot be an address or an event; whether the address may be dialled is the notifier's decision.

    Raises:
        Invalid: naming each violation.
    """
    violations: list[tuple[str, str]] = []
    try:
        parts = urlsplit(wanted.url)
        usable = bool(_URL.match(wanted.url)) and parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        violations.append(("/url", "must be an absolute http or https URL"))
    violations += [
        (f"/events/{i}", "must be an event name such as payment.settled, a prefix such as payment.*, or *")
        for i, name in enumerate(wanted.events)
        if not _EVENT.match(name)
    ]
    if violations:
        raise invalid(violations)


def endpoint_body(endpoint: WebhookEndpoint) -> EndpointBody:
    """Show an endpoint as clients see it."""
    return EndpointBody(
        id=str(endpoint.id),
        url=endpoint.url,
        events=endpoint.events,
        is_active=endpoint.is_active,
        created_at=iso(endpoint.created_at),
        secret=endpoint.secret,
    )


def delivery_body(delivery: Delivery) -> DeliveryBody:
    """Show a delivery as clients see it."""
    return DeliveryBody(
        id=str(delivery.id),
        event_id=str(delivery.event_id),
        event_type=delivery.event_type,
        status=delivery.status,
        created_at=iso(delivery.created_at),
        next_attempt_at=None if delivery.next_attempt_at is None else iso(delivery.next_attempt_at),
        attempts=[
            AttemptBody(
                number=attempt.number,
                attempted_at=iso(attempt.attempted_at),
                duration_ms=attempt.duration_ms,
                status_code=attempt.status_code,
                error=attempt.error,
            )
            for attempt in delivery.attempts
        ],
    )
