"""What runs on a clock for endpoints: sealing their secrets again when the key changes."""

from libs.common.db import Database
from libs.common.observability.logging import get_logger
from services.notifier.endpoints import commands
from services.notifier.sending import EndpointSecrets

log = get_logger("notifier.endpoints")

RESEAL_EVERY_SECONDS = 3_600.0
"""How often secrets are looked for that an earlier key sealed; the first time when the process starts."""
_NAMED_MAX = 20
"""Endpoints that one line of the log names at most."""


class Resealer:
    """Seals with the current key what an earlier one sealed, so that a rotation of keys comes to its end."""

    def __init__(self, *, database: Database, secrets: EndpointSecrets) -> None:
        self._database = database
        self._secrets = secrets

    async def run(self) -> None:
        """Seal again whatever needs it, and report how many endpoints still need an earlier key."""
        result = await commands.reseal_secrets(self._database, secrets=self._secrets)
        if result.unreadable:
            log.error("secrets.unreadable", endpoint_ids=[str(endpoint) for endpoint in result.unreadable[:_NAMED_MAX]])
        if result.done or result.left:
            log.info("secrets.resealed", endpoints=result.done, left=result.left)
