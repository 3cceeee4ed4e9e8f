"""Users of a tenant, and through the platform's tenant its operators."""

from litestar import Response
from msgspec import UNSET

from libs.common.db import Database
from services.api.access.auditing import attempts
from services.api.administration import queries
from services.api.administration.commands import Administration
from services.api.administration.schemas import ChangeUser, CreateUser, UserBody, UserList, require_user, user_body
from services.api.errors import OperatorRequired
from services.api.http.bodies import BodyReader
from services.api.http.callers import PLATFORM_TENANT, Caller
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key
from services.api.identity_errors import (
    LoginNameTaken,
    OwnAccount,
    PresentPasswordRequired,
    ScopeExceedsCaller,
    UserNotFound,
)

USERS, USERS_MAX = 50, 200
_PERMISSION = "admin:write"
_LIST_QUERY = (
    QueryParameter(
        name="limit",
        description="Users at most.",
        shape={"type": "integer", "minimum": 1, "maximum": USERS_MAX, "default": USERS},
    ),
    QueryParameter(
        name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string", "maxLength": 512}
    ),
)


class Users(Resource):
    """Routes of users."""

    administration: Administration
    database: Database

    bodies, changes = BodyReader(CreateUser), BodyReader(ChangeUser)

    @operation(
        "POST",
        "/v1/users",
        operation_id="createUser",
        summary="Add a user",
        description="Somebody of the tenant who logs in with a password. The roles allow no more than you may yourself.",
        tags=["administration"],
        body=CreateUser,
        example={"email": "ana@example.com", "password": "a-long-password-of-one-person", "roles": ["sales"]},
        answer=UserBody,
        status=201,
        audit="user.create",
        permission=_PERMISSION,
        key="refused",
        refusals=(ScopeExceedsCaller, LoginNameTaken, OperatorRequired),
    )
    async def create_user(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        await self._require_home(caller)
        body = await self.bodies.take(await request.body())
        require_user(body)
        refuse_key(request.headers)
        async with attempts(self.access, caller, "users"):
            user = await self.administration.add_user(
                caller, email=body.email, password=body.password, roles=body.roles, action=audit_action()
            )
        return json_answer(user_body(user), status=201)

    @operation(
        "GET",
        "/v1/users",
        operation_id="listUsers",
        summary="List users",
        description="Newest first. Through the platform's tenant an operator sees its operators too.",
        tags=["administration"],
        answer=UserList,
        permission=_PERMISSION,
        query=_LIST_QUERY,
        refusals=(OperatorRequired,),
    )
    async def list_users(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        await self._require_home(caller)
        query = Query(request)
        page = await queries.users(
            self.database,
            caller.tenant_id,
            limit=query.integer("limit", default=USERS, at_least=1, at_most=USERS_MAX),
            cursor=query.cursor(),
        )
        shown = UserList(data=[user_body(user) for user in page.users], next_cursor=page.next_cursor)
        return json_answer(shown, headers=query.link(page.next_cursor))

    @operation(
        "PATCH",
        "/v1/users/{user_id:str}",
        operation_id="changeUser",
        summary="Change a user",
        description=(
            "Its roles, its password, or whether it may log in; its tokens of before are refused. Your own password is changed "
            "by `POST /v1/auth/password`."
        ),
        tags=["administration"],
        body=ChangeUser,
        example={"roles": ["ops"]},
        answer=UserBody,
        audit="user.change",
        permission=_PERMISSION,
        key="refused",
        refusals=(UserNotFound, ScopeExceedsCaller, OwnAccount, PresentPasswordRequired, OperatorRequired),
    )
    async def change_user(self, caller: Caller, request: AnyRequest, user_id: str) -> Response[bytes]:
        await self._require_home(caller)
        named = path_id(user_id, "user_id")
        body = await self.changes.take(await request.body())
        require_user(body)
        refuse_key(request.headers)
        async with attempts(self.access, caller, str(named)):
            user = await self.administration.change_user(
                caller,
                named,
                roles=None if body.roles is UNSET else body.roles,
                password=None if body.password is UNSET else body.password,
                is_disabled=None if body.is_disabled is UNSET else body.is_disabled,
                action=audit_action(),
            )
        return json_answer(user_body(user))

    async def _require_home(self, caller: Caller) -> None:
        """Leave users of the platform's tenant to operators: with the role `admin` they are operators themselves."""
        if caller.tenant_id == PLATFORM_TENANT:
            await self.access.require_operator(caller, "users")
