"""Which tenants exist."""

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.observability.correlation import Correlation
from services.api.outbox import tenant_provisioned
from services.api.store import Tenant
from services.api.store import identity as store


async def provision(database: Database, tenant: Tenant, *, clock: Clock, correlation: Correlation) -> bool:
    """Make a tenant known, once, and say so: the ledger opens its default accounts. False when it already was."""
    now = clock.now()
    publication = tenant_provisioned(tenant.id, tenant.name, at=now, correlation=correlation)
    return await store.add_tenant(database, tenant, publications=[publication], at=now)
