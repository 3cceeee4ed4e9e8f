"""Webhooks in the console: an endpoint is registered, tried, replayed with its progress, and deleted."""

import json

from tests.e2e.bookkeeping import new_tenant
from tests.e2e.console.conftest import Seats
from tests.support.platform import ADMIN, Platform
from tests.support.receiver import Receiver


async def test_an_endpoint_is_registered_tried_and_replayed(
    seats: Seats, receiver: Receiver, platform: Platform
) -> None:
    # A tenant of its own: its endpoint must receive no payment that another test has left pending.
    tenant = new_tenant()
    known = await (await platform.login(ADMIN)).call(
        "PUT", f"/v1/tenants/{tenant}", {"name": "Webhooks", "plan": "enterprise", "region": "region-a"}
    )
    assert known.status == 200, known.raw
    admin = await seats()
    await admin.log_in(*ADMIN)
    await admin.act_for(tenant)
    await admin.open("webhooks")
    await admin.page.click("a.button:has-text('New endpoint')")
    await admin.fill(url=receiver.url, events="payment.settled", description="books")
    await admin.send()
    # Its secret is shown now, and never again.
    await admin.shown("whsec_")
    await admin.page.click("a.button:has-text('Go on')")
    await admin.page.click(f"a:has-text('{receiver.url}')")
    assert "whsec_" not in await admin.page.content()
    endpoint = admin.page.url

    await admin.page.click("a.button:has-text('Send a test event')")
    await admin.send()
    await admin.shown("Delivery ID")
    await admin.page.goto(endpoint)
    deliveries = admin.page.locator("section", has=admin.page.locator("h2", has_text="Deliveries"))
    delivered = deliveries.locator("tr", has_text="DELIVERED")
    await admin.reload_until(delivered)
    await delivered.first.locator("summary").first.click()
    await delivered.first.get_by_role("cell", name="200", exact=True).first.wait_for()

    await delivered.first.get_by_role("link", name="webhook.test").click()
    await admin.page.click("summary:has-text('What is sent')")
    assert json.loads(receiver.received[0].body)["id"] in await admin.page.locator("pre").first.inner_text()
    await admin.page.goto(endpoint)

    # Counted first, then done; its page follows it to the end.
    again = delivered.first.locator("a.button", has_text="Deliver again").first
    await again.click()
    await admin.page.select_option("[name='f.dry_run']", "true")
    await admin.send()
    await admin.shown("DRY_RUN")
    await admin.page.goto(endpoint)
    await again.click()
    await admin.send()
    await admin.page.wait_for_url("**/console/replays/*")
    await admin.page.locator("h1", has_text="DONE").wait_for()
    await admin.shown("1 of 1 deliveries are scheduled.")

    await admin.page.goto(endpoint)
    await admin.page.click("a.button:has-text('Delete')")
    await admin.send()
    await admin.shown("No endpoint receives events yet")
    assert [one.type for one in receiver.received][:1] == ["webhook.test"]
