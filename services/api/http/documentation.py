"""The documents about the api and their offline page, and an explanation of every kind of problem."""

import html
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from services.api.http.controllers import Resource
from services.api.http.openapi import document
from services.api.http.problems import PROBLEMS

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


_PROBLEM = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{code}</title></head>
<body><h1>{code}</h1><p>HTTP {status}.</p><p>{meaning}</p><p>{remedy}</p></body>
</html>
"""


def documentation_routes(resources: Sequence[type[Resource]]) -> list[HTTPRouteHandler]:
    """Build `/openapi.json`, `/docs` with its assets, and `/problems/<code>`, which every problem's `type` names."""

    @cache
    def raw_document() -> bytes:
        return msgspec.json.encode(document(resources))

    @get("/", include_in_schema=False, sync_to_thread=False)
    def index() -> Response[None]:
        # Relative: a proxy may serve us below a path of its own.
        return Response(None, status_code=307, headers={"Location": "docs"})

    # In a thread: to build it takes a tenth of a second and more.
    @get("/openapi.json", include_in_schema=False, sync_to_thread=True)
    def openapi_json() -> Response[bytes]:
        return Response(raw_document(), media_type="application/json")

    @get("/docs", include_in_schema=False, sync_to_thread=False)
    def docs() -> Response[bytes]:
        return Response(_PAGE, media_type="text/html")

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

    @get("/problems/{code:str}", include_in_schema=False, sync_to_thread=False)
    def problem(code: FromPath[str]) -> Response[bytes]:
        kind = PROBLEMS.get(code)
        if kind is None:
            raise NotFoundException
        page = _PROBLEM.format(
            code=kind.code, status=kind.status, meaning=html.escape(kind.meaning()), remedy=html.escape(kind.remedy)
        )
        return Response(page.encode(), media_type="text/html")

    found: list[Any] = [index, openapi_json, docs, asset, problem]
    return found


@cache
def _asset_folder() -> Path:
    # Found without importing it: the wheel is a Django app, and Django is not installed.
    spec = importlib.util.find_spec("drf_spectacular_sidecar")
    if spec is None or not spec.submodule_search_locations:
        raise NotFoundException("the page's assets are not installed")
    return Path(spec.submodule_search_locations[0]) / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"


__all__ = ["document", "documentation_routes"]
