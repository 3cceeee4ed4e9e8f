"""Reconciliation in the console: files sent part by part, lines matched by hand, runs followed to their report."""

import asyncio
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from playwright.async_api import expect

from libs.common.clock import SystemClock
from libs.common.ids import new_id
from tests.e2e.bookkeeping import new_tenant, person
from tests.e2e.console.conftest import Seats
from tests.e2e.console.test_all_pages import EVERYTHING, violations
from tests.support.bank_histories import payout_row
from tests.support.browser import Seat
from tests.support.platform import ADMIN, DEMO_TENANT, Platform

HEADER = "date;text;amount\n"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def admin(seats: Seats) -> Seat:
    """An administrator who acts for the demo tenant."""
    found = await seats()
    await found.log_in(*ADMIN)
    await found.act_for(DEMO_TENANT)
    return found


async def _source(seat: Seat, name: str) -> None:
    await seat.open("do/createImportSource?back=/console/sources")
    await seat.fill(name=name)
    await seat.page.select_option("[name='f.format']", "csv")
    await seat.fill(**{"fields.date": "date", "fields.amount": "amount", "fields.currency_code": "EUR"})
    await seat.fill(**{"fields.description": "text"})
    await seat.page.select_option("[name='f.fields.delimiter']", ";")
    await seat.send()
    await seat.shown("Done: Add a source of files.")
    await seat.shown("date_window")


async def _import(seat: Seat, file: Path, name: str, *, state: str) -> None:
    await seat.open("imports")
    await seat.page.select_option("#source_id", label=f"{name} (csv)")
    await seat.page.set_input_files("#file", file)
    await seat.page.click("#import button.primary")
    await seat.page.locator("h1 .state", has_text=state).wait_for()


async def test_files_are_imported_and_their_lines_matched_by_hand(admin: Seat, tmp_path: Path) -> None:
    name = f"Bank of the console {uuid4().hex[:12]}"
    await _source(admin, name)
    wrong, right = tmp_path / "wrong.csv", tmp_path / "right.csv"
    wrong.write_text(f"{HEADER}2026-11-02;first;12,x\n")
    right.write_text(HEADER + "".join(f"2026-11-02;{HOSTILE} {n};{n}.25\n" for n in range(1, 4)))
    await _import(admin, wrong, name, state="REJECTED")
    await admin.shown("Faults by line")
    await _import(admin, right, name, state="IMPORTED")

    await admin.page.click("a:has-text('Lines that are not matched')")
    await admin.page.check("tr:has-text('1.25') input[type=checkbox]")
    await admin.page.check("tr:has-text('2.25') input[type=checkbox]")
    await admin.shown("2 · 3.50 EUR")
    assert HOSTILE in await admin.page.inner_text("main")
    await admin.page.fill("#references", "po_of_nobody")
    await admin.page.fill("#reason", "they belong together")
    await admin.page.click("button:has-text('Match')")
    # Refused, and nothing that was chosen or written is lost.
    await admin.shown("line_match_invalid")
    await expect(admin.page.locator("#references")).to_have_value("po_of_nobody")
    await admin.shown("2 · 3.50 EUR")


async def test_a_dry_run_is_followed_to_its_report(admin: Seat) -> None:
    now = SystemClock().now()
    await admin.open("runs")
    await admin.page.click("a.button:has-text('Compare a window of time')")
    await admin.fill(**{"from": (now - timedelta(days=2)).isoformat(), "until": now.isoformat()})
    await admin.page.select_option("[name='f.dry_run']", "true")
    await admin.send()
    await admin.page.wait_for_url("**/console/runs/0*")
    # Nobody touches the page: it shows by itself that the run is over.
    await admin.page.locator("h1 .state", has_text="complete").wait_for()

    await admin.open("months")
    await admin.page.click("a.button:has-text('Close a month')")
    await admin.send()
    # The month is not ready to be closed, and the refusal says why.
    await admin.page.locator(".refused code").first.wait_for()


def _month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


