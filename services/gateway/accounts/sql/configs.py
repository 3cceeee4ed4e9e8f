"""How we remember through which processor account a tenant charges. Keys are sealed before they come here."""

from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.contracts.gateway_errors import GatewayConfigConflict
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from libs.common.db.tenancy import lifted
from services.gateway.accounts.domain import Config, Ownership, config_of, of_another_account

_COLUMNS = columns_of(Config)
_config = reader_of(Config)

# A request that comes again gets no row: the caller compares the content, and answers success or a conflict. Attempts name
# a configuration by its id alone, so no other tenant has it either.
_ADD = Statement(
    """
INSERT INTO gateway_configs ({columns}) SELECT {values}
 WHERE NOT EXISTS (SELECT FROM gateway_configs WHERE id = :config.id) ON CONFLICT (id, tenant_id) DO NOTHING RETURNING id
""",
    columns=_COLUMNS,
    values=values_of("config", Config),
)

# In the order by which a payment's way is chosen, by `ix_gateway_configs_tenant`. Deleted ones too: both callers leave
# them out.
_OF_TENANT = Statement(
    "SELECT {columns} FROM gateway_configs WHERE tenant_id = :tenant_id ORDER BY created_at DESC, id DESC",
    columns=_COLUMNS,
)

# Without the tenant: the name of a processor in an attempt has the configuration's id alone.
_BY_ID = Statement("SELECT {columns} FROM gateway_configs WHERE id = :config_id", columns=_COLUMNS)

# Only over what was read: of two rotations at once the later one gets no row, and never undoes the other. One that was
# deleted meanwhile takes the keys as well, since its payments are still captured and refunded.
_ROTATE = Statement(
    """
UPDATE gateway_configs
   SET sealed_key = :config.sealed_key, key_last4 = :config.key_last4,
       sealed_webhook_secrets = :config.sealed_webhook_secrets, webhook_last4 = :config.webhook_last4,
       updated_at = :config.updated_at
 WHERE tenant_id = :config.tenant_id AND id = :config.id AND sealed_key = :was.sealed_key
   AND sealed_webhook_secrets = :was.sealed_webhook_secrets RETURNING {columns}
""",
    columns=_COLUMNS,
)

# Deleted ones too: their payments are still captured and refunded, so their keys must outlive the earlier master key.
_ALL = Statement("SELECT {columns} FROM gateway_configs ORDER BY id", columns=_COLUMNS)

# Deleted ones too: events about their payments still come. By `ix_gateway_configs_connected`, for every event.
_CONNECTED = Statement(
    """
SELECT tenant_id, 'stripe:' || id AS processor FROM gateway_configs
 WHERE connected_account = :account_id AND connected_account <> '' ORDER BY id
"""
)

# Only over what was read: keys that were rotated meanwhile stay.
_RESEAL = Statement(
    """
UPDATE gateway_configs
   SET sealed_key = :config.sealed_key, sealed_webhook_secrets = :config.sealed_webhook_secrets
 WHERE tenant_id = :config.tenant_id AND id = :config.id AND sealed_key = :was.sealed_key
   AND sealed_webhook_secrets = :was.sealed_webhook_secrets RETURNING id
"""
)

# The row stays, since captures and refunds need its keys, and so does the instant of the first deletion: again is
# success.
_DELETE = Statement(
    """
UPDATE gateway_configs SET deleted_at = coalesce(deleted_at, :at), updated_at = :at
WHERE tenant_id = :tenant_id AND id = :config_id RETURNING id
"""
)

# A deleted configuration gives way to another one of its tenant: there is no other way to change its content. What moved more
# than a day before an account was known is not booked one by one (`movements.domain.BEFORE_KNOWN`): it is in the opening balance.
_OWN = Statement(
    """
INSERT INTO stripe_accounts AS a ({columns}, known_at, booked_from, opening_due)
VALUES ({values}, :at, :at::timestamptz - interval '1 day', TRUE)
ON CONFLICT (account_id, is_live) DO UPDATE SET processor = excluded.processor, known_at = excluded.known_at
 WHERE a.tenant_id = excluded.tenant_id AND (a.processor IS NULL OR a.processor = excluded.processor OR EXISTS (
       SELECT FROM gateway_configs AS c WHERE c.tenant_id = a.tenant_id AND 'stripe:' || c.id = a.processor
          AND c.deleted_at IS NOT NULL))
RETURNING processor
""",
    columns=columns_of(Ownership),
    values=values_of("owned", Ownership),
)

# No row where the configuration is known to be of another account.
_NOTE = Statement(
    """
INSERT INTO processor_accounts AS p ({columns}, known_at) VALUES ({values}, :at)
ON CONFLICT (processor, tenant_id) DO UPDATE SET known_at = excluded.known_at
 WHERE (p.account_id, p.is_live) = (excluded.account_id, excluded.is_live)
RETURNING processor
""",
    columns=columns_of(Ownership),
    values=values_of("owned", Ownership),
)

# Only after `_OWN` gave no row: its conflict has locked the owner's row, so this names whoever stood in the way.
_OWNER = Statement(
    "SELECT tenant_id, processor FROM stripe_accounts WHERE account_id = :owned.account_id AND is_live = :owned.is_live"
)

# By its primary key: a key that is rotated must be of the account that is known.
_ACCOUNT_OF = Statement(
    "SELECT account_id, is_live FROM processor_accounts WHERE processor = :processor AND tenant_id = :tenant_id"
)

