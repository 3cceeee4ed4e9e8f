"""Through which processor a tenant charges, and what was requested of it; the gateway answers over the broker."""

import msgspec
from litestar import Response

from libs.common.contracts.gateway_errors import (
    DefaultPaymentMethodLive,
    GatewayConfigConflict,
    GatewayConfigNotFound,
    ProcessorAccountChanged,
    ProcessorAccountUnreadable,
)
from libs.common.contracts.gateway_requests import (
    AddGatewayConfig,
    DeleteGatewayConfig,
    ListAttempts,
    ListGatewayConfigs,
    ListProcessorEvents,
    ListUnknownOutcomes,
    RotateGatewayKeys,
)
from libs.common.db import Database
from services.api.errors import OperatorRequired, PaymentIntentNotFound
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.payments import queries
from services.api.processors.schemas import (
    AttemptBody,
    CreateGatewayConfig,
    GatewayConfigBody,
    GatewayEventBody,
    RotateKeys,
    UnknownOutcomeBody,
    attempt_body,
    config_body,
    gateway_event_body,
    unknown_outcome_body,
)

_WRITE = "admin:write"
EVENTS, EVENTS_MAX = 50, 500
OUTCOMES, OUTCOMES_MAX = 50, 500
_STATUSES = ("RECEIVED", "HANDLED", "IGNORED", "UNMATCHED", "CONTRADICTED", "FAILED")


