"""Entries that people make, over real HTTP: in bulk, and by two people."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from tests.e2e.bookkeeping import CHIEF, CLERK, enter, moved, new_tenant, person
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, SALES, Client, Platform


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own."""
    return new_tenant()


@pytest.fixture
def clerk(platform: Platform, tenant: str) -> Client:
    """Somebody who posts and proposes."""
    return person(platform, tenant, "clerk@example.com", CLERK)


@pytest.fixture
def chief(platform: Platform, tenant: str) -> Client:
    """Somebody who also decides."""
    return person(platform, tenant, "chief@example.com", CHIEF)


_POSTED = "SELECT count(*) FROM ledger.journal_entries WHERE tenant_id = $1"
_NOTED = "SELECT count(*) FROM ledger.manual_entries WHERE tenant_id = $1"
_AT_WORK = {
    "atomic": "SELECT $1::text IS NOT NULL AND EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE relation = 'ledger.journal_entries'::regclass AND mode = 'RowExclusiveLock' AND usename = 'ledger_app')",
    "independent": "SELECT count(*) >= 1000 FROM ledger.journal_entries WHERE tenant_id = $1",
}
"""How the database shows that a call is being posted."""


async def entries_of(who: Client) -> int:
    return len((await who.call("GET", "/v1/ledger/entries?limit=500")).json)


async def test_entries_are_posted_listed_and_replayed(clerk: Client) -> None:
    key = uuid4().hex
    entries = [
        moved("CASH", "REVENUE", "150.50"),
        moved("REFUND_EXPENSE", "CASH", 12.5, occurred_at="2026-01-31T12:00:00Z"),
    ]
    first = await enter(clerk, *entries, key=key)
    assert first.status == 200, first.raw
    assert (first.json["posted"], first.json["refused"], first.json["mode"]) == (2, 0, "atomic")
    assert [result["outcome"] for result in first.json["results"]] == ["posted", "posted"]
    again = await enter(clerk, *entries, key=key)
    assert (again.json["results"], again.headers["idempotency-replayed"]) == (first.json["results"], "true")
    other = await enter(clerk, entries[0], key=key)
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    listed = (await clerk.call("GET", "/v1/ledger/entries")).json
    assert [(e["id"], e["kind"], e["payment_intent_id"]) for e in listed] == [
        (result["id"], "manual", None) for result in first.json["results"][::-1]
    ]
    assert listed[0]["occurred_at"] == "2026-01-31T12:00:00+00:00"


