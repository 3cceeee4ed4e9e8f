"""What moved on accounts at processors: read from their statement and pushed by webhooks, each published once."""

from services.gateway.movements.commands import (
    AccountOpening,
    BalanceComparing,
    StatementReading,
    StatementRecording,
    publications_of_movement,
    publications_of_payment,
    resend,
)
from services.gateway.movements.domain import StatementAccount
from services.gateway.movements.workers import statement_workers

__all__ = [
    "AccountOpening",
    "BalanceComparing",
    "StatementAccount",
    "StatementReading",
    "StatementRecording",
    "publications_of_movement",
    "publications_of_payment",
    "resend",
    "statement_workers",
]
