"""Reversals and closed periods, as clients see them; the ledger answers over the broker."""

from zoneinfo import ZoneInfo

from litestar import Response

from libs.common.contracts.ledger_books import ClosePeriod, ListPeriods, ReverseEntry
from libs.common.contracts.ledger_calendar import GetCalendar
from libs.common.contracts.ledger_errors import (
    ApprovalRequired,
    BalanceOverflow,
    CeilingCrossed,
    EntryNotFound,
    EntryNotReversible,
    FloorCrossed,
    PeriodInvalid,
)
from services.api.books.schemas.entries import EntryBody, entry_body
from services.api.books.schemas.periods import ClosePeriodBody, PeriodBody, period_body
from services.api.http.bodies import BodyReader, NoMembers, take_nothing
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest, instant, is_local, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_READ, _WRITE = "ledger:read", "ledger:write"


class Periods(Resource):
    """Routes of reversals and closed periods."""

    ask: Ask

    bodies = BodyReader(ClosePeriodBody)

    @operation(
        "POST",
        "/v1/ledger/entries/{entry_id:str}/reversal",
        operation_id="reverseLedgerEntry",
        summary="Reverse a journal entry",
        description="Takes an entry back by a further one that is linked to it. It happens once; again is answered the "
        "same. Reversing the entry of a payment moves no money: refund the payment for that.",
        tags=["ledger"],
        body=NoMembers,
        answer=EntryBody,
        permission=_WRITE,
        status=201,
        refusals=(
            EntryNotFound,
            EntryNotReversible,
            ApprovalRequired,
            FloorCrossed,
            CeilingCrossed,
            BalanceOverflow,
        ),
        change=Change(ReverseEntry, "ledger.reverse_entry", target="entry_id"),
    )
    async def reverse_ledger_entry(self, caller: Caller, request: AnyRequest, entry_id: str) -> Response[bytes]:
        await take_nothing(await request.body())
        reversal = await self.ask(ReverseEntry(tenant_id=caller.tenant_id, entry_id=path_id(entry_id, "entry_id")))
        return json_answer(entry_body(reversal), status=201)

    @operation(
        "GET",
        "/v1/ledger/periods",
        operation_id="listPeriods",
        summary="List closed periods",
        description="The latest first, as a bare array.",
        tags=["periods"],
        answer=list[PeriodBody],
        permission=_READ,
    )
    async def list_periods(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ListPeriods(tenant_id=caller.tenant_id))
        return json_answer([period_body(period) for period in found.periods])

    @operation(
        "POST",
        "/v1/ledger/periods",
        operation_id="closePeriod",
        summary="Close the books",
        description="Closes everything effective before a midnight of the tenant's calendar (`GET /v1/ledger/calendar`), for "
        "ever: there is no opening again. What a person "
        "posts into a closed period is refused; what happened there is posted into the first open instant.",
        tags=["periods"],
        body=ClosePeriodBody,
        example={"ends_before": "2026-11-01"},
        answer=PeriodBody,
        permission=_WRITE,
        status=201,
        refusals=(PeriodInvalid,),
        change=Change(ClosePeriod, "ledger.close_period", target="ends_before"),
    )
    async def close_period(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        ends_before = instant("/ends_before", requested.ends_before)
        if is_local(requested.ends_before):
            calendar = await self.ask(GetCalendar(tenant_id=caller.tenant_id))
            ends_before = instant("/ends_before", requested.ends_before, ZoneInfo(calendar.zone))
        closed = await self.ask(
            ClosePeriod(tenant_id=caller.tenant_id, ends_before=ends_before, closed_by=caller.actor)
        )
        return json_answer(period_body(closed), status=201)
