"""An account of a tenant's chart, and which account plays which role. Pure.

account type   normal side   its balance is
ASSET          debit         debits - credits
EXPENSE        debit         debits - credits
LIABILITY      credit        credits - debits
EQUITY         credit        credits - debits
REVENUE        credit        credits - debits
"""

from collections.abc import Mapping
from typing import assert_never
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import AccountType, Side
from libs.common.contracts.ledger_errors import AccountInvalid
from libs.common.contracts.ledger_roles import Role
from libs.common.money import is_currency, is_own_unit
from services.ledger.core.balance import BALANCE_MINOR_MAX

ACCOUNT_CODE_LENGTH_MAX = 64

ACCOUNT_LABEL_LENGTH_MAX = 200


def normal_side(account_type: AccountType) -> Side:
    """Return on which side an account of this type grows."""
    match account_type:
        case AccountType.ASSET | AccountType.EXPENSE:
            return Side.DEBIT
        case AccountType.LIABILITY | AccountType.EQUITY | AccountType.REVENUE:
            return Side.CREDIT
        case _:
            assert_never(account_type)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account of a tenant's chart. It never changes once opened: what is posted to it must keep its meaning."""

    tenant_id: str
    """Whose chart it stands in."""
    id: UUID
    """Identifies it within the tenant."""
    code: str
    """Unique in the tenant's chart, 1 to 64 characters."""
    label: str
    """Its name for people, 1 to 200 characters."""
    account_type: AccountType
    """Fixes the normal balance."""
    is_default: bool = False
    """Opened by the platform for each tenant, not by the tenant."""
    floor_minor: int | None = None
    """The least that may be available in its normal direction, in minor units of each currency; 0: no overdraft."""
    ceiling_minor: int | None = None
    """The most that it may hold in its normal direction, in minor units of each currency."""
    currencies: tuple[str, ...] | None = None
    """The currencies and own units that it takes, in alphabetical order; None: all."""

    @property
    def normal_side(self) -> Side:
        """The side on which it grows."""
        return normal_side(self.account_type)


def check_account(account: Account) -> Account:
    """Return the account when its code and label can be used.

    Raises:
        AccountInvalid: naming each field that cannot.
    """
    faults: list[tuple[str, str]] = []
    for field, text, length_max in (
        ("code", account.code, ACCOUNT_CODE_LENGTH_MAX),
        ("label", account.label, ACCOUNT_LABEL_LENGTH_MAX),
    ):
        if not 1 <= len(text) <= length_max:
            faults.append((f"/{field}", f"{field} must have 1 to {length_max} characters"))
        elif text != text.strip() or not text.isprintable():
            faults.append((f"/{field}", f"{field} must be printable, without spaces around it"))
    limits = (("floor", account.floor_minor), ("ceiling", account.ceiling_minor))
    for field, limit in limits:
        if limit is not None and abs(limit) > BALANCE_MINOR_MAX:
            faults.append((f"/{field}", f"{field} must be a signed 64-bit number of minor units"))
    floor, ceiling = account.floor_minor, account.ceiling_minor
    if floor is not None and ceiling is not None and floor > ceiling:
        faults.append(("/ceiling", "ceiling must not be below the floor"))
    if account.currencies is not None:
        if not account.currencies:
            faults.append(("/currencies", "currencies must name one or be absent"))
        faults += [
            ("/currencies", f"{c!r} is neither an active ISO 4217 currency nor an own unit")
            for c in account.currencies
            if not (is_currency(c) or is_own_unit(c))
        ]
    if faults:
        raise AccountInvalid("; ".join(sentence for _, sentence in faults), errors=tuple(faults))
    return account


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a tenant's accounts plays which role in the posting rules."""

    tenant_id: str
    """Whose chart it is."""
    roles: Mapping[Role, UUID]
    """The account of each role; every role has one."""
