"""Proof that the books are as they were written, and that they agree with what the api published of payments."""

from services.ledger.integrity.commands.export import export_books
from services.ledger.integrity.commands.reconciliation import AGREE_WITHIN, Reconciliation
from services.ledger.integrity.commands.signing import HeadSigner
from services.ledger.integrity.commands.verification import CONNECTIONS, Report, Round, Verifier
from services.ledger.integrity.consumers import IntegrityConsumers
from services.ledger.integrity.workers import COMPARE_EVERY_SECONDS, VerificationWorker, integrity_workers

__all__ = [
    "AGREE_WITHIN",
    "COMPARE_EVERY_SECONDS",
    "CONNECTIONS",
    "HeadSigner",
    "IntegrityConsumers",
    "Reconciliation",
    "Report",
    "Round",
    "VerificationWorker",
    "Verifier",
    "export_books",
    "integrity_workers",
]
