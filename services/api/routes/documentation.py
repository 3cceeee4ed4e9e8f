"""OpenAPI 3.1 and its offline page. Litestar writes the skeleton; shapes come from the structs that are really read."""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, License, SecurityScheme, Tag
from litestar.params import FromPath

from libs.common import VERSION
from libs.common.web.health import health_routes
from libs.common.web.problems import MEDIA_TYPE, Problem
from services.api.routes.parameters import QueryParameter

_REF = "#/components/schemas/{name}"
_PROBLEMS = {
    400: "A header is missing or malformed, or the body is not JSON.",
    401: "The bearer token is missing, invalid or expired.",
    402: "The issuer declined.",
    403: "The caller may not do this, or not for this tenant.",
    404: "There is no such thing for this tenant.",
    409: "It contradicts the present state, or the first request with this key is still being answered.",
    422: "The request is invalid; `errors` names each violation.",
    503: "Something that we need does not answer; try again after `Retry-After`.",
}
_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Payments API</title>
<link rel="icon" type="image/png" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/swagger-ui-standalone-preset.js"></script>
<script>
SwaggerUIBundle({url: "openapi.json", dom_id: "#ui", deepLinking: true, persistAuthorization: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset]});
</script>
</body>
</html>
"""


class Documented(msgspec.Struct, frozen=True, kw_only=True):
    """What a route's document says beyond its path, as the route itself declares it."""

    body: Any = None
    """The struct that its body is read into."""
    answer: Any = None
    """The struct, or list of structs, of its success."""
    status: int = 200
    """The status of its success."""
    accepted: bool = False
    """Whether it may also answer 202 with the same shape."""
    permission: str | None = None
    """The permission that it needs; then it needs a bearer token and a tenant too."""
    bearer: bool = False
    """Whether it needs a bearer token only."""
    idempotent: bool = False
    """Whether it requires an `Idempotency-Key`."""
    refusals: tuple[int, ...] = ()
    """Statuses of its own problems, beside those that every route of its kind has."""
    query: tuple[QueryParameter, ...] = ()
    """Its query parameters."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers that it heeds: name and meaning."""


def documentation_routes(business: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Build `/openapi.json`, `/docs` and the page's assets."""

    @cache
    def raw_document() -> bytes:
        return msgspec.json.encode(document(business))

    @get("/openapi.json", include_in_schema=False, sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        return Response(raw_document(), media_type="application/json")

    @get("/docs", include_in_schema=False, sync_to_thread=False)
    def docs() -> Response[bytes]:
        return Response(_PAGE, media_type="text/html; charset=utf-8")

    @get("/docs/assets/{name:str}", include_in_schema=False, sync_to_thread=True)
    def asset(name: FromPath[str]) -> Response[bytes]:
        # Only the files of this table: no path from outside ever reaches the disk.
        if name not in _ASSETS:
            raise NotFoundException
        return Response(
            (_asset_folder() / name).read_bytes(),
            media_type=_ASSETS[name],
            headers={"Cache-Control": "public, max-age=86400"},
        )

    found: list[Any] = [openapi_json, docs, asset]
    return found


@cache
def _asset_folder() -> Path:
    # Found without importing it: the wheel is a Django app, and Django is not installed.
    spec = importlib.util.find_spec("drf_spectacular_sidecar")
    if spec is None or not spec.submodule_search_locations:
        raise NotFoundException("the page's assets are not installed")
    return Path(spec.submodule_search_locations[0]) / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"


def document(business: Sequence[HTTPRouteHandler]) -> dict[str, Any]:
    """Write the OpenAPI document of these routes and of the operations that every service has."""
    app = Litestar(
        route_handlers=[*health_routes({}, {}), *business],
        openapi_config=OpenAPIConfig(
            title="Payments API",
            version=VERSION,
            summary="Take payments, follow them into the books, and hear about them.",
            license=License(name="MIT", identifier="MIT"),
            components=Components(
                security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")}
            ),
            tags=[
                Tag(name="identity", description="Who you are."),
                Tag(name="payment intents", description="Being paid."),
                Tag(name="ledger", description="The books."),
                Tag(name="accounts", description="The chart of accounts."),
                Tag(name="webhooks", description="Hearing about it."),
                Tag(name="operations", description="Running it."),
            ],
        ),
        logging_config=None,
    )
    spec = app.openapi_schema.to_schema()
    declared = {handler.operation_id: handler.opt["documented"] for handler in business if "documented" in handler.opt}
    shapes = [
        Problem,
        *(d.body for d in declared.values() if d.body),
        *(d.answer for d in declared.values() if d.answer),
    ]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    schema_of = {id(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    spec["components"]["schemas"] = {**spec["components"].get("schemas", {}), **components}
    for path in spec["paths"].values():
        for operation in path.values():
            told = declared.get(operation["operationId"])
            if told is not None:
                _complete(operation, told, schema_of)
    return spec


def _complete(operation: dict[str, Any], told: Documented, schema_of: dict[int, Any]) -> None:
    operation["parameters"] = [*operation.get("parameters", []), *_parameters(told)]
    if told.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[id(told.body)]}},
        }
    if told.permission or told.bearer:
        operation["security"] = [{"bearer": []}]
    if told.permission:
        operation["description"] = (
            f"{operation.get('description', '')}\n\nNeeds the permission `{told.permission}`."
        ).strip()
    responses: dict[str, Any] = {str(told.status): _success(told, schema_of, "Done.")}
    if told.accepted:
        responses["202"] = _success(told, schema_of, "Under way: the outcome will be seen on the intent.")
    for status in _refusals(told):
        responses[str(status)] = {
            "description": _PROBLEMS[status],
            "content": {MEDIA_TYPE: {"schema": schema_of[id(Problem)]}},
        }
    operation["responses"] = responses


def _success(told: Documented, schema_of: dict[int, Any], description: str) -> dict[str, Any]:
    if told.answer is None:
        return {"description": description}
    return {"description": description, "content": {"application/json": {"schema": schema_of[id(told.answer)]}}}


def _refusals(told: Documented) -> list[int]:
    found = {503, *told.refusals}
    if told.permission or told.bearer:
        found.add(401)
    if told.permission:
        found |= {400, 403, 422}
    if told.body is not None:
        found |= {400, 422}
    return sorted(found)


def _parameters(told: Documented) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if told.permission:
        found.append(_header("X-Tenant-Id", "The tenant to act for; must be the token's own.", required=True))
    if told.idempotent:
        found.append(
            _header("Idempotency-Key", "1 to 255 visible ASCII characters; repeats replay the answer.", required=True)
        )
    found.append(_header("X-Correlation-Id", "Ties together everything this request sets in motion.", required=False))
    found += [_header(name, meaning, required=False) for name, meaning in told.headers]
    found += [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.description,
            "schema": parameter.shape,
        }
        for parameter in told.query
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
