"""Logging in by the tenant's identity provider: who is let in, as whom, and what only looks like it is refused."""

import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from tests.integration.api.access.test_access import log_in
from tests.integration.api.administration.test_administration import admin
from tests.integration.api.conftest import UNLIMITED, serving, settings_for
from tests.integration.api.identity_providers.conftest import PASSWORD, PATH, Browser, Place, add_user
from tests.support.databases import TestDatabase
from tests.support.identity_provider import CLIENT, SECRET, provider_running
from tests.support.platform import Client


async def test_a_user_is_let_in_as_by_password(place: Place) -> None:
    browser = place.browser()
    entered = await browser.get(await browser.at_provider(await browser.begin(place.tenant, next="/console/me?a=b")))

    assert (entered.status, entered.location) == (303, "/console/me?a=b")
    shown = await browser.get("/console/me")
    assert shown.status == 200 and place.email in shown.text
    assert "console_login" not in browser.cookies
    (line,) = await place.lines("auth.login.success")
    assert line == {"roles": "ops", "way": "identity_provider", "actor": place.email, "target": place.provider.issuer}
    assert (await log_in(place.api, place.email, PASSWORD)).status == 200
    assert [line["way"] for line in await place.lines("auth.login.success")] == ["password", "identity_provider"]
    (sent,) = place.provider.used
    assert "client_secret" not in sent


async def test_the_provider_learns_the_state_and_no_secret(place: Place) -> None:
    address = await place.browser().begin(place.tenant)
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert query.keys() == {
        *("kind", "response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method"),
    }
    assert len(query["state"]) >= 32 and len(query["nonce"]) >= 32 and query["state"] != query["nonce"]
    assert query["redirect_uri"].startswith(f"{place.api.base}/console/login/callback/")


@pytest.mark.parametrize("methods", [["client_secret_post"], None])
async def test_we_prove_ourselves_as_the_provider_wants(place: Place, methods: list[str] | None) -> None:
    place.provider.metadata["token_endpoint_auth_methods_supported"] = methods
    assert (await place.browser().log_in(place.tenant)).status == 303


async def test_a_public_client_proves_itself_by_pkce_alone(place: Place) -> None:
    place.provider.is_public = True
    stated = {"issuer": place.provider.issuer, "client_id": CLIENT}
    assert (await admin(place.api, place.tenant).call("PUT", PATH, stated)).status == 200
    assert (await place.browser().log_in(place.tenant)).status == 303
    assert "client_secret" not in place.provider.used[0]


async def test_keys_of_either_kind_sign_and_a_new_one_is_found(place: Place) -> None:
    place.provider.signs_with, place.provider.algorithm = "ec", "ES256"
    assert (await place.browser().log_in(place.tenant)).status == 303


async def test_a_user_is_found_by_the_subject_alone_from_then_on(place: Place) -> None:
    assert (await place.browser().log_in(place.tenant)).status == 303
    # The person is called otherwise now; the platform goes by the subject.
    subject, place.provider.email = place.provider.subject, "married@example.com"
    assert (await place.browser().log_in(place.tenant)).status == 303
    place.provider.claims = {"email_verified": False}
    assert (await place.browser().log_in(place.tenant)).status == 303

    # Somebody else has got the address.
    place.provider.claims, place.provider.email, place.provider.subject = {}, place.email, "somebody else"
    refused = await place.browser().log_in(place.tenant)
    assert (refused.status, refused.code) == (403, "identity_unknown")
    # And nobody gets another user by changing their address.
    _, other = await add_user(place.api, place.tenant)
    place.provider.subject, place.provider.email = subject, other
    browser = place.browser()
    assert (await browser.log_in(place.tenant)).status == 303
    assert other not in (await browser.get("/console/me")).text


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}])
async def test_an_email_that_is_not_verified_finds_nobody(place: Place, claims: dict[str, Any]) -> None:
    place.provider.claims = claims
    refused = await place.browser().log_in(place.tenant)
    assert (refused.status, refused.code) == (403, "identity_unknown")
    (line,) = await place.lines("auth.login.failed")
    assert (line["reason"], line["way"], line["actor"]) == (
        "identity_unknown",
        "identity_provider",
        place.provider.subject,
    )


async def test_nobody_becomes_a_user_by_logging_in(place: Place) -> None:
    other = f"{place.tenant}-other"
    _, elsewhere = await add_user(place.api, other)
    for email in ("stranger@example.com", elsewhere, "admin@local"):
        place.provider.email, place.provider.subject = email, f"subject of {email}"
        browser = place.browser()
        refused = await browser.log_in(place.tenant)
        assert (refused.status, refused.code) == (403, "identity_unknown")
        assert not browser.has_session


