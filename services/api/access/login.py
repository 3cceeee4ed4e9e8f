"""Logging in: a login name and a password become a token, and so does whom the tenant's identity provider has proven."""

from datetime import datetime

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from libs.common.observability.correlation import current
from libs.common.web.errors import RateLimited
from services.api import metrics
from services.api.access.directory import Directory
from services.api.access.domain import Account, TenantStatus, refused_for
from services.api.access.passwords import Passwords
from services.api.access.sql import identity
from services.api.access.tokens import Tokens
from services.api.audit import AuditRecord, write_line
from services.api.errors import NoTenant, TenantRefused
from services.api.http.callers import ANY_TENANT, Principal
from services.api.http.errors import InvalidCredentials
from services.api.identity_errors import IdentityUnknown
from services.api.rate_limit import Limit, RateLimiter

_ADMIN_PLAN, _ADMIN_REGION = "enterprise", "region-a"
"""What a global admin who names no tenant is treated as."""
_PASSWORD, _PROVIDER = "password", "identity_provider"
"""The ways in, as the audit log names them."""
_TOKEN_PATH = "/v1/auth/token"  # noqa: S105 - a path


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a successful login yields."""

    access_token: str
    """The bearer token."""
    expires_in: int
    """For how many seconds it is valid."""


class Login:
    """Checks passwords and issues tokens; refuses wrong passwords and unknown users in the same way and time."""

    def __init__(
        self,
        database: Database,
        *,
        passwords: Passwords,
        tokens: Tokens,
        directory: Directory,
        clock: Clock,
        token_expires_seconds: int,
        limiter: RateLimiter,
        failures_per_minute: int,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._tokens = tokens
        self._directory = directory
        self._clock = clock
        self._token_expires_seconds = token_expires_seconds
        self._limiter = limiter
        self.failures = Limit("login_account", failures_per_minute, guards_secrets=True)
        """What failed logins of a name count against, and wrong passwords of whoever changes their own."""

    async def login(self, *, email: str, password: str, tenant_id: str | None, action: str) -> Session:
        """Exchange a login name and a password for a token; a global admin may name the tenant to look through.

        The audit log has how it ended as a part of `action`.

        Raises:
            HttpProblem: 401 when name or password is wrong, 429 when that happened too often for this name.
            TenantRefused: when the user has no tenant, or one that is suspended or deleted.
            Unavailable: when the password could not be checked, which counts as no failed login, or what follows could not be done.
        """
        name = email.strip().lower()
        # Counted first and given back on success: however many try at once, no more than the limit may fail. A name that
        # nobody has is counted like any other.
        count = await self._limiter.count(self.failures, name)
        if count is not None and not count.allowed:
            metrics.LOGINS.labels("throttled").inc()
            await self._remember(name, f"{action}.throttled", "denied", {"reason": "throttled"}, tenant_id="")
            raise RateLimited("too many failed logins of this account", headers=count.headers)
        try:
            found = await identity.account_to_log_in(self._database, name)
            # Whoever is changed while the password is checked gets a token of before the change.
            account, read_at = found or (None, self._clock.now())
            matches = await self._passwords.matches(account.password_hash if account else None, password)
        except Unavailable:
            await self._limiter.give_back(self.failures, name)
            raise
        # Who is disabled is refused as somebody with a wrong password is, and for as long.
        if account is None or not matches or account.disabled_at is not None:
            metrics.LOGINS.labels("failed").inc()
            await self._remember(
                name,
                f"{action}.failed",
                "failed",
                {"reason": InvalidCredentials.code},
                tenant_id=(account.tenant_id if account else None) or "",
            )
            raise InvalidCredentials()
        await self._limiter.give_back(self.failures, name)
        return await self._enter(
            account, read_at=read_at, requested_tenant_id=tenant_id, action=action, target=_TOKEN_PATH, way=_PASSWORD
        )

    async def enter_proven(self, email: str, *, tenant_id: str, issuer: str, action: str) -> Session:
        """Give a token to a user of a tenant whom its identity provider, `issuer`, has proven.

        Raises:
            IdentityUnknown: when the user is none of that tenant, or may not log in any more.
            TenantRefused: when the tenant is suspended or deleted.
        """
        found = await identity.account_to_log_in(self._database, email)
        account, read_at = found or (None, self._clock.now())
        if account is None or account.tenant_id != tenant_id or account.disabled_at is not None:
            raise IdentityUnknown
        return await self._enter(
            account, read_at=read_at, requested_tenant_id=None, action=action, target=issuer, way=_PROVIDER
        )

    async def note_refused(self, name: str, *, tenant_id: str, issuer: str, action: str, reason: str) -> None:
        """Write down that somebody came from a tenant's identity provider and was not let in."""
        metrics.LOGINS.labels("failed").inc()
        detail = {"reason": reason, "way": _PROVIDER}
        await self._remember(name, f"{action}.failed", "failed", detail, tenant_id=tenant_id, target=issuer)

    async def _enter(
        self,
        account: Account,
        *,
        read_at: datetime,
        requested_tenant_id: str | None,
        action: str,
        target: str,
        way: str,
    ) -> Session:
        """Issue the token of somebody who has proven who they are, by whichever way."""
        name, tenant_id = account.email, account.tenant_id or ""
        try:
            principal = await self._principal(account, requested_tenant_id)
        except TenantRefused as denial:
            metrics.LOGINS.labels("denied").inc()
            detail = {"reason": denial.reason, "way": way}
            await self._remember(name, f"{action}.denied", "denied", detail, tenant_id=tenant_id, target=target)
            raise
        token, _ = self._tokens.issue(
            principal,
            user_id=account.id.hex,
            now=self._clock.now(),
            read_at=read_at,
            tokens_from=account.tokens_from,
            context={"email": account.email},
        )
        metrics.LOGINS.labels("success").inc()
        detail = {"roles": ",".join(account.roles), "way": way}
        await self._remember(name, f"{action}.success", "success", detail, tenant_id=tenant_id, target=target)
        return Session(access_token=token, expires_in=self._token_expires_seconds)

    async def _principal(self, account: Account, requested_tenant_id: str | None) -> Principal:
        tid, plan, region = account.tenant_id or ANY_TENANT, _ADMIN_PLAN, _ADMIN_REGION
        if account.tenant_id is None and "admin" not in account.roles:
            raise NoTenant("User has no tenant assigned")
        seen_through = account.tenant_id or requested_tenant_id
        known = await self._directory.tenant(seen_through) if seen_through else None
        if known is not None:
            tenant = known.tenant
            if account.tenant_id is not None and tenant.status is not TenantStatus.ACTIVE:
                raise refused_for(tenant.status)
            plan, region = tenant.plan, tenant.region
        return Principal(
            sub=account.email,
            tid=tid,
            roles=account.roles,
            perms=frozenset(account.permissions),
            plan=plan,
            region=region,
            jti="",
        )

    async def _remember(
        self,
        name: str,
        action: str,
        outcome: str,
        detail: dict[str, str],
        *,
        tenant_id: str,
        target: str = _TOKEN_PATH,
    ) -> None:
        await write_line(
            self._database,
            AuditRecord(
                tenant_id=tenant_id,
                id=new_id(self._clock.now()),
                actor=name,
                action=action,
                target=target,
                outcome=outcome,
                detail=detail,
                correlation_id=current().correlation_id,
                at=self._clock.now(),
            ),
        )
