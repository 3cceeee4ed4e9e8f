"""What a tenant lets nobody do alone, as the engine checks it. Pure."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from libs.common.contracts.ledger_policy import RuleKind
from services.ledger.posting.domain.instructions import Booking, Instruction, is_of_one_person, kind_of


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What needs a second person: all of its conditions together."""

    kind: RuleKind | None = None
    """This kind only; None: each."""
    account_ids: frozenset[UUID] | None = None
    """With a line on one of these accounts only; None: on any."""
    thresholds: Mapping[str, int] = {}
    """From how many minor units of each currency on; a currency without one counts from the first. Empty: any amount."""

    def matches(self, instruction: Instruction) -> bool:
        """Whether what a person does alone needs a second one by this rule."""
        if self.kind is not None and self.kind is not kind_of(instruction):
            return False
        if isinstance(instruction, Booking):
            entry = instruction.entry
            account_ids = {line.account_id for line in entry.lines}
            amount_minor, currency = entry.amount_minor, entry.currency
        else:
            hold = instruction.hold
            account_ids = {hold.debit_account_id, hold.credit_account_id}
            amount_minor, currency = hold.amount_minor, hold.currency
        if self.account_ids is not None and self.account_ids.isdisjoint(account_ids):
            return False
        return amount_minor >= self.thresholds.get(currency, 0)

    @property
    def is_unconditional(self) -> bool:
        """Whether it matches everything that a person does alone."""
        return self.kind is None and self.account_ids is None and not self.thresholds


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one tenant, as one revision has them."""

    revision: int
    rules: tuple[Rule, ...]

    def demands_two(self, instruction: Instruction) -> bool:
        """Whether an instruction needs a second person, and has none."""
        return is_of_one_person(instruction) and any(rule.matches(instruction) for rule in self.rules)
