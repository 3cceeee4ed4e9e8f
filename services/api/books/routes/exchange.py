"""Exchange rates, conversions and balances in one currency; the ledger keeps them and answers over the broker."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from litestar import Response

from libs.common.contracts.ledger_errors import (
    AccountUnknown,
    ApprovalRequired,
    BalanceOverflow,
    CeilingCrossed,
    ConversionConflict,
    ConversionInvalid,
    ConversionOutsideBand,
    ConversionTooLarge,
    ConversionTooSmall,
    ConversionUnknown,
    CurrencyNotTaken,
    FloorCrossed,
    PeriodClosed,
    QueryInvalid,
    RateConflict,
    RateInvalid,
    RateUnknown,
)
from libs.common.contracts.ledger_money import (
    GetConsolidatedBalances,
    GetConversion,
    GetConvertedAmount,
    ListConversions,
    ListExchangeRates,
    PostConversion,
    RecordExchangeRate,
)
from libs.common.errors import Invalid
from libs.common.money import InvalidAmount, UnsupportedCurrency, is_currency, is_known_currency, parse_amount
from services.api.books.schemas.exchange import (
    ABSENT,
    ConsolidatedBody,
    ConversionBody,
    ConvertAmount,
    ConvertedBody,
    CreateConversion,
    ExchangeRateBody,
    RecordRate,
    consolidated_body,
    conversion_body,
    converted_body,
    rate_body,
)
from services.api.http.bodies import BodyReader, amount_in, invalid, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import FLAG_SHAPE, AnyRequest, Query, QueryParameter, path_id, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask, refuse_key

RATES, RATES_MAX = 100, 500
CONVERSIONS, CONVERSIONS_MAX = 50, 200
_READ, _WRITE, _POST = "ledger:read", "admin:write", "ledger:write"
_RATE = re.compile(r"\d{1,40}(\.\d{1,40})?\Z", re.ASCII)

_CODE = {"type": "string", "pattern": "^[A-Z]{3}$"}
_INSTANT = {"type": "string", "examples": ["2026-04-01", "2026-04-30T23:59:59.999+00:00"]}
_AT = QueryParameter(
    name="at", description="As of this instant, or of midnight UTC of this date; absent: now.", shape=_INSTANT
)
_RATES_QUERY = (
    QueryParameter(name="from_currency", description="From this currency.", shape=_CODE),
    QueryParameter(name="to_currency", description="To this currency.", shape=_CODE),
    _AT,
    QueryParameter(
        name="history",
        description="`true`: every rate that was recorded, the last to take effect first, until `at` where it is given.",
        shape={**FLAG_SHAPE, "default": "false"},
    ),
    QueryParameter(
        name="limit",
        description="Rates at most.",
        shape={"type": "integer", "minimum": 1, "maximum": RATES_MAX, "default": RATES},
    ),
    QueryParameter(name="cursor", description="From the `Link` of the page before.", shape={"type": "string"}),
)
_CONVERSIONS_QUERY = (
    QueryParameter(
        name="limit",
        description="Conversions at most.",
        shape={"type": "integer", "minimum": 1, "maximum": CONVERSIONS_MAX, "default": CONVERSIONS},
    ),
    QueryParameter(name="cursor", description="From the `Link` of the page before.", shape={"type": "string"}),
)
_CONVERT_QUERY = (
    QueryParameter(
        name="amount", description="Above zero.", shape={"type": "string", "examples": ["100.00"]}, required=True
    ),
    QueryParameter(name="from_currency", description="What it is in.", shape=_CODE, required=True),
    QueryParameter(name="to_currency", description="What it is to be shown in.", shape=_CODE, required=True),
    _AT,
)
_CONVERT_REFUSALS = (UnsupportedCurrency, InvalidAmount, RateUnknown)


class ExchangeRates(Resource):
    """Routes of exchange rates, of conversions, and of balances in one currency."""

    ask: Ask

    rate_bodies, amount_bodies, conversion_bodies = (
        BodyReader(RecordRate, moves_money=True),
        BodyReader(ConvertAmount, moves_money=True),
        BodyReader(CreateConversion, moves_money=True),
    )

    @operation(
        "GET",
        "/v1/exchange-rates",
        operation_id="listExchangeRates",
        summary="List exchange rates",
        description="The rate of each pair in effect, by pair, or the history; a bare array, the next page in `Link`.",
        tags=["exchange rates"],
        answer=list[ExchangeRateBody],
        permission=_READ,
        query=_RATES_QUERY,
        refusals=(QueryInvalid,),
    )
    async def list_exchange_rates(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        page = await self.ask(
            ListExchangeRates(
                tenant_id=caller.tenant_id,
                from_currency=query.currency("from_currency"),
                to_currency=query.currency("to_currency"),
                at=query.begin("at"),
                history=query.flag("history") is True,
                limit=query.integer("limit", default=RATES, at_least=1, at_most=RATES_MAX),
                cursor=query.cursor(),
            )
        )
        link = query.link(page.next_cursor)
        return json_answer([rate_body(rate) for rate in page.rates], headers=link)

    @operation(
        "POST",
        "/v1/exchange-rates",
        operation_id="recordExchangeRate",
        summary="Record an exchange rate",
        description="Never changed once recorded; the same again is the same. A correction is one that takes effect later.",
        tags=["exchange rates"],
        body=RecordRate,
        moves_money=True,
        example={"from_currency": "USD", "to_currency": "BRL", "rate": "5.4321", "source": "ECB"},
        answer=ExchangeRateBody,
        permission=_WRITE,
        status=201,
        refusals=(UnsupportedCurrency, RateInvalid, RateConflict),
        change=Change(RecordExchangeRate, "ledger.record_exchange_rate", target="rate_id"),
    )
    async def record_exchange_rate(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        body = await self.rate_bodies.take(await request.body())
        require_storable({"/source": body.source})
        _require_currencies(body.from_currency, body.to_currency)
        recorded = await self.ask(
            RecordExchangeRate(
                tenant_id=caller.tenant_id,
                rate_id=resource_id(),
                from_currency=body.from_currency,
                to_currency=body.to_currency,
                rate=_exact_rate(bytes(body.rate)),
                effective_at=_utc(body.effective_at, "/effective_at"),
                source=body.source,
                actor=caller.actor,
            )
        )
        return json_answer(rate_body(recorded), status=201)

    @operation(
        "GET",
        "/v1/exchange-rates/convert",
        operation_id="getConvertedAmount",
        summary="Show an amount in another currency",
        description="Nothing is posted. Directly, inverted, or over USD or EUR; the rates that were applied are in the answer.",
        tags=["exchange rates"],
        answer=ConvertedBody,
        permission=_READ,
        query=_CONVERT_QUERY,
        refusals=_CONVERT_REFUSALS,
    )
    async def get_converted_amount(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        given = {name: query.text(name) for name in ("amount", "from_currency", "to_currency")}
        for name, value in given.items():
            if value is None:
                raise wrong(name, "is required")
        texts = {name: value or "" for name, value in given.items()}
        _require_currencies(texts["from_currency"], texts["to_currency"], withdrawn=True)
        found = await self.ask(
            GetConvertedAmount(
                tenant_id=caller.tenant_id,
                from_currency=texts["from_currency"],
                to_currency=texts["to_currency"],
                amount_minor=parse_amount(texts["amount"], texts["from_currency"], withdrawn=True),
                at=query.begin("at"),
            )
        )
        return json_answer(converted_body(found))

    @operation(
        "POST",
        "/v1/exchange-rates/convert",
        operation_id="convertAmount",
        summary="Show an amount in another currency",
        description="As the GET of the same path: nothing is posted.",
        tags=["exchange rates"],
        body=ConvertAmount,
        moves_money=True,
        example={"amount": "100.00", "from_currency": "USD", "to_currency": "BRL"},
        answer=ConvertedBody,
        permission=_READ,
        key="refused",
        refusals=_CONVERT_REFUSALS,
    )
    async def convert_amount(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        body = await self.amount_bodies.take(await request.body())
        refuse_key(request.headers)
        _require_currencies(body.from_currency, body.to_currency)
        found = await self.ask(
            GetConvertedAmount(
                tenant_id=caller.tenant_id,
                from_currency=body.from_currency,
                to_currency=body.to_currency,
                amount_minor=parse_amount(amount_in(bytes(body.amount), "/amount"), body.from_currency),
                at=_utc(body.at, "/at"),
            )
        )
        return json_answer(converted_body(found))

    @operation(
        "POST",
        "/v1/ledger/conversions",
        operation_id="createConversion",
        summary="Exchange money in the books",
        description="Two linked entries, each balanced in its own currency, in one transaction. What was received at the "
        "bank may be given; what the rate does not explain is a gain or a loss.",
        tags=["ledger"],
        body=CreateConversion,
        moves_money=True,
        answer=ConversionBody,
        permission=_POST,
        status=201,
        refusals=(
            UnsupportedCurrency,
            InvalidAmount,
            AccountUnknown,
            RateUnknown,
            ConversionInvalid,
            ConversionTooSmall,
            ConversionOutsideBand,
            ConversionTooLarge,
            ConversionConflict,
            ApprovalRequired,
            CurrencyNotTaken,
            FloorCrossed,
            CeilingCrossed,
            PeriodClosed,
            BalanceOverflow,
        ),
        change=Change(PostConversion, "ledger.post_conversion", target="conversion_id"),
    )
    async def create_conversion(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        body = await self.conversion_bodies.take(await request.body())
        require_storable({"/from_account": body.from_account, "/to_account": body.to_account})
        _require_currencies(body.from_currency, body.to_currency)
        received = bytes(body.received_amount)
        done = await self.ask(
            PostConversion(
                tenant_id=caller.tenant_id,
                conversion_id=body.id,
                from_currency=body.from_currency,
                to_currency=body.to_currency,
                amount_minor=parse_amount(amount_in(bytes(body.amount), "/amount"), body.from_currency),
                received_minor=None
                if received == bytes(ABSENT)
                else parse_amount(amount_in(received, "/received_amount"), body.to_currency),
                from_account=body.from_account,
                to_account=body.to_account,
                occurred_at=_utc(body.occurred_at, "/occurred_at"),
                actor=caller.actor,
            )
        )
        return json_answer(conversion_body(done), status=201)

    @operation(
        "GET",
        "/v1/ledger/conversions",
        operation_id="listConversions",
        summary="List conversions",
        description="The newest ids first, as a bare array; a `Link` leads to the next page.",
        tags=["ledger"],
        answer=list[ConversionBody],
        permission=_READ,
        query=_CONVERSIONS_QUERY,
        refusals=(QueryInvalid,),
    )
    async def list_conversions(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        page = await self.ask(
            ListConversions(
                tenant_id=caller.tenant_id,
                cursor=query.cursor(),
                limit=query.integer("limit", default=CONVERSIONS, at_least=1, at_most=CONVERSIONS_MAX),
            )
        )
        link = query.link(page.next_cursor)
        return json_answer([conversion_body(done) for done in page.conversions], headers=link)

    @operation(
        "GET",
        "/v1/ledger/conversions/{conversion_id:str}",
        operation_id="getConversion",
        summary="Get a conversion",
        tags=["ledger"],
        answer=ConversionBody,
        permission=_READ,
        refusals=(ConversionUnknown,),
    )
    async def get_conversion(self, caller: Caller, request: AnyRequest, conversion_id: str) -> Response[bytes]:
        named = path_id(conversion_id, "conversion_id")
        done = await self.ask(GetConversion(tenant_id=caller.tenant_id, conversion_id=named))
        return json_answer(conversion_body(done))

    @operation(
        "GET",
        "/v1/ledger/balances/consolidated",
        operation_id="getConsolidatedBalances",
        summary="Get all balances in one currency",
        description="With the rates that were used. A currency that no rate leads from is named, never guessed.",
        tags=["ledger"],
        answer=ConsolidatedBody,
        permission=_READ,
        query=(
            QueryParameter(name="currency", description="To be shown in.", shape=_CODE, required=True),
            _AT,
        ),
        refusals=(UnsupportedCurrency, QueryInvalid),
    )
    async def get_consolidated_balances(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        currency = query.text("currency")
        if currency is None:
            raise wrong("currency", "is required")
        if not is_known_currency(currency):
            raise UnsupportedCurrency(errors=(("currency", "unsupported currency"),))
        found = await self.ask(
            GetConsolidatedBalances(tenant_id=caller.tenant_id, currency=currency, at=query.begin("at"))
        )
        return json_answer(consolidated_body(found))


def _require_currencies(from_currency: str, to_currency: str, *, withdrawn: bool = False) -> None:
    is_taken = is_known_currency if withdrawn else is_currency
    named = (("/from_currency", from_currency), ("/to_currency", to_currency))
    if unknown := tuple((pointer, "unsupported currency") for pointer, code in named if not is_taken(code)):
        raise UnsupportedCurrency("unsupported currency", errors=unknown)


def _utc(instant: datetime | None, pointer: str) -> datetime | None:
    try:
        return None if instant is None else instant.astimezone(UTC)
    except OverflowError as fault:
        raise invalid([(pointer, "must be an instant between the years 1 and 9999 in UTC")]) from fault


def _exact_rate(raw: bytes) -> Decimal:
    try:
        given = amount_in(raw, "/rate")
    except Invalid as fault:
        raise invalid([("/rate", "must be a positive decimal number")]) from fault
    if (isinstance(given, str) and not _RATE.match(given)) or Decimal(given) < 0:
        raise invalid([("/rate", "must be a positive decimal number")])
    return Decimal(given)
