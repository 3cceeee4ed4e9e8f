"""How the work on a message ends: it waits for the end of an outage, is acknowledged, or is handed back."""

import asyncio
from collections.abc import Awaitable, Callable

from libs.common import outages
from libs.common.messaging.delivery import Incoming
from libs.common.observability.logging import get_logger

log = get_logger("messaging.consumer")

_OUTAGE_PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Pauses while the database is away; the batch stays unacknowledged, so it is nobody's loss if we are killed."""
_HANDED_BACK_SECONDS = 1.0
"""Pause before a message is handed back that met a bug: the broker would deliver it again at once."""


async def acknowledge(message: Incoming) -> None:
    """Tell the broker that a message is done; if the connection is gone it comes again, and the inbox knows it."""
    try:
        await message.ack()
    except Exception as fault:
        if not outages.is_outage(fault):
            raise
        log.warning("message.not_acknowledged", reason=outages.cause_of(fault))


async def hand_back(message: Incoming) -> None:
    """Let the broker deliver a message again, after a moment; so many times, and it makes a dead letter of it."""
    await asyncio.sleep(_HANDED_BACK_SECONDS)
    try:
        await message.hand_back()
    except Exception as fault:
        if not outages.is_outage(fault):
            raise
        log.warning("message.not_handed_back", reason=outages.cause_of(fault))


async def persist[T](
    work: Callable[[], Awaitable[T]], *, queue: str, until: Callable[[Exception], Awaitable[bool]] | None = None
) -> T:
    """Do `work`, however long the database or the broker stays away; its events wait unacknowledged meanwhile.

    `until` is called after each outage; once it returns true, that outage is raised.
    """
    attempt = 0
    while True:
        try:
            return await work()
        except Exception as outage:
            if not outages.is_outage(outage) or (until and await until(outage)):
                raise
            pause = _OUTAGE_PAUSES_SECONDS[min(attempt, len(_OUTAGE_PAUSES_SECONDS) - 1)]
            log.warning("consumer.paused", queue=queue, reason=outages.cause_of(outage), seconds=pause)
            attempt += 1
            await asyncio.sleep(pause)