async def _compared(platform: Platform, tenant: str) -> None:
    """Have the last hundred days compared."""
    client = person(platform, tenant, "accountant@books", ("admin:write",))
    now = SystemClock().now()
    since = now - timedelta(days=100)
    begun = await client.call(
        "POST", "/v1/reconciliation/run", {"from": since.isoformat(), "until": now.isoformat()}, key=uuid4().hex
    )
    assert begun.status in {200, 202}, begun.raw
    async with asyncio.timeout(60):
        while (run := (await client.call("GET", f"/v1/reconciliation/runs/{begun.json['id']}")).json)[
            "ended_at"
        ] is None:
            await asyncio.sleep(0.2)
    assert run["state"] == "complete", run


async def test_a_month_is_closed_once_its_lines_are_matched_or_decided(
    platform: Platform, seats: Seats, tmp_path: Path
) -> None:
    tenant, name, payout = new_tenant(), f"Bank {uuid4().hex[:12]}", f"po_{uuid4().hex[:12]}"
    # Long enough ago to be judged, and not of the month that is closed.
    today = SystemClock().now().date()
    on, month = today - timedelta(days=10), _month_before(_month_before(today))
    shop = {"name": "A shop of the console", "plan": "enterprise", "region": "region-a"}
    made = await (await platform.login(ADMIN)).call("PUT", f"/v1/tenants/{tenant}", shop)
    assert made.status == 200, made.raw
    row = payout_row(tenant, payout, 350, on) | {"payout_id": new_id()}
    database = await asyncpg.connect(platform.database.admin_url)
    values = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await database.execute(f"INSERT INTO gateway.processor_payouts ({', '.join(row)}) VALUES ({values})", *row.values())
    await database.close()
    seat = await seats()
    await seat.log_in(*ADMIN)
    await seat.act_for(tenant)
    await _source(seat, name)
    file = tmp_path / "bank.csv"
    file.write_text(HEADER + "".join(f"{on};transfer {n};{n}.25\n" for n in range(1, 5)))
    await _import(seat, file, name, state="IMPORTED")

    # Two lines are the payout.
    await seat.page.click("a:has-text('Lines that are not matched')")
    await seat.page.check("tr:has-text('1.25') input[type=checkbox]")
    await seat.page.check("tr:has-text('2.25') input[type=checkbox]")
    await seat.page.fill("#references", payout)
    await seat.page.fill("#reason", "two transfers of one payout")
    await seat.page.click("button:has-text('Match')")
    await seat.shown("Done: ")
    await seat.open("matches")
    await seat.shown("two transfers of one payout")
    assert await violations(seat, EVERYTHING) == []
    await seat.page.click("a:has-text('Take apart')")
    await seat.fill(reason="they are of another one")
    await seat.send()
    await seat.shown("Done: ")
    await seat.open("matches?in_force=false")
    await seat.shown("they are of another one")

    # What a run finds of them is decided all at once.
    await _compared(platform, tenant)
    await seat.open("discrepancies")
    boxes = seat.page.locator("td input[type=checkbox]")
    number_of_them = await boxes.count()
    assert number_of_them
    assert await violations(seat, EVERYTHING) == []
    for number in range(number_of_them):
        await boxes.nth(number).check()
    await seat.page.select_option("#decision", "ignore")
    await seat.page.fill("#reason", "own_transfer")
    await seat.page.fill("#note", "transfers between our own accounts")
    await seat.page.click("button:has-text('Decide')")
    await seat.shown("Done: ")
    await seat.open("discrepancies?resolved=true")
    await seat.page.locator("tr", has_text="ignored").first.locator("a").first.click()
    await seat.shown("transfers between our own accounts")
    assert await violations(seat, EVERYTHING) == []

    # A month of which nothing is open is closed.
    await seat.open("months")
    await seat.page.click("a.button:has-text('Close a month')")
    await seat.page.fill("[name='path.month']", f"{month:%Y-%m}")
    await seat.send()
    await seat.shown("Done: ")
    await seat.open(f"months/{month:%Y-%m}")
    await seat.shown("Closed by")
    assert await violations(seat, EVERYTHING) == []
