"""What the notifier does by the clock beside delivering: replays, history kept for its time only, secrets sealed anew."""

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.observability.logging import get_logger
from services.notifier import commands
from services.notifier.commands import SecretResealer

log = get_logger("notifier.keeping")

REPLAY_EVERY_SECONDS = 1.0
"""How often replays are looked for."""
KEEP_EVERY_SECONDS = 3_600.0
"""How often partitions are made and dropped."""
RESEAL_EVERY_SECONDS = 3_600.0
"""How often secrets are looked for that an earlier key sealed; the first time when the process starts."""
_NAMED_MAX = 20
"""Endpoints that one line of the log names at most."""


class Replayer:
    """Goes on with replays; any number of processes may, one at each replay."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        """Schedule what replays ask for until nothing is left to schedule."""
        while await commands.advance_replays(self._database, clock=self._clock):
            continue


class Archivist:
    """Keeps messages, deliveries and attempts for as many days as the settings say, by month."""

    def __init__(self, *, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    async def run(self) -> None:
        """Make the partitions of the coming month and drop those that are older."""
        dropped = await commands.keep_history(self._database, days=self._days)
        if dropped:
            log.info("history.dropped", partitions=dropped, days=self._days)


class Resealer:
    """Seals with the current key what an earlier one sealed, so that a rotation of keys comes to its end."""

    def __init__(self, *, database: Database, secrets: SecretResealer) -> None:
        self._database = database
        self._secrets = secrets

    async def run(self) -> None:
        """Seal anew whatever needs it, and say how many endpoints still need an earlier key."""
        result = await commands.reseal_secrets(self._database, secrets=self._secrets)
        if result.unreadable:
            log.error("secrets.unreadable", endpoint_ids=[str(found) for found in result.unreadable[:_NAMED_MAX]])
        if result.done or result.left:
            log.info("secrets.resealed", endpoints=result.done, left=result.left)
