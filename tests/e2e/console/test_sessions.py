"""Whoever is at the browser: sessions end, forms are of one session, connections are lost, and others work at the same time."""

from uuid import uuid4

from tests.e2e.console.conftest import Seats
from tests.support.browser import Seat
from tests.support.platform import OPERATOR, Client

PAYMENT = {"f.amount": "1.00", "f.currency": "BRL", "f.customer_ref": "nobody"}


async def _csrf(seat: Seat) -> str:
    return await seat.page.locator("form[action='/console/logout'] [name=_csrf]").get_attribute("value") or ""


async def _post(seat: Seat, csrf: str, **headers: str) -> str:
    """Send the form of a new payment, with a secret and headers of choice; returns the status and the answer's text."""
    form: dict[str, str | float | bool] = {"_csrf": csrf, "_key": str(uuid4()), **PAYMENT}
    answer = await seat.page.request.post(
        f"{seat.base}/console/do/createPaymentIntent", form=form, headers=headers, max_redirects=0
    )
    return f"{answer.status} {await answer.text()}"


async def test_a_session_that_has_ended_leads_to_the_login_and_back(seat: Seat) -> None:
    await seat.open("payments?status=SETTLED")
    await seat.page.context.clear_cookies(name="console_session")
    stream = await seat.page.request.get(
        f"{seat.base}/console/live/payments", headers={"accept": "text/event-stream"}, max_redirects=0
    )
    assert stream.status == 401
    await seat.open("payments?status=SETTLED")
    await seat.page.fill("#email", OPERATOR[0])
    await seat.page.fill("#password", OPERATOR[1])
    await seat.page.click("button.primary")
    await seat.page.wait_for_url("**/console/payments?status=SETTLED")

    # What was seen before the end is not seen after it, by the way back either.
    copied = await seat.page.context.cookies()
    await seat.page.click("details.who > summary")
    await seat.page.click("form[action='/console/logout'] button")
    await seat.page.wait_for_url("**/console/login")
    await seat.page.go_back()
    await seat.page.wait_for_url("**/console/login*")

    # Nor by a copy of the cookie.
    await seat.page.context.add_cookies(
        [{"name": one["name"], "value": one["value"], "url": f"{seat.base}/console"} for one in copied]
    )
    await seat.open("payments")
    await seat.page.wait_for_url("**/console/login*")


async def test_a_form_from_elsewhere_is_refused(seat: Seat, seats: Seats) -> None:
    other = await seats()
    await other.log_in(*OPERATOR)
    own, stolen = await _csrf(seat), await _csrf(other)

    assert "form_expired" in await _post(seat, stolen)
    assert "form_expired" in await _post(seat, "")
    assert "form_expired" in await _post(seat, own, origin="https://evil.example")
    assert "form_expired" in await _post(seat, own, **{"sec-fetch-site": "cross-site"})
    assert (await _post(seat, own, origin=seat.base)).startswith("303")


async def test_a_lost_connection_is_shown_until_it_is_back(seat: Seat) -> None:
    await seat.open("payments")
    await seat.page.context.set_offline(True)
    notice = seat.page.locator(".offline")
    await notice.wait_for()
    await seat.page.context.set_offline(False)
    await notice.wait_for(state="detached")
    # htmx writes to the console what it could not send meanwhile; anything else is a fault still.
    seat.faults[:] = [fault for fault in seat.faults if not fault.startswith("console: htmx:")]


async def test_a_slow_form_that_is_clicked_twice_is_done_once(seat: Seat) -> None:
    reference = f"slow-{uuid4()}"
    await seat.open("do/createPaymentIntent?back=/console/payments")
    await seat.fill(amount="1.00", currency="BRL", customer_ref=reference)
    network = await seat.page.context.new_cdp_session(seat.page)
    await network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 700, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    await seat.page.dblclick("form.act button.primary")
    await seat.shown("Done: Create a payment intent.")
    await seat.open(f"payments?customer_ref_prefix={reference}")

    assert await seat.page.locator("main tbody tr").count() == 1


async def test_the_second_of_two_operators_sees_why_it_is_refused(seat: Seat, seats: Seats, operator: Client) -> None:
    intent = await operator.create()
    await operator.confirm(intent["id"])
    await operator.settled(intent["id"])
    other = await seats()
    await other.log_in(*OPERATOR)
    for one in (seat, other):
        await one.open(f"do/refundPaymentIntent?intent_id={intent['id']}&back=/console/payments/{intent['id']}")
    await seat.send()
    await seat.shown("Done: Refund a payment intent.")
    await other.send()

    await other.page.locator(".refused code", has_text="cannot_refund").first.wait_for()


async def test_no_text_of_others_becomes_part_of_a_page(admin_seat: Seat, operator: Client, admin: Client) -> None:
    hostile = '"><script>document.title="owned"</script><img src=x onerror=alert(1)>'
    made = await admin.call(
        "POST",
        "/v1/webhooks",
        {"url": "https://example.com/hook", "events": ["dispute.won"], "description": hostile, "headers": {}},
    )
    assert made.status == 201, made.raw
    customer = await operator.call(
        "POST",
        "/v1/customers",
        {"reference": f"{uuid4()}", "name": hostile, "metadata": {"note": hostile}},
        key=str(uuid4()),
    )
    assert customer.status in {200, 201}, customer.raw

    for address in (
        f"webhooks/{made.json['id']}",
        f"do/changeWebhook?endpoint_id={made.json['id']}",
        f"do/changeCustomer?customer_id={customer.json['id']}",
        f"audit?actor={hostile}",
        f"requests?correlation_id={hostile}",
        f"do/createPaymentIntent?description={hostile}&back={hostile}",
    ):
        await admin_seat.open(address)
        assert "owned" not in await admin_seat.page.title(), address
        assert await admin_seat.page.locator("main script, main img").count() == 0, address
    deleted = await admin.call("DELETE", f"/v1/webhooks/{made.json['id']}")
    assert deleted.status == 204, deleted.raw
    with_back = await admin_seat.page.locator("[name=back]").first.get_attribute("value")
    assert not with_back or with_back.startswith("/console/")
