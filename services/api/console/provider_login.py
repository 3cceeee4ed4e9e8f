"""Logging in by the tenant's identity provider, as a browser sees it: it goes there by a page of ours, and comes back to an address of ours."""

import base64
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

import msgspec
from litestar import Response

from libs.common.errors import PlatformError
from libs.common.sealing import KeyRing
from services.api.access import Session
from services.api.console.entrance import TENANT, Entrance, lapsed, local
from services.api.console.rendering import page, rendered
from services.api.console.sessions import COOKIE_MAX, Unreadable
from services.api.http.parameters import AnyRequest
from services.api.identity_errors import IdentityProviderNotFound, LoginNotBegun
from services.api.identity_providers import ATTEMPT_SECONDS, Attempt, Begun

ATTEMPT_COOKIE, _PATH = "console_login", "/console/login"
_OWNER, _LABEL = UUID(int=2), "console login"


class Logins(Protocol):
    """What begins and completes logins by identity providers."""

    async def begin(self, tenant_id: str, *, host: str, next_: str, address: str) -> Begun:
        """Begin a login of a user of a tenant."""

    async def complete(
        self, attempt: Attempt | None, query: Mapping[str, str], *, path: str, address: str
    ) -> tuple[Session, str]:
        """Let in whom a browser has brought back; returns the session, and the page to show."""


class Attempts:
    """Seals logins that were begun into cookies and opens them."""

    def __init__(self, key: str, previous: tuple[str, ...] = ()) -> None:
        self._ring = KeyRing(key, previous, label=b"console login", unreadable=Unreadable)

    def seal(self, attempt: Attempt) -> str:
        """Return the cookie of a login that was begun."""
        text = msgspec.json.encode(attempt).decode()
        return base64.urlsafe_b64encode(self._ring.seal(text, tenant_id=_LABEL, owner_id=_OWNER)).decode()

    def open(self, cookie: str | None) -> Attempt | None:
        """Return the login of a cookie; None where there is none that is ours."""
        if not cookie:
            return None
        try:
            sealed = base64.b64decode(cookie, altchars=b"-_", validate=True)
            return msgspec.json.decode(self._ring.unseal(sealed, tenant_id=_LABEL, owner_id=_OWNER), type=Attempt)
        except (Unreadable, NotBase64, ValueError):
            return None


class ProviderEntrance:
    """Lets people in whom an identity provider brings back."""

    def __init__(self, entrance: Entrance, *, logins: Logins, attempts: Attempts, is_local: bool) -> None:
        self._entrance = entrance
        self._logins = logins
        self._attempts = attempts
        self._is_local = is_local

    async def begin(self, request: AnyRequest) -> Response[bytes]:
        """Send a browser to the identity provider of the tenant that is named.

        By a page: the policy for content lets no form of ours lead to another host, by a redirect either.
        """
        entrance = self._entrance
        form = await entrance.form(request)
        if form is None:
            return await entrance.show_login(request, fault=lapsed())
        tenant_id, next_ = form.get("tenant", "").strip(), local(form.get("next", ""))
        try:
            if not TENANT.match(tenant_id):
                raise IdentityProviderNotFound
            begun = await self._logins.begin(
                tenant_id, host=self._host(request), next_=next_, address=_address(request)
            )
        except PlatformError as fault:
            refused = entrance.refused(request, fault)
            return await entrance.show_login(request, fault=refused, tenant=tenant_id, next_=next_)
        kept = self._attempts.seal(begun.attempt)
        if len(kept) > COOKIE_MAX:
            # Browsers refuse a larger cookie: better logged in at another page than not at all.
            kept = self._attempts.seal(msgspec.structs.replace(begun.attempt, next=""))
        response = page(rendered("leaving.html", {"address": begun.address}, entrance.preferences(request)))
        # Lax, so that it comes along when the provider sends the browser back.
        response.set_cookie(
            ATTEMPT_COOKIE,
            kept,
            path=_PATH,
            max_age=ATTEMPT_SECONDS,
            httponly=True,
            samesite="lax",
            secure=not self._is_local,
        )
        return response

    async def complete(self, request: AnyRequest) -> Response[bytes]:
        """Begin the session of somebody whom the identity provider has sent back; whatever comes of it, the attempt is over.

        An answer that is none to this attempt does not end it: anybody can have a browser open an address.
        """
        attempt = self._attempts.open(request.cookies.get(ATTEMPT_COOKIE))
        query = {name: values[-1] for name, values in request.query_params.dict().items() if values}
        try:
            session, next_ = await self._logins.complete(
                attempt, query, path=request.url.path, address=_address(request)
            )
        except PlatformError as fault:
            refused = self._entrance.refused(request, fault)
            tenant, next_ = ("", "") if attempt is None else (attempt.tenant_id, attempt.next)
            response = await self._entrance.show_login(request, fault=refused, tenant=tenant, next_=next_)
            if isinstance(fault, LoginNotBegun):
                return response
        else:
            response = await self._entrance.begin(session.access_token, expires_in=session.expires_in, next_=next_)
        response.delete_cookie(ATTEMPT_COOKIE, path=_PATH)
        return response

    def _host(self, request: AnyRequest) -> str:
        # A proxy in front ends TLS.
        scheme = request.url.scheme if self._is_local else "https"
        return f"{scheme}://{request.headers.get('host', '')}"


def _address(request: AnyRequest) -> str:
    return request.client.host if request.client else ""
