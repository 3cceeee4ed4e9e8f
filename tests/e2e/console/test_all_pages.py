"""What holds for every page of the console: it opens, is accessible, fits a phone, and belongs to who may see it."""

from typing import Any
from uuid import uuid4

from axe_playwright_python.async_playwright import Axe

from services.api.console.declared import HIDDEN
from services.api.console.pages import PAGES
from tests.e2e.bookkeeping import enter, moved
from tests.e2e.console.conftest import Seats
from tests.support.browser import Seat
from tests.support.platform import SALES, Client
from tests.support.samples import some

LISTED = [page for page in PAGES if page.show is not None]
AXE = Axe()
EVERYTHING = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""What differs in the dark."""


async def violations(seat: Seat, rules: dict[str, Any]) -> list[str]:
    """List what axe finds on the page."""
    found = await AXE.run(seat.page, options=rules)
    return [f"{seat.page.url}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in found.response["violations"]]


async def test_every_page_opens_for_the_admin_and_is_accessible(admin_seat: Seat) -> None:
    admin = admin_seat
    faults = []
    looked_at = some(LISTED, name="accessible pages", by=lambda page: page.group, each=2)
    for page in LISTED:
        answer = await admin.open(page.key)
        if answer.status != 200:
            faults.append(f"{page.key}: {answer.status}: {await admin.page.inner_text('main')}")
        if page in looked_at:
            faults += await violations(admin, EVERYTHING)
            await admin.page.emulate_media(color_scheme="dark")
            faults += await violations(admin, COLOURS)
            await admin.page.emulate_media(color_scheme="light")
        await admin.page.set_viewport_size({"width": 390, "height": 800})
        if (width := await admin.page.evaluate("document.documentElement.scrollWidth")) > 390:
            faults.append(f"{page.key}: {width} wide on a phone of 390")
        await admin.page.set_viewport_size({"width": 1280, "height": 800})

    assert faults == []


async def test_what_ops_may_see_opens_and_is_all_that_is_offered(seat: Seat) -> None:
    offered = await seat.page.eval_on_selector_all(".menu a", "found => found.map(one => one.getAttribute('href'))")

    answers = {address: (await seat.page.goto(seat.base + address)).status for address in offered}  # type: ignore[union-attr]

    assert set(answers.values()) == {200}
    # Of the rest, each refuses.
    for page in LISTED:
        if page.group != HIDDEN and f"/console/{page.key}" not in answers:
            assert (await seat.open(page.key)).status == 403, page.key


async def test_what_a_role_may_not_do_is_not_there_and_is_refused(seats: Seats) -> None:
    sales = await seats()
    await sales.log_in(*SALES)
    await sales.open("payments")

    assert await sales.page.locator("a.button", has_text="New payment").count() == 0
    assert (await sales.open("do/createPaymentIntent")).status == 403
    csrf = await sales.page.locator("form[action='/console/logout'] [name=_csrf]").get_attribute("value")
    forced = await sales.page.request.post(
        f"{sales.base}/console/do/createPaymentIntent",
        form={"_csrf": csrf or "", "_key": "k", "f.amount": "1.00", "f.currency": "BRL", "f.customer_ref": "c"},
        headers={"origin": sales.base},
    )
    assert forced.status == 403
    assert "Missing permission" in await forced.text() or "access_denied" in await forced.text()


async def test_pages_of_single_things_are_accessible(seat: Seat, operator: Client) -> None:
    async def make(path: str, **body: Any) -> str:
        made = await operator.call("POST", path, body, key=uuid4().hex)
        assert made.status in {200, 201}, made.raw
        found: str = made.json["id"]
        return found

    entered = await enter(operator, moved("REFUND_EXPENSE", "CASH"))
    assert entered.status < 300, entered.raw
    held = {"debit_account": "CASH", "credit_account": "REFUND_EXPENSE", "amount": "1.00", "currency": "BRL"}
    faults = []
    for address in (
        f"payments/{(await operator.create())['id']}",
        f"customers/{await make('/v1/customers', reference=f'c-{uuid4().hex[:8]}')}",
        f"entries/{entered.json['results'][0]['id']}",
        f"holds/{await make('/v1/ledger/holds', **held)}",
        "accounts/CASH?currency=BRL",
        "account-roles/CASH",
    ):
        answer = await seat.open(address)
        assert answer.status == 200, (address, await seat.page.inner_text("main"))
        faults += await violations(seat, EVERYTHING)
    assert faults == []


async def test_every_service_answers_and_consumes_its_queues(admin_seat: Seat) -> None:
    await admin_seat.open("services")
    rows = admin_seat.page.locator("section").nth(0).locator("tbody tr")
    assert await rows.count() == 4
    assert "no answer" not in await admin_seat.page.inner_text("main")
    # Whatever waits at the moment, something takes it.
    for row in await admin_seat.page.locator("section").nth(1).locator("tbody tr").all():
        assert (await row.locator("td").last.inner_text()) != "0", await row.inner_text()
    await admin_seat.page.locator("section").nth(2).locator("tr", has_text="sandbox").first.wait_for()
    await admin_seat.page.locator("section").nth(2).locator("tr", has_text="closed").first.wait_for()
