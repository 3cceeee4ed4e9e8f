"""The calendar of the books: the time zone whose midnights end a tenant's periods."""

from litestar import Response

from libs.common.contracts.ledger_calendar import GetCalendar, SetCalendar
from libs.common.contracts.ledger_errors import CalendarInvalid
from services.api.books.schemas.calendar import CalendarBody, SetCalendarBody, calendar_body
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask


class Calendars(Resource):
    """Routes: `GET` and `PUT /v1/ledger/calendar`."""

    ask: Ask

    bodies = BodyReader(SetCalendarBody)

    @operation(
        "GET",
        "/v1/ledger/calendar",
        operation_id="getLedgerCalendar",
        summary="Get the calendar of the books",
        tags=["periods"],
        answer=CalendarBody,
        permission="ledger:read",
    )
    async def get_ledger_calendar(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        return json_answer(calendar_body(await self.ask(GetCalendar(tenant_id=caller.tenant_id))))

    @operation(
        "PUT",
        "/v1/ledger/calendar",
        operation_id="putLedgerCalendar",
        summary="Keep the books by another calendar",
        description="The next period ends with a midnight of this time zone, and financial statements without `tz` are by it. "
        "What is closed stays closed.",
        tags=["periods"],
        body=SetCalendarBody,
        example={"zone": "America/Sao_Paulo"},
        answer=CalendarBody,
        permission="admin:write",
        refusals=(CalendarInvalid,),
        change=Change(SetCalendar, "ledger.set_calendar", target="zone"),
    )
    async def put_ledger_calendar(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_storable({"/zone": requested.zone})
        chosen = await self.ask(SetCalendar(tenant_id=caller.tenant_id, zone=requested.zone, changed_by=caller.actor))
        return json_answer(calendar_body(chosen))
