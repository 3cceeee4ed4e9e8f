"""Expired idempotency keys are forgotten."""

from libs.common.clock import Clock
from libs.common.db import Database
from services.api.idempotency import sql as keys

FORGET_KEYS_EVERY_SECONDS = 60.0
"""How often expired keys are looked for."""


async def forget_expired_keys(database: Database, clock: Clock) -> None:
    """Delete keys whose time is over, a few thousand at a time, until none is left."""
    now = clock.now()
    while await keys.prune(database, now=now):
        pass
