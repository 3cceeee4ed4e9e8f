"""What is handled of accounts at processors: the requests of the api."""

from collections.abc import Callable
from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts.gateway_requests import (
    AddGatewayConfig,
    CircuitList,
    DeleteGatewayConfig,
    GatewayConfig,
    GatewayConfigDeleted,
    GatewayConfigList,
    ListCircuits,
    ListGatewayConfigs,
    RotateGatewayKeys,
)
from libs.common.db import Database
from libs.common.messaging import Bus
from services.gateway.accounts import queries
from services.gateway.accounts.commands import Configs


class AccountConsumers:
    """Answers requests about configurations; `changed` is called after each change, with the tenant and the configuration."""

    def __init__(
        self,
        configs: Configs,
        *,
        database: Database,
        changed: Callable[[str, UUID], None],
        clock: Clock,
    ) -> None:
        self._database = database
        self._clock = clock
        self._configs = configs
        self._changed = changed

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(AddGatewayConfig, self.on_add_gateway_config)
        bus.answer(RotateGatewayKeys, self.on_rotate_gateway_keys)
        bus.answer(DeleteGatewayConfig, self.on_delete_gateway_config)
        bus.answer(ListGatewayConfigs, self.on_list_gateway_configs)
        bus.answer(ListCircuits, self.on_list_circuits)

    async def on_add_gateway_config(self, request: AddGatewayConfig) -> GatewayConfig:
        """Add a configuration."""
        added = await self._configs.add(request)
        self._changed(request.tenant_id, request.config_id)
        return added

    async def on_rotate_gateway_keys(self, request: RotateGatewayKeys) -> GatewayConfig:
        """Replace the keys of a configuration."""
        rotated = await self._configs.rotate(request)
        self._changed(request.tenant_id, request.config_id)
        return rotated

    async def on_delete_gateway_config(self, request: DeleteGatewayConfig) -> GatewayConfigDeleted:
        """Delete a configuration."""
        deleted = await self._configs.delete(request)
        self._changed(request.tenant_id, request.config_id)
        return deleted

    async def on_list_gateway_configs(self, request: ListGatewayConfigs) -> GatewayConfigList:
        """List the configurations of a tenant."""
        return await queries.list_configs(self._database, request)

    async def on_list_circuits(self, _: ListCircuits) -> CircuitList:
        """List what every process of the gateway reports of the processors that it calls."""
        return await queries.list_circuits(self._database, self._clock)
