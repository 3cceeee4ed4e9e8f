"""Reading statements: one page of a list at a time, under a lease, with no transaction open during a call."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, assert_never

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import Transient
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.movements.commands.comparing import BalanceComparing
from services.gateway.movements.commands.opening import AccountOpening
from services.gateway.movements.commands.recording import StatementRecording
from services.gateway.movements.domain import FAR_BACK, ListKind, Reading, StatementAccount
from services.gateway.movements.sql import readings
from services.gateway.processors.port.reading import StatementMovement, StatementReader
from services.gateway.processors.stripe import NotGenuine

log = get_logger("gateway.statement")

_LEASE = timedelta(seconds=90)
"""How long a list belongs to whoever reads a page of it; renewed before each further call that the page leads to."""
_ENSURE_EVERY = timedelta(seconds=15)
"""How soon an account that was added begins to be read."""
_TOGETHER_MAX = len(ListKind)
"""Lists that one process reads at a time, each of another account or kind: as many as an account has."""
_SELDOM = 5
"""How many times less often refunds and disputes are read: events bring them first, and what moved is in the other lists."""
_PAUSE_MAX = timedelta(minutes=30)
"""The longest pause after pages that could not be had."""
_MATCHED_MAX = 5
"""Payouts whose movements one page of payouts leads to read; the rest follows with the next round."""
_PAYOUT_PAGES_MAX = 100
"""Pages of one payout: 10,000 movements; a larger one is read again after all others, and never matched in silence."""

type ReaderOf = Callable[[str], Awaitable[StatementReader]]
"""Returns who reads the statement of a configuration's account. Raises ProcessorUnavailable when nobody can."""
type KeepEvent = Callable[[StatementAccount, str], Awaitable[None]]
"""Stores an event as if a webhook had brought it; one that is known changes nothing."""


class Adopting(Protocol):
    """Lets captures, refunds and disputes take effect as if their events had come, where our records have them otherwise."""

    async def __call__(
        self, account: StatementAccount, found: Sequence[dict[str, Any]], *, is_dispute: bool, at: datetime
    ) -> int:
        """Compare refunds or disputes; `at`: when they were requested. Returns how many could not be understood."""
        ...

    async def captures(self, account: StatementAccount, moved: Sequence[StatementMovement], *, at: datetime) -> None:
        """Compare the charges among some movements."""
        ...


class _LeaseLost(Exception):
    """Another process reads the list: this one stops, and saves nothing."""


