"""What is no match: lines that belong to nothing or to too much, and payouts that do not arrive. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from services.gateway.reconciliation.matching.domain.facts import Finding, Line, Moved, Names, Payout, total

_NAMED_MAX = 10
"""Candidates that a sentence names."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long one side may be ahead of the other."""

    now: datetime
    quiet: timedelta
    """For so long nothing is reported."""
    timing: timedelta
    """For so long it is a matter of time."""
    arrival: timedelta
    """So long after the day of its arrival a payout may come."""

    def or_timing(self, kind: DiscrepancyType, happened_at: datetime) -> DiscrepancyType | None:
        """Return what it is, that the other side may still follow, or None: it is too early to say."""
        age = self.now - happened_at
        if age < self.quiet:
            return None
        return DiscrepancyType.TIMING if age < self.timing else kind


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What statements of the tenant's banks say of the days on which a payout should have come."""

    touches: bool
    """They have days around its arrival, in its currency."""
    reaches: bool
    """They go on to the last day on which a rule would look for it."""
    has_candidate: bool
    """They have a line, in no match, that could be it."""


def line_of_bank(
    line: Line, named: Sequence[Payout], candidates: Sequence[str], concerns: Sequence[str], patience: Patience
) -> Finding | None:
    """Say what is wrong with a line that is in no match; None: nothing, or it is reported about the payout that it names."""
    if candidates:
        listed = ", ".join(candidates[:_NAMED_MAX]) + (" and others" if len(candidates) > _NAMED_MAX else "")
        return _about(
            line,
            patience.or_timing(DiscrepancyType.AMBIGUOUS, line.created_at),
            "bank",
            f"it can belong to {listed}, and nothing decides to which",
            gateway_ref=candidates[0] if len(candidates) == 1 else "",
        )
    if any(not payout.is_matched for payout in named):
        return None
    if named:
        return _about(
            line,
            patience.or_timing(DiscrepancyType.DUPLICATE, line.created_at),
            "bank",
            f"it names the payout {named[0].id}, which has arrived already",
            gateway_ref=named[0].id,
        )
    if not line.amount_minor or (concerns and not any(word.lower() in line.text for word in concerns)):
        return None
    kind = patience.or_timing(DiscrepancyType.FOREIGN, line.created_at)
    return _about(line, kind, "bank", "it belongs to no payout")


def line_of_processor(line: Line, moved: Sequence[Moved], patience: Patience) -> Finding | None:
    """Say what is wrong with a line of a processor's report that is in no match."""
    if not moved:
        missing = patience.or_timing(DiscrepancyType.MISSING_LOCAL, line.created_at)
        return _about(line, missing, "processor", f"the movement {line.bank_id or 'that it names'} is not known here")
    found = moved[0]
    if found.is_matched:
        return _about(
            line,
            patience.or_timing(DiscrepancyType.DUPLICATE, line.created_at),
            "processor",
            f"the movement {found.id} has another line of this source already",
            gateway_ref=found.id,
        )
    net = line.amount_minor - line.fee_minor
    if found.currency != line.currency:
        kind, ours, theirs = DiscrepancyType.CURRENCY_MISMATCH, found.amount_minor, line.amount_minor
    elif found.amount_minor != line.amount_minor:
        kind, ours, theirs = DiscrepancyType.AMOUNT_MISMATCH, found.amount_minor, line.amount_minor
    elif found.net_minor != net:
        kind, ours, theirs = DiscrepancyType.FEE_MISMATCH, found.amount_minor - found.net_minor, line.fee_minor
    else:
        return None
    return _about(
        line,
        patience.or_timing(kind, line.created_at),
        "processor",
        f"the movement {found.id} is {found.amount_minor} {found.currency}, {found.net_minor} after fees",
        gateway_ref=found.id,
        expected_minor=ours,
        actual_minor=theirs,
    )


def arrival(payout: Payout, naming: Sequence[Line], coverage: Coverage | None, patience: Patience) -> Finding | None:
    """Say what is wrong with the arrival of a payout; `naming` are lines in no match that name it."""

    def differ(kind: DiscrepancyType | None, detail: str, actual: int | None, *, actual_status: str = "") -> Finding:
        return Finding(
            type=kind,
            subject_kind=SubjectKind.ARRIVAL,
            subject=str(payout.payout_id),
            aspect="bank",
            since=payout.arrives_at,
            gateway_ref=payout.id,
            currency=payout.currency,
            expected_minor=payout.comes_to,
            actual_minor=actual,
            expected_status=payout.status if actual_status else "",
            actual_status=actual_status,
            detail=f"the payout {payout.id}: {detail}",
        )

    if payout.matched_minor is not None:
        if payout.is_over and payout.matched_minor and not naming:
            detail = f"it is {payout.status}, and {payout.matched_minor} of it are at the bank"
            return differ(DiscrepancyType.STATUS_MISMATCH, detail, payout.matched_minor, actual_status="arrived")
        return None
    if naming:
        newest = max(line.created_at for line in naming)
        if strange := sorted({line.currency for line in naming} - {payout.currency}):
            detail = f"the line that names it is in {', '.join(strange)}"
            return differ(patience.or_timing(DiscrepancyType.CURRENCY_MISMATCH, newest), detail, total(naming))
        come = total(naming)
        if come == payout.comes_to:
            kind, detail = DiscrepancyType.AMBIGUOUS, "lines that name it come to it, and no rule puts them together"
        elif payout.is_over:
            detail = f"it is {payout.status}, and {come} of it are at the bank"
            kind = patience.or_timing(DiscrepancyType.STATUS_MISMATCH, newest) or DiscrepancyType.TIMING
            return differ(kind, detail, come, actual_status="arrived")
        else:
            kind, detail = DiscrepancyType.AMOUNT_MISMATCH, f"the lines that name it come to {come}"
        return differ(patience.or_timing(kind, newest), detail, come)
    if payout.is_over or coverage is None or coverage.has_candidate or not coverage.touches:
        return None
    if patience.now < payout.arrives_at + patience.arrival:
        return None
    kind = DiscrepancyType.MISSING_REMOTE if coverage.reaches else DiscrepancyType.TIMING
    return differ(kind, "no line of a bank is it", None)


def _about(line: Line, kind: DiscrepancyType | None, aspect: str, detail: str, **fields: str | int | None) -> Finding:
    about = {"actual_minor": line.amount_minor, **fields}
    return Finding(
        type=kind,
        subject_kind=SubjectKind.LINE,
        subject=str(line.id),
        aspect=aspect,
        since=line.created_at,
        booked_on=line.booked_on,
        currency=line.currency,
        detail=f"the line of {line.booked_on}: {detail}",
        **about,  # type: ignore[arg-type]
    )


def named_by(lines: Sequence[Line], payouts: Sequence[Payout]) -> Mapping[UUID, Sequence[Payout]]:
    """Return which payouts each line names."""
    names = Names(lines, payouts)
    return {line.id: names.of_line(line) for line in lines}