async def test_who_is_disabled_is_refused_before_and_after_the_first_login(place: Place) -> None:
    root, path = admin(place.api, place.tenant), f"/v1/users/{place.user_id}"
    for _ in range(2):
        assert (await root.call("PATCH", path, {"is_disabled": True})).status == 200
        assert (await place.browser().log_in(place.tenant)).code == "identity_unknown"
        assert (await root.call("PATCH", path, {"is_disabled": False})).status == 200
        assert (await place.browser().log_in(place.tenant)).status == 303


async def test_users_of_a_suspended_tenant_are_refused(place: Place) -> None:
    operator = place.api.client("00000000-0000-0000-0000-000000000001", tid="*", roles=["admin"], perms=[])
    body = {"name": "Acme", "plan": "pro", "region": "region-a", "status": "SUSPENDED"}
    assert (await operator.call("PUT", f"/v1/tenants/{place.tenant}", body)).status == 200
    assert (await place.browser().log_in(place.tenant)).code == "tenant_suspended"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"azp": "another-client"},
        {"exp": int(time.time()) - 3600},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200},
        {"nonce": "of-another-login"},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
        *({name: None} for name in ("iss", "sub", "aud", "exp", "iat", "nonce")),
    ],
    # Without the instants, which are others in each process.
    ids=lambda claims: re.sub(r"\d{6,}", "...", str(claims)),
)
async def test_an_id_token_that_is_not_for_this_login_is_refused(place: Place, claims: dict[str, Any]) -> None:
    place.provider.claims = claims
    browser = place.browser()
    refused = await browser.log_in(place.tenant)
    assert (refused.status, refused.code, browser.has_session) == (403, "identity_refused", False)


@pytest.mark.parametrize(
    ("key", "algorithm", "key_id"),
    [("rsa", "HS256", ""), ("rsa", "none", ""), ("rsa", "RS512", ""), ("rsa", "PS256", ""), ("other", "RS256", ""),
     ("other", "RS256", "rsa"), ("rsa", "RS256", "ec")],
)  # fmt: skip
async def test_a_signature_of_another_key_or_kind_is_refused(
    place: Place, key: str, algorithm: str, key_id: str
) -> None:
    place.provider.signs_with, place.provider.algorithm, place.provider.key_id = key, algorithm, key_id
    refused = await place.browser().log_in(place.tenant)
    assert (refused.status, refused.code) == (403, "identity_refused")


@pytest.mark.parametrize("token", ["", "a.b", "x" * 20_000, "{}"])
async def test_what_is_no_id_token_is_refused(place: Place, token: str) -> None:
    place.provider.token = token
    assert (await place.browser().log_in(place.tenant)).code == "identity_refused"


async def test_a_code_is_of_no_use_to_another_browser_or_again(place: Place) -> None:
    browser = place.browser()
    back = await browser.at_provider(await browser.begin(place.tenant))
    # An attacker has a victim's browser open their own answer: it has begun nothing, or something else.
    victim = place.browser()
    assert (await victim.get(back)).code == "login_not_begun"
    await victim.begin(place.tenant)
    assert (await victim.get(back)).code == "login_not_begun"
    assert not victim.has_session and not place.provider.used

    kept = dict(browser.cookies)
    assert (await browser.get(back)).status == 303
    again = place.browser()
    assert (await again.get(back)).code == "login_not_begun"
    # By a copy of what the browser had kept: the code is used.
    again.cookies = {"console_login": kept["console_login"]}
    assert (await again.get(back)).code == "identity_refused"
    assert not again.has_session


async def test_an_answer_for_another_provider_is_refused(place: Place) -> None:
    other = f"{place.tenant}-other"
    async with provider_running() as theirs:
        stated = {"issuer": theirs.issuer, "client_id": CLIENT, "client_secret": SECRET}
        assert (await admin(place.api, other).call("PUT", PATH, stated)).status == 200
        browser = place.browser()
        # A provider sends the browser on to another one, to get its code.
        begun = await browser.begin(other)
        elsewhere = begun.replace(theirs.issuer, place.provider.issuer)
        back = await browser.at_provider(elsewhere)
        assert (await browser.get(back)).code == "identity_refused"
        place.provider.names_issuer = theirs.names_issuer = False
        theirs.metadata["authorization_response_iss_parameter_supported"] = None
        # Each has an address of its own here, and none is taken for another.
        own = await place.browser().begin(place.tenant)
        (redirect_uri,) = parse_qs(urlsplit(own).query)["redirect_uri"]
        await browser.begin(other)
        query = urlsplit(back).query
        assert (await browser.get(f"{redirect_uri}?{query}")).code == "login_not_begun"
        assert not theirs.used and not place.provider.used and not browser.has_session


