"""The tenant's chart of accounts: the default accounts that everybody has, and which account plays which role.

Default accounts are opened when the api says that a tenant is provisioned, or by the first posting when that comes
earlier: a payment never waits for an event about its tenant. A chart of an earlier version of the platform gets what it
lacks in the same way.

A role is played by its default account until the tenant says otherwise. Whoever posts holds the roles of its tenants until
it commits, and whoever changes one waits for them: an entry that is posted after a change was acknowledged goes by it, in
every process, and no process ever trusts a chart of which it has not just seen that it is the latest.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from libs.common.contracts.ledger_money import Role
from libs.common.db import Connection
from libs.common.errors import BrokenInvariant, Invalid
from services.ledger import metrics, store
from services.ledger.domain import Account, Chart
from services.ledger.rules import ROLES

CHARTS_MAX = 10_000
"""Charts that one process remembers; the oldest makes room."""

TENANT_ID_LENGTH_MAX = 64


def default_account_id(tenant_id: str, role: Role) -> UUID:
    """Return the id of a tenant's default account, the same in every process that opens it (RFC 9562, version 5)."""
    return uuid5(NAMESPACE_URL, f"ledger/{tenant_id}/accounts/{role}")


def default_roles(tenant_id: str) -> Mapping[Role, UUID]:
    """Tell which account plays each role where the tenant has changed nothing."""
    return MappingProxyType({role: default_account_id(tenant_id, role) for role in Role})


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
            id=default_account_id(tenant_id, role),
            code=role.value,
            label=terms.label,
            account_type=terms.account_types[0],
            is_default=True,
        )
        for role, terms in ROLES.items()
    ]


class _Known(msgspec.Struct, frozen=True):
    """A chart, and the revision of the configuration that it is true for."""

    chart: Chart
    revision: int


class Charts:
    """The charts of the tenants that this process posts for; one is believed only at the revision that it was read at."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    async def of(self, tx: Connection, tenant_ids: Iterable[str], *, opened_at: datetime) -> dict[str, Chart]:
        """Return the chart of each tenant, opening default accounts that are missing, inside `tx`.

        The charts stay true until `tx` ends.

        Raises:
            Invalid: when a tenant's id cannot be one.
        """
        wanted = sorted(set(tenant_ids))
        await store.hold_roles(tx, wanted)
        revisions = await store.role_revisions(tx, wanted)
        charts = {
            tenant_id: known.chart
            for tenant_id in wanted
            if (known := self._known.get(tenant_id)) and known.revision == revisions.get(tenant_id, 0)
        }
        unread = [tenant_id for tenant_id in wanted if tenant_id not in charts]
        if not unread:
            return charts
        # What this transaction opens is not remembered, because it is true only once the transaction commits.
        opened = await _open_missing(tx, unread, opened_at=opened_at)
        changes = await store.assigned_roles(tx, unread)
        for tenant_id in unread:
            changed = {role: change.account_id for role, change in changes.get(tenant_id, {}).items()}
            chart = Chart(tenant_id=tenant_id, roles=MappingProxyType({**default_roles(tenant_id), **changed}))
            charts[tenant_id] = chart
            if tenant_id not in opened:
                self._remember(_Known(chart, revisions.get(tenant_id, 0)))
        return charts

    def _remember(self, known: _Known) -> None:
        self._known[known.chart.tenant_id] = known
        while len(self._known) > CHARTS_MAX:
            del self._known[next(iter(self._known))]


async def _open_missing(tx: Connection, tenant_ids: Iterable[str], *, opened_at: datetime) -> set[str]:
    """Open the default accounts that some tenants lack; returns the tenants that lacked one."""
    needed = [account for tenant_id in tenant_ids for account in default_accounts(tenant_id)]
    missing = await _lacking(tx, needed)
    lacked = {account.tenant_id for account in missing}
    if missing:
        opened = await store.open_accounts(tx, missing, opened_at=opened_at)
        metrics.CHARTS_OPENED.inc(len({account.tenant_id for account in opened}))
        # Another process may have opened them a moment earlier. What is missing now has its code taken by an account that
        # the tenant opened before the platform had this role: the platform's own account then bears another one.
        if renamed := [_renamed(account) for account in await _lacking(tx, missing)]:
            await store.open_accounts(tx, renamed, opened_at=opened_at)
            for account in await _lacking(tx, renamed):
                raise BrokenInvariant(f"the default account {account.code} of {account.tenant_id} cannot be opened")
    return lacked


async def _lacking(tx: Connection, accounts: Iterable[Account]) -> list[Account]:
    needed = list(accounts)
    standing = await store.default_accounts(tx, sorted({account.tenant_id for account in needed}))
    ids = {(account.tenant_id, account.id) for account in standing}
    return [account for account in needed if (account.tenant_id, account.id) not in ids]


def _renamed(account: Account) -> Account:
    return msgspec.structs.replace(account, code=f"{account.code}_{account.id.hex[:8].upper()}")
