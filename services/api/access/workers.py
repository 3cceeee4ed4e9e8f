"""Keys that are in files are read again while the process runs."""

import asyncio
from collections.abc import Callable
from functools import partial

from libs.common.observability.logging import get_logger
from libs.common.service import Worker
from libs.common.settings import SettingsError
from services.api import metrics
from services.api.access.keys import HS256
from services.api.access.tokens import Tokens
from services.api.settings import AuthSettings

log = get_logger("api.keys")

READ_EVERY_SECONDS = 10.0
"""How often keys that are in files are read again."""


def access_workers(tokens: Tokens, read: Callable[[], AuthSettings] | None, *, every_seconds: float) -> list[Worker]:
    """List what is done about the keys of tokens on our own clock; without `read` they are in no files."""
    if read is None:
        return []
    return [Worker(name="read keys again", every_seconds=every_seconds, run=partial(read_again, tokens, read))]


async def read_again(tokens: Tokens, read: Callable[[], AuthSettings]) -> None:
    """Take keys into use that have changed in their files; what cannot be used is logged, and the current keys stay."""
    try:
        settings = await asyncio.to_thread(read)
        if tokens.signs_with != HS256 and not settings.jwt_private_key:
            # A file that is being written is empty for a moment; to sign with the secret again takes a restart.
            raise SettingsError(["JWT_PRIVATE_KEY has become empty"])
    except SettingsError as fault:
        metrics.KEY_READINGS.labels("unusable").inc()
        log.error("keys.unusable", faults=fault.faults)
        return
    if tokens.use(settings):
        metrics.KEY_READINGS.labels("changed").inc()
        log.info("keys.changed", signs=tokens.signs_with, published=tokens.published)
