"""What each side has for one step of a run: read with no transaction open, in the order of ids, as far as all of them were read."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

import msgspec

from libs.common.contracts.api_facts import PaymentFact
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import ENTRIES_MAX, ENTRY_EXPECTED_MAX, EntryFact
from libs.common.db import Database
from libs.common.ids import time_of_id
from services.gateway.processors.port.reading import has_statement
from services.gateway.reconciliation.matching import Look, Looked, Matching
from services.gateway.reconciliation.matching import Patience as MatchingPatience
from services.gateway.reconciliation.periods import Closing, closings
from services.gateway.reconciliation.reports import Books, BookSources
from services.gateway.reconciliation.runs import sql
from services.gateway.reconciliation.runs.commands.posted import LISTED_MAX, Alone, Listed, PostedReading
from services.gateway.reconciliation.runs.domain import (
    AtOnce,
    Match,
    MovementFact,
    PaymentGroup,
    PayoutFact,
    Unreported,
    agreeing,
    entry_of,
)
from services.gateway.reconciliation.runs.domain.run import Phase, Run
from services.gateway.reconciliation.runs.sources import Sources, parted_in

_STEP_MAX = 500
"""Payments, movements or payouts of one step that are compared one by one."""
_AT_ONCE_MAX = 2_000
"""Payments of one step that are compared at once."""
_ENTRIES_AT_ONCE_MAX = ENTRIES_MAX
"""Their entries, of which most payments have two: a ledger of before lists existed refuses more, as items and as columns."""
_ROWS_MAX = 5_000
"""Movements of one step: what is more is left to the next one."""
_STATEMENT_MAX = timedelta(days=3)
"""A statement that could not be read for longer delays nothing any more."""
_OF_MOVEMENTS = (EntryKind.MOVEMENT, EntryKind.MOVEMENT_EXCHANGED, EntryKind.AVAILABLE)
_OF_PAYOUTS = (EntryKind.PAYOUT_PAID, EntryKind.PAYOUT_DEBITED)
_FIRST = UUID(int=0)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What was read for one step."""

    cursor: str | None
    """From where the next one goes on; None: the phase is over."""
    at_once: AtOnce | None = None
    """Payments of a range that agree; the others are in `groups`."""
    groups: Sequence[PaymentGroup] = ()
    movements: Sequence[MovementFact] = ()
    payouts: Sequence[PayoutFact] = ()
    entries: Mapping[UUID, EntryFact] = {}
    posted: str = ""
    """Payments that are to be compared later: ids that are separated by commas."""
    alone: Alone | None = None
    """Entries of no payment that nothing known has led to."""
    books: Books | None = None
    """What the books have at the end of the window, for the report."""
    closings: Sequence[Closing] = ()
    """The tenant's closed months."""
    unreported: Mapping[UUID, Unreported] = {}
    """Movements that the processor's reports should have and do not, by our ids of them."""
    looked: Looked | None = None
    """What was found about lines of statements and arrivals of payouts."""


def moved_in(step: Step) -> Iterable[MovementFact]:
    """Return every movement that was read for a step."""
    yield from step.movements
    for group in step.groups:
        yield from group.movements


