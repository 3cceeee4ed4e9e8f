"""Roles and policies: read by administrators, changed by operators of the platform."""

from litestar import Response

from libs.common.db import Database
from services.api.administration import sql
from services.api.administration.commands import Administration
from services.api.administration.schemas import (
    PolicyBody,
    PutPolicy,
    PutRole,
    RoleBody,
    policy_body,
    role_body,
    stated_policy,
    stated_role,
)
from services.api.http.bodies import BodyReader
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest, QueryParameter
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key
from services.api.identity_errors import PermissionUnknown

_PERMISSION = "admin:write"
_ROLE = (
    QueryParameter(
        name="name",
        description="The role.",
        shape={"type": "string", "pattern": "^[a-z][a-z0-9_-]*$", "maxLength": 64},
    ),
)
_OF = (QueryParameter(name="permission", description="The permission.", shape={"type": "string", "minLength": 1}),)


class Rules(Resource):
    """Routes of roles and policies."""

    administration: Administration
    database: Database

    roles, policies = BodyReader(PutRole), BodyReader(PutPolicy)

    @operation(
        "GET",
        "/v1/roles",
        operation_id="listRoles",
        summary="List roles",
        description="Every role with what it allows, as a bare array.",
        tags=["administration"],
        answer=list[RoleBody],
        permission=_PERMISSION,
    )
    async def list_roles(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        return json_answer([role_body(role) for role in await sql.roles(self.database)])

    @operation(
        "PUT",
        "/v1/roles/{name:str}",
        operation_id="putRole",
        summary="Make a role, or change what it allows",
        description="For logins from then on, of every tenant; a token that somebody has is valid until it expires.",
        tags=["administration"],
        body=PutRole,
        example={"description": "Looks at the books.", "permissions": ["ledger:read", "profile:read"]},
        answer=RoleBody,
        audit="role.put",
        permission=_PERMISSION,
        key="refused",
        operator_for="roles",
        path_parameters=_ROLE,
    )
    async def put_role(self, caller: Caller, request: AnyRequest, name: str) -> Response[bytes]:
        body = await self.roles.take(await request.body())
        role = stated_role(name, body)
        refuse_key(request.headers)
        await self.administration.put_role(caller, role, action=audit_action())
        return json_answer(role_body(role))

    @operation(
        "GET",
        "/v1/policies",
        operation_id="listPolicies",
        summary="List permissions and their policies",
        description="Every permission with the plans and regions that may use it, as a bare array.",
        tags=["administration"],
        answer=list[PolicyBody],
        permission=_PERMISSION,
    )
    async def list_policies(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        policies = {policy.permission: policy for policy in await sql.policies(self.database)}
        return json_answer(
            [policy_body(each, policies.get(each.name)) for each in await sql.permissions(self.database)]
        )

    @operation(
        "PUT",
        "/v1/policies/{permission:str}",
        operation_id="putPolicy",
        summary="Change how a permission is narrowed",
        description="For every tenant, and heeded by every process at once.",
        tags=["administration"],
        body=PutPolicy,
        example={"effect": "allow", "allowed_plans": ["pro"], "allowed_regions": []},
        answer=PolicyBody,
        audit="policy.put",
        permission=_PERMISSION,
        key="refused",
        operator_for="policies",
        path_parameters=_OF,
        refusals=(PermissionUnknown,),
    )
    async def put_policy(self, caller: Caller, request: AnyRequest, permission: str) -> Response[bytes]:
        body = await self.policies.take(await request.body())
        policy = stated_policy(permission, body)
        refuse_key(request.headers)
        await self.administration.put_policy(caller, policy, action=audit_action())
        known = {each.name: each for each in await sql.permissions(self.database)}
        return json_answer(policy_body(known[permission], policy))
