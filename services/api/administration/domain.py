"""Users, roles and permissions as administrators see them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as administrators see it: without the password."""

    id: UUID
    """UUIDv7."""
    email: str
    """Login name, lower case."""
    tenant_id: str | None
    """The tenant; none for an operator of the platform."""
    roles: tuple[str, ...]
    """Names of the roles."""
    created_at: datetime
    """When it was made."""
    disabled_at: datetime | None
    """Since when it may not log in."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role, and what it allows."""

    name: str
    """The role."""
    description: str
    """Who has it, for people."""
    permissions: tuple[str, ...]
    """Names of permissions, sorted."""


class NamedPermission(msgspec.Struct, frozen=True, kw_only=True):
    """A permission."""

    name: str
    """The permission."""
    description: str
    """What it allows, for people."""


def held_by(roles_: Sequence[Role], names: Sequence[str]) -> frozenset[str]:
    """What some roles allow together."""
    return frozenset(permission for role in roles_ if role.name in names for permission in role.permissions)
