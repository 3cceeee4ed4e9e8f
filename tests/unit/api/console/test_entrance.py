"""The way into the console: forms of ours alone, addresses of ours alone, and a page whatever goes wrong."""

import html
import re

import pytest
from litestar._parsers import parse_url_encoded_form_data

from libs.common.errors import Unavailable
from services.api.console.entrance import local
from services.api.console.sessions import COOKIE
from services.api.http.callers import Principal
from services.api.http.errors import TokenExpired
from tests.support.console import SESSIONS, Seat

LOGIN = ("POST", "/v1/auth/token")


def _opened(cookie: str | None) -> str:
    session = SESSIONS.open(cookie, now=0)
    return "" if session is None else session.tenant_id


def test_addresses_that_leave_the_console_are_not_returned_to() -> None:
    for other in (
        "/console/../v1/me",
        "/console/%2e%2e/v1/me",
        "/console/./..",
        "/console/a/..%2f..%2fv1",
        "/console/%2Fevil.example",
        "http://[",
        "/console/a\x00b",
        "/console/a b",
    ):
        assert local(other) == ""
    # What is not ASCII may not stand in a header as it is.
    assert local("/console/accounts/é?a=%C3%A9") == "/console/accounts/%C3%A9?a=%C3%A9"


async def test_whoever_logs_in_comes_back_to_what_they_requested() -> None:
    seat = Seat()
    seat.cookies = {}
    refused = await seat.get("/console/accounts/caf%C3%A9?status=a")
    login = await seat.get(refused.headers["location"])
    found = re.search('name="next" value="([^"]*)"', login.text)
    assert refused.status_code == 303 and found is not None
    form = {"next": html.unescape(found[1]), "email": "ops", "password": "wrong"}
    seat.answers[LOGIN] = 401, {"title": "Unauthorized", "status": 401, "code": "invalid_credentials"}

    refused = await seat.post("/console/login", form)
    assert refused.status_code == 401 and f'name="next" value="{html.escape(form["next"])}"' in refused.text

    seat.answers[LOGIN] = 200, {"access_token": "t", "expires_in": 60}
    entered = await seat.post("/console/login", form)
    assert (entered.status_code, entered.headers["location"]) == (303, "/console/accounts/caf%C3%A9?status=a")


@pytest.mark.parametrize("query", ["next=http://[", "next=/console/%E6%97%A5", "next=//evil.example/console/"])
async def test_a_login_leads_nowhere_else_and_breaks_nowhere(query: str) -> None:
    seat = Seat()
    seat.answers[LOGIN] = 200, {"access_token": "t", "expires_in": 60}

    assert (await seat.get(f"/console/login?{query}")).status_code == 200
    entered = await seat.post("/console/login", f"email=a&password=b&{query}".encode())

    assert entered.status_code == 303 and entered.headers["location"].startswith("/console/")
    assert entered.headers["location"].isascii()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"origin": "https://console.example"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "https://console.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://["}, 403),
    ],
)
async def test_nobody_is_logged_in_from_elsewhere(headers: dict[str, str], status: int) -> None:
    seat = Seat()
    seat.answers[LOGIN] = 200, {"access_token": "t", "expires_in": 60}

    answer = await seat.post("/console/login", {"email": "a", "password": "b"}, headers)

    assert answer.status_code == status
    # Whoever is refused is shown so, and nothing was tried.
    assert ("form_expired" in answer.text) is (status == 403)
    assert bool(seat.sent) is (status == 303)


async def test_browsers_may_say_from_which_of_our_pages_a_form_is() -> None:
    # With `no-referrer`, those without Sec-Fetch-Site send `Origin: null` and could never log in.
    assert (await Seat().get("/console/login")).headers["referrer-policy"] == "same-origin"


async def test_what_is_typed_into_a_form_is_remembered_nowhere() -> None:
    seat = Seat()
    before = parse_url_encoded_form_data.cache_info().currsize

    await seat.post("/console/login", {"email": "somebody-else", "password": "sales123"})

    assert parse_url_encoded_form_data.cache_info().currsize == before


@pytest.mark.parametrize("body", [b"_csrf=csrf&back=%FF%FE", b"&".join(b"a%d=1" % n for n in range(600))])
async def test_a_form_that_cannot_be_read_is_refused(body: bytes) -> None:
    assert (await Seat().post("/console/logout", body)).status_code in {303, 403}


async def test_a_form_of_before_the_tenant_was_changed_is_not_carried_out() -> None:
    seat = Seat()
    changed = await seat.post("/console/tenant", {"tenant_id": "b"})
    assert _opened(changed.cookies[COOKIE]) == "b"
    seat.cookies = {COOKIE: changed.cookies[COOKIE]}

    # Of another window, in which the page of tenant a is still open.
    late = await seat.post("/console/do/createPaymentIntent", {"f.amount": "1.00"})

    assert late.status_code == 403 and "form_expired" in late.text and not seat.sent


@pytest.mark.parametrize("tenant_id", ["", "*", "a b", "a\x00b", "x" * 65, "é"])
async def test_what_names_no_tenant_is_not_acted_for(tenant_id: str) -> None:
    answer = await Seat().post("/console/tenant", {"tenant_id": tenant_id})

    assert answer.status_code == 400 and COOKIE not in answer.cookies


async def test_only_an_operator_changes_the_tenant() -> None:
    answer = await Seat(is_operator=False).post("/console/tenant", {"tenant_id": "b"})

    assert answer.status_code == 404 and COOKIE not in answer.cookies


async def test_who_is_unknown_for_now_is_shown_a_page_and_stays_logged_in() -> None:
    seat = Seat()

    def away(_: str) -> Principal:
        raise Unavailable("the database does not answer")

    seat.identify = away
    answer = await seat.get("/console/payments?status=SETTLED")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/console/payments?status=SETTLED"' in answer.text and "set-cookie" not in answer.headers


async def test_a_token_that_is_valid_no_more_leads_to_the_login_and_back() -> None:
    seat = Seat()
    ops = seat.identify("")

    def outdated(_: str) -> Principal:
        raise TokenExpired(ops)

    seat.identify = outdated
    page = await seat.get("/console/payments?status=SETTLED")
    part = await seat.get("/console/payments?status=SETTLED", {"hx-request": "true"})

    login = "/console/login?next=%2Fconsole%2Fpayments%3Fstatus%3DSETTLED"
    assert page.headers["location"] == login
    assert (part.status_code, part.headers["hx-redirect"]) == (401, login)


async def test_a_copied_cookie_ends_with_the_session_that_it_is_of() -> None:
    seat = Seat()
    seat.answers["GET", "/v1/customers"] = (200, {"data": [], "next_cursor": None})
    chosen = await seat.post("/console/tenant", {"tenant_id": "b"})
    copies = [seat.cookies[COOKIE], chosen.cookies[COOKIE]]

    assert (await seat.post("/console/logout", {})).headers["location"] == "/console/login"

    for copy in reversed(copies):
        seat.cookies = {COOKIE: copy}
        assert (await seat.get("/console/customers")).status_code == 303
    # Nobody is shut out while it cannot be known.
    seat.is_memory_away = True
    assert (await seat.get("/console/customers")).status_code == 200
    assert (await seat.post("/console/logout", {})).headers["location"] == "/console/login"
