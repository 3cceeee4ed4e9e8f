"""The books in the console: made by two people, followed from report to entry, and taken away as files."""

import re
from uuid import uuid4

from tests.e2e.bookkeeping import enter, moved
from tests.e2e.console.conftest import Seats
from tests.support.browser import Seat
from tests.support.platform import ADMIN, DEMO_TENANT, Client


async def _propose(seat: Seat, description: str) -> str:
    """Propose an entry by the form; returns the address of the proposal."""
    await seat.open("compose")
    await seat.page.fill("#description", description)
    for number, account, side, amount in ((0, "REFUND_EXPENSE", "DEBIT", "12.50"), (1, "CASH", "CREDIT", "12.4")):
        await seat.page.fill(f"[name='line.{number}.account']", account)
        await seat.page.select_option(f"[name='line.{number}.side']", side)
        await seat.page.fill(f"[name='line.{number}.amount']", amount)
        await seat.page.fill(f"[name='line.{number}.currency']", "BRL")
    # The sums follow what is written, exactly, and the API refuses what does not balance.
    assert "0.10" in await seat.page.inner_text("#sums")
    await seat.page.click("button[value='check']")
    await seat.shown("unbalanced")
    await seat.page.fill("[name='line.1.amount']", "12.50")
    assert await seat.page.locator("#sums .state.good").count() == 1
    await seat.page.click("button[value='check']")
    await seat.shown("This can be posted as it is.")
    await seat.page.click("button[value='propose']")
    await seat.shown("Done: Propose journal entries.")
    return seat.page.url.removeprefix(f"{seat.base}/console/").partition("?")[0]


async def test_what_one_proposes_another_posts_and_may_take_back(seat: Seat, seats: Seats) -> None:
    description = f"Goodwill {uuid4()}"
    address = await _propose(seat, description)
    await seat.shown("Somebody else, who may approve, decides about this.")

    admin = await seats()
    await admin.log_in(*ADMIN)
    await admin.act_for(DEMO_TENANT)
    await admin.open(address)
    assert await admin.page.locator(".taccount").count() == 2
    await admin.page.fill("#reason-approveProposal", "as agreed")
    await admin.page.click("button:has-text('Approve')")
    await admin.shown("Done: Approve a proposal.")
    await admin.page.click(f"a:has-text('{description}')")
    await admin.shown("Approved by")

    # Whoever looks at the account finds the line, and from it the entry.
    await seat.open("accounts")
    await seat.page.click("tr:has-text('R$') a:has-text('REFUND_EXPENSE')")
    line = seat.page.locator("tr", has_text=description)
    await seat.page.wait_for_url(re.compile("/console/accounts/REFUND_EXPENSE"))
    await seat.go_on_until(line)
    await line.locator("a").first.click()
    await seat.page.click("a.button:has-text('Reverse')")
    await seat.send()
    await seat.shown("Takes back")
    await seat.page.click("dt:has-text('Takes back') + dd a")
    await seat.page.locator("h1", has_text="reversed").wait_for()


async def test_a_report_leads_to_the_statement_and_leaves_as_a_file(seat: Seat, operator: Client) -> None:
    posted = await enter(operator, moved("REFUND_EXPENSE", "CASH"))
    assert posted.status < 300, posted.raw
    await seat.open("trial-balance")
    await seat.shown("balanced")
    async with seat.page.expect_download() as waiting:
        await seat.page.click("a:has-text('Export as CSV')")
    table = await (await waiting.value).path()
    assert "debits_total" in table.read_text("utf-8-sig").splitlines()[0]

    await seat.open("income-statement")
    async with seat.page.context.expect_page() as opened:
        await seat.page.click("a:has-text('Print')")
    printed = await opened.value
    assert await printed.inner_text("h1") == "Income statement"
    await printed.close()

    await seat.page.locator("td a").first.click()
    await seat.page.wait_for_url(re.compile("/console/accounts/"))
    await seat.shown("Closing balance")


async def test_a_refused_export_is_a_page_and_no_file(seat: Seat) -> None:
    answer = await seat.open("export/reportStatement?account=NOWHERE&currency=BRL")

    assert answer.status == 422
    await seat.shown("account_unknown")
