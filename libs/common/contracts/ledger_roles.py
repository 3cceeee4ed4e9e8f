"""Requests about roles: which account plays which role in a tenant's posting rules."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.ledger import AccountType

_TENANT: dict[str, Any] = {"tenant_id": "00000000-0000-0000-0000-000000000002"}


class Role(StrEnum):
    """What an account is for in the posting rules; a tenant's chart names which account plays each role."""

    CASH = "CASH"
    """What payments have brought and the processor's statement does not have yet; all that it holds, where there is none."""
    REVENUE = "REVENUE"
    """What was earned by captures."""
    REFUND_EXPENSE = "REFUND_EXPENSE"
    """What was given back."""
    PROCESSOR_FEES = "PROCESSOR_FEES"
    """What the processor keeps for its work."""
    GATEWAY_CLEARING = "GATEWAY_CLEARING"
    """Payouts in transit from the processor to the bank."""
    BANK = "BANK"
    """What has arrived at the tenant's bank."""
    DISPUTE_CLEARING = "DISPUTE_CLEARING"
    """What customers' banks took back, until it is decided."""
    DISPUTE_LOSSES = "DISPUTE_LOSSES"
    """Disputed money that is gone."""
    FX_POSITION = "FX_POSITION"
    """What was exchanged between currencies: one balance per currency, the mirror of what was bought and sold."""
    FX_GAIN_LOSS = "FX_GAIN_LOSS"
    """What exchanging gained or cost: rounding, and the distance between the rate and what the bank paid."""
    PROCESSOR_PENDING = "PROCESSOR_PENDING"
    """What the processor's statement has and does not pay out yet."""
    PROCESSOR_AVAILABLE = "PROCESSOR_AVAILABLE"
    """What the processor can pay out."""
    REFUND_CLEARING = "REFUND_CLEARING"
    """Refunds that left the processor, until they succeed or come back."""
    RESERVES = "RESERVES"
    """What the processor keeps back as security."""
    TAX_RECOVERABLE = "TAX_RECOVERABLE"
    """Tax on the processor's fees."""
    SUSPENSE = "SUSPENSE"
    """What moved at the processor and fits nothing, until a person has decided."""
    DEFERRED_REVENUE = "DEFERRED_REVENUE"
    """What was captured and is not earned yet."""
    PLATFORM_FEES = "PLATFORM_FEES"
    """What the platform takes that the tenant's account at the processor is connected to."""
    PLATFORM_EARNINGS = "PLATFORM_EARNINGS"
    """What a platform has taken of the charges of accounts that are connected to its own."""
    OPENING_BALANCE = "OPENING_BALANCE"
    """What stood at the processor before its statement was booked."""
    RETAINED_EARNINGS = "RETAINED_EARNINGS"
    """What earlier years have earned."""
    TAX_PAYABLE = "TAX_PAYABLE"
    """Tax on what was sold, until it is paid."""
    FX_REVALUATION = "FX_REVALUATION"
    """What assets and liabilities in other currencies are worth beyond, or less than, their own value."""
    FX_UNREALIZED = "FX_UNREALIZED"
    """What such assets and liabilities have gained or lost, before they are exchanged."""


class AccountRole(msgspec.Struct, frozen=True, kw_only=True):
    """Which account plays one role for a tenant."""

    role: Role
    """The role."""
    account: str
    """The code of the account that plays it."""
    account_type: AccountType
    """The type of that account."""
    account_types: list[AccountType]
    """The types that an account may have to play it."""
    is_default: bool
    """Whether it is the account that the platform opened for this role."""
    changed_at: datetime | None = None
    """Since when, in UTC; None where it was never changed."""
    changed_by: str | None = None
    """Who changed it last; None where nobody did."""


class AccountRoleList(msgspec.Struct, frozen=True, kw_only=True):
    """Every role of a tenant, in the order of the posting rules."""

    roles: list[AccountRole]


class AccountRoleChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the configuration."""

    revision: int
    """The tenant's changes are numbered from 1."""
    account: str
    """The code of the account that plays the role from then on."""
    changed_at: datetime
    """When, in UTC."""
    changed_by: str
    """Who did it."""


class AccountRoleHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One role and its latest changes."""

    role: AccountRole
    """How it is now."""
    changes: list[AccountRoleChange]
    """Newest first, at most 100; before the oldest change of all, the platform's own account played it."""


@request("account_roles.list", owner="ledger", published_by=("api", "gateway"), reply=AccountRoleList, example=_TENANT)
class ListAccountRoles(Message, frozen=True, kw_only=True):
    """Which account plays which role for this tenant? Requested by the api, and by the gateway for its reconciliation."""

    tenant_id: str
    """The tenant."""


@request(
    "account_roles.get",
    owner="ledger",
    published_by=("api",),
    reply=AccountRoleHistory,
    example=_TENANT | {"role": "CASH"},
)
class GetAccountRole(Message, frozen=True, kw_only=True):
    """Which account plays this role, and which did before? Requested by the api."""

    tenant_id: str
    """The tenant."""
    role: Role
    """The role."""


@request(
    "account_roles.assign",
    owner="ledger",
    published_by=("api",),
    reply=AccountRole,
    example=_TENANT | {"role": "CASH", "account": "CASH_STRIPE", "actor": "admin@example.com"},
)
class AssignAccountRole(Message, frozen=True, kw_only=True):
    """Let another account play a role in every entry posted from now on. Requested by the api; again, it changes nothing."""

    tenant_id: str
    """The tenant."""
    role: Role
    """The role."""
    account: str
    """The code of the account."""
    actor: str
    """Who asks, for the history."""
