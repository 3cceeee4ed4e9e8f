"""Holds, limits, reversals, closed periods, balances at an instant and the verification, from HTTP to the books and back."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.support.platform import Client


async def wallet(admin: Client, **limits: object) -> str:
    """Open a liability account of its own for a test, and return its code."""
    code = f"WALLET_{uuid4().hex[:12]}"
    body = {"code": code, "label": "Wallet", "account_type": "LIABILITY", **limits}
    opened = await admin.call("POST", "/v1/accounts", body)
    assert opened.status == 201, opened.raw
    assert {name: opened.json[name] for name in limits} == limits
    return code


async def place(operator: Client, debit: str, credit: str, amount: str, **more: object) -> dict[str, object]:
    """Place a hold."""
    body = {"debit_account": debit, "credit_account": credit, "amount": amount, "currency": "BRL", **more}
    answer = await operator.call("POST", "/v1/ledger/holds", body)
    assert answer.status == 201, answer.raw
    found: dict[str, object] = answer.json
    return found


async def fund(operator: Client, code: str, amount: str) -> str:
    """Put money into a wallet, and return the entry's id."""
    hold = await place(operator, "CASH", code, amount)
    captured = await operator.call("POST", f"/v1/ledger/holds/{hold['id']}/capture")
    assert captured.status == 200, captured.raw
    assert captured.json["state"] == "CAPTURED"
    return str(captured.json["entry_id"])


async def balance(operator: Client, code: str, query: str = "") -> dict[str, object]:
    """Read one balance."""
    answer = await operator.call("GET", f"/v1/ledger/balances{query}")
    assert answer.status == 200, answer.raw
    return next((one for one in answer.json if one["account"] == code), {})


async def test_a_hold_is_placed_captured_in_part_and_never_overdraws(operator: Client, admin: Client) -> None:
    code = await wallet(admin, floor_minor=0)
    await fund(operator, code, "100.00")
    hold = await place(operator, code, "CASH", "70.00")
    standing = await balance(operator, code)
    assert (standing["normal_balance"], standing["pending_debits"], standing["available"]) == (
        "100.00",
        "70.00",
        "30.00",
    )

    too_much = {"debit_account": code, "credit_account": "CASH", "amount": "30.01", "currency": "BRL"}
    refused = await operator.call("POST", "/v1/ledger/holds", too_much)
    assert (refused.status, refused.json["code"]) == (409, "floor_crossed")

    captured = await operator.call("POST", f"/v1/ledger/holds/{hold['id']}/capture", {"amount": "50.00"})
    assert (captured.status, captured.json["captured"], captured.json["state"]) == (200, "50.00", "CAPTURED")
    again = await operator.call("POST", f"/v1/ledger/holds/{hold['id']}/capture", {"amount": "50.00"})
    assert again.json == captured.json
    other = await operator.call("POST", f"/v1/ledger/holds/{hold['id']}/capture", {"amount": "50.01"})
    assert (other.status, other.json["code"]) == (409, "hold_resolved")
    assert (await balance(operator, code))["available"] == "50.00"
    found = await operator.call("GET", f"/v1/ledger/holds/{hold['id']}")
    assert found.json == captured.json


async def test_a_hold_is_placed_once_by_its_id_and_voided(operator: Client, admin: Client) -> None:
    code, hold_id = await wallet(admin), str(uuid4())
    first = await place(operator, "CASH", code, "5.00", id=hold_id)
    assert await place(operator, "CASH", code, "5.00", id=hold_id) == first
    body = {"debit_account": "CASH", "credit_account": code, "amount": "6.00", "currency": "BRL", "id": hold_id}
    assert (await operator.call("POST", "/v1/ledger/holds", body)).json["code"] == "hold_conflict"
    listed = await operator.call("GET", "/v1/ledger/holds?state=OPEN&limit=1")
    assert [hold["id"] for hold in listed.json] == [hold_id]
    voided = await operator.call("POST", f"/v1/ledger/holds/{hold_id}/void")
    assert (voided.status, voided.json["state"]) == (200, "VOIDED")


async def test_a_hold_expires_by_itself(operator: Client, admin: Client) -> None:
    code = await wallet(admin)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    hold = await place(operator, "CASH", code, "5.00", expires_at=soon.isoformat())
    async with asyncio.timeout(60):
        while (await operator.call("GET", f"/v1/ledger/holds/{hold['id']}")).json["state"] != "EXPIRED":
            await asyncio.sleep(0.1)


