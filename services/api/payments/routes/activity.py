"""Reports about payments: how many were made in each period, what became of them, and what is not over."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response

from libs.common.clock import iso
from libs.common.money import format_minor
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, wrong
from services.api.http.rendering import age_of, json_answer
from services.api.payments.domain import InStage, PeriodTotals, Span
from services.api.payments.queries import Activity

PERIODS_MAX = 800
"""Periods of one report at most: 33 days by hour, two years by day."""
_DEFAULT = timedelta(days=30)
_LENGTH_MAX = timedelta(days=800)


class Granularity(StrEnum):
    """How long a period is, on the calendar of its time zone."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class PaymentPeriodBody(msgspec.Struct, frozen=True, kw_only=True):
    """The payments of one currency that were made in one period, and what became of them until now."""

    period: Annotated[str, msgspec.Meta(description="When the period begins, in the time zone `tz`.")]
    currency: str
    payments: Annotated[int, msgspec.Meta(description="How many were made.")]
    amount: Annotated[str, msgspec.Meta(description="What they are about.")]
    authorized: Annotated[int, msgspec.Meta(description="How many of them an issuer has promised.")]
    failed: Annotated[int, msgspec.Meta(description="How many of them have failed.")]
    captured_amount: str
    refunded_amount: Annotated[str, msgspec.Meta(description="What was given back of them, whenever that was.")]
    disputed_amount: Annotated[str, msgspec.Meta(description="What banks took back of them and have not returned.")]


class InStageBody(msgspec.Struct, frozen=True, kw_only=True):
    """Payments or refunds of one currency that are in one stage now."""

    stage: Annotated[
        str,
        msgspec.Meta(
            description="`processing`: the processor has not answered; `requires_action`: the customer has to act; "
            "`authorized`: held, and the merchant has not captured it; `capturing`; `voiding`; `refunding`."
        ),
    ]
    currency: str
    number: Annotated[int, msgspec.Meta(description="How many.")]
    amount: Annotated[str, msgspec.Meta(description="What they are about.")]
    since: Annotated[str, msgspec.Meta(description="Since when the oldest of them is as it is.")]


class PaymentReportBody(msgspec.Struct, frozen=True, kw_only=True):
    """How payments went."""

    tz: Annotated[str, msgspec.Meta(description="The time zone whose calendar cuts the periods.")]
    periods: Annotated[
        list[PaymentPeriodBody], msgspec.Meta(description="Oldest first; periods without payments are left out.")
    ]
    in_flight: Annotated[list[InStageBody], msgspec.Meta(description="What is not over, as of now.")]


class PaymentReports(Resource):
    """Routes: `GET /v1/reports/payments`."""

    activity: Activity

    @operation(
        "GET",
        "/v1/reports/payments",
        operation_id="reportPayments",
        summary="Payments by period",
        description="By period and currency: how many were made, and what became of them until now; and what is in flight "
        "now, by stage. What was made more than an hour or two ago is read again after a minute, a period that ended two days ago "
        "after five, one that ended a month ago after an hour; the headers have the instant and age of the oldest sum. Without "
        "`from`, the last 30 days.",
        tags=["reports"],
        answer=PaymentReportBody,
        permission="payments:read",
        query=(
            QueryParameter(
                name="granularity",
                description=f"How long a period is; a report has at most {PERIODS_MAX}.",
                shape={"type": "string", "enum": [one.value for one in Granularity], "default": "day"},
            ),
            QueryParameter(
                name="from",
                description="Payments that were made at or after this date or instant.",
                shape={"type": "string", "examples": ["2026-04-01"]},
            ),
            QueryParameter(
                name="to",
                description="And until this instant, or on this date, included.",
                shape={"type": "string", "examples": ["2026-04-30"]},
            ),
            QueryParameter(
                name="currency", description="ISO 4217 code.", shape={"type": "string", "pattern": "^[A-Z]{3}$"}
            ),
            QueryParameter(
                name="tz",
                description="IANA time zone of dates and periods.",
                shape={"type": "string", "default": "UTC", "examples": ["America/Sao_Paulo"]},
            ),
        ),
        aged=True,
    )
    async def report_payments(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        zone, currency, now = query.zone(), query.currency(), self.clock.now()
        until = query.end(zone=zone) or now
        begin = query.begin(zone=zone) or until - _DEFAULT
        spans = spans_of(begin, until, granularity=_granularity(query), zone=zone)
        found, read_at = await self.activity.totals(caller.tenant_id, spans)
        in_flight = await self.activity.in_flight(caller.tenant_id)
        body = PaymentReportBody(
            tz=zone.key,
            periods=[
                _period(span, totals, zone)
                for span, rows in zip(spans, found, strict=True)
                for totals in rows
                if currency in (None, totals.currency)
            ],
            in_flight=[_flying(row) for row in in_flight if currency in (None, row.currency)],
        )
        return json_answer(body, headers=age_of(read_at, now))


def spans_of(begin: datetime, until: datetime, *, granularity: Granularity, zone: ZoneInfo) -> Sequence[Span]:
    """Cut a time into periods of a zone's calendar; the first and the last may be parts of one.

    Raises:
        Invalid: when there are too many.
    """
    if until - begin > _LENGTH_MAX:
        raise wrong("from", f"must be at most {_LENGTH_MAX.days} days before to")
    found: list[Span] = []
    while begin < until:
        end = min(_next(begin, granularity, zone), until)
        found.append(Span(begin, end))
        begin = end
        if len(found) > PERIODS_MAX:
            raise wrong("granularity", f"must be one by which the report has at most {PERIODS_MAX} periods")
    return found


def _next(at: datetime, granularity: Granularity, zone: ZoneInfo) -> datetime:
    """Return where the period after the one of an instant begins."""
    if granularity is Granularity.HOUR:
        # By elapsed time, so that an hour that the clocks repeat is two; zones are off by whole minutes.
        minutes = timedelta(minutes=at.astimezone(zone).minute, seconds=at.second, microseconds=at.microsecond)
        return at - minutes + timedelta(hours=1)
    day = at.astimezone(zone).date() + timedelta(days=1)
    while granularity is Granularity.MONTH and day.day > 1:
        day += timedelta(days=1)
    return datetime.combine(day, datetime.min.time(), tzinfo=zone).astimezone(UTC)


def _granularity(query: Query) -> Granularity:
    name = query.text("granularity") or Granularity.DAY.value
    if name not in {one.value for one in Granularity}:
        raise wrong("granularity", f"must be one of {', '.join(one.value for one in Granularity)}")
    return Granularity(name)


def _period(span: Span, totals: PeriodTotals, zone: ZoneInfo) -> PaymentPeriodBody:
    currency = totals.currency
    return PaymentPeriodBody(
        period=span.begins_at.astimezone(zone).isoformat(),
        currency=currency,
        payments=totals.payments,
        amount=format_minor(totals.amount_minor, currency),
        authorized=totals.authorized,
        failed=totals.failed,
        captured_amount=format_minor(totals.captured_minor, currency),
        refunded_amount=format_minor(totals.refunded_minor, currency),
        disputed_amount=format_minor(totals.disputed_minor, currency),
    )


def _flying(row: InStage) -> InStageBody:
    return InStageBody(
        stage=row.stage,
        currency=row.currency,
        number=row.number,
        amount=format_minor(row.amount_minor, row.currency),
        since=iso(row.since),
    )
