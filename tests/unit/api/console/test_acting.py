"""What forms of the console do: carried out once, about what they are about, and nothing that was written is lost."""

import asyncio
import html
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from services.api.console.sessions import PREFERENCES_COOKIE
from services.api.console.texts import language
from services.api.http.problems import PROBLEMS
from tests.support.console import OPERATIONS, Seat

CUSTOMER = "/v1/customers/one"


def _path(operation_id: str, value: str) -> str:
    (name,) = OPERATIONS[operation_id].parameters
    return OPERATIONS[operation_id].path.replace(f"{{{name}}}", value)


def _inputs(answer: httpx.Response) -> dict[str, str]:
    found = re.findall(r'<input [^>]*?name="([^"]+)"[^>]*?value="([^"]*)"', answer.text)
    return {name: html.unescape(value) for name, value in found}


def _problem(status: int, code: str) -> tuple[int, dict[str, Any]]:
    return status, {"title": "No", "status": status, "code": code, "detail": "because"}


async def _refused(seat: Seat, status: int, code: str) -> httpx.Response:
    seat.answers["POST", _path("refundPaymentIntent", "one")] = _problem(status, code)
    form = {"path.intent_id": "one", "_key": "old", "f.amount": "5.00", "back": "/console/payments/one"}
    return await seat.post("/console/do/refundPaymentIntent", form)


@pytest.mark.parametrize("status", [409, 429, 500, 503, 504])
async def test_what_may_have_been_done_keeps_its_key(status: int) -> None:
    assert _inputs(await _refused(Seat(), status, "x"))["_key"] == "old"


@pytest.mark.parametrize(("status", "code"), [(422, "invalid_amount"), (422, "idempotency_key_reused"), (404, "x")])
async def test_what_was_not_done_is_sent_anew_under_another_key(status: int, code: str) -> None:
    answer = await _refused(Seat(), status, code)

    assert _inputs(answer)["_key"] not in {"", "old"}
    assert _inputs(answer)["f.amount"] == "5.00"
    assert ("sent before with other values" in answer.text) is (code == "idempotency_key_reused")


async def test_a_refusal_is_explained_in_the_language_of_who_looks() -> None:
    seat = Seat()
    seat.cookies[PREFERENCES_COOKIE] = "pt."
    answer = await _refused(seat, 422, "refund_exceeds_payment")

    assert language("pt").text(PROBLEMS["refund_exceeds_payment"].meaning()) in html.unescape(answer.text)
    assert "because" in answer.text


async def test_what_was_written_stays_while_nothing_can_be_read() -> None:
    seat = Seat()
    answer = await _refused(seat, 503, "unavailable")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert _inputs(answer)["f.amount"] == "5.00" and _inputs(answer)["back"] == "/console/payments/one"


async def test_a_form_that_is_corrected_does_not_undo_what_another_has_changed() -> None:
    seat = Seat()
    seat.answers["GET", CUSTOMER] = 200, {"id": "one", "name": "Ana", "email": "old@example.com"}
    seat.answers["PATCH", CUSTOMER] = _problem(422, "invalid_name")
    shown = _inputs(await seat.get("/console/do/changeCustomer?customer_id=one"))
    seat.answers["GET", CUSTOMER] = 200, {"id": "one", "name": "Ana", "email": "new@example.com"}

    again = _inputs(await seat.post("/console/do/changeCustomer", {**shown, "f.name": "?"}))
    await seat.post("/console/do/changeCustomer", {**again, "f.name": "Bia"})

    assert [one.body for one in seat.sent if one.method == "PATCH"] == [{"name": "?"}, {"name": "Bia"}]


@pytest.mark.parametrize("name", ["", ".", "..", "one/refunds", "../webhooks/two", "/"])
async def test_a_parameter_is_one_segment_and_leads_to_no_other_operation(name: str) -> None:
    seat = Seat()
    answer = await seat.post("/console/do/capturePaymentIntent", {"path.intent_id": name, "_key": "k"})

    assert answer.status_code == 404 and not [one for one in seat.sent if one.method == "POST"]


async def test_other_characters_of_a_parameter_stay_in_its_segment() -> None:
    seat = Seat()
    await seat.post("/console/do/capturePaymentIntent", {"path.intent_id": "a?b#c;d %2Fé", "_key": "k"})

    assert seat.sent[0].path.endswith("/a?b#c;d %2Fé/capture") and seat.sent[0].query == ""


async def test_a_form_without_its_parameter_has_a_field_for_it() -> None:
    answer = await Seat().get("/console/do/capturePaymentIntent")

    assert answer.status_code == 200 and 'id="path-intent_id"' in answer.text


def _payment(**members: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"amount": "1.00", "currency": "BRL", "status": "SETTLED", "events": [], "entries": [], **members}


async def test_any_month_can_be_closed_the_next_one_is_proposed() -> None:
    form = await Seat().get("/console/do/closeReconciliationPeriod?month=2026-10")

    assert '<input id="path-month" name="path.month" value="2026-10" required>' in form.text


async def test_a_page_of_one_thing_is_where_its_forms_come_back_to() -> None:
    seat = Seat()
    seat.answers["GET", _path("getPaymentIntent", "é?")] = _payment(id="é?")

    answer = await seat.get(f"/console/payments/{quote('é?', safe='')}?a=b")

    assert answer.status_code == 200 and _inputs(answer)["back"] == "/console/payments/%C3%A9%3F?a=b"


async def test_a_thing_without_the_member_that_rows_go_by_has_no_rows() -> None:
    seat = Seat()
    seat.answers["GET", _path("getPaymentIntent", "one")] = _payment(id="")

    answer = await seat.get("/console/payments/one")

    # Neither are all discrepancies there are shown as if they were its own, nor is it to be given back.
    assert answer.status_code == 200 and len(seat.sent) == 1 and "refundPaymentIntent" not in answer.text


async def test_an_operator_without_a_tenant_is_shown_where_to_choose_one() -> None:
    seat = Seat()
    seat.answers["GET", OPERATIONS["listPaymentIntents"].path] = _problem(400, "missing_tenant")

    assert "Choose at the top right" in (await seat.get("/console/payments")).text


async def test_others_are_served_while_a_long_page_is_made() -> None:
    seat = Seat()
    row = _payment(id="one", created_at="2026-11-30T10:00:00Z")[1]
    seat.answers["GET", OPERATIONS["listPaymentIntents"].path] = 200, {"data": [row] * 500}
    turns = 0

    async def served() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += bool(seat.sent)

    other = asyncio.create_task(served())
    answer = await seat.get("/console/payments")
    other.cancel()

    assert answer.text.count("</tr>") > 500 and turns > 25


async def test_what_was_done_is_shown_in_the_session_that_did_it_alone() -> None:
    seat, summary = Seat(), OPERATIONS["deleteCustomer"].summary
    seat.answers["DELETE", CUSTOMER] = (200, {})
    seat.answers["GET", "/v1/customers"] = (200, {"data": [], "next_cursor": None})
    sent = await seat.post(
        "/console/do/deleteCustomer", {"path.customer_id": "one", "_key": "k", "back": "/console/customers"}
    )
    address = sent.headers["location"]

    assert f"Done: {summary}" in html.unescape((await seat.get(address)).text)
    for forged in ("deleteCustomer", "deleteCustomer.", f"deleteCustomer.{'0' * 32}", "é"):
        assert "Done:" not in (await seat.get(f"/console/customers?done={quote(forged)}")).text
    assert "Done:" not in (await Seat(csrf="another").get(address)).text
