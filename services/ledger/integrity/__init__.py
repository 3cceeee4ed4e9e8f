"""Proof that the books are as they were written, and that they agree with what the api published of payments."""

from services.ledger.integrity.commands.reconciliation import AGREE_WITHIN, Reconciliation
from services.ledger.integrity.commands.verification import Report, Round, Verifier
from services.ledger.integrity.consumers import IntegrityConsumers
from services.ledger.integrity.workers import (
    COMPARE_EVERY_SECONDS,
    VERIFY_EVERY_SECONDS,
    VerificationWorker,
)

__all__ = [
    "AGREE_WITHIN",
    "COMPARE_EVERY_SECONDS",
    "VERIFY_EVERY_SECONDS",
    "IntegrityConsumers",
    "Reconciliation",
    "Report",
    "Round",
    "VerificationWorker",
    "Verifier",
]
