"""How the ledger remembers: the only SQL of this service. Sets in, sets out; rows are locked in the order of their keys.

`charts` has the accounts, `groups` and `packing` what the posting engine locks and writes, `holds` and `periods` what they
say, `books` what can be asked.
"""

from services.ledger.store.books import EntryFilter, balances_in_period, entries, standing_balances
from services.ledger.store.charts import account_by_id, chart_of, default_accounts, open_accounts
from services.ledger.store.groups import Locked, begin_balances, lock_group, write_balances, write_group
from services.ledger.store.holds import due_holds, holds_by_id, write_placed, write_resolved
from services.ledger.store.packing import Head, NewEntry

__all__ = [
    "EntryFilter",
    "Head",
    "Locked",
    "NewEntry",
    "account_by_id",
    "balances_in_period",
    "begin_balances",
    "chart_of",
    "default_accounts",
    "due_holds",
    "entries",
    "holds_by_id",
    "lock_group",
    "open_accounts",
    "standing_balances",
    "write_balances",
    "write_group",
    "write_placed",
    "write_resolved",
]
