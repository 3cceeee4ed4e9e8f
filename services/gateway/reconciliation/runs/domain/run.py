"""What is always true of a run: its window, its phases in their order, and what it counts. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.gateway_reconciliation import (
    Discrepancy,
    DiscrepancyType,
    ReconciliationRun,
    RunState,
    RunTotals,
)
from libs.common.contracts.gateway_reports import MatchedTotal, RunReport
from libs.common.ids import derived_id, first_id
from services.gateway.reconciliation.runs.domain.at_once import AtOnce
from services.gateway.reconciliation.runs.domain.facts import MovementFact

WINDOW_MAX = timedelta(days=400)
"""How long a window may be."""
OPEN_MAX = 20
"""Requested runs of one tenant that are not over: they are carried out one after the other, and those of the schedule among them."""
SAMPLE_MAX = 200
"""Discrepancies that a dry run shows."""
FAILURES_MAX = 20
"""Steps in a row that may fail before a run is abandoned; with their pauses that is most of a day."""
_PAUSE = timedelta(seconds=10)
_PAUSE_MAX = timedelta(hours=1)


class Phase(StrEnum):
    """What a run looks at, in this order."""

    PAYMENTS = "payments"
    """Payments that were made in the window, whoever has them."""
    POSTED = "posted"
    """What was posted in the window, page by page: payments of other times are listed for the next phase."""
    OLDER = "older"
    """Payments of other times for which something moved, was given back or posted in the window, or about which something is unsettled."""
    MOVEMENTS = "movements"
    """What moved in the window and belongs to no payment, or is unsettled."""
    PAYOUTS = "payouts"
    """Payouts that were made in the window, or about which something is unsettled."""
    BOOKS = "books"
    """Entries of no payment that were posted in the window, or about which something is unsettled."""
    LINES = "lines"
    """Lines of statements that were booked or imported in the window, or about which something is unsettled."""
    ARRIVALS = "arrivals"
    """Payouts that should have arrived in the window, or on days that were imported in it."""
    REPORT = "report"
    """Nothing more: what was found is put together."""


_ORDER = tuple(Phase)
_PAYOUTS = (MovementKind.PAYOUT, MovementKind.PAYOUT_RETURN)
ONE_BY_ONE = frozenset({Phase.POSTED, Phase.LINES, Phase.ARRIVALS})
"""Phases in which a step decides what the next one finds, also that of the next phase, so that nothing is read ahead."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run has counted so far."""

    early: int = 0
    early_from: datetime | None = None
    """When the earliest happened of which it was too early to say whether it agrees; None: there is none."""
    payments: int = 0
    movements: int = 0
    matched: int = 0
    matched_totals: dict[str, tuple[int, int]] = {}
    """How many movements agree, and what they come to, by currency."""
    lines: int = 0
    lines_matched: int = 0
    found: dict[str, int] = {}
    new: int = 0
    new_types: tuple[str, ...] = ()
    agreed: int = 0
    totals: dict[str, RunTotals] = {}
    sample: tuple[Discrepancy, ...] = ()

    def matched_by_currency(self) -> list[MatchedTotal]:
        """Return what agrees, as a report has it."""
        return [
            MatchedTotal(currency=currency, number=number, amount_minor=amount)
            for currency, (number, amount) in sorted(self.matched_totals.items())
        ]

    def with_early(self, happened_at: Sequence[datetime]) -> "Progress":
        """Return it with what it is too early to judge, by when that happened."""
        if not happened_at:
            return self
        earliest = min(happened_at if self.early_from is None else (*happened_at, self.early_from))
        return msgspec.structs.replace(self, early=self.early + len(happened_at), early_from=earliest)

    def with_movements(self, moved: Iterable[MovementFact]) -> "Progress":
        """Return it with movements added up, by currency."""
        by_currency: dict[str, list[MovementFact]] = {}
        for each in moved:
            by_currency.setdefault(each.currency, []).append(each)
        totals = {**self.totals}
        for currency, some in by_currency.items():
            total = totals.get(currency, RunTotals())
            paid_out = sum(each.amount_minor for each in some if each.kind in _PAYOUTS)
            inward = sum(each.amount_minor for each in some if each.amount_minor > 0 and each.kind not in _PAYOUTS)
            amount, net = sum(each.amount_minor for each in some), sum(each.net_minor for each in some)
            totals[currency] = RunTotals(
                in_minor=total.in_minor + inward,
                out_minor=total.out_minor - (amount - inward - paid_out),
                fees_minor=total.fees_minor + amount - net,
                paid_out_minor=total.paid_out_minor - paid_out,
                net_minor=total.net_minor + net,
            )
        number = sum(map(len, by_currency.values()))
        return msgspec.structs.replace(self, movements=self.movements + number, totals=totals)

    def with_matched(self, moved: Iterable[MovementFact]) -> "Progress":
        """Return it with movements that agree added up, by currency."""
        totals, number = {**self.matched_totals}, 0
        for each in moved:
            number += 1
            before = totals.get(each.currency, (0, 0))
            totals[each.currency] = before[0] + 1, before[1] + abs(each.amount_minor)
        return msgspec.structs.replace(self, matched=self.matched + number, matched_totals=totals)

    def with_agreed(self, at_once: AtOnce) -> "Progress":
        """Return it with payments that agree added up: what moved for them are charges alone."""
        totals, matched_totals = {**self.totals}, {**self.matched_totals}
        for currency, each in at_once.totals.items():
            before = matched_totals.get(currency, (0, 0))
            matched_totals[currency] = before[0] + each.number, before[1] + each.amount_minor
            if each.in_window:
                total = totals.get(currency, RunTotals())
                totals[currency] = msgspec.structs.replace(
                    total,
                    in_minor=total.in_minor + each.in_window_minor,
                    fees_minor=total.fees_minor + each.in_window_minor - each.in_window_net_minor,
                    net_minor=total.net_minor + each.in_window_net_minor,
                )
        return msgspec.structs.replace(
            self,
            payments=self.payments + at_once.payments,
            movements=self.movements + sum(each.in_window for each in at_once.totals.values()),
            matched=self.matched + sum(each.number for each in at_once.totals.values()),
            totals=totals,
            matched_totals=matched_totals,
        )

    def with_found(self, found: Iterable[DiscrepancyType]) -> "Progress":
        """Return it with what does not agree added up, by type."""
        counts = {**self.found}
        for each in found:
            counts[each.value] = counts.get(each.value, 0) + 1
        return msgspec.structs.replace(self, found=dict(sorted(counts.items())))


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison of a window, as it is stored."""

    tenant_id: str
    id: UUID
    requested_by: str
    is_dry: bool
    window_from: datetime
    window_until: datetime
    state: RunState
    phase: Phase
    cursor: str
    progress: str
    failures: int
    reason: str
    started_at: datetime
    ended_at: datetime | None
    next_at: datetime | None
    turn: int

    @property
    def counted(self) -> Progress:
        """What it has counted."""
        return msgspec.json.decode(self.progress, type=Progress)

    @property
    def first_payment(self) -> UUID:
        """The least id that a payment of the window can have."""
        return first_id(self.window_from)

    @property
    def end_of_payments(self) -> UUID:
        """The least id that a payment after the window can have."""
        return first_id(self.window_until)

    def is_same_request_as(self, other: "Run") -> bool:
        """Return whether the same was requested."""
        return (self.window_from, self.window_until, self.is_dry) == (
            other.window_from,
            other.window_until,
            other.is_dry,
        )

    def after(self, cursor: str | None, progress: Progress, *, at: datetime, lease: timedelta) -> "Run":
        """Return it after a step: from where it goes on, the next phase where there is nothing more, or complete."""
        counted = msgspec.json.encode(progress).decode()
        later = _ORDER[_ORDER.index(self.phase) + 1 :]
        if cursor is None and not later:
            return msgspec.structs.replace(
                self, state=RunState.COMPLETE, progress=counted, failures=0, reason="", ended_at=at, next_at=None
            )
        phase = self.phase if cursor is not None else later[0]
        return msgspec.structs.replace(
            self,
            phase=phase,
            cursor=cursor or "",
            progress=counted,
            failures=0,
            reason="",
            next_at=at + lease,
        )

    def failed(self, reason: str, *, at: datetime) -> "Run":
        """Return it after a step that failed: the same step is due later, or the run is abandoned."""
        if self.failures + 1 >= FAILURES_MAX:
            return msgspec.structs.replace(
                self, state=RunState.FAILED, failures=self.failures + 1, reason=reason, ended_at=at, next_at=None
            )
        pause = min(_PAUSE * 2 ** min(self.failures, 16), _PAUSE_MAX)
        return msgspec.structs.replace(self, failures=self.failures + 1, reason=reason, next_at=at + pause)

    def shown(self, report: RunReport | None = None) -> ReconciliationRun:
        """Return it as the api shows it, with its report where that is shown too."""
        counted = self.counted
        return ReconciliationRun(
            id=self.id,
            tenant_id=self.tenant_id,
            requested_by=self.requested_by,
            is_dry=self.is_dry,
            window_from=self.window_from,
            window_until=self.window_until,
            state=self.state,
            phase=self.phase,
            payments=counted.payments,
            movements=counted.movements,
            matched=counted.matched,
            lines=counted.lines,
            lines_matched=counted.lines_matched,
            found=counted.found,
            new=counted.new,
            agreed=counted.agreed,
            totals=counted.totals,
            sample=[*counted.sample],
            reason=self.reason,
            started_at=self.started_at,
            ended_at=self.ended_at,
            report=report,
        )


def begun(
    *,
    tenant_id: str,
    run_id: UUID,
    window_from: datetime,
    window_until: datetime,
    is_dry: bool,
    requested_by: str,
    at: datetime,
) -> Run:
    """Make a run that is due at once."""
    return Run(
        tenant_id=tenant_id,
        id=run_id,
        requested_by=requested_by,
        is_dry=is_dry,
        window_from=window_from,
        window_until=window_until,
        state=RunState.RUNNING,
        phase=Phase.PAYMENTS,
        cursor="",
        progress="{}",
        failures=0,
        reason="",
        started_at=at,
        ended_at=None,
        next_at=at,
        turn=0,
    )


def slot_of(now: datetime, *, every: timedelta) -> datetime:
    """Return the latest time of the schedule."""
    seconds = int(every.total_seconds())
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, now.tzinfo)


def scheduled(tenant_id: str, slot: datetime, *, window: timedelta, at: datetime) -> Run:
    """Make the run of a time of the schedule: the same whoever makes it."""
    return begun(
        tenant_id=tenant_id,
        run_id=derived_id(first_id(slot), f"reconciliation:{tenant_id}"),
        window_from=slot - window,
        window_until=slot,
        is_dry=False,
        requested_by="",
        at=at,
    )
