# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""The SQL of accounts, and of which account plays which role: the changes, newest last, and the lock between those who change and those who post.

The lock is an advisory one that PostgreSQL keeps in memory: it costs a posting no write. Tenants share a fixed number of
them, so that a group of any number of tenants holds a bounded number of locks.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_money import Role
from libs.common.db import Connection
from libs.common.errors import Unavailable
from services.ledger.core import Account

_ACCOUNT = "tenant_id, id, code, label, account_type, is_default, floor_minor, ceiling_minor, currencies"


def _account(row: asyncpg.Record) -> Account:
    return Account(
        tenant_id=row["tenant_id"],
        id=row["id"],
        code=row["code"],
        label=row["label"],
        account_type=AccountType(row["account_type"]),
        is_default=row["is_default"],
        floor_minor=row["floor_minor"],
        ceiling_minor=row["ceiling_minor"],
        currencies=None if row["currencies"] is None else tuple(row["currencies"]),
    )


async def default_accounts(tx: Connection, tenant_ids: Sequence[str]) -> list[Account]:
    """Read the default accounts of some tenants."""
    rows = await tx.fetch(
        f"SELECT {_ACCOUNT} FROM accounts WHERE tenant_id = ANY($1::text[]) AND is_default", list(tenant_ids)
    )
    return [_account(row) for row in rows]


async def open_accounts(tx: Connection, accounts: Sequence[Account], *, opened_at: datetime) -> list[Account]:
    """Open accounts, and return those that are new; one whose id or code is taken stays as it is."""
    rows = await tx.fetch(
        "INSERT INTO accounts (tenant_id, id, code, label, account_type, is_default, opened_at, floor_minor, "
        "ceiling_minor, currencies) SELECT tenant_id, id, code, label, account_type, is_default, $7, floor_minor, "
        # An array of arrays would have to be a rectangle, so each list of currencies travels as one text.
        "ceiling_minor, string_to_array(currencies, ',') FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], "
        "$5::text[], $6::bool[], $8::int8[], $9::int8[], $10::text[]) "
        # In the order of their key, so that two processes that open the same charts never wait in a circle.
        "AS new(tenant_id, id, code, label, account_type, is_default, floor_minor, ceiling_minor, currencies) "
        "ORDER BY tenant_id, code "
        f"ON CONFLICT DO NOTHING RETURNING {_ACCOUNT}",
        [account.tenant_id for account in accounts],
        [account.id for account in accounts],
        [account.code for account in accounts],
        [account.label for account in accounts],
        [account.account_type.value for account in accounts],
        [account.is_default for account in accounts],
        opened_at,
        [account.floor_minor for account in accounts],
        [account.ceiling_minor for account in accounts],
        [None if account.currencies is None else ",".join(account.currencies) for account in accounts],
    )
    return [_account(row) for row in rows]


async def account_by_id(tx: Connection, tenant_id: str, account_id: UUID) -> Account | None:
    """Find one account of a tenant."""
    row = await tx.fetchrow(f"SELECT {_ACCOUNT} FROM accounts WHERE tenant_id = $1 AND id = $2", tenant_id, account_id)
    return None if row is None else _account(row)


async def accounts_by_code(connection: Connection, tenant_id: str, codes: Collection[str]) -> dict[str, Account]:
    """Find accounts of a tenant by their codes; one that is not in the chart is not in the answer."""
    # No account has U+0000 in its code, which PostgreSQL could not even be asked about.
    possible = [code for code in codes if "\0" not in code]
    rows = await connection.fetch(
        f"SELECT {_ACCOUNT} FROM accounts WHERE tenant_id = $1 AND code = ANY($2::text[])", tenant_id, possible
    )
    return {row["code"]: _account(row) for row in rows}


async def account_by_code(tx: Connection, tenant_id: str, code: str) -> Account | None:
    """Find the account of this code in a tenant's chart."""
    row = await tx.fetchrow(f"SELECT {_ACCOUNT} FROM accounts WHERE tenant_id = $1 AND code = $2", tenant_id, code)
    return None if row is None else _account(row)


async def chart_of(connection: Connection, tenant_id: str) -> list[Account]:
    """Read a tenant's whole chart, ordered by code."""
    rows = await connection.fetch(f"SELECT {_ACCOUNT} FROM accounts WHERE tenant_id = $1 ORDER BY code", tenant_id)
    return [_account(row) for row in rows]


