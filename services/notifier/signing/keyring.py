"""Signing secrets at rest: AES-256-GCM with a key id in front, so that keys can rotate while the service runs."""

import base64
import hashlib
import os
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.notifier.domain import Minted
from services.notifier.errors import SecretUnreadable
from services.notifier.signing.signatures import new_secret, new_signing_key

_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
"""96 bits, as NIST SP 800-38D recommends for random nonces; secrets are far too few for a collision."""


class KeyRing:
    """Seals with the current key, opens with the current and the previous ones.

    A sealed secret is `version (1) | key id (8) | nonce (12) | ciphertext and tag`. Tenant and endpoint are authenticated
    beside it: a ciphertext copied to another endpoint's row does not open.
    """

    def __init__(self, current: str, previous: Sequence[str] = ()) -> None:
        """Take keys of 32 bytes in base64, the current one first."""
        keys = [base64.b64decode(key, validate=True) for key in (current, *previous)]
        self._current = _key_id(keys[0])
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}

    def mint(self, *, tenant_id: str, endpoint_id: UUID, has_public_key: bool = False) -> Minted:
        """Mint the secret of one endpoint, and an ed25519 key beside it if wanted."""
        secret = new_secret()
        held, public_key = secret, None
        if has_public_key:
            private, public_key = new_signing_key()
            held = f"{secret} {private}"
        return Minted(
            secret=secret, sealed=self.seal(held, tenant_id=tenant_id, endpoint_id=endpoint_id), public_key=public_key
        )

    def rekey(self, sealed: bytes, *, tenant_id: str, endpoint_id: UUID, has_public_key: bool) -> Minted:
        """Keep a secret and mint, or forget, the ed25519 key beside it.

        Raises:
            SecretUnreadable: when the secret cannot be opened.
        """
        secret = self.unseal(sealed, tenant_id=tenant_id, endpoint_id=endpoint_id).split(" ")[0]
        held, public_key = secret, None
        if has_public_key:
            private, public_key = new_signing_key()
            held = f"{secret} {private}"
        return Minted(
            secret=secret, sealed=self.seal(held, tenant_id=tenant_id, endpoint_id=endpoint_id), public_key=public_key
        )

    def seal(self, secret: str, *, tenant_id: str, endpoint_id: UUID) -> bytes:
        """Encrypt the secret of one endpoint with the current key."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, secret.encode(), _owner(tenant_id, endpoint_id))
        return _VERSION + self._current + nonce + sealed

    def unseal(self, sealed: bytes, *, tenant_id: str, endpoint_id: UUID) -> str:
        """Decrypt the secret of one endpoint.

        Raises:
            SecretUnreadable: when the key is not in the ring, or the secret was sealed for another endpoint.
        """
        key_id, rest = sealed[1 : 1 + _KEY_ID_BYTES], sealed[1 + _KEY_ID_BYTES :]
        cipher = self._ciphers.get(key_id)
        if cipher is None or sealed[:1] != _VERSION:
            raise SecretUnreadable("the key that sealed this secret is not in the key ring")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _owner(tenant_id, endpoint_id)).decode()
        except (InvalidTag, ValueError) as fault:
            raise SecretUnreadable("this secret was not sealed for this endpoint") from fault

    def reseal(self, sealed: bytes, *, tenant_id: str, endpoint_id: UUID) -> bytes:
        """Encrypt with the current key what an earlier one sealed; what the current one sealed comes back as it is.

        Raises:
            SecretUnreadable: when the secret cannot be opened.
        """
        if self.is_current(sealed):
            return sealed
        return self.seal(
            self.unseal(sealed, tenant_id=tenant_id, endpoint_id=endpoint_id),
            tenant_id=tenant_id,
            endpoint_id=endpoint_id,
        )

    @property
    def current_id(self) -> bytes:
        """The id of the current key, eight bytes: bytes 2 to 9 of whatever it sealed."""
        return self._current

    def is_current(self, sealed: bytes) -> bool:
        """Whether a secret is sealed with the current key; one that is not can be sealed anew."""
        return sealed[1 : 1 + _KEY_ID_BYTES] == self._current


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"webhook secret key id" + key).digest()[:_KEY_ID_BYTES]


def _owner(tenant_id: str, endpoint_id: UUID) -> bytes:
    return endpoint_id.bytes + tenant_id.encode()
