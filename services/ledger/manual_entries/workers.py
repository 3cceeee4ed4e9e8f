"""What runs on a clock for manual entries: forgetting replies that were kept under their key for long."""

from functools import partial

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.service import Worker
from services.ledger.manual_entries.sql import manual
from services.ledger.retention import forget_older

_FORGET_EVERY_SECONDS = 3_600.0
"""How often replies are looked for that are old enough."""


def manual_entry_workers(database: Database, *, clock: Clock, kept_days: int) -> list[Worker]:
    """List what is done about manual entries on our own clock; with 0 days nothing is."""
    if not kept_days:
        return []
    forget = partial(forget_older, database, manual.forget_requests, clock=clock, kept_days=kept_days)
    return [Worker(name="forget journal_requests", every_seconds=_FORGET_EVERY_SECONDS, run=forget)]
