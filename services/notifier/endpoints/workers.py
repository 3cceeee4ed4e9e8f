"""What runs on a clock for endpoints: sealing their secrets again when the key changes, and counting them by health."""

from functools import partial

from libs.common.db import Database
from libs.common.observability.logging import get_logger
from libs.common.service import Worker
from services.notifier import metrics
from services.notifier.endpoints import commands, sql
from services.notifier.sending import EndpointSecrets

log = get_logger("notifier.endpoints")

_RESEAL_EVERY_SECONDS = 3_600.0
"""How often secrets are looked for that an earlier key sealed; the first time when the process starts."""
_COUNT_EVERY_SECONDS = 15.0
"""How fresh the gauges of endpoints are."""
STATES = ("healthy", "failing", "paused", "disabled")
"""Every state of an endpoint, so that a gauge falls back to 0."""
_NAMED_MAX = 20
"""Endpoints that one line of the log names at most."""


def endpoint_workers(database: Database, *, secrets: EndpointSecrets) -> list[Worker]:
    """List what is done about endpoints on our own clock."""
    resealer = Resealer(database=database, secrets=secrets)
    return [
        Worker(name="resealer", every_seconds=_RESEAL_EVERY_SECONDS, run=resealer.run, is_due_at_start=True),
        Worker(name="count endpoints", every_seconds=_COUNT_EVERY_SECONDS, run=partial(_show_health, database)),
    ]


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


async def _show_health(database: Database) -> None:
    """Show how many endpoints are healthy, failing, paused and disabled."""
    async with database.connection() as connection:
        found = await sql.health(connection)
    for state in STATES:
        metrics.ENDPOINTS.labels(state).set(found.get(state, 0))
