"""Accounts as they are requested and shown. A field of the same name on both sides is carried over by that alone."""

from libs.common.contracts import ledger as contract
from services.ledger.core import Account

_CONVERTED = {"currencies"}
"""Fields that need more than their name: a request may repeat a currency, and a struct keeps them as a tuple."""
REQUESTED = tuple(
    name
    for name in contract.OpenAccount.__struct_fields__
    if name in Account.__struct_fields__ and name not in _CONVERTED
)
"""Fields that a request and an account have in common."""
SHOWN = tuple(name for name in contract.Account.__struct_fields__ if name not in _CONVERTED)
"""Fields that an account is shown with as they are."""


def account_requested(request: contract.OpenAccount) -> Account:
    """Make the account that is to be opened."""
    return Account(
        id=request.account_id,
        currencies=None if request.currencies is None else tuple(sorted(set(request.currencies))),
        **{name: getattr(request, name) for name in REQUESTED},
    )


def account_shown(account: Account) -> contract.Account:
    """Show an account."""
    return contract.Account(
        currencies=None if account.currencies is None else list(account.currencies),
        **{name: getattr(account, name) for name in SHOWN},
    )
