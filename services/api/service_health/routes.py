"""How the services are: each answers for itself over the broker. It is of all tenants, so for operators alone."""

import asyncio
from typing import get_args

from litestar import Response

from libs.common.contracts.gateway_requests import ListCircuits
from libs.common.contracts.service_health import HEALTHS, ServiceHealth
from libs.common.errors import Unavailable
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.service_health.schemas import CircuitBody, Service, ServiceHealthBody, circuit_body, health_body

SERVICES: tuple[Service, ...] = get_args(Service.__value__)
_OPERATORS = "the health of services"
_PERMISSION = "admin:write"


class ServicesHealth(Resource):
    """Routes: `GET /v1/service-health` and `GET /v1/circuits`."""

    ask: Ask

    @operation(
        "GET",
        "/v1/service-health",
        operation_id="listServiceHealth",
        summary="List how services are",
        description="What each service is still to publish, and what waits in its queues, as a bare array. A service that does "
        "not answer is there without its figures.",
        tags=["operations"],
        answer=list[ServiceHealthBody],
        permission=_PERMISSION,
        operator_for=_OPERATORS,
    )
    async def list_service_health(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await asyncio.gather(*(self._health(service) for service in SERVICES))
        return json_answer([health_body(service, health) for service, health in zip(SERVICES, found, strict=True)])

    async def _health(self, service: Service) -> ServiceHealth | None:
        try:
            health: ServiceHealth = await self.ask(HEALTHS[service]())
        except Unavailable:
            return None
        return health

    @operation(
        "GET",
        "/v1/circuits",
        operation_id="listCircuits",
        summary="List circuits",
        description="Which processors every process of the gateway calls at the moment, and which accounts are held up, as a "
        "bare array: those that take no calls first. A report is a few seconds old.",
        tags=["operations"],
        answer=list[CircuitBody],
        permission=_PERMISSION,
        operator_for=_OPERATORS,
    )
    async def list_circuits(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ListCircuits())
        return json_answer([circuit_body(circuit) for circuit in found.circuits])
