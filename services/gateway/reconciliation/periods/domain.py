"""What is always true of closed months: their bounds, their order, how they are sealed, and what is late. Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_errors import ReconciliationPeriodInvalid
from libs.common.contracts.gateway_periods import ClosedMonth
from libs.common.contracts.gateway_reports import MovedLine, RunReport, StatementSummary

LATE = "late"
"""The line of a statement with what became known after its month was closed."""
OVERRIDDEN_MAX = 1_000
"""Discrepancies that a sealed report names."""
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])(?!\n)$", re.ASCII)
_FIRST_YEAR = 2000


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """A closed month, as far as it says what is late."""

    month: str
    """Year and month in UTC."""
    ends_before: datetime
    """The first instant after it."""
    known_until: datetime
    """What became known from then on is not in its report."""


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """All that is sealed of a month, in bytes that are the same wherever they are written."""

    version: int
    tenant_id: str
    month: str
    ends_before: datetime
    known_until: datetime
    closed_at: datetime
    closed_by: str
    run_id: UUID
    override_reason: str
    overridden: int
    overridden_ids: list[UUID]
    unread: list[str] = []
    """Accounts whose statement was not known to the end of the month."""
    previous_sha256: str
    report: RunReport

    def written(self) -> str:
        """Write it: JSON in UTF-8 without spaces, the members of each object in alphabetical order."""
        return msgspec.json.encode(self, order="sorted").decode()


class StoredMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A closed month as it is stored."""

    tenant_id: str
    month: str
    ends_before: datetime
    known_until: datetime
    closed_at: datetime
    closed_by: str
    run_id: UUID
    override_reason: str
    overridden: int
    sha256: str
    previous_sha256: str
    sealed: str

    def seal(self) -> Seal:
        """Read what is sealed."""
        return msgspec.json.decode(self.sealed, type=Seal)

    def shown(self) -> ClosedMonth:
        """Return it as the api shows it."""
        return ClosedMonth(**{name: getattr(self, name) for name in ClosedMonth.__struct_fields__})


class LastSeal(msgspec.Struct, frozen=True, kw_only=True):
    """Which month a tenant has closed last, written in the same transaction and apart from it."""

    month: str
    sha256: str
    """Of what is sealed of it."""
    months: int
    """How many are closed, it included."""


_SEALED_COLUMNS = tuple(name for name in Seal.__struct_fields__ if name in StoredMonth.__struct_fields__)


def bounds(month: str) -> tuple[datetime, datetime]:
    """Return the first instant of a month, and the first one after it.

    Raises:
        ReconciliationPeriodInvalid: when it is no month.
    """
    found = _MONTH.match(month)
    if found is None or int(found[1]) < _FIRST_YEAR:
        raise _invalid("month must be a year and a month since 2000, such as 2026-10")
    year, number = int(found[1]), int(found[2])
    begins = datetime(year, number, 1, tzinfo=UTC)
    if (year, number) == (9999, 12):
        raise _invalid("the month must be over")
    return begins, datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def require_next(month: str, last: StoredMonth | None, *, now: datetime) -> tuple[datetime, datetime]:
    """Return the bounds of the month that is to be closed.

    Raises:
        ReconciliationPeriodInvalid: when it is not over, or is not the one after the last that was closed.
    """
    begins, ends_before = bounds(month)
    if ends_before > now:
        raise _invalid("a month can be closed once it is over, in UTC")
    if last is not None and begins != last.ends_before:
        raise _invalid(f"after {last.month} comes the month that begins at {last.ends_before:%Y-%m-%d}")
    return begins, ends_before


