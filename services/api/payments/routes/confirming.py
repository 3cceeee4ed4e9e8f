"""Payment intents are confirmed, also again with another payment method."""

from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from litestar.status_codes import HTTP_200_OK

from libs.common.contracts.gateway_requests import ReadClientSecret
from libs.common.db import Database
from libs.common.errors import Transient
from services.api.errors import (
    CannotConfirm,
    ConfirmContended,
    CustomerRequired,
    CustomerUnknown,
    PaymentIntentNotFound,
    PaymentMethodNotOfCustomer,
    PaymentMethodTypeNotAllowed,
    TooManyAttempts,
)
from services.api.http import callers
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest, path_id, prefers_async
from services.api.http.requests import Ask
from services.api.idempotency import Answer, Claim, Idempotency
from services.api.idempotency.domain import Given
from services.api.idempotency.requests import given_answer, require_key
from services.api.payments import queries
from services.api.payments.commands import Caller, Operations, PaymentCommands
from services.api.payments.domain import ATTEMPTS_MAX, ChosenMethod
from services.api.payments.routes.methods import require_customer, saved_method
from services.api.payments.schemas import ConfirmPaymentIntent, PaymentIntentBody

_REDIRECT = b'"redirect"'
"""What an answer has in it that sends the customer somewhere."""


class Confirmations(Resource):
    """Routes: `POST /v1/payment-intents/{intent_id}/confirm`."""

    payments: PaymentCommands
    operations: Operations
    idempotency: Idempotency
    database: Database
    ask: Ask

    confirmations = BodyReader(ConfirmPaymentIntent, moves_money=True)

    @operation(
        "POST",
        "/v1/payment-intents/{intent_id:str}/confirm",
        operation_id="confirmPaymentIntent",
        summary="Confirm a payment intent",
        description="Asks the issuer for the funds and waits, bounded, for the answer: 200 with the intent AUTHORIZED "
        "or FAILED, or 202 with the intent PROCESSING. `Prefer: respond-async` answers 202 at once. Confirming again "
        "answers the present state and asks nobody twice. REQUIRES_ACTION is an answer too: lead the customer to "
        "`action_url`, which is whole in this answer alone and in `GET .../next-action`, or show the code or the slip of "
        "`next_action`. With a `payment_method` that is charged; a payment that was declined, with nothing ever held, or that "
        "is REQUIRES_ACTION by another `payment_method`, is then authorized once more, the earlier authorization cancelled "
        f"first, up to {ATTEMPTS_MAX} times in all.",
        tags=["payment intents"],
        body=ConfirmPaymentIntent,
        example={"payment_method": "pm_card_visa"},
        answer=PaymentIntentBody,
        audit="payment_intent.confirm",
        permission="payments:write",
        idempotent=True,
        accepted=True,
        refusals=(
            *(
                PaymentIntentNotFound,
                ConfirmContended,
                CannotConfirm,
                TooManyAttempts,
                CustomerUnknown,
                CustomerRequired,
            ),
            *(PaymentMethodNotOfCustomer, PaymentMethodTypeNotAllowed),
        ),
        headers=(("Prefer", "`respond-async`: answer 202 at once."),),
        is_continuation=True,
    )
    async def confirm_payment_intent(
        self, caller: callers.Caller, request: AnyRequest, intent_id: str
    ) -> Response[bytes]:
        requested = path_id(intent_id, "payment_intent_id")
        raw = await request.body()
        body = await self.confirmations.take(raw) if raw.strip() else ConfirmPaymentIntent()
        require_storable({"/payment_method": body.payment_method})
        meaning: dict[str, dict[str, str]] = {"body": {}}
        key = require_key(request.headers, missing="Missing Idempotency-Key")
        respond_async = prefers_async(request.headers)
        claim = self.idempotency.claim(
            tenant_id=caller.tenant_id, operation=f"confirm:{requested}", key=key, body=raw, meaning=meaning
        )
        if body.payment_method or body.off_session:
            confirm: Any = partial(
                self._confirm_with_method, requested, body, claim=claim, caller=caller, respond_async=respond_async
            )
        else:
            confirm = partial(
                self.payments.confirm,
                requested,
                action=audit_action(),
                claim=claim,
                actor=caller.actor,
                correlation=caller.correlation,
                respond_async=respond_async,
                return_url=body.return_url or "",
            )
        given = await self.idempotency.run(
            claim, confirm, resume=partial(self.payments.resume_confirm, requested, claim=claim)
        )
        headers = {"Preference-Applied": "respond-async"} if respond_async and given.answer.status == 202 else {}
        return given_answer(await self._with_address(caller, requested, given), headers)

    async def _confirm_with_method(
        self,
        intent_id: UUID,
        body: ConfirmPaymentIntent,
        *,
        claim: Claim,
        caller: callers.Caller,
        respond_async: bool,
    ) -> Answer | None:
        # Not of a repetition, which is answered as before also where the method is detached by now.
        if await self.idempotency.is_taken(claim):
            return None
        # Of what is read here nothing ever changes: whose payment it is, and how it is paid.
        intent = await queries.get(self.database, claim.tenant_id, intent_id)
        saved = saved_method(
            payment_method=body.payment_method, off_session=body.off_session, customer_id=intent.customer_id
        )
        if intent.payment_method_type.is_asynchronous:
            raise PaymentMethodTypeNotAllowed(
                f"{intent.payment_method_type} takes no token of a payment method", "payment_method"
            )
        if saved is not None:
            await require_customer(
                self.database,
                self.ask,
                tenant_id=claim.tenant_id,
                customer_id=intent.customer_id,
                saved_method_id=saved,
            )
        return await self.operations.confirm(
            intent_id,
            action=audit_action(),
            method=ChosenMethod(
                payment_method="" if saved else body.payment_method or "",
                saved_method_id=saved,
                off_session=bool(body.off_session),
            ),
            return_url=body.return_url or "",
            claim=claim,
            caller=Caller(actor=caller.actor, correlation=caller.correlation, respond_async=respond_async),
        )

    async def _with_address(self, caller: callers.Caller, intent_id: UUID, given: Given) -> Given:
        """Complete the address of an answer that sends the customer somewhere: what is kept of it has no secret in it.

        Where it cannot be had in time, or another authorization awaits its customer by now, the answer stays as it is, and
        `GET .../next-action` has it.
        """
        if given.answer.status != HTTP_200_OK or _REDIRECT not in given.answer.body:
            return given
        body = msgspec.json.decode(given.answer.body)
        if (body.get("next_action") or {}).get("type") != "redirect":
            return given
        try:
            answer = await self.ask(ReadClientSecret(tenant_id=caller.tenant_id, payment_intent_id=intent_id))
        except Transient:
            return given
        if not answer.action_url:
            return given
        # Read after the address: a payment loses the reference of an authorization before the next one can have a page.
        intent = await queries.get(self.database, caller.tenant_id, intent_id)
        if intent.gateway_ref != body.get("gateway_ref"):
            return given
        body["action_url"] = body["next_action"]["url"] = answer.action_url
        whole = msgspec.structs.replace(given.answer, body=msgspec.json.encode(body))
        return msgspec.structs.replace(given, answer=whole)
