"""Keys of our own: what they sign others can verify, they rotate without a gap, and none ever meets another algorithm."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import RSAAlgorithm

from deploy.local.errors import LocalFailure
from deploy.local.keypair import make_pair
from libs.common.clock import ManualClock
from libs.common.secrets import digest, one_line, published, secret_fault
from libs.common.settings import SettingsError, load
from libs.common.web.errors import HttpProblem
from services.api.access import Tokens, read_again
from services.api.access.jwks import Fetch, KeySet
from services.api.access.signing import VerifyingKey, read_private, read_public, verifying_key
from services.api.app import check_settings
from services.api.http.callers import Principal
from services.api.settings import AuthSettings, Settings

SECRET = "a-secret-of-the-tests-that-is-long-enough"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAYLOAD = {"iss": "local-auth", "sub": "eve", "tid": "*", "roles": ["admin"], "exp": int(START.timestamp()) + 60}
type Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
RSA, OTHER_RSA = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
CURVE, OTHER_CURVE = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def pem(key: Key, password: bytes | None = None) -> str:
    kept = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept).decode()


def public_pem(key: Key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return verifying_key(key.public_key()).key_id


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def tokens(clock: ManualClock, **changes: Any) -> Tokens:
    return Tokens(AuthSettings(**{"jwt_secret": SECRET, **changes}), clock)


def issued(one: Tokens, sub: str = "ops@demo") -> str:
    who = Principal(sub=sub, tid="t", roles=("ops",), perms=frozenset(), plan="pro", region="region-a", jti="")
    return one.issue(who, user_id="u1", now=START, context={})[0]


def always(document: bytes) -> Fetch:
    """An address that always has the same document."""

    async def fetch(_: str) -> bytes:
        return document

    return fetch


async def is_accepted(one: Tokens, token: str) -> bool:
    try:
        await one.verify(f"Bearer {token}")
    except HttpProblem as refused:
        assert refused.status == 401
        return False
    return True


def signed_by_hand(header: dict[str, Any], mark: Callable[[bytes], bytes], payload: dict[str, Any] = PAYLOAD) -> str:
    """A token as no library would write it."""
    text = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, payload))
    return (text + b"." + urlsafe_b64encode(mark(text)).rstrip(b"=")).decode()


def keyed(secret: bytes, text: bytes) -> bytes:
    return hmac.digest(secret, text, "sha256")


def test_key_id_is_the_thumbprint_of_the_standard() -> None:
    example = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok"
        "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6"
        "qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa"
        "pJzKnqDKgw",
        "e": "AQAB",
    }
    key = RSAAlgorithm.from_jwk(example)
    assert isinstance(key, rsa.RSAPublicKey)
    found = verifying_key(key)
    assert found.key_id == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert found.published() == {**example, "kid": found.key_id, "use": "sig", "alg": "RS256"}


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (CURVE, "ES256")])
async def test_others_verify_our_tokens_with_our_key_set(clock: ManualClock, key: Key, algorithm: str) -> None:
    one = tokens(clock, jwt_private_key=pem(key))
    token = issued(one)
    header = jwt.get_unverified_header(token)
    assert header["alg"] == algorithm
    document = json.loads(one.key_set)
    assert [published["kid"] for published in document["keys"]] == [header["kid"]]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & document["keys"][0].keys()
    theirs = jwt.PyJWKSet.from_json(one.key_set.decode())[header["kid"]]
    read = jwt.decode(token, theirs, algorithms=[algorithm], issuer="local-auth", options={"verify_exp": False})
    assert read["sub"] == "ops@demo"
    # Another installation, which has our address as its provider's.
    other = Tokens(
        AuthSettings(jwt_secret="n" * 40),
        clock,
        key_set=KeySet("https://we.example/.well-known/jwks.json", clock, fetch=always(one.key_set)),
    )
    assert await is_accepted(other, token)
    assert await is_accepted(one, token)


async def test_tokens_signed_with_the_secret_are_valid_until_switched_off(clock: ManualClock) -> None:
    brought = jwt.encode(PAYLOAD, SECRET, algorithm="HS256")
    assert await is_accepted(tokens(clock, jwt_private_key=pem(RSA)), brought)
    strict = tokens(clock, jwt_private_key=pem(RSA), jwt_hs256=False)
    assert not await is_accepted(strict, brought)
    assert await is_accepted(strict, issued(strict))


def test_without_a_key_of_our_own_nothing_is_published(clock: ManualClock) -> None:
    assert tokens(clock).key_set == b'{"keys":[]}'


async def test_keys_rotate_without_a_gap_while_processes_change_in_turn(clock: ManualClock) -> None:
    old, new = pem(RSA), pem(CURVE)
    steps: list[dict[str, Any]] = [
        {"jwt_private_key": old},
        {"jwt_private_key": old, "jwt_public_keys": public_pem(CURVE)},
        {"jwt_private_key": new, "jwt_public_keys": public_pem(RSA)},
        {"jwt_private_key": new},
    ]
    # At any time some processes are one step ahead of others: each believes what the other signs.
    for before, after in pairwise(steps):
        behind, ahead = tokens(clock, **before), tokens(clock, **after)
        assert await is_accepted(behind, issued(ahead))
        assert await is_accepted(ahead, issued(behind))
        # And whoever kept the set of the one behind still finds the key of the one ahead.
        assert ahead.signs_with in behind.published
    first, last = tokens(clock, **steps[0]), tokens(clock, **steps[3])
    assert not await is_accepted(last, issued(first))
    assert (last.signs_with, last.published) == (key_id(CURVE), [key_id(CURVE)])


async def test_a_token_of_a_withdrawn_key_is_refused_though_verified_before(clock: ManualClock) -> None:
    one = tokens(clock, jwt_private_key=pem(RSA))
    token, brought = issued(one), jwt.encode(PAYLOAD, SECRET, algorithm="HS256")
    assert await is_accepted(one, token)
    assert await is_accepted(one, brought)
    assert not one.use(AuthSettings(jwt_secret=SECRET, jwt_private_key=pem(RSA)))
    assert one.use(AuthSettings(jwt_secret="n" * 40, jwt_secret_previous=SECRET, jwt_private_key=pem(OTHER_RSA)))
    assert not await is_accepted(one, token)
    assert await is_accepted(one, brought)
    assert one.use(AuthSettings(jwt_secret="n" * 40, jwt_private_key=pem(OTHER_RSA)))
    assert not await is_accepted(one, brought)
    assert await is_accepted(one, issued(one))


async def test_changed_files_are_taken_into_use_and_unusable_ones_are_not(clock: ManualClock, tmp_path: Path) -> None:
    secret, private = tmp_path / "secret", tmp_path / "private"
    secret.write_text(SECRET)
    private.write_text(pem(RSA))
    environ = {"JWT_SECRET_FILE": str(secret), "JWT_PRIVATE_KEY_FILE": str(private)}

    def read() -> AuthSettings:
        return load(Settings, service="api", environ=environ, check=check_settings).auth

    one = Tokens(read(), clock)
    await read_again(one, read)
    assert one.signs_with == key_id(RSA)
    for broken in ("", "half of a key", pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))):
        private.write_text(broken)
        await read_again(one, read)
        assert one.signs_with == key_id(RSA)
    private.write_text(pem(CURVE))
    await read_again(one, read)
    assert one.signs_with == key_id(CURVE)
    secret.write_text("n" * 40)
    await read_again(one, read)
    assert not await is_accepted(one, jwt.encode(PAYLOAD, SECRET, algorithm="HS256"))
    assert await is_accepted(one, jwt.encode(PAYLOAD, "n" * 40, algorithm="HS256"))


async def test_no_key_meets_another_algorithm(clock: ManualClock) -> None:
    one = tokens(clock, jwt_private_key=pem(RSA), jwt_public_keys=public_pem(CURVE))
    rs, es = key_id(RSA), key_id(CURVE)
    as_pem, as_jwk = public_pem(RSA).encode(), json.dumps(verifying_key(RSA.public_key()).published()).encode()
    forged = [
        *(
            signed_by_hand({"alg": "HS256", "typ": "JWT", "kid": kid}, partial(keyed, secret))
            for kid in (rs, es)
            for secret in (as_pem, as_pem.strip(), as_jwk, b"", public_pem(CURVE).encode(), rs.encode())
        ),
        *(signed_by_hand({"alg": name, "kid": rs}, lambda _: b"") for name in ("none", "None", "NONE", "nOnE", "")),
        signed_by_hand({"alg": ["RS256"], "kid": rs}, lambda _: b""),
        signed_by_hand({"alg": None, "kid": rs}, lambda _: b""),
        signed_by_hand({"kid": rs}, lambda _: b""),
        jwt.encode(PAYLOAD, RSA, algorithm="RS512", headers={"kid": rs}),
        jwt.encode(PAYLOAD, RSA, algorithm="PS256", headers={"kid": rs}),
        jwt.encode(PAYLOAD, RSA, algorithm="RS256", headers={"kid": es}),
        jwt.encode(PAYLOAD, CURVE, algorithm="ES256", headers={"kid": rs}),
        jwt.encode(PAYLOAD, OTHER_RSA, algorithm="RS256", headers={"kid": rs}),
        jwt.encode(PAYLOAD, OTHER_CURVE, algorithm="ES256", headers={"kid": es}),
        jwt.encode(PAYLOAD, OTHER_RSA, algorithm="RS256", headers={"kid": key_id(OTHER_RSA)}),
        jwt.encode(
            PAYLOAD,
            OTHER_RSA,
            algorithm="RS256",
            headers={"kid": "x", "jwk": verifying_key(OTHER_RSA.public_key()).published()},
        ),
        jwt.encode(PAYLOAD, RSA, algorithm="RS256"),
        signed_by_hand({"alg": "RS256", "kid": 1}, lambda _: b""),
        jwt.encode(PAYLOAD | {"iss": "somebody"}, RSA, algorithm="RS256", headers={"kid": rs}),
        jwt.encode(PAYLOAD, SECRET + SECRET, algorithm="HS384"),
    ]
    for token in forged:
        assert not await is_accepted(one, token), token
    assert await is_accepted(one, jwt.encode(PAYLOAD, RSA, algorithm="RS256", headers={"kid": rs}))
    assert await is_accepted(one, jwt.encode(PAYLOAD, CURVE, algorithm="ES256", headers={"kid": es}))


async def test_a_provider_cannot_sign_as_we_do_nor_with_the_name_of_our_key(clock: ManualClock) -> None:
    theirs = {**VerifyingKey(OTHER_RSA.public_key(), "RS256").published(), "kid": key_id(RSA)}
    document = json.dumps({"keys": [theirs, {**theirs, "kid": "theirs"}]}).encode()
    settings = AuthSettings(jwt_secret=SECRET, jwt_private_key=pem(RSA), jwks_issuer="https://login.example.com")
    one = Tokens(settings, clock, key_set=KeySet("https://x", clock, fetch=always(document)))
    named = PAYLOAD | {"iss": "https://login.example.com"}
    assert await is_accepted(one, jwt.encode(named, OTHER_RSA, algorithm="RS256", headers={"kid": "theirs"}))
    assert not await is_accepted(one, jwt.encode(PAYLOAD, OTHER_RSA, algorithm="RS256", headers={"kid": "theirs"}))
    for payload in (PAYLOAD, named):
        assert not await is_accepted(
            one, jwt.encode(payload, OTHER_RSA, algorithm="RS256", headers={"kid": key_id(RSA)})
        )


def faults(**environ: str) -> list[str]:
    try:
        load(Settings, service="api", environ=environ, check=check_settings)
    except SettingsError as refused:
        return refused.faults
    return []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "JWT_PRIVATE_KEY",
            pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
            "is an RSA key of 1024 bits, not of 2048 to 4096",
        ),
        (
            "JWT_PRIVATE_KEY",
            pem(rsa.generate_private_key(public_exponent=3, key_size=2048)),
            "is an RSA key with an exponent below 65537",
        ),
        (
            "JWT_PRIVATE_KEY",
            pem(ec.generate_private_key(ec.SECP384R1())),
            "is a key on the curve secp384r1, not on P-256",
        ),
        (
            "JWT_PRIVATE_KEY",
            pem(ec.generate_private_key(ec.SECP256K1())),
            "is a key on the curve secp256k1, not on P-256",
        ),
        (
            "JWT_PRIVATE_KEY",
            pem(ed25519.Ed25519PrivateKey.generate()),
            "is neither an RSA key nor a key on the curve P-256",
        ),
        ("JWT_PRIVATE_KEY", pem(RSA, b"a password"), "is encrypted, so that no process can read it"),
        ("JWT_PRIVATE_KEY", public_pem(RSA), "is no private key in PEM"),
        ("JWT_PRIVATE_KEY", pem(RSA) + pem(CURVE), "has more than 1 key"),
        ("JWT_PRIVATE_KEY", "c2VjcmV0" * 8, "is not in PEM, as in -----BEGIN ... KEY-----"),
        ("JWT_PRIVATE_KEY", pem(RSA)[:-30], "is not in PEM, as in -----BEGIN ... KEY-----"),
        ("JWT_PUBLIC_KEYS", public_pem(CURVE) + pem(RSA), "has a private key, and needs public ones only"),
        ("JWT_PUBLIC_KEYS", public_pem(CURVE) + "and more", "is not in PEM, as in -----BEGIN ... KEY-----"),
        (
            "JWT_PUBLIC_KEYS",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            "has something that is no public key in PEM",
        ),
        ("JWT_HS256", "false", "=false needs JWT_PRIVATE_KEY, or no token can be signed"),
    ],
)
def test_an_unusable_key_is_one_sentence_with_the_command_to_make_one(name: str, value: str, sentence: str) -> None:
    (fault,) = faults(**{name: value})
    assert fault.startswith(f"{name} {sentence}".replace(" =", "="))
    assert "`just make-key FILE`" in fault
    assert "PRIVATE KEY-----\n" not in fault


def test_a_key_is_read_from_one_line_too() -> None:
    assert read_private(pem(RSA).replace("\n", "\\n")).public.key_id == key_id(RSA)
    assert [key.algorithm for key in read_public(public_pem(RSA) + public_pem(CURVE))] == ["RS256", "ES256"]


def test_a_private_key_that_stands_in_the_sources_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    private = pem(CURVE)
    assert secret_fault("jwt_private_key", private, setting="JWT_PRIVATE_KEY") is None
    monkeypatch.setattr("libs.common.secrets.published", lambda: published() | {digest(one_line(private))})
    for written in (private, private.replace("\n", "\\n"), f"\n{private}\n"):
        fault = secret_fault("jwt_private_key", written, setting="JWT_PRIVATE_KEY")
        assert fault is not None
        assert fault.startswith("JWT_PRIVATE_KEY stands in the sources")
        assert "just make-key" in fault


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_the_command_makes_a_pair_and_never_replaces_one(tmp_path: Path, algorithm: Any) -> None:
    file = tmp_path / "signing.pem"
    public = make_pair(file, algorithm)
    assert file.stat().st_mode & 0o777 == 0o600
    assert faults(JWT_PRIVATE_KEY_FILE=str(file), JWT_PUBLIC_KEYS_FILE=str(public), JWT_HS256="false") == []
    (published_key,) = read_public(public.read_text())
    made = read_private(file.read_text()).public
    assert (made.key_id, made.algorithm) == (published_key.key_id, algorithm)
    with pytest.raises(LocalFailure, match="is there already"):
        make_pair(file, algorithm)
