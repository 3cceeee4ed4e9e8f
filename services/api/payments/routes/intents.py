"""Payment intents: create, read and list; and the alias by order."""

from datetime import datetime, timedelta
from functools import partial

import msgspec
from litestar import Response

from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.contracts.gateway_requests import FindPaymentsByReference
from libs.common.currencies import EXPONENTS
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.money import (
    AMOUNT_PATTERN,
    InvalidAmount,
    UnsupportedCurrency,
    format_minor,
    parse_amount,
)
from services.api.errors import (
    BillingDetailsRequired,
    CustomerRequired,
    CustomerUnknown,
    PaymentIntentNotFound,
    PaymentMethodNotOfCustomer,
    PaymentMethodTypeNotAllowed,
)
from services.api.http.bodies import BodyReader, amount_in, require_one_line, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import FLAG_SHAPE, AnyRequest, Query, QueryParameter, path_id, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.idempotency import Answer, Idempotency
from services.api.idempotency.requests import given_answer, require_key
from services.api.payments import queries
from services.api.payments.commands import NewIntent, PaymentCommands
from services.api.payments.domain import Amounts, CaptureMethod, IntentFilter, Reference
from services.api.payments.routes.methods import require_customer, saved_method
from services.api.payments.routes.timeline import EXPAND, EXPANSIONS, ExpandedPaymentIntent, Expansion
from services.api.payments.schemas import (
    CreatePaymentIntent,
    OrderPayment,
    PaymentIntentBody,
    PaymentIntentPage,
    intent_body,
    render_intent,
)

PAGE_SIZE, PAGE_SIZE_MAX = 50, 500
PAGE_MAX = 1_000_000
REFERENCE_MAX = 255
"""Characters of a processor's reference."""
AMOUNT_DAYS, AMOUNT_DAYS_MAX = 30, 92
"""An amount is in no index: every payment of the time is read."""
_WRITE, _READ = "payments:write", "payments:read"
_EXAMPLE = {"amount": "150.50", "currency": "BRL", "customer_ref": "customer@example.com"}
_MISSING_CREATE_KEY = "Missing Idempotency-Key header (required for POST /v1/payment-intents)"

