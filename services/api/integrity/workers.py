"""What proves on a clock who has changed what: sealing what stood before, verifying what was added, signing where the chains end."""

from pathlib import Path

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.evidence import SigningKeys, StandingSealer
from libs.common.service import Worker
from services.api.integrity.commands.signing import HeadSigner
from services.api.integrity.commands.verification import Verifier
from services.api.settings import ProofSettings

_VERIFY_EVERY_SECONDS = 60.0
_SIGN_EVERY_SECONDS = 60.0
_SEAL_EVERY_SECONDS = 10.0
"""How often rows are sealed that stood in a table before its changes were."""
_SEAL_ROWS_MAX = 500
"""Rows of a table that one round seals, and whose chains it keeps locked."""


def keys_of(settings: ProofSettings) -> SigningKeys:
    """Gather the keys that sign and verify."""
    return SigningKeys(
        private=settings.api_signing_private_key,
        next_private=settings.api_signing_next_private_key,
        public=settings.api_public_keys,
    )


def verifier_of(settings: ProofSettings, database: Database, *, clock: Clock) -> Verifier:
    """Make the verifier."""
    return Verifier(database, clock=clock, keys=keys_of(settings).verifying(), file=_file(settings))


def integrity_workers(settings: ProofSettings, database: Database, *, clock: Clock) -> list[Worker]:
    """List what seals what stood before, verifies what was added, and signs; without a key nothing is signed."""
    sealer, verifier = StandingSealer(database, rows_max=_SEAL_ROWS_MAX), verifier_of(settings, database, clock=clock)
    found = [
        Worker(name="seal what stood before", every_seconds=_SEAL_EVERY_SECONDS, run=sealer.run, is_due_at_start=True),
        Worker(name="verify changes", every_seconds=_VERIFY_EVERY_SECONDS, run=verifier.go_on),
    ]
    if keys := keys_of(settings).signing():
        signer = HeadSigner(database, clock=clock, keys=keys, file=_file(settings))
        found.append(Worker(name="sign the heads", every_seconds=_SIGN_EVERY_SECONDS, run=signer.sign))
    return found


def _file(settings: ProofSettings) -> Path | None:
    return Path(settings.api_heads_file) if settings.api_heads_file else None