# Any payment proves it, so the first one in `ix_attempts_gateway_ref` will do; read where a key is rotated whose account
# was never known.
_PAYMENT_OF = Statement(
    """
SELECT gateway_ref FROM attempts
 WHERE operation = 'authorize' AND processor <> 'sandbox' AND gateway_ref <> '' AND processor = :processor
   AND tenant_id = :tenant_id
 ORDER BY gateway_ref LIMIT 1
"""
)

# A batch at a time, since each row costs a call to Stripe, and on from the last id, so that those whose account cannot
# be had do not keep the others from their turn.
_UNIDENTIFIED = Statement(
    """
SELECT {columns} FROM gateway_configs AS c
 WHERE processor = 'stripe' AND id > :after AND NOT EXISTS (
       SELECT FROM processor_accounts AS p WHERE p.tenant_id = c.tenant_id AND p.processor = 'stripe:' || c.id)
 ORDER BY id LIMIT :limit
""",
    columns=_COLUMNS,
)


async def add(database: Database, config: Config, owned: Ownership | None = None) -> bool:
    """Write a new configuration down, and the Stripe account that it owns from now on; False when its id is taken.

    Raises:
        GatewayConfigConflict: when another configuration charges through the account.
    """
    async with database.transaction() as tx, lifted(tx):
        row = await _ADD.fetchrow(tx, config=config)
        if row is not None and owned is not None:
            await _own(tx, owned, at=config.updated_at)
    return row is not None


async def of_tenant(database: Database, tenant_id: str) -> list[Config]:
    """Read a tenant's configurations, deleted ones included, newest first."""
    return [_config(row) for row in await _OF_TENANT.fetch(database, tenant_id=tenant_id)]


async def connected(database: Database, account_id: str) -> list[tuple[str, str]]:
    """Read the tenant and the name in attempts of each configuration of a connected account."""
    rows = await _CONNECTED.fetch(database, account_id=account_id)
    return [(row["tenant_id"], row["processor"]) for row in rows]


async def find(database: Database, config_id: UUID) -> Config | None:
    """Read a configuration by its id, deleted or not: its payments are still captured and refunded."""
    row = await _BY_ID.fetchrow(database, config_id=config_id)
    return None if row is None else _config(row)


async def rotate(database: Database, config: Config, owned: Ownership | None = None, *, was: Config) -> Config | None:
    """Replace the keys of a configuration; None when they were replaced in between.

    Raises:
        GatewayConfigConflict: when another configuration charges through the account of the new key.
        ProcessorAccountChanged: when the new key is of another account than the one before.
    """
    async with database.transaction() as tx:
        row = await _ROTATE.fetchrow(tx, config=config, was=was)
        if row is not None and owned is not None:
            async with lifted(tx):
                await _own(tx, owned, at=config.updated_at)
    return None if row is None else _config(row)


async def account_of(database: Database, config: Config) -> tuple[str, bool] | None:
    """Read of which Stripe account and mode (live or test) a configuration is; None while that is not known."""
    row = await _ACCOUNT_OF.fetchrow(database, processor=config.name, tenant_id=config.tenant_id)
    return None if row is None else (row["account_id"], row["is_live"])


async def payment_of(database: Database, config: Config) -> str:
    """Read Stripe's reference of some payment that went this way; empty where none did."""
    row = await _PAYMENT_OF.fetchrow(database, processor=config.name, tenant_id=config.tenant_id)
    return "" if row is None else str(row["gateway_ref"])


async def own(database: Database, owned: Ownership, *, at: datetime) -> None:
    """Write down of which Stripe account a configuration is, and that it owns it where nobody does; again is success.

    Raises:
        GatewayConfigConflict: when another configuration owns it; that both are of it is written down all the same.
        ProcessorAccountChanged: when the configuration is of another account.
    """
    async with database.transaction() as tx:
        await _note(tx, owned, at=at)
    async with database.transaction() as tx:
        await _own(tx, owned, at=at)


async def unidentified(database: Database, *, after: UUID, limit: int) -> list[Config]:
    """Read the next configurations of Stripe whose account is not known, deleted ones included, by their ids."""
    return [_config(row) for row in await _UNIDENTIFIED.fetch(database, after=after, limit=limit)]


async def everything(database: Database) -> list[Config]:
    """Read all configurations, deleted ones included."""
    return [_config(row) for row in await _ALL.fetch(database)]


async def reseal(database: Database, config: Config, *, was: Config) -> bool:
    """Replace what seals the same keys; False when they were rotated in between."""
    row = await _RESEAL.write(database, config=config, was=was)
    return row is not None


async def delete(database: Database, *, tenant_id: str, config_id: UUID, at: datetime) -> bool:
    """Send no new payment this way; False when there is no such configuration."""
    return await _DELETE.write(database, tenant_id=tenant_id, config_id=config_id, at=at) is not None


async def _note(tx: Connection, owned: Ownership, *, at: datetime) -> None:
    if await _NOTE.fetchrow(tx, owned=owned, at=at) is None:
        raise of_another_account()


async def _own(tx: Connection, owned: Ownership, *, at: datetime) -> None:
    try:
        mine = await _OWN.fetchrow(tx, owned=owned, at=at)
    except asyncpg.UniqueViolationError as fault:
        raise of_another_account() from fault
    if mine is not None:
        await _note(tx, owned, at=at)
        return
    owner = await _OWNER.fetchrow(tx, owned=owned)
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
