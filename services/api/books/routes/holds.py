"""Holds, as clients see them; the ledger keeps them and answers over the broker."""

from litestar import Response

from libs.common.contracts.ledger_books import CaptureHold, GetHold, HoldState, ListHolds, PlaceHold, VoidHold
from libs.common.contracts.ledger_errors import (
    AccountUnknown,
    ApprovalRequired,
    BalanceOverflow,
    CeilingCrossed,
    CurrencyNotTaken,
    EntryInvalid,
    FloorCrossed,
    HoldConflict,
    HoldExceeded,
    HoldNotFound,
    HoldResolved,
    QueryInvalid,
)
from libs.common.money import InvalidAmount, UnsupportedCurrency, parse_amount
from services.api.books.schemas.holds import ABSENT, CaptureHoldBody, HoldBody, PlaceHoldBody, hold_body
from services.api.http.bodies import BodyReader, NoMembers, amount_in, require_storable, take_nothing
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest, Query, QueryParameter, instant, path_id, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_READ, _WRITE = "ledger:read", "ledger:write"
HOLDS, HOLDS_MAX = 50, 500
_STATES = {state.value: (state.value,) for state in HoldState}
_EXAMPLE = {"debit_account": "CASH", "credit_account": "REVENUE", "amount": "150.50", "currency": "BRL"}
_LIST = (
    QueryParameter(
        name="state", description="Only holds that stand like this.", shape={"type": "string", "enum": list(_STATES)}
    ),
    QueryParameter(
        name="limit",
        description="Holds at most.",
        shape={"type": "integer", "minimum": 1, "maximum": HOLDS_MAX, "default": HOLDS},
    ),
    QueryParameter(name="cursor", description="From the `Link` of the page before.", shape={"type": "string"}),
)


class Holds(Resource):
    """Routes of holds."""

    ask: Ask

    bodies, captures = BodyReader(PlaceHoldBody, moves_money=True), BodyReader(CaptureHoldBody, moves_money=True)

    @operation(
        "POST",
        "/v1/ledger/holds",
        operation_id="placeHold",
        summary="Place a hold",
        description="Sets an amount aside on both accounts. What is available is checked under the same lock as every "
        "posting. The same `id` and content again is answered the same.",
        tags=["holds"],
        body=PlaceHoldBody,
        moves_money=True,
        example=_EXAMPLE,
        answer=HoldBody,
        permission=_WRITE,
        status=201,
        refusals=(
            UnsupportedCurrency,
            InvalidAmount,
            EntryInvalid,
            AccountUnknown,
            CurrencyNotTaken,
            FloorCrossed,
            CeilingCrossed,
            BalanceOverflow,
            HoldConflict,
            ApprovalRequired,
        ),
        change=Change(PlaceHold, "ledger.place_hold", target="hold_id"),
    )
    async def place_hold(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_storable({"/debit_account": requested.debit_account, "/credit_account": requested.credit_account})
        hold = await self.ask(
            PlaceHold(
                tenant_id=caller.tenant_id,
                hold_id=requested.id or resource_id(),
                debit_account=requested.debit_account,
                credit_account=requested.credit_account,
                currency=requested.currency,
                amount_minor=_minor(bytes(requested.amount), requested.currency),
                expires_at=None if requested.expires_at is None else instant("expires_at", requested.expires_at),
            )
        )
        return json_answer(hold_body(hold), status=201)

    @operation(
        "GET",
        "/v1/ledger/holds",
        operation_id="listHolds",
        summary="List holds",
        description="Newest first, as a bare array; the next page is in the `Link` header.",
        tags=["holds"],
        answer=list[HoldBody],
        permission=_READ,
        query=_LIST,
        refusals=(QueryInvalid,),
    )
    async def list_holds(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        states = query.names("state", _STATES)
        if states is not None and len(states) != 1:
            raise wrong("state", f"must be one of {', '.join(_STATES)}")
        page = await self.ask(
            ListHolds(
                tenant_id=caller.tenant_id,
                state=None if states is None else HoldState(states[0]),
                limit=query.integer("limit", default=HOLDS, at_least=1, at_most=HOLDS_MAX),
                cursor=query.cursor(),
            )
        )
        link = query.link(page.next_cursor)
        return json_answer([hold_body(hold) for hold in page.holds], headers=link)

    @operation(
        "GET",
        "/v1/ledger/holds/{hold_id:str}",
        operation_id="getHold",
        summary="Get a hold",
        tags=["holds"],
        answer=HoldBody,
        permission=_READ,
        refusals=(HoldNotFound,),
    )
    async def get_hold(self, caller: Caller, request: AnyRequest, hold_id: str) -> Response[bytes]:
        found = await self.ask(GetHold(tenant_id=caller.tenant_id, hold_id=path_id(hold_id, "hold_id")))
        return json_answer(hold_body(found))

    @operation(
        "POST",
        "/v1/ledger/holds/{hold_id:str}/capture",
        operation_id="captureHold",
        summary="Capture a hold",
        description="Posts all of it, or `amount` of it, and lets the rest go. The same amount again is answered the same.",
        tags=["holds"],
        body=CaptureHoldBody,
        moves_money=True,
        body_optional=True,
        example={"amount": "100.00"},
        answer=HoldBody,
        permission=_WRITE,
        refusals=(
            HoldNotFound,
            HoldResolved,
            HoldExceeded,
            ApprovalRequired,
            InvalidAmount,
            FloorCrossed,
            CeilingCrossed,
            BalanceOverflow,
        ),
        change=Change(CaptureHold, "ledger.capture_hold", target="hold_id"),
    )
    async def capture_hold(self, caller: Caller, request: AnyRequest, hold_id: str) -> Response[bytes]:
        requested_id = path_id(hold_id, "hold_id")
        amount = (await self.captures.take(await request.body() or b"{}")).amount
        amount_minor = None
        if bytes(amount) != ABSENT:
            # How many decimals an amount has is a matter of the hold's currency.
            hold = await self.ask(GetHold(tenant_id=caller.tenant_id, hold_id=requested_id))
            amount_minor = _minor(bytes(amount), hold.currency, withdrawn=True)
        captured = await self.ask(
            CaptureHold(tenant_id=caller.tenant_id, hold_id=requested_id, amount_minor=amount_minor)
        )
        return json_answer(hold_body(captured))

    @operation(
        "POST",
        "/v1/ledger/holds/{hold_id:str}/void",
        operation_id="voidHold",
        summary="Void a hold",
        description="Lets it go. Again is answered the same.",
        tags=["holds"],
        body=NoMembers,
        answer=HoldBody,
        permission=_WRITE,
        refusals=(HoldNotFound, HoldResolved),
        change=Change(VoidHold, "ledger.void_hold", target="hold_id"),
    )
    async def void_hold(self, caller: Caller, request: AnyRequest, hold_id: str) -> Response[bytes]:
        await take_nothing(await request.body())
        voided = await self.ask(VoidHold(tenant_id=caller.tenant_id, hold_id=path_id(hold_id, "hold_id")))
        return json_answer(hold_body(voided))


def _minor(raw: bytes, currency: str, *, withdrawn: bool = False) -> int:
    try:
        return parse_amount(amount_in(raw, "/amount"), currency, withdrawn=withdrawn, own=True)
    except UnsupportedCurrency as fault:
        raise UnsupportedCurrency("unsupported currency", errors=(("/currency", "unsupported currency"),)) from fault
