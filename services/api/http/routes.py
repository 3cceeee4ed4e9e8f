"""Choosing to be disturbed; offered only where `APP_ENV=local`."""

from litestar import Response

from services.api.errors import StoreUnavailable
from services.api.http.bodies import BodyReader
from services.api.http.callers import Caller
from services.api.http.chaos import Chaos, Disturbance
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key

_WRITE = "admin:write"
_LOCAL = "Offered only where APP_ENV=local, and never disturbed itself."


class ChaosSwitch(Resource):
    """Routes: `GET /v1/admin/chaos` and `PUT /v1/admin/chaos`."""

    chaos: Chaos

    bodies = BodyReader(Disturbance)

    @operation(
        "GET",
        "/v1/admin/chaos",
        operation_id="getChaos",
        summary="How is the tenant disturbed?",
        description=_LOCAL,
        tags=["operations"],
        answer=Disturbance,
        permission=_WRITE,
    )
    async def get_chaos(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        return json_answer(await self.chaos.chosen(caller.tenant_id))

    @operation(
        "PUT",
        "/v1/admin/chaos",
        operation_id="putChaos",
        summary="Disturb the tenant's requests",
        description=f"For an hour, in every process: delays, and failures by chance. {_LOCAL}",
        tags=["operations"],
        body=Disturbance,
        example={"enabled": False},
        answer=Disturbance,
        permission=_WRITE,
        key="refused",
        audit="chaos.choose",
        refusals=(StoreUnavailable,),
    )
    async def put_chaos(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        refuse_key(request.headers)
        await self.access.intend(caller, audit_action(), "/v1/admin/chaos")
        await self.chaos.choose(caller.tenant_id, requested)
        await self.access.remember(caller, audit_action(), "/v1/admin/chaos")
        return json_answer(requested)
