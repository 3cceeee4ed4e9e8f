"""Routes: methods of controllers, each declared by one decorator, from which checks, documents and the audit log derive."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from http import HTTPStatus
from inspect import get_annotations
from types import FunctionType
from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, Response, route
from litestar.handlers import HTTPRouteHandler, delete, get, patch, post, put

from libs.common.clock import Clock
from libs.common.contracts import Message
from libs.common.db import tenancy
from libs.common.errors import PlatformError
from libs.common.ids import new_id
from libs.common.precedence import Precedence, precedence
from services.api.http.callers import Admission, Caller, Feature, Principal, object_if_wrong
from services.api.http.parameters import AnyRequest, QueryParameter

_METHODS = {"GET": get, "POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}


class Change(msgspec.Struct, frozen=True):
    """A request to another service that changes something, and how the audit log names it."""

    request: type[Message]
    """What is requested."""
    action: str
    """The action in the audit log."""
    target: str = ""
    """The member of the request that names what is changed; empty: `subject`."""
    subject: str = ""
    """What is changed, where no member of the request names it."""
    answered: str = ""
    """The member of the answer that names what was changed, where that may be something else than was requested."""
    others: tuple[type[Message], ...] = ()
    """The same request to other services, where the path says to which it goes."""

    def target_of(self, message: Message, answer: Any = None) -> str:
        """Name what a request changes, or by its answer has changed."""
        if answer is not None and self.answered:
            return str(getattr(answer, self.answered))
        return str(getattr(message, self.target)) if self.target else self.subject


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What a route declares about itself."""

    body: Any = None
    """The struct that its body is read into; `NoMembers` may be absent too, and is read as what moves money."""
    moves_money: bool = False
    """Whether it moves money, so that its body must have no member that is not read."""
    body_optional: bool = False
    """Whether the body may be missing."""
    is_binary: bool = False
    """Whether its body is bytes of any kind, and no JSON."""
    example: Any = None
    """A body that works with the seeded data."""
    answer: Any = None
    """The struct, or list of structs, of its success."""
    status: int = 200
    """The status of its success."""
    known: bool = False
    """Whether it answers 200 with the same shape where what is to be made is there already."""
    accepted: bool = False
    """Whether it may also answer 202 with the same shape."""
    permission: str | None = None
    """The permission that it needs; then it needs a bearer token and a tenant too."""
    operator_for: str = ""
    """What only an operator of the platform may do by it; empty: it is for everybody who has the permission."""
    feature: Feature | None = None
    """The feature that the tenant must be allowed to use."""
    bearer: bool = False
    """Whether it needs a bearer token only."""
    across_tenants: bool = False
    """Whether the database lets it read and write what is of several tenants, or of none; where it is for operators, it does."""
    is_continuation: bool = False
    """Whether it goes on with a payment that was begun, which is served before new ones."""
    idempotent: bool = False
    """Whether it requires an `Idempotency-Key`."""
    key: Literal["", "optional", "refused"] = ""
    """Whether it takes an `Idempotency-Key` that it does not require, or refuses one; reads do neither."""
    change: Change | None = None
    """What it has another service change: done once under a key, and written to the audit log."""
    audit: str = ""
    """The action under which the audit log has what the api itself does by it; parts may follow, `auth.login.failed`."""
    refusals: tuple[type[PlatformError], ...] = ()
    """What it refuses by itself, beside what every route of its kind does."""
    csv: bool = False
    """Whether it answers CSV too."""
    html: bool = False
    """Whether it answers a page to print too."""
    plain_text: bool = False
    """Whether it answers plain text too."""
    aged: bool = False
    """Whether its answer is of an earlier instant, which it names."""
    final: bool = False
    """Whether it names the instant before which what it answers stays as it is."""
    query: tuple[QueryParameter, ...] = ()
    """Its query parameters."""
    ignored: tuple[str, ...] = ()
    """Query parameters that clients of the system before this one send, and that are not read."""
    path_parameters: tuple[QueryParameter, ...] = ()
    """Its path parameters that are no UUID."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers that it heeds: name and meaning."""


class Call:
    """The request at hand: who makes it, and what its route declares."""

    def __init__(
        self, request: AnyRequest, declaration: Declaration, caller: Caller | Principal | None, at: datetime
    ) -> None:
        self.request = request
        self.declaration = declaration
        self.caller = caller
        self.at = at
        self.minted: UUID | None = None
        self.is_replayed = False

    def changes(self, message: Message) -> bool:
        """Whether a request is the one by which this route changes something."""
        change = self.declaration.change
        return change is not None and type(message) in (change.request, *change.others)


at_hand: ContextVar[Call | None] = ContextVar("call_at_hand", default=None)
"""The request at hand."""


class Resource(Controller):
    """Routes of one resource; what they need is given to them by `bound`."""

    access: Admission
    clock: Clock


