"""The tenant's chart of accounts: the default accounts that everybody has, and which account plays which role.

Default accounts are opened when the api says that a tenant is provisioned, or by the first posting when that comes
earlier: a payment never waits for an event about its tenant.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from libs.common.contracts.ledger import AccountType
from libs.common.db import Connection
from libs.common.errors import BrokenInvariant, Invalid
from services.ledger import metrics, store
from services.ledger.domain import Account, Chart, Role

CHARTS_MAX = 10_000
"""Charts that one process remembers; the oldest makes room."""

TENANT_ID_LENGTH_MAX = 64


class DefaultAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that every tenant has, and that plays the role of the same name."""

    role: Role
    label: str
    account_type: AccountType


DEFAULT_ACCOUNTS = (
    DefaultAccount(role=Role.CASH, label="Cash", account_type=AccountType.ASSET),
    DefaultAccount(role=Role.REVENUE, label="Revenue", account_type=AccountType.REVENUE),
    DefaultAccount(role=Role.REFUND_EXPENSE, label="Refund Expense", account_type=AccountType.EXPENSE),
)
"""What the platform opens for each tenant; its code is the name of its role."""


def default_account_id(tenant_id: str, role: Role) -> UUID:
    """Return the id of a tenant's default account, the same in every process that opens it (RFC 9562, version 5)."""
    return uuid5(NAMESPACE_URL, f"ledger/{tenant_id}/accounts/{role}")


def default_accounts(tenant_id: str) -> list[Account]:
    """List the accounts that the platform opens for a tenant.

    Raises:
        Invalid: when the tenant's id is empty or longer than 64 characters.
    """
    if not 1 <= len(tenant_id) <= TENANT_ID_LENGTH_MAX:
        raise Invalid(f"a tenant's id must have 1 to {TENANT_ID_LENGTH_MAX} characters", code="tenant_invalid")
    return [
        Account(
            tenant_id=tenant_id,
            id=default_account_id(tenant_id, default.role),
            code=default.role.value,
            label=default.label,
            account_type=default.account_type,
            is_default=True,
        )
        for default in DEFAULT_ACCOUNTS
    ]


class Charts:
    """The charts of the tenants that this process posts for. Default accounts never change, so a chart stays true."""

    def __init__(self) -> None:
        self._known: dict[str, Chart] = {}

    async def of(self, tx: Connection, tenant_ids: Iterable[str], *, opened_at: datetime) -> dict[str, Chart]:
        """Return the chart of each tenant, opening the default accounts of those that have none, inside `tx`.

        Raises:
            Invalid: when a tenant's id cannot be one.
        """
        wanted = sorted(set(tenant_ids))
        charts = {tenant_id: chart for tenant_id in wanted if (chart := self._known.get(tenant_id))}
        unknown = [tenant_id for tenant_id in wanted if tenant_id not in charts]
        if not unknown:
            return charts
        standing = _charts(await store.default_accounts(tx, unknown))
        self._remember(standing)
        missing = [tenant_id for tenant_id in unknown if tenant_id not in standing]
        if missing:
            wanted_accounts = [account for tenant_id in missing for account in default_accounts(tenant_id)]
            opened = await store.open_accounts(tx, wanted_accounts, opened_at=opened_at)
            metrics.CHARTS_OPENED.inc(len({account.tenant_id for account in opened}))
            # Read again: another process may have opened them a moment earlier. What this transaction opened is not
            # remembered, because it is true only once the transaction commits.
            standing |= _charts(await store.default_accounts(tx, missing))
        for tenant_id in unknown:
            if tenant_id not in standing:
                raise BrokenInvariant(f"the default accounts of the tenant {tenant_id} cannot be opened")
        return charts | {tenant_id: standing[tenant_id] for tenant_id in unknown}

    def _remember(self, charts: dict[str, Chart]) -> None:
        self._known |= charts
        while len(self._known) > CHARTS_MAX:
            del self._known[next(iter(self._known))]


def _charts(accounts: Iterable[Account]) -> dict[str, Chart]:
    """Put default accounts into charts; a tenant that lacks one of them has no chart yet."""
    roles: dict[str, dict[Role, UUID]] = {}
    for account in accounts:
        roles.setdefault(account.tenant_id, {})[Role(account.code)] = account.id
    return {
        tenant_id: Chart(tenant_id=tenant_id, roles=found)
        for tenant_id, found in roles.items()
        if len(found) == len(DEFAULT_ACCOUNTS)
    }
