"""What accounts had done in the spans of a financial statement, all of it read in one snapshot."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from libs.common.clock import Clock
from libs.common.contracts import ledger_statements as contract
from libs.common.contracts.ledger import AccountBalance
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.db import Connection, Database
from services.ledger.balances import balances_in_period, checksum, effective_balances
from services.ledger.statements import sql
from services.ledger.watermark import Watermark

SPANS_MAX = 13
"""Columns at most: twelve months and their sum."""

_NEVER = datetime.min.replace(tzinfo=UTC)


class StatementQueries:
    """Reads of what financial statements are made of."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._watermark = Watermark(database, clock=clock)

    async def figures(self, request: contract.ReportFigures) -> contract.Figures:
        """Report what accounts had done in each span.

        Raises:
            QueryInvalid: for no span, too many, or one that ends before it begins.
        """
        _check(request.spans)
        final_before = await self._watermark.advance(max(span.ends_before for span in request.spans))
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            reading = _Reading(connection, request)
            names = await sql.named(connection, request.tenant_id)
            closed = await sql.closed_periods(connection, request.tenant_id)
            if request.basis is contract.Basis.EFFECTIVE:
                # What counts before the end of a closed period is in it for ever, and nothing else comes to be.
                final_before = max([period.ends_before for period in closed], default=_NEVER)
            seals = {period.ends_before: period for period in closed}
            return contract.Figures(
                columns=[
                    await _column(reading, span, names, seals.get(span.ends_before), final_before)
                    for span in request.spans
                ]
            )


class _Reading:
    """Balances before instants, each read once."""

    def __init__(self, connection: Connection, request: contract.ReportFigures) -> None:
        self._connection = connection
        self.request = request
        self._read: dict[datetime, list[AccountBalance]] = {}

    async def before(self, instant: datetime | None) -> list[AccountBalance]:
        """Return all balances before an instant, by account code and currency."""
        if instant is None:
            return []
        if instant not in self._read:
            tenant_id = self.request.tenant_id
            if self.request.basis is contract.Basis.EFFECTIVE:
                found = await effective_balances(self._connection, tenant_id, before=instant, currency=None)
            else:
                found = await balances_in_period(
                    self._connection, tenant_id, posted_from=None, posted_until=instant, currency=None
                )
            self._read[instant] = found
        return self._read[instant]

    async def year_ends(self, span: contract.Span) -> Mapping[tuple[str, str], tuple[int, int]]:
        """Return what moved income and expenses to retained earnings in a span."""
        is_effective = self.request.basis is contract.Basis.EFFECTIVE
        return await sql.year_ends(self._connection, self.request.tenant_id, span, is_effective=is_effective)


async def _column(
    reading: _Reading,
    span: contract.Span,
    names: Mapping[str, sql.Named],
    period: sql.ClosedPeriod | None,
    final_before: datetime,
) -> contract.SpanFigures:
    closing = await reading.before(span.ends_before)
    opening = {(one.account, one.currency): one for one in await reading.before(span.begins_at)}
    year_ends = await reading.year_ends(span)
    seal = None
    if reading.request.basis is contract.Basis.EFFECTIVE and period is not None and period.sha256 is not None:
        seal = contract.PeriodSeal(
            ends_before=period.ends_before,
            closed_at=period.closed_at,
            closed_by=period.closed_by,
            sha256=period.sha256.hex(),
            is_equal=checksum(closing) == period.sha256,
        )
    currency = reading.request.currency
    return contract.SpanFigures(
        span=span,
        accounts=[
            _figures(
                one,
                opening.get((one.account, one.currency)),
                names[one.account],
                year_ends.get((one.account, one.currency), (0, 0)),
            )
            for one in closing
            if currency is None or one.currency == currency
        ],
        is_final=span.ends_before <= final_before,
        seal=seal,
    )


def _figures(
    closing: AccountBalance, opening: AccountBalance | None, named: sql.Named, year_end: tuple[int, int]
) -> contract.AccountFigures:
    return contract.AccountFigures(
        account=closing.account,
        label=named.label,
        account_type=closing.account_type,
        roles=named.roles,
        currency=closing.currency,
        opening_debits_minor=0 if opening is None else opening.debits_minor,
        opening_credits_minor=0 if opening is None else opening.credits_minor,
        closing_debits_minor=closing.debits_minor,
        closing_credits_minor=closing.credits_minor,
        year_end_debits_minor=year_end[0],
        year_end_credits_minor=year_end[1],
    )


def _check(spans: Sequence[contract.Span]) -> None:
    if not 1 <= len(spans) <= SPANS_MAX:
        raise _invalid(f"spans must be 1 to {SPANS_MAX}")
    if any(span.begins_at is not None and span.begins_at >= span.ends_before for span in spans):
        raise _invalid("a span must begin before it ends")


def _invalid(sentence: str) -> QueryInvalid:
    return QueryInvalid(sentence, errors=(("/spans", sentence),))