def bound(resource: type[Resource], parts: Mapping[str, Any]) -> type[Resource]:
    """Give the routes of a resource the parts that its class names by its annotations.

    Raises:
        KeyError: for a part that is not there.
    """
    names = {name for kind in resource.__mro__ if issubclass(kind, Resource) for name in get_annotations(kind)}
    own = {name: parts[name] for name in names if not hasattr(resource, name)}
    # Of the class, since the framework copies what it is given, instances included; a function must not become a method.
    members = {name: staticmethod(part) if isinstance(part, FunctionType) else part for name, part in own.items()}
    return type(resource.__name__, (resource,), {**members, "__module__": resource.__module__})


def routes_of(resources: Sequence[type[Resource]]) -> list[HTTPRouteHandler]:
    """List the routes of resources, in the order in which they are declared."""
    found = [
        handler
        for resource in resources
        for handler in (getattr(resource, name) for name in dir(resource))
        if isinstance(handler, HTTPRouteHandler)
    ]
    return sorted(found, key=lambda handler: str(handler.operation_id))


def options_routes(resources: Sequence[type[Resource]]) -> list[HTTPRouteHandler]:
    """Answer OPTIONS of every path with all of its methods; Litestar's own answer names those of one handler only."""
    methods: dict[str, set[str]] = {}
    for handler in routes_of(resources):
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
            if "GET" in handler.http_methods:
                methods[path].add("HEAD")

    def answering(path: str, allowed: str) -> Any:
        @route(path, http_method="OPTIONS", status_code=204, include_in_schema=False, sync_to_thread=False)
        def options() -> Response[None]:
            return Response(None, status_code=204, headers={"Allow": allowed})

        return options

    return [answering(path, ", ".join(sorted(allowed))) for path, allowed in methods.items()]


def operation(
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
    path: str,
    *,
    operation_id: str,
    summary: str,
    tags: list[str],
    description: str | None = None,
    **declared: Any,
) -> Callable[[Callable[..., Awaitable[Response[Any] | None]]], HTTPRouteHandler]:
    """Declare a route: `declared` are the members of its `Declaration`.

    The method is called with the caller once admitted (the principal, where a token is all that is needed), then the request, then the parameters of the path.
    """
    declaration = Declaration(**declared)
    if method != "GET" and not (declaration.idempotent or declaration.key):
        declaration = msgspec.structs.replace(declaration, key="optional")

    def decorate(fn: Callable[..., Awaitable[Response[Any] | None]]) -> HTTPRouteHandler:
        async def answer(self: Resource, request: AnyRequest) -> Response[Any]:
            caller = await _admitted(self.access, request, declaration)
            if not (declaration.across_tenants or declaration.operator_for):
                # Admission has to look up whose the request is; from here on the database knows.
                tenancy.limit_to(_tenant_of(caller))
            call = Call(request, declaration, caller, self.clock.now())
            at_hand.set(call)
            response = await fn(self, caller, request, **request.path_params) or Response(None, status_code=204)
            if call.is_replayed:
                response.headers["Idempotency-Replayed"] = "true"
            return response

        if declaration.status == HTTPStatus.NO_CONTENT:
            answer.__annotations__["return"] = Response[None]
        answer.__name__, answer.__qualname__, answer.__doc__ = fn.__name__, fn.__qualname__, fn.__doc__
        handler: HTTPRouteHandler = _METHODS[method](
            path,
            status_code=declaration.status,
            operation_id=operation_id,
            summary=summary,
            description=description,
            tags=tags,
            declaration=declaration,
        )(answer)
        return handler

    return decorate


def _tenant_of(caller: Caller | Principal | None) -> str:
    if isinstance(caller, Caller):
        return caller.tenant_id
    return "" if caller is None else caller.tid


async def _admitted(access: Admission, request: AnyRequest, declaration: Declaration) -> Caller | Principal | None:
    if declaration.is_continuation:
        precedence.set(Precedence.BEGUN)
    if declaration.permission is None:
        if declaration.bearer:
            principal = await access.identify(request.headers)
            object_if_wrong()
            return principal
        return None
    caller = await access.admit(request.headers, declaration.permission)
    if declaration.operator_for:
        await access.require_operator(caller, declaration.operator_for)
    if declaration.feature is not None:
        await access.require(caller, declaration.feature)
    return caller


def audit_action() -> str:
    """The action under which the audit log has what the route at hand does."""
    call = at_hand.get()
    assert call is not None, "only a route knows what it is called in the audit log"
    assert call.declaration.audit, "a route declares what the audit log calls it"
    return call.declaration.audit


def resource_id() -> UUID:
    """Mint the id of what the request at hand creates: the same for every request under one `Idempotency-Key`."""
    call = at_hand.get()
    if call is None:
        return new_id()
    call.minted = new_id(call.at)
    return call.minted


__all__ = [
    "Call",
    "Change",
    "Declaration",
    "Resource",
    "at_hand",
    "audit_action",
    "bound",
    "operation",
    "options_routes",
    "resource_id",
    "routes_of",
]
