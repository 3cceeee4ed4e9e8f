"""Accounts of the chart, as clients write and see them."""

from typing import Annotated

import msgspec

from libs.common.contracts.ledger import Account, AccountType

type _Limit = Annotated[
    int,
    msgspec.Meta(
        ge=-(2**53), le=2**53, description="In minor units of each currency, in the account's normal direction."
    ),
]


class CreateAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new account of the tenant's chart."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="Unique in the chart: `FEES`.")]
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Its name for people.")]
    account_type: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=32,
            description="Fixes the normal balance.",
            extra_json_schema={"enum": [kind.value for kind in AccountType]},
        ),
    ]
    floor_minor: _Limit | None = None
    """The least that may be available in its normal direction; 0: no overdraft."""
    ceiling_minor: _Limit | None = None
    """The most that it may hold in its normal direction."""
    currencies: (
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=3, max_length=3)]],
            msgspec.Meta(
                min_length=1, max_length=200, description="The currencies and own units it takes; absent: all."
            ),
        ]
        | None
    ) = None


class AccountBody(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the tenant's chart."""

    id: str
    code: str
    label: str
    account_type: AccountType
    is_default: bool
    floor_minor: int | None
    ceiling_minor: int | None
    currencies: list[str] | None


def account_body(account: Account) -> AccountBody:
    """Show an account as clients see it."""
    return AccountBody(
        id=str(account.id),
        code=account.code,
        label=account.label,
        account_type=account.account_type,
        is_default=account.is_default,
        floor_minor=account.floor_minor,
        ceiling_minor=account.ceiling_minor,
        currencies=account.currencies,
    )
