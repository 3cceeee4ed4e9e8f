"""Admission: who sends a request, for which tenant, and may they? In this order, before anything else of it is read."""

import re
from datetime import datetime, timedelta

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.db.tenancy import across_tenants
from libs.common.errors import PlatformError
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation, adopt, current
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.access.commands import provision
from services.api.access.directory import Directory, KnownTenant
from services.api.access.domain import Tenant, TenantOrigin, TenantStatus, refused_for
from services.api.access.policies import authorize
from services.api.audit import AuditRecord, write_line
from services.api.errors import (
    AccessDenied,
    FeatureDisabled,
    OperatorRequired,
    TenantMismatch,
    TenantRefused,
    TenantUnknown,
)
from services.api.http.callers import (
    ANY_TENANT,
    PLATFORM_TENANT,
    BearerVerifier,
    Caller,
    Feature,
    Headers,
    Principal,
    acting,
    object_if_wrong,
    verified,
)
from services.api.http.errors import ApiKeyLapsed, InvalidTenant, MissingTenant, TokenExpired

log = get_logger("api.access")

_TENANT = re.compile(r"[!-~]{1,64}\Z")
_LAPSED_EVERY = timedelta(minutes=1)
"""How often the refusal of the same expired token, or expired or revoked key, is written down."""
_LAPSED_MAX = 10_000
"""Bearers of which it is remembered at most."""


