"""How the ledger remembers: the only SQL of this service. Sets in, sets out; rows are locked in the order of their keys.

`charts` has the accounts, `roles` which of them plays which role, `rates` exchange rates and conversions, `groups` and
`packing` what the posting engine locks and writes, `holds` and `periods` what they say, `books` and `effective` what can be
asked, `seals` what the verifier reads; `reports` and `statements` what is reported, `manual` and `proposals` what people enter by
hand, `claims` what the api says of payments.
"""

from services.ledger.store.books import (
    EntryFilter,
    balances_in_period,
    entries,
    entries_of_intents,
    entry_by_id,
    standing_balances,
)
from services.ledger.store.charts import (
    account_by_code,
    account_by_id,
    accounts_by_code,
    chart_of,
    default_accounts,
    open_accounts,
)
from services.ledger.store.claims import (
    Claim,
    ComparedClaim,
    begin_claim_checks,
    claim_check_chains,
    due_claims,
    end_claims,
    pass_groups,
    unclaimed_entries,
    write_claims,
)
from services.ledger.store.effective import AccountKey, FoldCursor, effective_balances, fold, look
from services.ledger.store.groups import Locked, PreparedGroup, begin_balances, lock_group, post_group, prepare_group
from services.ledger.store.holds import (
    accounts_of,
    codes_of,
    due_holds,
    hold_page,
    holds_by_id,
    write_placed,
    write_resolved,
)
from services.ledger.store.packing import NewEntry
from services.ledger.store.periods import closed_periods, keep_groups_out, write_period
from services.ledger.store.rates import (
    StandingConversion,
    add_conversion,
    add_rate,
    conversion,
    latest_rates,
    rate_history,
    rates_at,
)
from services.ledger.store.reversals import lines_of
from services.ledger.store.roles import (
    RoleChange,
    add_role_change,
    assigned_roles,
    hold_roles,
    lock_roles,
    role_changes,
)
from services.ledger.store.seals import (
    StoredChain,
    StoredFinding,
    broken_invariants,
    chains,
    count_findings,
    entries_of,
    findings_of,
    groups_after,
    postings_of,
    remember_check,
    resolve_findings,
    write_findings,
)

__all__ = [
    "AccountKey",
    "Claim",
    "ComparedClaim",
    "EntryFilter",
    "FoldCursor",
    "Locked",
    "NewEntry",
    "PreparedGroup",
    "RoleChange",
    "StandingConversion",
    "StoredChain",
    "StoredFinding",
    "account_by_code",
    "account_by_id",
    "accounts_by_code",
    "accounts_of",
    "add_conversion",
    "add_rate",
    "add_role_change",
    "assigned_roles",
    "balances_in_period",
    "begin_balances",
    "begin_claim_checks",
    "broken_invariants",
    "chains",
    "chart_of",
    "claim_check_chains",
    "closed_periods",
    "codes_of",
    "conversion",
    "count_findings",
    "default_accounts",
    "due_claims",
    "due_holds",
    "effective_balances",
    "end_claims",
    "entries",
    "entries_of",
    "entries_of_intents",
    "entry_by_id",
    "findings_of",
    "fold",
    "groups_after",
    "hold_page",
    "hold_roles",
    "holds_by_id",
    "keep_groups_out",
    "latest_rates",
    "lines_of",
    "lock_group",
    "lock_roles",
    "look",
    "open_accounts",
    "pass_groups",
    "post_group",
    "postings_of",
    "prepare_group",
    "rate_history",
    "rates_at",
    "remember_check",
    "resolve_findings",
    "role_changes",
    "standing_balances",
    "unclaimed_entries",
    "write_claims",
    "write_findings",
    "write_period",
    "write_placed",
    "write_resolved",
]
