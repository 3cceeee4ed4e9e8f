"""Reports over real HTTP: the same figures as JSON and as tables, with their age, for those who may see them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.bookkeeping import CHIEF, enter, moved, new_tenant, person
from tests.support import judges
from tests.support.platform import Answer, Client, Platform


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own."""
    return new_tenant()


@pytest.fixture
def clerk(platform: Platform, tenant: str) -> Client:
    """Somebody who keeps the books of one tenant."""
    return person(platform, tenant, "clerk@example.com", CHIEF)


def table(answer: Answer) -> list[dict[str, str]]:
    """Read a table as its rows."""
    assert answer.status == 200, answer.raw
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    return list(csv.DictReader(io.StringIO(answer.raw.decode(), newline="")))


def by_hledger(path: Path) -> judges.Totals | None:
    """Have hledger add a file up, where it is; else None."""
    program = judges.hledger()
    return judges.by_hledger(program, path) if program else None


async def some_books(clerk: Client) -> None:
    """Revenue of 150.50, of which 20.00 was reversed and 30.25 given back."""
    answer = await enter(
        clerk,
        moved("CASH", "REVENUE", "150.50", description="=1+1"),
        moved("REVENUE", "CASH", "20.00"),
        moved("REFUND_EXPENSE", "CASH", "40.25"),
        moved("CASH", "REFUND_EXPENSE", "10.00"),
        moved("CASH", "REVENUE", "7", "JPY"),
    )
    assert answer.json["posted"] == 5, answer.raw


async def refresh(admin: Client) -> None:
    answer = await admin.call("POST", "/v1/reports/refresh")
    assert (answer.status, answer.json["done"]) == (200, True), answer.raw


async def test_revenue_has_its_age_and_its_time_zone(clerk: Client, admin: Client) -> None:
    await some_books(clerk)
    await refresh(admin)
    today = datetime.now(UTC)
    answer = await clerk.call("GET", "/v1/reports/revenue")
    month = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert answer.json == [
        {
            "period": month.isoformat(),
            "currency": "BRL",
            "total": "150.50",
            "gross": "150.50",
            "reversals": "20.00",
            "refunds": "30.25",
            "net": "100.25",
            "tz": "UTC",
        },
        {
            "period": month.isoformat(),
            "currency": "JPY",
            "total": "7",
            "gross": "7",
            "reversals": "0",
            "refunds": "0",
            "net": "7",
            "tz": "UTC",
        },
    ]
    refreshed_at = datetime.fromisoformat(answer.headers["x-report-refreshed-at"])
    assert abs(refreshed_at - today) < timedelta(minutes=5)
    assert int(answer.headers["age"]) < 300
    day = (await clerk.call("GET", "/v1/reports/revenue?granularity=day&currency=BRL&tz=America/Sao_Paulo")).json
    assert day[0]["period"].endswith("T00:00:00-03:00")
    assert day[0]["tz"] == "America/Sao_Paulo"
    # The day itself is included, in the zone's own dates.
    local = day[0]["period"][:10]
    within = f"/v1/reports/revenue?from={local}&to={local}&tz=America/Sao_Paulo&granularity=week"
    assert len((await clerk.call("GET", within)).json) == 2
    rows = table(await clerk.call("GET", "/v1/reports/revenue", headers={"Accept": "text/csv"}))
    assert [{**row} for row in rows] == answer.json


async def test_what_is_posted_after_a_refresh_is_seen_after_the_next(clerk: Client, admin: Client) -> None:
    await refresh(admin)
    await enter(clerk, moved("CASH", "REVENUE", "1.00"))
    assert (await clerk.call("GET", "/v1/reports/account-balances")).json == []
    assert len((await clerk.call("GET", "/v1/ledger/balances")).json) == 2
    await refresh(admin)
    fresh = (await clerk.call("GET", "/v1/reports/account-balances")).json
    live = (await clerk.call("GET", "/v1/ledger/balances")).json
    assert fresh == [{name: balance[name] for name in fresh[0]} for balance in live]
    rows = table(await clerk.call("GET", "/v1/reports/account-balances?format=csv"))
    assert [row["balance"] for row in rows] == ["-1.00", "1.00"]


async def test_a_trial_balance_balances(clerk: Client) -> None:
    await some_books(clerk)
    body = (await clerk.call("GET", "/v1/reports/trial-balance")).json
    assert [(t["currency"], t["debit_balance"], t["credit_balance"], t["is_balanced"]) for t in body["totals"]] == [
        ("BRL", "130.50", "130.50", True),
        ("JPY", "7", "7", True),
    ]
    assert [(a["account"], a["currency"], a["debit_balance"], a["credit_balance"]) for a in body["accounts"]] == [
        ("CASH", "BRL", "100.25", "0.00"),
        ("CASH", "JPY", "7", "0"),
        ("REFUND_EXPENSE", "BRL", "30.25", "0.00"),
        ("REVENUE", "BRL", "0.00", "130.50"),
        ("REVENUE", "JPY", "0", "7"),
    ]
    assert (await clerk.call("GET", "/v1/reports/trial-balance?as_of=2020-01-01")).json["accounts"] == []
    rows = table(await clerk.call("GET", "/v1/reports/trial-balance?format=csv"))
    assert [row["account"] for row in rows] == [a["account"] for a in body["accounts"]]


