"""Reads of gateway configurations."""

from libs.common.clock import Clock
from libs.common.contracts.gateway_requests import CircuitList, GatewayConfigList, ListGatewayConfigs
from libs.common.db import Database
from services.gateway.accounts.domain import shown
from services.gateway.accounts.sql import circuits
from services.gateway.accounts.sql import configs as configs_sql

CIRCUITS_MAX = 500
"""Reports that one list has at most."""


async def list_configs(database: Database, request: ListGatewayConfigs) -> GatewayConfigList:
    """List the configurations of a tenant, newest first, without deleted ones."""
    configs = await configs_sql.of_tenant(database, request.tenant_id)
    return GatewayConfigList(configs=[shown(config) for config in configs if config.deleted_at is None])


async def list_circuits(database: Database, clock: Clock) -> CircuitList:
    """List what every process of the gateway has reported of the processors that it calls."""
    return CircuitList(circuits=await circuits.reports(database, at=clock.now(), limit=CIRCUITS_MAX))
