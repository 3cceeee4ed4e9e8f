"""The SQL of accounts, and of which account plays which role: changes, newest last, and the lock of those who change and post.

The lock is an advisory one that PostgreSQL keeps in memory: it costs a posting no write. Tenants share a fixed number of
them, so that a group of any number of tenants holds a bounded number of locks.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from libs.common.errors import Unavailable
from services.ledger.core import Account

_LOCK_CLASS = 4003
"""The first of the two numbers of our advisory locks, as in the function `hold_roles`."""
_LOCKS = 64
"""The tenants are spread over this many locks."""
_LOCK_TIMEOUT_MILLISECONDS = 2000
"""How long a change waits for the groups that are being posted, which wait for it meanwhile."""

_ACCOUNT = columns_of(Account)
_ACCOUNT_TYPES = {
    "tenant_id": "text",
    "id": "uuid",
    "code": "text",
    "label": "text",
    "account_type": "text",
    "is_default": "bool",
    "floor_minor": "int8",
    "ceiling_minor": "int8",
}
"""How each field travels in an array; an array of arrays would have to be a rectangle, so `currencies` is a text."""
_PLAIN = [name for name in Account.__struct_fields__ if name != "currencies"]

# In the order of their key, so that two processes that open the same charts never wait for each other in a circle.
_OPEN = Statement(
    """
INSERT INTO accounts ({plain}, currencies, opened_at)
SELECT {plain}, string_to_array(currencies, ','), :opened_at
  FROM unnest({values}, :currencies::text[]) AS new({plain}, currencies)
 ORDER BY tenant_id, code
    ON CONFLICT DO NOTHING RETURNING {columns}
""",
    plain=", ".join(_PLAIN),
    values=", ".join(f":accounts[].{name}::{_ACCOUNT_TYPES[name]}[]" for name in _PLAIN),
    columns=_ACCOUNT,
)
# Before `_OPEN`, and again after it, which does not return what another process has opened meanwhile.
_DEFAULT = Statement(
    "SELECT {columns} FROM accounts WHERE tenant_id = ANY(:tenant_ids::text[]) AND is_default", columns=_ACCOUNT
)
# After `_OPEN` gave no row: tells the same account from another one of this id, and from a code that is taken.
_BY_ID = Statement("SELECT {columns} FROM accounts WHERE tenant_id = :tenant_id AND id = :id", columns=_ACCOUNT)
# By `uq_accounts_code`, without a lock: an account never changes once opened.
_BY_CODE = Statement(
    "SELECT {columns} FROM accounts WHERE tenant_id = :tenant_id AND code = ANY(:codes::text[])", columns=_ACCOUNT
)
# In the order of `uq_accounts_code`, without a lock: an account never changes once opened.
_CHART = Statement("SELECT {columns} FROM accounts WHERE tenant_id = :tenant_id ORDER BY code", columns=_ACCOUNT)
# By the primary key, all accounts of a page at once: a hold has their ids alone.
_CODES = Statement("SELECT id, code FROM accounts WHERE tenant_id = :tenant_id AND id = ANY(:ids::uuid[])")
# By `uq_accounts_code`; a code without a row is in no chart, and the caller names it.
_IDS = Statement("SELECT id, code FROM accounts WHERE tenant_id = :tenant_id AND code = ANY(:codes::text[])")


class RoleChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a tenant's configuration."""

    tenant_id: str
    """The tenant."""
    revision: int
    """Its number among the tenant's changes, from 1."""
    role: Role
    """The role."""
    account_id: UUID
    """The account that plays it from then on."""
    changed_at: datetime
    """When."""
    changed_by: str
    """Who changed it."""


_CHANGE = columns_of(RoleChange)
# A function that locks first and then reads: its second statement has a snapshot of its own, in which the change is
# that the lock was waited for.
_HOLD_ROLES = Statement("SELECT tenant_id, revision FROM hold_roles(:locks, :tenant_ids)")
# The lock that `hold_roles` takes shared, taken alone: waits for every group that posts by these roles, and
# `lock_timeout` bounds that.
_LOCK_ROLES = Statement("SELECT pg_advisory_xact_lock(:lock_class, :tenant_lock)")
# Changes are only ever added, so the highest revision of a role is the one in force.
_ASSIGNED = Statement(
    """
SELECT DISTINCT ON (tenant_id, role) {columns} FROM role_changes
 WHERE tenant_id = ANY(:tenant_ids::text[]) ORDER BY tenant_id, role, revision DESC
""",
    columns=_CHANGE,
)
# Backwards along `ix_role_changes_role`, so that a long history costs no more than what is shown.
_CHANGES = Statement(
    """
SELECT {columns} FROM role_changes
 WHERE tenant_id = :tenant_id AND role = :role ORDER BY revision DESC LIMIT :limit
""",
    columns=_CHANGE,
)
# In the order of the primary key; people make changes, so there are few.
_ALL_CHANGES = Statement(
    "SELECT role, account_id, changed_at FROM role_changes WHERE tenant_id = :tenant_id ORDER BY revision"
)
# Without ON CONFLICT: the tenant's lock makes the revision unique, and one that is taken all the same must fail.
_ADD_CHANGE = Statement(
    "INSERT INTO role_changes ({columns}) VALUES ({values})", columns=_CHANGE, values=values_of("change", RoleChange)
)

