"""Logging in by an identity provider, as a browser sees it: from our pages alone, to our pages alone, and once."""

import html
import re

import pytest

from services.api.console.provider_login import ATTEMPT_COOKIE
from services.api.console.sessions import COOKIE
from services.api.errors import TenantSuspended
from services.api.identity_errors import (
    IdentityProviderNotFound,
    IdentityProviderUnavailable,
    IdentityRefused,
    IdentityUnknown,
    LoginNotBegun,
)
from tests.support.console import ATTEMPTS, SESSIONS, Seat

QUOTES = '"'
"""Around values of cookies that end with `=`."""
BEGIN, BACK = "/console/login/provider", "/console/login/callback/a?code=c&state=state"


def seated() -> Seat:
    """Somebody who has not logged in."""
    seat = Seat()
    seat.cookies = {}
    return seat


async def test_a_browser_is_sent_there_by_a_page_and_keeps_what_it_began() -> None:
    seat = seated()

    page = await seat.post(BEGIN, {"tenant": " acme ", "next": "/console/payments?a=b"})

    assert page.status_code == 200 and seat.providers.begun == [("acme", "https://console.example")]
    there = "https://login.example/authorize?client_id=payments&state=state"
    assert f'content="0; url={html.escape(there)}"' in page.text and f'href="{html.escape(there)}"' in page.text
    # The policy of every page: no form of ours leads to another host.
    assert "form-action 'self'" in page.headers["content-security-policy"]
    kept = page.headers["set-cookie"]
    assert "HttpOnly" in kept and "Secure" in kept and "SameSite=lax" in kept and "Path=/console/login" in kept
    attempt = ATTEMPTS.open(page.cookies[ATTEMPT_COOKIE].strip(QUOTES))
    assert attempt is not None and attempt.next == "/console/payments?a=b"
    assert "verifier" not in page.text and "verifier" not in kept


async def test_whoever_comes_back_has_a_session_and_the_attempt_is_over() -> None:
    seat = seated()
    begun = await seat.post(BEGIN, {"tenant": "acme", "next": "/console/payments"})
    seat.cookies = {ATTEMPT_COOKIE: begun.cookies[ATTEMPT_COOKIE]}

    # A browser says that it was another site which has sent it here, and that is how it is to be.
    entered = await seat.get(BACK, {"sec-fetch-site": "cross-site"})

    assert (entered.status_code, entered.headers["location"]) == (303, "/console/payments")
    assert SESSIONS.open(entered.cookies[COOKIE].strip(QUOTES), now=0) is not None
    assert ATTEMPT_COOKIE not in entered.cookies
    assert any(line.startswith(f"{ATTEMPT_COOKIE}=") for line in entered.headers.get_list("set-cookie"))
    ((attempt, query, path),) = seat.providers.completed
    assert attempt is not None and attempt.tenant_id == "acme"
    assert (query, path) == ({"code": "c", "state": "state"}, "/console/login/callback/a")


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example/console/", "/console/../v1/me", "/\\evil"])
async def test_a_login_leads_nowhere_else(next_: str) -> None:
    seat = seated()
    begun = await seat.post(BEGIN, {"tenant": "acme", "next": next_})
    seat.cookies = {ATTEMPT_COOKIE: begun.cookies[ATTEMPT_COOKIE]}

    entered = await seat.get(BACK)

    assert (entered.status_code, entered.headers["location"]) == (303, "/console/overview")


async def test_a_cookie_is_kept_however_long_the_page_to_show_is() -> None:
    seat = seated()
    page = await seat.post(BEGIN, {"tenant": "acme", "next": f"/console/payments?a={'b' * 5000}"})
    # With its name and attributes: what browsers take.
    assert len(page.headers["set-cookie"]) < 4096
    attempt = ATTEMPTS.open(page.cookies[ATTEMPT_COOKIE].strip(QUOTES))
    assert attempt is not None and (attempt.tenant_id, attempt.next) == ("acme", "")


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
async def test_no_other_site_begins_a_login(headers: dict[str, str]) -> None:
    seat = seated()

    answer = await seat.post(BEGIN, {"tenant": "acme"}, headers)

    assert answer.status_code == 403 and "form_expired" in answer.text
    assert not seat.providers.begun and ATTEMPT_COOKIE not in answer.cookies


