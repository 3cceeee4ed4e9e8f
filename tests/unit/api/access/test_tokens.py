"""Tokens: what is cached is never accepted longer than it is valid, and no header of a token chooses how it is checked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from libs.common.clock import ManualClock
from libs.common.web.errors import HttpProblem
from services.api.access import Tokens
from services.api.http.callers import Principal
from services.api.settings import AuthSettings

SECRET = "a-secret-of-the-tests-that-is-long-enough"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def tokens(clock: ManualClock, **changes: Any) -> Tokens:
    return Tokens(AuthSettings(jwt_secret=SECRET, **changes), clock)


def operator() -> Principal:
    return Principal(
        sub="ops@demo",
        tid="tenant_demo",
        roles=("ops",),
        perms=frozenset({"payments:write", "ledger:read"}),
        plan="pro",
        region="region-a",
        jti="",
    )


def issued(one: Tokens) -> str:
    return one.issue(operator(), user_id="u1", now=START, context={"email": "ops@demo"})[0]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def test_an_issued_token_has_exactly_the_claims_of_the_contract(clock: ManualClock) -> None:
    stated = jwt.decode(issued(tokens(clock)), options={"verify_signature": False})
    assert stated == {
        "iss": "local-auth",
        "sub": "ops@demo",
        "tid": "tenant_demo",
        "roles": ["ops"],
        "perms": ["ledger:read", "payments:write"],
        "plan": "pro",
        "region": "region-a",
        "iat": int(START.timestamp()),
        "exp": int(START.timestamp()) + 3600,
        "jti": f"u1.{int(START.timestamp())}",
        "ctx": {"email": "ops@demo"},
    }


@pytest.mark.parametrize(
    ("read_at", "tokens_from", "expected"),
    [
        # Our clock is ahead of the database's: a change of a moment later is after the token all the same.
        (-7, None, -7),
        (-7.5, -8, -8),
        (-7.5, -7.75, -7.5),
        # Our clock is behind: whoever logs in after a change gets no token of before it.
        (7, None, 0),
        (7, 5.5, 5.5),
    ],
)
def test_a_token_states_when_its_user_was_read(
    clock: ManualClock, read_at: float, tokens_from: float | None, expected: float
) -> None:
    def at(seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    token, who = tokens(clock).issue(
        operator(),
        user_id="u1",
        now=START,
        read_at=at(read_at),
        tokens_from=None if tokens_from is None else at(tokens_from),
        context={},
    )
    stated = jwt.decode(token, options={"verify_signature": False})
    assert stated["iat"] == who.issued_at == at(expected).timestamp()
    assert stated["exp"] == int(START.timestamp()) + 3600


async def test_a_token_is_accepted_until_it_expires_and_no_longer(clock: ManualClock) -> None:
    one = tokens(clock, token_expires_seconds=20)
    header = f"Bearer {issued(one)}"
    first = await one.verify(header)
    clock.advance(timedelta(seconds=19))
    assert await one.verify(header) is first  # from the cache
    clock.advance(timedelta(seconds=1))
    with pytest.raises(HttpProblem, match="Token expired"):
        await one.verify(header)


async def test_secrets_rotate(clock: ManualClock) -> None:
    old = issued(tokens(clock))
    rotated = Tokens(AuthSettings(jwt_secret="n" * 40, jwt_secret_previous=SECRET), clock)
    assert (await rotated.verify(f"Bearer {old}")).sub == "ops@demo"
    done = Tokens(AuthSettings(jwt_secret="n" * 40), clock)
    with pytest.raises(HttpProblem, match="Invalid token"):
        await done.verify(f"Bearer {old}")


async def test_an_audience_is_required_only_where_one_is_set(clock: ManualClock) -> None:
    strict = tokens(clock, jwt_audience="payments")
    assert (await strict.verify(f"bearer {issued(strict)}")).sub == "ops@demo"
    with pytest.raises(HttpProblem):
        await strict.verify(f"Bearer {issued(tokens(clock))}")
    assert (await tokens(clock).verify(f"Bearer {issued(strict)}")).sub == "ops@demo"


async def test_a_token_cannot_choose_another_algorithm(clock: ManualClock) -> None:
    payload = jwt.decode(issued(tokens(clock)), options={"verify_signature": False})
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = [
        jwt.encode(payload, "", algorithm="none"),
        jwt.encode(payload, private, algorithm="RS256"),
        jwt.encode(payload, SECRET + SECRET, algorithm="HS512"),
        jwt.encode(payload, pem.hex(), algorithm="HS256"),
    ]
    for token in forged:
        with pytest.raises(HttpProblem, match="Invalid token"):
            await tokens(clock).verify(f"Bearer {token}")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Token abc"])
async def test_a_header_without_a_bearer_token_is_missing(clock: ManualClock, header: str | None) -> None:
    with pytest.raises(HttpProblem, match="Missing bearer token"):
        await tokens(clock).verify(header)


@pytest.mark.parametrize("token", ["a.b.c", "\u00e9", "eyJhbGciOiJIUzI1NiJ9.e30.x", "." * 5000, "a b"])
async def test_garbage_is_no_token(clock: ManualClock, token: str) -> None:
    with pytest.raises(HttpProblem, match="Invalid token"):
        await tokens(clock).verify(f"Bearer {token}")
