"""How we remember through which processor account a tenant charges. Keys are sealed before they come here."""

from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.db import Database
from services.gateway.configs import Config, ProcessorKind

_COLUMNS = (
    "tenant_id, id, processor, currencies, sealed_key, key_last4, sealed_webhook_secrets, webhook_last4, payment_method, "
    "return_url, created_at, updated_at, deleted_at"
)
_ADD = f"""
INSERT INTO gateway_configs ({_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (id, tenant_id) DO NOTHING RETURNING id
"""  # noqa: S608 - no input in it
_OF_TENANT = f"SELECT {_COLUMNS} FROM gateway_configs WHERE tenant_id = $1 ORDER BY created_at DESC, id DESC"  # noqa: S608
_BY_ID = f"SELECT {_COLUMNS} FROM gateway_configs WHERE id = $1"  # noqa: S608 - no input in it
_ROTATE = f"""
UPDATE gateway_configs SET sealed_key = $3, key_last4 = $4, sealed_webhook_secrets = $5, webhook_last4 = $6, updated_at = $7
WHERE tenant_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""  # noqa: S608 - no input in it
_ALL = f"SELECT {_COLUMNS} FROM gateway_configs ORDER BY id"  # noqa: S608 - no input in it
_RESEAL = """
UPDATE gateway_configs SET sealed_key = $3, sealed_webhook_secrets = $4
WHERE tenant_id = $1 AND id = $2 AND sealed_key = $5 AND sealed_webhook_secrets = $6 RETURNING id
"""
_DELETE = """
UPDATE gateway_configs SET deleted_at = coalesce(deleted_at, $3), updated_at = $3
WHERE tenant_id = $1 AND id = $2 RETURNING id
"""


class ConfigStore:
    """The configurations table; read behind a cache, written by hand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, config: Config) -> bool:
        """Write a new configuration down; False when its id is taken."""
        row = await self._database.write(
            _ADD,
            *(config.tenant_id, config.id, config.processor, list(config.currencies), config.sealed_key),
            *(config.key_last4, list(config.sealed_webhook_secrets), config.webhook_last4, config.payment_method),
            *(config.return_url, config.created_at, config.updated_at, config.deleted_at),
        )
        return row is not None

    async def of_tenant(self, tenant_id: str) -> list[Config]:
        """Read a tenant's configurations, deleted ones included, newest first."""
        return [_config(row) for row in await self._database.fetch(_OF_TENANT, tenant_id)]

    async def find(self, config_id: UUID) -> Config | None:
        """Read a configuration by its id, deleted or not: its payments are still captured and refunded."""
        row = await self._database.fetchrow(_BY_ID, config_id)
        return None if row is None else _config(row)

    async def rotate(self, config: Config) -> Config:
        """Replace the keys of a configuration."""
        row = await self._database.write(
            _ROTATE,
            *(config.tenant_id, config.id, config.sealed_key, config.key_last4),
            *(list(config.sealed_webhook_secrets), config.webhook_last4, config.updated_at),
        )
        assert row is not None
        return _config(row)

    async def everything(self) -> list[Config]:
        """Read all configurations, deleted ones included."""
        return [_config(row) for row in await self._database.fetch(_ALL)]

    async def reseal(self, config: Config, *, was: Config) -> bool:
        """Replace what seals the same keys; False when they were rotated in between."""
        row = await self._database.write(
            _RESEAL,
            *(config.tenant_id, config.id, config.sealed_key, list(config.sealed_webhook_secrets)),
            *(was.sealed_key, list(was.sealed_webhook_secrets)),
        )
        return row is not None

    async def delete(self, *, tenant_id: str, config_id: UUID, at: datetime) -> bool:
        """Send no new payment this way; False when there is no such configuration."""
        return await self._database.write(_DELETE, tenant_id, config_id, at) is not None


def _config(row: asyncpg.Record) -> Config:
    fields = dict(row)
    fields["processor"] = ProcessorKind(fields["processor"])
    fields["currencies"] = tuple(fields["currencies"])
    fields["sealed_webhook_secrets"] = tuple(fields["sealed_webhook_secrets"])
    return Config(**fields)