@pytest.mark.parametrize(
    ("bad", "status", "code", "pointer"),
    [
        (moved("CASH", "NOWHERE"), 422, "account_unknown", "/entries/17/lines/1/account"),
        (moved("CASH", "REVENUE", "1.00", "XXX"), 400, "unsupported_currency", "/entries/17/lines/0/currency"),
        (moved("CASH", "REVENUE", "1.005"), 422, "invalid_amount", "/entries/17/lines/0/amount"),
        (moved("CASH", "REVENUE", -1), 422, "invalid_amount", "/entries/17/lines/0/amount"),
        (
            moved("CASH", "REVENUE") | {"lines": moved("CASH", "CASH")["lines"][:1]},
            422,
            "entry_invalid",
            "/entries/17/lines",
        ),
        (
            moved("CASH", "REVENUE")
            | {"lines": [moved("CASH", "REVENUE", "1")["lines"][0], moved("CASH", "REVENUE", "2")["lines"][1]]},
            422,
            "entry_unbalanced",
            "/entries/17/lines",
        ),
        (
            moved("CASH", "REVENUE")
            | {
                "lines": [
                    moved("A", "A", "1")["lines"][0] | {"account": "CASH"},
                    moved("A", "REVENUE", "1", "USD")["lines"][1],
                ]
            },
            422,
            "entry_currency_mixed",
            "/entries/17/lines/1/currency",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" not in value else "",
)
async def test_bad_entry_refuses_an_atomic_call_whole_and_else_only_itself(
    clerk: Client, bad: dict[str, object], status: int, code: str, pointer: str
) -> None:
    entries = [*(moved("CASH", "REVENUE", f"{n}.00") for n in range(1, 18)), bad, moved("REVENUE", "CASH")]
    refused = await enter(clerk, *entries)
    assert (refused.status, refused.json["code"]) == (status, code), refused.raw
    assert refused.headers["content-type"] == "application/problem+json"
    assert [violation["pointer"] for violation in refused.json["errors"]] == [pointer]
    assert await entries_of(clerk) == 0
    apart = await enter(clerk, *entries, mode="independent")
    assert (apart.status, apart.json["posted"], apart.json["refused"]) == (200, 18, 1)
    result = apart.json["results"][17]
    assert (result["outcome"], result["code"], result["pointer"]) == ("refused", code, pointer)
    assert await entries_of(clerk) == 18


async def test_a_dry_run_needs_no_key_and_keeps_nothing(clerk: Client) -> None:
    body = {"entries": [moved("CASH", "REVENUE"), moved("CASH", "NOWHERE")], "dry_run": True}
    answer = await clerk.call("POST", "/v1/ledger/entries", body)
    assert (answer.status, answer.json["dry_run"]) == (200, True), answer.raw
    assert [result["outcome"] for result in answer.json["results"]] == ["not_posted", "refused"]
    assert await entries_of(clerk) == 0
    missing = await clerk.call("POST", "/v1/ledger/entries", {"entries": [moved("CASH", "REVENUE")]})
    assert (missing.status, missing.json["code"]) == (400, "idempotency_key_missing")


async def test_an_id_with_other_content_is_a_conflict(clerk: Client) -> None:
    entry_id = str(uuid4())
    assert (await enter(clerk, moved("CASH", "REVENUE", id=entry_id))).json["posted"] == 1
    assert (await enter(clerk, moved("CASH", "REVENUE", id=entry_id))).json["replayed"] == 1
    conflict = await enter(clerk, moved("CASH", "REVENUE", "11.00", id=entry_id))
    assert (conflict.status, conflict.json["code"]) == (409, "entry_conflict")
    assert conflict.json["errors"][0]["pointer"] == "/entries/0"


async def test_ten_thousand_entries_are_one_call_and_more_are_refused(clerk: Client) -> None:
    entries = [moved("CASH", "REVENUE", f"{n + 1}.00") for n in range(10_000)]
    answer = await enter(clerk, *entries)
    assert (answer.status, answer.json["posted"]) == (200, 10_000), answer.raw[:500]
    totals = (await clerk.call("GET", "/v1/reports/trial-balance")).json["totals"]
    assert [(t["debits_total"], t["credits_total"], t["is_balanced"]) for t in totals] == [
        ("50005000.00", "50005000.00", True)
    ]
    more = await enter(clerk, *entries, moved("CASH", "REVENUE"))
    assert (more.status, more.json["code"]) == (422, "invalid_request")
    huge = await clerk.call("POST", "/v1/ledger/entries", raw=b" " * 17_000_000, key="k")
    assert (huge.status, huge.json["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("mode", ["atomic", "independent"])
async def test_call_repeated_after_a_ledger_was_killed_is_posted_once(
    platform: Platform, clerk: Client, tenant: str, mode: str
) -> None:
    entries = [moved("CASH", "REVENUE", f"{n + 1}.00") for n in range(6000)]
    key = uuid4().hex
    admin = await asyncpg.connect(platform.database.admin_url)
    try:
        call = asyncio.create_task(enter(clerk, *entries, key=key, mode=mode))
        async with asyncio.timeout(60):
            while not await admin.fetchval(_AT_WORK[mode], tenant):
                await asyncio.sleep(0.005)
        platform.kill("ledger")
        if mode == "atomic":
            assert await admin.fetchval(_POSTED, tenant) in {0, 6000}
        platform.start("ledger")
        await platform.ready("ledger")
        answer = await call
        async with asyncio.timeout(60):
            while answer.status == 503:
                answer = await enter(clerk, *entries, key=key, mode=mode)
        assert answer.status == 200, answer.raw[:500]
        assert answer.json["posted"] + answer.json["replayed"] == 6000
        assert await admin.fetchval(_POSTED, tenant) == 6000
        again = await enter(clerk, *entries, key=key, mode=mode)
        assert (again.headers["idempotency-replayed"], again.json) == ("true", answer.json)
        assert await admin.fetchval(_NOTED, tenant) == 6000
    finally:
        await admin.close()
    (total,) = (await clerk.call("GET", "/v1/reports/trial-balance")).json["totals"]
    assert (total["debits_total"], total["credits_total"]) == ("18003000.00", "18003000.00")


async def test_proposal_is_approved_once_by_another_and_both_are_audited(
    clerk: Client, chief: Client, platform: Platform, tenant: str
) -> None:
    key = uuid4().hex
    body = {"reason": "Bank statement", "entries": [moved("REFUND_EXPENSE", "CASH", "12.50")]}
    proposed = await clerk.call("POST", "/v1/ledger/proposals", body, key=key)
    assert (proposed.status, proposed.json["status"]) == (201, "open"), proposed.raw
    assert (await clerk.call("POST", "/v1/ledger/proposals", body, key=key)).json == proposed.json
    path = f"/v1/ledger/proposals/{proposed.json['id']}"
    denied = await clerk.call("POST", f"{path}/approve")
    assert (denied.status, denied.json["permissionCode"]) == (403, "ledger:approve")
    maker = person(platform, tenant, "clerk@example.com", CHIEF)
    for decision in ("approve", "reject"):
        alone = await maker.call("POST", f"{path}/{decision}")
        assert (alone.status, alone.json["code"]) == (403, "self_approval")
    assert await entries_of(clerk) == 0
    for _ in range(2):
        approved = await chief.call("POST", f"{path}/approve", {"reason": "checked"})
        assert (approved.status, approved.json["status"]) == (200, "approved"), approved.raw
    assert (approved.json["made_by"], approved.json["decided_by"]) == ("clerk@example.com", "chief@example.com")
    assert approved.headers["idempotency-replayed"] == "true"
    assert [e["id"] for e in (await clerk.call("GET", "/v1/ledger/entries")).json] == [
        proposed.json["entries"][0]["id"]
    ]
    late = await chief.call("POST", f"{path}/reject")
    assert (late.status, late.json["code"]) == (409, "proposal_decided")
    assert (await clerk.call("GET", path)).json == approved.json
    listed = (await clerk.call("GET", "/v1/ledger/proposals?status=approved")).json["data"]
    assert [proposal["id"] for proposal in listed] == [proposed.json["id"]]
    lines = (await chief.call("GET", "/v1/audit?action=ledger.approve_proposal&outcome=success")).json["data"]
    assert {(line["actor"], line["detail"]["made_by"], line["target"]) for line in lines} == {
        ("chief@example.com", "clerk@example.com", proposed.json["id"])
    }


async def test_nobody_approves_what_a_key_of_theirs_proposed(chief: Client, platform: Platform, tenant: str) -> None:
    first = await chief.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["admin:write", "ledger:write"]})
    assert (first.status, first.json["responsible"]) == (201, "chief@example.com"), first.raw
    key = Client(platform.http, platform.base(), token=first.json["secret"], tenant=tenant)
    made = await key.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["ledger:write"]})
    assert (made.status, made.json["responsible"]) == (201, "chief@example.com"), made.raw
    by_key = Client(platform.http, platform.base(), token=made.json["secret"], tenant=tenant)
    body = {"reason": "Bank statement", "entries": [moved("CASH", "REVENUE")]}
    proposed = await by_key.call("POST", "/v1/ledger/proposals", body, key=uuid4().hex)
    assert (proposed.status, proposed.json["made_by"]) == (201, f"key:{made.json['id']}"), proposed.raw
    path = f"/v1/ledger/proposals/{proposed.json['id']}/approve"
    alone = await chief.call("POST", path)
    assert (alone.status, alone.json["code"]) == (403, "self_approval"), alone.raw
    other = person(platform, tenant, "other@example.com", CHIEF)
    assert (await other.call("POST", path)).json["status"] == "approved"


