"""The default accounts that every tenant has, and what each role in the posting rules means. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_roles import Role
from services.ledger.core import Account
from services.ledger.errors import TenantInvalid

TENANT_ID_LENGTH_MAX = 64

_CHANGE_WAIT_MAX = timedelta(seconds=10)
"""A change has its instant before it waits for the groups that still post by the account before, and clocks differ a little."""
_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_ASSET, _LIABILITY, _EQUITY = AccountType.ASSET, AccountType.LIABILITY, AccountType.EQUITY

_REVENUE, _EXPENSE = AccountType.REVENUE, AccountType.EXPENSE


class RoleTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What one role means, who plays it unless the tenant chose another, and who may."""

    label: str
    """The name of the platform's own account for it; its code is the name of the role."""
    meaning: str
    """What stands on the account, as a sentence."""
    account_types: tuple[AccountType, ...]
    """The types that may play it; the platform's own account has the first."""


ROLES: Mapping[Role, RoleTerms] = MappingProxyType(
    {
        Role.CASH: RoleTerms(
            label="Receivable from Processor",
            meaning="What payments have brought and the processor's statement does not have yet; where a processor has no "
            "statement, all that it holds. Money at the bank stands on `BANK`.",
            account_types=(_ASSET,),
        ),
        Role.REVENUE: RoleTerms(
            label="Revenue",
            meaning="What captures have earned; a liability where the money is owed to others, as on a marketplace, or is not "
            "earned yet.",
            account_types=(_REVENUE, _LIABILITY),
        ),
        Role.REFUND_EXPENSE: RoleTerms(
            label="Refund Expense",
            meaning="What was given back; a revenue account where refunds are to reduce revenue directly.",
            account_types=(_EXPENSE, _REVENUE),
        ),
        Role.PROCESSOR_FEES: RoleTerms(
            label="Processor Fees", meaning="What the processor keeps for its work.", account_types=(_EXPENSE,)
        ),
        Role.GATEWAY_CLEARING: RoleTerms(
            label="Gateway Clearing",
            meaning="Payouts in transit from the processor to the bank; empty when none is.",
            account_types=(_ASSET, _LIABILITY),
        ),
        Role.BANK: RoleTerms(label="Bank", meaning="What has arrived at the tenant's bank.", account_types=(_ASSET,)),
        Role.DISPUTE_CLEARING: RoleTerms(
            label="Dispute Clearing",
            meaning="What customers' banks took back until it is decided; empty when no dispute is open.",
            account_types=(_ASSET, _LIABILITY),
        ),
        Role.DISPUTE_LOSSES: RoleTerms(
            label="Dispute Losses", meaning="Disputed money that is gone.", account_types=(_EXPENSE,)
        ),
        Role.FX_POSITION: RoleTerms(
            label="Currency Position",
            meaning="What was exchanged between currencies, one balance in each: sold ones stand on the debit side, "
            "bought ones on the credit side.",
            account_types=(_ASSET, _LIABILITY, _EQUITY),
        ),
        Role.FX_GAIN_LOSS: RoleTerms(
            label="Currency Gains and Losses",
            meaning="What exchanging cost or gained: rounding, and the distance between the rate and what the bank paid.",
            account_types=(_EXPENSE, _REVENUE),
        ),
        Role.PROCESSOR_PENDING: RoleTerms(
            label="Pending at Processor",
            meaning="What the processor's statement has and cannot be paid out yet, in the currency that it settles in.",
            account_types=(_ASSET,),
        ),
        Role.PROCESSOR_AVAILABLE: RoleTerms(
            label="Available at Processor",
            meaning="What the processor can pay out: its own figure, to the cent.",
            account_types=(_ASSET,),
        ),
        Role.REFUND_CLEARING: RoleTerms(
            label="Refund Clearing",
            meaning="Refunds that left the processor and are not confirmed yet; empty when none is.",
            account_types=(_ASSET, _LIABILITY),
        ),
        Role.RESERVES: RoleTerms(
            label="Reserves at Processor",
            meaning="What the processor keeps back as security.",
            account_types=(_ASSET,),
        ),
        Role.TAX_RECOVERABLE: RoleTerms(
            label="Recoverable Tax",
            meaning="Tax on the processor's fees; an expense where it cannot be recovered.",
            account_types=(_ASSET, _EXPENSE),
        ),
        Role.SUSPENSE: RoleTerms(
            label="Suspense",
            meaning="What moved at the processor and fits nothing, until a person has decided.",
            account_types=(_ASSET, _LIABILITY),
        ),
        Role.DEFERRED_REVENUE: RoleTerms(
            label="Deferred Revenue",
            meaning="What was captured and is not earned yet, where the tenant lets this account play `REVENUE`.",
            account_types=(_LIABILITY,),
        ),
        Role.PLATFORM_FEES: RoleTerms(
            label="Platform Fees",
            meaning="What the platform takes that the tenant's account at the processor is connected to.",
            account_types=(_EXPENSE,),
        ),
        Role.PLATFORM_EARNINGS: RoleTerms(
            label="Platform Earnings",
            meaning="What a platform has taken of the charges of accounts that are connected to its own, less what it gave back.",
            account_types=(_REVENUE, _LIABILITY),
        ),
        Role.OPENING_BALANCE: RoleTerms(
            label="Opening Balance",
            meaning="What stood at the processor already when the account was added: earned, or received from the owners, before.",
            account_types=(_EQUITY, _LIABILITY),
        ),
        Role.RETAINED_EARNINGS: RoleTerms(
            label="Retained Earnings",
            meaning="What earlier years have earned: the end of a year moves its income and expenses here.",
            account_types=(_EQUITY,),
        ),
        Role.TAX_PAYABLE: RoleTerms(
            label="Tax Payable",
            meaning="Tax on what was sold, until it is paid; entries by hand move it here.",
            account_types=(_LIABILITY,),
        ),
        Role.FX_REVALUATION: RoleTerms(
            label="Currency Revaluation",
            meaning="What assets and liabilities in other currencies are worth at the closing rate beyond what they were booked at, "
            "or less: in the currency of the reports, until the next period begins.",
            account_types=(_ASSET, _LIABILITY),
        ),
        Role.FX_UNREALIZED: RoleTerms(
            label="Unrealized Currency Gains and Losses",
            meaning="What they have gained or lost by that, before they are exchanged.",
            account_types=(_EXPENSE, _REVENUE),
        ),
    }
)
"""Every role, in the order in which the rules are shown."""


