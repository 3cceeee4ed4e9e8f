"""Waiting for groups that began before something changed: nobody who posts waits for whoever changes it.

What a group goes by (closed periods, the policy) it reads after it has taken a shared lock, which it holds until it ends and
which nobody takes alone. Whoever has committed a change waits until those that held the lock by then have gone.
"""

import asyncio
from time import monotonic

from libs.common.db import Connection
from services.ledger.posting.sql.groups import groups_in_progress

WAIT_SECONDS = 1.0
"""How long they are waited for; one that hangs does not hold anybody up for longer."""

_LOOK_SECONDS = 0.01
"""How often it is looked whether they have ended."""


async def earlier_groups_ended(connection: Connection) -> bool:
    """Wait until all groups have ended that are being posted now; False where one takes too long."""
    groups = await groups_in_progress(connection)
    deadline = monotonic() + WAIT_SECONDS
    while groups:
        if monotonic() >= deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
        groups &= await groups_in_progress(connection)
    return True
