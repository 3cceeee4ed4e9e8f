"""The ledger in plain Python: what the real one must agree with, operation by operation."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from libs.common.contracts.ledger import AccountType, EntryKind, Side
from libs.common.contracts.ledger_policy import ApprovalRule, RuleKind
from libs.common.contracts.ledger_roles import Role
from libs.common.ids import new_id
from services.ledger.core import Account, Entry, Hold

POSTED, REPLAYED, HELD = "posted", "replayed", "held"
KINDS = {
    EntryKind.MANUAL: RuleKind.MANUAL,
    EntryKind.REVERSAL: RuleKind.REVERSAL,
    EntryKind.HOLD_CAPTURE: RuleKind.HOLD,
}
"""What a person does by each kind of entry that is posted here."""

type Key = tuple[UUID, str]
"""Account, currency."""


class Total:
    """What one account holds in one currency."""

    def __init__(self) -> None:
        self.debits = self.credits = self.pending_debits = self.pending_credits = self.version = 0

    def numbers(self) -> tuple[int, int, int, int, int]:
        """Everything that the real balance has."""
        return self.debits, self.credits, self.pending_debits, self.pending_credits, self.version

    def copy(self) -> "Total":
        """A second one with the same numbers."""
        other = Total()
        other.__dict__.update(self.__dict__)
        return other

    def available(self, account_type: AccountType) -> int:
        """What may still be taken."""
        net = self.debits - self.credits
        return net - self.pending_credits if grows_by_debits(account_type) else -net - self.pending_debits

    def committed(self, account_type: AccountType) -> int:
        """What it will hold once all is captured."""
        net = self.debits - self.credits
        return net + self.pending_debits if grows_by_debits(account_type) else -net + self.pending_credits


def grows_by_debits(account_type: AccountType) -> bool:
    """Assets and expenses do."""
    return account_type in (AccountType.ASSET, AccountType.EXPENSE)


class Model:
    """The books of one tenant. Each operation answers with a word, or with the code of a refusal."""

    def __init__(self, accounts: list[Account]) -> None:
        self.accounts = {account.id: account for account in accounts}
        self.totals: dict[Key, Total] = defaultdict(Total)
        self.entries: dict[UUID, str] = {}
        self.holds: dict[UUID, tuple[Hold, str]] = {}
        """Each hold and how it stands."""
        self.journal: list[tuple[datetime, list[tuple[Key, Side, int]]]] = []
        """Every entry: when it counts, and its lines."""
        self.reversed: set[UUID] = set()
        self.lines: dict[UUID, Entry] = {}
        self.open_from: datetime | None = None
        self.rules: list[ApprovalRule] = []
        """What is refused where a person causes it and nobody else has approved it."""
        self.played: dict[Role, set[UUID]] = defaultdict(set)
        """The accounts that play each role, or have played it."""

    def post(self, entry: Entry, *, now: datetime, captures: Hold | None = None, is_approved: bool = False) -> str:
        """Post an entry that a person causes, or capture a hold by one."""
        if entry.id in self.entries:
            if self.entries[entry.id] == entry.content:
                return REPLAYED
            return "entry_conflict" if captures is None else "hold_resolved"
        touched = {line.account_id for line in entry.lines}
        if not is_approved and self._demands_two(KINDS[entry.kind], touched, entry.amount_minor, entry.currency):
            return "approval_required"
        counts_at = entry.occurred_at
        if self.open_from is not None and counts_at < self.open_from:
            if entry.source_event_id is None:
                return "period_closed"
            counts_at = self.open_from
        trial: dict[Key, Total] = {}
        if captures is not None:
            hold, state = self.holds.get(captures.id, (None, ""))
            if hold is None:
                return "hold_not_found"
            if state != "OPEN" or (hold.expires_at is not None and hold.expires_at <= now):
                return "hold_resolved"
            if entry.amount_minor > hold.amount_minor:
                return "hold_exceeded"
            self._pend(trial, hold, -hold.amount_minor)
        for line in entry.lines:
            key = (line.account_id, line.currency)
            if (refusal := self._refusal(key)) is not None:
                return refusal
            total = trial.setdefault(key, self.totals[key].copy())
            if line.side is Side.DEBIT:
                total.debits += line.amount_minor
            else:
                total.credits += line.amount_minor
            total.version += 1
        if (refusal := self._beyond_limits(trial)) is not None:
            return refusal
        self.totals.update(trial)
        self.entries[entry.id] = entry.content
        self.lines[entry.id] = entry
        self.journal.append(
            (counts_at, [((line.account_id, line.currency), line.side, line.amount_minor) for line in entry.lines])
        )
        if captures is not None:
            # As it was placed, whatever the one who captures believes of it.
            self.holds[captures.id] = (self.holds[captures.id][0], "CAPTURED")
        return POSTED

    def place(self, hold: Hold) -> str:
        """Set an amount aside."""
        if hold.id in self.holds:
            return HELD if self.holds[hold.id][0].is_same_promise_as(hold) else "hold_conflict"
        touched = {account_id for _, account_id in hold.sides}
        if self._demands_two(RuleKind.HOLD, touched, hold.amount_minor, hold.currency):
            return "approval_required"
        for _, account_id in hold.sides:
            if (refusal := self._refusal((account_id, hold.currency))) is not None:
                return refusal
        trial: dict[Key, Total] = {}
        self._pend(trial, hold, hold.amount_minor)
        if (refusal := self._beyond_limits(trial)) is not None:
            return refusal
        self.totals.update(trial)
        self.holds[hold.id] = (hold, "OPEN")
        return HELD

    def let_go(self, hold_id: UUID, state: str) -> str:
        """Void or expire a hold."""
        if hold_id not in self.holds:
            return "hold_not_found"
        hold, before = self.holds[hold_id]
        if before == state:
            return HELD
        if before != "OPEN":
            return "hold_resolved"
        self._pend(self.totals, hold, -hold.amount_minor)
        self.holds[hold_id] = (hold, state)
        return HELD

    def expire(self, now: datetime) -> None:
        """Let go whatever is due."""
        for hold_id, (hold, state) in self.holds.items():
            if state == "OPEN" and hold.expires_at is not None and hold.expires_at <= now:
                self.let_go(hold_id, "EXPIRED")

    def effective(self, before: datetime) -> dict[Key, tuple[int, int]]:
        """Debits and credits by what counted before an instant."""
        sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
        for counts_at, lines in self.journal:
            if counts_at < before:
                for key, side, amount in lines:
                    sums[key][side is Side.CREDIT] += amount
        return {key: (debits, credits_) for key, (debits, credits_) in sums.items()}

    def _demands_two(self, kind: RuleKind, touched: set[UUID], amount_minor: int, currency: str) -> bool:
        codes = {self.accounts[account_id].code for account_id in touched if account_id in self.accounts}
        for rule in self.rules:
            if rule.kind not in (None, kind) or (rule.account is not None and rule.account not in codes):
                continue
            if rule.role is not None and not touched & self.played[rule.role]:
                continue
            least = {threshold.currency: threshold.at_least_minor for threshold in rule.thresholds}
            if amount_minor >= least.get(currency, 1):
                return True
        return False

    def _refusal(self, key: Key) -> str | None:
        account = self.accounts.get(key[0])
        if account is None:
            return "account_unknown"
        if account.currencies is not None and key[1] not in account.currencies:
            return "currency_not_taken"
        return None

    def _pend(self, into: dict[Key, Total], hold: Hold, amount: int) -> None:
        for side, account_id in hold.sides:
            key = (account_id, hold.currency)
            total = into.setdefault(key, self.totals[key].copy())
            if side is Side.DEBIT:
                total.pending_debits += amount
            else:
                total.pending_credits += amount

    def _beyond_limits(self, trial: dict[Key, Total]) -> str | None:
        for key, after in trial.items():
            account, before = self.accounts[key[0]], self.totals[key]
            kind = account.account_type
            if account.floor_minor is not None and account.floor_minor > after.available(kind) < before.available(kind):
                return "floor_crossed"
            if account.ceiling_minor is not None and account.ceiling_minor < after.committed(kind) > before.committed(
                kind
            ):
                return "ceiling_crossed"
        return None


def chart(tenant_id: str) -> list[Account]:
    """Accounts of all types, some with limits or few currencies."""
    plans = (
        (AccountType.ASSET, None, None, None),
        (AccountType.REVENUE, None, None, None),
        (AccountType.LIABILITY, 0, None, None),
        (AccountType.ASSET, 0, 3000, None),
        (AccountType.LIABILITY, -500, 2000, None),
        (AccountType.EXPENSE, None, None, ("BRL", "USD")),
    )
    return [
        Account(
            tenant_id=tenant_id, id=new_id(), code=f"A{i}", label=f"Account {i}", account_type=kind,
            floor_minor=floor, ceiling_minor=ceiling, currencies=currencies,
        )
        for i, (kind, floor, ceiling, currencies) in enumerate(plans)
    ]  # fmt: skip