class Access:
    """Checks token, tenant and permission of a request."""

    def __init__(
        self, database: Database, *, bearers: BearerVerifier, directory: Directory, clock: Clock, auto_provision: bool
    ) -> None:
        self._database = database
        self._bearers = bearers
        self._directory = directory
        self._clock = clock
        self._auto_provision = auto_provision
        self._lapsed: dict[tuple[str, str, str], datetime] = {}

    async def identify(self, headers: Headers) -> Principal:
        """Verify the bearer token or key, and that its user was not changed since, and nothing else.

        Raises:
            HttpProblem: 401. Whose token or key is valid no more is known all the same, and its refusal is written down,
                once a minute.
        """
        principal = await self._verify(headers)
        await self._require_current(principal)
        return principal

    async def _verify(self, headers: Headers) -> Principal:
        authorization, seen = headers.get("authorization"), verified.get()
        try:
            if seen is None or seen[0] != authorization:
                return await self._bearers.verify(authorization)
            if isinstance(seen[1], PlatformError):
                raise seen[1]
        except (TokenExpired, ApiKeyLapsed) as lapsed:
            await self._remember_lapsed(lapsed)
            raise
        return seen[1]

    async def _require_current(self, principal: Principal) -> None:
        if await self._directory.is_outdated(principal):
            lapsed = TokenExpired(principal)
            await self._remember_lapsed(lapsed)
            raise lapsed

    async def _remember_lapsed(self, lapsed: TokenExpired | ApiKeyLapsed) -> None:
        """Write down that a bearer of before was refused, unless that was written less than a minute ago."""
        who = lapsed.principal
        bearer, now = (who.tid, who.sub, who.jti), self._clock.now()
        written = self._lapsed.get(bearer)
        if written is not None and now - written < _LAPSED_EVERY:
            metrics.DENIALS.labels(lapsed.reason).inc()
            return
        # Before it is written: others with the same bearer come meanwhile.
        self._lapsed.pop(bearer, None)
        if len(self._lapsed) >= _LAPSED_MAX:
            self._lapsed.pop(next(iter(self._lapsed)))
        self._lapsed[bearer] = now
        try:
            await self._remember_denial(lapsed.reason, who, "", "", action="authn.denied")
        except BaseException:
            self._lapsed.pop(bearer, None)
            raise

    async def admit(self, headers: Headers, permission: str) -> Caller:
        """Let a request in that needs `permission`.

        Raises:
            HttpProblem: 401 without a valid token, 400 without a tenant.
            AccessDenied: when the caller may not.
            TenantRefused: when the tenant is unknown, suspended or deleted.
            Invalid: when the caller may, but has sent parameters that the route does not have.
        """
        # A request that needs a second permission is limited to its tenant already, and what is read here is remembered for all.
        with across_tenants():
            return await self._admit(headers, permission)

    async def _admit(self, headers: Headers, permission: str) -> Caller:
        principal = await self._verify(headers)
        tenant_id = _named_tenant(headers)
        try:
            _require_proven(principal, tenant_id)
            correlation = msgspec.structs.replace(current(), tenant_id=tenant_id)
            adopt(correlation)
            known = await self._known_tenant(tenant_id, principal, correlation)
            # After the tenant, which the directory remembers from here on.
            await self._require_current(principal)
            tenant = known.tenant
            if tenant.status is not TenantStatus.ACTIVE:
                raise refused_for(tenant.status)
            if not principal.is_global_admin:
                home_region = None if tenant.origin is TenantOrigin.TOKEN else tenant.region
                policy = await self._directory.policy(permission)
                authorize(principal, permission, policy, home_region=home_region)
        except (AccessDenied, TenantRefused) as denial:
            await self._remember_denial(denial.reason, principal, permission, tenant_id)
            raise
        caller = Caller(principal=principal, tenant_id=tenant_id, correlation=correlation, features=known.features)
        acting.set(caller)
        object_if_wrong()
        return caller

    async def permits(self, principal: Principal, tenant_id: str, permission: str) -> bool:
        """Whether somebody may use a permission of a tenant, so that they are not offered what would be refused.

        Nothing is written down, and nothing is let in by it: `admit` decides.
        """
        if principal.is_global_admin:
            return True
        with across_tenants():
            known = await self._directory.tenant(tenant_id)
            policy = await self._directory.policy(permission)
        if known is None or tenant_id != principal.tid:
            return False
        home_region = None if known.tenant.origin is TenantOrigin.TOKEN else known.tenant.region
        try:
            authorize(principal, permission, policy, home_region=home_region)
        except AccessDenied:
            return False
        return True

    async def require(self, caller: Caller, feature: Feature) -> None:
        """Let a caller use a feature of their tenant.

        Raises:
            FeatureDisabled: when the tenant may not.
        """
        if feature not in caller.features:
            await self._remember_denial(FeatureDisabled.code, caller.principal, feature, caller.tenant_id)
            raise FeatureDisabled(f"the feature {feature} is switched off for this tenant")

    async def require_operator(self, caller: Caller, what: str) -> None:
        """Let only an operator of the platform do `what`.

        Raises:
            OperatorRequired: for everybody else.
        """
        if not caller.principal.is_global_admin:
            await self._remember_denial(OperatorRequired.code, caller.principal, what, caller.tenant_id)
            raise OperatorRequired()

    async def _known_tenant(self, tenant_id: str, principal: Principal, correlation: Correlation) -> KnownTenant:
        known = await self._directory.tenant(tenant_id)
        if known is not None:
            return known
        # An operator's slip of the pen must not make a tenant: only the token's own, or the platform's, is provisioned.
        proven = tenant_id == principal.tid or (principal.is_global_admin and tenant_id == PLATFORM_TENANT)
        if not (self._auto_provision and proven):
            raise TenantUnknown("unknown tenant")
        met = Tenant(
            id=tenant_id, name=tenant_id, plan=principal.plan, region=principal.region, origin=TenantOrigin.TOKEN
        )
        await provision(self._database, met, clock=self._clock, correlation=correlation)
        # Another request may have been quicker, and an operator quicker still: what is stored is what counts, read after
        # it was stored: another request may be reading since before that.
        self._directory.forget(tenant_id)
        known = await self._directory.tenant(tenant_id)
        if known is None:
            raise TenantUnknown("unknown tenant")
        return known

    async def intend(self, caller: Caller, action: str, target: str) -> None:
        """Write down what a caller is about to have done elsewhere, so that its trace does not depend on a reply.

        Raises:
            Unavailable: when it cannot be written; then it must not be done.
        """
        await write_line(self._database, self._line(caller, action, target, outcome="requested"))

    async def remember(
        self,
        caller: Caller,
        action: str,
        target: str,
        *,
        outcome: str = "success",
        detail: dict[str, str] | None = None,
    ) -> None:
        """Write down what became of what a caller had done, where no business row of ours is written with it.

        It has happened, so nothing that is wrong with the log takes the answer away: its intention is in the log, and
        the line goes to the process log instead.
        """
        line = self._line(caller, action, target, outcome=outcome, detail=detail)
        try:
            await write_line(self._database, line)
        except Exception:
            metrics.AUDIT_UNWRITTEN.inc()
            log.error(
                "audit.unwritten",
                action=action,
                target=target,
                outcome=outcome,
                actor=line.actor,
                detail=line.detail,
                exc_info=True,
            )

    def _line(
        self, caller: Caller, action: str, target: str, *, outcome: str, detail: dict[str, str] | None = None
    ) -> AuditRecord:
        return AuditRecord(
            tenant_id=caller.tenant_id,
            id=new_id(self._clock.now()),
            actor=caller.actor,
            action=action,
            target=target,
            outcome=outcome,
            detail=detail or {},
            correlation_id=caller.correlation.correlation_id,
            at=self._clock.now(),
        )

    async def _remember_denial(
        self, reason: str, principal: Principal, target: str, tenant_id: str, *, action: str = "authz.denied"
    ) -> None:
        metrics.DENIALS.labels(reason).inc()
        await write_line(
            self._database,
            AuditRecord(
                # Under the tenant that the token proves: nobody writes into the log of a tenant that is not theirs.
                tenant_id=(tenant_id or principal.tid) if principal.is_global_admin else principal.tid,
                id=new_id(self._clock.now()),
                actor=principal.sub,
                action=action,
                target=target,
                outcome="denied",
                detail={
                    "reason": reason,
                    "permission": target,
                    "plan": principal.plan,
                    "region": principal.region,
                    "asked_tenant": tenant_id,
                },
                correlation_id=current().correlation_id,
                at=self._clock.now(),
            ),
        )


def _named_tenant(headers: Headers) -> str:
    tenant_id = headers.get("x-tenant-id")
    if not tenant_id:
        raise MissingTenant("Missing X-Tenant-Id")
    if not _TENANT.match(tenant_id) or tenant_id == ANY_TENANT:
        raise InvalidTenant("X-Tenant-Id does not name a tenant")
    return tenant_id


def _require_proven(principal: Principal, tenant_id: str) -> None:
    if tenant_id != principal.tid and not principal.is_global_admin:
        raise TenantMismatch("Tenant mismatch")