async def test_an_answer_must_name_its_issuer_where_the_provider_says_so(place: Place) -> None:
    place.provider.names_issuer = False
    assert (await place.browser().log_in(place.tenant)).code == "identity_refused"


async def test_a_login_of_before_another_provider_was_set_is_over(place: Place) -> None:
    browser = place.browser()
    back = await browser.at_provider(await browser.begin(place.tenant))
    stated = {"issuer": place.provider.issuer, "client_id": "another"}
    assert (await admin(place.api, place.tenant).call("PUT", PATH, stated)).status == 200
    assert (await browser.get(back)).code == "login_not_begun"


async def test_what_the_provider_refuses_is_shown_as_text(place: Place) -> None:
    place.provider.error = 'access_denied"><script>'
    refused = await place.browser().log_in(place.tenant)
    assert refused.code == "identity_refused"
    assert "access_denied&#34;&gt;&lt;script&gt;" in refused.text and "<script>" not in refused.text


@pytest.mark.parametrize("status", [302, 500])
async def test_a_provider_that_is_out_of_order_is_no_refusal(place: Place, status: int) -> None:
    place.provider.token_status = status
    failed = await place.browser().log_in(place.tenant)
    assert (failed.status, failed.code) == (503, "identity_provider_unavailable")
    assert "/elsewhere" not in place.provider.requests


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"token_endpoint": "ftp://a.example/"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"code_challenge_methods_supported": ["plain"]},
    ],
    ids=str,
)
async def test_a_provider_that_states_something_else_is_not_used(place: Place, metadata: dict[str, Any]) -> None:
    place.provider.metadata = metadata
    page = await place.browser().request("POST", "/console/login/provider", {"tenant": place.tenant})
    assert (page.status, page.code) == (503, "identity_provider_unavailable")
    # Nor again and again.
    await place.browser().request("POST", "/console/login/provider", {"tenant": place.tenant})
    assert len(place.provider.requests) == 1


async def test_two_who_are_first_at_once_do_not_share_a_user(place: Place) -> None:
    one, two = place.browser(), place.browser()
    back_one = await one.at_provider(await one.begin(place.tenant))
    back_two = await two.at_provider(await two.begin(place.tenant))
    assert (await one.get(back_one)).status == 303
    place.provider.subject = "another subject"
    assert (await two.get(back_two)).code == "identity_unknown"


async def test_tokens_of_such_a_session_end_as_all_do(place: Place) -> None:
    browser = place.browser()
    assert (await browser.log_in(place.tenant)).status == 303
    root: Client = admin(place.api, place.tenant)
    assert (await root.call("PATCH", f"/v1/users/{place.user_id}", {"is_disabled": True})).status == 200
    assert (await browser.get("/console/me")).location.startswith("/console/login")


async def test_logins_of_one_address_are_counted_together(api_database: TestDatabase, tenant_id: str) -> None:
    rates = msgspec.structs.replace(UNLIMITED, rate_limit_login_address_per_min=3)
    async with serving(api_database, settings_for(api_database, rates=rates)) as api:
        browser, form = Browser(api), {"tenant": tenant_id}
        begun = [(await browser.request("POST", "/console/login/provider", form)).status for _ in range(2)]
        # Any page can have a browser open this one.
        back = [(await browser.get("/console/login/callback/a?code=b&state=c")).status for _ in range(3)]
        assert begun + back == [404, 404, 403, 403, 403]
        assert (await log_in(api, "ops@demo", "wrong")).status == 401
        assert (await log_in(api, "ops@demo", "wrong")).status == 429


async def test_logins_that_come_back_are_counted_too(api_database: TestDatabase, tenant_id: str) -> None:
    rates = msgspec.structs.replace(UNLIMITED, rate_limit_login_address_per_min=2)
    async with serving(api_database, settings_for(api_database, rates=rates)) as api, provider_running() as provider:
        stated = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET}
        assert (await admin(api, tenant_id).call("PUT", PATH, stated)).status == 200
        browser = Browser(api)
        back = await browser.at_provider(await browser.begin(tenant_id))
        assert (await browser.get(back)).code == "identity_unknown"
        browser = Browser(api)
        assert (await browser.request("POST", "/console/login/provider", {"tenant": tenant_id})).status == 429
