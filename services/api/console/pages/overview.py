"""The first page: how payments go, what is not over, and what needs somebody."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from services.api.console.calling import Refused
from services.api.console.charts import Chart, Point, change_of, chart
from services.api.console.declared import Page, View
from services.api.console.pages.services import is_behind, is_held_up
from services.api.console.values import Formats
from services.api.console.visits import Visit

_NEWEST = "8"
_COUNTED_MAX = 100
_WAIT_SECONDS = 1.5
"""For another service; the page is of use without its answer."""
_STATUS_OF = {
    "processing": "PROCESSING",
    "requires_action": "REQUIRES_ACTION",
    "authorized": "AUTHORIZED",
    "capturing": "AUTHORIZED",
}
_LATE = timedelta(minutes=15)
"""How long the processor and the ledger may take before somebody should look."""
_MACHINES = frozenset({"processing", "capturing", "voiding"})
"""Stages that wait for no person."""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A time that the charts show."""

    key: str
    title: str
    granularity: str
    periods: int
    pattern: str
    """How the label of a period is written."""


RANGES = (
    Range(key="24h", title="24 hours", granularity="hour", periods=24, pattern="HH:mm"),
    Range(key="7d", title="7 days", granularity="day", periods=7, pattern="d MMM"),
    Range(key="30d", title="30 days", granularity="day", periods=30, pattern="d MMM"),
    Range(key="12m", title="12 months", granularity="month", periods=12, pattern="MMM y"),
)


class Sums(msgspec.Struct, kw_only=True):
    """What the payments of some periods come to."""

    payments: int = 0
    authorized: int = 0
    failed: int = 0
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    disputed: Decimal = Decimal(0)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add the payments of a period."""
        self.payments += row["payments"]
        self.authorized += row["authorized"]
        self.failed += row["failed"]
        self.captured += Decimal(row["captured_amount"])
        self.refunded += Decimal(row["refunded_amount"])
        self.disputed += Decimal(row["disputed_amount"])

    @property
    def rate(self) -> Decimal | None:
        """Of those that were decided, which part was authorized; None where none was."""
        decided = self.authorized + self.failed
        return Decimal(self.authorized) / decided if decided else None


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs somebody."""

    title: str
    count: str
    link: str


async def show(visit: Visit) -> View:
    """Show how payments go.

    Raises:
        Refused: when the API refuses to report it.
    """
    chosen = next((one for one in RANGES if one.key == visit.query.get("range")), RANGES[1])
    zone, now = visit.preferences.zone, visit.now
    starts = starts_of(chosen, now, zone)
    report, newest, health, *needs = await asyncio.gather(
        visit.read(
            "reportPayments",
            path=None,
            **{"granularity": chosen.granularity, "from": starts[0].isoformat(), "tz": zone.key},
        ),
        visit.read("listPaymentIntents", pageSize=_NEWEST, total="false"),
        _health(visit),
        _open(visit, "Open discrepancies", "listDiscrepancies", "/console/discrepancies", resolved="false"),
        _open(visit, "Entries to approve", "listProposals", "/console/proposals", status="open"),
        _open(
            visit, "Changes of the approval policy to approve", "listPolicyChanges", "/console/policy", status="open"
        ),
        _open(visit, "Dead letters", "listDeadLetters", "/console/dead-letters"),
        _some(visit, "Services that are behind", "listServiceHealth", is_behind),
        _some(visit, "Processors and accounts that are not called", "listCircuits", is_held_up),
        _endpoints(visit),
    )
    currency = _currency(visit, report["periods"])
    before, after = sums_of(report["periods"], starts, currency, periods=chosen.periods)
    flying = [row for row in report["in_flight"] if row["currency"] == currency or not currency]
    return View(
        template="overview.html",
        values={
            "ranges": [(one, _address(visit, range=one.key)) for one in RANGES],
            "chosen": chosen,
            "currencies": [
                (code, _address(visit, currency=code), code == currency)
                for code in sorted({row["currency"] for row in [*report["periods"], *report["in_flight"]]})
            ],
            "charts": _charts(visit, chosen, starts[chosen.periods :], (before, after), currency),
            "flying": [
                {
                    **row,
                    "link": f"/console/payments?status={_STATUS_OF[row['stage']]}"
                    if row["stage"] in _STATUS_OF
                    else "",
                }
                for row in flying
            ],
            "needs": [need for need in (_late(report["in_flight"], now), *needs) if need is not None],
            "newest": newest["data"],
            "health": health,
        },
    )