async def codes_of(connection: Connection, tenant_id: str, account_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Read the codes of some accounts of a tenant."""
    rows = await connection.fetch(
        "SELECT id, code FROM accounts WHERE tenant_id = $1 AND id = ANY($2::uuid[])", tenant_id, account_ids
    )
    return {row["id"]: row["code"] for row in rows}


async def accounts_of(connection: Connection, tenant_id: str, codes: Sequence[str]) -> dict[str, UUID]:
    """Find some accounts of a tenant by their codes."""
    rows = await connection.fetch(
        "SELECT id, code FROM accounts WHERE tenant_id = $1 AND code = ANY($2::text[])", tenant_id, codes
    )
    return {row["code"]: row["id"] for row in rows}


_LOCK_CLASS = 4003
"""The first of the two numbers of our advisory locks, as in the function `hold_roles`."""

_LOCKS = 64
"""The tenants are spread over this many locks."""

_LOCK_TIMEOUT_MILLISECONDS = 2000
"""How long a change waits for the groups that are being posted, which wait for it meanwhile."""


class RoleChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a tenant's configuration."""

    tenant_id: str
    revision: int
    role: Role
    account_id: UUID
    changed_at: datetime
    changed_by: str


async def hold_roles(tx: Connection, tenant_ids: Sequence[str]) -> dict[str, int]:
    """Keep the roles of some tenants as they are until the transaction ends; any number of transactions may at once.

    Returns the number of each tenant's last change; a tenant without one is left out.
    """
    locks = sorted({_lock_of(tenant_id) for tenant_id in tenant_ids})
    rows = await tx.fetch("SELECT tenant_id, revision FROM hold_roles($1, $2)", locks, list(tenant_ids))
    return {row["tenant_id"]: row["revision"] for row in rows}


async def lock_roles(tx: Connection, tenant_id: str) -> None:
    """Wait until nobody posts by the roles of a tenant, and keep everybody from it until the transaction ends.

    Raises:
        Unavailable: when a group that is being posted takes too long.
    """
    await tx.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MILLISECONDS}")
    try:
        await tx.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK_CLASS, _lock_of(tenant_id))
    except asyncpg.LockNotAvailableError as fault:
        raise Unavailable("entries are being posted by the roles that are to be changed") from fault


def _lock_of(tenant_id: str) -> int:
    return zlib.crc32(tenant_id.encode()) % _LOCKS


async def assigned_roles(tx: Connection, tenant_ids: Sequence[str]) -> Mapping[str, Mapping[Role, RoleChange]]:
    """Read the last change of each role of some tenants."""
    rows = await tx.fetch(
        "SELECT DISTINCT ON (tenant_id, role) tenant_id, revision, role, account_id, changed_at, changed_by "
        "FROM role_changes WHERE tenant_id = ANY($1::text[]) ORDER BY tenant_id, role, revision DESC",
        list(tenant_ids),
    )
    found: dict[str, dict[Role, RoleChange]] = {}
    for row in rows:
        change = _change(row)
        found.setdefault(change.tenant_id, {})[change.role] = change
    return found


async def role_changes(connection: Connection, tenant_id: str, role: Role, *, limit: int) -> list[RoleChange]:
    """Read the changes of one role, newest first."""
    rows = await connection.fetch(
        "SELECT tenant_id, revision, role, account_id, changed_at, changed_by FROM role_changes "
        "WHERE tenant_id = $1 AND role = $2 ORDER BY revision DESC LIMIT $3",
        tenant_id,
        role.value,
        limit,
    )
    return [_change(row) for row in rows]


async def add_role_change(tx: Connection, change: RoleChange) -> None:
    """Write a change down; whoever does holds the tenant's lock."""
    await tx.execute(
        "INSERT INTO role_changes (tenant_id, revision, role, account_id, changed_at, changed_by) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        change.tenant_id,
        change.revision,
        change.role.value,
        change.account_id,
        change.changed_at,
        change.changed_by,
    )


def _change(row: asyncpg.Record) -> RoleChange:
    return RoleChange(
        tenant_id=row["tenant_id"],
        revision=row["revision"],
        role=Role(row["role"]),
        account_id=row["account_id"],
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )
