"""What is done with a payment intent that is there: capture, void, refund; and its refunds and disputes."""

from functools import partial
from uuid import UUID

import msgspec
from litestar import Response

from libs.common.db import Database
from libs.common.money import InvalidAmount, parse_amount
from services.api.errors import (
    CannotCapture,
    CannotRefund,
    CannotVoid,
    CaptureExceedsAuthorization,
    PaymentIntentNotFound,
    RefundExceedsPayment,
)
from services.api.http import callers
from services.api.http.bodies import BodyReader, NoMembers, amount_in, require_storable, take_nothing
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest, path_id, prefers_async
from services.api.http.rendering import ALL, json_answer
from services.api.idempotency import Idempotency
from services.api.idempotency.requests import given_answer, require_key
from services.api.payments import queries
from services.api.payments.commands import Caller, Operations
from services.api.payments.schemas import (
    CaptureRequest,
    DisputeBody,
    PaymentIntentBody,
    RefundBody,
    RefundRequest,
    dispute_body,
    refund_body,
)

_WRITE, _READ = "payments:write", "payments:read"
_MISSING_KEY = "Missing Idempotency-Key"
_PREFER = (("Prefer", "`respond-async`: answer at once, without waiting for the processor."),)


class Meaning(msgspec.Struct, frozen=True):
    """What version 0.1 made the fingerprint of a capture, void or refund of; a new field does not belong here."""

    amount_minor: int | None = None
    reason: str | None = None


class PaymentOperations(Resource):
    """Routes that change a payment intent after it was confirmed, and those that list what came of it."""

    operations: Operations
    idempotency: Idempotency
    database: Database

    captures, given_back = BodyReader(CaptureRequest, moves_money=True), BodyReader(RefundRequest, moves_money=True)

    async def _amount_of(self, tenant_id: str, intent_id: UUID, raw: msgspec.Raw) -> int | None:
        if raw == ALL:
            return None
        # In the intent's own currency, whose decimals say what an amount may look like.
        intent = await queries.get(self.database, tenant_id, intent_id)
        return parse_amount(amount_in(bytes(raw), "/amount"), intent.currency, withdrawn=True)

    @operation(
        "POST",
        "/v1/payment-intents/{intent_id:str}/capture",
        operation_id="capturePaymentIntent",
        summary="Capture a payment intent",
        description="Takes held funds of an AUTHORIZED intent with `capture_method: manual`: all, or the amount given, once; "
        "the rest is released. Waits, bounded, for the processor: 200 when it has captured or refused, else 202. "
        "Capturing the same amount again answers the present state.",
        tags=["payment intents"],
        body=CaptureRequest,
        moves_money=True,
        body_optional=True,
        answer=PaymentIntentBody,
        audit="payment_intent.capture",
        permission=_WRITE,
        idempotent=True,
        accepted=True,
        refusals=(PaymentIntentNotFound, CannotCapture, CaptureExceedsAuthorization, InvalidAmount),
        headers=_PREFER,
        is_continuation=True,
    )
    async def capture_payment_intent(
        self, caller: callers.Caller, request: AnyRequest, intent_id: str
    ) -> Response[bytes]:
        requested = path_id(intent_id, "payment_intent_id")
        raw = await request.body()
        body = await self.captures.take(raw or b"{}")
        key = require_key(request.headers, missing=_MISSING_KEY)
        amount_minor = await self._amount_of(caller.tenant_id, requested, body.amount)
        claim = self.idempotency.claim(
            tenant_id=caller.tenant_id,
            operation=f"capture:{requested}",
            key=key,
            body=raw,
            meaning=Meaning(amount_minor),
        )
        asking = Caller(
            actor=caller.actor, correlation=caller.correlation, respond_async=prefers_async(request.headers)
        )
        given = await self.idempotency.run(
            claim,
            partial(
                self.operations.capture,
                requested,
                action=audit_action(),
                amount_minor=amount_minor,
                claim=claim,
                caller=asking,
            ),
            resume=partial(self.operations.resume, requested, claim=claim),
        )
        return given_answer(given)

    @operation(
        "POST",
        "/v1/payment-intents/{intent_id:str}/void",
        operation_id="voidPaymentIntent",
        summary="Void a payment intent",
        description="Lets go of a payment: of a CREATED one at once; of held funds, or of a customer who was to act, by asking "
        "the processor and waiting, bounded: 200 with the intent VOIDED, or as it was before where the processor refused, "
        "else 202. Of a PROCESSING one whatever the processor reports later is let go of, and nothing is captured: 200 with "
        "the intent VOIDED, or 202 while the outcome is not known. Voiding again answers the present state.",
        tags=["payment intents"],
        body=NoMembers,
        answer=PaymentIntentBody,
        audit="payment_intent.void",
        permission=_WRITE,
        idempotent=True,
        accepted=True,
        refusals=(PaymentIntentNotFound, CannotVoid),
        headers=_PREFER,
        is_continuation=True,
    )
    async def void_payment_intent(self, caller: callers.Caller, request: AnyRequest, intent_id: str) -> Response[bytes]:
        await take_nothing(await request.body())
        requested = path_id(intent_id, "payment_intent_id")
        key = require_key(request.headers, missing=_MISSING_KEY)
        # The body means nothing to us.
        claim = self.idempotency.claim(
            tenant_id=caller.tenant_id, operation=f"void:{requested}", key=key, body=b"", meaning=Meaning()
        )
        asking = Caller(
            actor=caller.actor, correlation=caller.correlation, respond_async=prefers_async(request.headers)
        )
        given = await self.idempotency.run(
            claim,
            partial(self.operations.void, requested, action=audit_action(), claim=claim, caller=asking),
            resume=partial(self.operations.resume, requested, claim=claim),
        )
        return given_answer(given)

    @operation(
        "POST",
        "/v1/payment-intents/{intent_id:str}/refund",
        operation_id="refundPaymentIntent",
        summary="Refund a payment intent",
        description="Gives captured money back: all that is left, or the amount given, as often as something is left. Waits, "
        "bounded, for the processor; the answer is the refund: COMPLETED, FAILED, or PENDING where the processor has not "
        "reported yet how it ended. A refund that fails, at once or later, counts for nothing.",
        tags=["payment intents"],
        body=RefundRequest,
        moves_money=True,
        body_optional=True,
        example={"amount": "40.00", "reason": "customer_request"},
        answer=RefundBody,
        audit="payment_intent.refund",
        permission=_WRITE,
        idempotent=True,
        refusals=(PaymentIntentNotFound, CannotRefund, RefundExceedsPayment, InvalidAmount),
        headers=_PREFER,
    )
    async def refund_payment_intent(
        self, caller: callers.Caller, request: AnyRequest, intent_id: str
    ) -> Response[bytes]:
        requested = path_id(intent_id, "payment_intent_id")
        raw = await request.body()
        body = await self.given_back.take(raw or b"{}")
        require_storable({"/reason": body.reason})
        key = require_key(request.headers, missing=_MISSING_KEY)
        amount_minor = await self._amount_of(caller.tenant_id, requested, body.amount)
        claim = self.idempotency.claim(
            tenant_id=caller.tenant_id,
            operation=f"refund:{requested}",
            key=key,
            body=raw,
            meaning=Meaning(amount_minor, body.reason),
        )
        asking = Caller(
            actor=caller.actor, correlation=caller.correlation, respond_async=prefers_async(request.headers)
        )
        refund = partial(
            self.operations.refund,
            requested,
            action=audit_action(),
            amount_minor=amount_minor,
            reason=body.reason,
            claim=claim,
            caller=asking,
        )
        return given_answer(
            await self.idempotency.run(claim, refund, resume=partial(self.operations.resume_refund, claim=claim))
        )

    @operation(
        "GET",
        "/v1/payment-intents/{intent_id:str}/refunds",
        operation_id="listRefunds",
        summary="List the refunds of a payment intent",
        description="Newest first, as a bare array.",
        tags=["payment intents"],
        answer=list[RefundBody],
        permission=_READ,
        refusals=(PaymentIntentNotFound,),
    )
    async def list_refunds(self, caller: callers.Caller, request: AnyRequest, intent_id: str) -> Response[bytes]:
        found = await queries.refunds_of(self.database, caller.tenant_id, path_id(intent_id, "payment_intent_id"))
        return json_answer([refund_body(refund) for refund in found])

    @operation(
        "GET",
        "/v1/payment-intents/{intent_id:str}/disputes",
        operation_id="listDisputes",
        summary="List the disputes of a payment intent",
        description="Newest first, as a bare array.",
        tags=["payment intents"],
        answer=list[DisputeBody],
        permission=_READ,
        refusals=(PaymentIntentNotFound,),
    )
    async def list_disputes(self, caller: callers.Caller, request: AnyRequest, intent_id: str) -> Response[bytes]:
        found = await queries.disputes_of(self.database, caller.tenant_id, path_id(intent_id, "payment_intent_id"))
        return json_answer([dispute_body(dispute) for dispute in found])
