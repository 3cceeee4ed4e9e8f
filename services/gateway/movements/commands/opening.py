"""Booking what stood on an account already when it was added: once, at a point at which balance and movements agree.

The processor shows a balance, and movements, but never both of one instant. So the movements are read to their end, then the
balance, then the movements again: where nothing came in between, and nothing became available, they are of one instant.
Otherwise nothing is booked, and it is tried again with the next round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.messaging import publish
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.errors import ProcessorUnavailable
from services.gateway.movements import schemas
from services.gateway.movements.commands.recording import StatementRecording
from services.gateway.movements.domain import DEEP_MAX, Booked, Standing, StatementAccount, openings
from services.gateway.movements.sql import balances
from services.gateway.movements.sql import openings as sql
from services.gateway.processors.port.reading import Held, StatementMovement, StatementReader

log = get_logger("gateway.opening")

_PAGES_MAX = 500
"""Pages that are read before and after the balance: 50,000 movements; where there are more, it is tried later."""
_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Before a page that could not be read is read again: one that fails must not have all those before it read anew."""

type Renew = Callable[[], Awaitable[None]]
"""Keeps a list that is being read."""
type Name = Callable[[Sequence[StatementMovement]], Awaitable[Sequence[StatementMovement]]]
"""Names the payments of movements that only the processor knows."""


class _NotTheSame(Exception):
    """Something came between: nothing is written."""


class AccountOpening:
    """Books opening balances."""

    def __init__(self, database: Database, recording: StatementRecording, *, clock: Clock) -> None:
        self._database = database
        self._recording = recording
        self._clock = clock

    async def attempt(self, reader: StatementReader, account: StatementAccount, *, renew: Renew, named: Name) -> None:
        """Try once; `renew` keeps the list before each call, `named` finds the payments that only the processor knows. What
        goes wrong at the processor only postpones it."""
        try:
            outcome = await self._attempt(reader, account, renew, named)
        except ProcessorUnavailable as fault:
            outcome = "unreadable"
            log.warning("opening.not_read", account=account.account_id, reason=fault.detail)
        metrics.OPENINGS.labels(outcome).inc()

    async def count(self) -> None:
        """Show how many accounts wait."""
        metrics.OPENINGS_DUE.set(await sql.due(self._database))

    async def _attempt(self, reader: StatementReader, account: StatementAccount, renew: Renew, named: Name) -> str:
        if not await self._caught_up(reader, account, renew, named):
            return "busy"
        before = await sql.standing(self._database, account)
        held = await _read(reader.balance, renew=renew)
        if not await self._caught_up(reader, account, renew, named):
            return "busy"
        try:
            return "opened" if await self._open(account, held, before) else "opened_before"
        except _NotTheSame:
            return "busy"

    async def _caught_up(self, reader: StatementReader, account: StatementAccount, renew: Renew, named: Name) -> bool:
        """Read whatever may be new or changed; returns False where that is too much, or cannot all be understood."""
        since = await sql.unsettled_since(self._database, account, now=self._clock.now())
        cursor = ""
        for _ in range(_PAGES_MAX):
            page = await _read(
                partial(reader.movements, since=since or account.known_at - DEEP_MAX, cursor=cursor), renew=renew
            )
            if page.unreadable:
                return False
            await self._recording.movements(account, await named(page.items))
            cursor = page.next_cursor
            if not cursor:
                return True
        return False

    async def _open(self, account: StatementAccount, held: Mapping[str, Held], before: Sequence[Standing]) -> bool:
        now = self._clock.now()
        opened = openings(account, held, before, at=now)
        async with self._database.transaction() as tx:
            if not await sql.open_account(tx, account, at=now):
                return False
            await sql.mark_pending(tx, account, at=now)
            if await sql.standing(tx, account) != [*before]:
                raise _NotTheSame
            await sql.add(tx, account, opened, at=now)
            await publish(
                tx,
                [
                    publication
                    for opening in opened
                    for publication in schemas.opened(
                        opening, tenant_id=account.tenant_id, account_id=account.account_id, at=now
                    )
                ],
            )
            await balances.add_up(
                tx,
                account,
                [
                    Booked(
                        currency=opening.currency,
                        total_minor=opening.pending_minor + opening.available_minor,
                        available_minor=opening.available_minor,
                    )
                    for opening in opened
                ],
            )
        for opening in opened:
            log.info(
                "opening.booked",
                tenant_id=account.tenant_id,
                account=account.account_id,
                currency=opening.currency,
                pending_minor=opening.pending_minor,
                available_minor=opening.available_minor,
            )
        return True


async def _read[T](read: Callable[[], Awaitable[T]], *, renew: Renew) -> T:
    """Read something at the processor, some times where it fails; the list is kept meanwhile.

    Raises:
        ProcessorUnavailable: when it cannot be had in the end.
    """
    for pause in _PAUSES_SECONDS:
        await renew()
        try:
            return await read()
        except ProcessorUnavailable:
            await asyncio.sleep(pause)
    await renew()
    return await read()
