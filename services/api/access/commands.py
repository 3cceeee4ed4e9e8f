"""Tenants are made known, and features switched."""

from datetime import datetime

from libs.common.clock import Clock
from libs.common.db import Connection, Database
from libs.common.db.tenancy import across_tenants
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.api.access.domain import Tenant
from services.api.access.sql import flags, identity
from services.api.audit import AuditRecord, write_sealed_line
from services.api.errors import OperatorRequired
from services.api.http.callers import PLATFORM_TENANT, Caller
from services.api.identity_errors import ScopeExceedsCaller
from services.api.outbox import tenant_provisioned


async def provision(database: Database, tenant: Tenant, *, clock: Clock, correlation: Correlation) -> bool:
    """Make a tenant known, once, and publish it: the ledger opens its default accounts. False when it already was."""
    now = clock.now()
    publication = tenant_provisioned(tenant.id, tenant.name, at=now, correlation=correlation)
    return await identity.add_tenant(database, tenant, publications=[publication], at=now)


async def provision_within(tx: Connection, tenant: Tenant, *, at: datetime, correlation: Correlation) -> bool:
    """Do the same inside the caller's transaction."""
    publication = tenant_provisioned(tenant.id, tenant.name, at=at, correlation=correlation)
    return await identity.add_tenant_within(tx, tenant, publications=[publication], at=at)


async def require_enabled(database: Database, caller: Caller) -> None:
    """Let only who may still log in make what outlives their token: it is valid until it expires, whoever is disabled.

    An operator is no user of the tenant for which they act, so this is not limited to it, and comes before its transaction.

    Raises:
        ScopeExceedsCaller: when the caller is disabled.
    """
    with across_tenants():
        is_disabled = await identity.is_disabled(database, email=caller.actor, tid=caller.principal.tid)
    if is_disabled:
        raise ScopeExceedsCaller("you may not log in any more yourself")


def require_operator_at_home(caller: Caller) -> None:
    """Let only operators decide about users of the platform's tenant: they may be operators, whatever their role is called.

    Raises:
        OperatorRequired: when the caller is none, and acts for that tenant.
    """
    if caller.tenant_id == PLATFORM_TENANT and not caller.principal.is_global_admin:
        raise OperatorRequired()


async def switch_feature(
    database: Database,
    feature: str,
    *,
    action: str,
    is_enabled: bool | None,
    scope: str,
    tenant_id: str,
    actor: str,
    clock: Clock,
    correlation: Correlation,
) -> None:
    """Switch a feature on or off for `scope`, a tenant or everybody; None lets the more general setting hold again.

    What was done is recorded under `tenant_id`, for whom the operator acts. The table itself publishes `access.changed`.
    """
    now = clock.now()
    audit = AuditRecord(
        tenant_id=tenant_id,
        id=new_id(now),
        actor=actor,
        action=action,
        target=feature,
        outcome="success",
        detail={} if is_enabled is None else {"is_enabled": str(is_enabled).lower()},
        correlation_id=correlation.correlation_id,
        at=now,
    )
    async with database.transaction() as tx:
        # Both are sealed, in the order of their chains, in which any two who lock several do.
        if tenant_id < scope:
            await write_sealed_line(tx, audit)
        if is_enabled is None:
            await flags.clear_flag(tx, feature, scope)
        else:
            await flags.set_flag(tx, feature, scope, is_enabled=is_enabled, by=actor, at=now)
        # The line is there too where there was no row: what an operator did is recorded.
        if tenant_id >= scope:
            await write_sealed_line(tx, audit)
