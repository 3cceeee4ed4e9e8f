"""Logging in, and asking who one is."""

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from services.api.access import Login, OwnPassword, Tokens
from services.api.access.schemas import ChangePassword, Me, TokenRequest, TokenResponse
from services.api.errors import NoTenant, TenantDeleted, TenantSuspended
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Principal
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.errors import InvalidCredentials
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key
from services.api.identity_errors import NoOwnPassword, WrongPassword

_EXAMPLE = {"email": "ops@demo.example.com", "password": "ops123"}
KEY_SET_SECONDS = 300
"""How long others may keep our key set; a key that is to sign is published for at least this long before it does."""


class Identity(Resource):
    """Routes: `POST /v1/auth/token`, `POST /v1/auth/password` and `GET /v1/me`."""

    login: Login
    own_password: OwnPassword

    bodies, passwords = BodyReader(TokenRequest), BodyReader(ChangePassword)

    @operation(
        "POST",
        "/v1/auth/token",
        operation_id="createToken",
        summary="Log in",
        description="Exchanges a login name and a password for a bearer token.",
        tags=["identity"],
        body=TokenRequest,
        example=_EXAMPLE,
        answer=TokenResponse,
        key="refused",
        audit="auth.login",
        # Whose a login name is, is not known before it is found.
        across_tenants=True,
        refusals=(InvalidCredentials, NoTenant, TenantSuspended, TenantDeleted),
    )
    async def create_token(self, caller: None, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_storable({"/email": requested.email, "/tenantId": requested.tenant_id})
        refuse_key(request.headers)
        session = await self.login.login(
            email=requested.email,
            password=requested.password,
            tenant_id=requested.tenant_id,
            action=audit_action(),
        )
        body = TokenResponse(access_token=session.access_token, expires_in=session.expires_in)
        return json_answer(body, headers={"Cache-Control": "no-store"})

    @operation(
        "POST",
        "/v1/auth/password",
        operation_id="changePassword",
        summary="Change your own password",
        description=(
            "By the present one; no permission and no tenant header is needed. All your tokens end, the one that you send "
            "included: log in again. Wrong passwords count together with failed logins."
        ),
        tags=["identity"],
        body=ChangePassword,
        example={"password": "ops123", "new_password": "a-long-password-of-one-person"},
        status=204,
        key="refused",
        audit="auth.password",
        bearer=True,
        across_tenants=True,
        refusals=(WrongPassword, NoOwnPassword),
    )
    async def change_password(self, who: Principal, request: AnyRequest) -> None:
        body = await self.passwords.take(await request.body())
        require_storable({"/password": body.password, "/new_password": body.new_password})
        refuse_key(request.headers)
        await self.own_password.change(
            who, password=body.password, new_password=body.new_password, action=audit_action()
        )

    @operation(
        "GET",
        "/v1/me",
        operation_id="getMe",
        summary="Who am I?",
        description="The claims of the bearer token; no tenant header is needed.",
        tags=["identity"],
        answer=Me,
        bearer=True,
    )
    async def get_me(self, who: Principal, request: AnyRequest) -> Response[bytes]:
        return json_answer(
            Me(
                sub=who.sub,
                tid=who.tid,
                roles=who.roles,
                perms=sorted(who.perms),
                plan=who.plan,
                region=who.region,
                jti=who.jti,
            )
        )


def key_set_route(tokens: Tokens) -> HTTPRouteHandler:
    """Build `/.well-known/jwks.json`: the public keys that other services verify our tokens with (RFC 7517)."""

    @get("/.well-known/jwks.json", include_in_schema=False, sync_to_thread=False)
    def key_set() -> Response[bytes]:
        return Response(
            tokens.key_set,
            media_type="application/jwk-set+json",
            headers={"Cache-Control": f"public, max-age={KEY_SET_SECONDS}"},
        )

    return key_set
