"""A file of a bank is imported over the api: in parts, once, whole or with what is wrong in it, and seen by its tenant alone."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import Client, Platform

SAMPLES = Path("tests/data/imports")
IMPORTS, SOURCES = "/v1/reconciliation/imports", "/v1/reconciliation/sources"
PERMISSIONS = ("admin:write",)


async def begin(client: Client, source: str, content: bytes, *, key: str | None = None) -> Any:
    body = {
        "source_id": source,
        "file_name": "february.csv",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    begun = await client.call("POST", IMPORTS, body, key=key)
    assert begun.status == 201, begun.raw
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
    assert (await begin(client, source, content))["id"] == found["id"], "the same file twice is one import"
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
