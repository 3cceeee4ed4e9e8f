"""A file of a bank is imported over the api: in parts, once, whole or with what is wrong in it, and seen by its tenant alone."""

import asyncio
import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from libs.common.ids import new_id
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.bank_histories import payout_row
from tests.support.platform import Client, Platform
from tests.unit.gateway.reconciliation.test_reading import GERMAN, SPREADSHEET

SAMPLES = Path("tests/data/imports")
IMPORTS, SOURCES = "/v1/reconciliation/imports", "/v1/reconciliation/sources"
FILES = sorted(SAMPLES.iterdir())
PERMISSIONS = ("admin:write",)


async def begin(client: Client, source: str, content: bytes, *, key: str | None = None, status: int = 201) -> Any:
    body = {
        "source_id": source,
        "file_name": "february.csv",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    begun = await client.call("POST", IMPORTS, body, key=key)
    assert begun.status == status, begun.raw
    return begun.json


async def put(client: Client, import_id: str, number: int, content: bytes) -> int:
    sent = await client.call(
        "PUT",
        f"{IMPORTS}/{import_id}/parts/{number}",
        raw=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    return sent.status


async def ended(client: Client, import_id: str) -> Any:
    async with asyncio.timeout(60):
        while True:
            found = (await client.call("GET", f"{IMPORTS}/{import_id}")).json
            if found["ended_at"]:
                return found
            await asyncio.sleep(0.2)


async def take(client: Client, source: str, content: bytes, *, part: int) -> Any:
    begun = await begin(client, source, content)
    for number, start in enumerate(range(0, len(content), part), start=1):
        assert await put(client, begun["id"], number, content[start : start + part]) == 204
    completed = await client.call("POST", f"{IMPORTS}/{begun['id']}/complete")
    assert completed.status == 202, completed.raw
    return await ended(client, begun["id"])


async def test_a_file_is_imported_over_the_api(platform: Platform) -> None:
    tenant = new_tenant()
    client = person(platform, tenant, "accountant@shop", PERMISSIONS)
    made = await client.call("POST", SOURCES, {"name": "Stripe", "format": "stripe_balance_change"}, key="source-1")
    again = await client.call("POST", SOURCES, {"name": "Stripe", "format": "stripe_balance_change"}, key="source-1")
    assert made.status == 201 and again.json == made.json, again.raw
    source = made.json["id"]
    assert (await client.call("GET", f"{SOURCES}/{source}")).json == made.json
    rules = await client.call("GET", f"{SOURCES}/{source}/rules")
    assert rules.status == 200, rules.raw
    wide = (SAMPLES / "stripe-balance-change.csv").read_bytes()
    head, rows = wide.split(b"\r\n", 1)
    rows += b"".join(
        b"txn_%06d,2026-01-15 03:00:00,2026-01-15 00:00:00,,,usd,1.00,0,1.00,charge,,%s\r\n" % (i, b"x" * 900)
        for i in range(1_500)
    )
    content = head + b"\r\n" + rows
    found = await take(client, source, content, part=1_200_000)
    assert (found["status"], found["lines_new"], found["errors"]) == ("IMPORTED", 1_505, []), found
    assert (found["first_on"], found["last_on"], found["received_bytes"]) == ("2026-01-14", "2026-01-15", len(content))
    for _ in range(2):
        known = await begin(client, source, content, key="again", status=200)
        assert known["id"] == found["id"], "the same file twice is one import"
    audited = (await client.call("GET", "/v1/audit?action=gateway.start_import&outcome=success")).json["data"]
    assert {line["target"] for line in audited} == {found["id"]}
    wrong = await take(client, source, content.replace(b"1.00,0,1.00", b"1.00,0,2.00", 1), part=len(content))
    assert (wrong["status"], wrong["lines_new"]) == ("REJECTED", 0)
    assert wrong["errors"] == [{"line": 8, "column": "net", "reason": "gross less fee is not net"}]
    listed = (await client.call("GET", f"{IMPORTS}?source_id={source}")).json
    assert [each["status"] for each in listed] == ["REJECTED", "IMPORTED"] and listed[0]["errors"] == []

    stranger = person(platform, new_tenant(), "accountant@other", PERMISSIONS)
    assert (await stranger.call("GET", IMPORTS)).json == [] and (await stranger.call("GET", SOURCES)).json == []
    for method, path in [
        ("GET", f"{IMPORTS}/{found['id']}"),
        ("POST", f"{IMPORTS}/{found['id']}/complete"),
        ("GET", f"{SOURCES}/{source}"),
        ("DELETE", f"{SOURCES}/{source}"),
    ]:
        answer = await stranger.call(method, path)
        assert answer.status == 404 and answer.json["code"].endswith("_not_found"), answer.raw
    assert await put(stranger, found["id"], 1, b"x") == 404


async def test_requests_about_files_are_refused_by_name(platform: Platform) -> None:
    client = person(platform, new_tenant(), "accountant@refused", PERMISSIONS)
    reader = person(platform, new_tenant(), "reader@refused", ("ledger:read",))
    assert (await reader.call("GET", IMPORTS)).status == 403
    fields = {"date": "Day", "amount": "Sum", "currency_code": "EUR"}
    for body, code in [
        ({"name": "x", "format": "csv"}, "import_source_invalid"),
        ({"name": "x", "format": "csv", "fields": fields | {"debit": "Out"}}, "import_source_invalid"),
        ({"name": "x", "format": "csv", "fields": fields | {"more": "x"}}, "unknown_fields"),
        ({"name": "x", "format": "ofx", "time_zone": "Mars/Base"}, "import_source_invalid"),
        ({"name": "x", "format": "pdf"}, "invalid_request"),
    ]:
        answer = await client.call("POST", SOURCES, body)
        assert (answer.status, answer.json["code"]) == (422, code), answer.raw
    source = (await client.call("POST", SOURCES, {"name": "Bank", "format": "csv", "fields": fields})).json["id"]
    changed = await client.call("PUT", f"{SOURCES}/{source}", {"name": "Bank", "format": "mt940"})
    assert changed.status == 200 and changed.json["fields"] is None
    begun = await begin(client, source, b":20:A")
    early = await client.call("POST", f"{IMPORTS}/{begun['id']}/complete")
    assert (early.status, early.json["code"]) == (409, "import_conflict")
    assert await put(client, begun["id"], 0, b"x") == 422 and await put(client, begun["id"], 1, b"") == 422
    assert await put(client, begun["id"], 1, b":20:A and more") == 409
    assert (await client.call("DELETE", f"{SOURCES}/{source}")).status == 204
    late = await client.call(
        "POST", IMPORTS, {"source_id": source, "file_name": "x", "size_bytes": 1, "sha256": "0" * 64}
    )
    assert (late.status, late.json["code"]) == (404, "import_source_not_found")


async def test_the_sample_files_are_matched_with_payouts(platform: Platform) -> None:
    tenant = new_tenant()
    client = person(platform, tenant, "accountant@samples", PERMISSIONS)
    sources: dict[str, str] = {}
    for path in FILES:
        kind = path.stem.split("-")[0]
        source = {"name": path.name, "format": kind if kind != "stripe" else path.stem.replace("-", "_")}
        if kind == "csv":
            fields = SPREADSHEET if "spreadsheet" in path.stem else GERMAN
            source["fields"] = msgspec.to_builtins(fields)
        made = await client.call("POST", SOURCES, source)
        assert made.status == 201, made.raw
        sources[made.json["id"]] = path.name
        await take(client, made.json["id"], path.read_bytes(), part=1_000_000)
    payouts = [
        ("acct_1", "po_11", 30_000, date(2026, 1, 14), {"currency": "BRL"}),
        ("acct_2", "po_11", 30_000, date(2026, 1, 10), {}),
        ("acct_3", "po_11", 10_000, date(2026, 1, 20), {}),
        ("acct_1", "po_12", 9_250, date(2026, 1, 2), {"trace_id": "PAYOUT-7"}),
        ("acct_1", "po_13", 123_456, date(2026, 1, 15), {"currency": "BRL"}),
        ("acct_1", "po_14", 10_500, date(2025, 12, 31), {}),
    ]
    database = await asyncpg.connect(platform.database.admin_url)
    for account, ref, amount, on, changes in payouts:
        row = (
            payout_row(tenant, ref, amount, on) | {"account_id": f"{account}{tenant}", "payout_id": new_id()} | changes
        )
        values = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await database.execute(
            f"INSERT INTO gateway.processor_payouts ({', '.join(row)}) VALUES ({values})", *row.values()
        )
    await database.close()
    body = {"from": "2025-12-01", "until": datetime.now(UTC).isoformat()}
    begun = await client.call("POST", "/v1/reconciliation/run", body)
    async with asyncio.timeout(60):
        while (run := (await client.call("GET", f"/v1/reconciliation/runs/{begun.json['id']}")).json)[
            "ended_at"
        ] is None:
            await asyncio.sleep(0.1)
    assert (run["state"], run["lines_matched"]) == ("complete", 6), run
    lines = (await client.call("GET", "/v1/reconciliation/lines?matched=true&limit=200")).json
    by_id = {line["id"]: sources[line["source_id"]] for line in lines}
    matches = (await client.call("GET", "/v1/reconciliation/matches?in_force=true")).json
    assert {(by_id[match["parts"][0]["id"]], match["rule"], match["parts"][1]["reference"]) for match in matches} == {
        ("mt940-structured.sta", "reference", "po_11"),
        ("csv-german.csv", "reference", "po_11"),
        ("camt053-batch.xml", "reference", "po_11"),
        ("camt053-v8.zip", "reference", "po_12"),
        ("ofx-sgml.ofx", "exact", "po_13"),
        ("mt940-new-year.sta", "date_window", "po_14"),
    }
    (exact,) = [match for match in matches if match["rule"] == "exact"]
    undo = f"/v1/reconciliation/matches/{exact['id']}/unmatch"
    undone = await client.call("POST", undo, {"reason": "another one"})
    assert undone.status == 200 and undone.json["unmatched_by"], undone.raw
    again = {"line_ids": [exact["parts"][0]["id"]], "references": ["po_13"], "reason": "it was this one"}
    both = await asyncio.gather(*(client.call("POST", "/v1/reconciliation/matches", again) for _ in range(2)))
    assert sorted(each.status for each in both) == [201, 409], [each.raw for each in both]
