"""Asymmetric keys that sign tokens: read from PEM, named by their thumbprint (RFC 7638), published as a key set (RFC 7517).

A key fits exactly one algorithm: RSA keys RS256, keys on the curve P-256 ES256. Weak keys are not read at all.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

RS256, ES256 = "RS256", "ES256"
ALGORITHMS = frozenset({RS256, ES256})
"""How tokens may be signed with a private key."""
RSA_BITS_MIN = 2048
"""NIST SP 800-131A: RSA keys below 2048 bits are not to be used."""
_RSA_BITS_MAX = 4096
"""Beyond, one signature takes longer than a payment."""
_RSA_EXPONENT_MIN = 65537
_COORDINATE_BYTES = 32
_KEYS_MAX = 16
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)

type Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
type Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class UnusableKey(ValueError):
    """A key is none, or too weak; the text names what is wrong with it, and nothing of the key."""


class VerifyingKey(msgspec.Struct, frozen=True):
    """A public key and the one algorithm that it verifies."""

    key: Public
    algorithm: str

    @property
    def key_id(self) -> str:
        """The thumbprint of RFC 7638: everybody derives the same name from the same key."""
        members = msgspec.json.encode(self._members(), order="sorted")
        return _base64url(hashlib.sha256(members).digest())

    def published(self) -> dict[str, str]:
        """The key as a member of a key set."""
        return {**self._members(), "kid": self.key_id, "use": "sig", "alg": self.algorithm}

    def _members(self) -> dict[str, str]:
        if isinstance(self.key, rsa.RSAPublicKey):
            numbers = self.key.public_numbers()
            return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        point = self.key.public_numbers()
        x, y = (_number(coordinate, _COORDINATE_BYTES) for coordinate in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


class SigningKey(msgspec.Struct, frozen=True):
    """A private key, and the public one that verifies what it signs."""

    private: Private
    public: VerifyingKey


def verifying_key(key: object) -> VerifyingKey:
    """Take a public key for signatures.

    Raises:
        UnusableKey: when it is of another kind, or weak.
    """
    if isinstance(key, rsa.RSAPublicKey):
        if not RSA_BITS_MIN <= key.key_size <= _RSA_BITS_MAX:
            raise UnusableKey(f"is an RSA key of {key.key_size} bits, not of {RSA_BITS_MIN} to {_RSA_BITS_MAX}")
        if key.public_numbers().e < _RSA_EXPONENT_MIN:
            raise UnusableKey(f"is an RSA key with an exponent below {_RSA_EXPONENT_MIN}")
        return VerifyingKey(key, RS256)
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise UnusableKey(f"is a key on the curve {key.curve.name}, not on P-256")
        return VerifyingKey(key, ES256)
    raise UnusableKey("is neither an RSA key nor a key on the curve P-256")


def read_private(pem: str) -> SigningKey:
    """Read one private key in PEM; a line break may be written `\\n`.

    Raises:
        UnusableKey: when it is none, or weak.
    """
    (block,) = _blocks(pem, keys_max=1)
    try:
        key = load_pem_private_key(block, password=None)
    except TypeError as fault:
        raise UnusableKey("is encrypted, so that no process can read it") from fault
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise UnusableKey("is no private key in PEM") from fault
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise UnusableKey("is neither an RSA key nor a key on the curve P-256")
    return SigningKey(key, verifying_key(key.public_key()))


def read_public(pems: str) -> tuple[VerifyingKey, ...]:
    """Read public keys in PEM, one after another.

    Raises:
        UnusableKey: when one is none, or weak, or private.
    """
    found: list[VerifyingKey] = []
    for block in _blocks(pems, keys_max=_KEYS_MAX):
        if b"PRIVATE" in block.partition(b"\n")[0]:
            raise UnusableKey("has a private key, and needs public ones only")
        try:
            found.append(verifying_key(load_pem_public_key(block)))
        except UnusableKey:
            raise
        except (ValueError, UnsupportedAlgorithm) as fault:
            raise UnusableKey("has something that is no public key in PEM") from fault
    return tuple(found)


def key_set(keys: Iterable[VerifyingKey]) -> bytes:
    """Write the document that others verify our tokens with: public members only."""
    return msgspec.json.encode({"keys": [key.published() for key in keys]})


def _blocks(text: str, *, keys_max: int) -> list[bytes]:
    text = text.replace("\\n", "\n")
    blocks = [match[0].encode() for match in _BLOCK.finditer(text)]
    if not blocks or _BLOCK.sub("", text).strip():
        raise UnusableKey("is not in PEM, as in -----BEGIN ... KEY-----")
    if len(blocks) > keys_max:
        raise UnusableKey(f"has more than {keys_max} key{'s' if keys_max > 1 else ''}")
    return blocks


def _number(number: int, length: int | None = None) -> str:
    return _base64url(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
