"""The addresses of the console."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from libs.common.web.errors import Unauthorized
from services.api.console.assets import asset_named
from services.api.console.calling import Refused
from services.api.console.console import Console, not_found
from services.api.console.entrance import Entrance, address_of, lapsed
from services.api.console.live import Changes
from services.api.console.passing import exported, is_exported, is_uploaded, uploaded
from services.api.console.provider_login import ProviderEntrance
from services.api.console.rendering import redirect
from services.api.console.showing import segment_value
from services.api.console.visits import Visit
from services.api.http.parameters import AnyRequest
from services.api.http.tables import streamed

type Shown = Callable[[Visit], Awaitable[Response[bytes]]]


def console_routes(
    entrance: Entrance, providers: ProviderEntrance, console: Console, changes: Changes
) -> list[HTTPRouteHandler]:
    """Build the routes of the console."""

    async def within(request: AnyRequest, show: Shown) -> Response[Any]:
        """Let `show` answer whoever has logged in; everybody else logs in first, and comes back."""
        try:
            visit = await entrance.visit(request)
            if visit is not None:
                return await show(visit)
        except Unauthorized:
            # No more: the password was changed, or the time is over.
            pass
        except Exception as fault:  # noqa: BLE001 - whoever is at a browser is shown a page, whatever it is
            return entrance.show_trouble(request, fault)
        back = {"next": address_of(request)} if request.method == "GET" else {}
        login = f"/console/login?{urlencode(back)}" if back.get("next") else "/console/login"
        if request.headers.get("hx-request"):
            return Response(b"", status_code=401, headers={"HX-Redirect": login})
        if request.headers.get("accept") == "text/event-stream":
            # A stream is not followed to a page: the browser ends it.
            return Response(b"", status_code=401)
        return redirect(login)

    async def sent(request: AnyRequest, act: Callable[[Visit, Mapping[str, str]], Awaitable[Response[bytes]]]) -> Any:
        """Let `act` answer a form of this session."""

        async def own(visit: Visit) -> Response[bytes]:
            form = await entrance.own_form(request, visit)
            return await console.refuse(visit, lapsed()) if form is None else await act(visit, form)

        return await within(request, own)

    @get("/console", include_in_schema=False, sync_to_thread=False)
    def start() -> Response[bytes]:
        return redirect("/console/overview")

    @get("/console/assets/{name:str}", include_in_schema=False, sync_to_thread=False)
    def asset(name: FromPath[str]) -> Response[bytes]:
        named = asset_named(name)
        if named is None:
            return Response(b"", status_code=404)
        found, is_current = named
        headers = {"Cache-Control": "public, max-age=31536000, immutable" if is_current else "no-store"}
        return Response(found.content, media_type=found.media_type, headers=headers)

    @get("/console/login", include_in_schema=False)
    async def login(request: AnyRequest) -> Response[bytes]:
        return await entrance.show_login(request)

    @post("/console/login", include_in_schema=False, status_code=200)
    async def log_in(request: AnyRequest) -> Response[bytes]:
        try:
            return await entrance.log_in(request)
        except Exception as fault:  # noqa: BLE001 - as above
            return entrance.show_trouble(request, fault)

    @post("/console/login/provider", include_in_schema=False, status_code=200)
    async def go_to_provider(request: AnyRequest) -> Response[bytes]:
        try:
            return await providers.begin(request)
        except Exception as fault:  # noqa: BLE001 - as above
            return entrance.show_trouble(request, fault)

    @get("/console/login/callback/{place:str}", include_in_schema=False)
    async def come_back(request: AnyRequest) -> Response[bytes]:
        try:
            return await providers.complete(request)
        except Exception as fault:  # noqa: BLE001 - as above
            return entrance.show_trouble(request, fault)

    @post("/console/logout", include_in_schema=False, status_code=200)
    async def log_out(request: AnyRequest) -> Any:
        async def leave(visit: Visit, _form: Mapping[str, str]) -> Response[bytes]:
            return await entrance.log_out(request, visit.session)

        return await sent(request, leave)

    @post("/console/preferences", include_in_schema=False, status_code=200)
    async def prefer(request: AnyRequest) -> Response[bytes]:
        form = await entrance.form(request)
        return entrance.prefer(request, form or {})

    @post("/console/tenant", include_in_schema=False, status_code=200)
    async def tenant(request: AnyRequest) -> Any:
        async def choose(visit: Visit, form: Mapping[str, str]) -> Response[bytes]:
            if not visit.is_operator:
                return await console.refuse(visit, not_found())
            return entrance.choose_tenant(visit, form.get("tenant_id", "").strip(), form.get("back", ""))

        return await sent(request, choose)

    @get("/console/live/{topic:str}", include_in_schema=False, media_type="text/event-stream")
    async def live(request: AnyRequest, topic: FromPath[str]) -> Any:
        async def follow(visit: Visit) -> Any:
            if not await visit.may("listPaymentIntents"):
                return Response(b"", status_code=403)
            known = request.headers.get("last-event-id", "")
            lines: AsyncIterator[bytes] = await changes.follow(
                (visit.session.tenant_id, "" if topic == "payments" else topic), known, user=visit.session.name
            )
            return streamed(
                lines, media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            )

        return await within(request, follow)

    @get("/console/do/{operation_id:str}", include_in_schema=False)
    async def show_act(request: AnyRequest, operation_id: FromPath[str]) -> Any:
        async def show(visit: Visit) -> Response[bytes]:
            if operation_id not in visit.operations or visit.operations[operation_id].is_reading:
                return await console.refuse(visit, not_found())
            operation = visit.operations[operation_id]
            path = {name: visit.query.get(name, "") for name in operation.parameters}
            return await console.show_act(visit, operation, path=path)

        return await within(request, show)

    @post("/console/do/{operation_id:str}", include_in_schema=False, status_code=200)
    async def act(request: AnyRequest, operation_id: FromPath[str]) -> Any:
        async def carry_out(visit: Visit, form: Mapping[str, str]) -> Response[bytes]:
            if operation_id not in visit.operations or visit.operations[operation_id].is_reading:
                return await console.refuse(visit, not_found())
            return await console.act(visit, visit.operations[operation_id], form)

        return await sent(request, carry_out)

    @get("/console/export/{operation_id:str}", include_in_schema=False)
    async def export(request: AnyRequest, operation_id: FromPath[str]) -> Any:
        async def pass_on(visit: Visit) -> Any:
            if operation_id not in visit.operations or not is_exported(visit.operations[operation_id]):
                return await console.refuse(visit, not_found())
            try:
                return await exported(visit, visit.operations[operation_id])
            except Refused as fault:
                return await console.refuse(visit, fault)

        return await within(request, pass_on)

    @post("/console/upload/{operation_id:str}", include_in_schema=False, status_code=200)
    async def upload(request: AnyRequest, operation_id: FromPath[str]) -> Any:
        async def pass_on(visit: Visit) -> Response[bytes]:
            if not entrance.is_own(request, visit):
                return Response(lapsed().body, status_code=403, media_type="application/problem+json")
            if operation_id not in visit.operations or not is_uploaded(visit.operations[operation_id]):
                return Response(not_found().body, status_code=404, media_type="application/problem+json")
            key = request.headers.get("idempotency-key", "")
            return await uploaded(visit, visit.operations[operation_id], await request.body(), key=key)

        return await within(request, pass_on)

    @post("/console/bulk/{operation_id:str}", include_in_schema=False, status_code=200)
    async def act_on_many(request: AnyRequest, operation_id: FromPath[str]) -> Any:
        async def carry_out(visit: Visit, form: Mapping[str, str]) -> Response[bytes]:
            if operation_id not in visit.operations:
                return await console.refuse(visit, not_found())
            return await console.act_on_many(visit, visit.operations[operation_id], form)

        return await sent(request, carry_out)

    @get("/console/rows/{key:str}", include_in_schema=False)
    async def rows(request: AnyRequest, key: FromPath[str]) -> Any:
        return await within(request, lambda visit: console.export(visit, key))

    @post("/console/{key:str}", include_in_schema=False, status_code=200)
    async def send_page(request: AnyRequest, key: FromPath[str]) -> Any:
        return await sent(request, lambda visit, form: console.send(visit, key, form))

    @get("/console/{key:str}", include_in_schema=False)
    async def show_page(request: AnyRequest, key: FromPath[str]) -> Any:
        return await within(request, lambda visit: console.show(visit, key))

    @get("/console/{key:str}/{thing_id:str}", include_in_schema=False)
    async def show_thing(request: AnyRequest, key: FromPath[str], thing_id: FromPath[str]) -> Any:
        return await within(request, lambda visit: console.show(visit, key, segment_value(thing_id)))

    found: list[Any] = [
        start,
        asset,
        login,
        log_in,
        go_to_provider,
        come_back,
        log_out,
        prefer,
        tenant,
        live,
        show_act,
        act,
        export,
        upload,
        act_on_many,
        rows,
        send_page,
        show_page,
        show_thing,
    ]
    return found


__all__ = ["console_routes"]
