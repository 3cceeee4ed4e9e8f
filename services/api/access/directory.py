"""Tenants, their features and policies, remembered for a moment: every request needs them, and they hardly ever change.

What changed is forgotten at once, in every process, when the broker brings `access.changed`; the age is the bound for when
it does not.
"""

from datetime import timedelta

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.precedence import Precedence
from libs.common.single_flight import SingleFlight
from services.api.access.domain import Policy, Tenant
from services.api.access.features import FlagState, enabled_of, states_of
from services.api.access.sql import flags, identity
from services.api.http.callers import ANY_TENANT, Feature, Principal

_TENANTS_MAX = 10_000
"""Tenants that are remembered at most."""
_OLD_TOKENS_MAX = 10_000
"""Users of whom it is remembered at most, apart from what is known of a tenant, since when their tokens count."""

_TOKENS_LIVE_AT_LEAST = timedelta(days=1)
"""For how long a changed user is remembered at least: longer than tokens live by settings of before, or of who issues others."""


class KnownTenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant, what it may use, and who of its users changed."""

    tenant: Tenant
    features: frozenset[Feature]
    changed: dict[str, float]
    """By login name from when its tokens count, in seconds since 1970; those of before were given for another password, for
    other roles, or to somebody who was not disabled yet."""


class Directory:
    """Reads tenants and policies, each at most once in `age_max_seconds` unless they change."""

    def __init__(
        self, database: Database, clock: Clock, *, age_max_seconds: float, token_expires_seconds: int = 0
    ) -> None:
        self._database = database
        self._clock = clock
        self._age_max_seconds = age_max_seconds
        self._tenants: dict[str, tuple[KnownTenant, float]] = {}
        self._tokens_live = max(timedelta(seconds=token_expires_seconds), _TOKENS_LIVE_AT_LEAST)
        self._operators: tuple[dict[str, float], float] = ({}, 0.0)
        self._operator_reads = SingleFlight[dict[str, float]](rank=Precedence.ACCEPTED)
        self._policies: tuple[dict[str, Policy], float] = ({}, 0.0)
        self._tenant_reads = SingleFlight[KnownTenant | None](rank=Precedence.ACCEPTED)
        self._policy_reads = SingleFlight[dict[str, Policy]](rank=Precedence.ACCEPTED)
        self._old_tokens: dict[tuple[str, str], tuple[float | None, float]] = {}
        self._old_token_reads = SingleFlight[float | None](rank=Precedence.ACCEPTED)
        self._changes = 0

    def forget(self, tenant_id: str) -> None:
        """Forget a tenant, or everything where it is empty; what is being read at this moment is not remembered."""
        self._changes += 1
        self._old_tokens.clear()
        if tenant_id:
            self._tenants.pop(tenant_id, None)
            return
        self._tenants.clear()
        self._policies = ({}, 0.0)
        self._operators = ({}, 0.0)

    async def tenant(self, tenant_id: str) -> KnownTenant | None:
        """Find a tenant; one that is not known is looked up anew each time."""
        known = self._tenants.get(tenant_id)
        if known is not None and self._clock.now().timestamp() < known[1]:
            return known[0]
        # Who comes after a change does not join what was begun before it.
        return await self._tenant_reads.do((tenant_id, self._changes), lambda: self._read_tenant(tenant_id))

    async def _read_tenant(self, tenant_id: str) -> KnownTenant | None:
        now, changes = self._clock.now().timestamp(), self._changes
        found = await identity.tenant(self._database, tenant_id, since=self._clock.now() - self._tokens_live)
        if found is None:
            return None
        features = enabled_of(await flags.flags(self._database, tenant_id))
        met = KnownTenant(tenant=found[0], features=features, changed=found[1])
        if changes != self._changes:
            return met
        if len(self._tenants) >= _TENANTS_MAX:
            self._tenants.pop(next(iter(self._tenants)))
        self._tenants[tenant_id] = met, now + self._age_max_seconds
        return met

    async def is_outdated(self, principal: Principal) -> bool:
        """Whether a token was issued before its user was disabled, or got another password or other roles.

        What a role allows is no part of it: that counts from the next login on.
        """
        if principal.key_id is not None:
            return False
        if principal.tid == ANY_TENANT:
            changed = await self._changed_operators()
        else:
            known = await self.tenant(principal.tid)
            changed = {} if known is None else known.changed
        first = changed.get(principal.sub)
        remembered_since = self._clock.now() - self._tokens_live
        if first is None and not principal.issued_at >= remembered_since.timestamp():
            # Issued before the changes that are remembered, by whoever lets tokens live longer, or does not say when.
            first = await self._tokens_from(principal.tid, principal.sub)
        return first is not None and not principal.issued_at >= first

    async def _tokens_from(self, tid: str, sub: str) -> float | None:
        known = self._old_tokens.get((tid, sub))
        if known is not None and self._clock.now().timestamp() < known[1]:
            return known[0]
        return await self._old_token_reads.do((tid, sub, self._changes), lambda: self._read_tokens_from(tid, sub))

    async def _read_tokens_from(self, tid: str, sub: str) -> float | None:
        now, changes = self._clock.now().timestamp(), self._changes
        found = await identity.tokens_from(self._database, email=sub, tid=tid)
        if changes == self._changes:
            if len(self._old_tokens) >= _OLD_TOKENS_MAX:
                self._old_tokens.pop(next(iter(self._old_tokens)))
            self._old_tokens[tid, sub] = found, now + self._age_max_seconds
        return found

    async def _changed_operators(self) -> dict[str, float]:
        if self._clock.now().timestamp() < self._operators[1]:
            return self._operators[0]
        return await self._operator_reads.do(self._changes, self._read_operators)

    async def _read_operators(self) -> dict[str, float]:
        now, changes = self._clock.now(), self._changes
        found = await identity.changed_operators(self._database, since=now - self._tokens_live)
        if changes == self._changes:
            self._operators = found, now.timestamp() + self._age_max_seconds
        return found

    async def features(self, tenant_id: str) -> list[FlagState]:
        """Read how every feature is for a tenant, and who decided; never from memory."""
        return states_of(await flags.flags(self._database, tenant_id))

    async def policy(self, permission: str) -> Policy | None:
        """Find the policy that narrows a permission."""
        if self._clock.now().timestamp() < self._policies[1]:
            return self._policies[0].get(permission)
        return (await self._policy_reads.do(self._changes, self._read_policies)).get(permission)

    async def _read_policies(self) -> dict[str, Policy]:
        now, changes = self._clock.now().timestamp(), self._changes
        found = await identity.policies(self._database)
        if changes == self._changes:
            self._policies = found, now + self._age_max_seconds
        return found
