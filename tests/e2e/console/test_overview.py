"""The first page, search, acts on several rows and files, in a real browser."""

import csv
import io
import re
from uuid import uuid4

from playwright.async_api import expect

from tests.e2e.console.conftest import Seats
from tests.support.browser import Seat
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Client, Platform
from tests.support.receiver import Receiver


async def test_a_payment_is_found_by_anything(seat: Seat, platform: Platform) -> None:
    client = await platform.login(OPERATOR)
    reference = f"found-{uuid4()}"
    payment = await client.create("98765.43", customer_ref=reference)
    await client.confirm(payment["id"])

    # The first page shows what was made, as text too, and follows what is made.
    await seat.open("overview?range=24h&currency=BRL")
    captured = seat.page.locator("figure.chart", has_text="Captured")
    assert await captured.locator("svg title").count() == 24
    await captured.locator("summary").click()
    assert await captured.locator("tbody tr").count() == 24
    other = await client.create("5.01", customer_ref=f"{reference}-2")
    await seat.page.locator("#newest tr", has_text=f"{reference}-2").wait_for()

    async def search(text: str) -> None:
        await seat.page.keyboard.press("/")
        await seat.page.keyboard.type(text)
        await seat.page.keyboard.press("Enter")

    await search(payment["id"])
    await seat.page.wait_for_url(f"**/console/payments/{payment['id']}")
    await search(reference[:20])
    rows = seat.page.locator("section", has_text="Customer reference begins with this").locator("tbody tr")
    await rows.nth(1).wait_for()
    await search("98,765.43")
    section = seat.page.locator("section", has_text="Amount, in the last 30 days")
    await section.locator("tr", has_text=reference).first.wait_for()
    await search("nothing-is-like-this")
    await seat.shown("Nothing found.")
    assert other["id"] != payment["id"]


async def test_several_payments_are_confirmed_at_once_and_kept_as_a_file(seat: Seat, platform: Platform) -> None:
    client = await platform.login(OPERATOR)
    reference = f"bulk-{uuid4()}"
    payments = [await client.create(f"{n}.00", customer_ref=f"{reference}{n}") for n in (1, 2, 3)]
    await seat.open(f"payments?customer_ref_prefix={reference}")
    for payment in payments[:2]:
        await seat.page.check(f"[name='id.{payment['id']}']")

    # The list is read again while something is chosen: it stays chosen.
    await client.confirm(payments[2]["id"])
    await seat.page.locator("tr", has_text=f"{reference}3").locator(".state", has_text="SETTLED").wait_for()
    assert await seat.page.locator("input[type=checkbox]:checked").count() == 2

    await seat.page.click("button:has-text('Confirm')")
    await expect(seat.page.locator("td", has_text="to do")).to_have_count(2)
    await seat.page.click("button.primary")
    await seat.shown("2 of 2 done.")
    # Sent once more it is the same, by its keys.
    await seat.page.reload()
    await seat.shown("2 of 2 done.")

    # A payment that cannot be voided is refused by itself.
    await seat.open(f"payments?customer_ref_prefix={reference}")
    await seat.page.check(f"[name='id.{payments[0]['id']}']")
    await seat.page.click("button:has-text('Void')")
    await seat.page.click("button.primary")
    await seat.shown("0 of 1 done.")

    await seat.open(f"payments?customer_ref_prefix={reference}")
    async with seat.page.expect_download() as downloading:
        await seat.page.click("a:has-text('Export as CSV')")
    file = await (await downloading.value).path()
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert {row["id"] for row in rows} == {payment["id"] for payment in payments}
    assert {row["amount"] for row in rows} == {"1.00", "2.00", "3.00"}


async def test_a_payment_has_its_attempts_webhooks_and_what_is_left(
    seats: Seats, platform: Platform, admin: Client, receiver: Receiver
) -> None:
    registered = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.*"]})
    assert registered.status == 201, registered.raw
    client = await platform.login(OPERATOR)
    held = await client.call(
        "POST",
        "/v1/payment-intents",
        {"amount": "70.00", "currency": "BRL", "customer_ref": "c-left", "capture_method": "manual"},
        key=str(uuid4()),
    )
    await client.confirm(held.json["id"])

    seat = await seats()
    await seat.log_in(*ADMIN)
    await seat.act_for(DEMO_TENANT)
    await seat.open(f"payments/{held.json['id']}")
    attempts = seat.page.locator("section", has=seat.page.locator("h2", has_text="Attempts at the processor"))
    await attempts.locator("tbody tr").first.wait_for()

    # What is opened stays open while the page follows what happens.
    await seat.page.locator(".timeline summary").first.click()
    await seat.page.click("a.button:has-text('Capture')")
    await seat.shown("Left")
    await expect(seat.page.locator("[name='f.amount']")).to_have_attribute("placeholder", "70.00")
    await seat.page.go_back()
    await seat.page.locator(".timeline summary").first.click()
    captured = await client.call(
        "POST", f"/v1/payment-intents/{held.json['id']}/capture", {"amount": "50.00"}, key=str(uuid4())
    )
    assert captured.status in {200, 202}, captured.raw
    await seat.page.locator("h1", has_text="SETTLED").wait_for()
    assert await seat.page.locator(".timeline details").first.get_attribute("open") is not None

    webhooks = seat.page.locator("section", has=seat.page.locator("h2", has_text="Webhooks sent"))
    # Another test may have registered an endpoint too: then each event is sent to both.
    await webhooks.locator("tr", has_text="payment.authorized").first.wait_for()
    await seat.open(f"payments/{held.json['id']}")
    settled = webhooks.locator("tr", has_text="payment.settled")
    await seat.reload_until(settled)
    await settled.first.locator("a", has_text="Send again").click()
    await expect(seat.page.locator("[name='f.outcomes']")).to_have_value(re.compile("delivered"))

    # Accounts at processors, and what they have reported, are for whoever may change them.
    for page in ("processors", "processor-events", "customers"):
        answer = await seat.open(page)
        assert answer.status == 200
