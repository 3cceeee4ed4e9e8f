"""Roles, exchange rates, conversions and consolidated balances over HTTP, to the ledger and back; each refusal by its code."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt
import pytest

from tests.support.platform import OPERATOR, Answer, Client, Platform

RATES, ROLES, CONVERSIONS = "/v1/exchange-rates", "/v1/accounts/roles", "/v1/ledger/conversions"
TREASURER = "treasurer@example.com"
CONSOLIDATED, CONVERT = "/v1/ledger/balances/consolidated", "/v1/exchange-rates/convert"


@pytest.fixture
async def treasurer(platform: Platform) -> Client:
    """Somebody who may do everything for a tenant that no other test uses, by a token that their company's log-in signed."""
    tenant, now = f"tenant-{uuid4().hex[:12]}", int(time.time())
    claims = {
        "iss": platform.environ["JWT_ISSUER"],
        "sub": TREASURER,
        "tid": tenant,
        "roles": ["admin"],
        "perms": ["payments:write", "payments:read", "ledger:read", "ledger:write", "admin:write"],
        "plan": "enterprise",
        "region": "region-a",
        "iat": now,
        "exp": now + 600,
    }
    token = jwt.encode(claims, platform.environ["JWT_SECRET"], algorithm="HS256")
    return Client(platform.http, platform.base(), token=token, tenant=tenant)


async def record(who: Client, pair: str, rate: Any, **more: Any) -> Answer:
    from_currency, to_currency = pair.split("/")
    return await who.call(
        "POST", RATES, {"from_currency": from_currency, "to_currency": to_currency, "rate": rate, **more}
    )


def conversion(**changes: Any) -> dict[str, Any]:
    body = {"id": str(uuid4()), "from_currency": "USD", "to_currency": "BRL", "amount": "100.00", **changes}
    return {name: value for name, value in body.items() if value is not None}


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.json.get("code")) == (status, code), answer.raw
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_role_is_played_by_another_account_and_payments_are_booked_there(
    platform: Platform, treasurer: Client
) -> None:
    roles = {role["role"]: role for role in (await treasurer.call("GET", ROLES)).json}
    assert (roles["CASH"]["account"], roles["CASH"]["is_default"], roles["CASH"]["changed_by"]) == ("CASH", True, None)
    body = {"code": "CASH_STRIPE", "label": "Held by Stripe", "account_type": "ASSET"}
    assert (await treasurer.call("POST", "/v1/accounts", body)).status == 201
    put = await treasurer.call("PUT", f"{ROLES}/CASH", {"account": "CASH_STRIPE"})
    assert (put.status, put.json["account"], put.json["changed_by"]) == (200, "CASH_STRIPE", TREASURER)
    shown = (await treasurer.call("GET", f"{ROLES}/CASH")).json
    assert [(c["revision"], c["account"], c["changed_by"]) for c in shown["changes"]] == [(1, "CASH_STRIPE", TREASURER)]
    intent = await treasurer.create()
    await treasurer.confirm(intent["id"])
    await treasurer.settled(intent["id"])
    (entry,) = (await treasurer.call("GET", "/v1/ledger/entries")).json
    assert [(line["side"], line["account"]) for line in entry["lines"]] == [
        ("DEBIT", "CASH_STRIPE"),
        ("CREDIT", "REVENUE"),
    ]
    lines = (await treasurer.call("GET", "/v1/audit?action=ledger.assign_account_role")).json["data"]
    assert [(line["target"], line["outcome"], line["actor"]) for line in lines] == [
        ("CASH", "success", TREASURER),
        ("CASH", "requested", TREASURER),
    ]


@pytest.mark.parametrize(
    ("role", "body", "status", "code"),
    [
        ("NOTHING", {"account": "CASH"}, 404, "account_role_not_found"),
        ("CASH", {"account": "NOBODY"}, 422, "account_unknown"),
        ("CASH", {"account": "REVENUE"}, 422, "account_role_unfit"),
        ("GATEWAY_CLEARING", {"account": "CASH"}, 409, "account_role_conflict"),
        ("CASH", {}, 422, "invalid_request"),
        ("CASH", {"account": "a\0b"}, 422, "invalid_request"),
        ("CASH", {"account": 7}, 422, "invalid_request"),
    ],
)
async def test_a_wrong_role_is_refused(
    treasurer: Client, role: str, body: Mapping[str, Any], status: int, code: str
) -> None:
    refused(await treasurer.call("PUT", f"{ROLES}/{role}", body), status, code)
    assert all(shown["is_default"] for shown in (await treasurer.call("GET", ROLES)).json)


