"""Reconciliation in the console: files sent part by part, lines matched by hand, runs followed to their report."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import expect

from libs.common.clock import SystemClock
from tests.e2e.console.conftest import Seats
from tests.support.browser import Seat
from tests.support.platform import ADMIN, DEMO_TENANT

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
