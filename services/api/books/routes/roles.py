"""Which account plays which role in the posting rules; the ledger keeps it and answers over the broker."""

from litestar import Response

from libs.common.clock import iso
from libs.common.contracts.ledger_errors import AccountUnknown, RoleConflict, RoleUnfit
from libs.common.contracts.ledger_roles import AssignAccountRole, GetAccountRole, ListAccountRoles, Role
from services.api.books.schemas.roles import (
    AccountRoleBody,
    AccountRoleHistoryBody,
    AssignRole,
    RoleChangeBody,
    role_members,
)
from services.api.errors import AccountRoleNotFound
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest, QueryParameter
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_PATH = (
    QueryParameter(
        name="role", description="The role.", shape={"type": "string", "enum": [role.value for role in Role]}
    ),
)


class AccountRoles(Resource):
    """Routes: `GET /v1/accounts/roles`, and `GET` and `PUT /v1/accounts/roles/{role}`."""

    ask: Ask

    bodies = BodyReader(AssignRole)

    @operation(
        "GET",
        "/v1/accounts/roles",
        operation_id="listAccountRoles",
        summary="List account roles",
        description="Which account plays which role in the posting rules, as a bare array.",
        tags=["accounts"],
        answer=list[AccountRoleBody],
        permission="ledger:read",
    )
    async def list_account_roles(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ListAccountRoles(tenant_id=caller.tenant_id))
        return json_answer([AccountRoleBody(**role_members(role)) for role in found.roles])

    @operation(
        "GET",
        "/v1/accounts/roles/{role:str}",
        operation_id="getAccountRole",
        summary="Get an account role and its changes",
        tags=["accounts"],
        answer=AccountRoleHistoryBody,
        permission="ledger:read",
        path_parameters=_PATH,
        refusals=(AccountRoleNotFound,),
    )
    async def get_account_role(self, caller: Caller, request: AnyRequest, role: str) -> Response[bytes]:
        found = await self.ask(GetAccountRole(tenant_id=caller.tenant_id, role=_role(role)))
        changes = [
            RoleChangeBody(
                revision=change.revision,
                account=change.account,
                changed_at=iso(change.changed_at),
                changed_by=change.changed_by,
            )
            for change in found.changes
        ]
        return json_answer(AccountRoleHistoryBody(**role_members(found.role), changes=changes))

    @operation(
        "PUT",
        "/v1/accounts/roles/{role:str}",
        operation_id="putAccountRole",
        summary="Let an account play a role",
        description="Effective for every entry that is posted once this is answered; what stands in the books stays.",
        tags=["accounts"],
        body=AssignRole,
        example={"account": "CASH"},
        answer=AccountRoleBody,
        permission="admin:write",
        path_parameters=_PATH,
        refusals=(AccountRoleNotFound, AccountUnknown, RoleUnfit, RoleConflict),
        change=Change(AssignAccountRole, "ledger.assign_account_role", target="role"),
    )
    async def put_account_role(self, caller: Caller, request: AnyRequest, role: str) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_storable({"/account": requested.account})
        assigned = await self.ask(
            AssignAccountRole(
                tenant_id=caller.tenant_id, role=_role(role), account=requested.account, actor=caller.actor
            )
        )
        return json_answer(AccountRoleBody(**role_members(assigned)))


def _role(text: str) -> Role:
    if text not in Role.__members__:
        raise AccountRoleNotFound("there is no such role")
    return Role(text)