class StatementReading:
    """Reads what is due."""

    def __init__(
        self,
        database: Database,
        recording: StatementRecording,
        *,
        opening: AccountOpening,
        comparing: BalanceComparing,
        reader_of: ReaderOf,
        keep_event: KeepEvent,
        adopt: Adopting,
        every: timedelta,
        clock: Clock,
    ) -> None:
        self._database = database
        self._recording = recording
        self._opening = opening
        self._comparing = comparing
        self._reader_of = reader_of
        self._keep_event = keep_event
        self._adopt = adopt
        self._every = every
        self._clock = clock
        self._ensured_at: datetime | None = None

    async def work(self) -> int:
        """Read one page of each of a few lists that are due; returns how many there were."""
        now = self._clock.now()
        if self._ensured_at is None or now - self._ensured_at >= _ENSURE_EVERY:
            await readings.ensure(self._database, now=now)
            self._ensured_at = now
        due = await readings.claim(self._database, now=now, lease=_LEASE, limit=_TOGETHER_MAX)
        # Not a task group: one list that trips over a bug must not cancel its neighbours.
        results = await asyncio.gather(*(self._one(*claimed) for claimed in due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(due)

    async def count(self) -> None:
        """Show how far behind the statements are."""
        for lag in await readings.lags(self._database, now=self._clock.now()):
            metrics.STATEMENT_LAG.labels(lag.list).set(max(0.0, lag.seconds))
            metrics.STATEMENT_FAILURES.labels(lag.list).set(lag.failures)
        await self._opening.count()
        await self._comparing.count()

    async def _one(self, reading: Reading, account: StatementAccount) -> None:
        now = self._clock.now()
        oldest = None
        if reading.since is None:
            oldest = await readings.oldest_open(self._database, account, reading.list, now=now)
        begun = reading.begun(account, now=now, oldest_pending=oldest)
        try:
            next_cursor, is_whole = await self._page(begun, account)
        except _LeaseLost:
            metrics.STATEMENT_PAGES.labels(reading.list, "left").inc()
            log.warning("statement.lease_lost", account=account.account_id, list=reading.list)
        except Exception as fault:
            metrics.STATEMENT_PAGES.labels(reading.list, "failed").inc()
            await readings.save(
                self._database, begun.failed(now=self._clock.now(), every=self._every, pause_max=_PAUSE_MAX)
            )
            if not isinstance(fault, Transient):
                # A bug of ours: it pauses like any other failure, and is raised for the worker to report.
                raise
            log.warning("statement.not_read", account=account.account_id, list=reading.list, reason=fault.detail)
        else:
            metrics.STATEMENT_PAGES.labels(reading.list, "read").inc()
            read = begun.understood(is_whole=is_whole)
            every = self._every * (_SELDOM if reading.list in FAR_BACK else 1)
            await readings.save(self._database, read.after(next_cursor, now=self._clock.now(), every=every))

    async def _page(self, reading: Reading, account: StatementAccount) -> tuple[str, bool]:
        """Read and record a page; returns from where the next one goes on, and whether all of it could be understood."""
        assert reading.since is not None, "a round is in progress"
        reader = await self._reader_of(account.processor)
        place: dict[str, Any] = {"since": reading.since, "cursor": reading.cursor}
        match reading.list:
            case ListKind.MOVEMENTS:
                at = self._clock.now()
                moved = await reader.movements(**place)
                metrics.STATEMENT_UNREADABLE.labels(reading.list).inc(len(moved.unreadable))
                named = await self._named(reader, reading, account, moved.items)
                await self._recording.movements(account, named)
                await self._adopt.captures(account, named, at=at)
                is_whole = reading.understood(is_whole=not moved.unreadable).is_whole
                # What could not be understood is in the balance: once it can be, it would be booked a second time.
                if account.opening_due and is_whole and not moved.next_cursor:
                    await self._opening.attempt(
                        reader,
                        account,
                        renew=partial(self._renew, reading),
                        named=partial(self._named, reader, reading, account),
                    )
                elif not moved.next_cursor and reading.began_at is not None:
                    await self._renew(reading)
                    try:
                        await self._comparing.attempt(reader, account, began_at=reading.began_at)
                    except Transient:
                        # The page was read: it must not be due again since the comparison took too long.
                        metrics.BALANCE_COMPARISONS.labels("unreadable").inc()
                return moved.next_cursor, is_whole
            case ListKind.PAYOUTS:
                paid_out = await reader.payouts(**place)
                metrics.STATEMENT_UNREADABLE.labels(reading.list).inc(len(paid_out.unreadable))
                await self._recording.payouts(account, paid_out.items)
                if not paid_out.next_cursor:
                    await self._match(reader, reading, account)
                return paid_out.next_cursor, not paid_out.unreadable
            case ListKind.EVENTS:
                events = await reader.undelivered_events(**place)
                for event in events.items:
                    await self._keep(account, event)
                return events.next_cursor, True
            case ListKind.REFUNDS | ListKind.DISPUTES:
                # What is read is at least as new as this instant; an event of a later one counts for more.
                at = self._clock.now()
                is_dispute = reading.list is ListKind.DISPUTES
                page = await (reader.disputes(**place) if is_dispute else reader.refunds(**place))
                unreadable = await self._adopt(account, page.items, is_dispute=is_dispute, at=at)
                metrics.STATEMENT_UNREADABLE.labels(reading.list).inc(unreadable)
                return page.next_cursor, True
            case _:
                assert_never(reading.list)

    async def _named(
        self,
        reader: StatementReader,
        reading: Reading,
        account: StatementAccount,
        moved: Sequence[StatementMovement],
    ) -> Sequence[StatementMovement]:
        """Name the payments that only the processor knows: a dispute shows no id of ours, and our own call's answer was lost."""
        strange = await self._recording.unmatched_payments(account, moved)
        found = {}
        for ref in strange:
            await self._renew(reading)
            found[ref] = await reader.payment_intent_of(ref)
        return [
            msgspec.structs.replace(each, payment_intent_id=found[each.payment_ref])
            if found.get(each.payment_ref) is not None
            else each
            for each in moved
        ]

    async def _match(self, reader: StatementReader, reading: Reading, account: StatementAccount) -> None:
        """Note which movements the payouts consist of that the processor has reconciled."""
        for payout_ref in await self._recording.unmatched(account, limit=_MATCHED_MAX):
            cursor = ""
            for _ in range(_PAYOUT_PAGES_MAX):
                await self._renew(reading)
                page = await reader.movements_of(payout_ref, cursor=cursor)
                await self._recording.part_of(account, payout_ref, page.items)
                cursor = page.next_cursor
                if not cursor:
                    await self._recording.matched(account, payout_ref)
                    break
            else:
                log.error("statement.payout_too_large", account=account.account_id, payout=payout_ref)
                await self._recording.put_last(account, payout_ref)

    async def _renew(self, reading: Reading) -> None:
        """Keep the list before a further call; a page that leads to many of them may take longer than a lease.

        Raises:
            _LeaseLost: when another process has claimed it since.
        """
        if not await readings.renew(self._database, reading, now=self._clock.now(), lease=_LEASE):
            raise _LeaseLost

    async def _keep(self, account: StatementAccount, event: dict[str, Any]) -> None:
        try:
            await self._keep_event(account, msgspec.json.encode(event).decode())
        except NotGenuine as refused:
            metrics.STATEMENT_UNREADABLE.labels(ListKind.EVENTS).inc()
            log.error("statement.event_refused", event_id=str(event.get("id")), reason=refused.reason)
