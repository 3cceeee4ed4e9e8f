"""What an account must be like to play a role in the posting rules. Pure; the distinctness is read off the rules themselves."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_money import Role
from services.ledger.domain import Account, Chart, Entry
from services.ledger.errors import RoleConflict, RoleUnfit
from services.ledger.rules.payments import PAYMENT_RULES, Occurrence

_ASSET, _LIABILITY, _EQUITY = AccountType.ASSET, AccountType.LIABILITY, AccountType.EQUITY
_REVENUE, _EXPENSE = AccountType.REVENUE, AccountType.EXPENSE


class RoleTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What one role means, who plays it unless the tenant says otherwise, and who may."""

    label: str
    """The name of the platform's own account for it; its code is the name of the role."""
    meaning: str
    """What stands on the account, as a sentence."""
    account_types: tuple[AccountType, ...]
    """The types that may play it; the platform's own account has the first."""


ROLES: Mapping[Role, RoleTerms] = MappingProxyType(
    {
        Role.CASH: RoleTerms(label="Cash", meaning="What the processor holds for the tenant.", account_types=(_ASSET,)),
        Role.REVENUE: RoleTerms(
            label="Revenue",
            meaning="What captures have earned; a liability where the money is owed to others, as on a marketplace.",
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
            meaning="Payouts on their way from the processor to the bank; empty when none is.",
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
    }
)
"""Every role, in the order in which the rules are told."""


@cache
def opposites() -> Mapping[Role, frozenset[Role]]:
    """Tell which roles must be played by different accounts: those that some rule debits and credits against each other.

    One account on both sides would make the entry of that event say nothing.
    """
    found: dict[Role, set[Role]] = {role: set() for role in Role}
    for rule in PAYMENT_RULES.values():
        met = set(roles_of(rule(_PROBE, _SOMETHING)))
        for role in met:
            found[role] |= met - {role}
    return MappingProxyType({role: frozenset(others) for role, others in found.items()})


def roles_of(entry: Entry) -> list[Role]:
    """Tell which role each line of an entry that was made with the probing chart plays."""
    return [_ROLE_OF[line.account_id] for line in entry.lines]


def check_role(role: Role, account: Account, chart: Chart) -> None:
    """Make sure that an account can play a role beside those that play the others.

    Raises:
        RoleUnfit: when its type does not fit.
        RoleConflict: when it plays a role already that a rule sets against this one.
    """
    fitting = ROLES[role].account_types
    if account.account_type not in fitting:
        names = " or ".join(fitting)
        raise RoleUnfit(
            f"{role} must be played by an account of type {names}; {account.code} is of type {account.account_type}",
            errors=(("/account", f"must be an account of type {names}"),),
        )
    for other in sorted(opposites()[role]):
        if chart.roles[other] == account.id:
            raise RoleConflict(f"{account.code} plays {other}, which a posting rule sets against {role}")


_ROLE_OF: Mapping[UUID, Role] = MappingProxyType({UUID(int=number): role for number, role in enumerate(Role, start=1)})
_PROBE = Chart(tenant_id="probe", roles={role: account_id for account_id, role in _ROLE_OF.items()})
"""A chart whose account ids tell which role they play: what a rule does can be read off its entry."""
_SOMETHING = Occurrence(
    subject_id=UUID(int=1),
    payment_intent_id=None,
    amount_minor=1,
    currency="USD",
    occurred_at=datetime(1970, 1, 1, tzinfo=UTC),
    source_event_id=None,
)
