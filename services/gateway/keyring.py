"""Processors' keys at rest: AES-256-GCM with a key id in front, so that master keys can rotate while the service runs."""

import base64
import hashlib
import os
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.gateway.errors import KeyUnreadable

_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
"""96 bits, as NIST SP 800-38D recommends for random nonces; configurations are far too few for a collision."""


class KeyRing:
    """Seals with the current master key, opens with the current and the previous ones.

    What is sealed is `version (1) | key id (8) | nonce (12) | ciphertext and tag`. Tenant and configuration are authenticated
    beside it: a ciphertext copied to another configuration's row does not open.
    """

    def __init__(self, current: str, previous: Sequence[str] = ()) -> None:
        """Take master keys of 32 bytes in base64, the current one first."""
        keys = [base64.b64decode(key, validate=True) for key in (current, *previous)]
        self._current = _key_id(keys[0])
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}

    def seal(self, secret: str, *, tenant_id: str, config_id: UUID) -> bytes:
        """Encrypt a secret of one configuration with the current master key."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, secret.encode(), _owner(tenant_id, config_id))
        return _VERSION + self._current + nonce + sealed

    def unseal(self, sealed: bytes, *, tenant_id: str, config_id: UUID) -> str:
        """Decrypt a secret of one configuration.

        Raises:
            KeyUnreadable: when its master key is not in the ring, or it was sealed for another configuration.
        """
        key_id, rest = sealed[1 : 1 + _KEY_ID_BYTES], sealed[1 + _KEY_ID_BYTES :]
        cipher = self._ciphers.get(key_id)
        if cipher is None or sealed[:1] != _VERSION:
            raise KeyUnreadable("the master key that sealed this is not in the key ring")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _owner(tenant_id, config_id)).decode()
        except (InvalidTag, ValueError) as fault:
            raise KeyUnreadable("this was not sealed for this configuration") from fault

    def is_current(self, sealed: bytes) -> bool:
        """Whether something is sealed with the current master key; what is not can be sealed anew."""
        return sealed[1 : 1 + _KEY_ID_BYTES] == self._current


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"gateway key id" + key).digest()[:_KEY_ID_BYTES]


def _owner(tenant_id: str, config_id: UUID) -> bytes:
    return config_id.bytes + tenant_id.encode()
