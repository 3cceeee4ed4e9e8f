"""What runs on a clock for holds: letting those go whose time is over, and forgetting those that ended long ago."""

from functools import partial

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.service import Worker
from services.ledger import metrics
from services.ledger.holds import sql
from services.ledger.holds.commands import EXPIRIES_MAX, HoldCommands
from services.ledger.retention import forget_older

_EXPIRE_EVERY_SECONDS = 0.5
"""A hold is let go at most about this much after its time; what has expired cannot be captured in any case."""
_FORGET_EVERY_SECONDS = 3_600.0
"""How often holds are looked for that ended long ago."""


def hold_workers(database: Database, holds: HoldCommands, *, clock: Clock, kept_days: int) -> list[Worker]:
    """List what is done about holds on our own clock; with 0 days none is forgotten."""
    found = [Worker(name="expire holds", every_seconds=_EXPIRE_EVERY_SECONDS, run=partial(_expire, holds))]
    if kept_days > 0:
        forget = partial(forget_older, database, sql.forget_holds, clock=clock, kept_days=kept_days)
        found.append(Worker(name="forget holds", every_seconds=_FORGET_EVERY_SECONDS, run=forget))
    return found


async def _expire(holds: HoldCommands) -> None:
    """Let all of them go whose time is over."""
    while True:
        due = await holds.expire()
        metrics.HOLDS_EXPIRED.inc(due)
        if due < EXPIRIES_MAX:
            return
