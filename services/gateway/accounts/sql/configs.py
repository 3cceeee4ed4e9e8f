"""How we remember through which processor account a tenant charges. Keys are sealed before they come here."""

from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.db import Connection, Database
from libs.common.errors import Invalid
from services.gateway.accounts.domain import Config, Ownership, ProcessorKind, config_of
from services.gateway.errors import GatewayConfigConflict

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
# A deleted configuration gives way to another one of its tenant: there is no other way to change what it says.
_OWN = """
INSERT INTO stripe_accounts AS a (account_id, is_live, tenant_id, processor, known_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, is_live) DO UPDATE SET processor = excluded.processor, known_at = excluded.known_at
 WHERE a.tenant_id = excluded.tenant_id AND (a.processor IS NULL OR a.processor = excluded.processor OR EXISTS (
       SELECT FROM gateway_configs AS c WHERE c.tenant_id = a.tenant_id AND 'stripe:' || c.id = a.processor
          AND c.deleted_at IS NOT NULL))
RETURNING processor
"""
_NOTE = """
INSERT INTO processor_accounts AS p (account_id, is_live, tenant_id, processor, known_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (processor, tenant_id) DO UPDATE SET known_at = excluded.known_at
 WHERE (p.account_id, p.is_live) = (excluded.account_id, excluded.is_live)
RETURNING processor
"""
_OWNER = "SELECT tenant_id, processor FROM stripe_accounts WHERE account_id = $1 AND is_live = $2"
_UNIDENTIFIED = f"""
SELECT {_COLUMNS} FROM gateway_configs AS c
 WHERE processor = 'stripe' AND id > $1 AND NOT EXISTS (
       SELECT FROM processor_accounts AS p WHERE p.tenant_id = c.tenant_id AND p.processor = 'stripe:' || c.id)
 ORDER BY id LIMIT $2
"""  # noqa: S608 - no input in it


class ConfigStore:
    """The configurations table; read behind a cache, written by hand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, config: Config, owned: Ownership | None = None) -> bool:
        """Write a new configuration down, and the Stripe account that it owns from now on; False when its id is taken.

        Raises:
            GatewayConfigConflict: when another configuration charges through the account.
        """
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(
                _ADD,
                *(config.tenant_id, config.id, config.processor, list(config.currencies), config.sealed_key),
                *(config.key_last4, list(config.sealed_webhook_secrets), config.webhook_last4, config.payment_method),
                *(config.return_url, config.created_at, config.updated_at, config.deleted_at),
            )
            if row is not None and owned is not None:
                await _own(tx, owned, at=config.updated_at)
        return row is not None

    async def of_tenant(self, tenant_id: str) -> list[Config]:
        """Read a tenant's configurations, deleted ones included, newest first."""
        return [_config(row) for row in await self._database.fetch(_OF_TENANT, tenant_id)]

    async def find(self, config_id: UUID) -> Config | None:
        """Read a configuration by its id, deleted or not: its payments are still captured and refunded."""
        row = await self._database.fetchrow(_BY_ID, config_id)
        return None if row is None else _config(row)

    async def rotate(self, config: Config, owned: Ownership | None = None) -> Config:
        """Replace the keys of a configuration.

        Raises:
            GatewayConfigConflict: when another configuration charges through the account of the new key.
            Invalid: when the new key is of another account than the one before.
        """
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(
                _ROTATE,
                *(config.tenant_id, config.id, config.sealed_key, config.key_last4),
                *(list(config.sealed_webhook_secrets), config.webhook_last4, config.updated_at),
            )
            if owned is not None:
                await _own(tx, owned, at=config.updated_at)
        assert row is not None
        return _config(row)

    async def own(self, owned: Ownership, *, at: datetime) -> None:
        """Write down of which Stripe account a configuration is, and that it owns it where nobody does; again is success.

        Raises:
            GatewayConfigConflict: when another configuration owns it; that both are of it is written down all the same.
            Invalid: when the configuration is of another account.
        """
        async with self._database.transaction() as tx:
            await _note(tx, owned, at=at)
        async with self._database.transaction() as tx:
            await _own(tx, owned, at=at)

    async def unidentified(self, *, after: UUID, limit: int) -> list[Config]:
        """Read the next configurations of Stripe whose account is not known, deleted ones included, by their ids."""
        return [_config(row) for row in await self._database.fetch(_UNIDENTIFIED, after, limit)]

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


async def _note(tx: Connection, owned: Ownership, *, at: datetime) -> None:
    values = (owned.account_id, owned.is_live, owned.tenant_id, owned.processor, at)
    if await tx.fetchrow(_NOTE, *values) is None:
        raise _of_another_account()


def _of_another_account() -> Invalid:
    sentence = "must be a key of the same Stripe account and mode as before; add a configuration for another one"
    return Invalid(f"secret_key {sentence}", errors=(("/secret_key", sentence),))


async def _own(tx: Connection, owned: Ownership, *, at: datetime) -> None:
    try:
        mine = await tx.fetchrow(_OWN, owned.account_id, owned.is_live, owned.tenant_id, owned.processor, at)
    except asyncpg.UniqueViolationError as fault:
        raise _of_another_account() from fault
    if mine is not None:
        await _note(tx, owned, at=at)
        return
    owner = await tx.fetchrow(_OWNER, owned.account_id, owned.is_live)
    assert owner is not None
    config_id = config_of(owner["processor"] or "")
    if owner["processor"] is None:
        named = "nobody but another tenant, to whom an operator has given it,"
    elif config_id is None:
        named = "the platform itself (STRIPE_SECRET_KEY)"
    else:
        whose = "" if owner["tenant_id"] == owned.tenant_id else " of another tenant"
        named = f"the gateway configuration {config_id}{whose}"
    raise GatewayConfigConflict(
        f"secret_key is of the Stripe account {owned.account_id}, through which {named} charges: "
        "delete that one first if it is yours, or use another account"
    )


def _config(row: asyncpg.Record) -> Config:
    fields = dict(row)
    fields["processor"] = ProcessorKind(fields["processor"])
    fields["currencies"] = tuple(fields["currencies"])
    fields["sealed_webhook_secrets"] = tuple(fields["sealed_webhook_secrets"])
    return Config(**fields)