class StepReading:
    """Reads what the sides have."""

    def __init__(
        self,
        database: Database,
        sources: Sources,
        books: BookSources,
        *,
        matching: Matching,
        patience: MatchingPatience,
    ) -> None:
        self._database = database
        self._sources = sources
        self._books = books
        self._matching = matching
        self._patience = patience
        self._posted = PostedReading(database, sources)
        self._older: Listed | None = None
        """Those of the run that goes on, as far as they are listed."""

    async def read(self, run: Run) -> Step:
        """Read the step that a run is at."""
        step = await self._read(run)
        return msgspec.structs.replace(
            step,
            closings=await closings(self._database, run.tenant_id),
            unreported=await sql.missing_in_reports(self._database, run.tenant_id, [*moved_in(step)]),
        )

    async def _read(self, run: Run) -> Step:
        match run.phase:
            case Phase.PAYMENTS:
                return await self._read_range(run)
            case Phase.POSTED:
                posted = await self._posted.payments(run)
                return Step(cursor=posted.cursor, posted=posted.payments)
            case Phase.OLDER:
                return await self._read_older(run)
            case Phase.MOVEMENTS:
                moved = await sql.loose_movements(
                    self._database,
                    run,
                    after=UUID(run.cursor) if run.cursor else _FIRST,
                    also=[each.id for each in await self._reversed_movements(run) if each.payment_intent_id is None],
                    limit=_STEP_MAX,
                )
                cursor = str(moved[-1].movement_id) if len(moved) == _STEP_MAX else None
                ids = [entry_of(m.movement_id, k) for m in moved for k in _OF_MOVEMENTS if m.is_booked]
                return Step(cursor=cursor, movements=moved, entries=await self._entries(run, ids))
            case Phase.PAYOUTS:
                found = await sql.payouts(
                    self._database,
                    run,
                    after=UUID(run.cursor) if run.cursor else _FIRST,
                    also=await self._reversed_alone(run),
                    limit=_STEP_MAX,
                )
                cursor = str(found[-1].payout_id) if len(found) == _STEP_MAX else None
                ids = [entry_of(p.payout_id, k) for p in found for k in _OF_PAYOUTS]
                return Step(cursor=cursor, payouts=found, entries=await self._entries(run, ids))
            case Phase.BOOKS:
                alone = await self._posted.alone(run)
                return Step(cursor=alone.cursor, alone=alone)
            case Phase.LINES:
                looked = await self._matching.lines(self.look(run), run.cursor)
                return Step(cursor=looked.cursor, looked=looked)
            case Phase.ARRIVALS:
                looked = await self._matching.arrivals(self.look(run), run.cursor)
                return Step(cursor=looked.cursor, looked=looked)
            case Phase.REPORT:
                return Step(cursor=None, books=await self._books.read(run.tenant_id, until=run.window_until))
            case _:
                assert_never(run.phase)

    def look(self, run: Run) -> Look:
        """Return what matching looks at in a run."""
        return Look(
            tenant_id=run.tenant_id,
            run_id=run.id,
            is_dry=run.is_dry,
            window_from=run.window_from,
            window_until=run.window_until,
            patience=msgspec.structs.replace(self._patience, now=run.started_at),
        )

    async def _read_range(self, run: Run) -> Step:
        """Compare the next range of payments at once, and read those that are left from each side."""
        after = UUID(run.cursor) if run.cursor else UUID(int=run.first_payment.int - 1)
        end = UUID(int=run.end_of_payments.int - 1)
        tenant_id = run.tenant_id
        payments = await self._sources.payment_columns(tenant_id, after=after, until=end, limit=_AT_ONCE_MAX)
        reach = payments.next_after or end
        expected = await sql.expected_entries(
            self._database, tenant_id, after=after, until=reach, limit=ENTRY_EXPECTED_MAX
        )
        entries = await self._sources.entry_columns(
            tenant_id, after=after, until=reach, expected=expected, limit=_ENTRIES_AT_ONCE_MAX
        )
        if payments.columns is None or entries.columns is None:
            return await self._read_each(run, after, end)
        until = entries.next_after or reach
        unreported: Sequence[UUID] = ()
        if await sql.is_reported(self._database, tenant_id):
            unreported = await sql.unreported_payments(self._database, tenant_id, after=after, until=until)
        at_once = await sql.compare_at_once(
            self._database,
            run,
            after=after,
            until=until,
            paid=payments.columns,
            booked=entries.columns,
            unreported=unreported,
            since=run.started_at - sql.SEEN_AGAIN_AFTER,
            left_max=_STEP_MAX,
        )
        return Step(
            cursor=str(at_once.until) if at_once.until < end else None,
            at_once=at_once,
            groups=await self._groups_of(run, at_once.left) if at_once.left else (),
        )

    async def _read_each(self, run: Run, after: UUID, end: UUID) -> Step:
        """Read the next range of payments from each side, as far as all of them have been read."""
        payments = await self._sources.payments(run.tenant_id, after=after, until=end, limit=_STEP_MAX)
        # No further than the payments: the others have several of each.
        reach = payments.next_after or end
        entries, moved = await asyncio.gather(
            self._sources.entries(run.tenant_id, after=after, until=reach),
            sql.movements_of_range(self._database, run.tenant_id, after=after, until=reach, limit=_ROWS_MAX),
        )
        ends = [each for each in (payments.next_after, entries.next_after, moved.next_after) if each is not None]
        until = min(ends, default=end)
        last = until.int
        groups = await self._groups(
            run,
            [each for each in payments.items if each.payment_intent_id.int <= last],
            [each for each in moved.items if each.payment_intent_id and each.payment_intent_id.int <= last],
            [each for each in entries.items if each.payment_intent_id and each.payment_intent_id.int <= last],
            parted=parted_in(entries),
        )
        return Step(cursor=str(until) if ends else None, groups=groups)

    async def _read_older(self, run: Run) -> Step:
        after = UUID(run.cursor) if run.cursor else _FIRST
        since, until = run.window_from, run.window_until
        moved_of, posted, changed, taken_back, movements = await asyncio.gather(
            self._older_payments(run, after, _STEP_MAX),
            sql.posted_payments(self._database, run, after=after, limit=_STEP_MAX),
            self._sources.changed(run.tenant_id, since=since, until=until, after=after, limit=_STEP_MAX),
            self._sources.reversed_payments(run.tenant_id, since=since, until=until, after=after, limit=_STEP_MAX),
            self._reversed_movements(run),
        )
        moved_back = {each.payment_intent_id for each in movements if each.payment_intent_id}
        # The first of all: what is cut off is in the next step.
        known = {*moved_of, *posted, *changed, *taken_back}
        every = sorted({*known, *(each for each in moved_back if each > after)})[:_STEP_MAX]
        cursor = str(every[-1]) if len(every) == _STEP_MAX else None
        # Those of the window were compared before.
        intents = [each for each in every if not run.first_payment <= each < run.end_of_payments]
        return Step(cursor=cursor, groups=await self._groups_of(run, intents) if intents else ())

    async def _older_payments(self, run: Run, after: UUID, limit: int) -> Sequence[UUID]:
        page = None if self._older is None else self._older.page(run, after, limit)
        if page is None:
            found = await sql.older_payments(self._database, run, after=after, limit=LISTED_MAX)
            self._older = Listed(run_id=run.id, after=after, payments=found, is_last=len(found) < LISTED_MAX)
            page = found[:limit]
        return page

    async def _reversed_alone(self, run: Run) -> list[UUID]:
        """Return entries of no payment that were reversed in the window."""
        return await self._sources.reversed_alone(run.tenant_id, since=run.window_from, until=run.window_until)

    async def _reversed_movements(self, run: Run) -> list[sql.Reversed]:
        """Return movements of which such an entry was reversed in the window: each has its entries under ids that follow from its own."""
        # An id that somebody has made up may have a time of which there is none.
        entries = {each for each in await self._reversed_alone(run) if each < run.end_of_payments}
        if not entries:
            return []
        found = await sql.movements_at(self._database, run.tenant_id, {time_of_id(each) for each in entries})
        return [each for each in found if entries & {entry_of(each.movement_id, kind) for kind in _OF_MOVEMENTS}]

    async def _groups_of(self, run: Run, intents: Sequence[UUID]) -> list[PaymentGroup]:
        """Read what the sides have of some payments."""
        payments, (entries, parted), moved = await asyncio.gather(
            self._sources.payments_of(run.tenant_id, intents),
            self._sources.entries_of_payments(run.tenant_id, intents),
            sql.movements_of_payments(self._database, run.tenant_id, intents),
        )
        return await self._groups(run, payments, moved, entries, intents=intents, parted=parted)

    async def _groups(
        self,
        run: Run,
        payments: Sequence[PaymentFact],
        moved: Sequence[MovementFact],
        entries: Sequence[EntryFact],
        *,
        intents: Sequence[UUID] = (),
        parted: Iterable[UUID] = (),
    ) -> list[PaymentGroup]:
        """Put together what the sides have of each payment.

        Numbers of ids are looked up here, which takes a third of the time that ids themselves take, and whose statement is known how
        far is read of those payments alone on which not all agree.
        """
        every = {each.int: each for each in intents}
        known: dict[int, PaymentFact] = {}
        for payment in payments:
            key = payment.payment_intent_id.int
            known[key], every[key] = payment, payment.payment_intent_id
        moved_of: defaultdict[int, list[MovementFact]] = defaultdict(list)
        by_movement: dict[int, tuple[int, UUID]] = {}
        for movement in moved:
            if movement.payment_intent_id is None:
                continue
            key = movement.payment_intent_id.int
            moved_of[key].append(movement)
            every[key] = movement.payment_intent_id
            # That money can be paid out is booked by movement alone, without its payment.
            if movement.is_booked and movement.is_available:
                entry_id = entry_of(movement.movement_id, EntryKind.AVAILABLE)
                by_movement[entry_id.int] = key, entry_id
        entries_of: defaultdict[int, list[EntryFact]] = defaultdict(list)
        for entry in entries:
            if entry.payment_intent_id is not None:
                key = entry.payment_intent_id.int
                entries_of[key].append(entry)
                every[key] = entry.payment_intent_id
        available: defaultdict[int, list[EntryFact]] = defaultdict(list)
        for entry in await self._sources.entries_by_id(
            run.tenant_id, [entry_id for _, entry_id in by_movement.values()]
        ):
            available[by_movement[entry.entry_id.int][0]].append(entry)
        # One with more refunds, disputes or entries than a page has cannot be compared: it is a discrepancy as a whole.
        apart = {each.payment_intent_id.int for each in payments if not each.is_whole} | {each.int for each in parted}
        agreed: dict[int, Match] = {}
        for key in every:
            if key not in apart:
                (also,) = available.get(key, (None,))[:1]
                match = agreeing(known.get(key), moved_of.get(key, ()), entries_of.get(key, ()), also)
                if match is not None:
                    agreed[key] = match
        unclear = [each for key, each in every.items() if key not in agreed]
        witnesses = await sql.witnesses(self._database, run.tenant_id, unclear) if unclear else {}

        def group_of(key: int) -> PaymentGroup:
            intent = every[key]
            if key in apart:
                return PaymentGroup(payment_intent_id=intent, payment=None, statement_until=None, is_whole=False)
            if key in agreed:
                return PaymentGroup(
                    payment_intent_id=intent,
                    payment=known[key],
                    movements=tuple(moved_of[key]),
                    statement_until=None,
                    agreed=agreed[key],
                )
            return PaymentGroup(
                payment_intent_id=intent,
                payment=known.get(key),
                movements=tuple(moved_of.get(key, ())),
                entries={each.entry_id: each for each in (*entries_of.get(key, ()), *available.get(key, ()))},
                statement_until=_known_until(run, intent, witnesses.get(intent)),
            )

        return [group_of(key) for key in sorted(every)]

    async def _entries(self, run: Run, ids: Sequence[UUID]) -> dict[UUID, EntryFact]:
        return {each.entry_id: each for each in await self._sources.entries_by_id(run.tenant_id, ids)}


def _known_until(run: Run, payment_intent_id: UUID, witness: sql.Witness | None) -> datetime | None:
    """Return until when the statement that must have a payment is known; None where there is none for sure.

    Of a payment that we have no attempt of, nothing excuses that it moved nothing.
    """
    if witness is None:
        return run.started_at
    if not has_statement(witness.processor) or witness.complete_until is None or witness.booked_from is None:
        return None
    if time_of_id(payment_intent_id) < witness.booked_from:
        return None
    return max(min(witness.complete_until, run.started_at), run.started_at - _STATEMENT_MAX)
