"""Holds, as clients see them; the ledger keeps them and is asked over the broker."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response

from libs.common.clock import iso
from libs.common.contracts.ledger_books import CaptureHold, GetHold, Hold, HoldState, ListHolds, PlaceHold, VoidHold
from libs.common.errors import Invalid
from libs.common.money import format_minor, parse_amount
from services.api.http.bodies import BodyReader, NoMembers, amount_in, require_storable, take_nothing
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest, Query, QueryParameter, instant, next_link, path_id, wrong
from services.api.http.problems import refusal
from services.api.http.rendering import AmountIn, json_answer
from services.api.http.requests import Ask

_READ, _WRITE = "ledger:read", "ledger:write"
HOLDS, HOLDS_MAX = 50, 500
_ABSENT = b"null"
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

type _Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class PlaceHoldBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount to be set aside."""

    debit_account: _Code
    credit_account: _Code
    amount: AmountIn
    currency: Annotated[str, msgspec.Meta(min_length=3, max_length=8, description="ISO 4217 code, upper case.")]
    expires_at: (
        Annotated[str, msgspec.Meta(max_length=64, description="When it is let go by itself; absent: never.")] | None
    ) = None
    id: Annotated[UUID, msgspec.Meta(description="Yours, which makes asking again harmless; absent: ours.")] | None = (
        None
    )


class CaptureHoldBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a hold is to be posted."""

    amount: AmountIn = msgspec.field(default_factory=lambda: msgspec.Raw(_ABSENT))
    """All of it where it is absent."""


class HoldBody(msgspec.Struct, frozen=True, kw_only=True):
    """An amount set aside."""

    id: str
    debit_account: str
    credit_account: str
    currency: str
    amount: str
    captured: str
    state: HoldState
    placed_at: str
    expires_at: str | None
    resolved_at: str | None
    entry_id: str | None


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
            "unsupported_currency",
            "invalid_amount",
            "entry_invalid",
            "account_unknown",
            "currency_not_taken",
            "floor_crossed",
            "ceiling_crossed",
            "balance_overflow",
            "hold_conflict",
        ),
        change=Change(PlaceHold, "ledger.place_hold", target="hold_id"),
    )
    async def place_hold(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        wanted = await self.bodies.take(await request.body())
        require_storable({"/debit_account": wanted.debit_account, "/credit_account": wanted.credit_account})
        hold = await self.ask(
            PlaceHold(
                tenant_id=caller.tenant_id,
                hold_id=wanted.id or resource_id(),
                debit_account=wanted.debit_account,
                credit_account=wanted.credit_account,
                currency=wanted.currency,
                amount_minor=_minor(bytes(wanted.amount), wanted.currency),
                expires_at=None if wanted.expires_at is None else instant("expires_at", wanted.expires_at),
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
        refusals=("query_invalid",),
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
        link = {"Link": next_link(query.given, page.next_cursor)} if page.next_cursor else None
        return json_answer([hold_body(hold) for hold in page.holds], headers=link)

    @operation(
        "GET",
        "/v1/ledger/holds/{hold_id:str}",
        operation_id="getHold",
        summary="Get a hold",
        tags=["holds"],
        answer=HoldBody,
        permission=_READ,
        refusals=("hold_not_found",),
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
            "hold_not_found",
            "hold_resolved",
            "hold_exceeded",
            "invalid_amount",
            "floor_crossed",
            "ceiling_crossed",
            "balance_overflow",
        ),
        change=Change(CaptureHold, "ledger.capture_hold", target="hold_id"),
    )
    async def capture_hold(self, caller: Caller, request: AnyRequest, hold_id: str) -> Response[bytes]:
        wanted_id = path_id(hold_id, "hold_id")
        amount = (await self.captures.take(await request.body() or b"{}")).amount
        amount_minor = None
        if bytes(amount) != _ABSENT:
            # How many decimals an amount has is a matter of the hold's currency.
            hold = await self.ask(GetHold(tenant_id=caller.tenant_id, hold_id=wanted_id))
            amount_minor = _minor(bytes(amount), hold.currency, withdrawn=True)
        captured = await self.ask(CaptureHold(tenant_id=caller.tenant_id, hold_id=wanted_id, amount_minor=amount_minor))
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
        refusals=("hold_not_found", "hold_resolved"),
        change=Change(VoidHold, "ledger.void_hold", target="hold_id"),
    )
    async def void_hold(self, caller: Caller, request: AnyRequest, hold_id: str) -> Response[bytes]:
        await take_nothing(await request.body())
        voided = await self.ask(VoidHold(tenant_id=caller.tenant_id, hold_id=path_id(hold_id, "hold_id")))
        return json_answer(hold_body(voided))


def _minor(raw: bytes, currency: str, *, withdrawn: bool = False) -> int:
    try:
        return parse_amount(amount_in(raw, "/amount"), currency, withdrawn=withdrawn)
    except Invalid as fault:
        if fault.reason != "unsupported_currency":
            raise
        raise refusal(
            "unsupported_currency", "unsupported currency", errors=(("/currency", "unsupported currency"),)
        ) from fault


def hold_body(hold: Hold) -> HoldBody:
    """Show a hold as clients see it."""
    return HoldBody(
        id=str(hold.id),
        debit_account=hold.debit_account,
        credit_account=hold.credit_account,
        currency=hold.currency,
        amount=format_minor(hold.amount_minor, hold.currency),
        captured=format_minor(hold.captured_minor, hold.currency),
        state=hold.state,
        placed_at=iso(hold.placed_at),
        expires_at=None if hold.expires_at is None else iso(hold.expires_at),
        resolved_at=None if hold.resolved_at is None else iso(hold.resolved_at),
        entry_id=None if hold.entry_id is None else str(hold.entry_id),
    )