async def test_a_tenant_may_demand_two_people(clerk: Client, chief: Client) -> None:
    assert (await clerk.call("GET", "/v1/ledger/settings")).json == {"manual_entries_need_approval": False}
    demanded = {"manual_entries_need_approval": True}
    assert (await clerk.call("PUT", "/v1/ledger/settings", demanded)).status == 403
    assert (await chief.call("PUT", "/v1/ledger/settings", demanded)).json == demanded
    refused = await enter(chief, moved("CASH", "REVENUE"))
    assert (refused.status, refused.json["code"]) == (409, "approval_required")
    proposed = await clerk.call(
        "POST", "/v1/ledger/proposals", {"reason": "r", "entries": [moved("CASH", "REVENUE")]}, key="k"
    )
    rejected = await chief.call("POST", f"/v1/ledger/proposals/{proposed.json['id']}/reject", {"reason": "no"})
    assert (rejected.json["status"], rejected.json["decision_reason"]) == ("rejected", "no")
    assert await entries_of(clerk) == 0
    alone = await chief.call("PUT", "/v1/ledger/settings", {"manual_entries_need_approval": False})
    assert (alone.status, alone.json["code"]) == (409, "approval_required")


async def test_policy_is_changed_by_two_people(clerk: Client, chief: Client, platform: Platform, tenant: str) -> None:
    assert (await clerk.call("GET", "/v1/ledger/policy")).json["rules"] == []
    rule = {"kind": None, "account": "CASH", "role": None, "at_least": [{"currency": "BRL", "amount": "1000.00"}]}
    body = {"reason": "The board", "rules": [{"account": "CASH", "at_least": [{"currency": "BRL", "amount": 1000}]}]}
    assert (await clerk.call("POST", "/v1/ledger/policy/changes", body)).status == 403
    key = uuid4().hex
    first = await chief.call("POST", "/v1/ledger/policy/changes", body, key=key)
    assert (first.status, first.json["status"], first.json["rules"]) == (201, "applied", [rule]), first.raw
    assert (await chief.call("POST", "/v1/ledger/policy/changes", body, key=key)).json == first.json
    for mode in ("atomic", "independent"):
        small = await enter(chief, moved("CASH", "REVENUE", "999.99"), moved("CASH", "REVENUE", "1000.00"), mode=mode)
        if mode == "atomic":
            assert (small.status, small.json["code"]) == (409, "approval_required"), small.raw
        else:
            assert (small.json["posted"], small.json["results"][1]["code"]) == (1, "approval_required"), small.raw
    wider = await chief.call("POST", "/v1/ledger/policy/changes", {"reason": "Too strict", "rules": []})
    path = f"/v1/ledger/policy/changes/{wider.json['id']}"
    alone = await chief.call("POST", f"{path}/approve")
    assert (alone.status, alone.json["code"]) == (403, "self_approval")
    other = person(platform, tenant, "other@example.com", CHIEF)
    approved = await other.call("POST", f"{path}/approve", {"reason": "agreed"})
    assert (approved.status, approved.json["status"]) == (200, "applied"), approved.raw
    assert (await clerk.call("GET", path)).json == approved.json
    policy = (await clerk.call("GET", "/v1/ledger/policy")).json
    assert (policy["revision"], policy["changed_by"], policy["approved_by"]) == (
        2,
        "chief@example.com",
        "other@example.com",
    )
    listed = (await clerk.call("GET", "/v1/ledger/policy/changes?status=applied")).json["data"]
    assert [change["id"] for change in listed] == [wider.json["id"], first.json["id"]]
    late = await other.call("POST", f"{path}/reject")
    assert (late.status, late.json["code"]) == (409, "policy_change_decided")
    unknown = await chief.call("POST", "/v1/ledger/policy/changes", {"reason": "r", "rules": [{"account": "NOWHERE"}]})
    assert (unknown.status, unknown.json["errors"][0]["pointer"]) == (422, "/rules/0/account")
    lines = (await chief.call("GET", "/v1/audit?action=ledger.approve_policy_change&outcome=success")).json["data"]
    assert [(line["actor"], line["detail"]["made_by"]) for line in lines] == [
        ("other@example.com", "chief@example.com")
    ]


