# ruff: noqa: S608 - statements are put together from our own words; every value is a parameter
"""Reading and opening accounts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.contracts.ledger import AccountType
from libs.common.db import Connection
from services.ledger.domain import Account

_ACCOUNT = "tenant_id, id, code, label, account_type, is_default"


def _account(row: asyncpg.Record) -> Account:
    return Account(
        tenant_id=row["tenant_id"],
        id=row["id"],
        code=row["code"],
        label=row["label"],
        account_type=AccountType(row["account_type"]),
        is_default=row["is_default"],
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
        "INSERT INTO accounts (tenant_id, id, code, label, account_type, is_default, opened_at) "
        "SELECT *, $7 FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bool[]) "
        # In the order of their key, so that two processes that open the same charts never wait in a circle.
        f"AS new(tenant_id, id, code, label, account_type, is_default) ORDER BY tenant_id, code "
        f"ON CONFLICT DO NOTHING RETURNING {_ACCOUNT}",
        [account.tenant_id for account in accounts],
        [account.id for account in accounts],
        [account.code for account in accounts],
        [account.label for account in accounts],
        [account.account_type.value for account in accounts],
        [account.is_default for account in accounts],
        opened_at,
    )
    return [_account(row) for row in rows]


async def account_by_id(tx: Connection, tenant_id: str, account_id: UUID) -> Account | None:
    """Find one account of a tenant."""
    row = await tx.fetchrow(f"SELECT {_ACCOUNT} FROM accounts WHERE tenant_id = $1 AND id = $2", tenant_id, account_id)
    return None if row is None else _account(row)


async def account_by_code(tx: Connection, tenant_id: str, code: str) -> Account | None:
    """Find the account of this code in a tenant's chart."""
    row = await tx.fetchrow(f"SELECT {_ACCOUNT} FROM accounts WHERE tenant_id = $1 AND code = $2", tenant_id, code)
    return None if row is None else _account(row)


async def chart_of(connection: Connection, tenant_id: str) -> list[Account]:
    """Read a tenant's whole chart, ordered by code."""
    rows = await connection.fetch(f"SELECT {_ACCOUNT} FROM accounts WHERE tenant_id = $1 ORDER BY code", tenant_id)
    return [_account(row) for row in rows]
