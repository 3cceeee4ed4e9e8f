"""Requests to an identity provider: how often, at which addresses, and what is remembered of it."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from jwt import PyJWS

from libs.common.clock import ManualClock
from libs.common.egress import LOCAL_NETWORKS, EgressGuard
from services.api.access.jwks import PAUSE_SECONDS
from services.api.identity_errors import IdentityProviderUnavailable, IdentityRefused
from services.api.identity_providers.domain import Attempt, callback_path, fault_of_address
from services.api.identity_providers.provider import Provider
from services.api.outside import Outside
from tests.support.identity_provider import CLIENT, KEYS, SECRET, Grant, TestProvider, provider_running

CHALLENGE = "iMnq5o6zALKXGivsnlom_0F5_WYda32GHkxlV7mq7hQ"
"""Of the verifier `verifier`."""
DISCOVERY = "/.well-known/openid-configuration"


@asynccontextmanager
async def asking(clock: ManualClock, guard: EgressGuard) -> AsyncIterator[Provider]:
    outside = Outside(guard)
    try:
        yield Provider(outside, clock, is_local=True)
    finally:
        await outside.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


def attempt_at(theirs: TestProvider) -> Attempt:
    theirs.grants["code"] = Grant(nonce="nonce", challenge=CHALLENGE, redirect_uri="https://console.example/")
    return Attempt(
        tenant_id="t",
        issuer=theirs.issuer,
        client_id=CLIENT,
        state="state",
        nonce="nonce",
        verifier="verifier",
        redirect_uri="https://console.example/",
        next="",
        ends_at=0,
    )


async def test_addresses_and_keys_are_read_once_for_a_while(clock: ManualClock) -> None:
    async with provider_running() as theirs, asking(clock, EgressGuard(allowed=LOCAL_NETWORKS)) as provider:
        for _ in range(3):
            found = await provider.identified(attempt_at(theirs), "code", secret=SECRET)
            assert (found.subject, found.email) == (theirs.subject, theirs.email)
        assert theirs.requests.count(DISCOVERY) == theirs.requests.count("/keys") == 1
        clock.advance(timedelta(seconds=299))
        await provider.metadata(theirs.issuer)
        clock.advance(timedelta(seconds=1))
        await provider.metadata(theirs.issuer)
        assert theirs.requests.count(DISCOVERY) == 2


async def test_an_unknown_key_has_the_keys_read_again_once(clock: ManualClock) -> None:
    async with provider_running() as theirs, asking(clock, EgressGuard(allowed=LOCAL_NETWORKS)) as provider:
        await provider.identified(attempt_at(theirs), "code", secret=SECRET)
        theirs.published, theirs.signs_with, theirs.algorithm = ["other"], "other", "RS256"
        clock.advance(timedelta(seconds=PAUSE_SECONDS))
        await provider.identified(attempt_at(theirs), "code", secret=SECRET)
        assert theirs.requests.count("/keys") == 2
        theirs.key_id = "invented"
        for _ in range(3):
            with pytest.raises(IdentityRefused):
                await provider.identified(attempt_at(theirs), "code", secret=SECRET)
        assert theirs.requests.count("/keys") == 2


async def test_a_provider_in_our_own_network_is_not_reached(clock: ManualClock) -> None:
    async with provider_running() as theirs, asking(clock, EgressGuard()) as provider:
        with pytest.raises(IdentityProviderUnavailable):
            await provider.metadata(theirs.issuer)
        assert theirs.requests == []


@pytest.mark.parametrize("member", ["token_endpoint", "jwks_uri"])
async def test_nor_is_an_address_there_that_a_provider_outside_states(clock: ManualClock, member: str) -> None:
    guard = EgressGuard(allowed=["127.0.0.1/32"])
    async with provider_running() as theirs, asking(clock, guard) as provider:
        theirs.metadata[member] = "http://169.254.169.254/latest/meta-data"
        with pytest.raises(IdentityProviderUnavailable):
            await provider.identified(attempt_at(theirs), "code", secret=SECRET)


async def test_who_does_not_answer_is_left_alone_for_a_moment(clock: ManualClock) -> None:
    async with provider_running() as theirs, asking(clock, EgressGuard(allowed=LOCAL_NETWORKS)) as provider:
        theirs.metadata["jwks_uri"] = None
        for _ in range(3):
            with pytest.raises(IdentityProviderUnavailable):
                await provider.metadata(theirs.issuer)
        assert theirs.requests == [DISCOVERY]
        clock.advance(timedelta(seconds=5))
        theirs.metadata.clear()
        assert (await provider.metadata(theirs.issuer)).issuer == theirs.issuer


NESTED = '{"a":' + "[" * 100_000


@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/keys"])
async def test_an_answer_that_is_nested_without_end_is_none(clock: ManualClock, path: str) -> None:
    async with provider_running() as theirs, asking(clock, EgressGuard(allowed=LOCAL_NETWORKS)) as provider:
        theirs.texts[path] = NESTED
        with pytest.raises(IdentityProviderUnavailable):
            await provider.identified(attempt_at(theirs), "code", secret=SECRET)


@pytest.mark.parametrize(
    "token",
    [
        f"{b64encode(NESTED[:11_900].encode()).decode()}.e30.AAAA",
        PyJWS().encode(NESTED[:11_900].encode(), KEYS["rsa"], algorithm="RS256", headers={"kid": "rsa"}),
    ],
    ids=["header", "claims"],
)
async def test_nor_is_an_id_token_that_is(clock: ManualClock, token: str) -> None:
    async with provider_running() as theirs, asking(clock, EgressGuard(allowed=LOCAL_NETWORKS)) as provider:
        theirs.token = token
        with pytest.raises(IdentityRefused):
            await provider.identified(attempt_at(theirs), "code", secret=SECRET)


async def test_an_email_that_is_another_one_in_small_letters_is_none(clock: ManualClock) -> None:
    async with provider_running() as theirs, asking(clock, EgressGuard(allowed=LOCAL_NETWORKS)) as provider:
        theirs.claims = {"email": "\N{KELVIN SIGN}arl@example.com", "email_verified": True}
        found = await provider.identified(attempt_at(theirs), "code", secret=SECRET)
        assert found.email == ""
        theirs.claims = {"email": "Karl@example.com", "email_verified": True}
        found = await provider.identified(attempt_at(theirs), "code", secret=SECRET)
        assert found.email == "karl@example.com"


@pytest.mark.parametrize(
    ("address", "is_fine"),
    [
        (f"https://login.example.com/{'a' * 2000}", False),
        ("https://login.example.com/realms/a", True),
        ("https://login.example.com:8443", True),
        ("https://login.example.com:22", False),
        ("http://login.example.com", False),
        ("https://a@login.example.com", False),
    ],
)
def test_in_production_addresses_are_of_https_at_its_ports(address: str, is_fine: bool) -> None:
    assert (fault_of_address(address, is_local=False) == "") is is_fine


def test_each_tenant_has_an_address_of_its_own_that_stays() -> None:
    assert callback_path("a") == callback_path("a") != callback_path("b")