async def test_what_cannot_be_posted_is_not_proposed(clerk: Client) -> None:
    body = {"reason": "r", "entries": [moved("CASH", "REVENUE"), moved("CASH", "NOWHERE")]}
    refused = await clerk.call("POST", "/v1/ledger/proposals", body, key="k")
    assert (refused.status, refused.json["code"]) == (422, "account_unknown")
    assert refused.json["errors"][0]["pointer"] == "/entries/1/lines/1/account"
    missing = await clerk.call("GET", f"/v1/ledger/proposals/{uuid4()}")
    assert (missing.status, missing.json["code"]) == (404, "proposal_not_found")


async def test_the_seeded_people_may_do_what_their_roles_allow(platform: Platform) -> None:
    ops, sales = await platform.login(OPERATOR), await platform.login(SALES)
    admin = await platform.login(ADMIN, tenant=DEMO_TENANT)
    body = {"entries": [moved("CASH", "REVENUE", "0.01")], "dry_run": True}
    assert (await ops.call("POST", "/v1/ledger/entries", body)).status == 200
    assert (await sales.call("POST", "/v1/ledger/entries", body)).status == 403
    proposed = await ops.call(
        "POST", "/v1/ledger/proposals", {"reason": "r", "entries": body["entries"]}, key=uuid4().hex
    )
    path = f"/v1/ledger/proposals/{proposed.json['id']}"
    assert (await ops.call("POST", f"{path}/reject")).status == 403
    assert (await admin.call("POST", f"{path}/reject")).status == 200
