"""Routes of the tenant's identity provider."""

from urllib.parse import quote

from litestar import Response

from services.api.access.auditing import attempts
from services.api.errors import OperatorRequired
from services.api.http.bodies import BodyReader
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key
from services.api.identity_errors import ConsoleOff, IdentityProviderNotFound, ScopeExceedsCaller
from services.api.identity_providers.commands import IdentityProviders
from services.api.identity_providers.domain import IdentityProvider
from services.api.identity_providers.schemas import (
    IdentityProviderBody,
    PutIdentityProvider,
    provider_body,
    require_provider,
)

_PATH = "/v1/identity-provider"
_PERMISSION = "admin:write"
_TARGET = "identity provider"


class IdentityProviderRoutes(Resource):
    """Routes of the tenant's identity provider."""

    identity_providers: IdentityProviders

    bodies = BodyReader(PutIdentityProvider)

    @operation(
        "GET",
        _PATH,
        operation_id="getIdentityProvider",
        summary="Get the identity provider",
        description="By which the tenant's users log in to the console, and where they do; never its secret.",
        tags=["administration"],
        answer=IdentityProviderBody,
        permission=_PERMISSION,
        refusals=(IdentityProviderNotFound,),
    )
    async def get_identity_provider(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        return json_answer(_body(await self.identity_providers.get(caller)))

    @operation(
        "PUT",
        _PATH,
        operation_id="putIdentityProvider",
        summary="Set the identity provider",
        description=(
            "Users of the tenant, who are there already, log in to the console by it (OpenID Connect, the authorization code with "
            "PKCE); their passwords stay valid. You must be allowed all that they are. Send the secret each time."
        ),
        tags=["administration"],
        body=PutIdentityProvider,
        example={
            "issuer": "https://login.example.com/realms/acme",
            "client_id": "payments-console",
            "client_secret": "the-secret-of-the-client-there",
        },
        answer=IdentityProviderBody,
        audit="identity_provider.put",
        permission=_PERMISSION,
        key="refused",
        refusals=(ScopeExceedsCaller, OperatorRequired, ConsoleOff),
    )
    async def put_identity_provider(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        body = await self.bodies.take(await request.body())
        require_provider(body)
        refuse_key(request.headers)
        async with attempts(self.access, caller, _TARGET):
            provider = await self.identity_providers.put(
                caller,
                issuer=body.issuer,
                client_id=body.client_id,
                client_secret=body.client_secret,
                action=audit_action(),
            )
        return json_answer(_body(provider))

    @operation(
        "DELETE",
        _PATH,
        operation_id="deleteIdentityProvider",
        summary="Delete the identity provider",
        description=(
            "Nobody logs in by it any more, and who was who there is forgotten; sessions end with their tokens. Set again, it "
            "finds users by their email again."
        ),
        tags=["administration"],
        status=204,
        audit="identity_provider.delete",
        permission=_PERMISSION,
        key="refused",
        refusals=(IdentityProviderNotFound, ScopeExceedsCaller, OperatorRequired),
    )
    async def delete_identity_provider(self, caller: Caller, request: AnyRequest) -> None:
        refuse_key(request.headers)
        async with attempts(self.access, caller, _TARGET):
            await self.identity_providers.delete(caller, action=audit_action())


def _body(provider: IdentityProvider) -> IdentityProviderBody:
    return provider_body(provider, login_path=f"/console/login?tenant={quote(provider.tenant_id, safe='')}")