_account = reader_of(Account)
_change = reader_of(RoleChange)


async def default_accounts(tx: Connection, tenant_ids: Sequence[str]) -> list[Account]:
    """Read the default accounts of some tenants."""
    return [_account(row) for row in await _DEFAULT.fetch(tx, tenant_ids=list(tenant_ids))]


async def open_accounts(tx: Connection, accounts: Sequence[Account], *, opened_at: datetime) -> list[Account]:
    """Open accounts, and return those that are new; one whose id or code is taken stays as it is."""
    currencies = [None if account.currencies is None else ",".join(account.currencies) for account in accounts]
    rows = await _OPEN.fetch(tx, accounts=accounts, currencies=currencies, opened_at=opened_at)
    return [_account(row) for row in rows]


async def account_by_id(tx: Connection, tenant_id: str, account_id: UUID) -> Account | None:
    """Find one account of a tenant."""
    row = await _BY_ID.fetchrow(tx, tenant_id=tenant_id, id=account_id)
    return None if row is None else _account(row)


async def accounts_by_code(connection: Connection, tenant_id: str, codes: Collection[str]) -> dict[str, Account]:
    """Find accounts of a tenant by their codes; one that is not in the chart is left out."""
    # No account has U+0000 in its code, and PostgreSQL refuses a text with it.
    possible = [code for code in codes if "\0" not in code]
    rows = await _BY_CODE.fetch(connection, tenant_id=tenant_id, codes=possible)
    return {row["code"]: _account(row) for row in rows}


async def account_by_code(tx: Connection, tenant_id: str, code: str) -> Account | None:
    """Find the account of this code in a tenant's chart."""
    row = await _BY_CODE.fetchrow(tx, tenant_id=tenant_id, codes=[code])
    return None if row is None else _account(row)


async def chart_of(connection: Connection, tenant_id: str) -> list[Account]:
    """Read a tenant's whole chart, ordered by code."""
    return [_account(row) for row in await _CHART.fetch(connection, tenant_id=tenant_id)]


async def codes_of(connection: Connection, tenant_id: str, account_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Read the codes of some accounts of a tenant."""
    rows = await _CODES.fetch(connection, tenant_id=tenant_id, ids=account_ids)
    return {row["id"]: row["code"] for row in rows}


async def accounts_of(connection: Connection, tenant_id: str, codes: Sequence[str]) -> dict[str, UUID]:
    """Find some accounts of a tenant by their codes."""
    rows = await _IDS.fetch(connection, tenant_id=tenant_id, codes=codes)
    return {row["code"]: row["id"] for row in rows}


async def hold_roles(tx: Connection, tenant_ids: Sequence[str]) -> dict[str, int]:
    """Keep the roles of some tenants as they are until the transaction ends; any number of transactions may at once.

    Returns the number of each tenant's last change; a tenant without one is left out.
    """
    locks = sorted({_lock_of(tenant_id) for tenant_id in tenant_ids})
    rows = await _HOLD_ROLES.fetch(tx, locks=locks, tenant_ids=list(tenant_ids))
    return {row["tenant_id"]: row["revision"] for row in rows}


async def lock_roles(tx: Connection, tenant_id: str) -> None:
    """Wait until nobody posts by the roles of a tenant, and keep everybody from it until the transaction ends.

    Raises:
        Unavailable: when a group that is being posted takes too long.
    """
    await tx.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MILLISECONDS}")
    try:
        await _LOCK_ROLES.execute(tx, lock_class=_LOCK_CLASS, tenant_lock=_lock_of(tenant_id))
    except asyncpg.LockNotAvailableError as fault:
        raise Unavailable("entries are being posted by the roles that are to be changed") from fault


def _lock_of(tenant_id: str) -> int:
    return zlib.crc32(tenant_id.encode()) % _LOCKS


async def assigned_roles(tx: Connection, tenant_ids: Sequence[str]) -> Mapping[str, Mapping[Role, RoleChange]]:
    """Read the last change of each role of some tenants."""
    changes: dict[str, dict[Role, RoleChange]] = {}
    for row in await _ASSIGNED.fetch(tx, tenant_ids=list(tenant_ids)):
        change = _change(row)
        changes.setdefault(change.tenant_id, {})[change.role] = change
    return changes


async def role_changes(connection: Connection, tenant_id: str, role: Role, *, limit: int) -> list[RoleChange]:
    """Read the changes of one role, newest first."""
    return [_change(row) for row in await _CHANGES.fetch(connection, tenant_id=tenant_id, role=role, limit=limit)]


async def changes_of(connection: Connection, tenant_id: str) -> list[tuple[Role, UUID, datetime]]:
    """Read all changes of a tenant's roles as (role, account, instant), oldest first."""
    rows = await _ALL_CHANGES.fetch(connection, tenant_id=tenant_id)
    return [(Role(row["role"]), row["account_id"], row["changed_at"]) for row in rows]


async def add_role_change(tx: Connection, change: RoleChange) -> None:
    """Write a change down; whoever does holds the tenant's lock."""
    await _ADD_CHANGE.execute(tx, change=change)
