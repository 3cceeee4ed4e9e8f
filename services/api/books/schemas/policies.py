"""What nobody may do alone in the books, as clients write and see it."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger_policy import (
    RULES_MAX,
    THRESHOLDS_MAX,
    ApprovalPolicy,
    ApprovalRule,
    PolicyChange,
    PolicyChangeStatus,
    RuleKind,
    Threshold,
)
from libs.common.contracts.ledger_roles import Role
from libs.common.money import InvalidAmount, UnsupportedCurrency, format_minor, parse_amount
from services.api.http.bodies import amount_in
from services.api.http.rendering import AmountIn

type _Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the tenant lets nobody change its books alone."""

    manual_entries_need_approval: Annotated[
        bool,
        msgspec.Meta(description="Whether everything can only be proposed, and somebody else approves."),
    ]


class NewThreshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which amount on a rule holds."""

    currency: Annotated[
        str,
        msgspec.Meta(min_length=3, max_length=8, description="ISO 4217 code, upper case, or the code of an own unit."),
    ]
    amount: AmountIn


class NewApprovalRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What nobody may do alone: all of its conditions together; without any, everything."""

    kind: Annotated[RuleKind, msgspec.Meta(description="This kind only.")] | None = None
    account: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="With a line on this account only.")]
        | None
    ) = None
    role: (
        Annotated[Role, msgspec.Meta(description="With a line on an account that plays this role, or has, only.")]
        | None
    ) = None
    at_least: Annotated[
        list[NewThreshold],
        msgspec.Meta(
            max_length=THRESHOLDS_MAX,
            description="From these amounts on. A currency that is not named counts from the first minor unit.",
        ),
    ] = []


class ProposeApprovalPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy to be proposed: all of its rules."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="Why it is proposed.")]
    rules: Annotated[
        list[NewApprovalRule],
        msgspec.Meta(max_length=RULES_MAX, description="All rules; none: nothing needs a second person any more."),
    ]


class DecidePolicyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision about a change of the policy."""

    reason: _Reason | None = None


class ThresholdBody(msgspec.Struct, frozen=True, kw_only=True):
    """From which amount on a rule holds."""

    currency: str
    amount: str


class ApprovalRuleBody(msgspec.Struct, frozen=True, kw_only=True):
    """What nobody may do alone."""

    kind: RuleKind | None
    account: str | None
    role: Role | None
    at_least: list[ThresholdBody]


class ApprovalPolicyBody(msgspec.Struct, frozen=True, kw_only=True):
    """What the tenant lets nobody do alone."""

    revision: Annotated[int, msgspec.Meta(description="The tenant's policies are numbered from 1; 0: there was none.")]
    rules: Annotated[
        list[ApprovalRuleBody], msgspec.Meta(description="What any of them matches needs a second person.")
    ]
    changed_by: str | None
    approved_by: str | None
    changed_at: str | None


class PolicyChangeBody(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that one person wants and another one decides about."""

    id: str
    status: PolicyChangeStatus
    reason: str
    follows: Annotated[int, msgspec.Meta(description="The revision of the policy that it was proposed to replace.")]
    rules: list[ApprovalRuleBody]
    made_by: str
    made_at: str
    expires_at: str
    decided_by: str | None
    decided_at: str | None
    decision_reason: str | None


class PolicyChangesBody(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes of the policy, newest first."""

    data: list[PolicyChangeBody]
    next_cursor: str | None


def rules_requested(rules: Sequence[NewApprovalRule]) -> list[ApprovalRule]:
    """Read rules as the ledger takes them.

    Raises:
        Invalid: for an amount or a currency that cannot be, with its place.
    """
    return [
        ApprovalRule(
            kind=rule.kind,
            account=rule.account,
            role=rule.role,
            thresholds=[
                Threshold(
                    currency=threshold.currency,
                    at_least_minor=_minor(threshold, f"/rules/{place}/at_least/{number}"),
                )
                for number, threshold in enumerate(rule.at_least)
            ],
        )
        for place, rule in enumerate(rules)
    ]


def _minor(threshold: NewThreshold, pointer: str) -> int:
    try:
        return parse_amount(amount_in(bytes(threshold.amount), f"{pointer}/amount"), threshold.currency, own=True)
    except UnsupportedCurrency as fault:
        raise UnsupportedCurrency(fault.detail, errors=((f"{pointer}/currency", fault.detail),)) from fault
    except InvalidAmount as fault:
        raise InvalidAmount(fault.detail, errors=((f"{pointer}/amount", fault.detail),)) from fault


def _rules_body(rules: Sequence[ApprovalRule]) -> list[ApprovalRuleBody]:
    return [
        ApprovalRuleBody(
            kind=rule.kind,
            account=rule.account,
            role=rule.role,
            at_least=[
                ThresholdBody(
                    currency=threshold.currency, amount=format_minor(threshold.at_least_minor, threshold.currency)
                )
                for threshold in rule.thresholds
            ],
        )
        for rule in rules
    ]


def policy_body(policy: ApprovalPolicy) -> ApprovalPolicyBody:
    """Show a policy."""
    return ApprovalPolicyBody(
        revision=policy.revision,
        rules=_rules_body(policy.rules),
        changed_by=policy.changed_by,
        approved_by=policy.approved_by,
        changed_at=None if policy.changed_at is None else iso(policy.changed_at),
    )


def change_body(change: PolicyChange) -> PolicyChangeBody:
    """Show a change of the policy."""
    return PolicyChangeBody(
        id=str(change.id),
        status=change.status,
        reason=change.reason,
        follows=change.follows,
        rules=_rules_body(change.rules),
        made_by=change.made_by,
        made_at=iso(change.made_at),
        expires_at=iso(change.expires_at),
        decided_by=change.decided_by,
        decided_at=None if change.decided_at is None else iso(change.decided_at),
        decision_reason=change.decision_reason,
    )
