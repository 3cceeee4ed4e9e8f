"""Runs: step by step through a window, each step one transaction with what it finds, from where the last one ended.

What each side has is read first, with no transaction open: our payments from the api and the books from the ledger, by requests;
what moved from our own tables. All of it is in the order of ids, so a step is a range of them, and a run that was killed goes on
with the range that it had begun.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_errors import ReconciliationRunConflict
from libs.common.contracts.gateway_reconciliation import (
    DiscrepanciesFound,
    DiscrepancyType,
    StartReconciliation,
    SubjectKind,
)
from libs.common.db import Connection, Database
from libs.common.errors import Invalid, Transient
from libs.common.ids import first_id
from libs.common.messaging import Publication, publish
from libs.common.observability.correlation import Correlation, correlated, current
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.reconciliation.discrepancies import Observation, Seen, count_unsettled, first_seen, note_seen
from services.gateway.reconciliation.matching import Matching, Written
from services.gateway.reconciliation.matching import Patience as MatchingPatience
from services.gateway.reconciliation.periods import lock
from services.gateway.reconciliation.reports import BookSources, forget_carried, make_report
from services.gateway.reconciliation.runs import sql
from services.gateway.reconciliation.runs.commands.reading import Step, StepReading, moved_in
from services.gateway.reconciliation.runs.commands.schedule import Schedule
from services.gateway.reconciliation.runs.domain import (
    Compared,
    Difference,
    Patience,
    compare_entries,
    compare_movement,
    compare_payment,
    compare_payout,
    compared,
    late,
    named_by_month,
    unreported,
)
from services.gateway.reconciliation.runs.domain.run import (
    ONE_BY_ONE,
    OPEN_MAX,
    SAMPLE_MAX,
    WINDOW_MAX,
    Phase,
    Progress,
    Run,
    begun,
    scheduled,
    slot_of,
)
from services.gateway.reconciliation.runs.sources import Sources

log = get_logger("gateway.reconciliation")

_LEASE = timedelta(minutes=3)
"""How long a run belongs to the process that goes on with it, renewed with every step: longer than all requests of one may take."""
_TURN_STEPS = 100
"""After so many steps of a run another tenant's run is next, where one is due: some 200,000 payments, and less than a minute."""
_FORGET_BATCH = 1_000
"""Rows of each kind that are deleted in one statement."""
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Ids are in the order of their time from 1970 on; nothing to compare is that old."""


class _LeaseLost(Exception):
    """Another process goes on with the run."""


class Reconciling:
    """Makes runs, and carries them out."""

    def __init__(
        self,
        database: Database,
        sources: Sources,
        books: BookSources,
        *,
        matching: Matching,
        schedule: Schedule,
        clock: Clock,
    ) -> None:
        self._database = database
        self._matching = matching
        patience = MatchingPatience(
            now=_EARLIEST, quiet=schedule.quiet, timing=schedule.timing, arrival=schedule.arrival
        )
        self._reading = StepReading(database, sources, books, matching=matching, patience=patience)
        self._schedule = schedule
        self._clock = clock
        self._made: datetime | None = None
        """The time of the schedule whose runs were made."""

    async def start(self, request: StartReconciliation) -> Run:
        """Make the run that somebody requests; the same request again is the same run.

        Raises:
            Invalid: when the window is empty, too long, or not over.
            ReconciliationRunConflict: when another run has its id, or too many of the tenant are not over.
        """
        now = self._clock.now()
        if request.window_from < _EARLIEST:
            raise Invalid(f"the window must not begin before {_EARLIEST:%Y}")
        if request.window_from >= request.window_until:
            raise Invalid("the window must end after it begins")
        if request.window_until - request.window_from > WINDOW_MAX:
            raise Invalid(f"the window must not be longer than {WINDOW_MAX.days} days")
        if request.window_until > now:
            raise Invalid("the window must not end in the future")
        wished = begun(
            tenant_id=request.tenant_id,
            run_id=request.run_id,
            window_from=request.window_from,
            window_until=request.window_until,
            is_dry=request.is_dry,
            requested_by=request.requested_by,
            at=now,
        )
        found = await sql.get(self._database, request.tenant_id, request.run_id)
        if found is None:
            if await sql.count_open(self._database, request.tenant_id) >= OPEN_MAX:
                raise ReconciliationRunConflict(f"{OPEN_MAX} runs go on already; wait until one is over")
            found = await sql.add(self._database, wished)
        if not found.is_same_request_as(wished):
            raise ReconciliationRunConflict(f"the run {request.run_id} compares another window")
        return found

    async def make_due(self) -> None:
        """Make the runs of the schedule, one for each tenant that has something to compare."""
        schedule, now = self._schedule, self._clock.now()
        if not schedule.every:
            return
        slot = slot_of(now, every=schedule.every)
        if slot == self._made:
            return
        midnight = slot.replace(hour=0, minute=0, second=0, microsecond=0)
        for tenant_id in await sql.tenants(self._database):
            is_made, goes_on = await sql.scheduled_since(self._database, tenant_id, first_id(midnight))
            # Behind one that is not over yet, more of them would only pile up.
            if not goes_on:
                window = schedule.window if is_made else max(schedule.deep, schedule.window)
                await sql.add(self._database, scheduled(tenant_id, slot, window=window, at=now))
        self._made = slot

    async def work(self) -> None:
        """Go on with what is due until nothing is."""
        while (run := await sql.claim(self._database, now=self._clock.now(), lease=_LEASE)) is not None:
            with correlated(Correlation(correlation_id=current().correlation_id, tenant_id=run.tenant_id)):
                await self._go_on(run)

    async def forget(self) -> None:
        """Delete what is older than it is kept, in batches."""
        before = self._clock.now() - self._schedule.kept
        while await sql.forget(self._database, before=before, limit=_FORGET_BATCH) == _FORGET_BATCH:
            pass
        while await sql.forget_posted(self._database, limit=_FORGET_BATCH) == _FORGET_BATCH:
            pass
        await forget_carried(self._database, before=self._clock.now() - self._schedule.carried)

    async def count(self) -> None:
        """Show what goes on, and what is unsettled."""
        now = self._clock.now()
        number, seconds = await sql.running(self._database, now=now)
        metrics.RECONCILIATION_RUNNING.set(number)
        metrics.RECONCILIATION_RUN_SECONDS.set(seconds)
        counts = await count_unsettled(self._database)
        for kind in DiscrepancyType:
            found, oldest = counts.get(kind, (0, now))
            metrics.DISCREPANCIES_UNSETTLED.labels(kind).set(found)
            metrics.DISCREPANCIES_OLDEST.labels(kind).set(max(0.0, (now - oldest).total_seconds()))

    async def _go_on(self, run: Run) -> None:
        """Carry out steps until the run is over; what is read next is read while the last step is written."""
        try:
            reading = asyncio.create_task(self._reading.read(run))
            try:
                for number in count(1):
                    step = await reading
                    is_last = number == _TURN_STEPS
                    after = run.after(step.cursor, run.counted, at=self._clock.now(), lease=_LEASE)
                    is_ahead = after.next_at is not None and not ONE_BY_ONE & {run.phase, after.phase} and not is_last
                    if is_ahead:
                        reading = asyncio.create_task(self._reading.read(after))
                    run = await self._write(run, step, is_last=is_last)
                    if run.next_at is None or is_last:
                        break
                    if not is_ahead:
                        reading = asyncio.create_task(self._reading.read(run))
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        except _LeaseLost:
            log.warning("reconciliation.lease_lost", run=str(run.id), tenant_id=run.tenant_id)
            return
        except Exception as fault:
            reason = fault.detail if isinstance(fault, Transient) else type(fault).__name__
            failed = run.failed(reason, at=self._clock.now())
            async with self._database.transaction() as tx:
                now = self._clock.now()
                if await sql.save(tx, failed, busy_until=now) and failed.next_at is None and failed.counted.new:
                    await publish(tx, [_announcement(failed, failed.counted, at=self._clock.now())])
            metrics.RECONCILIATION_RUNS.labels("abandoned" if failed.next_at is None else "interrupted").inc()
            log.warning("reconciliation.interrupted", run=str(run.id), tenant_id=run.tenant_id, reason=reason)
            if not isinstance(fault, Transient):
                # A bug of ours: the run pauses as for any other failure, and it is raised for the worker to report.
                raise
            return
        if run.next_at is not None:
            return
        metrics.RECONCILIATION_RUNS.labels("complete").inc()
        log.info("reconciliation.complete", run=str(run.id), tenant_id=run.tenant_id, found=run.counted.found)

    async def _write(self, run: Run, step: Step, *, is_last: bool) -> Run:
        """Compare what was read, and write down what came of it together with how far the run is; after the last step of a turn it is due
        at once, for whoever takes it.

        Raises:
            _LeaseLost: when another process goes on with it.
        """
        compared = self._compare(run, step)
        now = self._clock.now()
        in_window = [moved for moved in moved_in(step) if run.window_from <= moved.created_at < run.window_until]
        agreeing = {each.movement_id for one in compared for each in one.matches}
        progress = (
            run.counted.with_movements(in_window)
            .with_matched(moved for moved in moved_in(step) if moved.movement_id in agreeing)
            .with_found(each.type for one in compared for each in one.differences if each.type is not None)
        )
        progress = msgspec.structs.replace(
            progress,
            payments=progress.payments + sum(group.payment is not None for group in step.groups),
        )
        if step.at_once is not None:
            progress = progress.with_agreed(step.at_once)
        progress = progress.with_early([each.since for one in compared for each in one.early])
        observed = [_observed(run.tenant_id, each, step) for one in compared for each in one.differences]
        written: Written | None = None
        if run.is_dry:
            if step.looked is not None:
                written = self._matching.unwritten(self._reading.look(run), step.looked)
                observed += _counted(run, written)
                progress = _with_lines(progress, run, step, written)
            room = SAMPLE_MAX - len(progress.sample)
            shown = tuple(first_seen(each, tenant_id=run.tenant_id, at=now) for each in observed[: max(room, 0)])
            progress = msgspec.structs.replace(progress, sample=(*progress.sample, *shown))
        async with self._database.transaction() as tx:
            if not run.is_dry:
                await lock(tx, run.tenant_id)
                if step.looked is not None:
                    written = await self._matching.write(tx, self._reading.look(run), step.looked, at=now)
                    observed += written.observed
                    progress = _with_lines(progress, run, step, written)
                seen = await self._note(tx, run, step, compared, observed, written=written, at=now)
                progress = msgspec.structs.replace(
                    progress,
                    new=progress.new + len(seen.new),
                    new_types=tuple(sorted({*progress.new_types, *(each.value for each in seen.new)})),
                    agreed=progress.agreed + seen.agreed,
                )
            after = run.after(step.cursor, progress, at=now, lease=_LEASE)
            if is_last and after.next_at is not None:
                after = msgspec.structs.replace(after, next_at=now)
            if not await sql.save(tx, after, busy_until=after.next_at or now):
                raise _LeaseLost
            if step.posted:
                await sql.keep_posted(tx, run, step.posted)
            if run.phase is Phase.OLDER:
                await sql.compared_posted(tx, run, until=None if step.cursor is None else UUID(step.cursor))
            if step.books is not None:
                report = await make_report(
                    tx,
                    run.tenant_id,
                    window=(run.window_from, run.window_until),
                    books=step.books,
                    matched=progress.matched_by_currency(),
                    at=now,
                )
                await sql.keep_report(tx, after, msgspec.json.encode(report).decode())
            if after.next_at is None and progress.new:
                await publish(tx, [_announcement(after, progress, at=now)])
        for found in observed:
            metrics.RECONCILIATION_FOUND.labels(found.type).inc()
        return after

    async def _note(
        self,
        tx: Connection,
        run: Run,
        step: Step,
        compared: Sequence[Compared],
        observed: Sequence[Observation],
        *,
        written: Written | None,
        at: datetime,
    ) -> Seen:
        matches = [each for one in compared for each in one.matches]
        matched = {each.movement_id for each in matches}
        since = at - sql.SEEN_AGAIN_AFTER
        written_down = {each.movement_id for each in moved_in(step) if each.matched_at and each.matched_at >= since}
        if strange := [moved.movement_id for moved in moved_in(step) if moved.movement_id not in matched]:
            await sql.unmatch(tx, run.tenant_id, strange)
        # Nothing else removes what is written down while a run of the tenant goes on.
        if fresh := [each for each in matches if each.movement_id not in written_down]:
            await sql.match(tx, run.tenant_id, fresh, run_id=run.id, at=at)
        if step.at_once is not None and step.at_once.movements:
            await sql.match_at_once(tx, run.tenant_id, step.at_once, run_id=run.id, at=at)
        alone = [] if step.alone is None else [str(each) for each in step.alone.looked_at]
        return await note_seen(
            tx,
            observed,
            tenant_id=run.tenant_id,
            run_id=run.id,
            early=frozenset(each.id_of(run.tenant_id) for one in compared for each in one.early)
            | (frozenset() if written is None else written.early),
            payments=[group.payment_intent_id for group in step.groups if group.is_whole],
            subjects={
                SubjectKind.MOVEMENT: [*(moved.id for moved in moved_in(step)), *alone],
                SubjectKind.PAYOUT: [*(str(payout.payout_id) for payout in step.payouts), *alone],
                **({} if written is None else written.subjects),
            },
            at=at,
        )

    def _compare(self, run: Run, step: Step) -> list[Compared]:
        patience = Patience(now=run.started_at, quiet=self._schedule.quiet, timing=self._schedule.timing)
        beside = [
            Compared(differences=tuple(late(moved_in(step), step.closings))),
            compared(unreported(moved_in(step), step.unreported, patience)),
        ]
        found = [
            *(compare_payment(group, patience) for group in step.groups),
            *(compare_movement(moved, step.entries, patience) for moved in step.movements),
            *(compare_payout(payout, step.entries, patience) for payout in step.payouts),
        ]
        if step.alone is not None:
            found.append(compare_entries(step.alone.entries, patience))
        if named := {each.subject for one in beside for each in one.differences}:
            strange = {moved.movement_id for moved in moved_in(step) if moved.id in named}
            found = [one.without(strange) for one in found]
        return [*found, *beside]


def _counted(run: Run, written: Written) -> list[Observation]:
    """Return what a step has found, without arrivals that lines name: the next phase finds these again."""
    return [each for each in written.observed if run.phase is not Phase.LINES or each.subject_kind is SubjectKind.LINE]


def _with_lines(progress: Progress, run: Run, step: Step, written: Written) -> Progress:
    """Return it with what was found about lines and arrivals."""
    assert step.looked is not None
    progress = progress.with_found(each.type for each in _counted(run, written)).with_early(written.early_at)
    return msgspec.structs.replace(
        progress,
        lines=progress.lines + step.looked.lines,
        lines_matched=progress.lines_matched + written.matched,
    )


def _observed(tenant_id: str, each: Difference, step: Step) -> Observation:
    assert each.type is not None
    facts = msgspec.structs.asdict(each) | {"detail": named_by_month(each, step.closings)}
    del facts["since"]
    return Observation(id=each.id_of(tenant_id), **facts)


def _announcement(run: Run, progress: Progress, *, at: datetime) -> Publication:
    message = DiscrepanciesFound(run_id=run.id, discrepancy_count=progress.new, types=progress.new_types)
    return Publication.of(message, occurred_at=at, correlation=current())
