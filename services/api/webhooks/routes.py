"""Webhook endpoints and what was delivered to them; the notifier keeps them and answers over the broker."""

import re
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import Response

from libs.common.contracts.notifier import (
    CancelReplay,
    ChangeEndpoint,
    DeleteEndpoint,
    GetEndpoint,
    GetReplay,
    ListDeliveries,
    ListEndpoints,
    RegisterEndpoint,
    RotateSecret,
    SendTestEvent,
    StartReplay,
)
from libs.common.contracts.notifier.errors import (
    EndpointConflict,
    EndpointInactive,
    EndpointNotFound,
    InvalidEndpoint,
    InvalidReplay,
    ReplayDone,
    ReplayNotFound,
    TooManyEndpoints,
    TooManySecrets,
)
from libs.common.errors import IdempotencyKeyReused
from services.api.errors import FeatureDisabled
from services.api.http.bodies import BodyReader, NoMembers, invalid, take_nothing
from services.api.http.callers import Caller, Feature
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.idempotency.requests import require_key
from services.api.webhooks.schemas import (
    ChangeWebhook,
    CreateWebhook,
    DeliveryPage,
    EndpointBody,
    ReplayBody,
    ReplayWebhook,
    RotateWebhookSecret,
    TestSentBody,
    delivery_body,
    endpoint_body,
    replay_body,
)

_WRITE = "admin:write"
DELIVERIES, DELIVERIES_MAX = 50, 200
_STATUSES = ("PENDING", "DELIVERED", "FAILED")
_EVENT = re.compile(r"(\*|[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?)\Z")
_URL = re.compile(r"[!-~]+\Z")