async def test_a_statement_opens_and_closes_with_its_lines_page_by_page(clerk: Client) -> None:
    await some_books(clerk)
    path = "/v1/reports/statement?account=CASH&currency=BRL&limit=2"
    page = await clerk.call("GET", path)
    lines = page.json["lines"]
    assert page.headers["link"].endswith('rel="next"')
    following = await clerk.call("GET", f"{path}&cursor={page.json['next_cursor']}")
    lines += following.json["lines"]
    assert following.json["next_cursor"] is None
    signed = [Decimal(x["amount"]) * (1 if x["side"] == "DEBIT" else -1) for x in lines]
    assert Decimal(page.json["opening_balance"]) + sum(signed) == Decimal(page.json["closing_balance"])
    assert [x["balance"] for x in lines] == ["150.50", "130.50", "90.25", "100.25"]
    rows = table(await clerk.call("GET", f"{path}&format=csv"))
    assert [(row["kind"], row["debit"], row["credit"], row["balance"]) for row in rows] == [
        ("opening", "", "", "0.00"),
        ("manual", "150.50", "", "150.50"),
        ("manual", "", "20.00", "130.50"),
        ("manual", "", "40.25", "90.25"),
        ("manual", "10.00", "", "100.25"),
        ("closing", "", "", "100.25"),
    ]
    assert rows[1]["description"] == "'=1+1"
    for query, code in (
        ("account=NONE&currency=BRL", "account_unknown"),
        ("account=CASH", "invalid_request"),
        ("account=CASH&currency=XXX", "unsupported_currency"),
    ):
        assert (await clerk.call("GET", f"/v1/reports/statement?{query}")).json["code"] == code


async def test_a_journal_of_many_pages_is_one_file(platform: Platform, clerk: Client, tmp_path: Path) -> None:
    entries = [moved("CASH", "REVENUE", f"{n + 1}.00") for n in range(1300)]
    assert (await enter(clerk, *entries)).json["posted"] == 1300
    rows = table(await clerk.call("GET", "/v1/reports/journal?format=csv"))
    assert [row["debit"] for row in rows if row["debit"]] == [f"{n + 1}.00" for n in range(1300)]
    assert [row["credit"] for row in rows if row["credit"]] == [f"{n + 1}.00" for n in range(1300)]
    page = (await clerk.call("GET", "/v1/reports/journal?limit=3")).json
    assert [entry["lines"][0]["amount"] for entry in page["data"]] == ["1.00", "2.00", "3.00"]
    following = (await clerk.call("GET", f"/v1/reports/journal?limit=3&cursor={page['next_cursor']}")).json
    assert following["data"][0]["lines"][0]["amount"] == "4.00"
    total, nothing = Decimal(1300 * 1301 // 2), Decimal(0)
    sums = {("Assets:CASH", "BRL"): (total, nothing), ("Income:REVENUE", "BRL"): (nothing, total)}
    for name, judged in (("beancount", lambda path: judges.by_beancount(path)[0]), ("hledger", by_hledger)):
        answer = await clerk.call("GET", f"/v1/reports/journal?format={name}&limit=3")
        assert answer.status == 200, answer.raw
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-disposition"] == f'attachment; filename="journal.{name}"'
        assert answer.raw.endswith(b"\n; entries: 1300\n")
        path = tmp_path / f"journal.{name}"
        path.write_bytes(answer.raw)
        assert judged(path) in (sums, None)
    assert "cancel scope" not in platform.log("api")


async def test_a_sheet_has_its_totals_and_the_instant(clerk: Client, admin: Client) -> None:
    await some_books(clerk)
    await refresh(admin)
    for report, column, totals in (
        ("trial-balance", "debit_balance", {"BRL": "130,50", "JPY": "7"}),
        ("revenue", "net", {"BRL": "100,25", "JPY": "7"}),
        ("account-balances", "debits_total", {"BRL": "220,75", "JPY": "7"}),
        ("journal", "debit", {"BRL": "220,75", "JPY": "7"}),
        ("statement", "credit", {"BRL": "60,25"}),
    ):
        query = "account=CASH&currency=BRL&" if report == "statement" else ""
        answer = await clerk.call("GET", f"/v1/reports/{report}?{query}format=csv&locale=pt-BR")
        assert answer.raw.startswith(b"\xef\xbb\xbf"), answer.raw
        rows = [*csv.DictReader(io.StringIO(answer.raw.decode("utf-8-sig"), newline=""), delimiter=";")]
        first = next(iter(rows[0]))
        assert {row["currency"]: row[column] for row in rows if row[first] == "total"} == totals, report
        at = datetime.fromisoformat([*rows[-1].values()][1])
        assert rows[-1][first] == "as of"
        assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)


