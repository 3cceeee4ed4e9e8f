"""REST shapes of tenants, users, roles and policies: what administrators send and see, by HTTP or by a command."""

import re
from typing import Annotated, Literal

import msgspec

from libs.common.clock import iso
from services.api.access import Policy, Tenant, TenantOrigin, TenantStatus
from services.api.access.schemas import Password
from services.api.administration.domain import NamedPermission, Role, User
from services.api.http.bodies import require_one_line, require_storable
from services.api.http.callers import ANY_TENANT
from services.api.http.parameters import wrong

_LIST_MAX = 50
_TENANT = re.compile(r"[!-~]{1,64}(?!\n)$")
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,63}(?!\n)$")

type _Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
type _Roles = Annotated[
    list[_Word], msgspec.Meta(max_length=_LIST_MAX, description="Names of roles, which allow no more than you may.")
]


class PutTenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tenant is from now on."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Its name, for people.")]
    plan: Annotated[_Word, msgspec.Meta(description="`free`, `starter`, `pro` or `enterprise`, or another word.")]
    region: Annotated[_Word, msgspec.Meta(description="`region-a`, `sa-east-1` or another word.")]
    status: (
        Annotated[
            TenantStatus,
            msgspec.Meta(description="Whether it may use the platform; absent: as it is, and ACTIVE for a new one."),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class TenantBody(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant."""

    id: str
    name: str
    plan: str
    region: str
    status: TenantStatus
    origin: Annotated[str, msgspec.Meta(description="Who stated it: `seed` (or an operator), `token` or `sync`.")]


class TenantList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of tenants, in the order of their ids."""

    data: list[TenantBody]
    next_after: Annotated[str, msgspec.Meta(description="What to send as `after` for the next page.")] | None


class CreateUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who logs in with a password."""

    email: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[^@\s]+@[^@\s]+(?!\n)$", max_length=320, description="The login name, unique everywhere."
        ),
    ]
    password: Password
    roles: _Roles


class ChangeUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; members that are missing stay as they are."""

    password: Password | msgspec.UnsetType = msgspec.UNSET
    roles: _Roles | msgspec.UnsetType = msgspec.UNSET
    is_disabled: Annotated[bool, msgspec.Meta(description="Whether it may not log in.")] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class UserBody(msgspec.Struct, frozen=True, kw_only=True):
    """A user, without the password."""

    id: str
    email: str
    roles: tuple[str, ...]
    is_operator: Annotated[bool, msgspec.Meta(description="Whether it belongs to no tenant, but to the platform.")]
    created_at: str
    disabled_at: str | None


class UserList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of users, newest first."""

    data: list[UserBody]
    next_cursor: str | None


class PutRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role allows from now on."""

    description: Annotated[str, msgspec.Meta(max_length=200, description="Who has it, for people.")]
    permissions: Annotated[list[_Word], msgspec.Meta(max_length=_LIST_MAX, description="Names of permissions.")]


class RoleBody(msgspec.Struct, frozen=True, kw_only=True):
    """A role, and what it allows."""

    name: str
    description: str
    permissions: tuple[str, ...]


class PutPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a permission is narrowed from now on."""

    effect: Annotated[Literal["allow", "deny"], msgspec.Meta(description="`deny` refuses everybody but operators.")]
    allowed_plans: Annotated[
        list[_Word], msgspec.Meta(max_length=_LIST_MAX, description="Plans, each admitting higher ones; empty: all.")
    ]
    allowed_regions: Annotated[list[_Word], msgspec.Meta(max_length=_LIST_MAX, description="Regions; empty: all.")]
    admits_home_region: Annotated[
        bool,
        msgspec.Meta(
            description="Whether a tenant is admitted with the region that it carries, whatever the list says."
        ),
    ] = True


class PolicyBody(msgspec.Struct, frozen=True, kw_only=True):
    """A permission, and how it is narrowed; without a policy everybody but operators is refused."""

    permission: str
    description: str
    effect: Literal["allow", "deny"] | None
    allowed_plans: tuple[str, ...]
    allowed_regions: tuple[str, ...]
    admits_home_region: bool


def named_tenant(tenant_id: str) -> str:
    """Return the id of a tenant.

    Raises:
        Invalid: when it cannot be one.
    """
    if not _TENANT.match(tenant_id) or tenant_id == ANY_TENANT:
        raise wrong("tenant_id", "must be 1 to 64 visible characters")
    return tenant_id


def stated_tenant(tenant_id: str, body: PutTenant) -> Tenant:
    """Read what is stated of a tenant; one without a status would be ACTIVE.

    Raises:
        Invalid: when id or texts cannot be those of a tenant.
    """
    require_one_line({"/name": body.name, "/plan": body.plan, "/region": body.region})
    return Tenant(
        id=named_tenant(tenant_id),
        name=body.name,
        plan=body.plan,
        region=body.region,
        status=TenantStatus.ACTIVE if body.status is msgspec.UNSET else body.status,
        origin=TenantOrigin.SEED,
    )


def require_user(body: CreateUser | ChangeUser) -> None:
    """Refuse texts of a user that cannot be kept.

    Raises:
        Invalid: naming them.
    """
    if isinstance(body, CreateUser):
        require_one_line({"/email": body.email})
    require_storable({"/password": None if body.password is msgspec.UNSET else body.password})


def stated_role(name: str, body: PutRole) -> Role:
    """Read what is stated of a role.

    Raises:
        Invalid: when name or texts cannot be those of a role.
    """
    if not _ROLE.match(name):
        raise wrong("name", "must be 1 to 64 small letters, digits, - or _, and begin with a letter")
    require_one_line({"/description": body.description})
    return Role(name=name, description=body.description, permissions=tuple(sorted(set(body.permissions))))


def stated_policy(permission: str, body: PutPolicy) -> Policy:
    """Read what is stated of a policy.

    Raises:
        Invalid: when a plan or region cannot be one.
    """
    words = [*body.allowed_plans, *body.allowed_regions]
    require_one_line({f"/{place}": word for place, word in enumerate(words)})
    return Policy(
        permission=permission,
        effect=body.effect,
        allowed_plans=tuple(body.allowed_plans),
        allowed_regions=tuple(body.allowed_regions),
        admits_home_region=body.admits_home_region,
    )


def tenant_body(tenant: Tenant) -> TenantBody:
    """Show a tenant."""
    return TenantBody(
        id=tenant.id,
        name=tenant.name,
        plan=tenant.plan,
        region=tenant.region,
        status=TenantStatus(tenant.status),
        origin=str(tenant.origin),
    )


def user_body(user: User) -> UserBody:
    """Show a user."""
    return UserBody(
        id=str(user.id),
        email=user.email,
        roles=user.roles,
        is_operator=user.tenant_id is None,
        created_at=iso(user.created_at),
        disabled_at=None if user.disabled_at is None else iso(user.disabled_at),
    )


def role_body(role: Role) -> RoleBody:
    """Show a role."""
    return RoleBody(name=role.name, description=role.description, permissions=role.permissions)


def policy_body(permission: NamedPermission, policy: Policy | None) -> PolicyBody:
    """Show a permission and its policy."""
    effect: Literal["allow", "deny"] | None = None
    if policy is not None:
        effect = "allow" if policy.effect == "allow" else "deny"
    return PolicyBody(
        permission=permission.name,
        description=permission.description,
        effect=effect,
        allowed_plans=() if policy is None else policy.allowed_plans,
        allowed_regions=() if policy is None else policy.allowed_regions,
        admits_home_region=policy is not None and policy.admits_home_region,
    )