def starts_of(chosen: Range, now: datetime, zone: ZoneInfo) -> list[datetime]:
    """List where the periods begin, those of the time before first."""
    count = chosen.periods * 2
    if chosen.granularity == "hour":
        hour = now.astimezone(zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        return [hour - timedelta(hours=back) for back in reversed(range(count))]
    today = now.astimezone(zone).date()
    if chosen.granularity == "day":
        days = [today - timedelta(days=back) for back in reversed(range(count))]
    else:
        months = today.year * 12 + today.month - 1
        days = [date((months - back) // 12, (months - back) % 12 + 1, 1) for back in reversed(range(count))]
    return [datetime.combine(day, datetime.min.time(), tzinfo=zone).astimezone(UTC) for day in days]


def sums_of(
    rows: Sequence[Mapping[str, Any]], starts: Sequence[datetime], currency: str, *, periods: int
) -> tuple[list[Sums], list[Sums]]:
    """Add up what was reported of one currency: the periods of the time before, and those of now."""
    found = [Sums() for _ in starts]
    places = {start: number for number, start in enumerate(starts)}
    for row in rows:
        place = places.get(datetime.fromisoformat(row["period"]))
        if place is not None and row["currency"] == currency:
            found[place].add(row)
    return found[:periods], found[periods:]


def _charts(
    visit: Visit,
    chosen: Range,
    starts: Sequence[datetime],
    sums: tuple[Sequence[Sums], Sequence[Sums]],
    currency: str,
) -> list[Chart]:
    formats, (before, after) = Formats(visit.preferences), sums
    labels = [formats.period(start, chosen.pattern) for start in starts]

    def of(
        read: Any, write: Any, scale: Any, top: Decimal | None = None, *, title: str, is_rate: bool = False
    ) -> Chart:
        points = [
            Point(
                label=label,
                value=read(now),
                text=write(read(now)),
                before=read(earlier),
                before_text=write(read(earlier)),
            )
            for label, now, earlier in zip(labels, after, before, strict=True)
        ]
        total, total_before = read(_all(after)), read(_all(before))
        if is_rate:
            points_of = None if None in (total, total_before) else (total - total_before) * 100
            change = "" if points_of is None else formats.change(points_of, "pp")
        else:
            change = "" if (part := change_of(total, total_before)) is None else formats.change(part * 100, "%")
        return chart(title, points, total=write(total), change=change, scale=scale, top=top)

    def money(value: Decimal) -> str:
        return formats.money(value, currency)

    return [
        of(lambda sums: sums.captured, money, formats.short, title="Captured"),
        of(lambda sums: Decimal(sums.payments), formats.number, formats.short, title="Payments"),
        of(lambda sums: sums.rate, formats.percent, formats.percent, Decimal(1), is_rate=True, title="Success rate"),
        of(lambda sums: sums.refunded, money, formats.short, title="Refunded"),
        of(lambda sums: sums.disputed, money, formats.short, title="Disputed"),
    ]


def _all(some: Sequence[Sums]) -> Sums:
    return Sums(
        payments=sum(one.payments for one in some),
        authorized=sum(one.authorized for one in some),
        failed=sum(one.failed for one in some),
        captured=sum((one.captured for one in some), Decimal(0)),
        refunded=sum((one.refunded for one in some), Decimal(0)),
        disputed=sum((one.disputed for one in some), Decimal(0)),
    )


def _currency(visit: Visit, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the currency that is chosen, or the one with most payments."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["currency"]] = counts.get(row["currency"], 0) + row["payments"]
    if visit.query.get("currency") in counts:
        return visit.query["currency"]
    return max(counts, key=lambda code: counts[code], default="")


def _address(visit: Visit, **chosen: str) -> str:
    kept = {name: visit.query[name] for name in ("range", "currency") if visit.query.get(name)}
    return f"/console/overview?{urlencode({**kept, **chosen})}"


async def _health(visit: Visit) -> Mapping[str, Any]:
    """Return what the api says of itself; the same when it says that it cannot work."""
    try:
        found: Mapping[str, Any] = await visit.read("readyz")
    except Refused as refused:
        return refused.problem
    return found


async def _open(visit: Visit, title: str, operation: str, link: str, **query: str) -> Need | None:
    """Count what is open, a hundred at most."""

    def count(found: Any) -> str:
        number = len(found["data"] if isinstance(found, dict) else found)
        return f"{number}{'+' if number >= _COUNTED_MAX else ''}" if number else ""

    at = f"{link}?{urlencode(query)}" if query else link
    return await _counted(visit, title, operation, at, count, **query, limit=str(_COUNTED_MAX))


async def _some(visit: Visit, title: str, operation: str, needs: Callable[[Mapping[str, Any]], bool]) -> Need | None:
    """Count the services, or what they call, that somebody should look at."""
    return await _counted(
        visit, title, operation, "/console/services", lambda found: str(len([*filter(needs, found)]) or "")
    )


async def _endpoints(visit: Visit) -> Need | None:
    """Count the webhook endpoints that fail."""

    def count(found: Any) -> str:
        failing = [one for one in found if (one.get("health") or {}).get("status") in {"failing", "paused", "disabled"}]
        return str(len(failing) or "")

    return await _counted(visit, "Webhook endpoints that fail", "listWebhooks", "/console/webhooks", count)


async def _counted(
    visit: Visit, title: str, operation: str, link: str, count: Callable[[Any], str], **query: str
) -> Need | None:
    """Say how many there are, or why that is not known; None where there are none, or whoever looks may not."""
    if not await visit.may(operation):
        return None
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            number = count(await visit.read(operation, path=None, **query))
    except TimeoutError:
        number = "?"
    except Refused as refused:
        number = refused.problem.get("code") or str(refused.status)
    return Need(title=title, count=number, link=link) if number else None


def _late(rows: Sequence[Mapping[str, Any]], now: datetime) -> Need | None:
    """Return the stage that waits for a machine, and whose oldest payment has waited too long."""
    late = [row for row in rows if row["stage"] in _MACHINES and now - datetime.fromisoformat(row["since"]) > _LATE]
    if not late:
        return None
    oldest = min(late, key=lambda row: str(row["since"]))
    return Need(
        title="Stages with a payment that waits for more than 15 minutes",
        count=str(len(late)),
        link=f"/console/payments?status={_STATUS_OF.get(oldest['stage'], '')}",
    )


OVERVIEW = Page(key="overview", title="Overview", needs="listPaymentIntents", group="", show=show, letter="o")
"""The first page."""
