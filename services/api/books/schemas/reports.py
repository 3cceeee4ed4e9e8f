"""What reports look like to clients: amounts as decimal strings, as JSON and as rows of a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger import AccountBalance, AccountType, Side
from libs.common.contracts.ledger_reports import (
    RevenueRow,
    TrialBalance,
    TrialBalanceRow,
)
from libs.common.money import format_minor

_DEBIT_SIDE = frozenset({AccountType.ASSET, AccountType.EXPENSE})
_TOTAL = msgspec.Meta(description="Credits to revenue; the same as `gross`.")
_NET = msgspec.Meta(description="`gross` less `reversals` less `refunds`.")
_REVERSALS = msgspec.Meta(description="Debits to revenue: what a reversal or a correction took back.")
_REFUNDS = msgspec.Meta(description="What was given back, less what did not arrive.")


class RevenueItem(msgspec.Struct, frozen=True, kw_only=True):
    """What was earned in one period and currency."""

    period: Annotated[str, msgspec.Meta(description="When the period begins, in the time zone `tz`.")]
    currency: str
    total: Annotated[str, _TOTAL]
    gross: str
    reversals: Annotated[str, _REVERSALS]
    refunds: Annotated[str, _REFUNDS]
    net: Annotated[str, _NET]
    tz: Annotated[str, msgspec.Meta(description="The time zone whose calendar cuts the periods.")]


class TenantRevenueItem(msgspec.Struct, frozen=True, kw_only=True):
    """What one tenant earned in one currency."""

    tenant_id: str
    currency: str
    total: Annotated[str, _TOTAL]
    gross: str
    reversals: Annotated[str, _REVERSALS]
    refunds: Annotated[str, _REFUNDS]
    net: Annotated[str, _NET]


class AccountBalanceItem(msgspec.Struct, frozen=True, kw_only=True):
    """What one account held in one currency, or turned over in a period."""

    account: str
    currency: str
    debits_total: str
    credits_total: str
    balance: Annotated[str, msgspec.Meta(description="Credits minus debits, whatever the type of account.")]
    account_type: AccountType
    normal_side: Side
    normal_balance: Annotated[str, msgspec.Meta(description="Positive in the account's normal direction.")]


class TrialBalanceItem(msgspec.Struct, frozen=True, kw_only=True):
    """One account in one currency."""

    account: str
    label: str
    account_type: AccountType
    currency: str
    debits_total: str
    credits_total: str
    debit_balance: Annotated[str, msgspec.Meta(description="What debits exceed credits by; else zero.")]
    credit_balance: Annotated[str, msgspec.Meta(description="What credits exceed debits by; else zero.")]


class TrialBalanceTotal(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts in one currency."""

    currency: str
    debits_total: str
    credits_total: str
    debit_balance: str
    credit_balance: str
    is_balanced: Annotated[bool, msgspec.Meta(description="Whether debits equal credits; anything else is a fault.")]


class TrialBalanceBody(msgspec.Struct, frozen=True, kw_only=True):
    """Every account at one instant of record."""

    as_of: str
    accounts: list[TrialBalanceItem]
    totals: list[TrialBalanceTotal]


class RefreshBody(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh the reports are."""

    refreshed_at: str
    done: Annotated[bool, msgspec.Meta(description="Whether this refresh is done; else it goes on.")]


def _amounts(row: RevenueRow) -> dict[str, str]:
    gross = format_minor(row.gross_minor, row.currency)
    return {
        "currency": row.currency,
        "total": gross,
        "gross": gross,
        "reversals": format_minor(row.reversals_minor, row.currency),
        "refunds": format_minor(row.refunds_minor, row.currency),
        "net": format_minor(row.gross_minor - row.reversals_minor - row.refunds_minor, row.currency),
    }


def revenue_item(row: RevenueRow, zone: ZoneInfo) -> RevenueItem:
    """Show the revenue of one period; it begins at an instant of the zone's own clock."""
    assert row.period_at is not None
    return RevenueItem(period=row.period_at.astimezone(zone).isoformat(), tz=zone.key, **_amounts(row))


def tenant_item(row: RevenueRow) -> TenantRevenueItem:
    """Show the revenue of one tenant."""
    return TenantRevenueItem(tenant_id=row.tenant_id, **_amounts(row))


def balance_item(balance: AccountBalance) -> AccountBalanceItem:
    """Show what an account held, as `/v1/ledger/balances` does."""
    net_credit = balance.credits_minor - balance.debits_minor
    normal_side = Side.DEBIT if balance.account_type in _DEBIT_SIDE else Side.CREDIT
    return AccountBalanceItem(
        account=balance.account,
        currency=balance.currency,
        debits_total=format_minor(balance.debits_minor, balance.currency),
        credits_total=format_minor(balance.credits_minor, balance.currency),
        balance=format_minor(net_credit, balance.currency),
        account_type=balance.account_type,
        normal_side=normal_side,
        normal_balance=format_minor(net_credit if normal_side is Side.CREDIT else -net_credit, balance.currency),
    )


def trial_balance_body(found: TrialBalance) -> TrialBalanceBody:
    """Show a trial balance with its totals by currency."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in found.rows:
        sums = totals[row.currency]
        for i, figure in enumerate((row.debits_minor, row.credits_minor, *_sides(row))):
            sums[i] += figure
    return TrialBalanceBody(
        as_of=iso(found.as_of),
        accounts=[_trial_item(row) for row in found.rows],
        totals=[
            TrialBalanceTotal(
                currency=currency,
                debits_total=format_minor(debits, currency),
                credits_total=format_minor(credits_, currency),
                debit_balance=format_minor(debit_balance, currency),
                credit_balance=format_minor(credit_balance, currency),
                is_balanced=debits == credits_,
            )
            for currency, (debits, credits_, debit_balance, credit_balance) in sorted(totals.items())
        ],
    )


def _sides(row: TrialBalanceRow) -> tuple[int, int]:
    net = row.debits_minor - row.credits_minor
    return max(net, 0), max(-net, 0)


def _trial_item(row: TrialBalanceRow) -> TrialBalanceItem:
    debit_balance, credit_balance = _sides(row)
    return TrialBalanceItem(
        account=row.account,
        label=row.label,
        account_type=row.account_type,
        currency=row.currency,
        debits_total=format_minor(row.debits_minor, row.currency),
        credits_total=format_minor(row.credits_minor, row.currency),
        debit_balance=format_minor(debit_balance, row.currency),
        credit_balance=format_minor(credit_balance, row.currency),
    )


REVENUE_COLUMNS = tuple(RevenueItem.__struct_fields__)
TENANT_COLUMNS = tuple(TenantRevenueItem.__struct_fields__)
BALANCE_COLUMNS = tuple(AccountBalanceItem.__struct_fields__)
TRIAL_COLUMNS = tuple(TrialBalanceItem.__struct_fields__)
REVENUE_SUMS = ("total", "gross", "reversals", "refunds", "net")
BALANCE_SUMS = ("debits_total", "credits_total", "balance")
TRIAL_SUMS = ("debits_total", "credits_total", "debit_balance", "credit_balance")


def rows_of(items: Iterable[msgspec.Struct]) -> list[Sequence[str]]:
    """Lay structs of texts out as rows, one column per member."""
    return [[str(getattr(item, name)) for name in item.__struct_fields__] for item in items]
