"""Who owns a Stripe account: read for every event that is about an account rather than a payment, moved by operators only."""

import json
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement
from libs.common.errors import Conflict, NotFound
from libs.common.messaging import write_down
from services.gateway.accounts.domain import account_name, config_of
from services.gateway.errors import AccountUnknown

# NULL tuples compare as NULL: an account that nobody owns is not owned by this configuration.
_OWNS = Statement(
    """
SELECT coalesce((a.tenant_id, a.processor) = (p.tenant_id, p.processor), FALSE) AS owns
  FROM processor_accounts AS p LEFT JOIN stripe_accounts AS a USING (account_id, is_live)
 WHERE p.processor = :processor AND p.tenant_id = :tenant_id
"""
)

# Whether it owns the account or not: an event of its own account is its own.
_ACCOUNT_OF = Statement(
    "SELECT account_id FROM processor_accounts WHERE processor = :processor AND tenant_id = :tenant_id"
)

# Locked, so that two operators move one after the other.
_OWNER = Statement(
    """
SELECT a.tenant_id, a.processor, a.known_at, c.id AS config_id, c.deleted_at
  FROM stripe_accounts AS a
  LEFT JOIN gateway_configs AS c ON c.tenant_id = a.tenant_id AND 'stripe:' || c.id = a.processor
 WHERE a.account_id = :account_id AND a.is_live = :is_live FOR UPDATE OF a
"""
)

# A left join: a configuration whose account is not known yet is refused as such, not as one that does not exist.
_TARGET = Statement(
    """
SELECT c.tenant_id, c.deleted_at, p.account_id, p.is_live
  FROM gateway_configs AS c LEFT JOIN processor_accounts AS p ON p.tenant_id = c.tenant_id AND p.processor = 'stripe:' || c.id
 WHERE c.id = :config_id AND c.processor = 'stripe'
"""
)

# Without a condition on the owner: `_OWNER` has locked the row in this transaction, and the plan was compared under
# that lock.
_MOVE = Statement(
    """
UPDATE stripe_accounts SET tenant_id = :move.to_tenant, processor = :processor, known_at = :at WHERE account_id = :move.account_id AND is_live = :move.is_live
"""
)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A Stripe account that changes hands."""

    account_id: str
    """Stripe's id of the account."""
    is_live: bool
    """Live or test mode."""
    from_tenant: str
    """Whose it was."""
    from_processor: str
    """Through what they charged; empty: it was awaited."""
    to_tenant: str
    """Whose it becomes."""
    to_processor: str
    """Through what they charge; empty: through the next configuration that they add for it."""
    since: datetime
    """Since when it was theirs."""


async def owns_account(database: Database, *, tenant_id: str, processor: str) -> bool | None:
    """Return whether a configuration owns its Stripe account; None while it is not known of which account it is."""
    row = await _OWNS.fetchrow(database, processor=processor, tenant_id=tenant_id)
    return None if row is None else bool(row["owns"])


async def account_of(database: Database, *, tenant_id: str, processor: str) -> str:
    """Return of which Stripe account a configuration is.

    Raises:
        AccountUnknown: while that is not known.
    """
    row = await _ACCOUNT_OF.fetchrow(database, processor=processor, tenant_id=tenant_id)
    if row is None:
        raise AccountUnknown(f"it is not known of which account {processor} is")
    return str(row["account_id"])


async def plan(database: Database, account_id: str, *, is_live: bool, to_tenant: str, to_config: UUID | None) -> Move:
    """Plan a move, and change nothing.

    Raises:
        NotFound: when nobody owns the account, or there is no such configuration.
        Conflict: when its configuration is not deleted, or the other one is not of this account.
    """
    async with database.transaction() as tx:
        return await _plan(tx, account_id, is_live=is_live, to_tenant=to_tenant, to_config=to_config)


async def move(database: Database, planned: Move, *, actor: str, reason: str, at: datetime) -> None:
    """Do what was planned, and write down who did it and why.

    Raises:
        NotFound, Conflict: as `plan` does, and when the account has changed hands since.
    """
    async with database.transaction() as tx:
        now = await _plan(
            tx,
            planned.account_id,
            is_live=planned.is_live,
            to_tenant=planned.to_tenant,
            to_config=config_of(planned.to_processor),
        )
        if now != planned:
            raise Conflict("the account has changed hands meanwhile; look again")
        processor = planned.to_processor or None
        await _MOVE.execute(tx, move=planned, processor=processor, at=at)
        detail = {"reason": reason, **msgspec.to_builtins(planned)}
        await write_down(
            tx, actor=actor, action="stripe_account.moved", subject=planned.account_id, detail=json.dumps(detail)
        )


async def _plan(tx: Connection, account_id: str, *, is_live: bool, to_tenant: str, to_config: UUID | None) -> Move:
    mode = "live" if is_live else "test"
    owner = await _OWNER.fetchrow(tx, account_id=account_id, is_live=is_live)
    if owner is None:
        raise NotFound(f"nobody charges through the Stripe account {account_id} in {mode} mode")
    if owner["processor"] is not None and owner["config_id"] is None:
        raise Conflict(f"{account_id} is the platform's own account (STRIPE_SECRET_KEY)")
    if owner["processor"] is not None and owner["deleted_at"] is None:
        raise Conflict(
            f"the gateway configuration {owner['config_id']} of tenant {owner['tenant_id']} still charges through "
            f"{account_id}: delete it first"
        )
    if to_config is not None:
        target = await _TARGET.fetchrow(tx, config_id=to_config)
        if target is None:
            raise NotFound(f"there is no gateway configuration {to_config} of Stripe")
        if target["deleted_at"] is not None:
            raise Conflict(f"the gateway configuration {to_config} is deleted")
        if (target["account_id"], target["is_live"]) != (account_id, is_live):
            raise Conflict(
                f"the gateway configuration {to_config} is not of {account_id} in {mode} mode, or not known to be"
            )
        to_tenant = target["tenant_id"]
    return Move(
        account_id=account_id,
        is_live=is_live,
        from_tenant=owner["tenant_id"],
        from_processor=owner["processor"] or "",
        to_tenant=to_tenant,
        to_processor=account_name(to_config) if to_config is not None else "",
        since=owner["known_at"],
    )
