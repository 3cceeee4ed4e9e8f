"""The first tenants, users, roles and policies. Running it again adds what is missing and changes nothing else."""

from types import MappingProxyType

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.observability.correlation import current
from services.api.access.commands import provision
from services.api.access.domain import Account, Policy, Tenant, TenantOrigin
from services.api.access.passwords import Passwords
from services.api.access.sql import identity
from services.api.settings import SeedSettings

ROLES = MappingProxyType(
    {
        "admin": "May do everything that the tenant's plan admits.",
        "ops": "Takes payments, and keeps the books.",
        "sales": "Looks at payments.",
    }
)
PERMISSIONS = MappingProxyType(
    {
        "payments:write": "Create and confirm payments.",
        "payments:read": "Look at payments.",
        "ledger:read": "Look at the books and the chart of accounts.",
        "ledger:approve": "Decide about journal entries that somebody else proposed.",
        "ledger:write": "Post to the books by hand: entries, holds, reversals, closed periods, conversions of currencies.",
        "admin:write": "Change accounts and their roles, exchange rates and webhook endpoints.",
        "profile:read": "Look at one's own profile.",
    }
)
_HELD_BY = MappingProxyType(
    {
        "payments:write": ("admin", "ops"),
        "payments:read": ("admin", "ops", "sales"),
        "ledger:read": ("admin", "ops"),
        "ledger:write": ("admin", "ops"),
        "ledger:approve": ("admin",),
        "admin:write": ("admin",),
        "profile:read": ("admin", "ops", "sales"),
    }
)
_PLANS = MappingProxyType(
    {
        "payments:write": ("pro", "enterprise"),
        "payments:read": ("free", "pro", "enterprise"),
        "ledger:read": ("pro", "enterprise"),
        "ledger:write": ("pro", "enterprise"),
        "ledger:approve": ("pro", "enterprise"),
        "admin:write": ("enterprise",),
        "profile:read": ("free", "pro", "enterprise"),
    }
)
_REGIONS = ("region-a", "region-b", "us-west-2", "eu-west-1", "sa-east-1", "global")
"""Those of the reference system, and those that tenants of the suite carry (`us-east-1` is `region-a`)."""

DEMO_TENANT = Tenant(id="tenant_demo", name="Demo Tenant", plan="pro", region="region-a", origin=TenantOrigin.SEED)
SUITE_TENANT = Tenant(
    id="00000000-0000-0000-0000-000000000002",
    name="Demo Corp",
    plan="pro",
    region="region-a",
    origin=TenantOrigin.SEED,
)


class SeedUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user to be seeded."""

    email: str
    password: str
    tenant_id: str | None
    role: str


def seed_users(passwords: SeedSettings) -> list[SeedUser]:
    """List the seeded users: the global admin, and one of each working role in both tenants."""
    admin = SeedUser(email="admin@local", password=passwords.seed_admin_password, tenant_id=None, role="admin")
    users = [admin]
    for tenant, domain in ((DEMO_TENANT, "demo"), (SUITE_TENANT, "demo.example.com")):
        users += [
            SeedUser(email=f"ops@{domain}", password=passwords.seed_ops_password, tenant_id=tenant.id, role="ops"),
            SeedUser(
                email=f"sales@{domain}", password=passwords.seed_sales_password, tenant_id=tenant.id, role="sales"
            ),
        ]
    return users


async def write_seeds(database: Database, *, clock: Clock, passwords: Passwords, seeds: SeedSettings) -> None:
    """Add roles, permissions, policies, tenants and users that are missing; each new tenant is published."""
    await identity.add_rules(
        database,
        roles=dict(ROLES),
        permissions=dict(PERMISSIONS),
        role_permissions=[(role, permission) for permission, held_by in _HELD_BY.items() for role in held_by],
        rules=[
            Policy(permission=name, effect="allow", allowed_plans=plans, allowed_regions=_REGIONS)
            for name, plans in _PLANS.items()
        ],
    )
    for tenant in (DEMO_TENANT, SUITE_TENANT):
        await provision(database, tenant, clock=clock, correlation=current())
    for user in seed_users(seeds):
        if await identity.account(database, user.email) is not None:
            continue
        await identity.add_account(
            database,
            Account(
                id=new_id(clock.now()),
                email=user.email,
                password_hash=passwords.hash(user.password),
                tenant_id=user.tenant_id,
                roles=(user.role,),
                permissions=(),
            ),
            at=clock.now(),
        )


def unsafe_seeds(seeds: SeedSettings) -> list[str]:
    """Find seeded passwords that everybody knows; outside local each is a reason not to seed."""
    published = SeedSettings()
    return [
        f"{field.upper()} is a published development password; set your own outside APP_ENV=local"
        for field in SeedSettings.__struct_fields__
        if getattr(seeds, field) == getattr(published, field)
    ]
