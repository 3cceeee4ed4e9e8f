"""Choosing to be disturbed; offered only where `APP_ENV=local`."""

from typing import Any

from litestar import Response, get, put
from litestar.handlers import HTTPRouteHandler

from services.api.http.bodies import BodyReader
from services.api.http.callers import Admission
from services.api.http.chaos import Chaos, Disturbance
from services.api.http.documentation import Documented
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key

_WRITE = "admin:write"
_LOCAL = "Offered only where APP_ENV=local, and never disturbed itself."


def chaos_routes(access: Admission, chaos: Chaos) -> list[HTTPRouteHandler]:
    """Build `GET /v1/admin/chaos` and `PUT /v1/admin/chaos`."""
    bodies = BodyReader(Disturbance)

    @get(
        "/v1/admin/chaos",
        operation_id="getChaos",
        summary="How is the tenant disturbed?",
        description=_LOCAL,
        tags=["operations"],
        documented=Documented(answer=Disturbance, permission=_WRITE),
    )
    async def get_chaos(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, _WRITE)
        return json_answer(await chaos.chosen(caller.tenant_id))

    @put(
        "/v1/admin/chaos",
        operation_id="putChaos",
        summary="Disturb the tenant's requests",
        description=f"For an hour, in every process: delays, and failures by chance. {_LOCAL}",
        tags=["operations"],
        documented=Documented(
            body=Disturbance,
            example={"enabled": False},
            answer=Disturbance,
            permission=_WRITE,
            key="refused",
            refusals=("store_unavailable",),
        ),
    )
    async def put_chaos(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, _WRITE)
        wanted = await bodies.take(await request.body())
        refuse_key(request.headers)
        await access.intend(caller, "chaos.choose", "/v1/admin/chaos")
        await chaos.choose(caller.tenant_id, wanted)
        await access.remember(caller, "chaos.choose", "/v1/admin/chaos")
        return json_answer(wanted)

    found: list[Any] = [get_chaos, put_chaos]
    return found
