"""The end of a period: closing a year, and valuing other currencies; the ledger answers over the broker."""

from datetime import date

from litestar import Response

from libs.common.contracts import ledger_errors as refusals
from libs.common.contracts.ledger_closing import CloseYear, RevalueCurrencies
from libs.common.errors import Rejected
from libs.common.money import UnsupportedCurrency
from services.api.books.schemas.closing import (
    CloseYearBody,
    RevaluationBody,
    RevalueBody,
    YearEndBody,
    revaluation_body,
    year_end_body,
)
from services.api.http.bodies import BodyReader
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_WRITE = "ledger:write"
_REFUSALS: tuple[type[Rejected], ...] = (
    refusals.PeriodInvalid,
    refusals.PeriodClosed,
    refusals.EntryConflict,
    refusals.EntryInvalid,
    refusals.FloorCrossed,
    refusals.CeilingCrossed,
    refusals.BalanceOverflow,
    refusals.CurrencyNotTaken,
)


class PeriodEnds(Resource):
    """Routes of the end of a period."""

    ask: Ask

    years = BodyReader(CloseYearBody)
    days = BodyReader(RevalueBody)

    @operation(
        "POST",
        "/v1/ledger/year-ends",
        operation_id="closeYear",
        summary="Close a year",
        description="Moves what counts in the year on accounts of income and expenses to retained earnings, one entry a currency. "
        "The year is that of the tenant's calendar (`GET /v1/ledger/calendar`). "
        "It happens once; again moves what came later. Where the tenant demands two people, the entries are proposed.",
        tags=["periods"],
        body=CloseYearBody,
        example={"year": 2025},
        answer=YearEndBody,
        permission=_WRITE,
        refusals=_REFUSALS,
        change=Change(CloseYear, "ledger.close_year", target="year"),
    )
    async def close_year(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.years.take(await request.body())
        done = await self.ask(
            CloseYear(
                tenant_id=caller.tenant_id,
                year=requested.year,
                made_by=caller.actor,
                responsible=caller.principal.responsible,
            )
        )
        return json_answer(year_end_body(requested.year, done))

    @operation(
        "POST",
        "/v1/ledger/revaluations",
        operation_id="revalueCurrencies",
        summary="Value other currencies at the closing rate",
        description="Books what assets and liabilities in other currencies have gained or lost since they were booked, by the recorded "
        "rates, and takes it back when the next day begins. It happens once; again books what is missing. Where the "
        "tenant demands two people, the entries are proposed. Days are those of the tenant's calendar.",
        tags=["periods"],
        body=RevalueBody,
        example={"day": "2025-12-31", "currency": "BRL"},
        answer=RevaluationBody,
        permission=_WRITE,
        refusals=(*_REFUSALS, refusals.RateUnknown, UnsupportedCurrency),
        change=Change(RevalueCurrencies, "ledger.revalue_currencies", target="day"),
    )
    async def revalue_currencies(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.days.take(await request.body())
        try:
            day = date.fromisoformat(requested.day)
        except ValueError as fault:
            raise wrong("/day", "must be a date of ISO 8601") from fault
        done = await self.ask(
            RevalueCurrencies(
                tenant_id=caller.tenant_id,
                day=day,
                currency=requested.currency,
                made_by=caller.actor,
                responsible=caller.principal.responsible,
            )
        )
        return json_answer(revaluation_body(requested, done))
