"""What runs on a clock for the proof of the books: recomputing what was added, in a process of its own."""

from services.ledger.integrity.workers.verification import VerificationWorker

VERIFY_EVERY_SECONDS = 60.0
COMPARE_EVERY_SECONDS = 10.0
"""With `AGREE_WITHIN` below a minute."""
SIGN_EVERY_SECONDS = 60.0
SEAL_EVERY_SECONDS = 10.0
"""How often rows are sealed that stood in a table before its changes were."""
SEAL_ROWS_MAX = 2_000
"""Rows of a table that one round seals."""

__all__ = [
    "COMPARE_EVERY_SECONDS",
    "SEAL_EVERY_SECONDS",
    "SEAL_ROWS_MAX",
    "SIGN_EVERY_SECONDS",
    "VERIFY_EVERY_SECONDS",
    "VerificationWorker",
]
