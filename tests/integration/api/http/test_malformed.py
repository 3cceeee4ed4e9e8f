"""What cannot be read is refused by name, as a problem document, and published nowhere."""

from typing import Any

import pytest

from tests.integration.api.access.test_access import BODY, problem
from tests.integration.api.conftest import Api


@pytest.mark.parametrize(
    ("raw", "status", "pointers"),
    [
        (b"", 400, []),
        (b"{bad", 400, []),
        (b"amount=1&currency=BRL", 400, []),
        (b'{"amount": NaN, "currency": "BRL", "customer_ref": "c"}', 400, []),
        (b'{"amount": Infinity, "currency": "BRL", "customer_ref": "c"}', 400, []),
        (b'"\xff"', 400, []),
        (b"[" * 100_000, 400, []),
        (b"null", 422, [""]),
        (b"[]", 422, [""]),
        (b"{}", 422, ["/amount", "/currency", "/customer_ref"]),
        (b'{"amount": true, "currency": 5, "customer_ref": ""}', 422, ["/currency", "/customer_ref"]),
        (b'{"amount": true, "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": null, "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": {}, "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": "1_000", "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": "NaN", "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": -1, "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": 10.005, "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": 1e16, "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": 1e99999999999, "currency": "BRL", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": 150.5, "currency": "JPY", "customer_ref": "c"}', 422, ["/amount"]),
        (b'{"amount": 1, "currency": "BR", "customer_ref": "c"}', 422, ["/currency"]),
        (b'{"amount": 1, "currency": "brl", "customer_ref": "c"}', 400, ["/currency"]),
        (b'{"amount": 1, "currency": "XYZ", "customer_ref": "c"}', 400, ["/currency"]),
        (b'{"amount": 1, "currency": "BRL", "customer_ref": "%s"}' % (b"x" * 129), 422, ["/customer_ref"]),
        (b'{"amount": 1, "currency": "BRL", "customer_ref": "a\\u0000"}', 422, ["/customer_ref"]),
        (b'{"amount": 1, "currency": "BRL", "customer_ref": "\\ud800"}', 400, []),
        (b'{"amount": "\\ud800", "currency": "BRL", "customer_ref": "c"}', 400, []),
        (b'{"amount": "\xff", "currency": "BRL", "customer_ref": "c"}', 400, []),
        (b'{"amount": 1, "currency": "BRL", "customer_ref": "c", "metadata": {"a": 1}}', 422, ["/metadata"]),
        (
            b'{"amount": 1, "currency": "BRL", "customer_ref": "c", "metadata": {"a\\u0000": ""}}',
            422,
            ["/metadata/a\0"],
        ),
        (b'{"amount": 1, "currency": "BRL", "customer_ref": "c", "description": [1]}', 422, ["/description"]),
    ],
)
async def test_malformed_bodies_are_refused_by_name(
    api: Api, tenant_id: str, raw: bytes, status: int, pointers: list[str]
) -> None:
    answer = await api.client(tenant_id).call("POST", "/v1/payment-intents", raw=raw, key="k")
    refusal = problem(answer)
    assert (answer.status, [e["pointer"] for e in refusal.get("errors", [])]) == (status, pointers)
    assert await api.published(tenant_id) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/payment-intents/abc", 422),
        ("GET", "/v1/payment-intents/0190f3a4-5b6c-7d8e-9f01-23456789abce", 404),
        ("POST", "/v1/payment-intents/0190f3a4-5b6c-7d8e-9f01-23456789abce/confirm", 404),
        ("POST", "/v1/payment-intents/abc/confirm", 422),
        ("GET", "/v1/payment-intents?page=0", 422),
        ("GET", "/v1/payment-intents?page=99999999999999999999", 422),
        ("GET", "/v1/payment-intents?pageSize=501", 422),
        ("GET", "/v1/payment-intents?pageSize=%D9%A3", 422),
        ("GET", "/v1/payment-intents?status=NONSENSE", 422),
        ("GET", "/v1/payment-intents?currency=brl", 422),
        ("GET", "/v1/payment-intents?from=not-a-date", 422),
        ("GET", "/v1/payment-intents?from=0001-01-01T00:00:00%2B14:00", 422),
        ("GET", "/v1/payment-intents?to=9999-12-31", 422),
        ("GET", "/v1/payment-intents?customer_ref=%00", 422),
        ("GET", "/v1/payment-intents?customer_ref=%FF", 422),
        ("GET", "/v1/payment-intents?cursor=garbage", 422),
        ("GET", "/v1/payment-intents?cursor=%F0%9F%8E%89", 422),
        ("GET", "/v1/ledger/entries?limit=501", 422),
        ("GET", "/v1/ledger/entries?payment_intent_id=abc", 422),
        ("GET", "/v1/ledger/balances?from=not-a-date", 422),
        ("GET", "/v1/ledger/balances", 503),
        ("GET", "/v1/nope", 404),
        ("PUT", "/v1/payment-intents", 405),
        ("GET", "/redoc", 404),
        ("GET", "/docs/assets/..%2f..%2fpackage.json", 404),
    ],
)
async def test_malformed_requests_are_refused(api: Api, tenant_id: str, method: str, path: str, status: int) -> None:
    answer = await api.client(tenant_id).call(method, path, key="k")
    problem(answer)
    assert answer.status == status
    if status == 405:
        assert answer.headers["allow"]
    if status == 503:
        assert answer.headers["retry-after"]


