"""OpenAPI 3.1. Litestar writes the skeleton; shapes come from the structs that are really read, problems from the registry."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Tag

from libs.common import VERSION
from libs.common.contracts.shapes import describe
from libs.common.db.connections import DatabaseReadOnly
from libs.common.errors import (
    BrokenInvariant,
    IdempotencyKeyReused,
    Invalid,
    InvalidCursor,
    Overloaded,
    PlatformError,
    Unavailable,
)
from libs.common.web.errors import (
    BodyTooLarge,
    DuplicateHeader,
    HeadersTooLarge,
    InvalidToken,
    MalformedRequest,
    RateLimited,
    RequestTooSlow,
    UrlTooLong,
)
from libs.common.web.health import health_routes
from libs.common.web.problems import MEDIA_TYPE, Problem
from services.api.errors import (
    FeatureDisabled,
    KeySetUnavailable,
    MissingPermission,
    NoPolicy,
    OperatorRequired,
    PlanNotAllowed,
    PolicyDenies,
    RegionNotAllowed,
    TenantDeleted,
    TenantMismatch,
    TenantSuspended,
    TenantUnknown,
)
from services.api.http.bodies import NoMembers
from services.api.http.controllers import Declaration, Resource, options_routes, routes_of
from services.api.http.errors import (
    ApiKeyExpired,
    ApiKeyOfOtherMode,
    ApiKeyRevoked,
    CardNumberInText,
    ChaosInjected,
    IdempotencyInProgress,
    IdempotencyKeyInvalid,
    IdempotencyKeyMissing,
    IdempotencyKeyRefused,
    InvalidTenant,
    MalformedJson,
    MissingTenant,
    MissingToken,
    RequestTimeout,
    TokenExpired,
    UnknownFields,
)
from services.api.http.examples import give_examples
from services.api.http.problems import PROBLEMS
from services.api.http.rendering import AMOUNT_CHOICE, AMOUNT_DESCRIPTION
from services.api.http.sharing import leave_out_defaults, name_choice, name_tagged, share
from services.api.http.webhook_events import TAG, sent_events, webhook

_BEARERS = "A token of `POST /v1/auth/token` or of an identity provider (JWT), or an API key of `POST /v1/api-keys`."
_REF = "#/components/schemas/{name}"
_EVERY = (
    RateLimited,
    BrokenInvariant,
    Unavailable,
    DatabaseReadOnly,
    Overloaded,
    RequestTimeout,
    ChaosInjected,
)
_BEFORE_ROUTING: dict[str, tuple[type[PlatformError], ...]] = {
    "MalformedRequest": (MalformedRequest, DuplicateHeader),
    "RequestTooSlow": (RequestTooSlow,),
    "BodyTooLarge": (BodyTooLarge,),
    "UrlTooLong": (UrlTooLong,),
    "HeadersTooLarge": (HeadersTooLarge,),
    "Overloaded": (Overloaded,),
}
"""What any request may be answered before its route is known, by the name of the shared response: errors of one status."""
_BEARER: tuple[type[PlatformError], ...] = (
    *(MissingToken, InvalidToken, TokenExpired, ApiKeyExpired, ApiKeyRevoked, ApiKeyOfOtherMode),
    KeySetUnavailable,
)
_TENANT = (
    MissingTenant,
    InvalidTenant,
    TenantMismatch,
    TenantUnknown,
    TenantSuspended,
    TenantDeleted,
)
_PERMISSION = (MissingPermission, NoPolicy, PolicyDenies, PlanNotAllowed, RegionNotAllowed)
_BODY = (MalformedJson, Invalid, UnknownFields, CardNumberInText, BodyTooLarge)
_KEY = (
    MalformedJson,
    IdempotencyKeyMissing,
    IdempotencyKeyInvalid,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    CardNumberInText,
    BodyTooLarge,
)
_COMMON = frozenset(
    kind.code
    for kinds in (_EVERY, _BEARER, _TENANT, _PERMISSION, _BODY, _KEY, *_BEFORE_ROUTING.values())
    for kind in kinds
)
"""Codes of many operations, after which no shared response is named."""
_SEEDED_TENANT = "00000000-0000-0000-0000-000000000002"
_OPTIONAL_KEY = (
    "1 to 255 visible ASCII characters: the same key and body again takes effect once and replays the answer. A secret "
    "that is shown once is not in a replay."
)
_LENIENT = "`handling=lenient`: members that nobody reads are ignored, not refused."
_EMPTY = {"const": "", "description": "As if it were absent."}
_HEADERS: dict[str, Any] = {
    "X-Correlation-Id": {
        "description": "Quote it to support; every log line, message and webhook of the request carries it.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 64},
    },
    "RateLimit": {
        "description": "What is left: `r` requests, all of them again in `t` seconds.",
        "schema": {"type": "string", "examples": ['"write";r=59;t=1']},
    },
    "RateLimit-Policy": {
        "description": "The limit: `q` requests in `w` seconds.",
        "schema": {"type": "string", "examples": ['"write";q=60;w=60']},
    },
    "X-RateLimit-Limit": {"description": "Requests a minute.", "schema": {"type": "string"}},
    "X-RateLimit-Remaining": {"description": "Requests that are left at once.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true`: the stored answer to an earlier request with this key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Age": {"description": "How old the figures are, in seconds.", "schema": {"type": "string"}},
    "X-Report-Refreshed-At": {
        "description": "Everything that was posted before this instant is in the figures.",
        "required": True,
        "schema": {"type": "string", "format": "date-time"},
    },
    "X-Final-Before": {
        "description": "What was recorded before this instant is in the answer, and nothing is ever added before it.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Link": {"description": "The next page, `rel=next` (RFC 8288).", "schema": {"type": "string"}},
}
_DESCRIPTION = (
    "Log in at `POST /v1/auth/token`, send the token as `Authorization: Bearer` and the tenant as `X-Tenant-Id`. Amounts go "
    "out as decimal strings with the decimals of their currency; numbers are taken too. Whatever moves money takes an "
    "`Idempotency-Key`: the same key and body again has one effect and replays the answer. Errors are "
    "`application/problem+json` (RFC 9457), and `code` says which. Members may be added to any answer."
)
_TAGS = (
    Tag(name="identity", description="Who you are."),
    Tag(name="administration", description="Tenants, users, roles and policies."),
    Tag(name="operations", description="Messages that services could not handle, for operators of the platform."),
    Tag(name="payment intents", description="Being paid."),
    Tag(name="customers", description="Who pays more than once, and the payment methods that they saved."),
    Tag(name="ledger", description="The books."),
    Tag(name="journal", description="Entries that people make, alone or in pairs of maker and checker."),
    Tag(name="reports", description="What the books add up to."),
    Tag(name="holds", description="Amounts set aside on accounts, in two phases."),
    Tag(name="periods", description="Closed books."),
    Tag(name="accounts", description="The chart of accounts."),
    Tag(name="exchange rates", description="What currencies are worth in each other."),
    Tag(name="reconciliation", description="What processors and banks say, beside what the books say."),
    Tag(name="gateway", description="Accounts at processors, what was requested of them, and what they sent."),
    Tag(name="webhooks", description="Endpoints of yours, what was sent to them, and sending it again."),
    Tag(name=TAG, description="What is sent to your endpoints."),
    Tag(name="audit", description="Who did what."),
    Tag(name="operations", description="Running it."),
)


def document(resources: Sequence[type[Resource]]) -> dict[str, Any]:
    """Write the OpenAPI document of these routes and of the operations that every service has."""
    app = Litestar(
        route_handlers=[*health_routes({}, {}), Router("/", route_handlers=[*options_routes(resources), *resources])],
        openapi_config=OpenAPIConfig(
            title="Payments API",
            version=VERSION,
            summary="Take payments, follow them into the books, and receive their events.",
            description=_DESCRIPTION,
            contact=Contact(name="The payments platform authors"),
            license=License(name="MIT", identifier="MIT"),
            components=Components(
                security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer", description=_BEARERS)}
            ),
            tags=list(_TAGS),
        ),
        logging_config=None,
    )
    spec = app.openapi_schema.to_schema()
    declared = {handler.operation_id: handler.opt["declaration"] for handler in routes_of(resources)}
    sent = sent_events()
    shapes = [
        Problem,
        *(d.body for d in declared.values() if d.body),
        *(d.answer for d in declared.values() if d.answer),
        *(event.body for event in sent),
    ]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    schema_of = {id(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    spec["components"]["schemas"] = {**spec["components"].get("schemas", {}), **components}
    spec["components"]["headers"] = _HEADERS
    spec["components"]["responses"] = {
        name: _refusal(kinds[0].status, kinds, schema_of[id(Problem)]) for name, kinds in _BEFORE_ROUTING.items()
    }
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            declaration = declared.get(operation["operationId"])
            if declaration is None:
                operation["security"] = []
            else:
                _complete(operation, declaration, schema_of, path=path)
            for name, kinds in _BEFORE_ROUTING.items():
                reference = {"$ref": f"#/components/responses/{name}"}
                operation["responses"].setdefault(str(kinds[0].status), reference)
            operation["responses"] = dict(sorted(operation["responses"].items()))
    spec["paths"]["/readyz"]["get"]["responses"]["503"] = {
        "description": "Something that is needed does not answer; `checks` names it. (Without writes alone: 200, `degraded`.)",
        "content": spec["paths"]["/readyz"]["get"]["responses"]["200"]["content"],
    }
    spec["webhooks"] = {event.name: webhook(event, schema_of[id(event.body)]) for event in sent}
    # Relative to where this document is, so that it holds behind a path prefix too.
    spec["servers"] = [{"url": ".", "description": "Beside this document."}]
    describe(spec["components"]["schemas"], shapes)
    leave_out_defaults(spec)
    name_choice(spec, "Amount", AMOUNT_DESCRIPTION, AMOUNT_CHOICE)
    name_tagged(spec)
    give_examples(spec)
    share(spec, common=_COMMON)
    return spec


def _complete(operation: dict[str, Any], declaration: Declaration, schema_of: dict[int, Any], *, path: str) -> None:
    # Litestar names what stands in the path in the order of a set, which is another one in each process.
    in_order = sorted(operation.get("parameters", []), key=lambda parameter: path.find(f"{{{parameter['name']}}}"))
    for parameter in in_order:
        if parameter["in"] == "path":
            shapes = {known.name: known.shape for known in declaration.path_parameters}
            parameter["schema"] = shapes.get(parameter["name"], {"type": "string", "format": "uuid"})
    operation["parameters"] = [*in_order, *_parameters(declaration)]
    if declaration.body is not None:
        operation["requestBody"] = {
            "required": not (declaration.body_optional or declaration.body is NoMembers),
            "content": {"application/json": {"schema": schema_of[id(declaration.body)]}},
        }
        if declaration.example is not None:
            operation["requestBody"]["content"]["application/json"]["examples"] = {
                "seeded": {"value": declaration.example}
            }
    if declaration.is_binary:
        bytes_ = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": bytes_}}
    operation["security"] = [{"bearer": []}] if declaration.permission or declaration.bearer else []
    if declaration.permission:
        operation["description"] = (
            f"{operation.get('description', '')}\n\nNeeds the permission `{declaration.permission}`."
        ).strip()
    responses: dict[str, Any] = {str(declaration.status): _success(declaration, schema_of, "Done.")}
    if declaration.known:
        responses["200"] = _success(declaration, schema_of, "It is there already.")
    if declaration.accepted:
        responses["202"] = _success(declaration, schema_of, "In progress: the outcome will be seen on the intent.")
    by_status: dict[int, list[type[PlatformError]]] = {}
    for kind in problems_of(declaration):
        by_status.setdefault(kind.status, []).append(kind)
    for early in _BEFORE_ROUTING.values():
        # A status has one response: the shared one, or one that also names what is answered before the route is known.
        known = by_status.get(early[0].status)
        if known is not None:
            known += [kind for kind in early if kind not in known]
    for status, kinds in sorted(by_status.items()):
        responses[str(status)] = _refusal(status, kinds, schema_of[id(Problem)])
    operation["responses"] = responses


def problems_of(declaration: Declaration) -> list[type[PlatformError]]:
    """Every problem that an operation may answer with, in the order of `docs/errors.md`."""
    found = {*_EVERY, *declaration.refusals}
    if declaration.permission or declaration.bearer:
        found |= {*_BEARER, Invalid, CardNumberInText}
    if declaration.permission:
        found |= {*_TENANT, *_PERMISSION}
    if declaration.body is not None:
        found |= {*_BODY}
    if declaration.is_binary:
        found.add(BodyTooLarge)
    if declaration.idempotent:
        found |= {*_KEY}
    if declaration.key == "optional":
        found |= {*_KEY} - {IdempotencyKeyMissing, MalformedJson, BodyTooLarge}
    if declaration.key == "refused":
        found.add(IdempotencyKeyRefused)
    if declaration.operator_for:
        found.add(OperatorRequired)
    if declaration.feature is not None:
        found.add(FeatureDisabled)
    if any(parameter.name == "cursor" for parameter in declaration.query):
        found.add(InvalidCursor)
    return [kind for kind in PROBLEMS.values() if kind in found]


def _success(declaration: Declaration, schema_of: dict[int, Any], description: str) -> dict[str, Any]:
    names = ["X-Correlation-Id", "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining"]
    names += ["Idempotency-Replayed"] if declaration.idempotent or declaration.key == "optional" else []
    names += ["Age", "X-Report-Refreshed-At"] if declaration.aged else []
    names += ["X-Final-Before"] if declaration.final else []
    names += ["Link"] if any(parameter.name == "cursor" for parameter in declaration.query) else []
    answer: dict[str, Any] = {"description": description, "headers": _header_refs(names)}
    if declaration.answer is not None:
        answer["content"] = {"application/json": {"schema": schema_of[id(declaration.answer)]}}
    if declaration.csv:
        answer["content"]["text/csv"] = {"schema": {"type": "string"}}
    if declaration.plain_text:
        answer["content"]["text/plain"] = {"schema": {"type": "string"}}
    if declaration.html:
        answer["content"]["text/html"] = {"schema": {"type": "string"}}
    return answer


def _refusal(status: int, kinds: Sequence[type[PlatformError]], problem: Any) -> dict[str, Any]:
    names = ["X-Correlation-Id", *(["Retry-After"] if status in {429, 503} else [])]
    return {
        "description": "\n".join(f"- `{kind.code}`: {kind.meaning()}" for kind in kinds),
        "headers": _header_refs(names),
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "allOf": [problem],
                    "properties": {"code": {"enum": [kind.code for kind in kinds]}, "status": {"const": status}},
                }
            }
        },
    }


def _header_refs(names: Sequence[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _parameters(declaration: Declaration) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if declaration.permission:
        tenant = _header("X-Tenant-Id", "The tenant to act for; must be the token's own.", required=True)
        tenant["schema"] |= {"minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"}
        found.append(tenant | {"example": _SEEDED_TENANT})
    if declaration.idempotent:
        key = _header("Idempotency-Key", "1 to 255 visible ASCII characters; repeats replay the answer.", required=True)
        key["schema"] |= {"minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
        found.append(key)
    if declaration.key == "optional" and not any(name == "Idempotency-Key" for name, _ in declaration.headers):
        found.append(_header("Idempotency-Key", _OPTIONAL_KEY, required=False))
    found.append(_header("X-Correlation-Id", "Ties together everything this request sets in motion.", required=False))
    headers = dict(declaration.headers)
    if declaration.body is not None and not (declaration.moves_money or declaration.body is NoMembers):
        # One parameter, whatever it may say: two of one name are no valid document.
        headers["Prefer"] = " ".join(filter(None, (headers.get("Prefer"), _LENIENT)))
    found += [_header(name, meaning, required=False) for name, meaning in headers.items()]
    found += [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.description,
            "schema": parameter.shape if parameter.required else {"anyOf": [parameter.shape, _EMPTY]},
        }
        for parameter in declaration.query
    ]
    return found


def _header(name: str, description: str, *, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }
