"""Which account plays which role in the posting rules; the ledger keeps it and is asked over the broker."""

from typing import Annotated, Any

import msgspec
from litestar import Response

from libs.common.clock import iso
from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_money import (
    AccountRole,
    AssignAccountRole,
    GetAccountRole,
    ListAccountRoles,
    Role,
)
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest, QueryParameter
from services.api.http.problems import refusal
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_PATH = (
    QueryParameter(
        name="role", description="The role.", shape={"type": "string", "enum": [role.value for role in Role]}
    ),
)


class AssignRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to play a role."""

    account: Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="Code of an account in the chart.")]


class AccountRoleBody(msgspec.Struct, frozen=True, kw_only=True):
    """A role in the posting rules, and the account that plays it."""

    role: Role
    account: Annotated[str, msgspec.Meta(description="Code of the account that plays it.")]
    account_type: AccountType
    account_types: Annotated[list[AccountType], msgspec.Meta(description="The types that may play it.")]
    is_default: Annotated[bool, msgspec.Meta(description="Played by the platform's own account.")]
    changed_at: Annotated[str, msgspec.Meta(description="When it was changed last.")] | None
    changed_by: Annotated[str, msgspec.Meta(description="Who changed it last.")] | None


class RoleChangeBody(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a role."""

    revision: Annotated[int, msgspec.Meta(description="The tenant's changes of roles are numbered from 1.")]
    account: Annotated[str, msgspec.Meta(description="The account that plays it from then on.")]
    changed_at: str
    changed_by: str


class AccountRoleHistoryBody(AccountRoleBody, frozen=True, kw_only=True):
    """A role with its latest changes."""

    changes: Annotated[list[RoleChangeBody], msgspec.Meta(description="Newest first, at most 100.")]


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
        return json_answer([AccountRoleBody(**_members(role)) for role in found.roles])

    @operation(
        "GET",
        "/v1/accounts/roles/{role:str}",
        operation_id="getAccountRole",
        summary="Get an account role and its changes",
        tags=["accounts"],
        answer=AccountRoleHistoryBody,
        permission="ledger:read",
        path_parameters=_PATH,
        refusals=("account_role_not_found",),
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
        return json_answer(AccountRoleHistoryBody(**_members(found.role), changes=changes))

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
        refusals=("account_role_not_found", "account_unknown", "account_role_unfit", "account_role_conflict"),
        change=Change(AssignAccountRole, "ledger.assign_account_role", target="role"),
    )
    async def put_account_role(self, caller: Caller, request: AnyRequest, role: str) -> Response[bytes]:
        wanted = await self.bodies.take(await request.body())
        require_storable({"/account": wanted.account})
        assigned = await self.ask(
            AssignAccountRole(tenant_id=caller.tenant_id, role=_role(role), account=wanted.account, actor=caller.actor)
        )
        return json_answer(AccountRoleBody(**_members(assigned)))


def _role(text: str) -> Role:
    if text not in Role.__members__:
        raise refusal("account_role_not_found", "there is no such role")
    return Role(text)


def _members(role: AccountRole) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(role),
        "changed_at": None if role.changed_at is None else iso(role.changed_at),
    }
