"""How the ledger remembers: the only SQL of this service. Sets in, sets out; rows are locked in the order of their keys.

`charts` has the accounts, `roles` which of them plays which role, `groups` what the posting engine locks and writes,
`books` what can be asked.
"""

from services.ledger.store.books import EntryFilter, balances_in_period, entries, standing_balances
from services.ledger.store.charts import account_by_code, account_by_id, chart_of, default_accounts, open_accounts
from services.ledger.store.groups import (
    NewEntry,
    create_balances,
    lock_balances,
    plan_by_index,
    standing_entries,
    write_group,
)
from services.ledger.store.roles import (
    RoleChange,
    add_role_change,
    assigned_roles,
    hold_roles,
    lock_roles,
    role_changes,
    role_revisions,
)

__all__ = [
    "EntryFilter",
    "NewEntry",
    "RoleChange",
    "account_by_code",
    "account_by_id",
    "add_role_change",
    "assigned_roles",
    "balances_in_period",
    "chart_of",
    "create_balances",
    "default_accounts",
    "entries",
    "hold_roles",
    "lock_balances",
    "lock_roles",
    "open_accounts",
    "plan_by_index",
    "role_changes",
    "role_revisions",
    "standing_balances",
    "standing_entries",
    "write_group",
]