@pytest.mark.parametrize("limits", [{"floor_minor": 0}, {"ceiling_minor": 100}, {"currencies": ["KWD"]}])
async def test_an_account_that_could_refuse_what_happened_plays_no_role(
    treasurer: Client, limits: dict[str, Any]
) -> None:
    body = {"code": "LIMITED", "label": "Limited", "account_type": "ASSET", **limits}
    opened = await treasurer.call("POST", "/v1/accounts", body)
    assert opened.status == 201, opened.raw
    assert {name: opened.json[name] for name in limits} == limits
    refused(await treasurer.call("PUT", f"{ROLES}/BANK", {"account": "LIMITED"}), 422, "account_role_unfit")


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"code": " A"}, 422, "account_invalid"),
        ({"code": "a\0b"}, 422, "invalid_request"),
        ({"code": "x" * 65}, 422, "invalid_request"),
        ({"account_type": "MONEY"}, 400, "invalid_account_type"),
        ({"currencies": ["XXX"]}, 422, "account_invalid"),
        ({"currencies": []}, 422, "invalid_request"),
        ({"floor_minor": 0.5}, 422, "invalid_request"),
        ({"floor_minor": 2, "ceiling_minor": 1}, 422, "account_invalid"),
        ({"code": "BANK"}, 409, "account_code_taken"),
    ],
)
async def test_a_wrong_account_is_refused(treasurer: Client, limits: dict[str, Any], status: int, code: str) -> None:
    await treasurer.call("GET", ROLES)
    body = {"code": "OTHER", "label": "Other", "account_type": "ASSET", **limits}
    refused(await treasurer.call("POST", "/v1/accounts", body), status, code)


async def test_rates_are_recorded_listed_and_applied(treasurer: Client) -> None:
    begin = {"effective_at": "2026-01-01T00:00:00Z", "source": "ECB"}
    first = await record(treasurer, "USD/BRL", 5.4321, **begin)
    assert (first.status, first.json["rate"], first.json["recorded_by"]) == (201, "5.4321", TREASURER)
    assert (await record(treasurer, "USD/BRL", "5.4321", **begin)).json == first.json
    refused(await record(treasurer, "USD/BRL", "5.4322", **begin), 409, "exchange_rate_conflict")
    await record(treasurer, "USD/JPY", "150.37", **begin)
    await record(treasurer, "USD/BRL", 1e-05, effective_at="2026-02-01T00:00:00Z")
    shown = (await treasurer.call("GET", f"{RATES}?at=2026-01-15")).json
    assert [(r["from_currency"], r["to_currency"], r["rate"]) for r in shown] == [
        ("USD", "BRL", "5.4321"),
        ("USD", "JPY", "150.37"),
    ]
    page = await treasurer.call("GET", f"{RATES}?history=true&limit=2")
    assert [rate["rate"] for rate in page.json] == ["0.00001", "150.37"]
    following = page.headers["link"].split(">")[0].lstrip("<")
    assert [rate["rate"] for rate in (await treasurer.call("GET", RATES + following)).json] == ["5.4321"]

    body = {"amount": 1000, "from_currency": "JPY", "to_currency": "BRL", "at": "2026-01-15T00:00:00Z"}
    posted = await treasurer.call("POST", CONVERT, body)
    assert (posted.status, posted.json["converted_amount"], posted.json["amount"]) == (200, "36.12", "1000")
    assert [(leg["from_currency"], leg["to_currency"], leg["inverse"]) for leg in posted.json["legs"]] == [
        ("USD", "JPY", True),
        ("USD", "BRL", False),
    ]
    query = "amount=1000&from_currency=JPY&to_currency=BRL&at=2026-01-15"
    assert (await treasurer.call("GET", f"{CONVERT}?{query}")).json == posted.json
    lines = (await treasurer.call("GET", "/v1/audit?action=ledger.record_exchange_rate")).json["data"]
    assert sorted(line["outcome"] for line in lines) == ["failed", *["requested"] * 5, *["success"] * 4]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"from_currency": "XXX"}, 400, "unsupported_currency"),
        ({"from_currency": "BRL"}, 422, "exchange_rate_invalid"),
        ({"rate": "0"}, 422, "exchange_rate_invalid"),
        ({"rate": "0.0000000000000000001"}, 422, "exchange_rate_invalid"),
        ({"rate": 1e300}, 422, "exchange_rate_invalid"),
        ({"rate": "-1"}, 422, "invalid_request"),
        ({"rate": "NaN"}, 422, "invalid_request"),
        ({"rate": None}, 422, "invalid_request"),
        ({"rate": {}}, 422, "invalid_request"),
        ({"effective_at": "yesterday"}, 422, "invalid_request"),
        ({"effective_at": "2026-01-01T00:00:00"}, 422, "invalid_request"),
        ({"effective_at": "9999-12-31T23:59:59-23:59"}, 422, "invalid_request"),
        ({"source": ""}, 422, "invalid_request"),
        ({"source": "a\nb"}, 422, "exchange_rate_invalid"),
    ],
)
async def test_a_wrong_rate_is_refused(treasurer: Client, changes: dict[str, Any], status: int, code: str) -> None:
    body = {"from_currency": "USD", "to_currency": "BRL", "rate": "5", **changes}
    refused(await treasurer.call("POST", RATES, body), status, code)
    assert (await treasurer.call("GET", f"{RATES}?history=true")).json == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{RATES}?cursor=nonsense", 422, "query_invalid"),
        (f"{RATES}?limit=0", 422, "invalid_request"),
        (f"{RATES}?history=perhaps", 422, "invalid_request"),
        (f"{RATES}?from_currency=usd", 422, "invalid_request"),
        (f"{RATES}?at=2026-13-45", 422, "invalid_request"),
        (f"{CONVERT}?amount=1&from_currency=USD", 422, "invalid_request"),
        (f"{CONVERT}?amount=0&from_currency=USD&to_currency=BRL", 422, "invalid_amount"),
        (f"{CONVERT}?amount=1.001&from_currency=USD&to_currency=BRL", 422, "invalid_amount"),
        (f"{CONVERT}?amount=1&from_currency=USD&to_currency=XXX", 400, "unsupported_currency"),
        (f"{CONVERT}?amount=1&from_currency=USD&to_currency=BRL", 404, "exchange_rate_not_found"),
        (f"{CONSOLIDATED}", 422, "invalid_request"),
        (f"{CONSOLIDATED}?currency=XXX", 400, "unsupported_currency"),
        (f"{CONSOLIDATED}?currency=USD&at=never", 422, "invalid_request"),
        (f"{CONVERSIONS}/7", 422, "invalid_request"),
        (f"{CONVERSIONS}/00000000-0000-0000-0000-000000000000", 404, "conversion_not_found"),
        (f"{ROLES}/NOTHING", 404, "account_role_not_found"),
    ],
)
async def test_a_wrong_question_is_refused(treasurer: Client, path: str, status: int, code: str) -> None:
    refused(await treasurer.call("GET", path), status, code)