async def test_an_entry_names_its_author_order_and_customer(platform: Platform, tenant: str) -> None:
    seller = person(platform, tenant, "seller@example.com", (*CHIEF, "payments:read", "payments:write"))
    body = {"amount": "12.34", "currency": "BRL", "customer_ref": "ana", "capture_method": "automatic"}
    intent = str((await seller.call("POST", "/v1/payment-intents", body, key=new_tenant())).json["id"])
    await seller.confirm(intent)
    await seller.settled(intent)
    await enter(seller, moved("CASH", "REVENUE", "1.00"))
    journal = "/v1/reports/journal"
    captured, by_hand = (await seller.call("GET", journal)).json["data"]
    assert (captured["payment_intent_id"], captured["customer_ref"], captured["order_id"]) == (intent, "ana", None)
    assert (captured["made_by"], by_hand["made_by"]) == (None, "seller@example.com")
    assert captured["number"] != by_hand["number"]
    alone = (await seller.call("GET", f"/v1/ledger/entries/{captured['id']}")).json
    assert {name: alone[name] for name in ("id", "number", "customer_ref", "lines")} == {
        name: captured[name] for name in ("id", "number", "customer_ref", "lines")
    }
    line = (await seller.call("GET", "/v1/reports/statement?account=CASH&currency=BRL&limit=1")).json["lines"][0]
    assert {name: line[name] for name in ("number", "customer_ref")} == {
        name: captured[name] for name in ("number", "customer_ref")
    }
    rows = table(await seller.call("GET", f"{journal}?format=csv"))
    assert [(row["number"], row["customer_ref"], row["made_by"]) for row in rows] == [
        *[(captured["number"], "ana", "")] * 2,
        *[(by_hand["number"], "", "seller@example.com")] * 2,
    ]
    assert b'customer: "ana"' in (await seller.call("GET", f"{journal}?format=beancount")).raw
    # Who may not read payments does not learn whose they are.
    clerk = person(platform, tenant, "clerk@example.com", CHIEF)
    assert (await clerk.call("GET", journal)).json["data"] == [{**captured, "customer_ref": None}, by_hand]
    assert b"ana" not in (await clerk.call("GET", f"{journal}?format=beancount")).raw


async def test_what_concerns_all_tenants_is_for_operators_of_the_platform(
    clerk: Client, admin: Client, tenant: str
) -> None:
    await some_books(clerk)
    await refresh(admin)
    denied = await clerk.call("GET", "/v1/reports/revenue-by-tenant")
    assert (denied.status, denied.json["code"]) == (403, "operator_required")
    assert (await clerk.call("POST", "/v1/reports/refresh")).json["code"] == "operator_required"
    lines = (await clerk.call("GET", "/v1/audit?outcome=denied")).json["data"]
    assert {line["target"] for line in lines} == {"revenue of every tenant", "refreshing reports"}
    found: list[dict[str, str]] = []
    path = "/v1/reports/revenue-by-tenant?currency=BRL&limit=1"
    answer = await admin.call("GET", path)
    found += answer.json
    while "link" in answer.headers:
        answer = await admin.call("GET", "/v1/reports/revenue-by-tenant" + answer.headers["link"].split(">")[0][1:])
        found += answer.json
    assert [row["net"] for row in found if row["tenant_id"] == tenant] == ["100.25"]
    rows = table(await admin.call("GET", "/v1/reports/revenue-by-tenant?currency=BRL&format=csv"))
    assert [{**row} for row in rows] == found


@pytest.mark.parametrize(
    "query",
    [
        "revenue?from=yesterday",
        "revenue?to=2026-13-01",
        "revenue?granularity=year",
        "revenue?tz=Mars/Olympus",
        "revenue?currency=brl",
        "revenue?format=xml",
        "account-balances?from=1",
        "trial-balance?as_of=never",
        "statement?account=CASH&currency=BRL&limit=0",
        "statement?account=CASH&currency=BRL&cursor=x",
        "journal?cursor=AAAA",
        "journal?limit=501",
        "journal?format=ledger",
        "journal?locale=xx",
        "trial-balance?locale=pt_BR",
    ],
)
async def test_garbage_is_refused(clerk: Client, query: str) -> None:
    answer = await clerk.call("GET", f"/v1/reports/{query}")
    assert answer.status == 422, answer.raw
    assert answer.json["code"] in {"invalid_request", "query_invalid"}
