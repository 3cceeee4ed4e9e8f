"""API keys: make, list, read, rotate, revoke."""

from litestar import Response

from libs.common.db import Database
from services.api.access.auditing import attempts
from services.api.api_keys import queries
from services.api.api_keys.commands import ApiKeys, MadeKey
from services.api.api_keys.schemas import (
    ApiKeyBody,
    ApiKeyList,
    CreateApiKey,
    NewApiKeyBody,
    RotateApiKey,
    key_body,
    new_key_body,
    require_key,
)
from services.api.http.bodies import BodyReader
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key
from services.api.identity_errors import ApiKeyNotActive, ApiKeyNotFound, ScopeExceedsCaller, TooManyApiKeys

KEYS, KEYS_MAX = 50, 200
_PERMISSION = "admin:write"
_LIST_QUERY = (
    QueryParameter(
        name="limit",
        description="Keys at most.",
        shape={"type": "integer", "minimum": 1, "maximum": KEYS_MAX, "default": KEYS},
    ),
    QueryParameter(
        name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string", "maxLength": 512}
    ),
)


class ApiKeyRoutes(Resource):
    """Routes of API keys."""

    api_keys: ApiKeys
    database: Database

    bodies, rotations = BodyReader(CreateApiKey), BodyReader(RotateApiKey)

    @operation(
        "POST",
        "/v1/api-keys",
        operation_id="createApiKey",
        summary="Make an API key",
        description="For a program of the tenant. The answer has the secret, once. It may do no more than you may yourself, and "
        "one that a key makes ends with that key at the latest.",
        tags=["identity"],
        body=CreateApiKey,
        example={"name": "shop", "scopes": ["payments:read", "payments:write"]},
        answer=NewApiKeyBody,
        status=201,
        audit="api_key.create",
        permission=_PERMISSION,
        key="refused",
        refusals=(ScopeExceedsCaller, TooManyApiKeys),
    )
    async def create_api_key(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_key(requested)
        refuse_key(request.headers)
        async with attempts(self.access, caller, "api_keys"):
            made = await self.api_keys.create(
                caller,
                name=requested.name,
                scopes=requested.scopes,
                expires_at=requested.expires_at,
                action=audit_action(),
            )
        return self._shown(made)

    @operation(
        "GET",
        "/v1/api-keys",
        operation_id="listApiKeys",
        summary="List API keys",
        description="Newest first, with those that are revoked or expired; without their secrets.",
        tags=["identity"],
        answer=ApiKeyList,
        permission=_PERMISSION,
        query=_LIST_QUERY,
    )
    async def list_api_keys(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        page = await queries.page(
            self.database,
            caller.tenant_id,
            limit=query.integer("limit", default=KEYS, at_least=1, at_most=KEYS_MAX),
            cursor=query.cursor(),
        )
        shown = [key_body(key, at=self.clock.now()) for key in page.keys]
        return json_answer(ApiKeyList(data=shown, next_cursor=page.next_cursor), headers=query.link(page.next_cursor))

    @operation(
        "GET",
        "/v1/api-keys/{key_id:str}",
        operation_id="getApiKey",
        summary="Get an API key",
        tags=["identity"],
        answer=ApiKeyBody,
        permission=_PERMISSION,
        refusals=(ApiKeyNotFound,),
    )
    async def get_api_key(self, caller: Caller, request: AnyRequest, key_id: str) -> Response[bytes]:
        found = await queries.get(self.database, caller.tenant_id, path_id(key_id, "key_id"))
        return json_answer(key_body(found, at=self.clock.now()))

    @operation(
        "POST",
        "/v1/api-keys/{key_id:str}/rotate",
        operation_id="rotateApiKey",
        summary="Replace an API key",
        description="Makes a key with the same name and scopes, whose secret the answer has, once. The old one stays valid for "
        "`overlap_seconds` (a day), and no longer than it would have been. "
        "The new one ends when the old one was to end, or at `expires_at`.",
        tags=["identity"],
        body=RotateApiKey,
        body_optional=True,
        example={"overlap_seconds": 3600},
        answer=NewApiKeyBody,
        status=201,
        audit="api_key.rotate",
        permission=_PERMISSION,
        key="refused",
        refusals=(ApiKeyNotFound, ApiKeyNotActive, ScopeExceedsCaller, TooManyApiKeys),
    )
    async def rotate_api_key(self, caller: Caller, request: AnyRequest, key_id: str) -> Response[bytes]:
        named = path_id(key_id, "key_id")
        requested = await self.rotations.take(await request.body() or b"{}")
        refuse_key(request.headers)
        async with attempts(self.access, caller, str(named)):
            made = await self.api_keys.rotate(
                caller,
                named,
                overlap_seconds=requested.overlap_seconds,
                expires_at=requested.expires_at,
                action=audit_action(),
            )
        return self._shown(made)

    @operation(
        "DELETE",
        "/v1/api-keys/{key_id:str}",
        operation_id="revokeApiKey",
        summary="Revoke an API key",
        description="It is refused from then on, in every process; it stays in the list. Revoking it again changes nothing.",
        tags=["identity"],
        status=204,
        audit="api_key.revoke",
        permission=_PERMISSION,
        key="refused",
        refusals=(ApiKeyNotFound,),
    )
    async def revoke_api_key(self, caller: Caller, request: AnyRequest, key_id: str) -> None:
        refuse_key(request.headers)
        await self.api_keys.revoke(caller, path_id(key_id, "key_id"), action=audit_action())

    def _shown(self, made: MadeKey) -> Response[bytes]:
        body = new_key_body(made.key, made.secret, at=self.clock.now())
        return json_answer(body, status=201, headers={"Cache-Control": "no-store"})
