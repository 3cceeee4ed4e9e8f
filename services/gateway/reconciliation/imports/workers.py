"""What runs on a clock for imports: files are read, and what is over is cleared away."""

from datetime import timedelta

from libs.common.service import Worker
from services.gateway.reconciliation.imports.commands import Reader
from services.gateway.settings import ImportSettings

_READ_EVERY_SECONDS = 1.0
"""How soon a file that has come is read."""
_TIDY_EVERY_SECONDS = 600.0
"""How often what is over is looked for."""


def import_workers(reader: Reader, *, settings: ImportSettings) -> list[Worker]:
    """List what is done about files on our own clock."""

    async def read() -> None:
        while await reader.work():
            pass

    async def tidy() -> None:
        await reader.tidy(
            abandon_after=timedelta(hours=settings.import_abandon_hours),
            retention=timedelta(days=settings.statement_line_retention_days),
        )

    return [
        Worker(name="read files", every_seconds=_READ_EVERY_SECONDS, run=read),
        Worker(name="tidy files", every_seconds=_TIDY_EVERY_SECONDS, run=tidy),
    ]
