"""What happened and who did it: the timeline of a payment, what may be shown with it, and the audit log."""

import csv
import io
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from libs.common.contracts.ledger_books import BooksSigned, InvariantBroken
from libs.common.ids import new_id
from services.api.audit import AuditConsumers
from services.api.audit.routes import csv_of
from services.api.audit.schemas import AuditLine
from services.api.http.callers import PLATFORM_TENANT
from tests.integration.api.access.test_access import problem
from tests.integration.api.conftest import Api
from tests.support.platform import Answer, Client

AUDIT = "/v1/audit"


def admin(api: Api, tenant: str) -> Client:
    return api.client(tenant, sub="root@example.com", roles=["admin"], perms=["admin:write"], plan="enterprise")


async def settled(api: Api, tenant: str) -> str:
    """A payment that went all its way."""
    client = api.client(tenant)
    intent_id: str = (await client.create())["id"]
    assert (await client.confirm(intent_id, headers={"Prefer": "respond-async"})).status == 202
    await api.authorized(tenant, intent_id)
    await api.captured(tenant, intent_id)
    await api.posted(tenant, intent_id)
    return intent_id


async def test_the_timeline_tells_what_happened_in_order_and_by_whom(api: Api, tenant_id: str) -> None:
    intent_id = await settled(api, tenant_id)
    answer = await api.client(tenant_id).call("GET", f"/v1/payment-intents/{intent_id}/events")
    assert answer.status == 200
    stated = [(e["type"], e["status"], e["actor"], e["cause_id"] is None) for e in answer.json]
    assert stated == [
        ("payment.intent.created", "CREATED", "ops@example.com", True),
        ("payment.authorize", "PROCESSING", "ops@example.com", True),
        ("payment.authorized", "AUTHORIZED", "gateway", False),
        ("payment.capture", "AUTHORIZED", "gateway", False),
        ("payment.captured", "AUTHORIZED", "gateway", False),
        ("payment.settled", "SETTLED", "ledger", False),
    ]
    assert all(e["correlation_id"] for e in answer.json)
    published = await api.database.fetch("SELECT event_id FROM outbox WHERE tenant_id = $1 ORDER BY seq", tenant_id)
    assert [e["id"] for e in answer.json] == [str(row["event_id"]) for row in published][-6:]


async def test_message_handled_twice_is_shown_once(api: Api, tenant_id: str) -> None:
    intent_id = await settled(api, tenant_id)
    await api.authorized(tenant_id, intent_id)
    await api.posted(tenant_id, intent_id)
    stated = (await api.client(tenant_id).call("GET", f"/v1/payment-intents/{intent_id}/events")).json
    assert len(stated) == 6


async def test_a_timeline_is_its_tenants_alone(api: Api, tenant_id: str) -> None:
    intent_id = await settled(api, tenant_id)
    stranger = api.client(f"{tenant_id}-2")
    for path in (f"/v1/payment-intents/{intent_id}/events", f"/v1/payment-intents/{intent_id}?expand=events"):
        answer = await stranger.call("GET", path)
        assert (answer.status, problem(answer)["code"]) == (404, "payment_intent_not_found")
    assert (await stranger.call("GET", f"/v1/payment-intents/{new_id()}/events")).status == 404
    assert (await stranger.call("GET", "/v1/payment-intents/x/events")).status == 422


async def test_expand_shows_what_is_requested_and_needs_its_permission(api: Api, tenant_id: str) -> None:
    intent_id = await settled(api, tenant_id)
    client, path = api.client(tenant_id), f"/v1/payment-intents/{intent_id}"
    plain, expanded = await client.call("GET", path), await client.call("GET", f"{path}?expand=events")
    assert "events" not in plain.json
    assert expanded.json["events"] == (await client.call("GET", f"{path}/events")).json
    assert {name: value for name, value in expanded.json.items() if name != "events"} == plain.json
    # The ledger is away in these tests: that it gets a request shows in the answer.
    assert (await client.call("GET", f"{path}?expand=entries")).status == 503
    reader = api.client(tenant_id, perms=["payments:read"])
    denied = await reader.call("GET", f"{path}?expand=events,entries")
    assert (denied.status, problem(denied)["permissionCode"]) == (403, "ledger:read")
    assert (await client.call("GET", f"{path}?expand=everything")).status == 422


