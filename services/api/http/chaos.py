"""Failures on purpose, per tenant, so that clients can be tested against a bad day; only where `APP_ENV=local`.

What a tenant has chosen is kept in Redis for an hour, then forgotten: nobody has to remember to put the lights on again.
"""

import asyncio
import random
from time import monotonic
from typing import Annotated

import msgspec

from libs.common.precedence import Precedence
from libs.common.single_flight import SingleFlight
from services.api import metrics
from services.api.errors import StoreUnavailable
from services.api.rate_limit.store import Store
from services.api.settings import ChaosSettings

FAIL_PERCENT_MAX, LATENCY_MS_MAX = 100, 30_000
KEPT_SECONDS = 3600
"""How long a tenant's choice lasts."""
_AGE_MAX_SECONDS = 0.5
"""How long a process goes on with what it read last; its own changes are heeded at once."""
_TENANTS_MAX = 10_000


class Disturbance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to a tenant's requests."""

    enabled: bool = False
    fail_percent: Annotated[
        int, msgspec.Meta(ge=0, le=FAIL_PERCENT_MAX, description="How many of 100 requests are answered 503.")
    ] = 0
    latency_ms: Annotated[
        int, msgspec.Meta(ge=0, le=LATENCY_MS_MAX, description="How long each request is held back first.")
    ] = 0


class Chaos:
    """Knows what each tenant has chosen, and does it."""

    def __init__(self, store: Store, otherwise: ChaosSettings) -> None:
        self._store = store
        self._otherwise = Disturbance(
            enabled=otherwise.chaos_enabled,
            fail_percent=otherwise.chaos_fail_percent,
            latency_ms=otherwise.chaos_latency_ms,
        )
        self._known: dict[str, tuple[Disturbance, float]] = {}
        # Many requests of a tenant find the memory too old at once; one of them reads.
        self._reads = SingleFlight[Disturbance](rank=Precedence.ACCEPTED)

    async def choose(self, tenant_id: str, choice: Disturbance) -> None:
        """Disturb a tenant's requests from now on.

        Raises:
            StoreUnavailable: when Redis, from which the other processes read it, does not answer.
        """
        await self._store.write(_key(tenant_id), msgspec.json.encode(choice), seconds=KEPT_SECONDS)
        self._remember(tenant_id, choice)

    async def chosen(self, tenant_id: str) -> Disturbance:
        """What a tenant has chosen; without Redis, what is in the settings."""
        known = self._known.get(tenant_id)
        if known is not None and monotonic() < known[1]:
            return known[0]
        return await self._reads.do(tenant_id, lambda: self._read(tenant_id))

    async def _read(self, tenant_id: str) -> Disturbance:
        try:
            raw = await self._store.read(_key(tenant_id))
            found = self._otherwise if raw is None else msgspec.json.decode(raw, type=Disturbance)
        except (StoreUnavailable, msgspec.DecodeError):
            return self._otherwise
        self._remember(tenant_id, found)
        return found

    async def disturb(self, tenant_id: str) -> bool:
        """Hold a request back as its tenant has chosen, and return whether it must fail."""
        choice = await self.chosen(tenant_id) if tenant_id else self._otherwise
        if not choice.enabled:
            return False
        if choice.latency_ms:
            metrics.CHAOS.labels("latency").inc()
            await asyncio.sleep(choice.latency_ms / 1000)
        fails = random.randrange(100) < choice.fail_percent  # noqa: S311 - chance, not a secret
        if fails:
            metrics.CHAOS.labels("failure").inc()
        return fails

    def _remember(self, tenant_id: str, found: Disturbance) -> None:
        if len(self._known) >= _TENANTS_MAX:
            self._known.pop(next(iter(self._known)))
        self._known[tenant_id] = found, monotonic() + _AGE_MAX_SECONDS


def _key(tenant_id: str) -> str:
    return f"chaos:{tenant_id}"