@pytest.mark.parametrize(
    "cookie", ["", "a", "AAAA", SESSIONS.seal(Seat().session)], ids=["none", "a", "AAAA", "of a session"]
)
async def test_a_cookie_that_is_none_of_an_attempt_is_none(cookie: str) -> None:
    seat = seated()
    seat.providers.fault = LoginNotBegun()
    seat.cookies = {ATTEMPT_COOKIE: cookie}

    answer = await seat.get(BACK)

    assert answer.status_code == 403 and "login_not_begun" in answer.text and COOKIE not in answer.cookies
    assert seat.providers.completed[0][0] is None


async def test_an_attempt_is_no_session() -> None:
    seat = seated()
    begun = await seat.post(BEGIN, {"tenant": "acme"})
    assert SESSIONS.open(begun.cookies[ATTEMPT_COOKIE].strip(QUOTES), now=0) is None


@pytest.mark.parametrize(
    ("fault", "is_over"),
    [
        (LoginNotBegun(), False),
        (IdentityRefused("no"), True),
        (IdentityUnknown("nobody"), True),
        (TenantSuspended("suspended"), True),
        (IdentityProviderUnavailable("away"), True),
    ],
)
async def test_whoever_is_refused_is_shown_why_and_may_try_again(fault: Exception, is_over: bool) -> None:
    seat = seated()
    begun = await seat.post(BEGIN, {"tenant": "acme", "next": "/console/payments"})
    seat.cookies = {ATTEMPT_COOKIE: begun.cookies[ATTEMPT_COOKIE]}
    seat.providers.fault = fault

    answer = await seat.get(BACK)

    code, status = getattr(fault, "code", ""), getattr(fault, "status", 0)
    assert answer.status_code == status and code in answer.text and COOKIE not in answer.cookies
    assert 'name="tenant" value="acme"' in answer.text and 'name="next" value="/console/payments"' in answer.text
    # Anybody can have this browser open an address: that ends no login of its own.
    assert (ATTEMPT_COOKIE in answer.headers.get("set-cookie", "")) is is_over


@pytest.mark.parametrize("tenant", ["", "a b", "x" * 65, "é", "a\x00b"])
async def test_what_names_no_tenant_has_no_provider(tenant: str) -> None:
    seat = seated()

    answer = await seat.post(BEGIN, {"tenant": tenant})

    assert answer.status_code == 404 and "identity_provider_not_found" in answer.text and not seat.providers.begun


async def test_a_tenant_without_a_provider_is_shown_as_one_that_is_unknown() -> None:
    seat = seated()
    seat.providers.fault = IdentityProviderNotFound()

    answer = await seat.post(BEGIN, {"tenant": "acme"})

    assert answer.status_code == 404 and 'name="tenant" value="acme"' in answer.text


async def test_a_link_may_name_the_tenant() -> None:
    page = await seated().get('/console/login?tenant=acme"><script>')
    assert 'name="tenant" value="acme&#34;&gt;&lt;script&gt;"' in page.text


async def test_a_form_sets_the_first_provider_and_shows_the_one_that_is_set() -> None:
    seat, path = Seat(), ("GET", "/v1/identity-provider")
    seat.answers[path] = 404, {"title": "Not Found", "status": 404, "code": "identity_provider_not_found"}
    page = await seat.get("/console/identity-provider")
    form = await seat.get("/console/do/putIdentityProvider")
    assert page.status_code == form.status_code == 200
    assert "/console/do/putIdentityProvider" in page.text and "deleteIdentityProvider" not in page.text
    assert 'name="f.issuer"' in form.text

    shown = {"issuer": "https://login.example", "client_id": "payments", "has_client_secret": True}
    paths = {"redirect_path": "/console/login/callback/a", "login_path": "/console/login?tenant=a"}
    times = {"created_at": "2026-11-30T00:00:00Z", "updated_at": "2026-11-30T00:00:00Z"}
    seat.answers[path] = 200, {**shown, **paths, **times}
    page = await seat.get("/console/identity-provider")
    form = await seat.get("/console/do/putIdentityProvider")
    assert "/console/login/callback/a" in page.text and "/console/login?tenant=a" in page.text
    assert "deleteIdentityProvider" in page.text and 'value="https://login.example"' in form.text
    # What is secret is never there, and hidden while it is written.
    assert re.search('<input[^>]*name="f.client_secret"[^>]*type="password"', form.text)
