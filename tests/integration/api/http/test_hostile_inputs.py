"""What a client may get wrong or try on purpose, each with the answer that is right; nothing of it moves money."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from deploy.local.json_documents import resolved
from tests.integration.api.access.test_access import problem
from tests.integration.api.conftest import Api
from tests.support.platform import Answer, Client

INTENTS = "/v1/payment-intents"
GOOD = {"amount": "150.50", "currency": "BRL", "customer_ref": "c"}
NOWHERE = "00000000-0000-0000-0000-000000000001"


async def settled(api: Api, client: Client) -> str:
    """A payment of 150.50 whose money was taken."""
    created = await client.call("POST", INTENTS, GOOD, key=uuid4().hex)
    intent_id: str = created.json["id"]
    headers = {"Prefer": "respond-async"}
    await client.call("POST", f"{INTENTS}/{intent_id}/confirm", key=uuid4().hex, headers=headers)
    await api.authorized(client.tenant, intent_id)
    await api.captured(client.tenant, intent_id)
    return intent_id


def pointers(answer: Answer) -> list[str]:
    return [violation["pointer"] for violation in problem(answer).get("errors", [])]


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b'{"amout": "5.00"}', ["/amout"]),
        (b'{"Amount": "5.00"}', ["/Amount"]),
        (b'{"amount ": "5.00"}', ["/amount "]),
        (b'{"amount": null}', ["/amount"]),
        (b'{"amount": "1.00", "amount": "99.00"}', ["/amount"]),
        (b'{"amount": "1.00", "am\\u006funt": "99.00"}', ["/amount"]),
        (b'{"amount": "1.00", "reason": null}', ["/reason"]),
        (b'{"amount": "1.00", "reason": "a", "reason": "b"}', ["/reason"]),
        (b'{"amount": "1.00", "currency": "BRL"}', ["/currency"]),
        (b'{"amount": {"amount": "1.00"}}', ["/amount"]),
        (b'{"amount": ""}', ["/amount"]),
        (b"[]", [""]),
        (b"null", [""]),
        (b'"5.00"', [""]),
    ],
)
async def test_a_refund_or_capture_of_an_unclear_amount_moves_nothing(
    api: Api, client: Client, raw: bytes, named: list[str]
) -> None:
    intent_id = await settled(api, client)
    refund = await client.call("POST", f"{INTENTS}/{intent_id}/refund", raw=raw, key=uuid4().hex)
    assert (refund.status, pointers(refund)) == (422, named)
    assert (await client.call("GET", f"{INTENTS}/{intent_id}/refunds")).json == []
    if b"reason" not in raw:
        created = await client.call("POST", INTENTS, GOOD | {"capture_method": "manual"}, key=uuid4().hex)
        capture = await client.call("POST", f"{INTENTS}/{created.json['id']}/capture", raw=raw, key=uuid4().hex)
        assert (capture.status, pointers(capture)) == (422, named)


LINES = [
    {"account": "CASH", "side": "DEBIT", "amount": "1.00", "currency": "BRL"},
    {"account": "REVENUE", "side": "CREDIT", "amount": "1.00", "currency": "BRL"},
]
ENTRY = {"description": "d", "lines": LINES}
HOLD = {"debit_account": "CASH", "credit_account": "REVENUE", "amount": "1.00", "currency": "BRL"}
RATE = {"from_currency": "USD", "to_currency": "BRL", "rate": "5.1"}
CONVERSION = {"id": NOWHERE, "from_currency": "USD", "to_currency": "BRL", "amount": "1.00"}
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", INTENTS, GOOD),
    ("POST", f"{INTENTS}/{NOWHERE}/confirm", {}),
    ("POST", f"{INTENTS}/{NOWHERE}/capture", {}),
    ("POST", f"{INTENTS}/{NOWHERE}/void", {}),
    ("POST", f"{INTENTS}/{NOWHERE}/refund", {}),
    ("POST", "/v1/ledger/entries", {"entries": [ENTRY]}),
    ("POST", "/v1/ledger/proposals", {"reason": "r", "entries": [ENTRY]}),
    ("POST", f"/v1/ledger/proposals/{NOWHERE}/approve", {}),
    ("POST", f"/v1/ledger/proposals/{NOWHERE}/reject", {}),
    ("POST", f"/v1/ledger/entries/{NOWHERE}/reversal", {}),
    ("POST", "/v1/ledger/holds", HOLD),
    ("POST", f"/v1/ledger/holds/{NOWHERE}/capture", {}),
    ("POST", f"/v1/ledger/holds/{NOWHERE}/void", {}),
    ("POST", "/v1/exchange-rates", RATE),
    ("POST", "/v1/exchange-rates/convert", {"from_currency": "USD", "to_currency": "BRL", "amount": "1.00"}),
    ("POST", "/v1/ledger/conversions", CONVERSION),
]
OTHERS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/auth/token", {"email": "a@b.c", "password": "p"}),
    ("POST", "/v1/accounts", {"code": "X", "label": "x", "account_type": "ASSET"}),
    ("POST", "/v1/webhooks", {"url": "https://example.com/", "events": ["*"]}),
    ("PATCH", f"/v1/webhooks/{NOWHERE}", {"url": "https://example.com/"}),
    ("POST", "/v1/gateway-configs", {"processor": "sandbox"}),
    ("POST", "/v1/ledger/periods", {"ends_before": "2026-01-01"}),
    ("PUT", "/v1/ledger/settings", {"manual_entries_need_approval": True}),
    ("POST", "/v1/ledger/policy/changes", {"reason": "r", "rules": [{"account": "CASH"}]}),
]


def case(write: tuple[str, str, dict[str, Any]]) -> str:
    return write[1].replace(NOWHERE, "id").removeprefix("/v1/")


@pytest.mark.sampled(by=lambda given: given["path"].split("/")[:3][-1], each=2)
@pytest.mark.parametrize(("method", "path", "body"), [*WRITES, *OTHERS], ids=map(case, [*WRITES, *OTHERS]))
async def test_every_write_refuses_unknown_and_repeated_members(
    client: Client, method: str, path: str, body: dict[str, Any]
) -> None:
    unknown = await client.call(method, path, body | {"colour": "red"}, key=uuid4().hex)
    assert (unknown.status, problem(unknown)["code"], pointers(unknown)) == (422, "unknown_fields", ["/colour"])
    name = next(iter(body), "colour")
    part = f'"{name}": {json.dumps(body.get(name, 1))}'
    rest = json.dumps({key: value for key, value in body.items() if key != name}).strip("{}")
    raw = ("{" + ", ".join(filter(None, (part, part, rest))) + "}").encode()
    doubled = await client.call(method, path, raw=raw, key=uuid4().hex)
    assert doubled.status == 422
    assert f"/{name}" in pointers(doubled)


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=map(case, WRITES))
async def test_every_write_that_moves_money_refuses_nulls(
    client: Client, method: str, path: str, body: dict[str, Any]
) -> None:
    for name in body or {"amount": None}:
        refused = await client.call(method, path, body | {name: None}, key=uuid4().hex)
        assert (refused.status, pointers(refused)) == (422, [f"/{name}"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"acount": "CASH"}, "/entries/0/lines/1/acount"),
        ({"amount": None}, "/entries/0/lines/1/amount"),
        ({"side": "DR"}, "/entries/0/lines/1/side"),
    ],
)
async def test_what_is_wrong_deep_inside_is_named_where_it_is(
    client: Client, change: dict[str, Any], named: str
) -> None:
    body = {"entries": [{"description": "d", "lines": [LINES[0], LINES[1] | change]}]}
    refused = await client.call("POST", "/v1/ledger/entries", body, key=uuid4().hex)
    assert (refused.status, pointers(refused)) == (422, [named])


NO_AMOUNTS = (
    *(
        "1e2",
        "1E2",
        " 5.00 ",
        "5.00 ",
        "5.00\n",
        "\u00a01",
        "10.000000009",
        "59.97000000000001",
        "+5",
        "-5",
        "5.",
        ".5",
    ),
    *("\uff15", "\u0665", "5,00", "1_000", "0x5", "NaN", "Infinity", "", "0", "0.00", "0.001", "5.005", "9" * 40),
)


@pytest.mark.parametrize("amount", NO_AMOUNTS)
async def test_an_amount_as_text_is_what_the_document_says_and_nothing_else(client: Client, amount: str) -> None:
    refused = await client.call("POST", INTENTS, GOOD | {"amount": amount}, key=uuid4().hex)
    assert (refused.status, problem(refused)["code"], pointers(refused)) == (422, "invalid_amount", ["/amount"])
    hold = await client.call("POST", "/v1/ledger/holds", HOLD | {"amount": amount})
    assert (hold.status, pointers(hold)) == (422, ["/amount"])


@pytest.mark.parametrize(
    ("number", "shown"), [("1e2", "100.00"), ("59.97000000000001", "59.97"), ("5", "5.00"), ("10.000000009", "10.00")]
)
async def test_a_json_number_may_have_an_exponent_and_float_noise(client: Client, number: str, shown: str) -> None:
    raw = f'{{"amount": {number}, "currency": "BRL", "customer_ref": "c"}}'.encode()
    assert (await client.call("POST", INTENTS, raw=raw, key=uuid4().hex)).json["amount"] == shown


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (f"{INTENTS}?staus=FAILED", ["staus"]),
        (f"{INTENTS}?limit=0", ["limit"]),
        (f"{INTENTS}?created_from=2026-13-01", ["created_from"]),
        (f"{INTENTS}?from=2026-13-01", ["from"]),
        (f"{INTENTS}?Status=FAILED&status=FAILED", ["Status"]),
        (f"{INTENTS}?status=FAILED&status=SETTLED", ["status"]),
        (f"{INTENTS}?page=0&pageSize=501&colour=1", ["colour", "page", "pageSize"]),
        (f"{INTENTS}?pageSize=%EF%BC%95", ["pageSize"]),
        (f"{INTENTS}?page=1e2", ["page"]),
        (f"{INTENTS}?currency=brl", ["currency"]),
        (f"{INTENTS}/{NOWHERE}?expand=events&verbose=1", ["verbose"]),
        (f"{INTENTS}/{NOWHERE}/refunds?page=1", ["page"]),
        ("/v1/me?tenant=other", ["tenant"]),
        ("/v1/accounts?type=ASSET", ["type"]),
        ("/v1/ledger/entries?payment_intent_id=abc", ["payment_intent_id"]),
        ("/v1/ledger/balances?acount=CASH", ["acount"]),
        ("/v1/audit?outcome=maybe", ["outcome"]),
        ("/v1/payments?orderId=o&order_id=o", ["order_id"]),
    ],
)
async def test_a_query_that_would_not_be_read_as_it_was_meant_is_refused_by_name(
    client: Client, path: str, named: list[str]
) -> None:
    refused = await client.call("GET", path)
    assert (refused.status, problem(refused)["code"], pointers(refused)) == (422, "invalid_request", named)


async def test_every_route_refuses_undeclared_and_malformed_parameters(api: Api, client: Client) -> None:
    spec = (await api.stranger().call("GET", "/openapi.json")).json
    garbage = {"integer": ("x", "-1", "1.5", "99999999999"), "string": ("\u00e9\u00e9",)}
    for template, methods in spec["paths"].items():
        if not template.startswith("/v1/"):
            continue
        path = "/".join(NOWHERE if part.startswith("{") else part for part in template.split("/"))
        for method, operation in methods.items():
            unknown = await client.call(method.upper(), f"{path}?no_such_parameter=1", key=uuid4().hex)
            assert (unknown.status, pointers(unknown)) in (
                (422, ["no_such_parameter"]),
                # What is operators' alone is not even read for others.
                (403, []),
            ), template
            for parameter in (resolved(spec, parameter) for parameter in operation["parameters"]):
                if parameter["in"] != "query":
                    continue
                shape = parameter["schema"].get("anyOf", [parameter["schema"]])[0]
                if shape["type"] == "string" and not {"enum", "pattern", "format"} & set(shape):
                    continue
                for wrong in garbage[shape["type"]]:
                    answer = await client.call(method.upper(), f"{path}?{parameter['name']}={wrong}", key=uuid4().hex)
                    assert answer.status in (400, 403, 422), (template, parameter["name"], wrong)
                    assert answer.status != 400 or problem(answer)["code"] == "unsupported_currency"


async def test_strangers_learn_nothing_about_queries(api: Api) -> None:
    assert (await api.stranger().call("GET", f"{INTENTS}?staus=FAILED")).status == 401
    body = {"email": "a@b.c", "password": "p"}
    assert (await api.stranger().call("POST", "/v1/auth/token?debug=1", body)).status == 422


@pytest.mark.parametrize(
    "query",
    [
        "?status=&customer_ref=&page=1&pageSize=500",
        "?status=PENDING,CONFIRMED",
        "?from=2026-04-01T00:00:00.000%2B00:00",
    ],
)
async def test_what_real_clients_send_is_read(client: Client, query: str) -> None:
    assert (await client.call("GET", INTENTS + query)).status == 200
    balances = await client.call("GET", "/v1/ledger/balances?currency=BRL&limit=500&offset=0")
    assert problem(balances)["code"] == "unavailable"


async def test_hostile_bodies_of_any_depth_and_length_are_refused_at_once(client: Client) -> None:
    bodies = [
        b'{"amount":' + b"[" * 100_000,
        b'{"amount":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"amount":' + b"9" * 250_000 + b"}",
        b'{"metadata":{' + b",".join(b'"k":"v"' for _ in range(30_000)) + b"}}",
        b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
        json.dumps(GOOD | {"customer_ref": "4 " * 120_000}).encode(),
    ]
    answers = await asyncio.gather(*(client.call("POST", INTENTS, raw=raw, key=uuid4().hex) for raw in bodies))
    assert {answer.status for answer in answers} <= {400, 422}
    assert all(len(answer.raw) < 20_000 for answer in answers)
    assert all(msgspec.json.decode(answer.raw)["code"] for answer in answers)


async def test_head_is_answered_wherever_get_is_and_nowhere_else(api: Api, client: Client) -> None:
    created = (await client.call("POST", INTENTS, GOOD, key=uuid4().hex)).json["id"]
    for path in (
        "/healthz",
        "/metrics",
        "/docs",
        "/openapi.json",
        INTENTS,
        f"{INTENTS}/{created}",
        f"{INTENTS}/{NOWHERE}",
    ):
        got, head = await client.call("GET", path), await client.call("HEAD", path)
        assert (head.status, head.raw) == (got.status, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
    for method in ("HEAD", "GET"):
        refused = await client.call(method, f"{INTENTS}/{created}/confirm")
        assert (refused.status, "HEAD" in refused.headers["allow"]) == (405, False)
    refused = await client.call("DELETE", INTENTS)
    assert {"GET", "HEAD", "POST"} <= set(refused.headers["allow"].split(", "))
    assert "HEAD" in (await client.call("OPTIONS", INTENTS)).headers["allow"]


async def test_the_root_leads_to_the_documents(api: Api) -> None:
    async with api.http.get(api.base + "/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (307, "docs")
    assert b"swagger" in (await api.stranger().call("GET", "/")).raw


async def test_refunds_of_what_is_not_there_are_as_unknown_as_it_is(api: Api, client: Client) -> None:
    theirs = (await api.client("somebody-else").call("POST", INTENTS, GOOD, key=uuid4().hex)).json["id"]
    for intent_id in (NOWHERE, theirs):
        for part in ("", "/refunds", "/disputes", "/events"):
            answer = await client.call("GET", f"{INTENTS}/{intent_id}{part}")
            assert (answer.status, problem(answer)["code"]) == (404, "payment_intent_not_found"), part