async def listed(api: Api, tenant: str, query: str = "") -> list[dict[str, Any]]:
    answer = await admin(api, tenant).call("GET", f"{AUDIT}{query}")
    assert answer.status == 200, answer.raw
    found: list[dict[str, Any]] = answer.json["data"]
    return found


async def test_every_change_is_in_the_audit_log_and_can_be_found(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    headers = {"X-Correlation-Id": f"c-{tenant_id}"}
    body = {"amount": 1, "currency": "BRL", "customer_ref": "c"}
    created = await client.call("POST", "/v1/payment-intents", body, key=str(uuid4()), headers=headers)
    await client.confirm(created.json["id"], headers={"Prefer": "respond-async"})
    lines = await listed(api, tenant_id)
    assert [(line["action"], line["actor"], line["outcome"]) for line in lines] == [
        ("payment_intent.confirm", "ops@example.com", "success"),
        ("payment_intent.create", "ops@example.com", "success"),
    ]
    for query, count in {
        "?actor=ops@example.com": 2,
        "?actor=nobody": 0,
        "?action=payment_intent.create": 1,
        "?action=payment_intent.": 2,
        "?action=payment_intent": 0,
        f"?target={created.json['id']}": 2,
        f"?correlation_id=c-{tenant_id}": 1,
        "?outcome=success": 2,
        "?outcome=denied": 0,
        "?from=2026-01-01": 2,
        "?to=2026-01-01": 0,
        "?limit=1": 1,
    }.items():
        assert len(await listed(api, tenant_id, query)) == count, query


@pytest.mark.parametrize(
    ("path", "changes", "headers", "reason"),
    [
        ("/v1/ledger/entries", {"perms": ["payments:read"]}, {}, "missing_permission"),
        ("/v1/ledger/entries", {"plan": "free"}, {}, "plan_not_allowed"),
        ("/v1/ledger/entries", {"region": "region-z"}, {}, "region_not_allowed"),
        ("/v1/payment-intents", {}, {"X-Tenant-Id": "somebody-else"}, "tenant_mismatch"),
    ],
)
async def test_every_denial_is_in_the_audit_log_of_whom_the_token_proves(
    api: Api, tenant_id: str, path: str, changes: dict[str, Any], headers: dict[str, str], reason: str
) -> None:
    denied = await api.client(tenant_id, **changes).call("GET", path, headers=headers)
    assert (denied.status, problem(denied)["code"]) == (403, reason)
    await api.client(tenant_id).call("GET", "/v1/payment-intents")
    lines = await listed(api, tenant_id, "?outcome=denied")
    assert [(line["action"], line["detail"]["reason"]) for line in lines] == [("authz.denied", reason)]
    assert lines[0]["detail"]["asked_tenant"] == headers.get("X-Tenant-Id", tenant_id)


async def test_a_suspended_tenant_is_denied_and_that_is_written_down(api: Api, tenant_id: str) -> None:
    await api.database.fetch(
        "INSERT INTO tenants (id, name, plan, region, status, origin, created_at, updated_at) "
        "VALUES ($1, 'x', 'pro', 'region-a', 'SUSPENDED', 'seed', now(), now())",
        tenant_id,
    )
    denied = await api.client(tenant_id).call("GET", "/v1/payment-intents")
    assert (denied.status, problem(denied)["code"]) == (403, "tenant_suspended")
    row = await api.database.fetchrow("SELECT detail->>'reason' AS r FROM audit_log WHERE tenant_id = $1", tenant_id)
    assert row is not None
    assert row["r"] == "tenant_suspended"


async def test_pages_of_the_audit_log_follow_each_other(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    for _ in range(5):
        await client.create()
    whole = await listed(api, tenant_id)
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await admin(api, tenant_id).call("GET", f"{AUDIT}?limit=2{cursor}")
        found += page.json["data"]
        if page.json["next_cursor"] is None:
            break
        assert 'rel="next"' in page.headers["link"]
        cursor = f"&cursor={page.json['next_cursor']}"
    assert found == whole
    foreign = await admin(api, f"{tenant_id}-2").call("GET", f"{AUDIT}?{cursor[1:]}")
    assert (foreign.status, problem(foreign)["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize("how", [("?format=csv", {}), ("", {"Accept": "text/csv"})])
async def test_the_audit_log_is_exported_as_csv(api: Api, tenant_id: str, how: tuple[str, dict[str, str]]) -> None:
    await api.client(tenant_id).create()
    answer: Answer = await admin(api, tenant_id).call("GET", AUDIT + how[0], headers=how[1])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.raw.decode())))
    assert [row["action"] for row in rows] == ["payment_intent.create"]


def test_a_spreadsheet_does_not_run_what_a_stranger_wrote() -> None:
    line = AuditLine(
        id="1",
        at="2026-01-01",
        tenant_id="t",
        actor='=HYPERLINK("http://evil")',
        action="a",
        target='x,"y"\n',
        outcome="failed",
        correlation_id="@c",
        detail={},
    )
    row = next(csv.DictReader(io.StringIO(csv_of([line]).decode(), newline="")))
    assert (row["actor"], row["correlation_id"]) == ('\'=HYPERLINK("http://evil")', "'@c")
    assert row["target"] == 'x,"y"\n'


async def test_only_an_administrator_reads_the_audit_log(api: Api, tenant_id: str) -> None:
    denied = await api.client(tenant_id).call("GET", AUDIT)
    assert (denied.status, problem(denied)["permissionCode"]) == (403, "admin:write")
    assert (await admin(api, tenant_id).call("GET", f"{AUDIT}?outcome=perhaps")).status == 422


async def test_a_login_of_nobody_is_seen_by_the_platforms_operators_alone(api: Api, tenant_id: str) -> None:
    name = f"{tenant_id}@example.com"
    await api.stranger().call("POST", "/v1/auth/token", {"email": name, "password": "x"})
    assert await listed(api, tenant_id, f"?actor={name}") == []
    root = api.client(PLATFORM_TENANT, roles=["admin"], perms=[])
    seen = await root.call("GET", f"{AUDIT}?actor={name}")
    assert [line["action"] for line in seen.json["data"]] == ["auth.login.failed"]


async def test_request_to_another_service_is_in_the_log_although_nobody_replies(api: Api, tenant_id: str) -> None:
    body = {"code": "FEES", "label": "Fees", "account_type": "EXPENSE"}
    assert (await admin(api, tenant_id).call("POST", "/v1/accounts", body)).status == 503
    lines = await listed(api, tenant_id, "?action=ledger.")
    assert [line["outcome"] for line in lines] == ["unknown", "requested"]


async def test_what_the_ledger_found_broken_is_in_its_tenants_audit_log(api: Api, tenant_id: str) -> None:
    subject, found_at = str(uuid4()), datetime(2026, 11, 22, 17, 57, 7, tzinfo=UTC)
    broken = InvariantBroken(
        invariant="intent_without_entry", subject=subject, detail="the books have no such entry", found_at=found_at
    )
    await api.handle(tenant_id, broken, by=AuditConsumers().on_invariant_broken)
    (line,) = await listed(api, tenant_id, "?action=ledger.invariant_broken")
    assert (line["actor"], line["target"], line["outcome"]) == ("ledger", subject, "failed")
    assert line["detail"] == {"invariant": "intent_without_entry", "detail": "the books have no such entry"}
    assert line["correlation_id"] == "c-event"
    assert datetime.fromisoformat(line["at"]) == found_at
    assert await listed(api, f"{tenant_id}-other", "?action=ledger.invariant_broken") == []


async def test_statement_of_the_books_is_kept_beside_them(api: Api) -> None:
    signed = BooksSigned(
        number=7,
        statement='{"what":"ledger.heads.v1","number":7}',
        signatures={"9f86d081884c7d65": "c2lnbmF0dXJl"},
        signed_at=datetime(2026, 11, 22, 17, 57, 7, tzinfo=UTC),
    )
    await api.handle("", signed, by=AuditConsumers().on_books_signed)
    row = await api.database.fetchrow("SELECT * FROM audit_log WHERE action = 'ledger.books_signed'")
    assert row is not None
    assert (row["tenant_id"], row["target"], msgspec.json.decode(row["detail"])) == (
        PLATFORM_TENANT,
        "7",
        {"sha256": sha256(signed.statement.encode()).hexdigest(), "signature_9f86d081884c7d65": "c2lnbmF0dXJl"},
    )
