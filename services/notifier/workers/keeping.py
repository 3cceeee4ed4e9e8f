"""What the notifier does by the clock beside delivering: replays, history kept for its time only, secrets sealed anew."""

from datetime import timedelta

from libs.common.clock import Clock
from libs.common.db import Database, PartitionedTable
from libs.common.observability.logging import get_logger
from services.notifier import commands
from services.notifier.commands import SecretResealer

log = get_logger("notifier.keeping")

REPLAY_EVERY_SECONDS = 1.0
"""How often replays are looked for."""
KEEP_EVERY_SECONDS = 3_600.0
"""How often replays are looked for that ended long ago."""
_MONTHS_AHEAD = 2
"""Months for which partitions exist ahead of time."""
HISTORY_DAYS_MIN = 30
"""No setting lets history be dropped earlier."""
MEASURED = ("replays", "outbox")
"""Tables without partitions whose size is measured."""
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
    """Keeps what tells of replays for as many days as history."""

    def __init__(self, *, database: Database, clock: Clock, days: int) -> None:
        self._database = database
        self._clock = clock
        self._days = days

    async def run(self) -> None:
        """Forget replays that ended longer ago."""
        before = self._clock.now() - timedelta(days=self._days)
        forgotten = await commands.forget_replays(self._database, before=before)
        if forgotten:
            log.info("replays.forgotten", replays=forgotten, days=self._days)


def history(*, kept_days: int) -> list[PartitionedTable]:
    """List the tables that are kept by month."""
    return [
        PartitionedTable(name=name, ahead=_MONTHS_AHEAD, kept_days=max(kept_days, HISTORY_DAYS_MIN))
        for name in ("messages", "deliveries", "attempts")
    ]


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
