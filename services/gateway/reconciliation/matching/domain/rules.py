"""The rules of sources: those in force where nobody has chosen others, and what makes sense. Pure."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_matching import MatchingRule, MatchingRules, RuleKind

PAYOUTS, MOVEMENTS = "payouts", "movements"
RULES_MAX = 20
WINDOW_DAYS_MAX = 31
TOLERANCE_MAX = 1_000_000_000
PARTS_MAX = 6
"""Parts that are tried together; of twelve candidates that is below 2,500 sums."""
CONCERNS_MAX = 20
_WORD_MAX = 100
_SEVERAL = (RuleKind.ONE_TO_MANY, RuleKind.MANY_TO_ONE)
_OF_MOVEMENTS = (RuleKind.REFERENCE, RuleKind.FEE_AWARE)
_FORMATS_OF_PROCESSORS = ("stripe_balance_change", "stripe_payout_reconciliation")

_DEFAULTS = {
    PAYOUTS: (
        MatchingRule(kind=RuleKind.REFERENCE, confidence=100),
        MatchingRule(kind=RuleKind.EXACT, confidence=95),
        MatchingRule(kind=RuleKind.DATE_WINDOW, window_days=2, confidence=90),
        MatchingRule(kind=RuleKind.FEE_AWARE, window_days=2, confidence=85),
        MatchingRule(kind=RuleKind.ONE_TO_MANY, window_days=2, parts_max=4, confidence=75),
        MatchingRule(kind=RuleKind.MANY_TO_ONE, window_days=2, parts_max=4, confidence=75),
    ),
    MOVEMENTS: (
        MatchingRule(kind=RuleKind.REFERENCE, confidence=100),
        MatchingRule(kind=RuleKind.FEE_AWARE, confidence=95),
    ),
}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A source with the rules that are in force."""

    id: UUID
    version: int
    compared_with: str
    rules: tuple[MatchingRule, ...]
    concerns: tuple[str, ...] = ()
    made_by: str = ""
    made_at: datetime | None = None

    @property
    def window_days(self) -> int:
        """For how many days after its arrival a payout may still come."""
        return max(rule.window_days for rule in self.rules)

    def shown(self) -> MatchingRules:
        """Write it as others see it."""
        return MatchingRules(
            source_id=self.id,
            version=self.version,
            compared_with=self.compared_with,
            rules=[*self.rules],
            concerns=[*self.concerns],
            made_by=self.made_by,
            made_at=self.made_at,
        )


def by_default(source_id: UUID, file_format: str) -> Source:
    """Return the rules of a source for which nobody has chosen others."""
    compared_with = MOVEMENTS if file_format in _FORMATS_OF_PROCESSORS else PAYOUTS
    return Source(id=source_id, version=0, compared_with=compared_with, rules=_DEFAULTS[compared_with])


def faults_of(compared_with: str, rules: Sequence[MatchingRule], concerns: Sequence[str]) -> list[str]:
    """Name what makes no sense, one sentence each."""
    if compared_with not in _DEFAULTS:
        return [f"compared_with must be {PAYOUTS} or {MOVEMENTS}"]
    found = [] if 1 <= len(rules) <= RULES_MAX else [f"there must be 1 to {RULES_MAX} rules"]
    if len(concerns) > CONCERNS_MAX or any(not 1 <= len(word) <= _WORD_MAX for word in concerns):
        found.append(f"concerns has at most {CONCERNS_MAX} words of 1 to {_WORD_MAX} characters")
    for number, rule in enumerate(rules, start=1):
        found += [f"rule {number} ({rule.kind}): {fault}" for fault in _faults(compared_with, rule)]
    return found


def _faults(compared_with: str, rule: MatchingRule) -> list[str]:
    found = []
    if not 1 <= rule.confidence <= 100:
        found.append("confidence must be 1 to 100")
    if not 0 <= rule.window_days <= WINDOW_DAYS_MAX:
        found.append(f"window_days must be 0 to {WINDOW_DAYS_MAX}")
    if not 0 <= rule.tolerance_minor <= TOLERANCE_MAX:
        found.append(f"tolerance_minor must be 0 to {TOLERANCE_MAX}")
    if compared_with == MOVEMENTS and rule.kind not in _OF_MOVEMENTS:
        found.append("lines of processors are matched by reference alone, fee_aware or not")
    if rule.kind in (RuleKind.REFERENCE, RuleKind.EXACT) and rule.window_days:
        found.append("it has no window_days")
    if rule.kind is RuleKind.DATE_WINDOW and not rule.window_days:
        found.append("window_days must be 1 at least")
    if rule.kind is RuleKind.TOLERANCE and not rule.tolerance_minor:
        found.append("tolerance_minor must be 1 at least")
    if rule.kind not in (RuleKind.TOLERANCE, RuleKind.REFERENCE) and rule.tolerance_minor:
        found.append("it has no tolerance_minor")
    if rule.kind in _SEVERAL and not 2 <= rule.parts_max <= PARTS_MAX:
        found.append(f"parts_max must be 2 to {PARTS_MAX}")
    if rule.kind not in _SEVERAL and rule.parts_max != 1:
        found.append("it has no parts_max")
    return found
