"""May they? Permissions from the token (RBAC), narrowed by policies on plan and region (ABAC). Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from services.api.access.domain import Policy
from services.api.errors import (
    MissingPermission,
    NoPolicy,
    PlanNotAllowed,
    PolicyDenies,
    RegionNotAllowed,
)
from services.api.http.callers import Principal

PLAN_TIERS: Mapping[str, int] = MappingProxyType({"free": 0, "starter": 1, "pro": 2, "enterprise": 3})
"""Plans from low to high: an allowed plan admits every higher one."""
_PLAN_NAMES = MappingProxyType({"": "free", "professional": "pro"})
_REGION_NAMES = MappingProxyType({"": "region-a", "us-east-1": "region-a"})


def normalise_plan(plan: str) -> str:
    """Read a plan as the suite means it: trimmed, lower case, empty is `free`, `professional` is `pro`."""
    name = plan.strip().lower()
    return _PLAN_NAMES.get(name, name)


def normalise_region(region: str) -> str:
    """Read a region as the suite means it: trimmed, lower case; empty and `us-east-1` are `region-a`."""
    name = region.strip().lower()
    return _REGION_NAMES.get(name, name)


def plan_allowed(plan: str, allowed: tuple[str, ...]) -> bool:
    """Return whether a plan reaches the lowest allowed tier; a plan outside the tiers must be named itself."""
    name = normalise_plan(plan)
    names = [normalise_plan(one) for one in allowed]
    tiers = [PLAN_TIERS[one] for one in names if one in PLAN_TIERS]
    return name in names or (name in PLAN_TIERS and bool(tiers) and PLAN_TIERS[name] >= min(tiers))


def region_allowed(region: str, allowed: tuple[str, ...], *, home_region: str | None) -> bool:
    """Return whether a region is allowed, or is the home of the tenant in its registry, not only in its token."""
    name = normalise_region(region)
    if name in {normalise_region(one) for one in allowed}:
        return True
    return home_region is not None and name == normalise_region(home_region)


def authorize(principal: Principal, permission: str, policy: Policy | None, *, home_region: str | None = None) -> None:
    """Let `principal` use `permission`, or raise the reason why not.

    Raises:
        AccessDenied: whose code is the reason that the audit log keeps.
    """
    if principal.is_global_admin:
        return
    if permission not in principal.perms:
        raise MissingPermission(f"Missing permission: {permission}", permission=permission)
    if policy is None:
        raise NoPolicy("No policy for permission", permission=permission)
    if policy.effect != "allow":
        raise PolicyDenies("Policy denies", permission=permission)
    if policy.allowed_plans and not plan_allowed(principal.plan, policy.allowed_plans):
        raise PlanNotAllowed(f"Plan '{principal.plan}' not allowed", permission=permission)
    home_region = home_region if policy.admits_home_region else None
    if policy.allowed_regions and not region_allowed(principal.region, policy.allowed_regions, home_region=home_region):
        raise RegionNotAllowed(f"Region '{principal.region}' not allowed", permission=permission)
