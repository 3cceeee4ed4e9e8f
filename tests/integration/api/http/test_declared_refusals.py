"""What the api answers before a request reaches its route stands in the OpenAPI document, for every operation."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from deploy.local.json_documents import resolved
from deploy.local.servers import Servers
from libs.common.settings import HttpSettings
from services.api.app import seed
from services.api.http.edge import LOGIN_PATH
from services.api.settings import EdgeSettings, RateSettings
from tests.integration.api.conftest import Api, serving, settings_for, token_of
from tests.integration.api.http.test_edge import redis_of
from tests.support.databases import TestDatabase
from tests.support.http import RawAnswer, RawConnection

HTTP = HttpSettings(http_header_seconds=2.0)
AT_ONCE = 200
NOWHERE = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(scope="module")
async def hasty(api_database: TestDatabase, servers: Servers) -> AsyncIterator[Api]:
    """An api that lets a caller make one request a minute and waits two seconds for headers."""
    rates = RateSettings(rate_limit_read_per_min=1, rate_limit_write_per_min=1, rate_limit_login_address_per_min=0)
    least = HTTP.http_body_bytes_max - 1
    edge = EdgeSettings(journal_body_bytes_max=least, import_part_bytes_max=least)
    settings = settings_for(api_database, rates=rates, http=HTTP, edge=edge, redis=redis_of(servers))
    await seed(settings)
    async with serving(api_database, settings) as running:
        yield running


def refused(method: str, path: str) -> dict[str, list[bytes]]:
    """Requests to an operation that are refused before it is reached, by the code that is right."""
    line, end = f"{method} {path} HTTP/1.1\r\n".encode(), b"\r\n"
    host = b"Host: x\r\n"
    large = HTTP.http_body_bytes_max + 1
    return {
        "malformed_request": [line + end, line + host + b"no colon\r\n" + end],
        "duplicate_header": [line + host + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n" + end],
        "headers_too_large": [line + host + b"A: a\r\n" * (HTTP.http_header_count_max + 1) + end],
        "url_too_long": [line.replace(b" HTTP", b"?" + b"a" * HTTP.http_url_bytes_max + b" HTTP") + host + end],
        "body_too_large": [line + host + b"Content-Length: %d\r\n" % size + end for size in (large, large - 1)],
        "request_too_slow": [line + host],
    }


def declared(document: dict[str, Any], operation: dict[str, Any], status: int) -> list[str]:
    """The codes that an operation names for a status."""
    response = resolved(document, operation["responses"].get(str(status), {}))
    content = response.get("content", {}).get("application/problem+json", {})
    found: list[str] = content.get("schema", {}).get("properties", {}).get("code", {}).get("enum", [])
    return found


async def test_every_refusal_before_the_route_is_declared(hasty: Api, tenant_id: str) -> None:
    async with hasty.http.get(f"{hasty.base}/openapi.json") as answer:
        document = await answer.json()
    port = urlsplit(hasty.base).port
    token = token_of(tenant_id)
    room = asyncio.Semaphore(AT_ONCE)

    async def ask(raw: bytes) -> RawAnswer:
        async with room:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(raw)
                return await RawConnection(reader, writer).answer()
            finally:
                writer.close()

    def plain(method: str, path: str) -> bytes:
        return f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def check(path: str, method: str, operation: dict[str, Any]) -> list[str]:
        target = re.sub(r"{[^}]*}", NOWHERE, path)
        requests = refused(method.upper(), target)
        if path.startswith("/v1/") and path != LOGIN_PATH:
            requests["rate_limited"] = [plain(method.upper(), target)]
        missing = []
        for code, every in requests.items():
            for raw in every:
                answer = await ask(raw)
                assert answer.code == code, (method, path, raw[:200])
                if code not in declared(document, operation, answer.status):
                    missing.append(f"{method} {path}: {answer.status} {code}")
        return missing

    # Use up what the caller may do.
    for method, path in (("GET", "/v1/me"), ("POST", "/v1/payment-intents")):
        assert (await ask(plain(method, path))).status != 429
    checks = [
        check(path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    assert len(checks) > 50
    assert [line for lines in await asyncio.gather(*checks) for line in lines] == []
