"""Reads of gateway configurations."""

from libs.common.contracts.gateway_requests import GatewayConfigList, ListGatewayConfigs
from services.gateway.accounts.domain import shown
from services.gateway.accounts.sql import ConfigStore


async def list_configs(store: ConfigStore, request: ListGatewayConfigs) -> GatewayConfigList:
    """List the configurations of a tenant, newest first, without deleted ones."""
    configs = await store.of_tenant(request.tenant_id)
    return GatewayConfigList(configs=[shown(config) for config in configs if config.deleted_at is None])
