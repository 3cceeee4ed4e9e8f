"""The tenant's chart of accounts: the default accounts that everybody has, and which account plays which role.

Default accounts are opened when a tenant is provisioned, or by the first posting when that comes
earlier: a payment never waits for an event about its tenant. A chart of an earlier version of the platform gets what it
lacks in the same way.

A role is played by its default account until the tenant chooses another. Whoever posts holds the roles of its tenants until
it commits, and whoever changes one waits for them: an entry that is posted after a change was acknowledged goes by it, in
every process, and no process ever trusts a chart of which it has not just seen that it is the latest.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from types import MappingProxyType

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import ledger as contract
from libs.common.contracts.ledger_errors import AccountCodeTaken, AccountIdTaken, AccountInvalid
from libs.common.db import Connection, Database
from libs.common.errors import BrokenInvariant
from services.ledger import metrics
from services.ledger.accounts import sql
from services.ledger.accounts.domain import default_accounts, default_roles
from services.ledger.accounts.schemas import account_requested
from services.ledger.core import Account, Chart, check_account
from services.ledger.units import missing_unit, missing_units

CHARTS_MAX = 10_000
"""Charts that one process remembers; the oldest makes room."""


class _Known(msgspec.Struct, frozen=True):
    """A chart, and the revision of the configuration that it is true for."""

    chart: Chart
    revision: int


class Charts:
    """The charts of the tenants that this process posts for; one is trusted only at the revision that it was read at."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    async def of(self, tx: Connection, tenant_ids: Iterable[str], *, opened_at: datetime) -> dict[str, Chart]:
        """Return the chart of each tenant, opening default accounts that are missing, inside `tx`.

        The charts stay true until `tx` ends.

        Raises:
            Invalid: when a tenant's id cannot be one.
        """
        needed_ids = sorted(set(tenant_ids))
        revisions = await sql.hold_roles(tx, needed_ids)
        charts = {
            tenant_id: known.chart
            for tenant_id in needed_ids
            if (known := self._known.get(tenant_id)) and known.revision == revisions.get(tenant_id, 0)
        }
        unread = [tenant_id for tenant_id in needed_ids if tenant_id not in charts]
        if not unread:
            return charts
        # What this transaction opens is not remembered, because it is true only once the transaction commits.
        opened = await _open_missing(tx, unread, opened_at=opened_at)
        changes = await sql.assigned_roles(tx, unread)
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
        opened = await sql.open_accounts(tx, missing, opened_at=opened_at)
        metrics.CHARTS_OPENED.inc(len({account.tenant_id for account in opened}))
        # Another process may have opened them a moment earlier. What is missing now has its code taken by an account that
        # the tenant opened before the platform had this role: the platform's own account then bears another one.
        if renamed := [_renamed(account) for account in await _lacking(tx, missing)]:
            await sql.open_accounts(tx, renamed, opened_at=opened_at)
            for account in await _lacking(tx, renamed):
                raise BrokenInvariant(f"the default account {account.code} of {account.tenant_id} cannot be opened")
    return lacked


async def _lacking(tx: Connection, accounts: Iterable[Account]) -> list[Account]:
    needed = list(accounts)
    standing = await sql.default_accounts(tx, sorted({account.tenant_id for account in needed}))
    ids = {(account.tenant_id, account.id) for account in standing}
    return [account for account in needed if (account.tenant_id, account.id) not in ids]


def _renamed(account: Account) -> Account:
    return msgspec.structs.replace(account, code=f"{account.code}_{account.id.hex[:8].upper()}")


class AccountCommands:
    """What one ledger process decides about accounts."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._charts = Charts()

    async def open_charts(self, tx: Connection, tenant_ids: Sequence[str]) -> None:
        """Open the default accounts of tenants that have none.

        Raises:
            Invalid: when a tenant's id cannot be one.
        """
        await self._charts.of(tx, tenant_ids, opened_at=self._clock.now())

    async def open_account(self, request: contract.OpenAccount) -> Account:
        """Open an account in a tenant's chart; the same id and content again is success.

        Raises:
            AccountInvalid: when the code, the label, a limit or a currency cannot be used.
            AccountCodeTaken: when the chart has an account of this code.
            AccountIdTaken: when the chart has an account of this id with other content.
        """
        account = check_account(account_requested(request))
        async with self._database.transaction() as tx:
            # The default accounts come first, so that nobody takes the code of one before it is opened.
            await self._charts.of(tx, [account.tenant_id], opened_at=self._clock.now())
            for code in sorted(await missing_units(tx, account.tenant_id, account.currencies or ())):
                raise AccountInvalid(missing_unit(code), errors=(("/currencies", missing_unit(code)),))
            if await sql.open_accounts(tx, [account], opened_at=self._clock.now()):
                return account
            standing = await sql.account_by_id(tx, account.tenant_id, account.id)
        if standing == account:
            return account
        if standing is not None:
            raise AccountIdTaken(f"account id {account.id} already exists for tenant with other content")
        raise AccountCodeTaken(f"account code {account.code} already exists for tenant")