class Processors(Resource):
    """Routes of gateway configurations, attempts and processors' events."""

    ask: Ask
    database: Database

    bodies, rotations = BodyReader(CreateGatewayConfig), BodyReader(RotateKeys)

    @operation(
        "POST",
        "/v1/gateway-configs",
        operation_id="createGatewayConfig",
        summary="Charge through a processor account of one's own",
        description="New payments in its currencies go this way; the newest configuration that names a currency wins, "
        "then the newest that names none, then the platform's own processor. Keys are sealed and never shown again. An "
        "operator of the platform may name an account that is connected to the platform's instead of a key, and what the "
        "platform takes of each capture.",
        tags=["gateway"],
        body=CreateGatewayConfig,
        example={"processor": "stripe", "currencies": ["BRL"], "secret_key": "sk_test_51Mexample"},
        answer=GatewayConfigBody,
        permission=_WRITE,
        status=201,
        refusals=(GatewayConfigConflict, ProcessorAccountUnreadable, DefaultPaymentMethodLive, OperatorRequired),
        change=Change(AddGatewayConfig, "gateway.add_gateway_config", target="config_id"),
    )
    async def create_gateway_config(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_storable(
            {f"/{name}": text for name, text in msgspec.structs.asdict(requested).items() if isinstance(text, str)}
        )
        if (
            requested.connected_account
            or requested.application_fee_bps
            or requested.application_fee_minor
            or requested.refund_application_fee
        ):
            # What the platform takes, and through whose key, is for the platform to say.
            await self.access.require_operator(caller, "connected_account")
        given = msgspec.structs.asdict(requested) | {"currencies": tuple(requested.currencies)}
        added = await self.ask(AddGatewayConfig(tenant_id=caller.tenant_id, config_id=resource_id(), **given))
        return json_answer(config_body(added), status=201, headers={"Cache-Control": "no-store"})

    @operation(
        "GET",
        "/v1/gateway-configs",
        operation_id="listGatewayConfigs",
        summary="List gateway configurations",
        description="Newest first, as a bare array, without their keys.",
        tags=["gateway"],
        answer=list[GatewayConfigBody],
        permission=_WRITE,
    )
    async def list_gateway_configs(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ListGatewayConfigs(tenant_id=caller.tenant_id))
        return json_answer([config_body(config) for config in found.configs])

    @operation(
        "DELETE",
        "/v1/gateway-configs/{config_id:str}",
        operation_id="deleteGatewayConfig",
        summary="Delete a gateway configuration",
        description="No new payment goes this way. Payments that went it are still captured, voided and refunded by it.",
        tags=["gateway"],
        permission=_WRITE,
        status=204,
        refusals=(GatewayConfigNotFound,),
        change=Change(DeleteGatewayConfig, "gateway.delete_gateway_config", target="config_id"),
    )
    async def delete_gateway_config(self, caller: Caller, request: AnyRequest, config_id: str) -> None:
        await self.ask(DeleteGatewayConfig(tenant_id=caller.tenant_id, config_id=path_id(config_id, "config_id")))

    @operation(
        "POST",
        "/v1/gateway-configs/{config_id:str}/rotate-keys",
        operation_id="rotateGatewayKeys",
        summary="Rotate the keys of a gateway configuration",
        description="New keys of the same account. The webhook secret before the new one is accepted beside it.",
        tags=["gateway"],
        body=RotateKeys,
        example={"webhook_secret": "whsec_example1"},
        answer=GatewayConfigBody,
        permission=_WRITE,
        refusals=(
            GatewayConfigNotFound,
            GatewayConfigConflict,
            ProcessorAccountChanged,
            ProcessorAccountUnreadable,
        ),
        change=Change(RotateGatewayKeys, "gateway.rotate_gateway_keys", target="config_id"),
    )
    async def rotate_gateway_keys(self, caller: Caller, request: AnyRequest, config_id: str) -> Response[bytes]:
        requested = await self.rotations.take(await request.body())
        rotated = await self.ask(
            RotateGatewayKeys(
                tenant_id=caller.tenant_id,
                config_id=path_id(config_id, "config_id"),
                secret_key=requested.secret_key,
                webhook_secret=requested.webhook_secret,
            )
        )
        return json_answer(config_body(rotated), headers={"Cache-Control": "no-store"})

    @operation(
        "GET",
        "/v1/payment-intents/{intent_id:str}/attempts",
        operation_id="listPaymentIntentAttempts",
        summary="What was requested of processors for a payment intent",
        description="Oldest first, as a bare array; empty for an intent that no processor was called for.",
        tags=["payment intents"],
        answer=list[AttemptBody],
        permission=_WRITE,
        refusals=(PaymentIntentNotFound,),
    )
    async def list_attempts(self, caller: Caller, request: AnyRequest, intent_id: str) -> Response[bytes]:
        intent = await queries.get(self.database, caller.tenant_id, path_id(intent_id, "payment_intent_id"))
        found = await self.ask(ListAttempts(tenant_id=caller.tenant_id, payment_intent_id=intent.id))
        return json_answer([attempt_body(attempt) for attempt in found.attempts])

    @operation(
        "GET",
        "/v1/gateway-unknown-outcomes",
        operation_id="listUnknownOutcomes",
        summary="List operations without a known outcome",
        description="What processors were called for and it is not known whether they have done it, oldest first, as a bare "
        "array. Each is looked at again at `next_ask_at`; where that is null, an operator of the platform decides. Do not "
        "repeat a refund that is here.",
        tags=["gateway"],
        answer=list[UnknownOutcomeBody],
        permission=_WRITE,
        query=(
            QueryParameter(
                name="limit",
                description="Operations at most.",
                shape={"type": "integer", "minimum": 1, "maximum": OUTCOMES_MAX, "default": OUTCOMES},
            ),
        ),
    )
    async def list_unknown_outcomes(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        limit = Query(request).integer("limit", default=OUTCOMES, at_least=1, at_most=OUTCOMES_MAX)
        found = await self.ask(ListUnknownOutcomes(tenant_id=caller.tenant_id, limit=limit))
        return json_answer([unknown_outcome_body(outcome) for outcome in found.outcomes])

    @operation(
        "GET",
        "/v1/gateway-events",
        operation_id="listGatewayEvents",
        summary="List events of processors",
        description="What processors reported about the tenant's accounts, newest first, as a bare array. `UNMATCHED` are those "
        "about a payment that we do not know.",
        tags=["gateway"],
        answer=list[GatewayEventBody],
        permission=_WRITE,
        query=(
            QueryParameter(
                name="status",
                description="Comma list of statuses.",
                shape={"type": "string", "examples": ["UNMATCHED,FAILED"]},
            ),
            QueryParameter(
                name="limit",
                description="Events at most.",
                shape={"type": "integer", "minimum": 1, "maximum": EVENTS_MAX, "default": EVENTS},
            ),
        ),
    )
    async def list_gateway_events(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        found = await self.ask(
            ListProcessorEvents(
                tenant_id=caller.tenant_id,
                statuses=tuple(query.names("status", {name: (name,) for name in _STATUSES}) or ()),
                limit=query.integer("limit", default=EVENTS, at_least=1, at_most=EVENTS_MAX),
            )
        )
        return json_answer([gateway_event_body(event) for event in found.events])
