"""How the ledger remembers: the only SQL of this service. Sets in, sets out; rows are locked in the order of their keys.

`charts` has the accounts, `roles` which of them plays which role, `rates` exchange rates and conversions, `groups` and
`packing` what the posting engine locks and writes, `holds` and `periods` what they say, `books` what can be asked.
"""

from services.ledger.store.books import EntryFilter, balances_in_period, entries, standing_balances
from services.ledger.store.charts import account_by_code, account_by_id, chart_of, default_accounts, open_accounts
from services.ledger.store.groups import Locked, begin_balances, lock_group, write_balances, write_group
from services.ledger.store.holds import due_holds, holds_by_id, write_placed, write_resolved
from services.ledger.store.packing import Head, NewEntry
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
    "Head",
    "Locked",
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
    "begin_balances",
    "chart_of",
    "conversion",
    "default_accounts",
    "due_holds",
    "entries",
    "hold_roles",
    "holds_by_id",
    "latest_rates",
    "lock_group",
    "lock_roles",
    "open_accounts",
    "rate_history",
    "rates_at",
    "role_changes",
    "role_revisions",
    "standing_balances",
    "write_balances",
    "write_group",
    "write_placed",
    "write_resolved",
]
