"""The key set of an identity provider (RFC 7517): read when it is needed, kept for a while, read anew for a new key id.

Only keys for RS256 (RSA of at least 2048 bits) and ES256 (P-256) that are meant for signatures are kept, each for its one
algorithm, so that no other kind of key can ever meet a token. Reading is bounded in size, in time and in how often it happens, whatever key ids strangers invent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import jwt
import msgspec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from libs.common.clock import Clock
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.access.signing import UnusableKey, VerifyingKey, verifying_key
from services.api.errors import KeySetUnavailable

log = get_logger("api.jwks")

FRESH_SECONDS = 300.0
"""How long a key set is used without reading it again. The first token after it still finds the last set, and has the set read
anew beside it; a withdrawn key is refused from then on."""
STALE_SECONDS = 3600.0
"""How long the last key set is used while the provider does not answer."""
PAUSE_SECONDS = 10.0
"""The pause between two readings, whatever key ids are looked up and whether or not the last one succeeded."""
_KEYS_MAX = 100
_PUBLIC: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, ...]]] = {
    "RSA": (RSAAlgorithm.from_jwk, ("kty", "n", "e")),
    "EC": (ECAlgorithm.from_jwk, ("kty", "crv", "x", "y")),
}
"""How each kind of key is read, and its public members: a private key published by mistake is not taken into our hands."""

type Fetch = Callable[[str], Awaitable[bytes]]
"""Reads the document at an address, bounded in size and time; raises OSError when it cannot be read."""


class KeySet:
    """The keys of one provider, by key id."""

    def __init__(self, uri: str, clock: Clock, *, fetch: Fetch) -> None:
        self._uri = uri
        self._clock = clock
        self._fetch = fetch
        self._keys: Mapping[str, VerifyingKey] = {}
        self._read_at = float("-inf")
        self._requested_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> VerifyingKey | None:
        """Find the key with this id; None when the provider has no such key.

        A key of the last set is found at once, also while the set is being read anew: only an id that is not in it waits.

        Raises:
            KeySetUnavailable: when the key set could not be read for too long.
        """
        found, age = self._keys.get(key_id), self._age()
        if found is not None and age < FRESH_SECONDS:
            return found
        reading = self._read_if_due()
        if found is not None and age < STALE_SECONDS:
            return found
        if reading is not None:
            # One reads for all that wait, and goes on when a request that waits is cancelled.
            await asyncio.shield(reading)
        if self._age() >= STALE_SECONDS:
            raise KeySetUnavailable
        return self._keys.get(key_id)

    def _read_if_due(self) -> asyncio.Task[None] | None:
        """Begin to read, at most once in a pause; the reading in progress, if there is one."""
        if self._reading is not None and not self._reading.done():
            return self._reading
        if self._now() - self._requested_at < PAUSE_SECONDS:
            return None
        self._requested_at = self._now()
        self._reading = asyncio.create_task(self._read(), name="read key set")
        return self._reading

    async def _read(self) -> None:
        try:
            self._keys = usable_keys(await self._fetch(self._uri))
        except (OSError, ValueError, RecursionError) as fault:
            metrics.JWKS_FETCHES.labels("failed").inc()
            log.warning("jwks.failed", reason=type(fault).__name__)
            return
        metrics.JWKS_FETCHES.labels("read").inc()
        self._read_at = self._now()

    def _age(self) -> float:
        return self._now() - self._read_at

    def _now(self) -> float:
        return self._clock.now().timestamp()


def usable_keys(raw: bytes) -> dict[str, VerifyingKey]:
    """Read the keys of a key set that signatures may be checked with; others are passed over.

    Raises:
        ValueError: when it is no key set.
    """
    document = msgspec.json.decode(raw, type=dict[str, Any])
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("no key set")
    found: dict[str, VerifyingKey] = {}
    for one in listed[:_KEYS_MAX]:
        if not isinstance(one, dict) or not isinstance(one.get("kid"), str) or one.get("use", "sig") != "sig":
            continue
        if not isinstance(kind := one.get("kty"), str) or kind not in _PUBLIC:
            continue
        read, members = _PUBLIC[kind]
        try:
            key = verifying_key(read({name: one[name] for name in members if name in one}))
        except (jwt.InvalidKeyError, UnusableKey, ValueError, TypeError, KeyError):
            continue
        if one.get("alg", key.algorithm) == key.algorithm:
            found[one["kid"]] = key
    return found