async def test_money_is_exchanged_in_the_books_and_shown_in_one_currency(treasurer: Client) -> None:
    await record(treasurer, "USD/BRL", "5.4321")
    body = conversion(received_amount="542.00", to_account="BANK")
    done = await treasurer.call("POST", CONVERSIONS, body)
    assert done.status == 201, done.raw
    assert [done.json[name] for name in ("amount", "received_amount", "gain", "rate")] == [
        "100.00",
        "542.00",
        "-0.22",
        "5.4321",
    ]
    assert (await treasurer.call("POST", CONVERSIONS, body)).json == done.json
    assert (await treasurer.call("GET", f"{CONVERSIONS}/{body['id']}")).json == done.json
    refused(await treasurer.call("POST", CONVERSIONS, {**body, "amount": "100.01"}), 409, "conversion_conflict")
    entries = {entry["id"]: entry for entry in (await treasurer.call("GET", "/v1/ledger/entries")).json}
    assert set(entries) == {done.json["entries"]["sold"], done.json["entries"]["bought"]}
    assert [
        (line["side"], line["account"], line["amount"]) for line in entries[done.json["entries"]["sold"]]["lines"]
    ] == [("DEBIT", "FX_POSITION", "99.78"), ("DEBIT", "FX_GAIN_LOSS", "0.22"), ("CREDIT", "CASH", "100.00")]

    shown = (await treasurer.call("GET", f"{CONSOLIDATED}?currency=USD")).json
    balances = {account["account"]: account for account in shown["accounts"]}
    assert {code: balance["normal_balance"] for code, balance in balances.items()} == {
        "BANK": "99.78",
        "CASH": "-100.00",
        "FX_GAIN_LOSS": "0.22",
        "FX_POSITION": "0.00",
    }
    assert [held["currency"] for held in balances["FX_POSITION"]["held"]] == ["BRL", "USD"]
    assert (shown["unconverted"], shown["rounding"]) == ([], "0.00")
    in_yen = (await treasurer.call("GET", f"{CONSOLIDATED}?currency=JPY")).json
    assert in_yen["unconverted"] == ["BRL", "USD"]
    lines = (await treasurer.call("GET", f"/v1/audit?target={body['id']}")).json["data"]
    assert [line["outcome"] for line in lines if line["outcome"] != "requested"] == ["failed", "success", "success"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"to_currency": "XXX"}, 400, "unsupported_currency"),
        ({"to_currency": "USD"}, 422, "conversion_invalid"),
        ({"to_currency": "KWD"}, 404, "exchange_rate_not_found"),
        ({"from_account": "NOBODY"}, 422, "account_unknown"),
        ({"to_account": "FX_POSITION"}, 422, "conversion_invalid"),
        ({"amount": "0"}, 422, "invalid_amount"),
        ({"amount": "1.001"}, 422, "invalid_amount"),
        ({"received_amount": "-1"}, 422, "invalid_amount"),
        ({"amount": "0.01", "to_currency": "JPY"}, 422, "conversion_too_small"),
        ({"amount": "9999999999999.99"}, 422, "conversion_too_large"),
        ({"id": "7"}, 422, "invalid_request"),
        ({"id": None}, 422, "invalid_request"),
        ({"occurred_at": "yesterday"}, 422, "invalid_request"),
    ],
)
async def test_a_wrong_conversion_is_refused_and_leaves_nothing(
    treasurer: Client, changes: dict[str, Any], status: int, code: str
) -> None:
    await record(treasurer, "USD/BRL", "5.4321")
    await record(treasurer, "USD/JPY", "0.1")
    refused(await treasurer.call("POST", CONVERSIONS, conversion(**changes)), status, code)
    assert (await treasurer.call("GET", "/v1/ledger/entries")).json == []