async def test_an_entry_is_reversed_once_and_both_show_it(operator: Client, admin: Client) -> None:
    code = await wallet(admin)
    entry_id = await fund(operator, code, "12.34")
    reversal = await operator.call("POST", f"/v1/ledger/entries/{entry_id}/reversal")
    assert (reversal.status, reversal.json["reverses"], reversal.json["kind"]) == (201, entry_id, "reversal")
    assert (await operator.call("POST", f"/v1/ledger/entries/{entry_id}/reversal")).json == reversal.json
    refused = await operator.call("POST", f"/v1/ledger/entries/{reversal.json['id']}/reversal")
    assert (refused.status, refused.json["code"]) == (409, "entry_not_reversible")
    missing = await operator.call("POST", f"/v1/ledger/entries/{uuid4()}/reversal")
    assert (missing.status, missing.json["code"]) == (404, "entry_not_found")
    assert (await balance(operator, code))["balance"] == "0.00"


async def test_entries_are_followed_one_after_the_other(operator: Client, admin: Client) -> None:
    code = await wallet(admin)
    posted = [await fund(operator, code, amount) for amount in ("1.00", "2.00", "3.00")]
    begin, followed = "00000000-0000-0000-0000-000000000000", list[str]()
    async with asyncio.timeout(60):
        while not set(posted) <= set(followed):
            after = followed[-1] if followed else begin
            page = await operator.call("GET", f"/v1/ledger/entries?after={after}&limit=2")
            assert (page.status, len(page.json) <= 2) == (200, True), page.raw
            assert "X-Final-Before" in page.headers
            followed += [entry["id"] for entry in page.json]
            await asyncio.sleep(0 if page.json else 0.1)
    assert len(followed) == len(set(followed))
    assert [one for one in followed if one in posted] == posted
    for query, code_of in (
        (f"after={uuid4()}", "query_invalid"),
        (f"after={begin}&account={code}", "invalid_request"),
        ("after=first", "invalid_request"),
    ):
        refused = await operator.call("GET", f"/v1/ledger/entries?{query}")
        assert (refused.status, refused.json["code"]) == (422, code_of), refused.raw
    at = await operator.call("GET", "/v1/ledger/balances?as_of=2020-01-01")
    assert at.headers["X-Final-Before"] > "2020-01-02"


async def test_books_are_closed_for_ever(operator: Client) -> None:
    closed = await operator.call("POST", "/v1/ledger/periods", {"ends_before": "2020-01-01"})
    assert (closed.status, closed.json["ends_before"]) == (201, "2020-01-01T00:00:00+00:00")
    assert (await operator.call("GET", "/v1/ledger/periods")).json[0] == closed.json
    for ends_before in ("2019-01-01", "2999-01-01", "2021-01-01T12:00:00Z"):
        refused = await operator.call("POST", "/v1/ledger/periods", {"ends_before": ends_before})
        assert (refused.status, refused.json["code"]) == (422, "period_invalid"), ends_before


async def test_balances_are_shown_as_of_an_instant(operator: Client, admin: Client) -> None:
    code = await wallet(admin)
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await fund(operator, code, "7.00")
    after = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    for time in ("recorded", "effective"):
        assert await balance(operator, code, f"?as_of={before}&time={time}") == {}
        standing = await balance(operator, code, f"?as_of={after}&time={time}")
        assert (standing["balance"], standing["available"]) == ("7.00", None)
    for query in ("?time=effective", f"?as_of={after}&from={before}", f"?as_of={after}&time=both", "?as_of=yesterday"):
        assert (await operator.call("GET", f"/v1/ledger/balances{query}")).status == 422, query


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"debit_account": "NONE"}, 422, "account_unknown"),
        ({"currency": "XXX"}, 400, "unsupported_currency"),
        ({"amount": "0"}, 422, "invalid_amount"),
        ({"amount": "1.001"}, 422, "invalid_amount"),
        ({"credit_account": "CASH"}, 422, "entry_invalid"),
        ({"expires_at": "2020-01-01"}, 422, "entry_invalid"),
        ({"expires_at": "soon"}, 422, "invalid_request"),
    ],
)
async def test_what_is_wrong_about_a_hold_has_a_code(
    operator: Client, body: dict[str, object], status: int, code: str
) -> None:
    good = {"debit_account": "CASH", "credit_account": "REVENUE", "amount": "1.00", "currency": "BRL"}
    answer = await operator.call("POST", "/v1/ledger/holds", good | body)
    assert (answer.status, answer.json["code"]) == (status, code), answer.raw


async def test_accounts_take_their_currencies_only(operator: Client, admin: Client) -> None:
    code = await wallet(admin, currencies=["USD"])
    body = {"debit_account": "CASH", "credit_account": code, "amount": "1.00", "currency": "BRL"}
    refused = await operator.call("POST", "/v1/ledger/holds", body)
    assert (refused.status, refused.json["code"]) == (422, "currency_not_taken")


async def test_the_books_are_sound(operator: Client) -> None:
    answer = await operator.call("GET", "/v1/ledger/verification")
    assert (answer.status, answer.json["sound"], answer.json["findings"]) == (200, True, [])
