"""What runs on a clock for statements: reading what is due, and showing how far behind that is."""

from libs.common.service import Worker
from services.gateway.movements.commands import StatementReading

_LOOK_EVERY_SECONDS = 2.0
"""How often lists that are due are looked for."""
_COUNT_EVERY_SECONDS = 15.0
"""How fresh the gauges are; alerts on them wait for minutes anyway."""


def statement_workers(reading: StatementReading) -> list[Worker]:
    """List what is done about statements on our own clock."""

    async def read() -> None:
        while await reading.work():
            pass

    return [
        Worker(name="read statements", every_seconds=_LOOK_EVERY_SECONDS, run=read),
        Worker(name="count statements", every_seconds=_COUNT_EVERY_SECONDS, run=reading.count),
    ]
