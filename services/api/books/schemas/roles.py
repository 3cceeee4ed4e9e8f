"""Account roles, as clients write and see them."""

from typing import Annotated, Any

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_roles import AccountRole, Role


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


def role_members(role: AccountRole) -> dict[str, Any]:
    """List the members that every body of a role has."""
    return {
        **msgspec.structs.asdict(role),
        "changed_at": None if role.changed_at is None else iso(role.changed_at),
    }
