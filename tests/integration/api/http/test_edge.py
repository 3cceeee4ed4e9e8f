"""Around every request: chaos that can be ended, origins, sizes, time, safe headers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
import pytest
from prometheus_client import REGISTRY

from deploy.local.servers import Servers
from libs.common.settings import HttpSettings, PlaceSettings
from services.api.settings import ChaosSettings, EdgeSettings, PaymentSettings, RedisSettings
from tests.integration.api.access.test_access import problem
from tests.integration.api.conftest import Api, serving, settings_for, token_of
from tests.support.databases import TestDatabase
from tests.support.http import RawConnection, request
from tests.support.platform import Client

BODY = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
CHAOS = "/v1/admin/chaos"


def redis_of(servers: Servers) -> RedisSettings:
    """The tests' Redis, with time enough for a busy machine."""
    return RedisSettings(redis_url=servers.redis_url, redis_timeout_seconds=5)


def admin(api: Api, tenant: str) -> Client:
    return api.client(tenant, roles=["admin"], perms=["admin:write", "payments:read"], plan="enterprise")


@pytest.fixture(scope="module")
async def edge(api_database: TestDatabase, servers: Servers) -> AsyncIterator[Api]:
    """An api with small limits on bodies and time, used by one shop's pages."""
    settings = settings_for(
        api_database,
        redis=redis_of(servers),
        edge=EdgeSettings(cors_origins=("https://shop.example.com",), body_bytes_max=2048, http_timeout_seconds=1.5),
        payments=PaymentSettings(confirm_timeout_seconds=0.5),
    )
    async with serving(api_database, settings) as running:
        yield running


async def test_chaos_hits_its_tenant_alone_and_can_always_be_ended(edge: Api, tenant_id: str) -> None:
    root, other = admin(edge, tenant_id), edge.client(f"{tenant_id}-2")
    assert (await root.call("GET", CHAOS)).json == {"enabled": False, "fail_percent": 0, "latency_ms": 0}
    chosen = {"enabled": True, "fail_percent": 100, "latency_ms": 1}
    assert (await root.call("PUT", CHAOS, chosen)).json == chosen
    hit = await root.call("GET", "/v1/payment-intents")
    assert (hit.status, problem(hit)["code"]) == (503, "chaos_injected")
    assert hit.headers["retry-after"]
    assert (await other.call("GET", "/v1/payment-intents")).status == 200
    # A stranger who merely names the tenant, and the health of the process, are left alone.
    named = await edge.stranger().call("GET", "/v1/payment-intents", headers={"X-Tenant-Id": tenant_id})
    assert named.status == 401
    assert (await edge.stranger().call("GET", "/healthz")).status == 200
    assert (await root.call("PUT", CHAOS, {"enabled": False})).status == 200
    assert (await root.call("GET", "/v1/payment-intents")).status == 200


async def test_chaos_delays_one_tenant_and_blocks_nobody(edge: Api, tenant_id: str) -> None:
    root, other = admin(edge, tenant_id), edge.client(f"{tenant_id}-2")
    await root.call("PUT", CHAOS, {"enabled": True, "latency_ms": 1500})
    held = asyncio.create_task(root.call("GET", "/v1/payment-intents"))
    for _ in range(5):
        assert (await other.call("GET", "/v1/payment-intents")).status == 200
    assert not held.done()
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    await root.call("PUT", CHAOS, {"enabled": False})


@pytest.mark.parametrize("body", [{"fail_percent": 101}, {"latency_ms": -1}, {"enabled": "yes"}])
async def test_chaos_beyond_its_bounds_is_refused(edge: Api, tenant_id: str, body: dict[str, object]) -> None:
    answer = await admin(edge, tenant_id).call("PUT", CHAOS, body)
    assert (answer.status, problem(answer)["code"]) == (422, "invalid_request")


async def test_large_bodies_of_one_tenant_leave_room_for_those_of_another(
    api_database: TestDatabase, tenant_id: str
) -> None:
    http = HttpSettings(http_body_bytes_max=3_000_000, http_bodies_bytes_max=8_000_000)
    journal = EdgeSettings(journal_body_bytes_max=3_000_000)
    settings = settings_for(api_database, http=http, edge=journal)

    def head(tenant: str, framing: str) -> bytes:
        token = token_of(tenant, perms=["ledger:write", "ledger:read"])
        return request(
            "POST", "/v1/ledger/entries", f"Authorization: Bearer {token}", f"X-Tenant-Id: {tenant}", framing
        )

    async def held(byte_count: int) -> None:
        async with asyncio.timeout(20):
            while REGISTRY.get_sample_value("http_body_bytes") != byte_count:
                await asyncio.sleep(0.02)

    async with serving(api_database, settings) as api, AsyncExitStack() as stack:
        url = urlsplit(api.base)

        async def begin(tenant: str, framing: str) -> RawConnection:
            reader, writer = await asyncio.open_connection(url.hostname, url.port)
            stack.callback(writer.close)
            connection = RawConnection(reader, writer)
            await connection.send(head(tenant, framing), b"[" if framing.startswith("Content") else b"1\r\n[\r\n")
            return connection

        large = "Content-Length: 3000000"
        slow = await begin(f"{tenant_id}-rude", large)
        await held(3_000_000 - 16_384)
        for framing in (large, "Content-Length: 300000", "Transfer-Encoding: chunked"):
            answer = await (await begin(f"{tenant_id}-rude", framing)).answer()
            assert (answer.status, answer.code) == (503, "overloaded")
            assert int(answer.headers["retry-after"]) > 0
        other = await begin(f"{tenant_id}-quiet", large)
        await held(2 * (3_000_000 - 16_384))
        assert (await api.client(f"{tenant_id}-rude").call("POST", "/v1/payment-intents", BODY, key="k")).status == 200
        for connection in (slow, other):
            connection.reset()
        await held(0)
        after = await begin(f"{tenant_id}-rude", "Content-Length: 300000")
        await after.send(b" " * 299_999)
        assert (await after.answer()).status in {400, 422}


