"""An own unit over real HTTP: from adding it to the files of other programs; payments do not know it."""

from decimal import Decimal
from pathlib import Path

from tests.e2e.bookkeeping import CHIEF, enter, moved, new_tenant, person
from tests.support import judges
from tests.support.platform import Platform

AMOUNT = "0.123456789012345678"


async def test_an_own_unit_is_counted_in_the_books_and_nowhere_else(platform: Platform, tmp_path: Path) -> None:
    clerk = person(platform, new_tenant(), "clerk@example.com", (*CHIEF, "payments:write"))
    entry = moved("CASH", "REVENUE", AMOUNT, "E8T")
    unknown = await enter(clerk, entry)
    assert (unknown.status, unknown.json["code"]) == (400, "unsupported_currency"), unknown.raw
    ether = {"code": "E8T", "name": "Ether"}
    added = await clerk.call("POST", "/v1/ledger/units", ether, key="once")
    assert (added.status, added.json["decimals"]) == (201, 18), added.raw
    assert (await clerk.call("POST", "/v1/ledger/units", ether, key="twice")).json == added.json
    other = await clerk.call("POST", "/v1/ledger/units", {"code": "E8T", "name": "Miles"}, key="other")
    assert (other.status, other.json["code"]) == (409, "unit_conflict")
    invalid = await clerk.call("POST", "/v1/ledger/units", {"code": "ETH", "name": "Ether"}, key="invalid")
    assert (invalid.status, invalid.json["code"]) == (422, "unit_invalid")
    assert (await clerk.call("GET", "/v1/ledger/units")).json == [added.json]

    assert (await enter(clerk, entry)).json["posted"] == 1
    too_much = await enter(clerk, moved("CASH", "REVENUE", "1.5", "E8T"))
    assert (too_much.status, too_much.json["code"]) == (422, "invalid_amount"), too_much.raw
    hold = {"debit_account": "REVENUE", "credit_account": "CASH", "currency": "E8T", "amount": "0.1"}
    placed = await clerk.call("POST", "/v1/ledger/holds", hold, key="hold")
    assert placed.json["amount"] == "0.100000000000000000", placed.raw
    balances = (await clerk.call("GET", "/v1/ledger/balances?currency=E8T")).json
    assert {one["account"]: one["balance"] for one in balances} == {"CASH": f"-{AMOUNT}", "REVENUE": AMOUNT}
    statement = await clerk.call("GET", "/v1/reports/statement?account=CASH&currency=E8T")
    assert [line["amount"] for line in statement.json["lines"]] == [AMOUNT]
    rows = (await clerk.call("GET", "/v1/reports/trial-balance")).json["accounts"]
    assert {row["currency"] for row in rows} == {"E8T"}
    for text_format in ("beancount", "hledger"):
        exported = await clerk.call("GET", f"/v1/reports/journal?format={text_format}")
        path = tmp_path / f"journal.{text_format}"
        path.write_bytes(exported.raw)
        program = judges.hledger() if text_format == "hledger" else ""
        totals = judges.by_hledger(program, path) if program else judges.by_beancount(tmp_path / "journal.beancount")[0]
        assert totals["Assets:CASH", "E8T"] == (Decimal(AMOUNT), Decimal(0))

    payment = {"amount": "1.00", "currency": "E8T", "customer_ref": "c"}
    refused = await clerk.call("POST", "/v1/payment-intents", payment, key="payment")
    assert (refused.status, refused.json["code"]) == (400, "unsupported_currency")
    assert "own units are for the books alone" in refused.json["detail"]
    assert (await clerk.call("GET", "/v1/ledger/balances?currency=E9T")).status == 422
