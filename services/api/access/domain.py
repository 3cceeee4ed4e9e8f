"""Who may use the platform: tenants, their users, and the policies that narrow permissions."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from services.api.errors import TenantDeleted, TenantRefused, TenantSuspended


class TenantStatus(StrEnum):
    """Whether a tenant may use the platform."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


def refused_for(status: TenantStatus) -> TenantRefused:
    """Refuse whoever acts for a tenant of a status that may not use the platform."""
    kind = TenantDeleted if status is TenantStatus.DELETED else TenantSuspended
    return kind(f"tenant is {status.lower()}")


class TenantOrigin(StrEnum):
    """Where a tenant comes from: what only a token states counts for less than what an operator or the suite states."""

    SEED = "seed"
    TOKEN = "token"  # noqa: S105 - a word
    SYNC = "sync"


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant that uses the platform."""

    id: str
    """1 to 64 visible characters."""
    name: str
    """Its name, for people."""
    plan: str
    """Plan as its source wrote it."""
    region: str
    """Region as its source wrote it."""
    status: TenantStatus = TenantStatus.ACTIVE
    """Whether it may use the platform."""
    origin: TenantOrigin
    """Where it comes from."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What narrows a permission: which plans and regions may use it."""

    permission: str
    """The permission, for example `payments:write`."""
    effect: str
    """`allow` or `deny`."""
    allowed_plans: tuple[str, ...]
    """Plans, each admitting higher ones; empty: all."""
    allowed_regions: tuple[str, ...]
    """Regions; empty: all."""
    admits_home_region: bool = True
    """Whether a tenant is admitted with the region that it carries, whatever the list says."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user who logs in with a password, and what the roles allow."""

    id: UUID
    """UUIDv7."""
    email: str
    """Login name, lower case."""
    password_hash: str
    """argon2id in PHC string format."""
    tenant_id: str | None
    """The tenant; none for a global admin."""
    roles: tuple[str, ...]
    """Names of the roles."""
    permissions: tuple[str, ...]
    """What the roles allow, sorted."""
    disabled_at: datetime | None = None
    """Since when the user may not log in."""
    tokens_from: datetime | None = None
    """Tokens that were issued before are refused."""