_ORDER = "is not taken: a payment is linked to an order by the order's own charge request only"
_OF_ORDERS = {"/order_id": _ORDER, "/orderId": _ORDER}
_TAX_DIGITS = (11, 14)
"""Digits of a CPF and of a CNPJ."""
_INSTANT = {"type": "string", "examples": ["2026-04-01", "2026-04-30T23:59:59.999+00:00"]}
_LIST_QUERY = (
    QueryParameter(
        name="status",
        description="Comma list. PENDING means CREATED or PROCESSING, CONFIRMED means AUTHORIZED or SETTLED, "
        "CANCELLED means VOIDED.",
        shape={"type": "string", "examples": ["SETTLED,FAILED"]},
    ),
    QueryParameter(name="customer_ref", description="Exactly this reference.", shape={"type": "string"}),
    QueryParameter(
        name="customer_ref_prefix",
        description="References that begin with this, in this case: `order:` finds `order:42`.",
        shape={"type": "string"},
    ),
    QueryParameter(name="currency", description="ISO 4217 code.", shape={"type": "string", "pattern": "^[A-Z]{3}$"}),
    QueryParameter(name="order_id", description="The intent of this order.", shape={"type": "string"}),
    QueryParameter(
        name="refund_id", description="The intent of this refund.", shape={"type": "string", "format": "uuid"}
    ),
    QueryParameter(
        name="gateway_ref",
        description="The intents of a reference of the processor: of a payment, charge, refund, dispute or balance "
        "transaction of Stripe; of the sandbox, of a refund or dispute alone.",
        shape={"type": "string", "maxLength": REFERENCE_MAX, "examples": ["pi_3NqFb8example"]},
    ),
    QueryParameter(
        name="amount",
        description="Exactly this amount, of `currency` or of any; at most "
        f"{AMOUNT_DAYS_MAX} days from `from` to `to`, the last {AMOUNT_DAYS} where `from` is missing.",
        shape={"type": "string", "pattern": AMOUNT_PATTERN, "examples": ["150.50"]},
    ),
    QueryParameter(name="from", description="Created at or after this date or instant (UTC).", shape=_INSTANT),
    QueryParameter(name="to", description="Created until this instant, or on this date, included.", shape=_INSTANT),
    QueryParameter(
        name="page", description="From 1.", shape={"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 1}
    ),
    QueryParameter(
        name="pageSize",
        description="Intents on a page.",
        shape={"type": "integer", "minimum": 1, "maximum": PAGE_SIZE_MAX, "default": PAGE_SIZE},
    ),
    QueryParameter(
        name="total", description="Whether a numbered page counts all; `true` where it is missing.", shape=FLAG_SHAPE
    ),
    QueryParameter(
        name="cursor",
        description="The `next_cursor` of the page before: instead of `page`, at the same cost however deep.",
        shape={"type": "string"},
    ),
)


class PaymentIntents(Resource):
    """Routes of payment intents; `currencies` narrows what is accepted, empty: all."""

    payments: PaymentCommands
    idempotency: Idempotency
    database: Database
    expansion: Expansion
    totals: queries.Totals
    currencies: frozenset[str]
    ask: Ask

    bodies = BodyReader(CreatePaymentIntent, moves_money=True, unread=_OF_ORDERS)

    @operation(
        "POST",
        "/v1/payment-intents",
        operation_id="createPaymentIntent",
        summary="Create a payment intent",
        description="Says that you wish to be paid. Nothing is collected until it is confirmed.",
        tags=["payment intents"],
        body=CreatePaymentIntent,
        moves_money=True,
        example=_EXAMPLE,
        answer=PaymentIntentBody,
        audit="payment_intent.create",
        permission=_WRITE,
        idempotent=True,
        refusals=(
            *(UnsupportedCurrency, InvalidAmount, PaymentMethodTypeNotAllowed, BillingDetailsRequired),
            *(CustomerRequired, CustomerUnknown, PaymentMethodNotOfCustomer),
        ),
    )
    async def create_payment_intent(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        raw = await request.body()
        body = await self.bodies.take(raw)
        requested = new_intent(body, currencies=self.currencies)
        key = require_key(request.headers, missing=_MISSING_CREATE_KEY)
        claim = self.idempotency.claim(
            tenant_id=caller.tenant_id, operation="create", key=key, body=raw, meaning=requested.meaning
        )
        create = partial(
            self.payments.create,
            requested,
            action=audit_action(),
            claim=claim,
            actor=caller.actor,
            correlation=caller.correlation,
        )

        async def create_for_customer() -> Answer | None:
            # Not of a repetition, which is answered as before also where the method is detached by now.
            if not await self.idempotency.is_taken(claim):
                await require_customer(
                    self.database,
                    self.ask,
                    tenant_id=caller.tenant_id,
                    customer_id=requested.customer_id,
                    saved_method_id=requested.saved_method_id,
                )
            return await create()

        first = create if requested.customer_id is None else create_for_customer
        return given_answer(await self.idempotency.run(claim, first))

    @operation(
        "GET",
        "/v1/payment-intents/{intent_id:str}",
        operation_id="getPaymentIntent",
        summary="Get a payment intent",
        tags=["payment intents"],
        answer=ExpandedPaymentIntent,
        permission=_READ,
        query=(EXPAND,),
        refusals=(PaymentIntentNotFound,),
    )
    async def get_payment_intent(self, caller: Caller, request: AnyRequest, intent_id: str) -> Response[bytes]:
        named = {part.strip() for part in request.query_params.get("expand", "").split(",")}
        if "entries" in named:
            # What is to be shown decides which permissions are needed; whether it can be shown is checked after them.
            caller = await self.access.admit(request.headers, "ledger:read")
        requested = Query(request).names("expand", EXPANSIONS) or ()
        intent = await queries.get(self.database, caller.tenant_id, path_id(intent_id, "payment_intent_id"))
        return json_answer(await self.expansion.show(intent, requested) if requested else render_intent(intent))

    @operation(
        "GET",
        "/v1/payment-intents",
        operation_id="listPaymentIntents",
        summary="List payment intents",
        description="Newest first. Numbered pages count all; a cursor stays fast and stable at any depth.",
        tags=["payment intents"],
        answer=PaymentIntentPage,
        permission=_READ,
        query=_LIST_QUERY,
    )
    async def list_payment_intents(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        given = intent_filter(query)
        requested = given if given.amounts is None else _within_days(given, self.clock.now())
        requested = await self._with_intents(caller, requested)
        size = query.integer("pageSize", default=PAGE_SIZE, at_least=1, at_most=PAGE_SIZE_MAX)
        number = query.integer("page", default=1, at_least=1, at_most=PAGE_MAX)
        cursor = query.cursor()
        if cursor is None:
            counting = None if query.flag("total") is False else self.totals
            found = await queries.numbered_page(
                *(self.database, counting, caller.tenant_id, requested), given=given, page=number, page_size=size
            )
        else:
            found = await queries.cursor_page(
                self.database, caller.tenant_id, requested, given=given, cursor=cursor, page_size=size
            )
        page = PaymentIntentPage(
            data=[intent_body(intent) for intent in found.intents],
            total=msgspec.UNSET if found.total is None else found.total,
            page=msgspec.UNSET if cursor is not None else number,
            pageSize=size,
            next_cursor=found.next_cursor,
        )
        link = query.link(found.next_cursor)
        return json_answer(page, headers=link)

    async def _with_intents(self, caller: Caller, requested: IntentFilter) -> IntentFilter:
        """Find what a processor's reference is about, where one is given."""
        if requested.gateway_ref is None:
            return requested
        text = requested.gateway_ref.text
        found = await self.ask(FindPaymentsByReference(tenant_id=caller.tenant_id, reference=text))
        named = Reference(text=text, intent_ids=tuple(found.payment_intent_ids))
        return msgspec.structs.replace(requested, gateway_ref=named)

    @operation(
        "GET",
        "/v1/payments",
        operation_id="listPaymentsOfOrder",
        summary="Find the payment of an order",
        tags=["payment intents"],
        answer=list[OrderPayment],
        permission=_READ,
        query=(QueryParameter(name="orderId", description="The order.", shape={"type": "string"}, required=True),),
    )
    async def list_payments_of_order(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        order_id = Query(request).text("orderId")
        if order_id is None:
            raise wrong("orderId", "is required")
        found = await queries.by_order(self.database, caller.tenant_id, order_id)
        return json_answer(
            [
                OrderPayment(
                    id=str(i.id), order_id=order_id, status=i.status, amount=format_minor(i.amount_minor, i.currency)
                )
                for i in found
            ]
        )


def new_intent(body: CreatePaymentIntent, *, currencies: frozenset[str]) -> NewIntent:
    """Read what a merchant asks for.

    Raises:
        UnsupportedCurrency: for a currency that is not supported.
        PaymentMethodTypeNotAllowed: for a code or a slip in another currency than BRL, or to be captured later.
        BillingDetailsRequired: for a boleto that does not name who pays.
        CustomerRequired: for a saved payment method without its customer, or nobody to charge off session.
        Invalid: for an amount that is not one, or a text that cannot be kept.
    """
    texts = {
        "/customer_ref": body.customer_ref,
        "/description": body.description,
        "/payment_method": body.payment_method,
    }
    for name, value in (body.metadata or {}).items():
        texts[f"/metadata/{name}"] = name + value
    require_storable(texts)
    if (payer := body.billing_details) is not None:
        named = {"name": payer.name, "email": payer.email, "tax_id": payer.tax_id}
        named |= {f"address/{name}": text for name, text in msgspec.structs.asdict(payer.address).items()}
        require_one_line({f"/billing_details/{name}": text for name, text in named.items()})
    if currencies and body.currency not in currencies:
        raise _unsupported_currency()
    try:
        amount_minor = parse_amount(amount_in(bytes(body.amount), "/amount"), body.currency)
    except UnsupportedCurrency as fault:
        raise _unsupported_currency(fault.detail) from fault
    _require_payable(body)
    saved_method_id = saved_method(
        payment_method=body.payment_method, off_session=body.off_session, customer_id=body.customer
    )
    return NewIntent(
        amount_minor=amount_minor,
        currency=body.currency,
        customer_ref=body.customer_ref,
        description=body.description,
        metadata=body.metadata or {},
        capture_method=body.capture_method or CaptureMethod.AUTOMATIC,
        payment_method="" if saved_method_id else body.payment_method or "",
        customer_id=body.customer,
        saved_method_id=saved_method_id,
        off_session=bool(body.off_session),
        return_url=body.return_url or "",
        payment_method_type=body.payment_method_type or PaymentMethodType.CARD,
        billing_details=body.billing_details,
    )


def _require_payable(body: CreatePaymentIntent) -> None:
    """Refuse what a code or a slip cannot be made for, before anything is written down."""
    kind = body.payment_method_type or PaymentMethodType.CARD
    if kind is PaymentMethodType.CARD:
        return
    if body.currency != "BRL":
        raise PaymentMethodTypeNotAllowed(f"{kind} is for BRL only", "currency")
    if body.capture_method is CaptureMethod.MANUAL:
        raise PaymentMethodTypeNotAllowed(f"{kind} is captured at once", "capture_method")
    if body.payment_method:
        raise PaymentMethodTypeNotAllowed(f"{kind} takes no token of a payment method", "payment_method")
    if kind is PaymentMethodType.BOLETO and body.billing_details is None:
        raise BillingDetailsRequired("a boleto names who pays", "billing_details")
    if body.billing_details is not None and len(body.billing_details.tax_digits) not in _TAX_DIGITS:
        raise BillingDetailsRequired("a CPF has 11 digits, a CNPJ 14", "billing_details/tax_id")


def _unsupported_currency(detail: str = "unsupported currency") -> UnsupportedCurrency:
    return UnsupportedCurrency(detail, errors=(("/currency", detail),))


def intent_filter(query: Query) -> IntentFilter:
    """Read which intents are meant."""
    return IntentFilter(
        statuses=query.names("status", queries.STATUS_NAMES),
        customer_ref=query.text("customer_ref"),
        customer_ref_prefix=query.text("customer_ref_prefix") or None,
        currency=query.currency(),
        order_id=query.text("order_id"),
        refund_id=query.identifier("refund_id"),
        gateway_ref=_reference(query),
        amounts=_amounts(query),
        created_from=query.begin(),
        created_until=query.end(),
    )


def _reference(query: Query) -> Reference | None:
    """Read a reference of the processor."""
    text = query.text("gateway_ref", length_max=REFERENCE_MAX)
    return None if text is None else Reference(text=text)


def _amounts(query: Query) -> Amounts | None:
    """Read an amount, of a currency or of each that can have it."""
    text, currency = query.text("amount"), query.currency()
    if text is None:
        return None
    found: dict[str, int] = {}
    for code in [currency] if currency else EXPONENTS:
        try:
            found[code] = parse_amount(text, code, withdrawn=True)
        except Invalid:
            continue
    if not found:
        raise wrong("amount", "must be above zero, with no more decimals than the currency has")
    return Amounts(
        minor=tuple(sorted({*found.values()})), texts=tuple(f"{minor}{code}" for code, minor in sorted(found.items()))
    )


def _within_days(requested: IntentFilter, now: datetime) -> IntentFilter:
    """Bound the time in which an amount is looked for.

    Raises:
        Invalid: when it is too long.
    """
    until = min(requested.created_until or now, now)
    begin = requested.created_from
    if begin is not None and until - begin > timedelta(days=AMOUNT_DAYS_MAX):
        raise wrong("from", f"must be at most {AMOUNT_DAYS_MAX} days before to where amount is given")
    return msgspec.structs.replace(requested, created_from=begin or until - timedelta(days=AMOUNT_DAYS))
