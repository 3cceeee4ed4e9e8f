"""What runs on a clock for the proof of the books: recomputing what was added, in a process of its own, comparing, sealing, signing."""

from collections.abc import Awaitable, Callable

from libs.common.db import Database
from libs.common.evidence import StandingSealer
from libs.common.service import Worker
from services.ledger.integrity.commands.reconciliation import Reconciliation
from services.ledger.integrity.commands.signing import HeadSigner
from services.ledger.integrity.workers.verification import VerificationWorker

_VERIFY_EVERY_SECONDS = 60.0
COMPARE_EVERY_SECONDS = 10.0
"""With `AGREE_WITHIN` below a minute."""
_SIGN_EVERY_SECONDS = 60.0
_SEAL_EVERY_SECONDS = 10.0
"""How often rows are sealed that stood in a table before its changes were."""
_SEAL_ROWS_MAX = 2_000
"""Rows of a table that one round seals."""

__all__ = ["COMPARE_EVERY_SECONDS", "VerificationWorker", "integrity_workers"]


def integrity_workers(
    database: Database,
    *,
    verify_added: Callable[[], Awaitable[object]],
    reconciliation: Reconciliation,
    signer: HeadSigner | None,
) -> list[Worker]:
    """List what is done on our own clock; without a signer nothing is signed."""
    sealer = StandingSealer(database, rows_max=_SEAL_ROWS_MAX)
    found = [
        Worker(name="verify the books", every_seconds=_VERIFY_EVERY_SECONDS, run=verify_added),
        Worker(
            name="compare intents with entries",
            every_seconds=COMPARE_EVERY_SECONDS,
            run=reconciliation.compare,
            # The first round remembers where the books end: what is posted from then on is compared.
            is_due_at_start=True,
        ),
        Worker(name="seal what stood before", every_seconds=_SEAL_EVERY_SECONDS, run=sealer.run, is_due_at_start=True),
    ]
    if signer is not None:
        found.append(Worker(name="sign the heads", every_seconds=_SIGN_EVERY_SECONDS, run=signer.sign))
    return found
