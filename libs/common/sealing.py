"""Secrets at rest: AES-256-GCM with a key id in front, so that keys can rotate while a service runs."""

import base64
import hashlib
import os
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common.errors import PlatformError

_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
"""96 bits, as NIST SP 800-38D recommends for random nonces; secrets are far too few for a collision."""


class KeyRing:
    """Seals with the current key, opens with the current and the previous ones.

    A sealed secret is `version (1) | key id (8) | nonce (12) | ciphertext and tag`. Its owner, a row of a tenant, is
    authenticated beside it: a ciphertext copied to another row does not open.
    """

    def __init__(
        self, current: str, previous: Sequence[str] = (), *, label: bytes, unreadable: type[PlatformError]
    ) -> None:
        """Take keys of 32 bytes in base64, the current one first.

        `label` tells the key ids of one use from those of another; `unreadable` is raised for what cannot be opened.
        """
        keys = [base64.b64decode(key, validate=True) for key in (current, *previous)]
        self._label = label
        self._unreadable = unreadable
        self._current = self._key_id(keys[0])
        self._ciphers = {self._key_id(key): AESGCM(key) for key in keys}

    @property
    def current_id(self) -> bytes:
        """The id of the current key, eight bytes: bytes 2 to 9 of whatever it sealed."""
        return self._current

    def is_current(self, sealed: bytes) -> bool:
        """Whether a secret is sealed with the current key; one that is not can be sealed again."""
        return sealed[1 : 1 + _KEY_ID_BYTES] == self._current

    def seal(self, secret: str, *, tenant_id: str, owner_id: UUID) -> bytes:
        """Encrypt a secret of one owner with the current key."""
        nonce, owner = os.urandom(_NONCE_BYTES), _owner(tenant_id, owner_id)
        return _VERSION + self._current + nonce + self._ciphers[self._current].encrypt(nonce, secret.encode(), owner)

    def unseal(self, sealed: bytes, *, tenant_id: str, owner_id: UUID) -> str:
        """Decrypt a secret of one owner.

        Raises:
            PlatformError: of the given kind, when the key is not in the ring, or the secret was sealed for another owner.
        """
        key_id, rest = sealed[1 : 1 + _KEY_ID_BYTES], sealed[1 + _KEY_ID_BYTES :]
        cipher = self._ciphers.get(key_id)
        if cipher is None or sealed[:1] != _VERSION:
            raise self._unreadable("the key that sealed this secret is not in the key ring")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _owner(tenant_id, owner_id)).decode()
        except (InvalidTag, ValueError) as fault:
            raise self._unreadable("this secret was sealed for another owner") from fault

    def reseal(self, sealed: bytes, *, tenant_id: str, owner_id: UUID) -> bytes:
        """Encrypt with the current key what an earlier one sealed; what the current one sealed comes back as it is.

        Raises:
            PlatformError: of the given kind, when the secret cannot be opened.
        """
        if self.is_current(sealed):
            return sealed
        secret = self.unseal(sealed, tenant_id=tenant_id, owner_id=owner_id)
        return self.seal(secret, tenant_id=tenant_id, owner_id=owner_id)

    def _key_id(self, key: bytes) -> bytes:
        return hashlib.sha256(self._label + key).digest()[:_KEY_ID_BYTES]


def _owner(tenant_id: str, owner_id: UUID) -> bytes:
    return owner_id.bytes + tenant_id.encode()
