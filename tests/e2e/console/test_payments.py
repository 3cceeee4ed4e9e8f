"""Payments in the console: made, followed live, captured and given back by forms, in a real browser."""

from uuid import uuid4

from playwright.async_api import expect

from tests.e2e.console.conftest import Seats
from tests.support.browser import Seat
from tests.support.platform import OPERATOR

HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>'


async def _made(seat: Seat, **fields: str) -> str:
    """Make a payment by the form and open its page; returns its address."""
    reference = fields.setdefault("customer_ref", f"console-{uuid4()}")
    await seat.open("do/createPaymentIntent?back=/console/payments")
    await seat.fill(**{"amount": "150.50", "currency": "BRL", **fields})
    await seat.send()
    await seat.shown("Done: Create a payment intent.")
    await seat.page.locator("tr", has_text=reference).locator("a").first.click()
    await seat.page.wait_for_url("**/console/payments/0*")
    return seat.page.url.removeprefix(f"{seat.base}/console/")


async def test_a_payment_is_paid_and_followed_live_to_the_books(seat: Seat, seats: Seats) -> None:
    address = await _made(seat)
    watcher = await seats()
    await watcher.log_in(*OPERATOR)
    await watcher.open(address)

    await seat.page.click("a.button:has-text('Confirm')")
    await seat.send()
    await seat.shown("Done: Confirm a payment intent.")

    # The other page is not touched: it shows by itself what became of the payment, and what was booked.
    await watcher.page.locator("h1", has_text="SETTLED").wait_for()
    await watcher.page.locator(".taccount", has_text="CASH").first.wait_for()
    await watcher.page.locator(".taccount", has_text="REVENUE").first.wait_for()


async def test_a_refund_asks_first_and_is_done_once_when_sent_twice(seat: Seat) -> None:
    await _made(seat)
    await seat.page.click("a.button:has-text('Confirm')")
    await seat.send()
    await seat.page.locator("h1", has_text="SETTLED").wait_for()
    await seat.page.click("a.button:has-text('Refund')")
    await seat.fill(amount="50.50")
    form = seat.page.url
    await seat.send()
    await seat.shown("Done: Refund a payment intent.")
    await seat.page.locator("h1", has_text="PARTIALLY_REFUNDED").wait_for()

    # Back to the form, which still has its key, and sent again.
    await seat.page.go_back()
    assert seat.page.url == form
    await seat.send()
    await seat.page.wait_for_url("**/console/payments/0*")
    await seat.page.reload()
    refunds = seat.page.locator("section", has=seat.page.locator("h2", has_text="Refunds")).locator("tbody tr")
    assert await refunds.count() == 1


async def test_a_pix_code_is_shown_until_the_payment_is_voided(seat: Seat) -> None:
    await seat.open("do/createPaymentIntent?back=/console/payments")
    await seat.page.select_option("[name='f.payment_method_type']", "pix")
    # The sandbox never pays this amount.
    reference = f"console-{uuid4()}"
    await seat.fill(amount="90.45", currency="BRL", customer_ref=reference)
    await seat.send()
    await seat.page.locator("tr", has_text=reference).locator("a").first.click()
    await seat.page.click("a.button:has-text('Confirm')")
    await seat.send()
    action = seat.page.locator("section", has=seat.page.locator("h2", has_text="What the customer does next"))
    await action.get_by_text("BR.GOV.BCB.PIX").first.wait_for()
    await action.locator("div", has_text="Can be paid until").locator("time").first.wait_for()

    await seat.page.click("a.button:has-text('Void')")
    await seat.send()
    await seat.page.locator("h1", has_text="VOIDED").wait_for()


async def test_hostile_text_is_shown_as_text(seat: Seat) -> None:
    await _made(seat, customer_ref=f"{HOSTILE}{uuid4()}", description=HOSTILE)

    assert HOSTILE in await seat.page.inner_text("main")
    assert "owned" not in await seat.page.title()


async def test_a_refusal_names_its_code_and_keeps_what_was_written(seat: Seat) -> None:
    await seat.open("do/createPaymentIntent?back=/console/payments")
    await seat.fill(amount="-3", currency="BRL", customer_ref="somebody")
    await seat.send()

    await seat.shown("invalid_amount")
    await expect(seat.page.locator("[name='f.customer_ref']")).to_have_value("somebody")
    await expect(seat.page.locator("[name='f.amount']")).to_have_value("-3")
