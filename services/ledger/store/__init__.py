"""How the ledger remembers: the only SQL of this service. Sets in, sets out; rows are locked in the order of their keys.

`charts` has the accounts, `groups` what the posting engine locks and writes, `books` what can be asked; `reports` and
`statements` what is reported, `manual` and `proposals` what people enter by hand.
"""

from services.ledger.store.books import EntryFilter, balances_in_period, entries, standing_balances
from services.ledger.store.charts import account_by_id, accounts_by_code, chart_of, default_accounts, open_accounts
from services.ledger.store.groups import (
    NewEntry,
    create_balances,
    lock_balances,
    plan_by_index,
    standing_entries,
    write_group,
)

__all__ = [
    "EntryFilter",
    "NewEntry",
    "account_by_id",
    "accounts_by_code",
    "balances_in_period",
    "chart_of",
    "create_balances",
    "default_accounts",
    "entries",
    "lock_balances",
    "open_accounts",
    "plan_by_index",
    "standing_balances",
    "standing_entries",
    "write_group",
]