_HISTORY = (
    QueryParameter(
        name="limit",
        description="Deliveries at most.",
        shape={"type": "integer", "minimum": 1, "maximum": DELIVERIES_MAX, "default": DELIVERIES},
    ),
    QueryParameter(name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string"}),
    QueryParameter(name="status", description="This status alone.", shape={"type": "string", "enum": list(_STATUSES)}),
    QueryParameter(name="event_type", description="Events of this name alone.", shape={"type": "string"}),
    QueryParameter(
        name="event_id",
        description="This event alone, with the `body` that is sent.",
        shape={"type": "string", "format": "uuid"},
    ),
    QueryParameter(name="from", description="Events from this date or instant on.", shape={"type": "string"}),
    QueryParameter(name="to", description="Events up to this date or instant.", shape={"type": "string"}),
)


class Webhooks(Resource):
    """Routes of webhook endpoints and deliveries."""

    ask: Ask

    bodies, changes = BodyReader(CreateWebhook), BodyReader(ChangeWebhook)
    rotations, selections = BodyReader(RotateWebhookSecret), BodyReader(ReplayWebhook)

    @operation(
        "POST",
        "/v1/webhooks",
        operation_id="createWebhook",
        summary="Register a webhook endpoint",
        description="The answer carries the signing secret, once.",
        tags=["webhooks"],
        body=CreateWebhook,
        answer=EndpointBody,
        permission=_WRITE,
        status=201,
        refusals=(TooManyEndpoints, EndpointConflict, InvalidEndpoint),
        change=Change(RegisterEndpoint, "notifier.register_endpoint", target="endpoint_id"),
    )
    async def create_webhook(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_deliverable(requested)
        registered = await self.ask(
            RegisterEndpoint(
                tenant_id=caller.tenant_id,
                endpoint_id=resource_id(),
                url=requested.url,
                events=list(requested.events),
                description=requested.description,
                rate_limit_per_second=requested.rate_limit_per_second or 0,
                is_ordered=requested.is_ordered,
                headers=requested.headers,
                has_public_key=requested.has_public_key,
            )
        )
        return json_answer(endpoint_body(registered), status=201, headers={"Cache-Control": "no-store"})

    @operation(
        "GET",
        "/v1/webhooks",
        operation_id="listWebhooks",
        summary="List webhook endpoints",
        description="Newest first, as a bare array, without their secrets.",
        tags=["webhooks"],
        answer=list[EndpointBody],
        permission=_WRITE,
    )
    async def list_webhooks(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ListEndpoints(tenant_id=caller.tenant_id))
        return json_answer([endpoint_body(endpoint) for endpoint in found.endpoints])

    @operation(
        "DELETE",
        "/v1/webhooks/{endpoint_id:str}",
        operation_id="deleteWebhook",
        summary="Delete a webhook endpoint",
        description="Its delivery history stays.",
        tags=["webhooks"],
        permission=_WRITE,
        status=204,
        refusals=(EndpointNotFound,),
        change=Change(DeleteEndpoint, "notifier.delete_endpoint", target="endpoint_id"),
    )
    async def delete_webhook(self, caller: Caller, request: AnyRequest, endpoint_id: str) -> None:
        await self.ask(DeleteEndpoint(tenant_id=caller.tenant_id, endpoint_id=path_id(endpoint_id, "endpoint_id")))

    @operation(
        "GET",
        "/v1/webhooks/{endpoint_id:str}",
        operation_id="getWebhook",
        summary="Get a webhook endpoint",
        description="With its health: whether it fails, rests or was switched off, and what waits for it.",
        tags=["webhooks"],
        answer=EndpointBody,
        permission=_WRITE,
        refusals=(EndpointNotFound,),
    )
    async def get_webhook(self, caller: Caller, request: AnyRequest, endpoint_id: str) -> Response[bytes]:
        found = await self.ask(GetEndpoint(tenant_id=caller.tenant_id, endpoint_id=path_id(endpoint_id, "endpoint_id")))
        return json_answer(endpoint_body(found))

    @operation(
        "PATCH",
        "/v1/webhooks/{endpoint_id:str}",
        operation_id="changeWebhook",
        summary="Change a webhook endpoint",
        description="Members that are missing stay as they are. Switching off ends what waits.",
        tags=["webhooks"],
        body=ChangeWebhook,
        answer=EndpointBody,
        permission=_WRITE,
        refusals=(EndpointNotFound, InvalidEndpoint),
        change=Change(ChangeEndpoint, "notifier.change_endpoint", target="endpoint_id"),
    )
    async def change_webhook(self, caller: Caller, request: AnyRequest, endpoint_id: str) -> Response[bytes]:
        requested = await self.changes.take(await request.body())
        require_deliverable(requested)
        changed = await self.ask(
            ChangeEndpoint(
                tenant_id=caller.tenant_id,
                endpoint_id=path_id(endpoint_id, "endpoint_id"),
                **msgspec.structs.asdict(requested),
            )
        )
        return json_answer(endpoint_body(changed))

    @operation(
        "POST",
        "/v1/webhooks/{endpoint_id:str}/rotate-secret",
        operation_id="rotateWebhookSecret",
        summary="Rotate the signing secret",
        description="The answer carries the new secret, once. The present one goes on signing until the overlap ends.",
        tags=["webhooks"],
        body=RotateWebhookSecret,
        answer=EndpointBody,
        permission=_WRITE,
        refusals=(EndpointNotFound, TooManySecrets, InvalidEndpoint),
        change=Change(RotateSecret, "notifier.rotate_secret", target="endpoint_id"),
    )
    async def rotate_webhook_secret(self, caller: Caller, request: AnyRequest, endpoint_id: str) -> Response[bytes]:
        requested = await self.rotations.take(await request.body() or b"{}")
        rotated = await self.ask(
            RotateSecret(
                tenant_id=caller.tenant_id,
                endpoint_id=path_id(endpoint_id, "endpoint_id"),
                overlap_seconds=requested.overlap_seconds,
            )
        )
        return json_answer(endpoint_body(rotated), headers={"Cache-Control": "no-store"})

    @operation(
        "POST",
        "/v1/webhooks/{endpoint_id:str}/test",
        operation_id="testWebhook",
        summary="Send a test event",
        description="Sends `webhook.test` by the way of every other event; the history shows what came of it.",
        tags=["webhooks"],
        body=NoMembers,
        answer=TestSentBody,
        permission=_WRITE,
        status=202,
        refusals=(EndpointNotFound, EndpointInactive),
        change=Change(SendTestEvent, "notifier.send_test_event", target="endpoint_id"),
    )
    async def test_webhook(self, caller: Caller, request: AnyRequest, endpoint_id: str) -> Response[bytes]:
        await take_nothing(await request.body())
        sent = await self.ask(
            SendTestEvent(
                tenant_id=caller.tenant_id, endpoint_id=path_id(endpoint_id, "endpoint_id"), event_id=resource_id()
            )
        )
        body = TestSentBody(event_id=str(sent.event_id), delivery_id=str(sent.delivery_id))
        return json_answer(body, status=202)

    @operation(
        "GET",
        "/v1/webhooks/{endpoint_id:str}/deliveries",
        operation_id="listWebhookDeliveries",
        summary="List deliveries",
        description="What was sent to an endpoint, newest first, with every attempt.",
        tags=["webhooks"],
        answer=DeliveryPage,
        permission=_WRITE,
        refusals=(EndpointNotFound,),
        query=_HISTORY,
    )
    async def list_deliveries(self, caller: Caller, request: AnyRequest, endpoint_id: str) -> Response[bytes]:
        return await self._history(caller, request, path_id(endpoint_id, "endpoint_id"))

    @operation(
        "GET",
        "/v1/webhook-deliveries",
        operation_id="listAllWebhookDeliveries",
        summary="List deliveries of all endpoints",
        description="What was sent to any endpoint, deleted ones included, newest first, with every attempt.",
        tags=["webhooks"],
        answer=DeliveryPage,
        permission=_WRITE,
        query=_HISTORY,
    )
    async def list_all_deliveries(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        return await self._history(caller, request, None)

    async def _history(self, caller: Caller, request: AnyRequest, endpoint_id: UUID | None) -> Response[bytes]:
        query = Query(request)
        statuses = query.names("status", {name: (name,) for name in _STATUSES}) or (None,)
        if len(statuses) > 1:
            raise wrong("status", f"must be one of {', '.join(_STATUSES)}")
        page = await self.ask(
            ListDeliveries(
                tenant_id=caller.tenant_id,
                endpoint_id=endpoint_id,
                limit=query.integer("limit", default=DELIVERIES, at_least=1, at_most=DELIVERIES_MAX),
                cursor=query.cursor(),
                status=statuses[0],
                event_type=query.text("event_type"),
                event_id=query.identifier("event_id"),
                since=query.begin(),
                until=query.end(),
            )
        )
        body = DeliveryPage(data=[delivery_body(d) for d in page.deliveries], next_cursor=page.next_cursor)
        link = query.link(page.next_cursor)
        return json_answer(body, headers=link)

    @operation(
        "POST",
        "/v1/webhooks/{endpoint_id:str}/replay",
        operation_id="replayWebhook",
        summary="Replay deliveries",
        description="Makes deliveries again: named ones, those of a time, or all that failed or are missing. "
        "Needs an `Idempotency-Key` unless it is a dry run, which only counts.",
        tags=["webhooks"],
        body=ReplayWebhook,
        answer=ReplayBody,
        permission=_WRITE,
        status=202,
        refusals=(
            EndpointNotFound,
            EndpointInactive,
            InvalidReplay,
            IdempotencyKeyMissing,
            IdempotencyKeyInvalid,
            IdempotencyKeyReused,
            FeatureDisabled,
        ),
        headers=(("Idempotency-Key", "The same key and body again is the same replay."),),
        feature=Feature.WEBHOOK_REPLAYS,
        change=Change(StartReplay, "notifier.start_replay", target="endpoint_id"),
    )
    async def replay_webhook(self, caller: Caller, request: AnyRequest, endpoint_id: str) -> Response[bytes]:
        requested = await self.selections.take(await request.body() or b"{}")
        key = "" if requested.dry_run else require_key(request.headers, missing="a replay needs an Idempotency-Key")
        naive = [name for name in ("since", "until") if (at := getattr(requested, name)) and at.tzinfo is None]
        if naive:
            raise invalid([(f"/{name}", "must have an offset from UTC, such as Z") for name in naive])
        begun = await self.ask(
            StartReplay(
                tenant_id=caller.tenant_id,
                endpoint_id=path_id(endpoint_id, "endpoint_id"),
                key=key,
                outcomes=tuple(requested.outcomes),
                event_ids=tuple(requested.event_ids),
                event_types=tuple(requested.event_types),
                since=requested.since,
                until=requested.until,
                is_dry_run=requested.dry_run,
            )
        )
        return json_answer(replay_body(begun), status=202)

    @operation(
        "GET",
        "/v1/webhook-replays/{replay_id:str}",
        operation_id="getWebhookReplay",
        summary="Get a replay",
        description="How far a replay is.",
        tags=["webhooks"],
        answer=ReplayBody,
        permission=_WRITE,
        refusals=(ReplayNotFound,),
    )
    async def get_webhook_replay(self, caller: Caller, request: AnyRequest, replay_id: str) -> Response[bytes]:
        found = await self.ask(GetReplay(tenant_id=caller.tenant_id, replay_id=path_id(replay_id, "replay_id")))
        return json_answer(replay_body(found))

    @operation(
        "POST",
        "/v1/webhook-replays/{replay_id:str}/cancel",
        operation_id="cancelWebhookReplay",
        summary="Cancel a replay",
        description="Schedules no more of it; what is scheduled is still delivered. Cancelling again is success.",
        tags=["webhooks"],
        body=NoMembers,
        answer=ReplayBody,
        permission=_WRITE,
        refusals=(ReplayNotFound, ReplayDone),
        change=Change(CancelReplay, "notifier.cancel_replay", target="replay_id"),
    )
    async def cancel_webhook_replay(self, caller: Caller, request: AnyRequest, replay_id: str) -> Response[bytes]:
        await take_nothing(await request.body())
        ended = await self.ask(CancelReplay(tenant_id=caller.tenant_id, replay_id=path_id(replay_id, "replay_id")))
        return json_answer(replay_body(ended))


def require_deliverable(requested: CreateWebhook | ChangeWebhook) -> None:
    """Refuse what cannot be an address or an event; whether the address may be dialled is the notifier's decision.

    Raises:
        Invalid: naming each violation.
    """
    violations: list[tuple[str, str]] = []
    url = requested.url
    try:
        parts = urlsplit(url or "https://unchanged")
        usable = url is None or (bool(_URL.match(url)) and parts.scheme in {"http", "https"} and bool(parts.hostname))
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        violations.append(("/url", "must be an absolute http or https URL"))
    violations += [
        (f"/events/{i}", "must be an event name such as payment.settled, a prefix such as payment.*, or *")
        for i, name in enumerate(requested.events or ())
        if not _EVENT.match(name)
    ]
    if violations:
        raise invalid(violations)
