"""What a key is, how its secret is written, and how one differs from a token."""

import hashlib
import secrets
import zlib
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

FOR_PEOPLE = frozenset({"ledger:approve"})
"""Permissions that no key has: whoever proposes a journal entry must not approve it with a key of their own."""
OVERLAP_SECONDS, OVERLAP_SECONDS_MAX = 86_400, 2_592_000
"""How long a rotated key stays valid beside the new one: by default, and at most (30 days)."""
EXPIRES_AFTER_MAX = timedelta(days=3660)
"""How far ahead a key may expire; one that shall live longer names no end."""
ACTIVE_MAX = 100
"""Active keys of one tenant, without those that are rotated and still valid beside the new one."""
OVERLAPPING_MAX = 2 * ACTIVE_MAX
"""Active keys of one tenant with those that are rotated."""

_PREFIX = "payk_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES, _RANDOM_DIGITS, _CHECK_DIGITS = 32, 43, 6
_LENGTH = _RANDOM_DIGITS + _CHECK_DIGITS
_HINT_LENGTH = 4


class KeyMode(StrEnum):
    """Where a key counts: a place has one mode, and takes keys of that mode alone."""

    TEST = "test"
    LIVE = "live"


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a key to let its bearer in."""

    id: UUID
    """The key."""
    tenant_id: str
    """Whose it is."""
    scopes: tuple[str, ...]
    """What it may do."""
    expires_at: datetime | None
    """Until when it is valid; None: until it is revoked."""
    revoked_at: datetime | None
    """When it was revoked."""
    responsible: str
    """The person who made it, through keys that made keys."""
    plan: str
    """The tenant's plan."""
    region: str
    """The tenant's region."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept: without its secret, of which only a digest is."""

    tenant_id: str
    """Whose it is."""
    id: UUID
    """UUIDv7."""
    name: str
    """The tenant's own name of it."""
    mode: str
    """`test` or `live`."""
    hint: str
    """The last four characters of the secret."""
    scopes: tuple[str, ...]
    """Permissions, sorted."""
    created_by: str
    """Subject of whoever made it."""
    created_at: datetime
    """When."""
    expires_at: datetime | None
    """Until when it is valid; None: until it is revoked."""
    revoked_at: datetime | None
    """When it was revoked."""
    last_used_at: datetime | None
    """When it was used last, a minute more or less."""
    rotated_to: UUID | None
    """The key that replaces it."""
    responsible: str
    """The person who made it, through keys that made keys."""

    def is_active(self, now: datetime) -> bool:
        """Whether it is accepted."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_secret(mode: KeyMode) -> str:
    """Make a secret: `payk_test_`, 256 random bits and a checksum in base 62, 59 characters in all."""
    number = int.from_bytes(secrets.token_bytes(_RANDOM_BYTES), "big")
    drawn = _written(number, _RANDOM_DIGITS)
    return f"{_PREFIX}{mode}_{drawn}{_checksum(mode, drawn)}"


def is_secret(bearer: str) -> bool:
    """Whether a bearer claims to be a key: no token begins so."""
    return bearer.startswith(_PREFIX)


def mode_of(secret: str) -> KeyMode | None:
    """Read of which mode a key is; None where it cannot be one of ours, by its form and checksum."""
    mode, separator, rest = secret.removeprefix(_PREFIX).partition("_")
    if not separator or mode not in set(KeyMode) or len(rest) != _LENGTH:
        return None
    if rest[_RANDOM_DIGITS:] != _checksum(mode, rest[:_RANDOM_DIGITS]):
        return None
    return KeyMode(mode)


def digest_of(secret: str) -> bytes:
    """The digest by which a key is kept and found: SHA-256 (why no slow hash: decision 43)."""
    return hashlib.sha256(secret.encode("latin-1", "replace")).digest()


def hint_of(secret: str) -> str:
    """The end of a secret, by which people tell keys apart."""
    return secret[-_HINT_LENGTH:]


def _checksum(mode: str, drawn: str) -> str:
    return _written(zlib.crc32(f"{mode}_{drawn}".encode("latin-1", "replace")), _CHECK_DIGITS)


def _written(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
