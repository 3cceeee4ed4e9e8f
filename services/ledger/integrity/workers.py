"""What runs on a clock for the proof of the books: recomputing what was added."""

from services.ledger.integrity.commands.verification import Verifier

VERIFY_EVERY_SECONDS = 60.0
VERIFY_GROUPS_MAX = 2_000
"""Groups of each chain that one round recomputes at most."""
COMPARE_EVERY_SECONDS = 10.0
"""With `AGREE_WITHIN` below a minute."""


class VerificationWorker:
    """Recomputes what was added to the books since the last round."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def run(self) -> None:
        """Recompute one round."""
        await self._verifier.go_on(groups_max=VERIFY_GROUPS_MAX)
