"""Requests about approval: which entries a tenant lets nobody make alone, and how that is changed."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.ledger_roles import Role

RULES_MAX = 50
"""Rules that one policy may have."""
THRESHOLDS_MAX = 200
"""Currencies of which one rule may have a threshold."""

_TENANT: dict[str, Any] = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_CHANGE_ID = "0190f3a4-5b6c-7d8e-9f01-23456789abf4"
_DECISION = _TENANT | {"change_id": _CHANGE_ID, "decided_by": "cfo@demo.example.com"}


class RuleKind(StrEnum):
    """What a person does in the books by themselves."""

    MANUAL = "manual"
    """An entry by hand."""
    REVERSAL = "reversal"
    """An entry is taken back."""
    HOLD = "hold"
    """A hold is placed, or captured."""
    CONVERSION = "conversion"
    """Money is exchanged."""


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """From which amount a rule holds in one currency."""

    currency: str
    """ISO 4217 code."""
    at_least_minor: int
    """This amount and more, in minor units."""


class ApprovalRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What nobody may do alone: all of its conditions together; without any, everything."""

    kind: RuleKind | None = None
    """This kind only."""
    account: str | None = None
    """With a line on the account of this code only."""
    role: Role | None = None
    """With a line on an account that plays this role, or has played it, only."""
    thresholds: list[Threshold] = []
    """From these amounts on; a currency without one counts from the first minor unit. Empty: any amount."""


class ApprovalPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant lets nobody do alone."""

    revision: int
    """The tenant's policies are numbered from 1; 0: there never was one."""
    rules: list[ApprovalRule]
    """What any of them matches needs a second person; none: nothing does."""
    changed_by: str | None = None
    """Who made it: a subject."""
    approved_by: str | None = None
    """Who approved it; None where nobody had to."""
    changed_at: datetime | None = None
    """Since when."""


class PolicyChangeStatus(StrEnum):
    """How far a change of the policy is."""

    OPEN = "open"
    """Waiting for somebody else."""
    APPLIED = "applied"
    """It became the policy."""
    REJECTED = "rejected"
    """Somebody else rejected it."""
    EXPIRED = "expired"
    """Nobody decided in time."""


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that one person wants, and another one decides about."""

    id: UUID
    """The change."""
    status: PolicyChangeStatus
    """How far it is."""
    reason: str
    """Why it is proposed."""
    follows: int
    """The revision that it was proposed to replace."""
    rules: list[ApprovalRule]
    """All rules of the policy that it becomes."""
    made_by: str
    """Who proposed it: a subject."""
    responsible: str = ""
    """Who made the API key that proposed it; empty: `made_by` is a person."""
    made_at: datetime
    """When."""
    expires_at: datetime
    """Until then it can be decided."""
    decided_by: str | None = None
    """Who decided: another subject; None where nobody has, or had to."""
    decided_at: datetime | None = None
    """When."""
    decision_reason: str | None = None
    """Why, where the one who decided gave a reason."""


class PolicyChangePage(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of a policy, newest first."""

    changes: list[PolicyChange]
    next_cursor: str | None = None
    """Continue here; None on the last page."""


@request("policy.get", owner="ledger", published_by=("api",), reply=ApprovalPolicy, example=_TENANT)
class GetApprovalPolicy(Message, frozen=True, kw_only=True):
    """What does this tenant let nobody do alone? Requested by the api."""

    tenant_id: str
    """The tenant."""


@request(
    "policy.propose",
    owner="ledger",
    published_by=("api",),
    reply=PolicyChange,
    example=_TENANT
    | {
        "change_id": _CHANGE_ID,
        "made_by": "admin@local",
        "reason": "Nobody moves 1,000 and more alone",
        "rules": [{"kind": "manual", "thresholds": [{"currency": "BRL", "at_least_minor": 100_000}]}],
    },
)
class ProposePolicyChange(Message, frozen=True, kw_only=True):
    """Propose a policy. Requested by the api; where the present one demands nothing, it becomes the policy at once."""

    tenant_id: str
    """The tenant."""
    change_id: UUID
    """The change; the same id and content again is answered the same."""
    made_by: str
    """Who proposes: a subject."""
    responsible: str = ""
    """Who made the API key that proposes, through keys that made keys; empty: `made_by` is a person."""
    reason: str
    """Why, 1 to 500 characters."""
    rules: list[ApprovalRule]
    """All rules of the policy, at most 50; none: nothing needs a second person any more."""


@request("policy.approve", owner="ledger", published_by=("api",), reply=PolicyChange, example=_DECISION)
class ApprovePolicyChange(Message, frozen=True, kw_only=True):
    """Let what somebody else proposed become the policy. Requested by the api."""

    tenant_id: str
    """The tenant."""
    change_id: UUID
    """The change."""
    decided_by: str
    """Who approves: a subject."""
    reason: str | None = None
    """Why, in their own words."""


@request("policy.reject", owner="ledger", published_by=("api",), reply=PolicyChange, example=_DECISION)
class RejectPolicyChange(Message, frozen=True, kw_only=True):
    """Refuse a policy that somebody else proposed. Requested by the api."""

    tenant_id: str
    """The tenant."""
    change_id: UUID
    """The change."""
    decided_by: str
    """Who rejects: a subject."""
    reason: str | None = None
    """Why, in their own words."""


@request(
    "policy.change",
    owner="ledger",
    published_by=("api",),
    reply=PolicyChange,
    example=_TENANT | {"change_id": _CHANGE_ID},
)
class GetPolicyChange(Message, frozen=True, kw_only=True):
    """How does this change of the policy stand? Requested by the api."""

    tenant_id: str
    """The tenant."""
    change_id: UUID
    """The change."""


@request(
    "policy.changes",
    owner="ledger",
    published_by=("api",),
    reply=PolicyChangePage,
    example=_TENANT | {"status": "open"},
)
class ListPolicyChanges(Message, frozen=True, kw_only=True):
    """Which changes of the policy were proposed? Requested by the api."""

    tenant_id: str
    """The tenant."""
    status: PolicyChangeStatus | None = None
    """This status only."""
    limit: int = 50
    """1 to 200."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""