async def test_chaos_exists_only_locally(api_database: TestDatabase, tenant_id: str) -> None:
    settings = settings_for(api_database, chaos=ChaosSettings(chaos_enabled=True, chaos_fail_percent=100))
    settings = msgspec.structs.replace(settings, place=PlaceSettings(app_env="production"))
    async with serving(api_database, settings) as api:
        answer = await admin(api, tenant_id).call("PUT", CHAOS, {"enabled": True})
        assert (answer.status, problem(answer)["code"]) == (404, "route_not_found")
        assert (await api.client(tenant_id).call("GET", "/v1/payment-intents")).status == 200
        live = await api.stranger().call("GET", "/healthz", headers={"Origin": "https://shop.example.com"})
    assert "access-control-allow-origin" not in live.headers
    assert live.headers["strict-transport-security"].startswith("max-age=")


async def test_pages_of_a_known_origin_may_read_our_headers(edge: Api) -> None:
    origin = {"Origin": "https://shop.example.com"}
    preflight = await edge.stranger().call(
        "OPTIONS",
        "/v1/payment-intents",
        headers={
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, idempotency-key",
        },
    )
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example.com"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "authorization, idempotency-key"
    refused = await edge.stranger().call("GET", "/v1/me", headers=origin)
    assert refused.status == 401
    for name in ("X-Correlation-Id", "Retry-After", "X-RateLimit-Remaining", "RateLimit", "Idempotency-Replayed"):
        assert name in refused.headers["access-control-expose-headers"]
    assert refused.headers["vary"] == "Origin"
    foreign = await edge.stranger().call("GET", "/v1/me", headers={"Origin": "https://evil.example.com"})
    assert "access-control-allow-origin" not in foreign.headers


async def test_every_answer_is_safe_in_a_browser(edge: Api) -> None:
    for path in ("/v1/me", "/nowhere", "/docs", "/healthz", "/asyncapi"):
        headers = (await edge.stranger().call("GET", path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (await edge.stranger().call("GET", "/v1/me")).headers["cache-control"] == "no-store"


async def test_a_body_that_is_too_large_is_refused_declared_or_not(edge: Api, tenant_id: str) -> None:
    client = edge.client(tenant_id)
    large = b'{"customer_ref": "' + b"x" * 4096 + b'"}'
    declared = await client.call("POST", "/v1/payment-intents", raw=large, key="k")
    assert (declared.status, problem(declared)["code"]) == (413, "body_too_large")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 512):
            yield large[start : start + 512]

    headers = {"Authorization": f"Bearer {client.token}", "X-Tenant-Id": tenant_id, "Idempotency-Key": "k"}
    async with edge.http.post(f"{edge.base}/v1/payment-intents", data=pieces(), headers=headers) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["code"] == "body_too_large"


async def test_a_request_that_takes_too_long_is_answered(edge: Api, tenant_id: str) -> None:
    client = edge.client(tenant_id)
    port = int(edge.base.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/payment-intents HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + client.token.encode() + b"\r\nX-Tenant-Id: " + tenant_id.encode() + b"\r\n\r\n{"
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=10)
    writer.close()
    assert b" 503 " in head.split(b"\r\n")[0]
    assert b"application/problem+json" in head


async def test_unknown_members_are_named_always_where_money_is_moved(edge: Api, tenant_id: str) -> None:
    client, body = edge.client(tenant_id), {**BODY, "colour": "red", "a/b~c": 1}
    for prefer in ("respond-async", "respond-async, Handling=lenient"):
        refused = await client.call("POST", "/v1/payment-intents", body, key=str(uuid4()), headers={"Prefer": prefer})
        assert (refused.status, problem(refused)["code"]) == (422, "unknown_fields")
        assert [e["pointer"] for e in refused.json["errors"]] == ["/colour", "/a~1b~0c"]


async def test_the_type_of_a_problem_explains_it(edge: Api) -> None:
    stated = problem(await edge.stranger().call("GET", "/v1/me"))
    page = await edge.stranger().call("GET", stated["type"])
    assert page.status == 200
    assert b"missing_token" in page.raw
    assert (await edge.stranger().call("GET", "/problems/none")).status == 404