@pytest.mark.parametrize("key", ["a b", "k" * 256, "ключ", '""'])
async def test_malformed_keys_are_refused(api: Api, tenant_id: str, key: str) -> None:
    answer = await api.client(tenant_id).call("POST", "/v1/payment-intents", BODY, key=key)
    assert answer.status == 400
    assert problem(answer)["code"] in {"idempotency_key_invalid", "idempotency_key_missing"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/accounts", {"code": "X", "label": "Fees", "account_type": "FOO"}, 400),
        ("/v1/accounts", {"code": "", "label": "", "account_type": "ASSET"}, 422),
        ("/v1/webhooks", {"url": "not a url", "events": ["*"]}, 422),
        ("/v1/webhooks", {"url": "ftp://example.com", "events": ["*"]}, 422),
        ("/v1/webhooks", {"url": "https://example.com:port/", "events": ["*"]}, 422),
        ("/v1/webhooks", {"url": "https://example.com/", "events": []}, 422),
        ("/v1/webhooks", {"url": "https://example.com/", "events": ["No Event"]}, 422),
        ("/v1/webhooks", {"url": "https://example.com/", "events": ["payment.*"]}, 503),
        ("/v1/accounts", {"code": "X", "label": "Fees", "account_type": "ASSET"}, 503),
    ],
)
async def test_bodies_for_other_services_are_validated_before_a_request(
    api: Api, tenant_id: str, path: str, body: dict[str, Any], status: int
) -> None:
    admin = api.client(tenant_id, roles=["admin"], perms=["admin:write"], plan="enterprise")
    answer = await admin.call("POST", path, body)
    problem(answer)
    assert answer.status == status


@pytest.mark.parametrize("body", [{}, {"email": 1, "password": 2}, {"email": "a\0", "password": "x"}])
async def test_malformed_logins_are_refused(api: Api, body: dict[str, Any]) -> None:
    answer = await api.stranger().call("POST", "/v1/auth/token", body)
    problem(answer)
    assert answer.status == 422


async def test_a_correlation_id_that_cannot_be_kept_is_replaced(api: Api) -> None:
    answer = await api.stranger().call("GET", "/v1/me", headers={"X-Correlation-Id": "x" * 65})
    assert len(problem(answer)["correlation_id"]) == 32


async def test_the_documents_need_no_internet(api: Api) -> None:
    stranger = api.stranger()
    page = await stranger.call("GET", "/docs")
    assert page.status == 200
    assert b"http://" not in page.raw
    assert b"https://" not in page.raw
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "favicon-32x32.png"):
        asset = await stranger.call("GET", f"/docs/assets/{name}")
        assert asset.status == 200
        assert len(asset.raw) > 500
    spec = (await stranger.call("GET", "/openapi.json")).json
    assert spec["openapi"].startswith("3.1")
    assert "/v1/payment-intents/{intent_id}/confirm" in spec["paths"]
