"""Clients of the system that this platform stands in for work unchanged: its captured requests, and its smoke flow.

`tests/data/reference-http.json` holds requests that were captured from it together with what it answered, as far as that was
right: the status, the sentence of a refusal and the members of a success must be the same here. Refusals are problem
documents of ours, so their members are at the top level.
"""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.support.platform import ADMIN, ROOT, Client, Platform

EXAMPLES: list[dict[str, Any]] = json.loads((ROOT / "tests/data/reference-http.json").read_text())
WHO = {"ops": ("ops@demo", "ops123"), "sales": ("sales@demo", "sales123"), "admin": ADMIN}
TENANT = "tenant_demo"


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
async def test_a_captured_request_is_answered_as_it_was(platform: Platform, example: dict[str, Any]) -> None:
    who = Client(platform.http, platform.base())
    if example["as"]:
        who = await platform.login(WHO[example["as"]], tenant=TENANT)
        who.tenant = ""
    headers = dict(example["headers"])
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = uuid4().hex
    query = "&".join(f"{name}={value}" for name, value in (example["params"] or {}).items())
    path = f"{example['path']}?{query}" if query else example["path"]
    answer = await who.call(example["method"], path, example["body"], headers=headers)
    assert answer.status == example["status"], answer.raw
    if answer.status >= 400:
        problem = answer.json
        assert answer.headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["correlation_id"]) == (answer.status, answer.headers["x-correlation-id"])
        if example["detail"]:
            assert problem["detail"] == example["detail"]
    elif example["members"] == "array":
        assert isinstance(answer.json, list)
    elif example["members"]:
        assert set(example["members"]) <= set(answer.json)


async def test_the_smoke_flow_of_the_reference(platform: Platform) -> None:
    """Its twelve checks, in its order, as far as they are HTTP."""
    stranger = Client(platform.http, platform.base(), tenant=TENANT)
    assert (await stranger.call("GET", "/healthz")).json == {"status": "ok"}
    ops = await platform.login(WHO["ops"], tenant=TENANT)
    body = {"amount": 150.50, "currency": "BRL", "customer_ref": "CUST-001"}
    key = uuid4().hex
    first = await ops.call("POST", "/v1/payment-intents", body, key=key)
    again = await ops.call("POST", "/v1/payment-intents", body, key=key)
    assert first.json["id"] == again.json["id"]
    confirmed = await ops.call("POST", f"/v1/payment-intents/{first.json['id']}/confirm", key=uuid4().hex)
    assert (confirmed.status, confirmed.json["status"]) == (200, "AUTHORIZED")
    await ops.settled(first.json["id"])
    assert len((await ops.call("GET", "/v1/ledger/entries")).json) > 0
    assert len((await ops.call("GET", "/v1/ledger/balances")).json) > 0
    wrong = {"X-Tenant-Id": "somebody-else"}
    assert (await ops.call("GET", "/v1/payment-intents", headers=wrong)).status == 403
    bad = {"email": "ops@demo", "password": "wrong"}
    assert (await stranger.call("POST", "/v1/auth/token", bad)).status == 401
    sales = await platform.login(WHO["sales"], tenant=TENANT)
    assert (await sales.call("POST", "/v1/payment-intents", body, key=uuid4().hex)).status == 403
    assert (await ops.call("POST", "/v1/payment-intents", body)).status == 400


async def test_requests_to_the_ledger_are_audited_and_entries_expand(platform: Platform) -> None:
    root = await platform.login(ADMIN, tenant=TENANT)
    code = f"FEES_{uuid4().hex[:8].upper()}"
    body = {"code": code, "label": "Fees", "account_type": "EXPENSE"}
    assert (await root.call("POST", "/v1/accounts", body)).status == 201
    taken = await root.call("POST", "/v1/accounts", body)
    assert (taken.status, taken.json["code"]) == (409, "account_code_taken")
    lines = (await root.call("GET", "/v1/audit?action=ledger.open_account&limit=4")).json["data"]
    assert [line["outcome"] for line in lines] == ["failed", "requested", "success", "requested"]
    intent = await root.create()
    await root.confirm(intent["id"])
    await root.settled(intent["id"])
    shown = (await root.call("GET", f"/v1/payment-intents/{intent['id']}?expand=events,entries")).json
    assert [entry["kind"] for entry in shown["entries"]] == ["capture"]
    assert shown["events"][-1]["type"] == "payment.settled"
