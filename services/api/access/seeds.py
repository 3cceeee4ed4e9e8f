"""The first tenants and users. Running it again adds what is missing and changes nothing else.

Roles, permissions and policies are in every database by a migration.
"""

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.observability.correlation import current
from services.api.access.commands import provision
from services.api.access.domain import Account, Tenant, TenantOrigin
from services.api.access.passwords import Passwords
from services.api.access.sql import identity
from services.api.settings import SeedSettings

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
    """Add tenants and users that are missing; each new tenant is published."""
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
