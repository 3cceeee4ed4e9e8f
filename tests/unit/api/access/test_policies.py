"""Who may do what: permissions from the token, narrowed by policies on plan and region."""

import pytest

from services.api.access import Policy
from services.api.access.policies import authorize, normalise_plan, normalise_region, plan_allowed, region_allowed
from services.api.errors import AccessDenied
from services.api.http.callers import Principal

POLICY = Policy(
    permission="payments:write",
    effect="allow",
    allowed_plans=("pro", "enterprise"),
    allowed_regions=("region-a", "region-b"),
)


def who(**changes: object) -> Principal:
    """An operator on the plan pro in region-a."""
    stated: dict[str, object] = {
        "sub": "ops",
        "tid": "t",
        "roles": ("ops",),
        "perms": frozenset({"payments:write"}),
        "plan": "pro",
        "region": "region-a",
        "jti": "",
        **changes,
    }
    return Principal(**stated)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "meant"), [("", "free"), (" Pro ", "pro"), ("professional", "pro"), ("Enterprise", "enterprise")]
)
def test_plans_are_normalised(given: str, meant: str) -> None:
    assert normalise_plan(given) == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [("", "region-a"), ("US-East-1", "region-a"), ("region-b", "region-b"), ("sa-east-1", "sa-east-1")],
)
def test_regions_are_normalised(given: str, meant: str) -> None:
    assert normalise_region(given) == meant


@pytest.mark.parametrize(
    ("plan", "allowed", "admitted"),
    [
        ("free", ("free",), True),
        ("enterprise", ("free",), True),
        ("starter", ("free", "pro"), True),
        ("free", ("starter",), False),
        ("starter", ("pro", "enterprise"), False),
        ("gold", ("free",), False),
        ("gold", ("gold",), True),
        ("enterprise", ("gold",), False),
        ("", ("free",), True),
    ],
)
def test_an_allowed_plan_admits_every_higher_one(plan: str, allowed: tuple[str, ...], admitted: bool) -> None:
    assert plan_allowed(plan, allowed) is admitted


def test_the_registry_region_of_a_tenant_is_allowed() -> None:
    assert not region_allowed("sa-east-1", ("region-a",), home_region=None)
    assert region_allowed("sa-east-1", ("region-a",), home_region="SA-East-1")
    assert not region_allowed("mars-1", ("region-a",), home_region="sa-east-1")


@pytest.mark.parametrize(
    ("principal", "policy", "reason"),
    [
        (who(perms=frozenset()), POLICY, "missing_permission"),
        (who(), None, "no_policy"),
        (who(), Policy(permission="p", effect="deny", allowed_plans=(), allowed_regions=()), "policy_deny"),
        (who(plan="free"), POLICY, "plan_not_allowed"),
        (who(region="mars-1"), POLICY, "region_not_allowed"),
        (who(tid="*", roles=("ops",), perms=frozenset()), POLICY, "missing_permission"),
        (who(tid="t", roles=("admin",), perms=frozenset()), POLICY, "missing_permission"),
    ],
)
def test_denials_name_their_reason(principal: Principal, policy: Policy | None, reason: str) -> None:
    with pytest.raises(AccessDenied) as denial:
        authorize(principal, "payments:write", policy)
    assert denial.value.reason == reason


@pytest.mark.parametrize("tid", ["*", "00000000-0000-0000-0000-000000000001"])
def test_a_global_admin_needs_neither_permission_nor_policy(tid: str) -> None:
    authorize(who(tid=tid, roles=("admin",), perms=frozenset(), plan="free", region="x"), "anything", None)


def test_an_empty_policy_admits_every_plan_and_region() -> None:
    open_to_all = Policy(permission="p", effect="allow", allowed_plans=(), allowed_regions=())
    authorize(who(plan="", region="mars-1"), "payments:write", open_to_all)
