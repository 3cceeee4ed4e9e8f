"""How the ledger remembers: the only SQL of this service. Sets in, sets out; rows are locked in the order of their keys.

`charts` has the accounts, `roles` which of them plays which role, `rates` exchange rates and conversions, `groups` what the
posting engine locks and writes, `books` what can be asked.
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
from services.ledger.store.rates import (
    StandingConversion,
    add_conversion,
    add_rate,
    conversion,
    latest_rates,
    rate_history,
    rates_at,
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
    "StandingConversion",
    "account_by_code",
    "account_by_id",
    "add_conversion",
    "add_rate",
    "add_role_change",
    "assigned_roles",
    "balances_in_period",
    "chart_of",
    "conversion",
    "create_balances",
    "default_accounts",
    "entries",
    "hold_roles",
    "latest_rates",
    "lock_balances",
    "lock_roles",
    "open_accounts",
    "plan_by_index",
    "rate_history",
    "rates_at",
    "role_changes",
    "role_revisions",
    "standing_balances",
    "standing_entries",
    "write_group",
]
