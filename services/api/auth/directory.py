"""Tenants and policies, remembered for a moment: every request needs them, and they hardly ever change."""

import asyncio

from libs.common.clock import Clock
from libs.common.db import Database
from services.api.store import Policy, Tenant, identity

AGE_MAX_SECONDS = 2.0
"""How long a suspended tenant may still act, or a changed policy is not yet followed."""
_TENANTS_MAX = 10_000
"""Tenants that are remembered at most."""


class Directory:
    """Reads tenants and policies, each at most once in `AGE_MAX_SECONDS`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._tenants: dict[str, tuple[Tenant, float]] = {}
        self._policies: tuple[dict[str, Policy], float] = ({}, 0.0)
        self._reading = asyncio.Lock()

    async def tenant(self, tenant_id: str) -> Tenant | None:
        """Find a tenant; one that is not known is looked up anew each time."""
        now = self._clock.now().timestamp()
        known = self._tenants.get(tenant_id)
        if known is not None and now < known[1]:
            return known[0]
        found = await identity.tenant(self._database, tenant_id)
        if found is None:
            return None
        if len(self._tenants) >= _TENANTS_MAX:
            self._tenants.pop(next(iter(self._tenants)))
        self._tenants[tenant_id] = found, now + AGE_MAX_SECONDS
        return found

    async def policy(self, permission: str) -> Policy | None:
        """Find the policy that narrows a permission."""
        if self._clock.now().timestamp() >= self._policies[1]:
            # One request reads for all that arrive meanwhile.
            async with self._reading:
                now = self._clock.now().timestamp()
                if now >= self._policies[1]:
                    self._policies = await identity.policies(self._database), now + AGE_MAX_SECONDS
        return self._policies[0].get(permission)