@pytest.mark.parametrize(
    ("limits", "field", "code", "status"),
    [
        ({"floor_minor": 0}, "from_account", "floor_crossed", 409),
        ({"ceiling_minor": 50000, "currencies": ["BRL"]}, "to_account", "ceiling_crossed", 409),
        ({"currencies": ["KWD"]}, "to_account", "currency_not_taken", 422),
    ],
)
async def test_conversion_beyond_the_limits_is_refused_and_leaves_nothing(
    treasurer: Client, limits: dict[str, Any], field: str, code: str, status: int
) -> None:
    await record(treasurer, "USD/BRL", "5.4321")
    body = {"code": "LIMITED", "label": "Limited", "account_type": "ASSET", **limits}
    assert (await treasurer.call("POST", "/v1/accounts", body)).status == 201
    body = conversion(**{field: "LIMITED"})
    refused(await treasurer.call("POST", CONVERSIONS, body), status, code)
    assert (await treasurer.call("GET", "/v1/ledger/entries")).json == []
    refused(await treasurer.call("GET", f"{CONVERSIONS}/{body['id']}"), 404, "conversion_not_found")


async def test_one_half_of_a_conversion_is_not_taken_back_alone(treasurer: Client) -> None:
    await record(treasurer, "USD/BRL", "5.4321")
    done = await treasurer.call("POST", CONVERSIONS, conversion())
    for entry_id in done.json["entries"].values():
        answer = await treasurer.call("POST", f"/v1/ledger/entries/{entry_id}/reversal")
        refused(answer, 409, "entry_not_reversible")
    assert len((await treasurer.call("GET", "/v1/ledger/entries")).json) == 2


async def test_a_conversion_of_a_closed_period_is_refused(treasurer: Client) -> None:
    await record(treasurer, "USD/BRL", "5.4321", effective_at="2026-01-01T00:00:00Z")
    assert (await treasurer.call("POST", "/v1/ledger/periods", {"ends_before": "2026-11-01"})).status in {200, 201}
    body = conversion(occurred_at="2026-10-31T23:59:59Z")
    refused(await treasurer.call("POST", CONVERSIONS, body), 409, "period_closed")
    refused(await treasurer.call("GET", f"{CONVERSIONS}/{body['id']}"), 404, "conversion_not_found")


async def test_who_may_not_is_refused(platform: Platform) -> None:
    operator = await platform.login(OPERATOR)
    denied = {"account": "CASH"}
    refused(await operator.call("PUT", f"{ROLES}/CASH", denied), 403, "missing_permission")
    refused(await record(operator, "USD/BRL", "5"), 403, "missing_permission")
    assert (await operator.call("GET", ROLES)).status == 200
