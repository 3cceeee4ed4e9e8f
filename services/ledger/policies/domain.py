"""What a policy may be, and who decides about a change of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.ledger_errors import AccountUnknown, PolicyChangeDecided, PolicyInvalid, SelfApproval
from libs.common.contracts.ledger_policy import (
    RULES_MAX,
    THRESHOLDS_MAX,
    ApprovalRule,
    PolicyChange,
    PolicyChangeStatus,
    ProposePolicyChange,
    RuleKind,
)
from libs.common.money import amount_minor_max, is_booked

REASON_LENGTH_MAX = 500

EVERYTHING = ApprovalRule()
"""The rule without conditions: nobody changes the books alone."""

_CONTENT = ("reason", "rules", "made_by", "responsible")


class StoredRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is stored: with the account's id, and its thresholds as one JSON object."""

    rule_no: int
    kind: RuleKind | None
    account_id: UUID | None
    role: str | None
    thresholds: str


def check_change(request: ProposePolicyChange) -> None:
    """Check a policy that somebody proposes.

    Raises:
        PolicyInvalid: naming each member that cannot be.
    """
    faults: list[tuple[str, str]] = []
    if not 1 <= len(request.reason) <= REASON_LENGTH_MAX or "\0" in request.reason:
        faults.append(("/reason", f"must have 1 to {REASON_LENGTH_MAX} characters"))
    if len(request.rules) > RULES_MAX:
        faults.append(("/rules", f"must be at most {RULES_MAX}"))
    for place, rule in enumerate(request.rules[:RULES_MAX]):
        faults += [(f"/rules/{place}{pointer}", sentence) for pointer, sentence in _faults(rule)]
    if faults:
        raise PolicyInvalid("; ".join(f"{where} {what}" for where, what in faults), errors=tuple(faults))


def _faults(rule: ApprovalRule) -> Iterable[tuple[str, str]]:
    if rule.account is not None and rule.role is not None:
        yield "/role", "must not be beside an account: write two rules"
    if len(rule.thresholds) > THRESHOLDS_MAX:
        yield "/thresholds", f"must be at most {THRESHOLDS_MAX}"
    seen: set[str] = set()
    for place, threshold in enumerate(rule.thresholds[:THRESHOLDS_MAX]):
        if not is_booked(threshold.currency):
            yield f"/thresholds/{place}/currency", "must be an ISO 4217 code, or the code of an own unit"
        if threshold.currency in seen:
            yield f"/thresholds/{place}/currency", "must be named once"
        seen.add(threshold.currency)
        minor_max = amount_minor_max(threshold.currency)
        if not 0 < threshold.at_least_minor <= minor_max:
            yield f"/thresholds/{place}/amount", f"must be 1 to {minor_max} minor units"


def codes(rules: Iterable[ApprovalRule]) -> list[str]:
    """Collect the codes of all accounts that rules name, each once."""
    return list({rule.account: None for rule in rules if rule.account is not None})


def stored_rules(rules: Sequence[ApprovalRule], accounts: Mapping[str, UUID]) -> list[StoredRule]:
    """Return rules as they are stored.

    Raises:
        AccountUnknown: when a rule names an account that is not in the chart.
    """
    unknown: list[tuple[str, str]] = []
    stored = []
    for place, rule in enumerate(rules):
        if rule.account is not None and rule.account not in accounts:
            unknown.append((f"/rules/{place}/account", "must be the code of an account in the chart"))
            continue
        thresholds = {threshold.currency: threshold.at_least_minor for threshold in rule.thresholds}
        stored.append(
            StoredRule(
                rule_no=place + 1,
                kind=rule.kind,
                account_id=None if rule.account is None else accounts[rule.account],
                role=rule.role,
                thresholds=msgspec.json.encode(thresholds).decode(),
            )
        )
    if unknown:
        raise AccountUnknown("a rule names an account that is not in the chart", errors=tuple(unknown))
    return stored


def demands_every(rules: Iterable[ApprovalRule], kind: RuleKind | None) -> bool:
    """Whether rules demand a second person for everything of a kind, whatever it moves; None: of every kind."""
    return any(rule in (EVERYTHING, ApprovalRule(kind=kind)) for rule in rules)


def is_same(existing: PolicyChange, request: ProposePolicyChange) -> bool:
    """Whether a request proposes again what is proposed under its id."""
    return all(getattr(existing, name) == getattr(request, name) for name in _CONTENT)


def require_decidable(change: PolicyChange, *, by: str, status: PolicyChangeStatus) -> None:
    """Check that somebody may decide about a change; one that is as they want it already passes too.

    Raises:
        SelfApproval: when it is the one who proposed it, or made the API key that did.
        PolicyChangeDecided: when it was decided otherwise, or its time is over.
    """
    if by.casefold() in {change.made_by.casefold(), change.responsible.casefold()}:
        raise SelfApproval("who proposes, or made the key that proposes, does not decide: ask somebody else")
    if change.status not in {PolicyChangeStatus.OPEN, status}:
        raise PolicyChangeDecided(f"the change of the policy is {change.status.value} already")


def decided(
    change: PolicyChange, status: PolicyChangeStatus, *, by: str | None, reason: str | None, at: datetime
) -> PolicyChange:
    """Return a change as it is once decided."""
    return msgspec.structs.replace(change, status=status, decided_by=by, decided_at=at, decision_reason=reason)
