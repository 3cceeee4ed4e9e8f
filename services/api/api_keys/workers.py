"""What runs on a clock for API keys: noting when each was used last."""

from libs.common.service import Worker
from services.api.api_keys.verifying import KeyVerifier

_NOTE_EVERY_SECONDS = 60.0
"""How often it is written when keys were used; what was used since is lost where a process is killed."""


def api_key_workers(keys: KeyVerifier) -> list[Worker]:
    """List what is done about API keys on our own clock."""
    return [Worker(name="note uses of keys", every_seconds=_NOTE_EVERY_SECONDS, run=keys.note_uses)]