def default_account_id(tenant_id: str, role: Role) -> UUID:
    """Return the id of a tenant's default account, the same in every process that opens it (RFC 9562, version 5)."""
    return uuid5(NAMESPACE_URL, f"ledger/{tenant_id}/accounts/{role}")


def default_roles(tenant_id: str) -> Mapping[Role, UUID]:
    """Return which account plays each role where the tenant has changed nothing."""
    return MappingProxyType({role: default_account_id(tenant_id, role) for role in Role})


def default_accounts(tenant_id: str) -> list[Account]:
    """List the accounts that the platform opens for a tenant.

    Raises:
        Invalid: when the tenant's id is empty or longer than 64 characters.
    """
    if not 1 <= len(tenant_id) <= TENANT_ID_LENGTH_MAX:
        raise TenantInvalid(f"a tenant's id must have 1 to {TENANT_ID_LENGTH_MAX} characters")
    return [
        Account(
            tenant_id=tenant_id,
            id=default_account_id(tenant_id, role),
            code=role.value,
            label=terms.label,
            account_type=terms.account_types[0],
            is_default=True,
        )
        for role, terms in ROLES.items()
    ]


class RolesInTime:
    """Which roles the accounts of a tenant have played, and when.

    Args:
        tenant_id: the tenant.
        changes: all its changes, each a role, the account that plays it from then on, and the instant; oldest first.
    """

    def __init__(self, tenant_id: str, changes: Iterable[tuple[Role, UUID, datetime]]) -> None:
        spells: dict[Role, list[tuple[UUID, datetime]]] = {
            role: [(account_id, _BEGINNING)] for role, account_id in default_roles(tenant_id).items()
        }
        for role, account_id, at in changes:
            spells[role].append((account_id, at))
        self._spells: dict[UUID, list[tuple[Role, datetime, datetime]]] = {}
        for role, played in spells.items():
            ends = [at for _, at in played[1:]] + [_END]
            for (account_id, begin), end in zip(played, ends, strict=True):
                self._spells.setdefault(account_id, []).append((role, begin, end))
        self._always = {
            account_id: tuple(role for role, _, _ in spells)
            for account_id, spells in self._spells.items()
            if all((begin, end) == (_BEGINNING, _END) for _, begin, end in spells)
        }

    def always(self, account_id: UUID) -> tuple[Role, ...] | None:
        """Return the roles that an account has played from first to last; None where that has changed at some instant."""
        return self._always.get(account_id, None if account_id in self._spells else ())

    def only(self) -> dict[UUID, Role | None]:
        """Return each account that has ever played a role, with the one that it has played from first to last; None: there were others."""
        return {
            account_id: always[0] if (always := self._always.get(account_id)) is not None and len(always) == 1 else None
            for account_id in self._spells
        }

    def of(self, account_id: UUID, at: datetime) -> tuple[Role, ...]:
        """Return the roles that an account played at an instant, in the order of `Role`.

        An entry that was posted while a change waited for it goes by the account before: where an account played none at
        that instant, those count that it had until shortly before or took on shortly after.
        """
        if (always := self._always.get(account_id)) is not None:
            return always
        spells = self._spells.get(account_id, ())
        return tuple(role for role, begin, end in spells if begin <= at < end) or tuple(
            dict.fromkeys(
                role for role, begin, end in spells if begin <= at + _CHANGE_WAIT_MAX and at - _CHANGE_WAIT_MAX < end
            )
        )
