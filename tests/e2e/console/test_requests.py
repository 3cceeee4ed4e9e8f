"""The log of requests in the console: what an API client sent is found by its status, and leads to what it changed."""

from uuid import uuid4

from tests.e2e.bookkeeping import new_tenant
from tests.e2e.console.conftest import Seats
from tests.support.platform import ADMIN, Platform


async def test_a_developer_finds_what_was_refused_and_what_it_changed(seats: Seats, platform: Platform) -> None:
    tenant = new_tenant()
    root = await platform.login(ADMIN)
    body = {"name": "Requests", "plan": "enterprise", "region": "region-a"}
    assert (await root.call("PUT", f"/v1/tenants/{tenant}", body)).status == 200
    root.tenant = tenant
    correlation_id = uuid4().hex
    created = await root.call(
        "POST",
        "/v1/payment-intents",
        {"amount": "150.50", "currency": "BRL", "customer_ref": "c"},
        key=uuid4().hex,
        headers={"X-Correlation-Id": correlation_id},
    )
    assert created.status == 200, created.raw
    missing = f"/v1/payment-intents/{uuid4()}"
    assert (await root.call("GET", missing)).status == 404

    admin = await seats()
    await admin.log_in(*ADMIN)
    await admin.act_for(tenant)
    await admin.open("requests")
    await admin.reload_until(admin.page.locator("tr", has_text=missing))
    # What the console reads is no request of the tenant's.
    assert "/v1/requests" not in await admin.page.inner_text("main tbody")
    await admin.open("requests?status=4xx")
    refused = await admin.page.inner_text("main tbody")
    assert (missing in refused, "payment_intent_not_found" in refused) == (True, True)
    assert correlation_id not in await admin.page.content()

    await admin.open("requests?method=POST")
    await admin.page.locator("main tbody tr").first.locator("a").first.click()
    await admin.shown("payment_intent.create")
    assert correlation_id in admin.page.url
    await admin.page.click(f"main a:has-text('{created.json['id']}')")
    await admin.shown("150")
