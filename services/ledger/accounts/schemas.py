"""An account as it is shown."""

from libs.common.contracts import ledger as contract
from services.ledger.core import Account


def account_shown(account: Account) -> contract.Account:
    """Show an account."""
    return contract.Account(
        id=account.id,
        code=account.code,
        label=account.label,
        account_type=account.account_type,
        is_default=account.is_default,
        floor_minor=account.floor_minor,
        ceiling_minor=account.ceiling_minor,
        currencies=None if account.currencies is None else list(account.currencies),
    )
