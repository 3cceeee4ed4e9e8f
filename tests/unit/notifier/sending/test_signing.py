"""Signatures that the official library verifies, and secrets that a stolen database does not give away."""

import base64
import binascii
import hashlib
import hmac
import os
from datetime import UTC, datetime
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from libs.common.ids import new_id
from services.notifier.errors import SecretUnreadable
from services.notifier.sending import SIGNED_HEADERS, EndpointSecrets, signed_headers
from services.notifier.sending.signing import _sign, new_secret, new_signing_key

BODY = '{"id":"0190f3a4-5b6c-7d8e-9f01-23456789abcd","data":{"customer_ref":"José"}}'.encode()


def key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def sign(*secrets: str) -> dict[str, str]:
    return signed_headers(
        signing_secrets=secrets,
        event_id=UUID("0190f3a4-5b6c-7d8e-9f01-23456789abcd"),
        event_type="payment.settled",
        delivery_id=UUID("0190f3a4-5b6c-7d8e-9f01-23456789abce"),
        body=BODY,
        sent_at=datetime.now(UTC),
    )


def test_the_official_library_verifies_what_we_sign() -> None:
    secret = new_secret()
    assert Webhook(secret).verify(BODY, sign(secret))["data"]["customer_ref"] == "José"


def test_the_official_library_refuses_another_body_and_another_secret() -> None:
    secret = new_secret()
    for body, used in [(BODY + b" ", secret), (BODY, new_secret())]:
        with pytest.raises(WebhookVerificationError):
            Webhook(used).verify(body, sign(secret))


def test_while_a_secret_rotates_both_verify() -> None:
    newest, older = new_secret(), new_secret()
    headers = sign(newest, older)
    Webhook(newest).verify(BODY, headers)
    Webhook(older).verify(BODY, headers)


def test_family_header_stays_on_the_earlier_secret_until_the_overlap_ends() -> None:
    newest, older = new_secret(), f"{new_secret()} {new_signing_key()[0]}"
    shown = older.split(" ", maxsplit=1)[0]
    during, after = sign(newest, older), sign(newest)
    assert during["X-Webhook-Signature"] == "sha256=" + hmac.new(shown.encode(), BODY, hashlib.sha256).hexdigest()
    assert after["X-Webhook-Signature"] == "sha256=" + hmac.new(newest.encode(), BODY, hashlib.sha256).hexdigest()


def test_the_published_vector_of_standard_webhooks() -> None:
    content = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    signature = _sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", content)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_family_header_is_keyed_with_the_secret_as_it_was_shown() -> None:
    secret = new_secret()
    headers = sign(secret)
    assert headers["X-Webhook-Signature"] == "sha256=" + hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    assert headers["X-Webhook-Event"] == "payment.settled"
    assert headers["X-Webhook-Delivery-Id"] == "0190f3a4-5b6c-7d8e-9f01-23456789abce"
    assert {name.lower() for name in headers} == SIGNED_HEADERS


def test_secrets_are_32_random_bytes_behind_their_prefix() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert new_secret() != secret


def test_a_sealed_secret_opens_for_its_own_endpoint_only() -> None:
    ring, secret, endpoint_id = EndpointSecrets(key()), new_secret(), new_id()
    sealed = ring.seal(secret, tenant_id="a", owner_id=endpoint_id)
    assert secret.encode() not in sealed
    assert ring.unseal(sealed, tenant_id="a", owner_id=endpoint_id) == secret
    for tenant_id, other in [("b", endpoint_id), ("a", new_id())]:
        with pytest.raises(SecretUnreadable):
            ring.unseal(sealed, tenant_id=tenant_id, owner_id=other)


def test_keys_rotate_and_a_forgotten_key_is_named() -> None:
    old, new, secret, endpoint_id = key(), key(), new_secret(), new_id()
    sealed = EndpointSecrets(old).seal(secret, tenant_id="a", owner_id=endpoint_id)
    rotated = EndpointSecrets(new, [old])
    assert rotated.unseal(sealed, tenant_id="a", owner_id=endpoint_id) == secret
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal(secret, tenant_id="a", owner_id=endpoint_id))
    with pytest.raises(SecretUnreadable, match="key ring"):
        EndpointSecrets(new).unseal(sealed, tenant_id="a", owner_id=endpoint_id)


@pytest.mark.parametrize("broken", [b"", b"\x01", b"\x01" + bytes(60)])
def test_rubbish_is_unreadable_and_no_crash(broken: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        EndpointSecrets(key()).unseal(broken, tenant_id="a", owner_id=new_id())


def test_what_an_earlier_version_has_sealed_still_opens() -> None:
    """Sealed once with this key and this nonce: another layout would lose every stored secret."""
    ring = EndpointSecrets(base64.b64encode(bytes(range(32))).decode())
    sealed = bytes.fromhex(
        "014102ee04f138c7c5000102030405060708090a0b306aa57ea6baa129db2bf4e6e7d9d2c258081d79ea3f6297c866716e30ce"
    )
    endpoint_id = UUID("0190f3a4-5b6c-7d8e-9f01-23456789abcd")
    assert ring.unseal(sealed, tenant_id="a", owner_id=endpoint_id) == "whsec_c2VjcmV0"
    assert (ring.is_current(sealed), ring.current_id.hex()) == (True, "4102ee04f138c7c5")
    assert len(ring.seal("whsec_c2VjcmV0", tenant_id="a", owner_id=endpoint_id)) == len(sealed)


def test_a_key_that_is_no_base64_is_refused_and_not_shortened() -> None:
    with pytest.raises(binascii.Error):
        EndpointSecrets(key() + "\u0020!")


def test_public_key_comes_and_goes_beside_a_secret_that_stays() -> None:
    ring, endpoint_id = EndpointSecrets(key()), new_id()
    first = ring.mint(tenant_id="a", endpoint_id=endpoint_id)
    assert first.public_key is None
    with_key = ring.rekey(first.sealed, tenant_id="a", endpoint_id=endpoint_id, has_public_key=True)
    assert with_key.secret == first.secret
    assert with_key.public_key is not None
    secret, private = ring.unseal(with_key.sealed, tenant_id="a", owner_id=endpoint_id).split(" ")
    assert (secret, private.startswith("whsk_")) == (first.secret, True)
    without = ring.rekey(with_key.sealed, tenant_id="a", endpoint_id=endpoint_id, has_public_key=False)
    assert (without.secret, without.public_key) == (first.secret, None)
    assert ring.unseal(without.sealed, tenant_id="a", owner_id=endpoint_id) == first.secret
