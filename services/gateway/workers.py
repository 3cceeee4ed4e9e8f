"""What we do unasked: find out lost outcomes, and count those that nobody knows."""

from libs.common.service import Worker
from services.gateway import metrics
from services.gateway.commands import Commands
from services.gateway.queries import Queries

_COUNT_EVERY_SECONDS = 10.0
"""How fresh the gauges of open outcomes are; alerts on them wait for minutes anyway."""


def workers(commands: Commands, queries: Queries, *, every_seconds: float, batch_max: int) -> list[Worker]:
    """List what is done on our own clock."""

    async def resolve() -> None:
        while await commands.resolve_due(limit=batch_max) == batch_max:
            pass

    async def count() -> None:
        found = await queries.open_outcomes()
        metrics.UNKNOWN_OUTCOMES.set(found.unknown)
        metrics.OVERDUE_OUTCOMES.set(found.overdue)

    return [
        Worker(name="resolve outcomes", every_seconds=every_seconds, run=resolve),
        Worker(name="count open outcomes", every_seconds=_COUNT_EVERY_SECONDS, run=count),
    ]
