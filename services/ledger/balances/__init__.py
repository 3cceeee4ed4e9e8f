"""Balances of accounts: now, in a period, and at an instant of record or of effect."""

from services.ledger.balances.consumers import BalanceConsumers
from services.ledger.balances.domain import checksum
from services.ledger.balances.queries import BalanceQueries
from services.ledger.balances.sql.current import balances_in_period, standing_balances
from services.ledger.balances.sql.effective import effective_balances
from services.ledger.balances.workers import balance_workers

__all__ = [
    "BalanceConsumers",
    "BalanceQueries",
    "balance_workers",
    "balances_in_period",
    "checksum",
    "effective_balances",
    "standing_balances",
]
