"""The chart of accounts: accounts, and which of them plays which role in the posting rules."""

from services.ledger.accounts.commands import AccountCommands, Charts
from services.ledger.accounts.consumers import AccountConsumers
from services.ledger.accounts.domain import (
    ROLES,
    RolesInTime,
    RoleTerms,
    default_account_id,
    default_accounts,
    default_roles,
)
from services.ledger.accounts.queries import AccountQueries
from services.ledger.accounts.sql import (
    RoleChange,
    account_by_code,
    accounts_by_code,
    accounts_of,
    add_role_change,
    assigned_roles,
    changes_of,
    chart_of,
    codes_of,
    hold_roles,
    lock_roles,
    open_accounts,
    role_changes,
)

__all__ = [
    "ROLES",
    "AccountCommands",
    "AccountConsumers",
    "AccountQueries",
    "Charts",
    "RoleChange",
    "RoleTerms",
    "RolesInTime",
    "account_by_code",
    "accounts_by_code",
    "accounts_of",
    "add_role_change",
    "assigned_roles",
    "changes_of",
    "chart_of",
    "codes_of",
    "default_account_id",
    "default_accounts",
    "default_roles",
    "hold_roles",
    "lock_roles",
    "open_accounts",
    "role_changes",
]
