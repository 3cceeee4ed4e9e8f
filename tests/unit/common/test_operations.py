"""Metrics and the documents about messages may be for operators only, on every service."""

import httpx
import pytest
from litestar import Litestar

from libs.common.service import asyncapi_routes
from libs.common.web import problems
from libs.common.web.health import health_routes
from libs.common.web.operations import operators_only

TOKEN = "0f6c9d2b7a1e4853" * 2
GUARDED = ("/metrics", "/asyncapi", "/asyncapi.json")


async def statuses(token: str, headers: dict[str, str]) -> list[int]:
    guards = operators_only(token)
    routes = [*health_routes({}, {}, guards=guards), *asyncapi_routes("api", guards=guards)]
    app = Litestar(routes, openapi_config=None, exception_handlers={Exception: problems.answer})
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar names the same types itself
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answers = [await client.get(path, headers=headers) for path in (*GUARDED, "/healthz", "/readyz")]
    for answer in answers:
        if answer.status_code == 401:
            assert answer.json()["code"] == "invalid_token"
            assert answer.headers["www-authenticate"] == "Bearer"
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"],
)
async def test_without_the_token_only_health_is_answered(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    assert await statuses(TOKEN, headers) == [401, 401, 401, 200, 200]


async def test_the_token_opens_them() -> None:
    assert await statuses(TOKEN, {"Authorization": f"Bearer {TOKEN}"}) == [200] * 5
    assert await statuses(TOKEN, {"Authorization": f"bearer {TOKEN}"}) == [200] * 5


async def test_unset_token_leaves_them_open() -> None:
    assert await statuses("", {}) == [200] * 5
