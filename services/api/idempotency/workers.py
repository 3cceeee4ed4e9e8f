"""Expired idempotency keys are forgotten."""

from functools import partial

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.service import Worker
from services.api.idempotency import sql as keys

_FORGET_EVERY_SECONDS = 60.0
"""How often expired keys are looked for."""


def idempotency_workers(database: Database, *, clock: Clock) -> list[Worker]:
    """List what is done about keys on our own clock."""
    forget = partial(forget_expired_keys, database, clock)
    return [Worker(name="forget expired keys", every_seconds=_FORGET_EVERY_SECONDS, run=forget)]


async def forget_expired_keys(database: Database, clock: Clock) -> None:
    """Delete keys whose time is over, a few thousand at a time, until none is left."""
    now = clock.now()
    while await keys.prune(database, now=now):
        pass
