"""An identity provider's key set: accepted for RS256 alone, read anew for a new key id, and never more often than agreed."""

import asyncio
import hmac
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from libs.common.clock import ManualClock
from libs.common.web.errors import HttpProblem, InvalidToken
from services.api.access import Tokens
from services.api.access.jwks import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, KeySet, usable_keys
from services.api.errors import KeySetUnavailable
from services.api.settings import AuthSettings

SECRET = "a-secret-of-the-tests-that-is-long-enough"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEYS = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("one", "two")}


def jwk(name: str, **changes: Any) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(KEYS[name].public_key(), as_dict=True), "kid": name, "use": "sig", **changes}


def published(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Provider:
    """Publishes keys, counts its reads, and can be away."""

    def __init__(self, *names: str) -> None:
        self.document = published(*(jwk(name) for name in names))
        self.reads = 0
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def fetch(self, uri: str) -> bytes:
        self.reads += 1
        async with asyncio.timeout(30):
            await self.answers.wait()
        if self.away:
            raise OSError("away")
        return self.document


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def tokens(provider: Provider, clock: ManualClock, **changes: Any) -> Tokens:
    settings = AuthSettings(jwt_secret=SECRET, jwks_issuer="https://login.example.com", **changes)
    return Tokens(settings, clock, key_set=KeySet("https://login.example.com/keys", clock, fetch=provider.fetch))


def signed(name: str, *, kid: str | None = None, **changes: Any) -> str:
    payload = {
        "iss": "https://login.example.com",
        "sub": "ada",
        "tid": "t",
        "exp": int(START.timestamp()) + 86_400,
        **changes,
    }
    return "Bearer " + jwt.encode(payload, KEYS[name], algorithm="RS256", headers={"kid": kid or name})


def keyed_with_public(payload: dict[str, Any]) -> str:
    """A token whose shared secret is the public key: what a careless verifier of RS256 would accept."""
    pem = KEYS["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [{"alg": "HS256", "typ": "JWT", "kid": "one"}, payload]
    signed_part = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    mark = urlsafe_b64encode(hmac.digest(pem, signed_part, "sha256")).rstrip(b"=")
    return (signed_part + b"." + mark).decode()


async def test_a_token_of_the_provider_is_accepted_and_its_keys_are_read_once(clock: ManualClock) -> None:
    provider = Provider("one", "two")
    one = tokens(provider, clock)
    assert (await one.verify(signed("one"))).sub == "ada"
    assert (await one.verify(signed("two", sub="bob"))).sub == "bob"
    assert provider.reads == 1


async def test_a_new_key_is_found_and_unknown_ones_do_not_flood_the_provider(clock: ManualClock) -> None:
    provider = Provider("one")
    one = tokens(provider, clock)
    await one.verify(signed("one"))
    provider.document = published(jwk("two"))
    clock.advance(timedelta(seconds=PAUSE_SECONDS))
    assert (await one.verify(signed("two"))).sub == "ada"
    assert provider.reads == 2
    for number in range(50):
        with pytest.raises(HttpProblem, match="Invalid token"):
            await one.verify(signed("two", kid=f"invented-{number}"))
    assert provider.reads == 2


async def test_a_withdrawn_key_is_refused_once_the_set_is_not_fresh(clock: ManualClock) -> None:
    provider = Provider("one")
    one = tokens(provider, clock)
    await one.verify(signed("one"))
    provider.document = published(jwk("two"))
    clock.advance(timedelta(seconds=FRESH_SECONDS))
    # The set is read anew beside this one, and whoever waits for an id that is not known waits for that reading.
    assert (await one.verify(signed("one"))).sub == "ada"
    assert (await one.verify(signed("two"))).sub == "ada"
    # Another token: one that was verified a moment ago is not verified again.
    with pytest.raises(HttpProblem, match="Invalid token"):
        await one.verify(signed("one", sub="bob"))
    assert provider.reads == 2


@pytest.mark.parametrize("passed_seconds", [PAUSE_SECONDS, FRESH_SECONDS, STALE_SECONDS - 1])
async def test_a_valid_token_never_waits_for_the_provider_as_unknown_ids_do(
    clock: ManualClock, passed_seconds: float
) -> None:
    provider = Provider("one")
    one = tokens(provider, clock)
    await one.verify(signed("one"))
    provider.answers.clear()
    clock.advance(timedelta(seconds=passed_seconds))
    waiting = [asyncio.create_task(one.verify(signed("one", kid=f"invented-{number}"))) for number in range(20)]
    while provider.reads < 2:
        await asyncio.sleep(0)
    for sub in ("ada", "bob", "eve"):
        assert (await one.verify(signed("one", sub=sub))).sub == sub
    assert not any(task.done() for task in waiting)
    waiting[0].cancel()
    provider.answers.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ended] == [asyncio.CancelledError, *([InvalidToken] * 19)]
    for number in range(20):
        with pytest.raises(HttpProblem, match="Invalid token"):
            await one.verify(signed("one", kid=f"invented-later-{number}"))
    assert provider.reads == 2


async def test_all_that_arrive_before_the_first_set_share_one_reading(clock: ManualClock) -> None:
    provider = Provider("one")
    one = tokens(provider, clock)
    everybody = await asyncio.gather(*(one.verify(signed("one")) for _ in range(20)))
    assert {who.sub for who in everybody} == {"ada"}
    assert provider.reads == 1


async def test_outage_of_the_provider_is_bridged_and_then_reported(clock: ManualClock) -> None:
    provider = Provider("one")
    one = tokens(provider, clock)
    await one.verify(signed("one"))
    provider.away = True
    clock.advance(timedelta(seconds=STALE_SECONDS - 1))
    assert (await one.verify(signed("one"))).sub == "ada"
    clock.advance(timedelta(seconds=31))
    with pytest.raises(KeySetUnavailable):
        await one.verify(signed("one"))


async def test_neither_algorithm_meets_the_keys_of_the_other(clock: ManualClock) -> None:
    provider = Provider("one")
    one = tokens(provider, clock)
    payload = {"iss": "https://login.example.com", "sub": "eve", "tid": "*", "exp": int(START.timestamp()) + 60}
    forged = [
        keyed_with_public(payload),
        keyed_with_public(payload | {"iss": "local-auth"}),
        jwt.encode(payload, SECRET, algorithm="HS256", headers={"kid": "one"}),
        jwt.encode(payload, "", algorithm="none", headers={"kid": "one"}),
        jwt.encode(payload, KEYS["one"], algorithm="RS512", headers={"kid": "one"}),
        jwt.encode(payload, KEYS["one"], algorithm="PS256", headers={"kid": "one"}),
        jwt.encode(payload, KEYS["two"], algorithm="RS256", headers={"kid": "one"}),
        jwt.encode(payload, KEYS["one"], algorithm="RS256"),
        jwt.encode(payload | {"iss": "local-auth"}, KEYS["one"], algorithm="RS256", headers={"kid": "one"}),
    ]
    for token in forged:
        with pytest.raises(HttpProblem, match="Invalid token"):
            await one.verify(f"Bearer {token}")


async def test_rs256_is_refused_where_no_provider_is_set(clock: ManualClock) -> None:
    with pytest.raises(HttpProblem, match="Invalid token"):
        await Tokens(AuthSettings(jwt_secret=SECRET), clock).verify(signed("one"))


def test_only_keys_for_signatures_are_kept() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    document = published(
        jwk("one"),
        jwk("two", use="enc", kid="encryption"),
        jwk("two", alg="RS512", kid="other"),
        jwk("two", n="!", kid="broken"),
        {**jwk("two"), "kid": None},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "RS256"},
        {**RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True), "kid": "weak"},
        {**ECAlgorithm.to_jwk(curve, as_dict=True), "kid": "curve"},
    )
    assert list(usable_keys(document)) == ["one", "curve"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"keys": {}}', b"\xff"])
def test_a_document_that_is_no_key_set_is_an_outage(raw: bytes) -> None:
    with pytest.raises(ValueError):
        usable_keys(raw)
