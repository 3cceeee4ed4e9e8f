"""What the api does unasked: forgetting expired idempotency keys."""

from functools import partial

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.service import Worker
from services.api.store import keys

FORGET_KEYS_EVERY_SECONDS = 60.0
"""How often expired keys are looked for."""


def workers(database: Database, *, clock: Clock) -> list[Worker]:
    """Build the api's workers."""
    return [
        Worker(
            name="forget expired keys",
            every_seconds=FORGET_KEYS_EVERY_SECONDS,
            run=partial(forget_expired_keys, database, clock),
        ),
    ]


async def forget_expired_keys(database: Database, clock: Clock) -> None:
    """Delete keys whose time is over, a few thousand at a time, until none is left."""
    now = clock.now()
    while await keys.prune(database, now=now):
        pass