def sealed_after(report: RunReport, before: StoredMonth | None, late: Mapping[tuple[str, bool, str], int]) -> RunReport:
    """Return a report whose statements open with what the month before closed with; what became known since is a line of its own.

    `late` counts such movements by account, mode and currency.
    """
    if before is None:
        return report
    closed = {(each.account_id, each.is_live, each.currency): each for each in before.seal().report.statements}
    statements = {(each.account_id, each.is_live, each.currency): each for each in report.statements}
    found = []
    for key in sorted({*closed, *statements}):
        opening = closed[key].closing_minor if key in closed else 0
        now = statements.get(key)
        if now is None:
            # It had something and is another tenant's by now.
            now = StatementSummary(
                account_id=key[0],
                is_live=key[1],
                currency=key[2],
                opening_minor=0,
                lines=[],
                in_minor=0,
                out_minor=0,
                closing_minor=0,
                off_minor=None,
                compared_at=None,
            )
        off = now.opening_minor - opening
        number = late.get(key, 0)
        if off or number:
            line = MovedLine(kind=LATE, number=number, in_minor=max(off, 0), out_minor=max(-off, 0))
            now = msgspec.structs.replace(
                now,
                opening_minor=opening,
                lines=[line, *now.lines],
                in_minor=now.in_minor + line.in_minor,
                out_minor=now.out_minor + line.out_minor,
            )
        found.append(now)
    return msgspec.structs.replace(report, statements=found)


def stored(seal: Seal) -> StoredMonth:
    """Seal a month."""
    sealed = seal.written()
    fields = {name: getattr(seal, name) for name in _SEALED_COLUMNS}
    return StoredMonth(**fields, sha256=digest(sealed), sealed=sealed)


def digest(sealed: str) -> str:
    """Return the checksum of what is sealed."""
    return hashlib.sha256(sealed.encode()).hexdigest()


def faults(months: Sequence[StoredMonth], last: LastSeal | None) -> list[str]:
    """Name what does not hold of a tenant's closed months, the oldest first; `last` is what is remembered of the one that was closed last."""
    found = [*_faults(months)]
    end = months[-1] if months else None
    if last is None:
        return [*found, f"{end.month}: it is not remembered that it was closed"] if end is not None else found
    if end is None or end.month < last.month:
        found.append(f"{last.month}: it was closed, with the checksum {last.sha256}, and is missing")
    elif (end.month, end.sha256, len(months)) != (last.month, last.sha256, last.months):
        found.append(
            f"{end.month}: it is remembered that {last.months} months were closed, {last.month} the last, with the checksum {last.sha256}"
        )
    return found


def _faults(months: Sequence[StoredMonth]) -> list[str]:
    found = []
    before: StoredMonth | None = None
    for each in months:
        if digest(each.sealed) != each.sha256:
            found.append(f"{each.month}: what is sealed has another checksum than it had")
        elif bool(each.previous_sha256) is (before is None) or (before is not None and not _follows(each, before)):
            found.append(f"{each.month}: the month before it is missing")
        elif before is not None and each.previous_sha256 != before.sha256:
            found.append(f"{each.month}: it was sealed after another report of {before.month}")
        elif not _says_what_is_sealed(each):
            found.append(f"{each.month}: its columns are not what is sealed")
        before = each
    return found


def _follows(month: StoredMonth, before: StoredMonth) -> bool:
    try:
        return bounds(month.month)[0] == before.ends_before
    except ReconciliationPeriodInvalid:
        return False


def _says_what_is_sealed(month: StoredMonth) -> bool:
    """Compare columns with what is sealed: field by field, since a later version writes the same report with fields that are new."""
    try:
        seal = month.seal()
    except (msgspec.MsgspecError, ValueError):
        return False
    return all(getattr(seal, name) == getattr(month, name) for name in _SEALED_COLUMNS)


def closed_month_of(happened_at: datetime, closings: Sequence[Closing]) -> Closing | None:
    """Return the closed month in which something happened; what was before the first of them belongs to that; None: it is open.

    `closings` are in the order of time.
    """
    return next((each for each in closings if happened_at < each.ends_before), None)


def is_late(happened_at: datetime, known_at: datetime, closings: Sequence[Closing]) -> Closing | None:
    """Return the closed month in whose report something is missing that happened in it; None: it is in it, or the month is open."""
    month = closed_month_of(happened_at, closings)
    return month if month is not None and known_at >= month.known_until else None


def _invalid(sentence: str) -> ReconciliationPeriodInvalid:
    return ReconciliationPeriodInvalid(sentence, errors=(("/month", sentence),))
