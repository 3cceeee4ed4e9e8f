"""Logging in by the tenant's identity provider: the browser goes there, and comes back with a code.

Nothing of a login that was begun is kept here: it is sealed with the browser, which proves that it has begun it. Nobody becomes
a user by it: whom the provider has logged in is found by the subject, or the first time by an email that the provider has
verified, and is that subject alone from then on.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.db.tenancy import limited_to
from libs.common.egress import resolving_for
from libs.common.errors import PlatformError
from libs.common.web.errors import RateLimited
from services.api import metrics
from services.api.access import Login, Session
from services.api.identity_errors import IdentityProviderNotFound, IdentityRefused, IdentityUnknown, LoginNotBegun
from services.api.identity_providers import sql
from services.api.identity_providers.commands import ProviderSecrets
from services.api.identity_providers.domain import Attempt, Identified, IdentityProvider, callback_path
from services.api.identity_providers.provider import Provider
from services.api.rate_limit import Limit, RateLimiter

ATTEMPT_SECONDS = 600
"""How long a login may take at the provider."""
_ACTION = "auth.login"
_CODE_MAX, _ERROR_MAX = 2048, 100


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A login that begins."""

    address: str
    """Where the browser goes."""
    attempt: Attempt
    """What it keeps, sealed."""


class ProviderLogin:
    """Sends browsers to identity providers, and lets in whom they bring back."""

    def __init__(
        self,
        database: Database,
        *,
        provider: Provider,
        secrets: ProviderSecrets,
        login: Login,
        limiter: RateLimiter,
        logins_per_minute: int,
        clock: Clock,
    ) -> None:
        self._database = database
        self._provider = provider
        self._secrets = secrets
        self._login = login
        self._limiter = limiter
        # Together with logins by password: the same name, and the same caller.
        self._limit = Limit("login", logins_per_minute, guards_secrets=True)
        self._clock = clock

    async def begin(self, tenant_id: str, *, host: str, next_: str, address: str) -> Begun:
        """Begin a login of a user of a tenant.

        Args:
            tenant_id: whose user it is to be.
            host: scheme and host of the console, as the browser has them.
            next_: the page to show at last.
            address: that of the browser, by which strangers are counted.

        Raises:
            IdentityProviderNotFound: when there is no such tenant, or it has no provider.
            IdentityProviderUnavailable: when the provider does not answer as it must.
            RateLimited: when the address has logged in too often.
        """
        await self._count(address)
        provider = await sql.provider(self._database, tenant_id)
        if provider is None:
            raise IdentityProviderNotFound
        resolving_for.set(tenant_id)
        metadata = await self._provider.metadata(provider.issuer)
        attempt = Attempt(
            tenant_id=tenant_id,
            issuer=provider.issuer,
            client_id=provider.client_id,
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            redirect_uri=host + callback_path(tenant_id),
            next=next_,
            ends_at=int(self._clock.now().timestamp()) + ATTEMPT_SECONDS,
        )
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": attempt.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": "openid email",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return Begun(address=f"{metadata.authorization_endpoint}{joint}{urlencode(query)}", attempt=attempt)

    async def complete(
        self, attempt: Attempt | None, query: Mapping[str, str], *, path: str, address: str
    ) -> tuple[Session, str]:
        """Let in whom a browser has brought back; returns the session, and the page to show.

        Args:
            attempt: what the browser has kept of the login that it has begun; None: nothing.
            query: the answer of the provider.
            path: where the answer has come to.
            address: that of the browser.

        Raises:
            LoginNotBegun: when the answer is to no login that this browser has begun, at this provider and a moment ago.
            IdentityRefused: when the provider has refused, or what it states is not valid.
            IdentityUnknown: when it is no user of the tenant who may log in.
            TenantRefused: when the tenant is suspended or deleted.
            IdentityProviderUnavailable: when the provider does not answer as it must.
            RateLimited: when the address has logged in too often.
        """
        if attempt is None or attempt.ends_at <= self._clock.now().timestamp():
            raise _not_begun()
        if not _is_same(query.get("state", ""), attempt.state) or path != callback_path(attempt.tenant_id):
            raise _not_begun()
        # Not before: any page can have a browser open our address, and would keep whoever is there from logging in.
        await self._count(address)
        provider = await sql.provider(self._database, attempt.tenant_id)
        if provider is None or (provider.issuer, provider.client_id) != (attempt.issuer, attempt.client_id):
            # Another one was set meanwhile.
            raise _not_begun()
        resolving_for.set(attempt.tenant_id)
        identified: Identified | None = None
        try:
            identified = await self._identified(provider, attempt, query)
            email = await self._user(attempt, identified)
            session = await self._login.enter_proven(
                email, tenant_id=attempt.tenant_id, issuer=attempt.issuer, action=_ACTION
            )
        except (IdentityRefused, IdentityUnknown) as no:
            name = "" if identified is None else identified.email or identified.subject
            await self._note(attempt, name, no)
            raise
        return session, attempt.next

    async def _identified(self, provider: IdentityProvider, attempt: Attempt, query: Mapping[str, str]) -> Identified:
        metadata = await self._provider.metadata(attempt.issuer)
        issuer = query.get("iss", "" if metadata.authorization_response_iss_parameter_supported else attempt.issuer)
        if issuer != attempt.issuer:
            # RFC 9207: another provider has answered.
            raise IdentityRefused("the answer is of another identity provider")
        code, error = query.get("code", ""), query.get("error", "")
        if error or not code or len(code) > _CODE_MAX or not code.isprintable():
            shown = "".join(each for each in error[:_ERROR_MAX] if each.isprintable()) or "no code"
            raise IdentityRefused(f"the identity provider has refused the login: {shown}")
        sealed = provider.client_secret
        secret = None if sealed is None else self._secrets.open_of(provider.tenant_id, sealed)
        return await self._provider.identified(attempt, code, secret=secret)

    async def _user(self, attempt: Attempt, identified: Identified) -> str:
        """Return the login name of the user who is this subject, bound to it now if it is the first time."""
        with limited_to(attempt.tenant_id):
            async with self._database.transaction() as tx:
                name = await sql.user_of_subject(tx, attempt.tenant_id, identified.subject, issuer=attempt.issuer)
                if name is not None:
                    return name
                if not identified.email:
                    raise IdentityUnknown("the identity provider has verified no email of yours")
                is_bound = await sql.bind_user(
                    tx,
                    attempt.tenant_id,
                    email=identified.email,
                    subject=identified.subject,
                    issuer=attempt.issuer,
                    client_id=attempt.client_id,
                    at=self._clock.now(),
                )
        if not is_bound:
            raise IdentityUnknown("no user of the tenant has your email, or somebody else there has had it")
        return identified.email

    async def _note(self, attempt: Attempt, name: str, no: PlatformError) -> None:
        await self._login.note_refused(
            name, tenant_id=attempt.tenant_id, issuer=attempt.issuer, action=_ACTION, reason=no.reason
        )

    async def _count(self, address: str) -> None:
        count = await self._limiter.count(self._limit, "address", address)
        if count is not None and not count.allowed:
            metrics.LOGINS.labels("throttled").inc()
            raise RateLimited(headers=count.headers)


def _not_begun() -> LoginNotBegun:
    metrics.LOGINS.labels("failed").inc()
    return LoginNotBegun()


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
