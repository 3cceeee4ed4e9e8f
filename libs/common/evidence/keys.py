"""The Ed25519 keys that sign where chains end, and those that verify it."""

import re
from collections.abc import Sequence
from hashlib import sha256

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def key_id(key: Ed25519PublicKey) -> str:
    """Name a key by the first 16 digits of the SHA-256 of its 32 bytes."""
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def read_private_key(pem: str) -> Ed25519PrivateKey:
    """Read a private key in PEM.

    Raises:
        ValueError: when it is no Ed25519 key.
    """
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as fault:
        raise ValueError("must be PEM of an Ed25519 private key") from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("must be PEM of an Ed25519 private key")
    return key


def read_public_keys(pem: str) -> dict[str, Ed25519PublicKey]:
    """Read public keys in PEM, one after another.

    Raises:
        ValueError: when one is no Ed25519 key.
    """
    found = {}
    for block in _PEM.findall(pem):
        try:
            key = load_pem_public_key(block.encode())
        except ValueError as fault:
            raise ValueError("must be PEM of Ed25519 public keys") from fault
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("must be PEM of Ed25519 public keys")
        found[key_id(key)] = key
    if pem.strip() and not found:
        raise ValueError("must be PEM of Ed25519 public keys")
    return found


class SigningKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a service, as PEM in its settings."""

    private: str
    """Of the key that signs; empty: nothing is signed."""
    next_private: str
    """Of the key that signs beside it while rotating."""
    public: str
    """Further ones that verify."""

    def faults(self, *, prefix: str) -> list[str]:
        """Find what cannot be used; one sentence each, with the names of settings that begin with `prefix`."""
        found = []
        for name, pem, read in (
            ("SIGNING_PRIVATE_KEY", self.private, read_private_key),
            ("SIGNING_NEXT_PRIVATE_KEY", self.next_private, read_private_key),
            ("PUBLIC_KEYS", self.public, read_public_keys),
        ):
            try:
                if pem:
                    read(pem)
            except ValueError as fault:
                found.append(f"{prefix}_{name} {fault}")
        if self.next_private and not self.private:
            found.append(f"{prefix}_SIGNING_NEXT_PRIVATE_KEY needs {prefix}_SIGNING_PRIVATE_KEY")
        return found

    def signing(self) -> list[Ed25519PrivateKey]:
        """Read the keys that sign."""
        return [read_private_key(pem) for pem in (self.private, self.next_private) if pem]

    def verifying(self) -> dict[str, Ed25519PublicKey]:
        """Read the public keys of all, by id."""
        own = [key.public_key() for key in self.signing()]
        return read_public_keys(self.public) | {key_id(key): key for key in own}


def write_public_keys(keys: Sequence[Ed25519PrivateKey]) -> str:
    """Write the public keys of private ones in PEM, each below its id."""
    found = []
    for key in (private.public_key() for private in keys):
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        found.append(f"# {key_id(key)}\n{pem}")
    return "".join(found)
